//! The Theta method (Assimakopoulos & Nikolopoulos 2000) as the optimised theta model of Fiorucci et al.
//! (2016), on the series freed of its weekly season.

use super::grid::Grid;
use super::season::{Form, indices, is_seasonal};
use super::simplex::minimise;

/// The largest θ tried; the forecasts hardly move beyond it.
const MAX_THETA: f64 = 100.0;

/// A fitted theta model: the paper's ℓ_n, α, θ, A_n, B_n, and the length n.
#[derive(Debug, Clone)]
pub struct Theta {
    /// The level ℓ_n.
    pub level: f64,
    /// The smoothing parameter α.
    pub alpha: f64,
    /// The curvature θ of the upper line.
    pub theta: f64,
    /// The intercept A_n of the regression on t = 1 … n.
    pub intercept: f64,
    /// Its slope B_n.
    pub slope: f64,
    n: usize,
}

impl Theta {
    /// Fits ℓ_0 and α, and θ too unless it is given, by least squares on the one-step errors.
    ///
    /// `None` with fewer than three values.
    pub fn fit(y: &[f64], theta: Option<f64>) -> Option<Self> {
        let (intercept, slope) = line(y)?;
        let scale = (y.iter().map(|v| v * v).sum::<f64>() / y.len() as f64).sqrt().max(f64::MIN_POSITIVE);
        let model = |p: &[f64]| {
            let theta = theta.unwrap_or_else(|| p.get(2).copied().unwrap_or(2.0));
            (Self { level: p[0] * scale, alpha: p[1], theta, intercept, slope, n: 0 }, theta)
        };
        let objective = |p: &[f64]| {
            let (start, theta) = model(p);
            if !(0.001..=0.9999).contains(&p[1]) || !(1.0..=MAX_THETA).contains(&theta) {
                return f64::INFINITY;
            }
            start.run(y).1 / (scale * scale)
        };
        let start = [y[0] / scale / theta.unwrap_or(2.0), 0.3, 2.0];
        let free = if theta.is_some() { 2 } else { 3 };
        let (p, value) = minimise(objective, &start[..free], &[0.1, 0.2, 0.5][..free], 600);
        value.is_finite().then(|| model(&p).0.run(y).0)
    }

    /// Runs the recursion ℓ_t = ℓ_{t−1} + α (y_t − ℓ_{t−1}) over `y`; returns the end state and the squared errors.
    fn run(mut self, y: &[f64]) -> (Self, f64) {
        let mut sse = 0.0;
        for y in y {
            let error = y - self.forecast(1);
            sse += error * error;
            self.level += self.alpha * (y - self.level);
            self.n += 1;
        }
        (self, sse)
    }

    /// The forecast `h` ≥ 1 steps ahead, that of the optimised theta model (Fiorucci et al., section 2):
    /// ℓ_n + (1 − 1/θ) { (1−α)^n A_n + [ h − 1 + (1 − (1−α)^{n+1}) / α ] B_n }.
    pub fn forecast(&self, h: usize) -> f64 {
        let decay = (1.0 - self.alpha).powi(self.n as i32);
        let weight = (h - 1) as f64 + (1.0 - decay * (1.0 - self.alpha)) / self.alpha;
        self.level + (1.0 - 1.0 / self.theta) * (decay * self.intercept + weight * self.slope)
    }
}

/// Forecasts `steps` open weekdays ahead; `None` where there is too little to fit.
///
/// The season is taken out as a ratio where every value is positive, else as a difference, and only if the
/// autocorrelation test finds one.
pub fn forecast(grid: &Grid, steps: usize) -> Option<Vec<f64>> {
    let (y, m) = (grid.filled()?, grid.season);
    let positive = y.iter().all(|v| *v > 0.0);
    let form = if positive { Form::Multiplicative } else { Form::Additive };
    let season = if is_seasonal(&y, m) { indices(&y, m, form) } else { None };
    let at = |t: usize| season.as_ref().map(|s| s[t % m]);
    let adjusted: Vec<f64> = y
        .iter()
        .enumerate()
        .map(|(t, y)| match (at(t), form) {
            (None, _) => *y,
            (Some(s), Form::Additive) => y - s,
            (Some(s), Form::Multiplicative) => y / s,
        })
        .collect();
    let model = Theta::fit(&adjusted, None)?;
    let seasoned = |h: usize| match (at(y.len() + h - 1), form) {
        (None, _) => model.forecast(h),
        (Some(s), Form::Additive) => model.forecast(h) + s,
        (Some(s), Form::Multiplicative) => model.forecast(h) * s,
    };
    Some((1..=steps).map(seasoned).collect())
}

/// Intercept and slope of the regression of `y` on t = 1 … n.
pub fn line(y: &[f64]) -> Option<(f64, f64)> {
    let n = y.len() as f64;
    if y.len() < 3 {
        return None;
    }
    let mean = y.iter().sum::<f64>() / n;
    let moment: f64 = y.iter().enumerate().map(|(i, y)| (i + 1) as f64 * y).sum();
    let slope = 6.0 / (n * n - 1.0) * (2.0 / n * moment - (n + 1.0) * mean);
    Some((mean - slope * (n + 1.0) / 2.0, slope))
}

#[cfg(test)]
impl Theta {
    /// The model with known ℓ_0, α and θ at the end of `y`.
    pub fn at(y: &[f64], level: f64, alpha: f64, theta: f64) -> Option<Self> {
        let (intercept, slope) = line(y)?;
        Some(Self { level, alpha, theta, intercept, slope, n: 0 }.run(y).0)
    }
}
