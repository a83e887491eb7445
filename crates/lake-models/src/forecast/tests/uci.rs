//! The UCI year (Chen 2015, doi 10.24432/C5BW33, CC BY 4.0), by day: what the forecast must hold on real data.

use super::super::calendar::{iso_weekday, month_day};
use super::super::{Input, Kind, Params, Series};
use super::{DECEMBER_2010, accuracy, assert_coherent, assert_sound, chosen};

/// The days of the UCI year: whether it traded, last hour, total revenue, orders, units, revenue by country.
fn year() -> Input {
    let mut lines = include_str!("../testdata/uci_daily.csv").lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').skip(2).collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let column = |i: usize| rows.iter().map(|row| row[i].parse().unwrap_or(0.0)).collect();
    let series = |(i, name): (usize, &&str)| Series {
        name: (*name).to_owned(),
        parent: (i > 2).then(|| "net_revenue".to_owned()),
        values: column(i + 2),
        non_negative: i == 1 || i == 2,
    };
    Input {
        first_day: DECEMBER_2010,
        traded: rows.iter().map(|row| row[0] == "1").collect(),
        last_hour: rows.iter().map(|row| row[1].parse().ok()).collect(),
        series: names.iter().enumerate().map(series).collect(),
    }
}

#[test]
fn the_year_is_forecast() {
    let input = year();
    let forecasts = Params::default().fit(&input).unwrap();
    assert_sound(&forecasts);
    assert_coherent(&forecasts, &input, "net_revenue");
    assert!(forecasts.last_day_partial, "9 December 2011 ends at 12:50");
    assert_eq!(forecasts.trained_through, Some(DECEMBER_2010 + 372));
    for row in forecasts.forecast.iter().filter(|row| row.kind == Kind::Forecast) {
        let is_closed = iso_weekday(row.day) == 6 || matches!(month_day(row.day), (12, 24..=31) | (1, 1..=3));
        let is_nothing = row.forecast == Some(0.0) && row.hi95 == Some(0.0);
        assert!(is_nothing || !is_closed, "{row:?}");
        assert!(row.forecast > Some(0.0) || is_closed || row.series != "net_revenue", "{row:?}");
    }
    for s in &input.series {
        let (best, naive) = (chosen(&forecasts, &s.name), accuracy(&forecasts, &s.name, "seasonal_naive"));
        assert!(best.mase <= naive.mase, "{best:?} {naive:?}");
        let trading = || s.values.iter().zip(&input.traded).filter(|(_, t)| **t).map(|(y, _)| *y);
        let zeros = trading().filter(|y| *y == 0.0).count() as f64 / trading().count() as f64;
        // An interval around the zeros of a country that buys one day in six covers at least those.
        let most = if zeros > 0.8 { 0.97 } else { 0.9 };
        assert!((0.7..=most).contains(&best.coverage80.unwrap()), "{best:?}");
    }
    for name in ["net_revenue", "orders", "units"] {
        let naive = accuracy(&forecasts, name, "seasonal_naive").mase.unwrap();
        assert!(chosen(&forecasts, name).mase.unwrap() < 0.85 * naive, "{name}");
    }
}
