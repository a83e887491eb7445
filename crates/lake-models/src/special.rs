//! Special functions of the purchase models: gamma, beta and Gauss' hypergeometric function, to 1e-10
//! relative.
//!
//! `ln Γ` and `ψ` are those of `statrs`; differences of them, which lose digits where the argument is large,
//! are taken here as sums over the whole numbers between.

pub use statrs::function::gamma::{digamma, ln_gamma};

/// Up to this many factors a rising factorial is a sum of logarithms rather than a difference of `ln Γ`.
const SUMMED_FACTORS: u32 = 64;

/// Terms after which a hypergeometric series counts as not convergent.
const MAX_TERMS: u32 = 2_000_000;

/// `ln B(a, b)`, for `a, b > 0`.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    ln_gamma(small) - ln_gamma_step(large, small)
}

/// `ln Γ(a + d) − ln Γ(a)`, for `a, d > 0`: by Stirling's series where the two are large and their difference
/// is not.
fn ln_gamma_step(a: f64, d: f64) -> f64 {
    if a < 50.0 {
        return ln_gamma(a + d) - ln_gamma(a);
    }
    let series = |z: f64| (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * z * z)) / (z * z)) / z;
    (a - 0.5) * (d / a).ln_1p() + d * ((a + d).ln() - 1.0) + series(a + d) - series(a)
}

/// Logarithm of the rising factorial, `ln Γ(a + n) − ln Γ(a)`, for `a > 0`.
pub fn ln_rising(a: f64, n: u32) -> f64 {
    if n <= SUMMED_FACTORS {
        return (0..n).map(|i| (a + f64::from(i)).ln()).sum();
    }
    ln_gamma_step(a, f64::from(n))
}

/// Derivative of [`ln_rising`] in `a`: `ψ(a + n) − ψ(a)`.
pub fn digamma_rise(a: f64, n: u32) -> f64 {
    if n <= SUMMED_FACTORS {
        return (0..n).map(|i| (a + f64::from(i)).recip()).sum();
    }
    digamma(a + f64::from(n)) - digamma(a)
}

/// `ln(1 + eᵈ)` and its derivative, the logistic function; neither overflows.
pub fn softplus(d: f64) -> (f64, f64) {
    let e = (-d.abs()).exp();
    let weight = if d > 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
    (d.max(0.0) + e.ln_1p(), weight)
}

/// `(1 − e^(−cu)) / c`, continued to `u` at `c = 0`.
pub fn decay_integral(c: f64, u: f64) -> f64 {
    if (c * u).abs() < 1e-8 { u * (1.0 - 0.5 * c * u) } else { -(-c * u).exp_m1() / c }
}

/// Gauss' hypergeometric function ₂F₁(a, b; c; z) for real arguments, `c > 0` and `z < 1`.
///
/// Negative `z` goes through Pfaff's transformation (Abramowitz & Stegun 15.3.4), and Euler's (15.3.3) is
/// used where it leaves the smaller terms. Returns `None` outside that domain, and where the series does not
/// settle.
pub fn gauss_2f1(a: f64, b: f64, c: f64, z: f64) -> Option<f64> {
    let finite = [a, b, c, z].iter().all(|v| v.is_finite());
    if !finite || c <= 0.0 || z >= 1.0 {
        return None;
    }
    if z < 0.0 {
        // Of the two forms the one whose free parameter stays positive keeps the terms of one sign.
        let w = z / (z - 1.0);
        let (base, other) = if c - a >= c - b { (b, c - a) } else { (a, c - b) };
        return Some((1.0 - z).powf(-base) * gauss_2f1(base, other, c, w)?);
    }
    let (euler_a, euler_b) = (c - a, c - b);
    if euler_a > 0.0 && euler_b > 0.0 && euler_a * euler_b < (a * b).abs() {
        return Some((1.0 - z).powf(c - a - b) * series_2f1(euler_a, euler_b, c, z)?);
    }
    series_2f1(a, b, c, z)
}

/// The defining series of ₂F₁ (Abramowitz & Stegun 15.1.1), for `0 ≤ z < 1`.
fn series_2f1(a: f64, b: f64, c: f64, z: f64) -> Option<f64> {
    let (mut term, mut sum) = (1.0_f64, 1.0_f64);
    for k in 0..MAX_TERMS {
        let k = f64::from(k);
        let ratio = (a + k) * (b + k) / ((c + k) * (k + 1.0)) * z;
        term *= ratio;
        sum += term;
        if !sum.is_finite() {
            return None;
        }
        let falling = ratio.abs() < 1.0 && a + k > 0.0 && b + k > 0.0;
        if term == 0.0
            || falling && term.abs() * ratio.abs().max(z) <= 1e-15 * (1.0 - ratio.abs().max(z)) * sum.abs()
        {
            return Some(sum);
        }
    }
    None
}

#[cfg(test)]
mod tests;
