//! Parameters of models: `config/models.toml`.

use serde::Deserialize;

use crate::error::{Error, Result};

/// The parameters of every model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// How much customers will be worth.
    pub customer_value: CustomerValue,
    /// How much will be sold.
    pub forecast: Forecast,
    /// Which customers are alike.
    pub segments: Segments,
    /// What to offer whom.
    pub recommendations: Recommendations,
}

/// Parameters of the customers' value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerValue {
    /// The model of purchases.
    pub model: PurchaseModel,
    /// The part of the time span before the holdout, between 0 and 1.
    pub calibration_share: f64,
    /// The months over which value is added up.
    pub months: u32,
    /// The discount rate per month.
    pub discount_rate: f64,
    /// Draws for each interval.
    pub draws: u32,
    /// The seed of the draws.
    pub seed: u64,
}

/// Parameters of the forecast.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// The days that are forecast.
    pub horizon_days: u32,
    /// The earlier days from which the past is forecast.
    pub origins: u32,
}

/// Parameters of the customers' segments.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segments {
    /// How customers are grouped.
    pub algorithm: Clustering,
    /// The number of segments; 0 chooses it.
    pub clusters: u32,
    /// The largest number that is tried.
    pub largest: u32,
    /// The least share of customers of the smallest segment.
    pub least_share: f64,
    /// The share of customers that are flagged as outliers.
    pub contamination: f64,
    /// The share of variance that the components keep.
    pub variance: f64,
    /// The distance of neighbours, of `dbscan`.
    pub radius: f64,
    /// How many neighbours make a dense place, of `dbscan`.
    pub neighbours: u32,
    /// The seed.
    pub seed: u64,
}

/// Parameters of the recommendations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendations {
    /// What is offered by.
    pub algorithm: Recommender,
    /// The days at the end that candidates are judged on.
    pub holdout_days: u32,
    /// The ridge of `ease`.
    pub ridge: f64,
}

/// How purchases are modelled.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the models are named as in the papers")]
pub enum PurchaseModel {
    Auto,
    BgNbd,
    MbgNbd,
    ParetoNbd,
    Nbd,
}

/// How customers are grouped.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the algorithms are named as in the papers")]
pub enum Clustering {
    #[serde(rename = "kmeans")]
    KMeans,
    GaussianMixture,
    Dbscan,
}

/// What is offered by.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the algorithms are named as in the papers")]
pub enum Recommender {
    Auto,
    Cosine,
    Ease,
    Popularity,
}

impl Models {
    /// The values a type alone does not bound.
    pub(super) fn check(&self) -> Result<()> {
        let CustomerValue { calibration_share, months, discount_rate, draws, .. } = &self.customer_value;
        let Segments { clusters, largest, least_share, contamination, variance, radius, neighbours, .. } =
            &self.segments;
        if *clusters == 1 {
            return Err(Error::invalid("setting `models.segments.clusters` cannot be 1")
                .hint("one segment is no segmentation: name 2 or more, or 0 to have the number chosen"));
        }
        let within = |key: &str, value: f64, from: f64, to: f64| {
            if value >= from && value <= to {
                return Ok(());
            }
            Err(Error::invalid(format!("setting `models.{key}` must be from {from} to {to}, not {value}")))
        };
        within("customer_value.calibration_share", *calibration_share, 0.1, 0.9)?;
        within("customer_value.months", f64::from(*months), 1.0, 120.0)?;
        within("customer_value.discount_rate", *discount_rate, 0.0, 1.0)?;
        within("customer_value.draws", f64::from(*draws), 20.0, 10_000.0)?;
        within("forecast.horizon_days", f64::from(self.forecast.horizon_days), 1.0, 366.0)?;
        within("forecast.origins", f64::from(self.forecast.origins), 4.0, 52.0)?;
        within("segments.clusters", f64::from(*clusters), 0.0, 100.0)?;
        within("segments.largest", f64::from(*largest), 2.0, 100.0)?;
        within("segments.least_share", *least_share, 0.0, 0.5)?;
        within("segments.contamination", *contamination, 0.0, 0.5)?;
        within("segments.variance", *variance, 0.5, 1.0)?;
        within("segments.radius", *radius, 1e-6, 1e6)?;
        within("segments.neighbours", f64::from(*neighbours), 2.0, 1e6)?;
        let Recommendations { holdout_days, ridge, .. } = &self.recommendations;
        within("recommendations.holdout_days", f64::from(*holdout_days), 1.0, 366.0)?;
        within("recommendations.ridge", *ridge, 1e-6, 1e9)
    }
}
