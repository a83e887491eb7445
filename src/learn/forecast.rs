//! Sales to come, by series and day: `lake-models`' forecast.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use lake_models::forecast::{AccuracyRow, BacktestRow, ForecastRow, Forecasts, Input, Params, Series};

use super::columns::{Columns, date, part, parts, schema, schema_of_parts, texts};
use super::{Learned, Metric, ModelRecord, Verdict};
use crate::config;
use crate::error::{Error, Result};

/// Grows whenever the same rows and parameters give something else.
pub(super) const VERSION: u32 = 1;

/// One row per series and calendar day, no day left out.
pub(super) fn input() -> SchemaRef {
    schema(&[
        ("series", DataType::Utf8View),
        ("parent", DataType::Utf8View),
        ("sale_date", DataType::Date32),
        ("value", DataType::Float64),
        ("is_count", DataType::Boolean),
        ("is_trading_day", DataType::Boolean),
        ("last_hour", DataType::Int32),
    ])
}

/// Rows of `part` `forecast`, `backtest` and `accuracy`.
pub(super) fn output() -> SchemaRef {
    let number = |name| (name, DataType::Float64);
    schema_of_parts(&[
        ("series", DataType::Utf8View),
        ("model", DataType::Utf8View),
        ("date", DataType::Date32),
        ("kind", DataType::Utf8View),
        number("actual"),
        number("forecast"),
        number("lo80"),
        number("hi80"),
        number("lo95"),
        number("hi95"),
        ("trained_through", DataType::Date32),
        ("origin", DataType::Date32),
        ("horizon", DataType::Int64),
        number("mase"),
        number("smape"),
        number("rmsse"),
        number("bias"),
        number("coverage80"),
        number("coverage95"),
        ("chosen", DataType::Boolean),
    ])
}

pub(super) fn learn(parameters: &config::Forecast, rows: &RecordBatch) -> Result<Learned> {
    let input = read(rows)?;
    let (horizon, origins) = (parameters.horizon_days as usize, parameters.origins as usize);
    let forecasts = Params { horizon, origins }.fit(&input).map_err(|e| Error::data(e.to_string()))?;
    let schema = output();
    let rows = parts(
        &schema,
        &[
            forecast_rows(&schema, &forecasts.forecast)?,
            backtest_rows(&schema, &forecasts.backtest)?,
            accuracy_rows(&schema, &forecasts.accuracy)?,
        ],
    )?;
    Ok(Learned { rows, record: record(parameters, &input, &forecasts) })
}

/// The series of the rows, over the days from the first to the last.
fn read(rows: &RecordBatch) -> Result<Input> {
    let columns = Columns(rows);
    let (names, parents) = (columns.texts("series")?, columns.texts("parent")?);
    let (days, values) = (columns.dates("sale_date")?, columns.numbers("value")?);
    let (counts, traded) = (columns.flags("is_count")?, columns.flags("is_trading_day")?);
    let last_hours = columns.integers("last_hour")?;
    let first_day = days.iter().flatten().min().unwrap_or_default();
    let last_day = days.iter().flatten().max().unwrap_or(first_day - 1);
    let length = usize::try_from(last_day - first_day + 1).unwrap_or_default();
    let mut input =
        Input { first_day, traded: vec![false; length], last_hour: vec![None; length], series: Vec::new() };
    let mut series: BTreeMap<String, Series> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let place = usize::try_from(days.value(row) - first_day).unwrap_or_default();
        let name = names.value(row);
        let series = series.entry(name.to_string()).or_insert_with(|| Series {
            name: name.into(),
            parent: parents.is_valid(row).then(|| parents.value(row).into()),
            values: vec![0.0; length],
            non_negative: counts.value(row),
        });
        series.values[place] = values.value(row);
        input.traded[place] |= traded.value(row);
        if last_hours.is_valid(row) {
            input.last_hour[place] = u8::try_from(last_hours.value(row)).ok();
        }
    }
    input.series = series.into_values().collect();
    Ok(input)
}

fn forecast_rows(schema: &SchemaRef, rows: &[ForecastRow]) -> Result<RecordBatch> {
    let number = |value: fn(&ForecastRow) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Float64Array>())
    };
    let day = |value: fn(&ForecastRow) -> i32| -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(rows.iter().map(value)))
    };
    let columns = vec![
        ("series", texts(rows.iter().map(|row| row.series.as_str()))),
        ("model", texts(rows.iter().map(|row| row.model.as_str()))),
        ("date", day(|row| row.day)),
        ("kind", texts(rows.iter().map(|row| row.kind.name()))),
        ("actual", number(|row| row.actual)),
        ("forecast", number(|row| row.forecast)),
        ("lo80", number(|row| row.lo80)),
        ("hi80", number(|row| row.hi80)),
        ("lo95", number(|row| row.lo95)),
        ("hi95", number(|row| row.hi95)),
        ("trained_through", day(|row| row.trained_through)),
    ];
    part(schema, "forecast", rows.len(), columns)
}

fn backtest_rows(schema: &SchemaRef, rows: &[BacktestRow]) -> Result<RecordBatch> {
    let number = |value: fn(&BacktestRow) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(value)))
    };
    let day = |value: fn(&BacktestRow) -> i32| -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(rows.iter().map(value)))
    };
    let columns = vec![
        ("series", texts(rows.iter().map(|row| row.series.as_str()))),
        ("model", texts(rows.iter().map(|row| row.model.as_str()))),
        ("date", day(|row| row.day)),
        ("actual", number(|row| row.actual)),
        ("forecast", number(|row| row.forecast)),
        ("origin", day(|row| row.origin)),
        (
            "horizon",
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::from(row.horizon)))) as ArrayRef,
        ),
    ];
    part(schema, "backtest", rows.len(), columns)
}

fn accuracy_rows(schema: &SchemaRef, rows: &[AccuracyRow]) -> Result<RecordBatch> {
    let number = |value: fn(&AccuracyRow) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Float64Array>())
    };
    let columns = vec![
        ("series", texts(rows.iter().map(|row| row.series.as_str()))),
        ("model", texts(rows.iter().map(|row| row.model.as_str()))),
        ("mase", number(|row| row.mase)),
        ("smape", number(|row| Some(row.smape))),
        ("rmsse", number(|row| row.rmsse)),
        ("bias", number(|row| Some(row.bias))),
        ("coverage80", number(|row| row.coverage80)),
        ("coverage95", number(|row| row.coverage95)),
        ("chosen", Arc::new(rows.iter().map(|row| Some(row.chosen)).collect::<BooleanArray>()) as ArrayRef),
    ];
    part(schema, "accuracy", rows.len(), columns)
}

/// A candidate that does not beat the seasonal naive one is never used, so that there is nothing to withhold.
fn record(parameters: &config::Forecast, input: &Input, forecasts: &Forecasts) -> ModelRecord {
    let chosen = forecasts.accuracy.iter().filter(|row| row.chosen);
    let chosen = chosen.map(|row| (format!("model of {}", row.series), row.model.clone()));
    let settings = [
        ("setting horizon_days".to_string(), parameters.horizon_days.to_string()),
        ("setting origins".into(), parameters.origins.to_string()),
    ];
    let metrics = forecasts.accuracy.iter().flat_map(|row| {
        let subject = format!("{} by {}", row.series, row.model);
        let values = [
            ("mase", row.mase),
            ("smape", Some(row.smape)),
            ("rmsse", row.rmsse),
            ("bias", Some(row.bias)),
            ("coverage80", row.coverage80),
            ("coverage95", row.coverage95),
        ];
        values.into_iter().filter_map(move |(name, value)| {
            Some(Metric { subject: subject.clone(), name: name.into(), value: value? })
        })
    });
    let notes: Vec<String> =
        forecasts.notes.iter().map(|note| format!("{}: {}", note.series, note.reason)).collect();
    let partial = forecasts.last_day_partial.then(|| "the last day is only partly covered".to_string());
    ModelRecord {
        algorithm: "the best of each series".into(),
        parameters: chosen.chain(settings).collect(),
        seed: None,
        trained_from: forecasts.trained_through.and_then(|_| date(input.first_day)),
        trained_through: forecasts.trained_through.and_then(date),
        rows: (input.traded.len() * input.series.len()) as u64,
        metrics: metrics.collect(),
        verdict: Verdict::Passed,
        reason: notes.into_iter().chain(partial).collect::<Vec<_>>().join("; "),
    }
}
