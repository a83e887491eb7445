//! The weekly pattern by classical decomposition, and the test whether there is one.

/// How a season joins the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// level + season; indices sum to 0.
    Additive,
    /// level × season; indices average 1.
    Multiplicative,
}

/// Seasonal indices of `y` for the phases 0 … m−1, by the ratio (or difference) to the moving average.
///
/// The centred moving average has m terms, or m + 1 with halved ends when m is even (Makridakis, Wheelwright
/// & Hyndman 1998, chapter 3). `None` with fewer than two full seasons, or a moving average of 0 in a ratio.
pub fn indices(y: &[f64], m: usize, form: Form) -> Option<Vec<f64>> {
    if m < 2 || y.len() < 2 * m + 1 {
        return None;
    }
    let half = m / 2;
    let mut sums = vec![(0.0, 0usize); m];
    for t in half..y.len() - half {
        let average = moving_average(y, t, m);
        let detrended = match form {
            Form::Additive => y[t] - average,
            Form::Multiplicative => y[t] / average,
        };
        sums[t % m].0 += detrended;
        sums[t % m].1 += 1;
    }
    let raw: Vec<f64> = sums.iter().map(|(sum, n)| sum / (*n).max(1) as f64).collect();
    let mean = raw.iter().sum::<f64>() / m as f64;
    let normed: Vec<f64> = match form {
        Form::Additive => raw.iter().map(|s| s - mean).collect(),
        Form::Multiplicative => raw.iter().map(|s| s / mean).collect(),
    };
    let usable = |s: &f64| s.is_finite() && (form == Form::Additive || *s > 0.0);
    normed.iter().all(usable).then_some(normed)
}

/// The centred moving average of order `m` at `t`; the ends count half when `m` is even.
fn moving_average(y: &[f64], t: usize, m: usize) -> f64 {
    let half = m / 2;
    let window = &y[t - half..=t + half];
    let sum: f64 = window.iter().sum();
    if m % 2 == 1 { sum / m as f64 } else { (sum - 0.5 * (window[0] + window[m])) / m as f64 }
}

/// Says whether the autocorrelation of `y` at lag `m` is significant at 90 %, so that it has a season.
///
/// |r_m| > 1.645 √((1 + 2 Σ_{i<m} r_i²) / n), the test of Assimakopoulos & Nikolopoulos (2000), also
/// Fiorucci et al. (2016).
pub fn is_seasonal(y: &[f64], m: usize) -> bool {
    if m < 2 || y.len() < 3 * m {
        return false;
    }
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let variance: f64 = y.iter().map(|v| (v - mean).powi(2)).sum();
    let r = |lag: usize| -> f64 {
        y[lag..].iter().zip(y).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / variance
    };
    let before: f64 = (1..m).map(|lag| r(lag).powi(2)).sum();
    r(m).abs() > 1.645 * ((1.0 + 2.0 * before) / y.len() as f64).sqrt()
}
