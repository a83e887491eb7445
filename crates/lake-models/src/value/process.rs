//! What the purchase models have in common, and how each is fitted.
//!
//! A model is a struct of its parameters. It says how likely customers are, how likely each is still alive,
//! and what one who is alive will buy; fitting, errors and predictions are then the same for all.

use rayon::prelude::*;

use super::summary::Summaries;
use crate::Error;
use crate::optimise::{Matrix, Maximum, Point, Score, Search};

/// Customers at even steps through the data that the first searches look at.
pub(crate) const SUBSAMPLE: usize = 10_000;
/// How every likelihood is climbed, times in weeks.
pub(crate) const SEARCH: Search = Search { bound: 12.0, max_iterations: 200, tolerance: 1e-7 };
/// A standard error of a logarithm beyond which a parameter counts as not identified.
const LOOSEST_ERROR: f64 = 5.0;
/// A rise in log-likelihood still in sight below which a fit has converged.
const CONVERGED: f64 = 1e-4;

/// A stochastic process of purchases and dropout, mixed over customers.
pub trait Process: Sized + Sync + Clone {
    /// Short name, as tables show it.
    const NAME: &'static str;
    /// Names of the parameters, in the order of [`Process::values`].
    const PARAMETERS: &'static [&'static str];

    /// The model with these parameters.
    fn from_values(values: &[f64]) -> Self;

    /// The parameters.
    fn values(&self) -> Vec<f64>;

    /// Places to start from, given repeat purchases per customer-week and mean weeks of observation.
    fn starts(rate: f64, weeks: f64) -> Vec<Vec<f64>>;

    /// The log-likelihood, and its gradient in the logarithms of the parameters.
    fn score(&self, data: &Summaries) -> Score;

    /// P(alive) at T, one per unique row.
    fn p_alive_by_row(&self, data: &Summaries) -> Vec<f64>;

    /// Expected purchases in `(age, age + t]` of a customer known to be alive, for each `t` of `horizons`
    /// (weeks).
    fn expected_alive(&self, x: u32, age: f64, horizons: &[f64]) -> Vec<f64>;

    /// Expected purchases in (T, T + t] given each customer's history: one vector per horizon (weeks), one
    /// value per customer, in the order they came in.
    fn expected_purchases(&self, data: &Summaries, horizons: &[f64]) -> Vec<Vec<f64>> {
        let p_alive = self.p_alive_by_row(data);
        // Rows of the same (x, T) stand side by side and share what the living will buy.
        let shared: Vec<_> = data.rows.chunk_by(|a, b| (a.x, a.t) == (b.x, b.t)).collect();
        let alive: Vec<Vec<f64>> = shared
            .par_iter()
            .with_min_len(16)
            .map(|rows| {
                let (x, t) = (data.frequencies[rows[0].x as usize], data.ages[rows[0].t as usize]);
                self.expected_alive(x, t, horizons)
            })
            .collect();
        let of_horizon = |h: usize| {
            let repeated =
                shared.iter().zip(&alive).flat_map(|(rows, e)| std::iter::repeat_n(e[h], rows.len()));
            data.spread(&repeated.zip(&p_alive).map(|(e, p)| e * p).collect::<Vec<f64>>())
        };
        (0..horizons.len()).map(of_horizon).collect()
    }
}

/// A model at its maximum likelihood.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted<M> {
    /// The model with its parameters.
    pub model: M,
    /// The log-likelihood, summed over customers.
    pub log_likelihood: f64,
    /// Standard errors of the parameters by the delta method; `None` where they are not identified.
    pub standard_errors: Option<Vec<f64>>,
    /// Covariance of the logarithms of the parameters; `None` where they are not identified.
    pub covariance: Option<Matrix>,
    /// Whether less than 1e-4 of log-likelihood is still in sight.
    pub converged: bool,
    /// The first parameter at its bound, if any: the likelihood rises towards a simpler model.
    pub at_bound: Option<&'static str>,
}

impl<M: Process> Fitted<M> {
    /// Fits a model by maximum likelihood.
    ///
    /// # Errors
    /// [`Error::Unfit`] where no time was observed, nobody has bought twice, or the likelihood is nowhere
    /// finite.
    pub fn fit(data: &Summaries) -> Result<Self, Error> {
        Fitted::fit_from(data, &[])
    }

    /// As [`Fitted::fit`], starting from these models, too.
    pub(crate) fn fit_from(data: &Summaries, near: &[M]) -> Result<Self, Error> {
        let unfit = |reason: &str| Error::Unfit { model: M::NAME, reason: reason.to_owned() };
        let (weeks, purchases) = (data.exposure_weeks(), data.repeat_purchases());
        if weeks <= 0.0 {
            return Err(unfit("no customer was observed for any time after the first purchase"));
        }
        if purchases <= 0.0 {
            return Err(unfit("no customer has bought a second time"));
        }
        let near = near.iter().map(M::values);
        let starts: Vec<Vec<f64>> =
            near.chain(M::starts(purchases / weeks, weeks / data.customers())).map(|v| logs(&v)).collect();
        let maximum = maximise(
            |theta| M::from_values(&exps(theta)).score(data),
            data.thinned(SUBSAMPLE)
                .as_ref()
                .map(|few| move |theta: &[f64]| M::from_values(&exps(theta)).score(few)),
            &starts,
            data.customers(),
        );
        let maximum = maximum.ok_or_else(|| unfit("its likelihood is not finite for these customers"))?;
        Ok(Fitted::at(maximum))
    }

    fn at(maximum: Maximum) -> Self {
        let Maximum { point, covariance, promise } = maximum;
        let at_bound = point.theta.iter().position(|&t| SEARCH.at_bound(t)).map(|i| M::PARAMETERS[i]);
        let covariance = identified(covariance).filter(|_| at_bound.is_none());
        let values = exps(&point.theta);
        let errors = covariance.as_ref().map(|c| (0..c.len()).map(|i| values[i] * c[i][i].sqrt()).collect());
        Fitted {
            model: M::from_values(&values),
            log_likelihood: point.score.value,
            standard_errors: errors,
            covariance,
            converged: promise < CONVERGED,
            at_bound,
        }
    }
}

/// Climbs from every start, on the few if there are few, and from the best end on all.
pub(crate) fn maximise<F, G>(all: F, few: Option<G>, starts: &[Vec<f64>], n: f64) -> Option<Maximum>
where
    F: Fn(&[f64]) -> Score,
    G: Fn(&[f64]) -> Score,
{
    let coarse = Search { tolerance: 1e-6, ..SEARCH };
    let ends = starts.iter().filter_map(|start| match &few {
        Some(few) => coarse.climb(few, start, n),
        None => SEARCH.climb(&all, start, n),
    });
    let best = ends.fold(None, |best: Option<Point>, end| match best {
        Some(best) if best.score.value >= end.score.value => Some(best),
        _ => Some(end),
    })?;
    let best = if few.is_some() { SEARCH.climb(&all, &best.theta, n)? } else { best };
    Some(SEARCH.sharpen(&all, best))
}

/// Drops a covariance that says next to nothing of some parameter.
pub(crate) fn identified(covariance: Option<Matrix>) -> Option<Matrix> {
    covariance.filter(|c| (0..c.len()).all(|i| c[i][i].sqrt() <= LOOSEST_ERROR))
}

pub(crate) fn logs(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.ln()).collect()
}

pub(crate) fn exps(theta: &[f64]) -> Vec<f64> {
    theta.iter().map(|t| t.exp()).collect()
}

/// A log-likelihood with its gradient, from the sums of value and natural partial derivatives.
pub(crate) fn score_of(sums: &[f64], values: &[f64]) -> Score {
    Score { value: sums[0], gradient: sums[1..].iter().zip(values).map(|(slope, v)| slope * v).collect() }
}
