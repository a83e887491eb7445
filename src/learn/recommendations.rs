//! What to offer whom: `lake-models`' recommendations.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use lake_models::Error as Unfit;
use lake_models::recommend::{
    Algorithm, Choice, Purchases, Quality, RecommendParams, Recommendation, Recommendations,
};

use super::columns::{Columns, date, part, parts, schema, schema_of_parts, texts};
use super::{Learned, Metric, ModelRecord, Verdict};
use crate::config::{self, Recommender};
use crate::error::{Error, Result};

/// Grows whenever the same rows and parameters give something else.
pub(super) const VERSION: u32 = 1;

/// One row per customer, product and day of a purchase before `as_of`.
pub(super) fn input() -> SchemaRef {
    schema(&[
        ("customer_id", DataType::Int64),
        ("stock_code", DataType::Utf8View),
        ("purchase_date", DataType::Date32),
        ("as_of", DataType::Date32),
    ])
}

/// Rows of `part` `recommendation` and `quality` (of an algorithm, on the last days).
pub(super) fn output() -> SchemaRef {
    let number = |name| (name, DataType::Float64);
    schema_of_parts(&[
        ("customer_id", DataType::Int64),
        ("rank", DataType::Int64),
        ("stock_code", DataType::Utf8View),
        number("score"),
        ("algorithm", DataType::Utf8View),
        ("because_of", DataType::Utf8View),
        ("customers", DataType::Int64),
        number("precision_at_10"),
        number("recall_at_10"),
        number("ndcg_at_10"),
        number("map_at_10"),
        number("hit_rate_at_10"),
        number("coverage"),
        number("novelty"),
        ("is_chosen", DataType::Boolean),
    ])
}

pub(super) fn learn(parameters: &config::Recommendations, rows: &RecordBatch) -> Result<Learned> {
    let schema = output();
    let columns = Columns(rows);
    let customers = columns.integers("customer_id")?;
    let (products, days) = (columns.texts("stock_code")?, columns.dates("purchase_date")?);
    let codes: Vec<&str> = products.iter().flatten().collect();
    let as_of = columns.dates("as_of")?.iter().flatten().max().unwrap_or_default();
    let purchases =
        Purchases { customer_ids: customers.values(), stock_codes: &codes, days: days.values(), as_of };
    let made = match params(parameters).fit(&purchases) {
        Ok(made) => made,
        Err(nothing @ (Unfit::Empty(_) | Unfit::Unfit { .. })) => {
            return Ok(Learned::nothing(schema, rows, nothing.to_string()));
        }
        Err(error) => return Err(Error::data(error.to_string())),
    };
    let all = [offer_rows(&schema, &made.recommendations)?, quality_rows(&schema, &made.quality)?];
    let first_day = days.iter().flatten().min();
    let record = ModelRecord {
        trained_from: first_day.and_then(date),
        trained_through: date(as_of - 1),
        rows: rows.num_rows() as u64,
        ..record(parameters, &made)
    };
    Ok(Learned { rows: parts(&schema, &all)?, record })
}

fn params(parameters: &config::Recommendations) -> RecommendParams {
    RecommendParams {
        algorithm: match parameters.algorithm {
            Recommender::Auto => Choice::Auto,
            Recommender::Cosine => Choice::Always(Algorithm::Cosine),
            Recommender::Ease => Choice::Always(Algorithm::Ease),
            Recommender::Popularity => Choice::Always(Algorithm::Popularity),
        },
        ridge: parameters.ridge,
        holdout_days: parameters.holdout_days,
        ..Default::default()
    }
}

fn offer_rows(schema: &SchemaRef, offers: &[Recommendation]) -> Result<RecordBatch> {
    let ids = Int64Array::from_iter_values(offers.iter().map(|offer| offer.customer_id));
    let ranks = Int64Array::from_iter_values(offers.iter().map(|offer| i64::from(offer.rank)));
    let scores = Float64Array::from_iter_values(offers.iter().map(|offer| offer.score));
    let reasons: StringViewArray = offers.iter().map(|offer| offer.because_of).collect();
    let columns = vec![
        ("customer_id", Arc::new(ids) as ArrayRef),
        ("rank", Arc::new(ranks)),
        ("stock_code", texts(offers.iter().map(|offer| offer.stock_code))),
        ("score", Arc::new(scores)),
        ("algorithm", texts(offers.iter().map(|offer| offer.algorithm.name()))),
        ("because_of", Arc::new(reasons)),
    ];
    part(schema, "recommendation", offers.len(), columns)
}

fn quality_rows(schema: &SchemaRef, quality: &[Quality]) -> Result<RecordBatch> {
    let number = |value: fn(&Quality) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(quality.iter().map(value)))
    };
    let customers = Int64Array::from_iter_values(quality.iter().map(|of| of.customers as i64));
    let chosen: BooleanArray = quality.iter().map(|of| Some(of.chosen)).collect();
    let columns = vec![
        ("algorithm", texts(quality.iter().map(|of| of.algorithm.name()))),
        ("customers", Arc::new(customers) as ArrayRef),
        ("precision_at_10", number(|of| of.precision)),
        ("recall_at_10", number(|of| of.recall)),
        ("ndcg_at_10", number(|of| of.ndcg)),
        ("map_at_10", number(|of| of.map)),
        ("hit_rate_at_10", number(|of| of.hit_rate)),
        ("coverage", number(|of| of.coverage)),
        ("novelty", number(|of| of.novelty)),
        ("is_chosen", Arc::new(chosen)),
    ];
    part(schema, "quality", quality.len(), columns)
}

/// Popularity stands where nothing beats it, so that there is nothing to withhold.
fn record(parameters: &config::Recommendations, made: &Recommendations) -> ModelRecord {
    let figures = &made.figures;
    let split_day = date(figures.split_day).map_or(String::new(), |day| day.to_string());
    let metrics = made.quality.iter().flat_map(|of| {
        let values = [
            ("precision_at_10", of.precision),
            ("recall_at_10", of.recall),
            ("ndcg_at_10", of.ndcg),
            ("map_at_10", of.map),
            ("hit_rate_at_10", of.hit_rate),
            ("coverage", of.coverage),
            ("novelty", of.novelty),
        ];
        let metric = |(name, value): (&str, f64)| Metric {
            subject: of.algorithm.name().into(),
            name: name.into(),
            value,
        };
        values.map(metric)
    });
    ModelRecord {
        algorithm: made.chosen.name().into(),
        parameters: BTreeMap::from([
            ("setting ridge".to_string(), figures.ridge.to_string()),
            ("setting holdout_days".into(), parameters.holdout_days.to_string()),
            ("first day of the holdout".into(), split_day),
            ("customers".into(), figures.customers.to_string()),
            ("products".into(), figures.products.to_string()),
            ("products of ease".into(), figures.ease_products.to_string()),
            ("density".into(), figures.density.to_string()),
        ]),
        metrics: metrics.collect(),
        verdict: Verdict::Passed,
        reason: made.reason.clone(),
        ..Default::default()
    }
}
