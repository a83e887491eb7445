//! Known values in, known characters out.

use super::*;

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

#[test]
fn a_sparkline_of_known_values() {
    assert_eq!(sparkline(&some(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), 8).unwrap(), "▁▂▃▄▅▆▇█");
    assert_eq!(sparkline(&[Some(1.0), None, Some(-1.0)], 80).unwrap(), "█ ▁");
    assert_eq!(sparkline(&some(&[5.0, 5.0]), 80).unwrap(), "▄▄");
    assert_eq!(sparkline(&[None, None], 80).unwrap(), "  ");
    assert_eq!(sparkline(&[], 80).unwrap(), "");
}

#[test]
fn a_long_sparkline_shrinks_to_its_width() {
    let values: Vec<_> = (0..374).map(|i| Some(f64::from(i))).collect();
    assert_eq!(sparkline(&values, 8).unwrap(), "▁▂▃▄▅▆▇█");
    assert_eq!(sparkline(&values, 0).unwrap(), "");
}

#[test]
fn bars_of_known_values() {
    let rows = [("United Kingdom", Some(8000.0)), ("EIRE", Some(4000.0)), ("Malta", None)];
    let chart = bars(&rows, Unit::Plain, 40).unwrap();
    let expected = "\
United Kingd… ████████████████████ 8,000
EIRE          ██████████           4,000
Malta                                  -
";
    assert_eq!(chart, expected);
}

#[test]
fn negative_bars_grow_to_the_left() {
    let chart = bars(&[("up", Some(30.0)), ("down", Some(-10.0))], Unit::Count, 32).unwrap();
    assert_eq!(chart, "up         █████████████████  30\ndown ▐█████                  -10\n");
}

#[test]
fn every_line_keeps_to_its_width() {
    for width in [32, 33, 50, 81, 200] {
        let huge =
            [("a label\nwith a line end and no end", Some(-1e15)), ("b", Some(1e15 - 0.5)), ("", None)];
        for rows in [&huge[..], &huge[1..], &huge[2..], &huge[..0]] {
            let chart = bars(rows, Unit::Plain, width).unwrap();
            assert_eq!(chart.lines().count(), rows.len());
            assert!(chart.lines().all(|line| line.chars().count() <= width), "{width}\n{chart}");
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    assert!(sparkline(&[Some(f64::NAN)], 8).is_err());
    assert!(bars(&[("a", Some(f64::INFINITY))], Unit::Plain, 80).is_err());
    assert!(bars(&[("a", Some(1.0))], Unit::Plain, 10).is_err());
}
