//! MSTL (Bandara, Hyndman & Bergmeir 2021) with a non-seasonal ETS on the deseasonalised series, by `augurs`.
//!
//! The library knows neither missing values nor a season in its ETS: it gets the filled grid, and the weekly
//! season is MSTL's to find.

use augurs_core::{Fit, Predict};
use augurs_ets::AutoETS;
use augurs_mstl::MSTLModel;

use super::grid::Grid;

/// The library's ETS needs some values beyond its parameters.
const MIN_VALUES: usize = 15;

/// Forecasts `steps` open weekdays ahead; `None` where there is too little, or the library cannot fit.
pub fn forecast(grid: &Grid, steps: usize) -> Option<Vec<f64>> {
    let y = grid.filled()?;
    if grid.season < 2 || y.len() < (3 * grid.season).max(MIN_VALUES) || grid.is_constant() {
        return None;
    }
    // The decomposition is done in f32: a unit scale keeps it clear of overflow.
    let scale = y.iter().map(|v| v.abs()).fold(0.0, f64::max);
    let unit: Vec<f64> = y.iter().map(|v| v / scale).collect();
    let trend = AutoETS::non_seasonal().into_trend_model();
    let fitted = MSTLModel::new(vec![grid.season], trend).fit(&unit).ok()?;
    let forecast = fitted.predict(steps, None).ok()?;
    let point: Vec<f64> = forecast.point.iter().map(|v| v * scale).collect();
    (point.len() == steps && point.iter().all(|v| v.is_finite())).then_some(point)
}
