//! Tests of the forecasts, and the shops they are tried on.

mod calendar;
mod degenerate;
mod intervals;
mod models;
mod simulated;
mod uci;

use super::{Forecasts, Input, Kind, Params, Series};

/// 2010-12-01, a Wednesday: the first day of the UCI data.
const DECEMBER_2010: i32 = 14_944;

/// Uniform and normal numbers by SplitMix64 (Steele, Lea & Flood 2014).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A series of its own.
fn series(name: &str, values: Vec<f64>) -> Series {
    Series { name: name.to_owned(), parent: None, values, non_negative: false }
}

/// A part of the series `total`.
fn part(name: &str, values: Vec<f64>) -> Series {
    Series { parent: Some("total".to_owned()), ..series(name, values) }
}

/// A shop that trades every day until 17 o'clock, with the given series.
fn every_day(series: Vec<Series>) -> Input {
    let days = series[0].values.len();
    Input { first_day: DECEMBER_2010, traded: vec![true; days], last_hour: vec![Some(17); days], series }
}

/// Every number of the tables is finite, every interval holds its forecast and lies in the wider one.
fn assert_sound(forecasts: &Forecasts) {
    for row in &forecasts.forecast {
        let numbers = [row.actual, row.forecast, row.lo80, row.hi80, row.lo95, row.hi95];
        assert!(numbers.iter().flatten().all(|v| v.is_finite()), "{row:?}");
        if let (Some(lo), Some(f), Some(hi)) = (row.lo80, row.forecast, row.hi80) {
            assert!(lo <= f && f <= hi, "{row:?}");
            assert!(
                row.lo95.is_none_or(|lo95| lo95 <= lo) && row.hi95.is_none_or(|hi95| hi95 >= hi),
                "{row:?}"
            );
        }
        assert_eq!(row.forecast.is_some(), row.kind == Kind::Forecast);
    }
    for row in &forecasts.accuracy {
        let numbers = [row.mase, row.rmsse, row.coverage80, row.coverage95, Some(row.smape), Some(row.bias)];
        assert!(numbers.iter().flatten().all(|v| v.is_finite()), "{row:?}");
    }
    assert!(forecasts.backtest.iter().all(|row| row.actual.is_finite() && row.forecast.is_finite()));
}

/// The published parts of `total` sum to it, day by day.
fn assert_coherent(forecasts: &Forecasts, input: &Input, total: &str) {
    let parts: Vec<&str> =
        input.series.iter().filter(|s| s.parent.as_deref() == Some(total)).map(|s| s.name.as_str()).collect();
    for row in forecasts.forecast.iter().filter(|r| r.series == total && r.kind == Kind::Forecast) {
        let of_day =
            forecasts.forecast.iter().filter(|r| r.day == row.day && parts.contains(&r.series.as_str()));
        let sum: f64 = of_day.filter_map(|r| r.forecast).sum();
        let forecast = row.forecast.unwrap();
        assert!((sum - forecast).abs() <= 1e-9 * (1.0 + forecast.abs()), "{row:?} against {sum}");
    }
}

/// The row of the published model of a series.
fn chosen<'a>(forecasts: &'a Forecasts, series: &str) -> &'a super::AccuracyRow {
    forecasts.accuracy.iter().find(|row| row.series == series && row.chosen).unwrap()
}

/// The row of a model of a series.
fn accuracy<'a>(forecasts: &'a Forecasts, series: &str, model: &str) -> &'a super::AccuracyRow {
    forecasts.accuracy.iter().find(|row| row.series == series && row.model == model).unwrap()
}

/// Few origins, for speed.
fn quick() -> Params {
    Params { horizon: 14, origins: 3 }
}
