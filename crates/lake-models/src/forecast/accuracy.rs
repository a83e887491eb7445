//! Measures of forecast error over the scored days of a backtest.
//!
//! MASE and RMSSE are scaled by the in-sample error of the seasonal naive forecast (m = one week, the last
//! same weekday that traded) on the training part of each origin (Hyndman & Koehler 2006;
//! Makridakis, Spiliotis & Assimakopoulos 2022 for RMSSE), and averaged over the origins.

/// One origin of one series and model: what was forecast and what came, on the scored days.
#[derive(Debug, Clone)]
pub struct Scored {
    /// (horizon in days, actual, forecast) of each scored day.
    pub days: Vec<(usize, f64, f64)>,
    /// Mean absolute seasonal difference of the training part; `None` if there is none or it is 0.
    pub mae_naive: Option<f64>,
    /// Mean squared seasonal difference of the training part, likewise.
    pub mse_naive: Option<f64>,
}

/// Means over the origins; a measure without a scale at any origin is absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Mean absolute scaled error.
    pub mase: Option<f64>,
    /// Symmetric mean absolute percentage error, 200/h Σ|y−ŷ| / (|y|+|ŷ|) with 0/0 = 0.
    pub smape: f64,
    /// Root mean squared scaled error.
    pub rmsse: Option<f64>,
    /// Mean of forecast − actual, in units of the series: positive means too high.
    pub bias: f64,
    /// Mean absolute error, in units of the series.
    pub mae: f64,
}

impl Accuracy {
    /// Measures a model over its origins; `None` if no day was scored.
    pub fn of(origins: &[Scored]) -> Option<Self> {
        let origins: Vec<&Scored> = origins.iter().filter(|o| !o.days.is_empty()).collect();
        let over = |measure: &dyn Fn(&Scored) -> Option<f64>| {
            mean(&origins.iter().filter_map(|o| measure(o)).collect::<Vec<_>>())
        };
        Some(Self {
            mase: over(&|o| o.mae_naive.map(|q| o.mean_of(|y, f| (y - f).abs()) / q)),
            smape: over(&|o| Some(o.mean_of(absolute_percentage)))?,
            rmsse: over(&|o| o.mse_naive.map(|q| (o.mean_of(|y, f| (y - f).powi(2)) / q).sqrt())),
            bias: over(&|o| Some(o.mean_of(|y, f| f - y)))?,
            mae: over(&|o| Some(o.mean_of(|y, f| (y - f).abs())))?,
        })
    }

    /// What models of a series are ranked by: MASE, or the absolute error where MASE has no scale.
    pub fn loss(&self) -> f64 {
        self.mase.unwrap_or(self.mae)
    }
}

impl Scored {
    fn mean_of(&self, error: impl Fn(f64, f64) -> f64) -> f64 {
        self.days.iter().map(|(_, y, f)| error(*y, *f)).sum::<f64>() / self.days.len() as f64
    }
}

/// One term of sMAPE, in percent.
fn absolute_percentage(y: f64, f: f64) -> f64 {
    let size = y.abs() + f.abs();
    if size > 0.0 { 200.0 * (y - f).abs() / size } else { 0.0 }
}

/// The mean, if there is anything to average.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
