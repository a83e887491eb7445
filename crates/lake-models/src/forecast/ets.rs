//! Exponential smoothing with a weekly season (Holt–Winters) in innovations state space form, after
//! Hyndman, Koehler, Ord & Snyder (2008), "Forecasting with Exponential Smoothing".
//!
//! The model is chosen by AICc among trends {none, additive, damped} with additive errors and no or an
//! additive season, and, where every value is positive, with multiplicative errors and season. A missing
//! value leaves the states as predicted and does not enter the likelihood.

use super::grid::Grid;
use super::season::{Form, indices};
use super::simplex::minimise;

/// The most evaluations of one fit.
const MAX_EVALUATIONS: usize = 400;

/// The form of the trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    /// No slope.
    None,
    /// A constant slope.
    Additive,
    /// A slope that fades by φ each step.
    Damped,
}

/// A model of the family: its trend, and its season if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The trend.
    pub trend: Trend,
    /// The season; a multiplicative one comes with multiplicative errors, otherwise errors are additive.
    pub season: Option<Form>,
}

/// The smoothing parameters α, β, γ, φ, in the book's (not the component) form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// Of the level.
    pub alpha: f64,
    /// Of the slope.
    pub beta: f64,
    /// Of the season.
    pub gamma: f64,
    /// The damping; 1 without.
    pub phi: f64,
}

/// The states: level ℓ, slope b, and the seasonal indices by phase, the phase being t mod m.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// ℓ.
    pub level: f64,
    /// b; 0 without a trend.
    pub slope: f64,
    /// s by phase; empty without a season.
    pub season: Vec<f64>,
    t: usize,
}

impl State {
    /// The states before the first value, whose phase is 0.
    pub fn new(level: f64, slope: f64, season: Vec<f64>) -> Self {
        Self { level, slope, season, t: 0 }
    }
}

/// A fitted model, at the end of its series.
#[derive(Debug, Clone)]
pub struct Ets {
    /// Which model.
    pub spec: Spec,
    /// Its smoothing parameters.
    pub smoothing: Smoothing,
    /// Its states after the last value.
    pub state: State,
    /// Akaike's criterion, corrected for small samples.
    pub aicc: f64,
}

/// Forecasts `steps` open weekdays ahead by the model of lowest AICc; `None` where there is too little.
pub fn forecast(grid: &Grid, steps: usize) -> Option<Vec<f64>> {
    let model = specs(grid)
        .into_iter()
        .filter_map(|spec| Ets::fit(grid, spec))
        .min_by(|a, b| a.aicc.total_cmp(&b.aicc))?;
    Some((1..=steps).map(|h| model.forecast(h)).collect())
}

/// The models that can describe the grid.
fn specs(grid: &Grid) -> Vec<Spec> {
    let mut seasons = vec![None, Some(Form::Additive)];
    if grid.observed().all(|y| y > 0.0) {
        seasons.push(Some(Form::Multiplicative));
    }
    let trends = [Trend::None, Trend::Additive, Trend::Damped];
    seasons.iter().flat_map(|season| trends.map(|trend| Spec { trend, season: *season })).collect()
}

impl Ets {
    /// Fits one model by maximum likelihood; `None` where it cannot be fitted.
    ///
    /// Free are the smoothing parameters and the first level and slope; the first seasonal indices are those
    /// of the classical decomposition (chapter 2.6.1 of the book) but count as parameters in the AICc.
    pub fn fit(grid: &Grid, spec: Spec) -> Option<Self> {
        let (state, scale) = initial(grid, spec)?;
        let n = grid.observed().count() as f64;
        let unpack = |p: &[f64]| unpack(spec, p, &state, scale);
        let objective = |p: &[f64]| {
            let (smoothing, start) = unpack(p);
            if !is_admissible(&smoothing, spec) {
                return f64::INFINITY;
            }
            run(spec, smoothing, start, &grid.values).map_or(f64::INFINITY, |(_, fit)| fit.deviance(scale))
        };
        let (start, steps) = starting_point(spec, &state, scale);
        let (p, deviance) = minimise(objective, &start, &steps, MAX_EVALUATIONS);
        // Free parameters, the seasonal indices less their constraint, and the variance.
        let k = (p.len() + state.season.len().saturating_sub(1) + 1) as f64;
        let correction = 2.0 * k * (k + 1.0) / (n - k - 1.0);
        let (smoothing, start) = unpack(&p);
        let (state, _) = run(spec, smoothing, start, &grid.values)?;
        let usable = deviance.is_finite() && n > k + 1.0;
        usable.then_some(Self { spec, smoothing, state, aicc: deviance + 2.0 * k + correction })
    }

    /// The point forecast `h` ≥ 1 steps ahead: (ℓ + (φ + … + φ^h) b) joined by the season.
    pub fn forecast(&self, h: usize) -> f64 {
        let damping: f64 = (1..=h as i32).map(|i| self.smoothing.phi.powi(i)).sum();
        let level = self.state.level + damping * self.state.slope;
        join(level, self.spec.season, &self.state.season, self.state.t + h - 1)
    }
}

/// What a run leaves for the likelihood.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    /// Σ ε², of relative errors where errors are multiplicative.
    pub sse: f64,
    /// Σ ln |μ_t| where errors are multiplicative, else 0.
    pub log_scale: f64,
    n: usize,
    relative: bool,
}

impl Fit {
    /// −2 log-likelihood less its constant: n ln Σε² + 2 Σ ln |μ_t| (chapter 5.1), bounded below for a
    /// perfect fit to values of the size of `scale`.
    fn deviance(&self, scale: f64) -> f64 {
        let floor = if self.relative { 1e-20 } else { 1e-20 * scale * scale };
        self.n as f64 * self.sse.max(floor).ln() + 2.0 * self.log_scale
    }
}

/// Runs the recursions over `y` (tables 2.2 and 2.3); `None` if a multiplicative model leaves the positive.
pub fn run(spec: Spec, p: Smoothing, mut state: State, y: &[Option<f64>]) -> Option<(State, Fit)> {
    let relative = spec.season == Some(Form::Multiplicative);
    let mut fit = Fit { sse: 0.0, log_scale: 0.0, n: 0, relative };
    for y in y {
        let level = state.level + p.phi * state.slope;
        let mu = join(level, spec.season, &state.season, state.t);
        if relative && !(mu > 0.0 && level > 0.0) {
            return None;
        }
        let unit = if relative { mu } else { 1.0 };
        let error = y.map_or(0.0, |y| (y - mu) / unit);
        if y.is_some() {
            fit.sse += error * error;
            fit.log_scale += if relative { mu.ln() } else { 0.0 };
            fit.n += 1;
        }
        let step = if relative { level * error } else { error };
        state.level = level + p.alpha * step;
        state.slope = p.phi * state.slope + p.beta * step;
        let m = state.season.len().max(1);
        if let Some(s) = state.season.get_mut(state.t % m) {
            *s += p.gamma * if relative { *s * error } else { error };
        }
        state.t += 1;
    }
    (fit.sse.is_finite() && fit.log_scale.is_finite()).then_some((state, fit))
}

/// Joins the season of time `t` to a level.
fn join(level: f64, form: Option<Form>, season: &[f64], t: usize) -> f64 {
    match (form, season.get(t % season.len().max(1))) {
        (Some(Form::Additive), Some(s)) => level + s,
        (Some(Form::Multiplicative), Some(s)) => level * s,
        _ => level,
    }
}

/// The usual region: 0 < α < 1, 0 ≤ β ≤ α, 0 ≤ γ ≤ 1 − α, 0.8 ≤ φ ≤ 0.98.
fn is_admissible(p: &Smoothing, spec: Spec) -> bool {
    let damped = spec.trend != Trend::Damped || (0.8..=0.98).contains(&p.phi);
    (1e-4..=0.9999).contains(&p.alpha)
        && (0.0..=p.alpha).contains(&p.beta)
        && (0.0..=1.0 - p.alpha).contains(&p.gamma)
        && damped
}

/// First states by chapter 2.6.1: seasonal indices of the decomposition, level and slope of the line through
/// the adjusted values of the first two seasons, ten at least; and the size of the values.
fn initial(grid: &Grid, spec: Spec) -> Option<(State, f64)> {
    let (y, m) = (grid.filled()?, grid.season);
    if y.len() < 10 || grid.is_constant() {
        return None;
    }
    let season = match spec.season {
        None => Vec::new(),
        Some(form) => indices(&y, m, form)?,
    };
    let phase = |t: usize| season.get(t % m).copied();
    let adjusted: Vec<f64> = y
        .iter()
        .enumerate()
        .map(|(t, y)| match (spec.season, phase(t)) {
            (Some(Form::Additive), Some(s)) => y - s,
            (Some(Form::Multiplicative), Some(s)) => y / s,
            _ => *y,
        })
        .take((2 * m).max(10))
        .collect();
    let (intercept, slope) = super::theta::line(&adjusted)?;
    let mean = adjusted.iter().sum::<f64>() / adjusted.len() as f64;
    let scale = (y.iter().map(|v| v * v).sum::<f64>() / y.len() as f64).sqrt();
    let state = match spec.trend {
        Trend::None => State::new(mean, 0.0, season),
        _ => State::new(intercept, slope, season),
    };
    Some((state, scale))
}

/// The free parameters ℓ, α, γ, β, b, φ, as far as the model has them, put in their places.
fn unpack(spec: Spec, free: &[f64], state: &State, scale: f64) -> (Smoothing, State) {
    let mut free = free.iter().copied();
    let mut next = || free.next().unwrap_or(0.0);
    let mut start = State { level: next() * scale, ..state.clone() };
    let mut smoothing = Smoothing { alpha: next(), beta: 0.0, gamma: 0.0, phi: 1.0 };
    if spec.season.is_some() {
        smoothing.gamma = next();
    }
    if spec.trend != Trend::None {
        smoothing.beta = next();
        start.slope = next() * scale;
    }
    if spec.trend == Trend::Damped {
        smoothing.phi = next();
    }
    (smoothing, start)
}

/// Where the simplex starts, in the order of `unpack`, and its first steps.
fn starting_point(spec: Spec, state: &State, scale: f64) -> (Vec<f64>, Vec<f64>) {
    let mut start = vec![state.level / scale, 0.2];
    let mut steps = vec![0.1, 0.1];
    if spec.season.is_some() {
        start.push(0.05);
        steps.push(0.05);
    }
    if spec.trend != Trend::None {
        start.extend([0.02, state.slope / scale]);
        steps.extend([0.02, 0.01]);
    }
    if spec.trend == Trend::Damped {
        start.push(0.95);
        steps.push(-0.05);
    }
    (start, steps)
}
