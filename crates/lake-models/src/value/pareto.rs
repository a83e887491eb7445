//! Dropout at any time: the Pareto/NBD of Schmittlein, Morrison & Colombo (1987).
//!
//! Equations are those of Fader & Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related
//! Expressions". The likelihood is taken as an integral over the time of dropout instead of through ₂F₁:
//! `Γ(r+x)/Γ(r) α^r β^s { (α+T)^−(r+x) (β+T)^−s + s ∫_{t_x}^{T} (α+t)^−(r+x) (β+t)^−(s+1) dt }`.

use rayon::prelude::*;

use super::chunks;
use super::process::{Process, score_of};
use super::summary::Summaries;
use crate::optimise::Score;
use crate::special::{decay_integral, digamma_rise, ln_rising, softplus};

/// Poisson purchases at λ ~ Gamma(r, α), lifetimes exponential at μ ~ Gamma(s, β).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoNbd {
    /// Shape of the purchase rates.
    pub r: f64,
    /// Rate of the purchase rates, in weeks.
    pub alpha: f64,
    /// Shape of the dropout rates.
    pub s: f64,
    /// Rate of the dropout rates, in weeks.
    pub beta: f64,
}

impl Process for ParetoNbd {
    const NAME: &'static str = "pareto_nbd";
    const PARAMETERS: &'static [&'static str] = &["r", "alpha", "s", "beta"];

    fn from_values(v: &[f64]) -> Self {
        ParetoNbd { r: v[0], alpha: v[1], s: v[2], beta: v[3] }
    }

    fn values(&self) -> Vec<f64> {
        vec![self.r, self.alpha, self.s, self.beta]
    }

    fn starts(rate: f64, weeks: f64) -> Vec<Vec<f64>> {
        let shapes = [[0.5, 0.6, 0.5], [1.0, 0.3, 1.0], [2.0, 2.0, 4.0]];
        shapes.iter().map(|&[r, s, far]| vec![r, 0.7 * r / rate, s, far * weeks]).collect()
    }

    fn score(&self, data: &Summaries) -> Score {
        let ParetoNbd { r, alpha, s, beta } = *self;
        let counts: Vec<_> = data
            .frequencies
            .iter()
            .map(|&x| (r + f64::from(x), ln_rising(r, x), digamma_rise(r, x)))
            .collect();
        let living = self.living(data);
        let integrals = data.grid().integrate(r, alpha, s, beta);
        let (ln_alpha, ln_beta) = (alpha.ln(), beta.ln());
        let sums = chunks::sum(&data.rows, |i, row, total: &mut [f64; 5]| {
            let (k, rising, rise) = counts[row.x as usize];
            let [ln_d, ln_f, by_d, by_f] = living[row.t as usize];
            let alive = -k * ln_d - s * ln_f;
            let left = integrals.of_row(i);
            let (gain, dead) = left.map_or((0.0, 0.0), |left| softplus(s.ln() + left.ln - alive));
            let [in_r, in_alpha, in_s, in_beta] = left.map_or([0.0; 4], |left| left.slopes);
            let lives = 1.0 - dead;
            total[0] += row.weight * (rising + r * ln_alpha + s * ln_beta + alive + gain);
            total[1] += row.weight * (rise + ln_alpha - lives * ln_d + dead * in_r);
            total[2] += row.weight * (r / alpha - lives * k * by_d + dead * in_alpha);
            total[3] += row.weight * (ln_beta - lives * ln_f + dead * (1.0 / s + in_s));
            total[4] += row.weight * (s / beta - lives * s * by_f + dead * in_beta);
        });
        score_of(&sums, &[r, alpha, s, beta])
    }

    fn p_alive_by_row(&self, data: &Summaries) -> Vec<f64> {
        let ParetoNbd { r, alpha, s, beta } = *self;
        let living = self.living(data);
        let integrals = data.grid().integrate(r, alpha, s, beta);
        let p_alive = |i: usize| {
            let row = &data.rows[i];
            let [ln_d, ln_f, ..] = living[row.t as usize];
            let alive = -(r + f64::from(data.frequencies[row.x as usize])) * ln_d - s * ln_f;
            integrals.of_row(i).map_or(1.0, |left| softplus(alive - s.ln() - left.ln).1)
        };
        (0..data.rows.len()).into_par_iter().with_min_len(1024).map(p_alive).collect()
    }

    /// The conditional expectation of Fader & Hardie (2005) without its factor P(alive); the pole at s = 1 is divided
    /// out.
    fn expected_alive(&self, x: u32, age: f64, horizons: &[f64]) -> Vec<f64> {
        let rate = (self.r + f64::from(x)) / (self.alpha + age);
        let beta = self.beta + age;
        horizons.iter().map(|t| rate * beta * decay_integral(self.s - 1.0, (t / beta).ln_1p())).collect()
    }
}

impl ParetoNbd {
    /// `ln(α+T)`, `ln(β+T)` and the inverses of both sums, by level of T.
    fn living(&self, data: &Summaries) -> Vec<[f64; 4]> {
        chunks::map(&data.ages, |t| {
            let (d, f) = (self.alpha + t, self.beta + t);
            [d.ln(), f.ln(), d.recip(), f.recip()]
        })
    }
}

#[cfg(test)]
mod tests;
