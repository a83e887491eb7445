//! `lake plot`: pictures of what readers see.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use chrono::{NaiveDate, TimeDelta};
use clap::{Args, ValueEnum};
use lake::error::{Error, Result, io_error};
use lake::run::Lake;
use lake_plot::{
    Axis, Bars, Cloud, Fan, Forecast, Frame, Group, HeatMap, Lines, Mark, Picture, Scatter, Series, Unit,
    text,
};

use super::answer::cells;
use super::names::publication;
use super::output::OutputFile;
use super::print;

/// Columns of the text that a terminal gets beside the picture.
const TEXT_WIDTH: usize = 80;

/// Draw a picture of what readers see, as SVG or PNG.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake plot daily-sales
  lake plot forecast --series 'net_revenue: France' --output france.png
  lake plot cohorts --as-of as-of-2011-06-01")]
pub struct PlotArgs {
    /// What is drawn
    #[arg(value_enum, value_name = "NAME")]
    pub name: Name,
    /// The series of the forecast that is drawn [default: net_revenue]
    #[arg(long, value_name = "SERIES")]
    pub series: Option<String>,
    /// The file, .svg or .png [default: NAME.svg]
    #[arg(long, value_name = "F")]
    pub output: Option<PathBuf>,
    /// Draw the lake as readers saw it then: a run's id, a day, an instant, or as-of-DATE
    #[arg(long, value_name = "RUN|DATE", value_parser = publication)]
    pub as_of: Option<String>,
}

/// What can be drawn.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Name {
    /// Net revenue by day, and its mean over seven days
    DailySales,
    /// A series as it was and as it is expected, with its intervals
    Forecast,
    /// How many customers of each month come back, month by month
    Cohorts,
    /// Purchases expected of customers in the holdout against what came, by how often they had bought
    Cltv,
    /// Customers on the two main components of their features, coloured by segment
    Segments,
    /// What sets each segment apart, in standard deviations from the mean of all customers
    SegmentProfiles,
    /// Silhouette and inertia over the number of segments
    K,
}

/// A picture, and its gist as text.
struct Drawing {
    picture: Box<dyn Picture>,
    gist: String,
}

/// Draws, writes the file, and shows the gist on a terminal that can.
pub async fn plot(lake: Lake, args: PlotArgs) -> Result<()> {
    let name = args.name.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default();
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.svg")));
    let draw = match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => |picture: &dyn Picture| picture.svg().map(String::into_bytes),
        Some("png") => |picture: &dyn Picture| picture.png(),
        _ => {
            return Err(Error::invalid(format!("cannot draw `{}`", path.display()))
                .hint("name a file that ends in .svg or .png"));
        }
    };
    let drawing = drawing(&lake, &args).await?;
    let bytes = draw(drawing.picture.as_ref()).map_err(undrawable)?;
    let mut output = OutputFile::open(&path)?;
    output.file().write_all(&bytes).map_err(|e| io_error("write", &path, &e))?;
    output.close()?;
    if std::io::stdout().is_terminal() && speaks_unicode() {
        print::line(drawing.gist)?;
    }
    print::line(format!("drawn: {}", path.display()))
}

async fn drawing(lake: &Lake, args: &PlotArgs) -> Result<Drawing> {
    let as_of = args.as_of.as_deref();
    if args.series.is_some() && !matches!(args.name, Name::Forecast) {
        return Err(Error::invalid("`--series` is of `lake plot forecast` alone"));
    }
    match args.name {
        Name::DailySales => daily_sales(lake, as_of).await,
        Name::Forecast => forecast(lake, args.series.as_deref().unwrap_or("net_revenue"), as_of).await,
        Name::Cohorts => cohorts(lake, as_of).await,
        Name::Cltv => calibration(lake, as_of).await,
        Name::Segments => segments(lake, as_of).await,
        Name::SegmentProfiles => segment_profiles(lake, as_of).await,
        Name::K => curve(lake).await,
    }
}

fn undrawable(error: lake_plot::Error) -> Error {
    match error {
        lake_plot::Error::Invalid(message) => Error::data(format!("cannot draw the picture: {message}")),
        other => Error::internal(other.to_string()),
    }
}

/// Whether the locale is one of UTF-8.
fn speaks_unicode() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    set.is_some_and(|locale| locale.to_ascii_uppercase().replace('-', "").contains("UTF8"))
}

/// Days since 1970-01-01.
fn day(text: &str) -> Result<i32> {
    let date: NaiveDate = text.parse().map_err(|e| Error::internal(format!("`{text}` is no date: {e}")))?;
    i32::try_from((date - NaiveDate::default()).num_days()).map_err(|e| Error::internal(e.to_string()))
}

fn date(day: i32) -> String {
    (NaiveDate::default() + TimeDelta::days(day.into())).to_string()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn spark(values: &[Option<f64>]) -> Result<String> {
    text::sparkline(values, TEXT_WIDTH).map_err(undrawable)
}

/// From when to when, as a subtitle says it.
fn span(days: &[i32]) -> String {
    match (days.first(), days.last()) {
        (Some(first), Some(last)) => format!("{} to {}", date(*first), date(*last)),
        _ => "nothing yet".into(),
    }
}

async fn daily_sales(lake: &Lake, as_of: Option<&str>) -> Result<Drawing> {
    let query = "select sale_date, cast(net_revenue as double), cast(net_revenue_7d_avg as double) \
                 from gold.daily_sales order by sale_date";
    let (mut points, mut mean) = (Vec::new(), Vec::new());
    for row in cells(lake, query, as_of).await? {
        let day = day(&row[0])?;
        points.push((day, number(&row[1])));
        mean.push((day, number(&row[2])));
    }
    let days: Vec<i32> = points.iter().map(|(day, _)| *day).collect();
    let values: Vec<Option<f64>> = mean.iter().map(|(_, value)| *value).collect();
    let series = |name: &str, mark, points| Series { name: name.into(), mark, points };
    let picture = Lines {
        frame: Frame::new("Daily sales", format!("Net revenue, {}", span(&days))),
        y: Axis::new("Net revenue", Unit::Plain),
        series: vec![series("Day", Mark::Bars, points), series("Mean of seven days", Mark::Strong, mean)],
    };
    Ok(Drawing {
        picture: Box::new(picture),
        gist: format!("{}\nnet revenue, mean of seven days, {}", spark(&values)?, span(&days)),
    })
}

async fn forecast(lake: &Lake, series: &str, as_of: Option<&str>) -> Result<Drawing> {
    let query = format!(
        "select date, actual, forecast, lo80, hi80, lo95, hi95, model from gold.forecast \
         where series = '{}' order by date",
        series.replace('\'', "''")
    );
    let (mut history, mut expected, mut model) = (Vec::new(), Vec::new(), String::new());
    for row in cells(lake, &query, as_of).await? {
        let (day, at) = (day(&row[0])?, |i: usize| number(&row[i]));
        history.extend(at(1).map(|actual| (day, actual)));
        if let Some(mean) = at(2) {
            let or = |i: usize, [lo, hi]: [f64; 2]| [at(i).unwrap_or(lo), at(i + 1).unwrap_or(hi)];
            let p80 = or(3, [mean, mean]);
            expected.push(Forecast { day, mean, p80, p95: or(5, p80) });
            model.clone_from(&row[7]);
        }
    }
    if history.is_empty() && expected.is_empty() {
        let known = cells(lake, "select distinct series from gold.forecast order by series", as_of).await?;
        let known: Vec<String> = known.into_iter().flatten().collect();
        return Err(Error::invalid(format!("there is no forecast of a series `{series}`"))
            .hint(format!("known are: {}", known.join(", "))));
    }
    let values: Vec<Option<f64>> =
        history.iter().map(|(_, value)| Some(*value)).chain(expected.iter().map(|f| Some(f.mean))).collect();
    let ahead: Vec<i32> = expected.iter().map(|forecast| forecast.day).collect();
    let gist = format!("{}\n{series}, expected {} by {model}", spark(&values)?, span(&ahead));
    // Half a year of days behind a month of forecast is as much as can be told apart.
    let history = history.split_off(history.len().saturating_sub(180));
    let picture = Fan {
        frame: Frame::new(format!("Forecast of {series}"), format!("By {model}, {}", span(&ahead))),
        y: Axis::new(series, Unit::Plain),
        history,
        forecast: expected,
    };
    Ok(Drawing { picture: Box::new(picture), gist })
}

async fn cohorts(lake: &Lake, as_of: Option<&str>) -> Result<Drawing> {
    let query = "select cohort_month, months_since, retention from gold.cohort_retention order by 1, 2";
    let (mut rows, mut values): (Vec<String>, Vec<Vec<Option<f64>>>) = (Vec::new(), Vec::new());
    for row in cells(lake, query, as_of).await? {
        let month = row[0].get(..7).unwrap_or(&row[0]).to_string();
        if rows.last() != Some(&month) {
            rows.push(month);
            values.push(Vec::new());
        }
        if let Some(cohort) = values.last_mut() {
            cohort.push(number(&row[2]));
        }
    }
    let width = values.iter().map(Vec::len).max().unwrap_or(0);
    values.iter_mut().for_each(|cohort| cohort.resize(width, None));
    let after_one: Vec<Option<f64>> = values.iter().map(|cohort| cohort.get(1).copied().flatten()).collect();
    let gist =
        format!("{}\nback in the month after the first, by month of the first purchase", spark(&after_one)?);
    let picture = HeatMap {
        frame: Frame::new("Customers who come back", "Share of each month's new customers, by months since"),
        row_label: "First purchase".into(),
        column_label: "Months since".into(),
        columns: (0..width).map(|month| month.to_string()).collect(),
        rows,
        values,
        unit: Unit::Share,
        // Everyone is there in the first month; the months after are what is compared.
        range: Some([0.0, 0.5]),
    };
    Ok(Drawing { picture: Box::new(picture), gist })
}

async fn calibration(lake: &Lake, as_of: Option<&str>) -> Result<Drawing> {
    let query = "select bucket, expected / customers, actual / customers, method from gold.cltv_validation \
                 where measure = 'purchases' and bucket <> 'all' order by bucket";
    let rows = cells(lake, query, as_of).await?;
    let method = rows.first().map(|row| row[3].clone()).unwrap_or_default();
    let of = |column: usize| rows.iter().map(|row| number(&row[column])).collect::<Vec<_>>();
    let group = |name: &str, values| Group { name: name.into(), values };
    let expected: Vec<(String, Option<f64>)> =
        rows.iter().map(|row| (row[0].clone(), number(&row[1]))).collect();
    let gist = text::bars(&expected, Unit::Plain, TEXT_WIDTH).map_err(undrawable)?;
    let picture = Bars {
        frame: Frame::new(
            "Purchases on days that the model had not seen",
            format!("Per customer, by {method}, against what came, by earlier repeat purchases"),
        ),
        y: Axis::new("Purchase days per customer", Unit::Plain),
        category_label: "Repeat purchases before".into(),
        categories: rows.iter().map(|row| row[0].clone()).collect(),
        groups: vec![group("Expected", of(1)), group("Came", of(2))],
    };
    Ok(Drawing { picture: Box::new(picture), gist: format!("{gist}\nexpected purchase days per customer") })
}

async fn segments(lake: &Lake, as_of: Option<&str>) -> Result<Drawing> {
    let query = "select segment_name, pc1, pc2 from gold.customer_segments order by segment_id, customer_id";
    let mut groups: Vec<Cloud> = Vec::new();
    for row in cells(lake, query, as_of).await? {
        if groups.last().is_none_or(|group| group.name != row[0]) {
            groups.push(Cloud { name: row[0].clone(), points: Vec::new() });
        }
        if let (Some(group), Some(x), Some(y)) = (groups.last_mut(), number(&row[1]), number(&row[2])) {
            group.points.push((x, y));
        }
    }
    let sizes = groups.iter().map(|group| (group.name.clone(), Some(group.points.len() as f64)));
    let gist = text::bars(&sizes.collect::<Vec<_>>(), Unit::Count, TEXT_WIDTH).map_err(undrawable)?;
    let picture = Scatter {
        frame: Frame::new("Customer segments", "Customers on the two main components of their features"),
        x: Axis::new("First component", Unit::Plain),
        y: Axis::new("Second component", Unit::Plain),
        groups,
        ..Scatter::default()
    };
    Ok(Drawing { picture: Box::new(picture), gist: format!("{gist}\ncustomers by segment") })
}

async fn segment_profiles(lake: &Lake, as_of: Option<&str>) -> Result<Drawing> {
    let query = "select apart.feature, named.segment_name, apart.difference from gold.segment_differences as apart \
                 inner join gold.segment_profiles as named on apart.segment_id = named.segment_id \
                 order by apart.feature, apart.segment_id";
    let (mut rows, mut columns): (Vec<String>, Vec<String>) = Default::default();
    let mut values: Vec<Vec<Option<f64>>> = Vec::new();
    for row in cells(lake, query, as_of).await? {
        let feature = row[0].replace('_', " ");
        if rows.last() != Some(&feature) {
            rows.push(feature);
            values.push(Vec::new());
        }
        if rows.len() == 1 {
            columns.push(row[1].clone());
        }
        if let Some(values) = values.last_mut() {
            values.push(number(&row[2]));
        }
    }
    let mut gist = Vec::new();
    for (place, name) in columns.iter().enumerate() {
        let of_segment =
            rows.iter().zip(&values).filter_map(|(feature, values)| Some((feature, values[place]?)));
        let most = of_segment.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
        gist.extend(most.map(|(feature, value)| format!("{name}: {feature} {value:+.2}")));
    }
    let picture = HeatMap {
        frame: Frame::new("What sets segments apart", "Standard deviations from the mean of all customers"),
        row_label: "Feature".into(),
        column_label: "Segment".into(),
        rows,
        columns,
        values,
        unit: Unit::Plain,
        range: None,
    };
    Ok(Drawing { picture: Box::new(picture), gist: gist.join("\n") })
}

/// The curve of the newest model, whether its segments are published or not.
async fn curve(lake: &Lake) -> Result<Drawing> {
    let query = "select cast(substr(subject, 5) as int) as k, \
                 max(value) filter (where metric = 'silhouette'), max(value) filter (where metric = 'inertia') \
                 from ops.model_metrics where model = 'segments' and subject like 'k = %' \
                 and run_id = (select max(run_id) from ops.models where model = 'segments' and as_of is null) group by k order by k";
    let rows = cells(lake, query, None).await?;
    let of = |column: usize| rows.iter().map(|row| number(&row[column])).collect::<Vec<_>>();
    let (categories, silhouette, inertia) =
        (rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), of(1), of(2));
    let largest = inertia.iter().flatten().copied().fold(0.0, f64::max);
    let shares =
        inertia.iter().map(|value| value.filter(|_| largest > 0.0).map(|value| value / largest)).collect();
    let named: Vec<(String, Option<f64>)> =
        categories.iter().cloned().zip(silhouette.iter().copied()).collect();
    let gist = text::bars(&named, Unit::Plain, TEXT_WIDTH).map_err(undrawable)?;
    let group = |name: &str, values| Group { name: name.into(), values };
    let picture = Bars {
        frame: Frame::new("How many segments", "Mean silhouette, and inertia as a share of the largest"),
        y: Axis::new("Silhouette, share of inertia", Unit::Plain),
        category_label: "Segments".into(),
        categories,
        groups: vec![group("Silhouette", silhouette), group("Inertia", shares)],
    };
    Ok(Drawing { picture: Box::new(picture), gist: format!("{gist}\nmean silhouette by number of segments") })
}
