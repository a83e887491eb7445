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
}

/// Parameters of the customers' value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerValue {
    /// `auto`, or the model of purchases.
    pub model: String,
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

impl Models {
    /// The values a type alone does not bound.
    pub(super) fn check(&self) -> Result<()> {
        let CustomerValue { model, calibration_share, months, discount_rate, draws, .. } =
            &self.customer_value;
        let known = ["auto", "bg_nbd", "mbg_nbd", "pareto_nbd", "nbd"];
        if !known.contains(&model.as_str()) {
            let error = Error::invalid(format!("setting `models.customer_value.model` cannot be `{model}`"));
            return Err(super::with_nearest(error, model, known.into_iter()));
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
        within("forecast.origins", f64::from(self.forecast.origins), 2.0, 52.0)
    }
}
