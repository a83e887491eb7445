//! The candidate models, by name, each a function of the grid and the calendar.

use super::calendar::Calendar;
use super::grid::Grid;
use super::{ets, mstl, theta};

/// A model that can stand for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Model {
    /// The last same weekday that traded.
    SeasonalNaive,
    /// The optimised Theta method on the deseasonalised series.
    Theta,
    /// Exponential smoothing with a weekly season.
    Ets,
    /// MSTL with a non-seasonal ETS.
    MstlEts,
    /// The mean of the four others.
    Combination,
}

impl Model {
    /// Every candidate; seasonal naive, which the others must beat, first.
    pub const ALL: [Self; 5] =
        [Self::SeasonalNaive, Self::Theta, Self::Ets, Self::MstlEts, Self::Combination];

    /// The name in the published tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::SeasonalNaive => "seasonal_naive",
            Self::Theta => "theta",
            Self::Ets => "ets",
            Self::MstlEts => "mstl_ets",
            Self::Combination => "combination",
        }
    }
}

/// Fewer weeks than this are too few for any model but seasonal naive.
const MIN_SEASONS: usize = 3;

/// Forecasts of the days after an origin, by candidate in the order of [`Model::ALL`].
///
/// `None` for a candidate that cannot be fitted or strays: a value that is not finite, or further from the
/// observed range than ten times its width, is no forecast.
pub fn forecast_all(grid: &Grid, horizon: usize, calendar: &Calendar) -> Vec<Option<Vec<f64>>> {
    let steps = grid.steps(horizon, calendar);
    let longest = steps.iter().flatten().copied().max().unwrap_or(0);
    let on_days = |ahead: Vec<f64>| -> Vec<f64> {
        steps.iter().map(|step| step.map_or(0.0, |step| ahead[step - 1])).collect()
    };
    let naive = seasonal_naive(grid, longest);
    // Of a constant every model makes the same constant.
    let fitted = [theta::forecast, ets::forecast, mstl::forecast].map(|model| match grid.is_constant() {
        true => naive.clone(),
        false if grid.values.len() < MIN_SEASONS * grid.season => None,
        false => model(grid, longest).filter(|f| is_sane(grid, f)),
    });
    let mut all = vec![naive];
    all.extend(fitted);
    all.push(mean_of(&all, longest));
    all.into_iter().map(|f| f.map(on_days)).collect()
}

/// The last observed value of each weekday, the mean for a weekday that has none; `None` under a week.
fn seasonal_naive(grid: &Grid, steps: usize) -> Option<Vec<f64>> {
    let mean = grid.mean().filter(|_| grid.values.len() >= grid.season)?;
    let mut last = vec![mean; grid.season.max(1)];
    for (t, y) in grid.values.iter().enumerate() {
        if let Some(y) = y {
            last[t % grid.season.max(1)] = *y;
        }
    }
    Some((0..steps).map(|h| last[(grid.values.len() + h) % last.len()]).collect())
}

/// The mean of all candidates, if every one could be fitted.
fn mean_of(all: &[Option<Vec<f64>>], steps: usize) -> Option<Vec<f64>> {
    let all: Vec<&Vec<f64>> = all.iter().map(|f| f.as_ref()).collect::<Option<_>>()?;
    Some((0..steps).map(|h| all.iter().map(|f| f[h]).sum::<f64>() / all.len() as f64).collect())
}

/// Says whether a forecast is finite and within ten widths of what was observed.
fn is_sane(grid: &Grid, forecast: &[f64]) -> bool {
    let low = grid.observed().fold(f64::INFINITY, f64::min);
    let high = grid.observed().fold(f64::NEG_INFINITY, f64::max);
    let slack = 10.0 * (high - low);
    forecast.iter().all(|f| f.is_finite() && (low - slack..=high + slack).contains(f))
}
