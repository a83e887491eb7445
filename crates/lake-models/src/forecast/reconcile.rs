//! Coherence of a two-level hierarchy: the parts sum to the total, in every forecast that is published.

/// How parts and total are made to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconciliation {
    /// The total is the sum of the parts' forecasts.
    BottomUp,
    /// Weighted least squares with variances of the base forecasts' errors (MinT-WLS).
    Mint,
}

impl Reconciliation {
    /// The name in the published tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::BottomUp => "bottom_up",
            Self::Mint => "mint",
        }
    }
}

/// The reconciled forecasts of the parts, day by day; the total is their sum.
///
/// MinT with a diagonal error covariance (Wickramasuriya, Athanasopoulos & Hyndman 2019) has a
/// closed form at two levels: each part takes w_i / (w_0 + Σ w_j) of the gap between the total's forecast and
/// the sum of the parts', w being error variances. Without any variance the gap is left to the total.
pub fn mint(total: &[f64], parts: &[&[f64]], w_total: f64, w_parts: &[f64]) -> Vec<Vec<f64>> {
    let denominator = w_total + w_parts.iter().sum::<f64>();
    let sums = sum_of(parts, total.len());
    parts
        .iter()
        .zip(w_parts)
        .map(|(part, w)| {
            let share = if denominator > 0.0 { w / denominator } else { 0.0 };
            part.iter().zip(total.iter().zip(&sums)).map(|(p, (t, s))| p + share * (t - s)).collect()
        })
        .collect()
}

/// The sum of the parts, day by day over `days` days.
pub fn sum_of(parts: &[&[f64]], days: usize) -> Vec<f64> {
    (0..days).map(|h| parts.iter().map(|part| part[h]).sum()).collect()
}
