//! What customers will buy and what that is worth: `lake-models`' purchase and spend models.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use lake_models::Error as Unfit;
use lake_models::value::{
    Accuracy, ClvParams, CustomerValue, Estimate, ModelChoice, OrderValue, Parameter, PurchaseDay,
    PurchaseDays, Validation, ValueParams, calibration_end,
};
use rayon::prelude::*;

use super::columns::{Columns, date, part, parts, schema, schema_of_parts, texts};
use super::{Learned, Metric, ModelRecord, Verdict};
use crate::config::{self, PurchaseModel};
use crate::error::{Error, Result};

/// Grows whenever the same rows and parameters give something else.
pub(super) const VERSION: u32 = 2;

/// One row for each amount that a purchase day of a customer is made of, and the day from which it is known: its
/// own for sales, that of the return for what is given back of them.
pub(super) fn input() -> SchemaRef {
    schema(&[
        ("customer_id", DataType::Int64),
        ("purchase_date", DataType::Date32),
        ("known_from", DataType::Date32),
        ("amount", DataType::Decimal128(28, 4)),
        ("as_of", DataType::Date32),
    ])
}

/// Rows of `part` `customer`, `bucket` (of the holdout, by frequency) and `accuracy` (of the holdout, by method).
pub(super) fn output() -> SchemaRef {
    let number = |name| (name, DataType::Float64);
    let count = |name| (name, DataType::Int64);
    schema_of_parts(&[
        ("model", DataType::Utf8View),
        count("customer_id"),
        count("frequency"),
        count("recency_days"),
        count("age_days"),
        number("monetary_value"),
        number("p_alive"),
        number("expected_purchases_30d"),
        number("expected_purchases_90d"),
        number("expected_purchases_365d"),
        number("expected_order_value"),
        number("clv"),
        number("clv_p05"),
        number("clv_p95"),
        ("method", DataType::Utf8View),
        ("measure", DataType::Utf8View),
        ("bucket", DataType::Utf8View),
        count("customers"),
        number("expected"),
        number("actual"),
        number("mae"),
        number("rmse"),
        number("total_error_pct"),
        number("gini"),
        number("top_decile_lift"),
    ])
}

pub(super) fn learn(parameters: &config::CustomerValue, rows: &RecordBatch) -> Result<Learned> {
    let schema = output();
    let history = read(rows, parameters.calibration_share)?;
    let input =
        PurchaseDays { days: &history.days, known_at_cut: Some(&history.known_at_cut), as_of: history.as_of };
    let estimate = match params(parameters).estimate(input) {
        Ok(estimate) => estimate,
        Err(nothing @ (Unfit::Empty(_) | Unfit::Unfit { .. })) => {
            return Ok(Learned::nothing(schema, rows, nothing.to_string()));
        }
        Err(error) => return Err(Error::data(format!("customers' value: {error}"))),
    };
    let mut all = vec![customer_rows(&schema, &history.customers, &estimate)?];
    if let Ok(validation) = &estimate.validation {
        all.extend([bucket_rows(&schema, validation)?, accuracy_rows(&schema, validation)?]);
    }
    let record = record(parameters, &history, &estimate, rows.num_rows());
    Ok(Learned { rows: parts(&schema, &all)?, record })
}

fn params(parameters: &config::CustomerValue) -> ValueParams {
    ValueParams {
        model: match parameters.model {
            PurchaseModel::Auto => ModelChoice::Auto,
            PurchaseModel::BgNbd => ModelChoice::BgNbd,
            PurchaseModel::MbgNbd => ModelChoice::MbgNbd,
            PurchaseModel::ParetoNbd => ModelChoice::ParetoNbd,
            PurchaseModel::Nbd => ModelChoice::Nbd,
        },
        clv: ClvParams {
            months: parameters.months,
            monthly_discount_rate: parameters.discount_rate,
            draws: parameters.draws,
            seed: parameters.seed,
        },
        calibration_share: parameters.calibration_share,
    }
}

/// What customers bought, by customer and day.
struct History {
    customers: Vec<i64>,
    days: Vec<Vec<PurchaseDay>>,
    /// The same as it was known when the holdout began.
    known_at_cut: Vec<Vec<PurchaseDay>>,
    as_of: i32,
}

/// A row: an amount of a customer's purchase day, in ten-thousandths, and from when it is known.
#[derive(Clone, Copy)]
struct Amount {
    customer: i64,
    day: i32,
    known_from: i32,
    amount: i128,
}

/// Reads the amounts; they are added up in ten-thousandths, so that their order does not matter.
fn read(rows: &RecordBatch, calibration_share: f64) -> Result<History> {
    let columns = Columns(rows);
    let (ids, amounts) = (columns.integers("customer_id")?, columns.amounts("amount")?);
    let (days, known) = (columns.dates("purchase_date")?, columns.dates("known_from")?);
    let as_of = columns.dates("as_of")?.iter().flatten().max().unwrap_or_default();
    let amount = |row: usize| Amount {
        customer: ids.value(row),
        day: days.value(row),
        known_from: known.value(row),
        amount: amounts.value(row),
    };
    let mut amounts: Vec<Amount> = (0..rows.num_rows()).map(amount).collect();
    amounts.par_sort_unstable_by_key(|amount| (amount.customer, amount.day));
    let days: Vec<&[Amount]> = amounts.chunk_by(|a, b| (a.customer, a.day) == (b.customer, b.day)).collect();
    let bought = days.iter().filter(|day| spent(day, as_of).net_spend > 0.0).map(|day| day[0].day);
    let first_day = bought.min().unwrap_or(as_of);
    let cut = calibration_end(first_day, as_of, calibration_share);
    let customers: Vec<&[&[Amount]]> = days.chunk_by(|a, b| a[0].customer == b[0].customer).collect();
    let known_before =
        |end: i32| customers.iter().map(|days| days.iter().map(|day| spent(day, end)).collect()).collect();
    Ok(History {
        customers: customers.iter().map(|days| days[0][0].customer).collect(),
        days: known_before(as_of),
        known_at_cut: known_before(cut),
        as_of,
    })
}

/// What was spent on a day, as far as it is known before another.
fn spent(day: &[Amount], end: i32) -> PurchaseDay {
    let known = day.iter().filter(|amount| amount.known_from < end);
    let sum: i128 = known.map(|amount| amount.amount).sum();
    PurchaseDay { day: day[0].day, net_spend: sum as f64 / 1e4 }
}

fn customer_rows(schema: &SchemaRef, customers: &[i64], estimate: &Estimate) -> Result<RecordBatch> {
    let known: Vec<(i64, &CustomerValue)> = customers
        .iter()
        .zip(&estimate.customers)
        .filter_map(|(id, value)| Some((*id, value.as_ref()?)))
        .collect();
    let model = estimate.choice.purchases.name();
    let count = |value: &dyn Fn(&(i64, &CustomerValue)) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(known.iter().map(value)))
    };
    let number = |value: &dyn Fn(&CustomerValue) -> Option<f64>| -> ArrayRef {
        Arc::new(known.iter().map(|(_, customer)| value(customer)).collect::<Float64Array>())
    };
    let columns = vec![
        ("model", texts(known.iter().map(|_| model))),
        ("customer_id", count(&|(id, _)| *id)),
        ("frequency", count(&|(_, c)| i64::from(c.history.frequency))),
        ("recency_days", count(&|(_, c)| i64::from(c.history.recency_days))),
        ("age_days", count(&|(_, c)| i64::from(c.history.age_days))),
        ("monetary_value", number(&|c| Some(c.history.monetary_value))),
        ("p_alive", number(&|c| c.p_alive)),
        ("expected_purchases_30d", number(&|c| Some(c.expected_purchases[0]))),
        ("expected_purchases_90d", number(&|c| Some(c.expected_purchases[1]))),
        ("expected_purchases_365d", number(&|c| Some(c.expected_purchases[2]))),
        ("expected_order_value", number(&|c| Some(c.expected_order_value))),
        ("clv", number(&|c| Some(c.clv))),
        ("clv_p05", number(&|c| Some(c.clv_interval[0]))),
        ("clv_p95", number(&|c| Some(c.clv_interval[1]))),
    ];
    part(schema, "customer", known.len(), columns)
}

fn bucket_rows(schema: &SchemaRef, validation: &Validation) -> Result<RecordBatch> {
    let buckets = &validation.buckets;
    let name = |i: usize| match i + 1 == buckets.len() {
        true => format!("{}+", buckets[i].frequency),
        false => buckets[i].frequency.to_string(),
    };
    let names: Vec<String> = (0..buckets.len()).map(name).collect();
    let number = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let customers = buckets.iter().map(|bucket| i64::try_from(bucket.customers).unwrap_or(i64::MAX));
    let columns = vec![
        ("method", texts(buckets.iter().map(|_| validation.models[0]))),
        ("measure", texts(buckets.iter().map(|_| "purchases"))),
        ("bucket", texts(names.iter().map(String::as_str))),
        ("customers", Arc::new(Int64Array::from_iter_values(customers)) as ArrayRef),
        ("expected", number(buckets.iter().map(|bucket| bucket.expected).collect())),
        ("actual", number(buckets.iter().map(|bucket| bucket.actual).collect())),
    ];
    part(schema, "bucket", buckets.len(), columns)
}

/// By which method, what of, and how good.
fn methods(validation: &Validation) -> [(&'static str, &'static str, &Accuracy); 4] {
    let [purchases, _] = validation.models;
    [
        (purchases, "purchases", &validation.purchases),
        (purchases, "spend", &validation.spend),
        ("clv_simple", "spend", &validation.clv_simple),
        ("clv_naive_365", "spend", &validation.clv_naive),
    ]
}

fn accuracy_rows(schema: &SchemaRef, validation: &Validation) -> Result<RecordBatch> {
    let methods = methods(validation);
    let number = |value: fn(&Accuracy) -> Option<f64>| -> ArrayRef {
        Arc::new(methods.iter().map(|(.., accuracy)| value(accuracy)).collect::<Float64Array>())
    };
    let customers = i64::try_from(validation.customers).unwrap_or(i64::MAX);
    let columns = vec![
        ("method", texts(methods.iter().map(|(method, ..)| *method))),
        ("measure", texts(methods.iter().map(|(_, measure, _)| *measure))),
        ("bucket", texts(methods.iter().map(|_| "all"))),
        ("customers", Arc::new(Int64Array::from(vec![customers; methods.len()])) as ArrayRef),
        ("mae", number(|a| Some(a.mae))),
        ("rmse", number(|a| Some(a.rmse))),
        ("total_error_pct", number(|a| a.total_error_pct)),
        ("gini", number(|a| a.gini)),
        ("top_decile_lift", number(|a| a.top_decile_lift)),
    ];
    part(schema, "accuracy", methods.len(), columns)
}

/// The gate: on the holdout, spend is foreseen at least as well as by either rule of thumb. Where there is no
/// holdout to judge by, the record says so.
fn record(
    parameters: &config::CustomerValue,
    history: &History,
    estimate: &Estimate,
    rows: usize,
) -> ModelRecord {
    let choice = &estimate.choice;
    let mut reasons = vec![choice.reason.clone()];
    let mut verdict = Verdict::Passed;
    match &estimate.validation {
        Err(error) => reasons.push(format!("not judged on a holdout: {error}")),
        Ok(validation) => {
            let rule = validation.clv_simple.mae.min(validation.clv_naive.mae);
            if validation.spend.mae > rule {
                verdict = Verdict::Withheld;
                let error = validation.spend.mae;
                reasons.push(format!(
                    "its mean error of {error:.2} on the holdout is above {rule:.2}, a rule of thumb's"
                ));
            }
        }
    }
    let named = |model: &str, parameter: &Parameter| {
        let error = parameter.standard_error.map_or(String::new(), |error| format!(" ± {error:.4}"));
        (format!("{model}.{}", parameter.name), format!("{}{error}", parameter.value))
    };
    let of_candidates = choice
        .candidates
        .iter()
        .flat_map(|candidate| candidate.parameters.iter().map(|parameter| named(candidate.name, parameter)));
    let mut fitted: BTreeMap<String, String> = of_candidates.collect();
    let used = choice.purchases.parameters();
    fitted.extend(used.iter().map(|parameter| named(choice.purchases.name(), parameter)));
    match &estimate.order_value {
        OrderValue::GammaGamma(spend) => {
            fitted.extend(spend.parameters().iter().map(|parameter| named("gamma_gamma", parameter)));
        }
        OrderValue::Mean { reason, .. } => reasons.push(reason.clone()),
    }
    fitted.extend([
        ("setting months".to_string(), parameters.months.to_string()),
        ("setting discount_rate".into(), parameters.discount_rate.to_string()),
        ("setting draws".into(), parameters.draws.to_string()),
        ("setting calibration_share".into(), parameters.calibration_share.to_string()),
    ]);
    let first_day = history.days.iter().flatten().map(|day| day.day).min();
    ModelRecord {
        algorithm: format!("{} and {}", choice.purchases.name(), estimate.order_value.name()),
        parameters: fitted,
        seed: Some(parameters.seed),
        trained_from: first_day.and_then(date),
        trained_through: date(history.as_of - 1),
        rows: rows as u64,
        metrics: metrics(estimate),
        verdict,
        reason: reasons.join("; "),
    }
}

fn metrics(estimate: &Estimate) -> Vec<Metric> {
    let mut metrics = Vec::new();
    let mut add = |subject: &str, name: &str, value: Option<f64>| {
        metrics.extend(value.map(|value| Metric { subject: subject.into(), name: name.into(), value }));
    };
    for candidate in &estimate.choice.candidates {
        add(candidate.name, "log_likelihood", Some(candidate.log_likelihood));
        add(candidate.name, "holdout_log_likelihood", candidate.holdout_log_likelihood);
    }
    if let OrderValue::GammaGamma(spend) = &estimate.order_value {
        add("gamma_gamma", "log_likelihood", Some(spend.log_likelihood));
        let correlation = spend.correlation.as_ref();
        add("gamma_gamma", "correlation_of_frequency_and_spend", correlation.map(|c| c.coefficient));
        add("gamma_gamma", "p_value_of_no_correlation", correlation.map(|c| c.p_value));
    }
    for (method, measure, accuracy) in estimate.validation.iter().flat_map(methods) {
        let subject = format!("holdout {measure} by {method}");
        add(&subject, "mae", Some(accuracy.mae));
        add(&subject, "rmse", Some(accuracy.rmse));
        add(&subject, "total_error_pct", accuracy.total_error_pct);
        add(&subject, "gini", accuracy.gini);
        add(&subject, "top_decile_lift", accuracy.top_decile_lift);
    }
    metrics
}
