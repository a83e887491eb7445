//! Purchases without dropout: the negative binomial (NBD, Ehrenberg 1959) and its limit of equal rates,
//! Poisson.

use super::chunks;
use super::process::{Process, score_of};
use super::summary::Summaries;
use crate::optimise::Score;
use crate::special::{digamma_rise, ln_rising};

/// Poisson purchases at rates λ ~ Gamma(r, α) between customers, who never leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nbd {
    /// Shape of the rates.
    pub r: f64,
    /// Rate of the rates, in weeks.
    pub alpha: f64,
}

/// Poisson purchases at one rate for all, who never leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poisson {
    /// Purchases per week.
    pub lambda: f64,
}

impl Poisson {
    /// The maximum-likelihood rate Σx / ΣT; 0 where nobody was observed for any time.
    pub fn fit(data: &Summaries) -> Self {
        let weeks = data.exposure_weeks();
        Poisson { lambda: if weeks > 0.0 { data.repeat_purchases() / weeks } else { 0.0 } }
    }
}

impl Process for Nbd {
    const NAME: &'static str = "nbd";
    const PARAMETERS: &'static [&'static str] = &["r", "alpha"];

    fn from_values(v: &[f64]) -> Self {
        Nbd { r: v[0], alpha: v[1] }
    }

    fn values(&self) -> Vec<f64> {
        vec![self.r, self.alpha]
    }

    fn starts(rate: f64, _weeks: f64) -> Vec<Vec<f64>> {
        [0.3, 1.5].iter().map(|r| vec![*r, r / rate]).collect()
    }

    fn score(&self, data: &Summaries) -> Score {
        let Nbd { r, alpha } = *self;
        let counts = chunks::map(&data.frequencies, |&x| (f64::from(x), ln_rising(r, x), digamma_rise(r, x)));
        let logs = chunks::map(&data.ages, |t| (alpha + t).ln());
        let sums = chunks::sum(&data.rows, |_, row, total: &mut [f64; 3]| {
            let (x, rising, rise) = counts[row.x as usize];
            let (t, ln_t) = (data.ages[row.t as usize], logs[row.t as usize]);
            let gone = ln_t - alpha.ln();
            total[0] += row.weight * (rising - x * ln_t - r * gone);
            total[1] += row.weight * (rise - gone);
            total[2] += row.weight * (r / alpha - (r + x) / (alpha + t));
        });
        score_of(&sums, &[r, alpha])
    }

    fn p_alive_by_row(&self, data: &Summaries) -> Vec<f64> {
        vec![1.0; data.rows.len()]
    }

    fn expected_alive(&self, x: u32, age: f64, horizons: &[f64]) -> Vec<f64> {
        let rate = (self.r + f64::from(x)) / (self.alpha + age);
        horizons.iter().map(|t| rate * t).collect()
    }
}
