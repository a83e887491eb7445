//! Special functions of the purchase models, to 1e-10 relative.
//!
//! `ln Γ` and `ψ` are those of `statrs`; differences of them, which lose digits where the argument is large,
//! are taken here as sums over the whole numbers between.

pub use statrs::function::gamma::{digamma, ln_gamma};

/// Up to this many factors a rising factorial is a sum of logarithms rather than a difference of `ln Γ`.
const SUMMED_FACTORS: u32 = 64;

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

#[cfg(test)]
mod tests;
