//! Features made comparable: amounts by their signed log, then all in standard deviations from the mean.

use ndarray::{Array2, Axis};

use super::input::{Feature, LARGEST};
use crate::Error;

/// How one feature was scaled: `(t(x) − mean) / deviation`, where `t(x) = sign(x) ln(1 + |x|)` of an amount.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// The feature.
    pub name: String,
    /// Whether its signed log was taken.
    pub is_amount: bool,
    /// The mean of t(x).
    pub mean: f64,
    /// The population standard deviation of t(x).
    pub deviation: f64,
}

/// Scaled features.
pub(super) struct Scaler {
    /// Of the features that are left.
    pub scales: Vec<Scale>,
    /// Features without variance.
    pub dropped: Vec<String>,
    /// Customers × features that are left.
    pub scaled: Array2<f64>,
}

impl Scaler {
    /// Scales all rows by mean and deviation of the `ordinary` ones.
    pub fn fit(features: &[Feature], values: &Array2<f64>, ordinary: &[usize]) -> Result<Self, Error> {
        let mut scaled = values.clone();
        let (mut scales, mut dropped, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for (f, feature) in features.iter().enumerate() {
            let mut column = scaled.column_mut(f);
            if feature.is_amount {
                column.mapv_inplace(|x| x.signum() * x.abs().ln_1p());
            }
            match moments(ordinary.iter().map(|&row| column[row])) {
                None => dropped.push(feature.name.to_owned()),
                Some((mean, deviation)) => {
                    column.mapv_inplace(|x| (x - mean) / deviation);
                    if let Some(z) = column.iter().find(|z| !(-LARGEST..=LARGEST).contains(*z)) {
                        let reason = format!("`{}` has a value {z:e} deviations from its mean", feature.name);
                        return Err(Error::Unfit { model: "segments", reason });
                    }
                    let (name, is_amount) = (feature.name.to_owned(), feature.is_amount);
                    scales.push(Scale { name, is_amount, mean, deviation });
                    kept.push(f);
                }
            }
        }
        if kept.is_empty() {
            let reason = "every feature is the same for all customers but the outliers".to_owned();
            return Err(Error::Unfit { model: "segments", reason });
        }
        Ok(Scaler { scales, dropped, scaled: scaled.select(Axis(1), &kept) })
    }
}

/// Mean and population standard deviation, or `None` where there is no variance.
fn moments(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let deviation = (values.clone().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let differ = values.clone().zip(values.skip(1)).any(|(a, b)| a != b);
    (differ && deviation > 0.0).then_some((mean, deviation))
}
