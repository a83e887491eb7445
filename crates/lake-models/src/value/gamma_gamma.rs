//! What customers spend per purchase: the Gamma–Gamma model (Fader & Hardie 2013).
//!
//! Equations are those of "The Gamma-Gamma Model of Monetary Value". Spend and number of purchases are taken
//! as independent; their correlation is reported so that the reader can judge.

use statrs::function::erf::erfc;

use super::choose::Parameter;
use super::chunks;
use super::process::{SEARCH, SUBSAMPLE, exps, identified, logs, maximise};
use crate::Error;
use crate::optimise::{Matrix, Score};
use crate::special::{digamma, ln_gamma};

/// Spend of a purchase ~ Gamma(p, ν) within a customer, ν ~ Gamma(q, v) between customers.
///
/// `q > 1` always: only then has the population a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaGamma {
    /// Shape of the spend per purchase.
    pub p: f64,
    /// Shape of ν.
    pub q: f64,
    /// Rate of ν, in units of money.
    pub v: f64,
}

/// A customer's repeat purchases and what they cost on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spend {
    /// Repeat purchases.
    pub x: u32,
    /// Mean net spend of a repeat purchase day, in units of money.
    pub mean: f64,
}

/// How the number of purchases goes with their mean size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// Pearson's correlation of x and the mean spend.
    pub coefficient: f64,
    /// Two-sided p-value of no correlation, by Fisher's z.
    pub p_value: f64,
}

/// A fitted Gamma–Gamma model.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedSpend {
    /// The model with its parameters.
    pub model: GammaGamma,
    /// The log-likelihood, summed over the customers with x > 0 and a positive mean spend.
    pub log_likelihood: f64,
    /// Covariance of `ln p`, `ln(q − 1)` and `ln v`; `None` where they are not identified.
    pub covariance: Option<Matrix>,
    /// Whether less than 1e-4 of log-likelihood is still in sight.
    pub converged: bool,
    /// Correlation of x and mean spend; `None` with under four customers, or where either is constant.
    pub correlation: Option<Correlation>,
}

/// A customer as the likelihood reads it, money in units of the mean.
struct Row {
    level: u32,
    x: f64,
    mean: f64,
    ln_mean: f64,
}

impl GammaGamma {
    /// Name, as tables show it.
    pub const NAME: &'static str = "gamma_gamma";

    /// Fits p, q and v by maximum likelihood to the customers with x > 0 and a positive mean spend.
    ///
    /// # Errors
    /// [`Error::Empty`] where there is no such customer; [`Error::Invalid`] for an amount that is not finite;
    /// [`Error::Unfit`] where all spend the same, or where the fit ends in a population without a mean.
    pub fn fit(customers: &[Spend]) -> Result<FittedSpend, Error> {
        let (rows, levels, unit) = prepare(customers)?;
        let few = thinned(&rows, SUBSAMPLE);
        let n = rows.len() as f64;
        let share = few.as_ref().map_or(1.0, |few| n / few.len() as f64);
        let starts = [[1.0, 2.0, 1.0], [5.0, 3.0, 0.5], [20.0, 8.0, 0.3]].map(|s| logs(&s)).to_vec();
        let maximum = maximise(
            |theta| score(theta, &rows, &levels, 1.0),
            few.as_ref().map(|few| |theta: &[f64]| score(theta, few, &levels, share)),
            &starts,
            n,
        )
        .ok_or_else(|| unfit("its likelihood is not finite for these customers"))?;
        let theta = &maximum.point.theta;
        let [p, beyond, v] = [theta[0].exp(), theta[1].exp(), theta[2].exp() * unit];
        let model = GammaGamma { p, q: 1.0 + beyond, v };
        if theta[1] < 0.0 && SEARCH.at_bound(theta[1]) {
            return Err(unfit("spend varies so much between customers that its mean is not finite (q → 1)"));
        }
        let free = theta.iter().all(|&t| !SEARCH.at_bound(t));
        let covariance = identified(maximum.covariance).filter(|_| free);
        Ok(FittedSpend {
            model,
            // The density of money is that of multiples of the mean, divided by it.
            log_likelihood: maximum.point.score.value - n * unit.ln(),
            covariance,
            converged: maximum.promise < 1e-4,
            correlation: correlation(&rows),
        })
    }

    /// E\[M | x, m\], the expected spend of a purchase: Fader & Hardie (2013), equation 5.
    ///
    /// For x = 0 it is the population's mean.
    pub fn expected(&self, spend: Spend) -> f64 {
        let px = self.p * if spend.mean > 0.0 { f64::from(spend.x) } else { 0.0 };
        if px == 0.0 {
            return self.population_mean();
        }
        let own = px / (px + self.q - 1.0);
        own * spend.mean + (1.0 - own) * self.population_mean()
    }

    /// E\[M\] = p v / (q − 1).
    pub fn population_mean(&self) -> f64 {
        self.p * self.v / (self.q - 1.0)
    }
}

impl FittedSpend {
    /// p, q and v with their standard errors by the delta method.
    pub fn parameters(&self) -> [Parameter; 3] {
        let GammaGamma { p, q, v } = self.model;
        // A step in the logarithm of a value moves it by so much.
        let parameter = |(i, name, value, slope): (usize, &'static str, f64, f64)| {
            let standard_error = self.covariance.as_ref().map(|c| slope * c[i][i].sqrt());
            Parameter { name, value, standard_error }
        };
        [(0, "p", p, p), (1, "q", q, q - 1.0), (2, "v", v, v)].map(parameter)
    }
}

fn unfit(reason: &str) -> Error {
    Error::Unfit { model: GammaGamma::NAME, reason: reason.to_owned() }
}

/// The customers that count, in an order of their own, with the distinct x and the mean spend.
fn prepare(customers: &[Spend]) -> Result<(Vec<Row>, Vec<f64>, f64), Error> {
    if let Some((i, bad)) = customers.iter().enumerate().find(|(_, c)| !c.mean.is_finite()) {
        return Err(Error::Invalid(format!("customer {i}: mean spend {}", bad.mean)));
    }
    let mut used: Vec<Spend> = customers.iter().copied().filter(|c| c.x > 0 && c.mean > 0.0).collect();
    if used.is_empty() {
        let what = "no customer has bought a second time for a positive amount";
        return Err(Error::Empty(what.to_owned()));
    }
    used.sort_unstable_by(|a, b| a.x.cmp(&b.x).then(a.mean.total_cmp(&b.mean)));
    let unit = used.iter().map(|c| c.mean).sum::<f64>() / used.len() as f64;
    if used.iter().all(|c| (c.mean - used[0].mean).abs() <= 1e-9 * unit) {
        return Err(unfit(if used.len() == 1 {
            "only one customer has bought a second time"
        } else {
            "all customers spend the same"
        }));
    }
    let mut levels: Vec<f64> = used.iter().map(|c| f64::from(c.x)).collect();
    levels.dedup();
    let row = |c: &Spend| {
        let (x, mean) = (f64::from(c.x), c.mean / unit);
        Row { level: levels.partition_point(|&l| l < x) as u32, x, mean, ln_mean: mean.ln() }
    };
    let rows = used.iter().map(row).collect();
    Ok((rows, levels, unit))
}

/// Rows at even steps, where there are more than `limit`.
fn thinned(rows: &[Row], limit: usize) -> Option<Vec<Row>> {
    let pick = |i: usize| {
        let Row { level, x, mean, ln_mean } = rows[(2 * i + 1) * rows.len() / (2 * limit)];
        Row { level, x, mean, ln_mean }
    };
    (rows.len() > limit).then(|| (0..limit).map(pick).collect())
}

/// The log-likelihood of Fader & Hardie (2013), equation 1a, and its gradient in `ln p`, `ln(q − 1)` and `ln
/// v`.
fn score(theta: &[f64], rows: &[Row], levels: &[f64], share: f64) -> Score {
    let e = exps(theta);
    let (p, q, v) = (e[0], 1.0 + e[1], e[2]);
    let counts: Vec<[f64; 4]> = levels.iter().map(|&x| count(p, q, x)).collect();
    let (ln_v, psi_q, ln_gamma_q) = (v.ln(), digamma(q), ln_gamma(q));
    let sums = chunks::sum(rows, |_, row, total: &mut [f64; 4]| {
        let [value, in_p, in_q, ln_x] = counts[row.level as usize];
        let px = p * row.x;
        let spent = row.x * row.mean;
        let ln_rest = (spent / v).ln_1p();
        let ln_spent = ln_x + row.ln_mean - ln_v - ln_rest;
        total[0] += value - ln_gamma_q + px * ln_spent - q * ln_rest - row.ln_mean;
        total[1] += in_p + row.x * ln_spent;
        total[2] += in_q - psi_q - ln_rest;
        total[3] += q / v - (px + q) / (v + spent);
    });
    let [value, in_p, in_q, in_v] = sums.map(|s| s * share);
    Score { value, gradient: vec![p * in_p, e[1] * in_q, v * in_v] }
}

/// `ln Γ(px+q) − ln Γ(px)`, its partial derivatives in p and q, and `ln x`.
fn count(p: f64, q: f64, x: f64) -> [f64; 4] {
    let px = p * x;
    let both = digamma(px + q);
    [ln_gamma(px + q) - ln_gamma(px), x * (both - digamma(px)), both, x.ln()]
}

fn correlation(rows: &[Row]) -> Option<Correlation> {
    let n = rows.len() as f64;
    if rows.len() < 4 {
        return None;
    }
    let [x, m] = chunks::sum(rows, |_, r, t: &mut [f64; 2]| {
        t[0] += r.x / n;
        t[1] += r.mean / n;
    });
    let [xx, xm, mm] = chunks::sum(rows, |_, r, t: &mut [f64; 3]| {
        t[0] += (r.x - x).powi(2);
        t[1] += (r.x - x) * (r.mean - m);
        t[2] += (r.mean - m).powi(2);
    });
    if xx <= 0.0 || mm <= 0.0 {
        return None;
    }
    let coefficient = (xm / (xx * mm).sqrt()).clamp(-1.0, 1.0);
    let z = coefficient.clamp(-1.0 + 1e-15, 1.0 - 1e-15).atanh().abs() * (n - 3.0).sqrt();
    Some(Correlation { coefficient, p_value: erfc(z / std::f64::consts::SQRT_2) })
}

#[cfg(test)]
mod tests;
