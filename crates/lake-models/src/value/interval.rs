//! Between which amounts a customer's discounted spend will lie, nine times in ten: a simulated predictive
//! interval.
//!
//! The interval is one of the money that will come in, not of its expectation: it is wide for one customer
//! even where a million others pin the parameters down. Each future draws
//! 1. the parameters from their asymptotic normal distribution (in logarithms),
//! 2. whether the customer is alive, the purchase rate λ, the dropout (p or μ) and the spend rate ν from
//!    their posterior given the history and these parameters,
//! 3. the number of purchases in the months ahead, how long they go on, and what they cost.
//!
//! It stands for a parametric bootstrap, which fits the models again to each of many simulated customer bases:
//! how far parameters may lie off, their asymptotic distribution tells after one fit.
//!
//! A customer who will most likely not buy again has an interval from 0 to 0, and an expectation, the average
//! of many zeros and a few amounts, above it. Chance comes from the seed and the customer's history alone:
//! equal customers have equal intervals, and neither their order nor the number of threads matters.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, Poisson, StandardNormal};
use rayon::prelude::*;

use super::bgnbd::{BgNbd, MbgNbd};
use super::choose::Purchases;
use super::clv::{ClvParams, MONTH_WEEKS};
use super::gamma_gamma::Spend;
use super::nbd::Nbd;
use super::pareto::ParetoNbd;
use super::process::{exps, logs};
use super::spend::OrderValue;
use super::summary::Summaries;
use crate::Error;
use crate::optimise::{Matrix, cholesky, multiply};

/// Draws of the parameters, which the futures share evenly.
const PARAMETER_DRAWS: u32 = 40;
/// The largest step of a logarithm that a parameter draw may take: the normal approximation ends somewhere.
const LONGEST_STEP: f64 = 1.0;
/// The stream of the parameter draws; no customer's hash is likely to meet it.
const PARAMETER_STREAM: u64 = u64::MAX;

/// The customers whose futures are simulated, in any order.
#[derive(Debug, Clone, Copy)]
pub struct Futures<'a> {
    /// Their purchase histories.
    pub data: &'a Summaries,
    /// What they spend, in the same order.
    pub spend: &'a [Spend],
}

/// How a customer's purchases come to an end.
#[derive(Debug, Clone, Copy)]
enum Dropout {
    Never,
    /// After each purchase, with p ~ Beta(a, b); `early` as in `BetaGeometric`.
    Purchase {
        a: f64,
        b: f64,
        early: f64,
    },
    /// At a rate μ ~ Gamma(s, β).
    Rate {
        s: f64,
        beta: f64,
    },
}

/// How often customers buy while they are alive.
enum Rate {
    /// λ ~ Gamma(r, α).
    Gamma { r: f64, alpha: f64 },
    /// One λ for all.
    Equal(f64),
}

/// The models under one draw of their parameters.
struct Drawn {
    rate: Rate,
    dropout: Dropout,
    /// P(alive) by row.
    p_alive: Vec<f32>,
    /// p, q and v of the Gamma–Gamma model; `None` where every purchase costs what is expected.
    spend: Option<[f64; 3]>,
}

impl Futures<'_> {
    /// The 5 % and the 95 % quantile of the discounted spend of each customer.
    ///
    /// # Errors
    /// [`Error::Invalid`] for parameters out of range, or where customers and spend are not equally many.
    pub fn interval(
        &self,
        params: &ClvParams,
        purchases: &Purchases,
        value: &OrderValue,
    ) -> Result<Vec<[f64; 2]>, Error> {
        params.check()?;
        let customers = self.data.row_of.len();
        if self.spend.len() != customers {
            return Err(Error::Invalid(format!(
                "the spend of {} for {customers} customers",
                self.spend.len()
            )));
        }
        let drawn = draw_models(params, purchases, value, self.data);
        let discounting = Discounting::new(params);
        let mut order: Vec<usize> = (0..customers).collect();
        order.par_sort_unstable_by_key(|&i| self.identity(i));
        let equal: Vec<&[usize]> = order.chunk_by(|&a, &b| self.identity(a) == self.identity(b)).collect();
        let future = |equal: &&[usize]| {
            let customer = self.seen(equal[0]);
            let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
            rng.set_stream(customer.stream());
            let expected = value.expected(customer.spend);
            let draw = |d: u32| {
                drawn[d as usize % drawn.len()].discounted_spend(&customer, expected, &discounting, &mut rng)
            };
            quantiles((0..params.draws).map(draw).collect())
        };
        let found: Vec<[f64; 2]> = equal.par_iter().with_min_len(64).map(future).collect();
        let mut intervals = vec![[0.0; 2]; customers];
        for (equal, found) in equal.iter().zip(found) {
            equal.iter().for_each(|&i| intervals[i] = found);
        }
        Ok(intervals)
    }

    /// What tells customers apart: their unique row and their mean spend.
    fn identity(&self, i: usize) -> (u32, u64) {
        (self.data.row_of[i], self.spend[i].mean.to_bits())
    }

    fn seen(&self, i: usize) -> Seen {
        let at = self.data.row_of[i] as usize;
        let row = &self.data.rows[at];
        let (age, since) = (self.data.ages[row.t as usize], self.data.recencies[row.t_x as usize]);
        Seen {
            row: at,
            x: f64::from(self.data.frequencies[row.x as usize]),
            since,
            age,
            spend: self.spend[i],
        }
    }
}

/// A customer as the posterior sees it.
struct Seen {
    row: usize,
    x: f64,
    /// t_x.
    since: f64,
    /// T.
    age: f64,
    spend: Spend,
}

impl Seen {
    /// The stream of chance of such a customer: a hash of the history (the finaliser of SplitMix64, Steele et
    /// al. 2014).
    fn stream(&self) -> u64 {
        let parts = [self.x, self.since, self.age, self.spend.mean];
        parts.iter().fold(0, |hash: u64, part| {
            let mut z = (hash ^ part.to_bits()).wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        })
    }
}

impl Drawn {
    /// One future: what the customer spends until the end of the last month, at its worth today.
    fn discounted_spend(
        &self,
        c: &Seen,
        expected: f64,
        discounting: &Discounting,
        rng: &mut ChaCha8Rng,
    ) -> f64 {
        if rng.random::<f32>() >= self.p_alive[c.row] {
            return 0.0;
        }
        let lambda = match self.rate {
            Rate::Gamma { r, alpha } => gamma(r + c.x, rng) / (alpha + c.age),
            Rate::Equal(lambda) => lambda,
        };
        let (purchases, weeks) = self.dropout.purchases(lambda, c, discounting.weeks, rng);
        if purchases == 0.0 {
            return 0.0;
        }
        let money = match self.spend {
            None => purchases * expected,
            Some([p, q, v]) => {
                let px = if c.spend.mean > 0.0 { p * c.x } else { 0.0 };
                let nu = gamma(px + q, rng) / (v + if px > 0.0 { c.x * c.spend.mean } else { 0.0 });
                gamma(p * purchases, rng) / nu
            }
        };
        money * discounting.mean_until(weeks)
    }
}

impl Dropout {
    /// The number of purchases in `horizon` weeks, and the weeks over which they spread evenly.
    fn purchases(&self, lambda: f64, c: &Seen, horizon: f64, rng: &mut ChaCha8Rng) -> (f64, f64) {
        match *self {
            Dropout::Never => (poisson(lambda * horizon, rng), horizon),
            Dropout::Rate { s, beta } => {
                let mu = gamma(s, rng) / (beta + c.age);
                let life = -(1.0 - rng.random::<f64>()).ln() / mu;
                let weeks = life.min(horizon);
                (poisson(lambda * weeks, rng), weeks)
            }
            Dropout::Purchase { a, b, early } => {
                let occasions = poisson(lambda * horizon, rng);
                if occasions == 0.0 {
                    return (0.0, horizon);
                }
                let (leaves, stays) = (gamma(a, rng), gamma(b + c.x + early, rng));
                let ln_stay = -(leaves / stays).ln_1p();
                let last = 1.0 + ((1.0 - rng.random::<f64>()).ln() / ln_stay).floor();
                if last > occasions || last.is_nan() {
                    return (occasions, horizon);
                }
                // The first g of k even occasions have their mean at (g + 1) / (2 (k + 1)) of the horizon.
                (last, horizon * (last + 1.0) / (occasions + 1.0))
            }
        }
    }
}

/// What money is worth now, by the time it comes in.
struct Discounting {
    factors: Vec<f64>,
    /// Sum of the factors of the months before.
    sums: Vec<f64>,
    weeks: f64,
}

impl Discounting {
    fn new(params: &ClvParams) -> Self {
        let factors = params.discount_factors();
        let sums = factors.iter().scan(0.0, |sum, f| Some(std::mem::replace(sum, *sum + f))).collect();
        Discounting { factors, sums, weeks: MONTH_WEEKS * f64::from(params.months) }
    }

    /// The mean worth of money that comes in evenly over the next `weeks`, which end with the months.
    fn mean_until(&self, weeks: f64) -> f64 {
        let months = weeks / MONTH_WEEKS;
        let whole = (months as usize).min(self.factors.len() - 1);
        if months <= 0.0 {
            return self.factors[0];
        }
        (self.sums[whole] + (months - whole as f64) * self.factors[whole]) / months
    }
}

/// The models under each draw of their parameters.
fn draw_models(
    params: &ClvParams,
    purchases: &Purchases,
    value: &OrderValue,
    data: &Summaries,
) -> Vec<Drawn> {
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    rng.set_stream(PARAMETER_STREAM);
    let mut draw = || {
        let model = match purchases {
            Purchases::Poisson(_) => {
                // The posterior of a rate under Jeffreys' prior.
                let rate = gamma(data.repeat_purchases() + 0.5, &mut rng) / data.exposure_weeks();
                purchases.with_values(&[rate])
            }
            _ => {
                let values: Vec<f64> = purchases.parameters().iter().map(|p| p.value).collect();
                purchases.with_values(&exps(&moved(logs(&values), purchases.covariance(), &mut rng)))
            }
        };
        let spend = match value {
            OrderValue::Mean { .. } => None,
            OrderValue::GammaGamma(f) => {
                let at = logs(&[f.model.p, f.model.q - 1.0, f.model.v]);
                let [p, beyond, v] = exps(&moved(at, f.covariance.as_ref(), &mut rng))[..] else {
                    return None;
                };
                Some([p, 1.0 + beyond, v])
            }
        };
        Some(drawn(&model, spend, data))
    };
    let distinct = PARAMETER_DRAWS.min(params.draws);
    (0..distinct).filter_map(|_| draw()).collect()
}

fn drawn(model: &Purchases, spend: Option<[f64; 3]>, data: &Summaries) -> Drawn {
    let (rate, dropout) = match model {
        Purchases::BgNbd(f) => {
            let BgNbd { r, alpha, a, b } = f.model;
            (Rate::Gamma { r, alpha }, Dropout::Purchase { a, b, early: 0.0 })
        }
        Purchases::MbgNbd(f) => {
            let MbgNbd { r, alpha, a, b } = f.model;
            (Rate::Gamma { r, alpha }, Dropout::Purchase { a, b, early: 1.0 })
        }
        Purchases::ParetoNbd(f) => {
            let ParetoNbd { r, alpha, s, beta } = f.model;
            (Rate::Gamma { r, alpha }, Dropout::Rate { s, beta })
        }
        Purchases::Nbd(f) => {
            let Nbd { r, alpha } = f.model;
            (Rate::Gamma { r, alpha }, Dropout::Never)
        }
        Purchases::Poisson(p) => (Rate::Equal(p.lambda), Dropout::Never),
    };
    let p_alive = model.p_alive_by_row(data).iter().map(|&p| p as f32).collect();
    Drawn { rate, dropout, p_alive, spend }
}

/// A draw from the normal distribution around `theta`; `theta` itself where its covariance is not known.
fn moved(theta: Vec<f64>, covariance: Option<&Matrix>, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let Some(root) = covariance.and_then(cholesky) else { return theta };
    let normal: Vec<f64> = theta.iter().map(|_| StandardNormal.sample(rng)).collect();
    let step = multiply(&root, &normal);
    let longest = step.iter().fold(0.0_f64, |longest, s| longest.max(s.abs()));
    let share = if longest > LONGEST_STEP { LONGEST_STEP / longest } else { 1.0 };
    theta.iter().zip(&step).map(|(t, s)| t + share * s).collect()
}

/// A draw from Gamma(shape, 1). A shape that rounds to 0 draws 0.
fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    Gamma::new(shape, 1.0).map_or(0.0, |d| d.sample(rng)).max(f64::MIN_POSITIVE)
}

/// A draw from Poisson(mean). A mean that rounds to 0 draws 0.
fn poisson(mean: f64, rng: &mut impl Rng) -> f64 {
    Poisson::new(mean).map_or(0.0, |d| d.sample(rng))
}

/// The 5 % and the 95 % quantile, between order statistics (Hyndman & Fan 1996, definition 7).
fn quantiles(mut draws: Vec<f64>) -> [f64; 2] {
    let n = draws.len();
    draws.retain(|&d| d > 0.0);
    let zeros = n - draws.len();
    draws.sort_unstable_by(f64::total_cmp);
    let at = |i: usize| if i < zeros { 0.0 } else { draws[i - zeros] };
    [0.05, 0.95].map(|p| {
        let place = p * (n - 1) as f64;
        let low = place as usize;
        let high = (low + 1).min(n - 1);
        at(low) + (place - low as f64) * (at(high) - at(low))
    })
}

#[cfg(test)]
mod tests;
