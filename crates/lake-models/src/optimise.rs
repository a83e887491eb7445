//! Maximum likelihood over a few positive parameters: L-BFGS in their logarithms, a Newton step at the end,
//! and the curvature there.
//!
//! The logarithms are kept inside `±bound` by `θ = bound · tanh(u / bound)`, so that a likelihood that rises
//! forever ends at a recognisable place instead of overflowing.

use std::cell::{Cell, RefCell};

use argmin::core::{CostFunction, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

/// Share of the bound beyond which a parameter counts as being at it.
const AT_BOUND: f64 = 0.9;
/// Step of the central differences of the gradient, in a logarithm.
const DIFFERENCE: f64 = 1e-4;
/// Pairs of steps and gradients that L-BFGS remembers.
const MEMORY: usize = 7;
/// Calls of the function that an iteration may take on average.
const CALLS_PER_ITERATION: u64 = 2;
/// Better and better places at the bound after which a climb ends: it would go on for very long, and to nowhere.
const PLACES_AT_BOUND: u32 = 5;
/// Newton's steps after L-BFGS.
const NEWTON_STEPS: usize = 4;

/// A square matrix of the few parameters, by row.
pub type Matrix = Vec<Vec<f64>>;

/// A log-likelihood and its gradient in the logarithms of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The log-likelihood.
    pub value: f64,
    /// One partial derivative per parameter.
    pub gradient: Vec<f64>,
}

impl Score {
    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.gradient.iter().all(|g| g.is_finite())
    }
}

/// How far and how hard to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Largest absolute logarithm of a parameter.
    pub bound: f64,
    /// Iterations of L-BFGS.
    pub max_iterations: u64,
    /// Length of the mean gradient at which L-BFGS stops.
    pub tolerance: f64,
}

/// Where a search ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Logarithms of the parameters.
    pub theta: Vec<f64>,
    /// The log-likelihood there.
    pub score: Score,
}

/// A maximum with its curvature.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximum {
    /// Where it lies.
    pub point: Point,
    /// Inverse of the negative Hessian in the logarithms; `None` where that is not positive definite.
    pub covariance: Option<Matrix>,
    /// The log-likelihood that a further Newton step promises.
    pub promise: f64,
}

impl Search {
    /// Whether a logarithm lies at the bound.
    pub fn at_bound(&self, theta: f64) -> bool {
        theta.abs() >= AT_BOUND * self.bound
    }

    fn is_bounded(&self, theta: &[f64]) -> bool {
        theta.iter().any(|&t| self.at_bound(t))
    }

    /// Climbs from `start` (logarithms) and returns the best point seen, or `None` where `f` is nowhere
    /// finite. Where a parameter stays at the bound, that is soon enough the end.
    ///
    /// `scale` is the number of observations: the tolerance is that of the mean.
    pub fn climb(&self, f: impl Fn(&[f64]) -> Score, start: &[f64], scale: f64) -> Option<Point> {
        let inside = |t: f64| self.bound * (t / self.bound).clamp(-0.95, 0.95).atanh();
        let problem = Boxed {
            f,
            search: *self,
            scale,
            calls_left: Cell::new(CALLS_PER_ITERATION * self.max_iterations),
            last: RefCell::default(),
            best: RefCell::default(),
            at_bound: Cell::new(0),
        };
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
            .with_tolerance_grad(self.tolerance)
            .and_then(|s| s.with_tolerance_cost(1e-14))
            .ok()?;
        let u: Vec<f64> = start.iter().map(|&t| inside(t)).collect();
        problem.at(&u);
        // A line search that fails leaves the best point it has seen, which is what counts.
        let _ = Executor::new(&problem, solver)
            .configure(|state| state.param(u).max_iters(self.max_iterations))
            .timer(false)
            .run();
        problem.best.into_inner()
    }

    /// Sharpens a point by Newton's method and takes its curvature; one at the bound has none.
    pub fn sharpen(&self, f: impl Fn(&[f64]) -> Score, mut point: Point) -> Maximum {
        if self.is_bounded(&point.theta) {
            return Maximum { promise: f64::INFINITY, covariance: None, point };
        }
        for _ in 0..NEWTON_STEPS {
            let covariance = covariance(&f, &point.theta);
            let Some(step) = covariance.as_ref().map(|c| multiply(c, &point.score.gradient)) else {
                return Maximum { promise: f64::INFINITY, covariance: None, point };
            };
            let promise = 0.5 * dot(&step, &point.score.gradient);
            let next: Vec<f64> = point.theta.iter().zip(&step).map(|(t, s)| t + s).collect();
            let moved = promise > 1e-9 && next.iter().all(|t| t.abs() < self.bound);
            let score = if moved { f(&next) } else { point.score.clone() };
            if !moved || !score.is_finite() || score.value <= point.score.value {
                return Maximum { point, covariance, promise };
            }
            point = Point { theta: next, score };
        }
        let covariance = covariance(&f, &point.theta);
        let step = covariance.as_ref().map(|c| multiply(c, &point.score.gradient));
        let promise = step.map_or(f64::INFINITY, |s| 0.5 * dot(&s, &point.score.gradient));
        Maximum { point, covariance, promise }
    }
}

/// The negative mean of a log-likelihood as `argmin` sees it, over the unbounded `u`.
struct Boxed<F> {
    f: F,
    search: Search,
    scale: f64,
    /// A line search on a slope without end does not stop by itself.
    calls_left: Cell<u64>,
    /// The last place asked for: `argmin` asks for value and gradient one after the other.
    last: RefCell<Option<(Vec<f64>, Score)>>,
    best: RefCell<Option<Point>>,
    /// How many of the best places, up to the last, lie at the bound.
    at_bound: Cell<u32>,
}

impl<F: Fn(&[f64]) -> Score> Boxed<F> {
    fn at(&self, u: &[f64]) -> Score {
        if let Some((place, score)) = self.last.borrow().as_ref()
            && place == u
        {
            return score.clone();
        }
        let bound = self.search.bound;
        let theta: Vec<f64> = u.iter().map(|u| bound * (u / bound).tanh()).collect();
        let score = (self.f)(&theta);
        let best = self.best.borrow().as_ref().map(|b| b.score.value);
        if score.is_finite() && best.is_none_or(|b| score.value > b) {
            let at_bound = if self.search.is_bounded(&theta) { self.at_bound.get() + 1 } else { 0 };
            self.at_bound.set(at_bound);
            if at_bound >= PLACES_AT_BOUND {
                self.calls_left.set(0);
            }
            self.best.replace(Some(Point { theta, score: score.clone() }));
        }
        self.last.replace(Some((u.to_vec(), score.clone())));
        score
    }
}

impl<F: Fn(&[f64]) -> Score> CostFunction for &Boxed<F> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, u: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        let left = self.calls_left.get().checked_sub(1);
        self.calls_left.set(left.ok_or_else(|| argmin::core::Error::msg("out of calls"))?);
        let value = self.at(u).value;
        Ok(if value.is_finite() { -value / self.scale } else { f64::MAX.sqrt() })
    }
}

impl<F: Fn(&[f64]) -> Score> Gradient for &Boxed<F> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, u: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
        let score = self.at(u);
        let slope = |(g, u): (&f64, &f64)| -g / self.scale * (1.0 - (u / self.search.bound).tanh().powi(2));
        Ok(score.gradient.iter().zip(u).map(slope).collect())
    }
}

/// Inverse of the negative Hessian at `theta`, from central differences of the gradient.
fn covariance(f: impl Fn(&[f64]) -> Score, theta: &[f64]) -> Option<Matrix> {
    let n = theta.len();
    let moved = |i: usize, by: f64| {
        let mut at = theta.to_vec();
        at[i] += by;
        f(&at).gradient
    };
    let columns: Vec<(Vec<f64>, Vec<f64>)> =
        (0..n).map(|i| (moved(i, DIFFERENCE), moved(i, -DIFFERENCE))).collect();
    let slope = |i: usize, j: usize| (columns[j].1[i] - columns[j].0[i]) / (2.0 * DIFFERENCE);
    let information: Matrix =
        (0..n).map(|i| (0..n).map(|j| 0.5 * (slope(i, j) + slope(j, i))).collect()).collect();
    let root = cholesky(&information)?;
    Some(inverse(&root))
}

/// The lower triangle L with `L Lᵀ = m`, or `None` where `m` is not positive definite.
pub fn cholesky(m: &Matrix) -> Option<Matrix> {
    let n = m.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let rest = m[i][j] - dot(&l[i][..j], &l[j][..j]);
            if i == j {
                let definite = rest.is_finite() && rest > 1e-12 * m[i][i].abs().max(f64::MIN_POSITIVE);
                l[i][i] = definite.then(|| rest.sqrt())?;
            } else {
                l[i][j] = rest / l[j][j];
            }
        }
    }
    Some(l)
}

/// Inverse of `L Lᵀ`: column by column, forwards through L and backwards through Lᵀ.
fn inverse(l: &Matrix) -> Matrix {
    let n = l.len();
    let column = |c: usize| {
        let mut y = vec![0.0; n];
        for i in 0..n {
            let unit = if i == c { 1.0 } else { 0.0 };
            y[i] = (unit - dot(&l[i][..i], &y[..i])) / l[i][i];
        }
        for i in (0..n).rev() {
            let below: f64 = (i + 1..n).map(|k| l[k][i] * y[k]).sum();
            y[i] = (y[i] - below) / l[i][i];
        }
        y
    };
    (0..n).map(column).collect()
}

/// `m · v`.
pub fn multiply(m: &Matrix, v: &[f64]) -> Vec<f64> {
    m.iter().map(|row| dot(row, v)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests;
