//! What a purchase of each customer is expected to cost: Gamma–Gamma, or plain means where that cannot be
//! fitted.

use super::gamma_gamma::{FittedSpend, GammaGamma, Spend};
use super::summary::History;
use crate::Error;

/// How the value of a purchase is predicted.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderValue {
    /// By the Gamma–Gamma model.
    GammaGamma(FittedSpend),
    /// By the customer's own mean where there is one, else by that of all purchase days.
    Mean {
        /// Mean net spend of all purchase days.
        population: f64,
        /// Why no model was fitted.
        reason: String,
    },
}

impl OrderValue {
    /// Fits the Gamma–Gamma model, or takes means and says why.
    ///
    /// # Errors
    /// [`Error::Empty`] without any history; [`Error::Invalid`] for amounts that are not finite.
    pub fn fit(histories: &[History]) -> Result<Self, Error> {
        if histories.is_empty() {
            return Err(Error::Empty("there are no customers".to_owned()));
        }
        let spend: Vec<Spend> = histories.iter().map(spend_of).collect();
        match GammaGamma::fit(&spend) {
            Ok(fitted) => Ok(OrderValue::GammaGamma(fitted)),
            Err(invalid @ Error::Invalid(_)) => Err(invalid),
            Err(reason) => {
                // Sorted, so that the sum does not depend on the order of the customers.
                let mut total: Vec<f64> = histories.iter().map(|h| h.total_spend).collect();
                total.sort_unstable_by(f64::total_cmp);
                let days: f64 = histories.iter().map(|h| f64::from(h.frequency) + 1.0).sum();
                let population = total.iter().sum::<f64>() / days;
                Ok(OrderValue::Mean { population, reason: reason.to_string() })
            }
        }
    }

    /// Name, as tables show it: `gamma_gamma` or `mean_spend`.
    pub fn name(&self) -> &'static str {
        match self {
            OrderValue::GammaGamma(_) => GammaGamma::NAME,
            OrderValue::Mean { .. } => "mean_spend",
        }
    }

    /// E\[M\], the expected net spend of a customer's purchase.
    pub fn expected(&self, spend: Spend) -> f64 {
        match self {
            OrderValue::GammaGamma(fitted) => fitted.model.expected(spend),
            OrderValue::Mean { .. } if spend.x > 0 && spend.mean > 0.0 => spend.mean,
            OrderValue::Mean { population, .. } => *population,
        }
    }
}

/// The part of a history that says what a purchase costs.
pub(crate) fn spend_of(history: &History) -> Spend {
    Spend { x: history.frequency, mean: history.monetary_value }
}
