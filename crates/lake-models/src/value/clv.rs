//! The value of a customer over the next months: expected purchases times expected order value, discounted.

use super::summary::DAYS_PER_WEEK;
use crate::Error;

/// Weeks in a month, of 30 days.
pub(crate) const MONTH_WEEKS: f64 = 30.0 / DAYS_PER_WEEK;

/// Over which time value is counted, and what later money is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClvParams {
    /// Months of 30 days ahead.
    pub months: u32,
    /// Discount of money by month: 0.01 is 1 %.
    pub monthly_discount_rate: f64,
    /// Simulated futures per customer behind the interval.
    pub draws: u32,
    /// Where all chance comes from.
    pub seed: u64,
}

impl Default for ClvParams {
    fn default() -> Self {
        ClvParams { months: 12, monthly_discount_rate: 0.01, draws: 200, seed: 0 }
    }
}

impl ClvParams {
    /// Refuses what no value can be computed from.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no months or draws, or a discount rate that is not finite and above −1.
    pub fn check(&self) -> Result<(), Error> {
        if self.months == 0 || self.draws == 0 {
            return Err(Error::Invalid("months and draws must be at least 1".to_owned()));
        }
        if !self.monthly_discount_rate.is_finite() || self.monthly_discount_rate <= -1.0 {
            return Err(Error::Invalid(format!("monthly discount rate {}", self.monthly_discount_rate)));
        }
        Ok(())
    }

    /// The ends of the months, in weeks from now.
    pub fn month_ends(&self) -> Vec<f64> {
        (1..=self.months).map(|k| f64::from(k) * MONTH_WEEKS).collect()
    }

    /// What money of month k = 1, 2, … is worth now: `(1 + rate)^−k`.
    pub fn discount_factors(&self) -> Vec<f64> {
        (1..=self.months).map(|k| (1.0 + self.monthly_discount_rate).powi(-(k as i32))).collect()
    }

    /// Expected purchases of each customer, discounted: `Σ_k (E[Y(k)] − E[Y(k−1)]) / (1 + rate)^k`.
    ///
    /// `expected` holds, by month end, the expected purchases until then, one value per customer. Times the
    /// order value this is the CLV.
    pub fn discounted_purchases(&self, expected: &[Vec<f64>]) -> Vec<f64> {
        let factors = self.discount_factors();
        let of = |i: usize| {
            let mut before = 0.0;
            let month = |(until, factor): (&Vec<f64>, &f64)| {
                let gain = until[i] - before;
                before = until[i];
                gain * factor
            };
            expected.iter().zip(&factors).map(month).sum()
        };
        (0..expected.first().map_or(0, Vec::len)).map(of).collect()
    }
}
