//! Dropout after a purchase: BG/NBD (Fader, Hardie & Lee 2005) and MBG/NBD (Batislam, Denizel & Filiztekin
//! 2007).
//!
//! Both let a customer leave with probability p ~ Beta(a, b) after each purchase; in the MBG/NBD after the
//! first as well. With j opportunities survived, j = x in one and x + 1 in the other, all their formulas are
//! the same.

use super::chunks;
use super::process::{Process, score_of};
use super::summary::{Row, Summaries};
use crate::optimise::Score;
use crate::special::{digamma_rise, ln_gamma, ln_rising, softplus};

/// Relative size of what a series may leave out.
const NEGLIGIBLE: f64 = 1e-14;

/// Poisson purchases at λ ~ Gamma(r, α), dropout with p ~ Beta(a, b) after each repeat purchase.
///
/// A customer without a repeat purchase is alive by construction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    /// Shape of the purchase rates.
    pub r: f64,
    /// Rate of the purchase rates, in weeks.
    pub alpha: f64,
    /// First parameter of the dropout probabilities, whose mean is a / (a + b).
    pub a: f64,
    /// Second parameter of the dropout probabilities.
    pub b: f64,
}

/// As [`BgNbd`], with a chance to leave right after the first purchase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MbgNbd {
    /// Shape of the purchase rates.
    pub r: f64,
    /// Rate of the purchase rates, in weeks.
    pub alpha: f64,
    /// First parameter of the dropout probabilities, whose mean is a / (a + b).
    pub a: f64,
    /// Second parameter of the dropout probabilities.
    pub b: f64,
}

/// The parameters of either model, with the number of opportunities to leave before the first repeat
/// purchase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BetaGeometric {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
    pub early: u32,
}

/// What of the likelihood depends on x alone.
struct Count {
    k: f64,
    value: f64,
    /// Partial derivatives in r, a and b.
    slopes: [f64; 3],
    /// `1 / (b + j − 1)` and `ln a − ln(b + j − 1)`; `None` where nobody can have left.
    leaving: Option<(f64, f64)>,
}

impl BetaGeometric {
    /// What depends on x alone: `ln Γ(r+x)/Γ(r) + ln B(a, b+j)/B(a, b)`.
    fn count(&self, x: u32) -> Count {
        let BetaGeometric { r, a, b, .. } = *self;
        let j = x + self.early;
        let both = digamma_rise(a + b, j);
        let rest = b + f64::from(j) - 1.0;
        Count {
            k: r + f64::from(x),
            value: ln_rising(r, x) + ln_rising(b, j) - ln_rising(a + b, j),
            slopes: [digamma_rise(r, x), -both, digamma_rise(b, j) - both],
            leaving: (j > 0).then(|| (rest.recip(), a.ln() - rest.ln())),
        }
    }

    /// The likelihood of Fader, Hardie & Lee (2005), equation 6, with the term of those still alive taken
    /// out: `… (α+T)^−(r+x) · (1 + a/(b+j−1) · ((α+T)/(α+t_x))^(r+x))`.
    fn score(&self, data: &Summaries) -> Score {
        let BetaGeometric { r, alpha, a, b, .. } = *self;
        let (counts, since, until) = self.tables(data);
        let ln_alpha = alpha.ln();
        let sums = chunks::sum(&data.rows, |_, row, total: &mut [f64; 5]| {
            let count = &counts[row.x as usize];
            let (e, ln_e) = since[row.t_x as usize];
            let (d, ln_d) = until[row.t as usize];
            let (rest, odds) = count.leaving.unwrap_or((0.0, f64::NEG_INFINITY));
            let (gain, left) = softplus(odds + count.k * (ln_d - ln_e));
            let [rise, both, one] = count.slopes;
            let value = count.value - r * (ln_d - ln_alpha) - (count.k - r) * ln_d + gain;
            total[0] += row.weight * value;
            total[1] += row.weight * (rise + ln_alpha - ln_d + left * (ln_d - ln_e));
            total[2] += row.weight * (r / alpha - count.k * ((1.0 - left) / d + left / e));
            total[3] += row.weight * (both + left / a);
            total[4] += row.weight * (one - left * rest);
        });
        score_of(&sums, &[r, alpha, a, b])
    }

    /// By level: what depends on x, `α + t_x` and `α + T` with their logarithms.
    #[expect(clippy::type_complexity, reason = "three tables that always go together")]
    fn tables(&self, data: &Summaries) -> (Vec<Count>, Vec<(f64, f64)>, Vec<(f64, f64)>) {
        let shifted = |t: &f64| (self.alpha + t, (self.alpha + t).ln());
        let counts = data.frequencies.iter().map(|&x| self.count(x)).collect();
        (counts, chunks::map(&data.recencies, shifted), chunks::map(&data.ages, shifted))
    }

    /// P(alive): Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model".
    fn p_alive_by_row(&self, data: &Summaries) -> Vec<f64> {
        let (counts, since, until) = self.tables(data);
        chunks::map(&data.rows, |row: &Row| {
            let count = &counts[row.x as usize];
            let Some((_, odds)) = count.leaving else { return 1.0 };
            let ahead = until[row.t as usize].1 - since[row.t_x as usize].1;
            softplus(-odds - count.k * ahead).1
        })
    }

    /// The numerator of Fader, Hardie & Lee (2005), equation 10, as a sum of positive terms.
    ///
    /// Purchase occasions in t weeks are negative binomial, N ~ NB(r + x, z) with z = t/(α+T+t), and of k
    /// occasions a living customer takes `e_k = Σ_{i<k} (b+j)_i / (a+b+j)_i`. `Σ P(N = k) e_k` is the
    /// published ₂F₁ form with its pole at a = 1 divided out, and nothing in it overflows.
    fn expected_alive(&self, x: u32, age: f64, horizons: &[f64]) -> Vec<f64> {
        let shape = self.r + f64::from(x);
        let j = f64::from(x + self.early);
        let mut taken = Taken { e: vec![0.0], next: 1.0, b: self.b + j, c: self.a + self.b + j };
        horizons
            .iter()
            .map(|&t| if t > 0.0 { expectation(&mut taken, shape, t / (self.alpha + age)) } else { 0.0 })
            .collect()
    }
}

/// `e_k`, as far as it has been asked for.
struct Taken {
    e: Vec<f64>,
    /// `(b)_i / (c)_i` of the next term.
    next: f64,
    b: f64,
    c: f64,
}

impl Taken {
    fn up_to(&mut self, k: usize) -> f64 {
        while self.e.len() <= k {
            let i = (self.e.len() - 1) as f64;
            let last = self.e[self.e.len() - 1];
            self.e.push(last + self.next);
            self.next *= (self.b + i) / (self.c + i);
        }
        self.e[k]
    }
}

/// `Σ P(N = k) e_k` over a negative binomial N with this shape and mean `shape · odds`, outwards from its
/// mode.
fn expectation(taken: &mut Taken, shape: f64, odds: f64) -> f64 {
    let z = odds / (1.0 + odds);
    let mode = ((shape - 1.0) * odds).floor().max(0.0);
    let ln_mode = ln_gamma(shape + mode) - ln_gamma(shape) - ln_gamma(mode + 1.0) + mode * z.ln()
        - shape * odds.ln_1p();
    let (mut p, mut sum, mut k) = (ln_mode.exp(), 0.0, mode);
    loop {
        let term = p * taken.up_to(k as usize);
        sum += term;
        let ratio = z * (shape + k) / (k + 1.0);
        // The terms after this one fall at least as fast as a geometric series, but for the growth of e.
        if ratio < 1.0 && k > 2.0 && term * (1.0 + 1.0 / k) <= NEGLIGIBLE * (1.0 - ratio) * sum {
            break;
        }
        p *= ratio;
        k += 1.0;
    }
    let (mut p, mut k) = (ln_mode.exp(), mode);
    while k > 1.0 {
        p *= k / ((shape + k - 1.0) * z);
        k -= 1.0;
        let term = p * taken.up_to(k as usize);
        sum += term;
        if term * k <= NEGLIGIBLE * sum {
            break;
        }
    }
    sum
}

/// The two models differ in name and in `early` alone.
macro_rules! process {
    ($model:ident, $name:literal, $early:literal) => {
        impl From<&$model> for BetaGeometric {
            fn from(m: &$model) -> Self {
                BetaGeometric { r: m.r, alpha: m.alpha, a: m.a, b: m.b, early: $early }
            }
        }

        impl Process for $model {
            const NAME: &'static str = $name;
            const PARAMETERS: &'static [&'static str] = &["r", "alpha", "a", "b"];

            fn from_values(v: &[f64]) -> Self {
                $model { r: v[0], alpha: v[1], a: v[2], b: v[3] }
            }

            fn values(&self) -> Vec<f64> {
                vec![self.r, self.alpha, self.a, self.b]
            }

            fn starts(rate: f64, _weeks: f64) -> Vec<Vec<f64>> {
                let shapes = [[0.3, 0.8, 2.5], [1.0, 0.2, 3.0], [2.0, 2.0, 20.0]];
                shapes.iter().map(|&[r, a, b]| vec![r, 0.7 * r / rate, a, b]).collect()
            }

            fn score(&self, data: &Summaries) -> Score {
                BetaGeometric::from(self).score(data)
            }

            fn p_alive_by_row(&self, data: &Summaries) -> Vec<f64> {
                BetaGeometric::from(self).p_alive_by_row(data)
            }

            fn expected_alive(&self, x: u32, age: f64, horizons: &[f64]) -> Vec<f64> {
                BetaGeometric::from(self).expected_alive(x, age, horizons)
            }
        }
    };
}

process!(BgNbd, "bg_nbd", 0);
process!(MbgNbd, "mbg_nbd", 1);

#[cfg(test)]
mod tests;
