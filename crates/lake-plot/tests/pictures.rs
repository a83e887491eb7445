//! What every picture promises: XML that parses, every label, the same bytes twice, pixels that show it.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is its purpose")]

use lake_plot::{
    Axis, Bars, Cloud, Error, Fan, Forecast, Frame, Group, HeatMap, Lines, Mark, Picture, Scatter, Series,
    Unit,
};

const FIRST_DAY: i32 = 14_944; // 2010-12-01

fn axis() -> Axis {
    Axis::new("Net revenue per day", Unit::Plain)
}

fn frame() -> Frame {
    Frame::new("Sales & <returns>", "A \"quoted\" subtitle")
}

fn fan(history: i32, forecast: i32) -> Fan {
    let value = |i: i32| 20_000.0 + 5_000.0 * f64::from(i % 7);
    let expect = |i: i32| {
        let mean = value(i);
        let p95 = [mean - 9_000.0, mean + 9_000.0];
        Forecast { day: FIRST_DAY + i, mean, p80: [mean - 5_000.0, mean + 5_000.0], p95 }
    };
    Fan {
        frame: frame(),
        y: axis(),
        history: (0..history).map(|i| (FIRST_DAY + i, value(i))).collect(),
        forecast: (history..history + forecast).map(expect).collect(),
    }
}

fn days(values: &[Option<f64>]) -> Vec<(i32, Option<f64>)> {
    (FIRST_DAY..).zip(values.iter().copied()).collect()
}

fn series(name: &str, mark: Mark, values: &[Option<f64>]) -> Series {
    Series { name: name.into(), mark, points: days(values) }
}

fn lines(values: &[Option<f64>]) -> Lines {
    let series = vec![
        series("Day", Mark::Bars, values),
        series("Line", Mark::Strong, values),
        series("Another line", Mark::Strong, values),
    ];
    Lines { frame: frame(), y: axis(), series }
}

/// A triangle of values, as cohorts have.
fn heat_map(side: usize) -> HeatMap {
    let value =
        |row: usize, column: usize| (row + column < side).then(|| 1.0 / (1 + column + row / 3) as f64);
    HeatMap {
        frame: frame(),
        row_label: "First purchase".into(),
        column_label: "Months since".into(),
        rows: (0..side).map(|row| format!("cohort {row}")).collect(),
        columns: (0..side).map(|column| format!("M{column}")).collect(),
        values: (0..side).map(|row| (0..side).map(|column| value(row, column)).collect()).collect(),
        unit: Unit::Share,
        range: Some([0.0, 0.5]),
    }
}

fn bars(categories: &[&str], values: &[Option<f64>]) -> Bars {
    let group = |name: &str| Group { name: name.into(), values: values.to_vec() };
    Bars {
        frame: frame(),
        y: Axis::new("Purchases", Unit::Count),
        category_label: "Repeat purchases".into(),
        categories: categories.iter().map(|name| name.to_string()).collect(),
        groups: vec![group("Expected"), group("Actual")],
    }
}

fn scatter(points: usize) -> Scatter {
    let cloud = |name: &str, shift: f64, n: usize| Cloud {
        name: name.into(),
        points: (0..n).map(|i| ((i as f64).sin() + shift, (i as f64 * 1.7).cos())).collect(),
    };
    let (x, y) = (Axis::new("First component", Unit::Plain), Axis::new("Second component", Unit::Plain));
    let groups = vec![cloud("Loyal", 0.0, points), cloud("Lapsed", 3.0, points / 100)];
    Scatter { frame: frame(), x, y, groups, ..Scatter::default() }
}

/// The texts of an SVG that is well-formed; panics where it is not.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap().trim().to_string()).collect()
}

fn count(svg: &str, tag: &str) -> usize {
    roxmltree::Document::parse(svg).unwrap().descendants().filter(|node| node.has_tag_name(tag)).count()
}

fn assert_labels(picture: &dyn Picture, labels: &[&str]) {
    let found = texts(&picture.svg().unwrap());
    for label in ["Sales & <returns>"].iter().chain(labels) {
        assert!(found.iter().any(|text| text == label), "no `{label}` among {found:?}");
    }
}

/// Every chart with ordinary data, and every shape of data that might break one.
fn gallery() -> Vec<Box<dyn Picture>> {
    let wild = [Some(-5.0), None, Some(0.0), Some(1e15), Some(-1e15), None];
    let long = "WHITE HANGING HEART T-LIGHT HOLDER ".repeat(20);
    let odd = Frame::new(long.as_str(), "control\u{1}\u{0}\u{FFFE} characters\nand lines");
    vec![
        Box::new(fan(100, 28)),
        Box::new(fan(1, 1)),
        Box::new(fan(1, 0)),
        Box::new(fan(0, 1)),
        Box::new(fan(0, 0)),
        Box::new(Fan { frame: odd.clone(), ..fan(9, 9) }),
        Box::new(lines(&wild)),
        Box::new(lines(&[Some(7.0); 30])),
        Box::new(lines(&[Some(0.0)])),
        Box::new(lines(&[None])),
        Box::new(Lines { frame: odd.clone(), ..lines(&wild) }),
        Box::new(heat_map(13)),
        Box::new(heat_map(1)),
        Box::new(heat_map(0)),
        Box::new(HeatMap { frame: odd.clone(), range: None, ..heat_map(150) }),
        Box::new(bars(&["0", "1", "2", "3", "4", "5+"], &wild)),
        Box::new(bars(&[&long], &[Some(0.0)])),
        Box::new(bars(&[], &[])),
        Box::new(Bars { frame: odd.clone(), ..bars(&[&long, "b"], &[Some(-1.0), None]) }),
        Box::new(scatter(300)),
        Box::new(scatter(1)),
        Box::new(scatter(0)),
        Box::new(Scatter { frame: odd, at_most: 0, ..scatter(500) }),
        Box::new(Scatter { at_most: usize::MAX, ..scatter(500) }),
    ]
}

#[test]
fn every_picture_is_xml_and_the_same_twice() {
    for picture in gallery() {
        let svg = picture.svg().unwrap();
        texts(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!(svg, picture.svg().unwrap());
    }
}

/// Width, height and number of pixels that are not nearly white.
fn inked(png: &[u8]) -> (u32, u32, usize) {
    let pixels = resvg::tiny_skia::Pixmap::decode_png(png).unwrap();
    let inked = pixels.pixels().iter().filter(|pixel| pixel.red() < 0xE0).count();
    (pixels.width(), pixels.height(), inked)
}

#[test]
fn every_chart_becomes_pixels() {
    let charts: [Box<dyn Picture>; 5] = [
        Box::new(fan(20, 7)),
        Box::new(lines(&[Some(1.0), Some(3.0)])),
        Box::new(heat_map(4)),
        Box::new(bars(&["a", "b"], &[Some(1.0), Some(2.0)])),
        Box::new(scatter(100)),
    ];
    for chart in charts {
        let (width, height, ink) = inked(&chart.png().unwrap());
        assert_eq!((width, height), (1200, 600));
        assert!(ink > 1_000, "only {ink} pixels are not white");
    }
}

#[test]
fn text_becomes_pixels_without_system_fonts() {
    let titled = |title: &str| Fan { frame: Frame::new(title, ""), ..Fan::default() }.png().unwrap();
    let sales = titled("Sales");
    let (width, height, ink) = inked(&sales);
    assert_eq!((width, height), (1200, 600));
    assert!(ink > 500, "only {ink} pixels are not white");
    assert_eq!(sales, titled("Sales"));
    assert_ne!(sales, titled("Costs"));
}

#[test]
fn a_fan_shows_its_labels_and_bands() {
    let picture = fan(100, 28);
    let labels =
        ["Actual", "Forecast", "80% interval", "95% interval", "Net revenue per day", "50,000", "2010"];
    assert_labels(&picture, &labels);
    assert_eq!(count(&picture.svg().unwrap(), "polygon"), 2);
}

#[test]
fn lines_show_every_series() {
    let picture = lines(&[Some(100.0), Some(250.0), None, Some(50.0)]);
    assert_labels(&picture, &["Day", "Line", "Another line", "1 Dec", "0", "250"]);
    // Paper, the legend's block, and a bar for each value.
    assert_eq!(count(&picture.svg().unwrap(), "rect"), 1 + 1 + 3);
}

#[test]
fn a_heat_map_draws_a_cell_for_each_value() {
    let picture = heat_map(13);
    let cells = 13 * 14 / 2;
    let svg = picture.svg().unwrap();
    assert_eq!(count(&svg, "rect"), 1 + cells);
    assert_eq!(
        texts(&svg).iter().filter(|text| text.ends_with('%') && !text.starts_with('≥')).count(),
        cells + 1
    );
    assert_labels(
        &picture,
        &["First purchase", "Months since", "cohort 0", "cohort 12", "M12", "100%", "≥ 50%"],
    );
}

#[test]
fn bars_show_groups_categories_and_values() {
    let picture = bars(&["none", "one", "two or more"], &[Some(1_234.0), None, Some(77.0)]);
    assert_labels(
        &picture,
        &["Expected", "Actual", "none", "one", "two or more", "Repeat purchases", "1,234", "77"],
    );
    assert_eq!(count(&picture.svg().unwrap(), "rect"), 1 + 2 + 4);
}

#[test]
fn names_too_long_to_lie_flat_run_upwards() {
    let names: Vec<String> = (0..40).map(|i| format!("Channel Islands {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let picture = bars(&names, &[Some(1.0); 40]);
    assert_labels(&picture, &names);
    assert!(picture.svg().unwrap().contains("rotate(270"));
}

#[test]
fn a_scatter_thins_and_says_so() {
    let picture = scatter(300_000);
    let svg = picture.svg().unwrap();
    // Two dots more stand in the legend.
    assert_eq!(count(&svg, "circle"), 5_001 + 2);
    assert!(svg.len() < 600_000, "{} bytes", svg.len());
    assert_labels(&picture, &["A \"quoted\" subtitle · 5,001 of 303,000 points drawn", "Loyal", "Lapsed"]);
}

#[test]
fn nothing_to_draw_is_said() {
    for picture in [&fan(0, 0) as &dyn Picture, &lines(&[None]), &heat_map(0), &bars(&[], &[]), &scatter(0)] {
        assert_labels(picture, &["No data to draw"]);
    }
}

#[test]
fn what_cannot_be_drawn_is_refused_by_name_and_position() {
    let refused = |picture: &dyn Picture| match picture.svg() {
        Err(Error::Invalid(message)) => message,
        other => panic!("{other:?}"),
    };
    let message = refused(&lines(&[Some(1.0), Some(f64::NAN)]));
    assert_eq!(message, "`Day` holds NaN at position 2; a picture needs finite numbers within ±1e15");
    assert!(refused(&bars(&["a"], &[Some(f64::INFINITY)])).contains("`Expected` holds inf at position 1"));
    assert!(refused(&bars(&["a", "b"], &[Some(1.0)])).contains("`Expected` holds 1 values, expected 2"));
    assert!(refused(&HeatMap { range: Some([1.0, 0.0]), ..heat_map(2) }).contains("does not increase"));
    let mut upside_down = fan(5, 5);
    upside_down.forecast[2].p80.reverse();
    assert!(refused(&upside_down).contains("`forecast` at position 3 are not nested"));
    let mut disorder = fan(5, 5);
    disorder.history.swap(0, 1);
    assert!(refused(&disorder).contains("`history` do not increase at position 2"));
    let far = Fan { history: vec![(i32::MAX, 1.0)], ..Fan::default() };
    assert!(refused(&far).contains("outside the years 1 to 9999"));
    let mut cloud = scatter(5);
    cloud.groups[0].points[3].1 = f64::NEG_INFINITY;
    assert!(refused(&cloud).contains("`Loyal` holds -inf at position 4"));
}
