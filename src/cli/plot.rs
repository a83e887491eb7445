//! `lake plot`: pictures of what readers see.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};
use clap::{Args, ValueEnum};
use lake::error::{Error, Result, io_error};
use lake::run::Lake;
use lake_plot::{
    Axis, Bars, Fan, Forecast, Frame, Group, HeatMap, Lines, Mark, Picture, Series, Unit, text, trailing_mean,
};

use super::answer::cells;
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
    /// The series of the forecast that is drawn
    #[arg(long, value_name = "SERIES", default_value = "net_revenue")]
    pub series: String,
    /// The file, .svg or .png [default: NAME.svg]
    #[arg(long, value_name = "F")]
    pub output: Option<PathBuf>,
    /// Draw the lake as readers saw it then: a run's id, a day, an instant, or as-of-DATE
    #[arg(long, value_name = "RUN|DATE")]
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
}

/// A picture, and its gist as text.
struct Drawing {
    picture: Box<dyn Picture>,
    gist: String,
}

/// Draws, writes the file, and shows the gist on a terminal that can.
pub async fn plot(lake: Lake, args: PlotArgs) -> Result<()> {
    let as_of = args.as_of.as_deref();
    let drawing = match args.name {
        Name::DailySales => daily_sales(&lake, as_of).await?,
        Name::Forecast => forecast(&lake, &args.series, as_of).await?,
        Name::Cohorts => cohorts(&lake, as_of).await?,
        Name::Cltv => calibration(&lake, as_of).await?,
    };
    let name = args.name.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default();
    let path = args.output.unwrap_or_else(|| PathBuf::from(format!("{name}.svg")));
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => drawing.picture.svg().map(String::into_bytes),
        Some("png") => drawing.picture.png(),
        _ => {
            return Err(Error::invalid(format!("cannot draw `{}`", path.display()))
                .hint("name a file that ends in .svg or .png"));
        }
    };
    let bytes = bytes.map_err(undrawable)?;
    std::fs::write(&path, &bytes).map_err(|e| io_error("write", &path, &e))?;
    if std::io::stdout().is_terminal() && speaks_unicode() {
        print::line(drawing.gist)?;
    }
    print::line(format!("drawn: {}", shown(&path)))
}

fn undrawable(error: lake_plot::Error) -> Error {
    Error::data(format!("cannot draw the picture: {error}"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
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
    let query = "select sale_date, cast(net_revenue as double) from gold.daily_sales order by sale_date";
    let mut points = Vec::new();
    for row in cells(lake, query, as_of).await? {
        points.push((day(&row[0])?, number(&row[1])));
    }
    let days: Vec<i32> = points.iter().map(|(day, _)| *day).collect();
    let mean = trailing_mean(&points, 7);
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
            let or_mean = |i: usize| at(i).unwrap_or(mean);
            expected.push(Forecast {
                day,
                mean,
                p80: [or_mean(3), or_mean(4)],
                p95: [or_mean(5), or_mean(6)],
            });
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
    // A year of days behind a month of forecast is as much as can be told apart.
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
