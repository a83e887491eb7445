//! From purchase days to what each customer is worth: the whole way, in order.

use rayon::prelude::*;

use super::choose::{Choice, ModelChoice, Purchases};
use super::clv::ClvParams;
use super::gamma_gamma::Spend;
use super::interval::Futures;
use super::spend::{OrderValue, spend_of};
use super::summary::{Customer, DAYS_PER_WEEK, History, PurchaseDay, Summaries};
use super::validate::{Split, Validation, calibration_end};
use crate::Error;

/// Days ahead for which expected purchases are told.
const HORIZONS_DAYS: [f64; 3] = [30.0, 90.0, 365.0];

/// How value is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueParams {
    /// Which purchase model.
    pub model: ModelChoice,
    /// Over which time value counts.
    pub clv: ClvParams,
    /// The share of the time span that calibration takes.
    pub calibration_share: f64,
}

impl Default for ValueParams {
    fn default() -> Self {
        ValueParams { model: ModelChoice::Auto, clv: ClvParams::default(), calibration_share: 0.75 }
    }
}

/// What is known and expected of a customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerValue {
    /// The purchase history.
    pub history: History,
    /// Probability that the customer has not left; `None` for a model without dropout.
    pub p_alive: Option<f64>,
    /// Expected purchases within 30, 90 and 365 days.
    pub expected_purchases: [f64; 3],
    /// Expected net spend of a purchase.
    pub expected_order_value: f64,
    /// Expected discounted spend over the months of [`ClvParams`].
    pub clv: f64,
    /// The 5 % and the 95 % quantile of the discounted spend; see [`Futures`].
    pub clv_interval: [f64; 2],
}

/// The value of all customers and the models behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// In the order of the histories; `None` for a customer without a purchase day, who is worth 0.
    pub customers: Vec<Option<CustomerValue>>,
    /// The purchase model, and why it was chosen.
    pub choice: Choice,
    /// The model of order value.
    pub order_value: OrderValue,
    /// How the models do on the holdout, or why that cannot be said.
    pub validation: Result<Validation, Error>,
}

/// The purchase days of all customers.
#[derive(Debug, Clone, Copy)]
pub struct PurchaseDays<'a, H> {
    /// By customer, in order of the day.
    pub days: &'a [H],
    /// The same as known at [`calibration_end`], before later returns; `None` where that cannot be told.
    pub known_at_cut: Option<&'a [H]>,
    /// The first day that is not read.
    pub as_of: i32,
}

impl ValueParams {
    /// Chooses and fits the models, values every customer, and validates on a holdout.
    ///
    /// # Errors
    /// [`Error::Empty`] where nobody bought before `as_of`; [`Error::Invalid`] for parameters or histories
    /// that make no sense. What cannot be fitted becomes a simpler model, which says why.
    pub fn estimate<H: AsRef<[PurchaseDay]> + Sync>(
        &self,
        input: PurchaseDays<'_, H>,
    ) -> Result<Estimate, Error> {
        self.check(&input)?;
        let histories: Vec<Option<History>> = input
            .days
            .par_iter()
            .map(|d| History::as_of(d.as_ref(), input.as_of))
            .collect::<Result<_, _>>()?;
        let known: Vec<History> = histories.iter().flatten().copied().collect();
        let Some(first_day) = known.iter().map(|h| h.first_day).min() else {
            return Err(Error::Empty(format!("no customer has a purchase day before day {}", input.as_of)));
        };
        let data = Summaries::new(&known.iter().map(History::customer).collect::<Vec<Customer>>())?;
        let cut = calibration_end(first_day, input.as_of, self.calibration_share);
        let split = Split::new(input.known_at_cut.unwrap_or(input.days), input.days, cut, input.as_of);
        let choice = self.model.fit(&data, split.as_ref().ok().map(Split::holdout))?;
        let order_value = OrderValue::fit(&known)?;
        let (values, validation) = rayon::join(
            || self.values(&known, &data, &choice.purchases, &order_value),
            || split.and_then(|split| Validation::new(same(&choice.purchases), &split)),
        );
        let mut values = values?.into_iter();
        let customers = histories.iter().map(|h| h.and_then(|_| values.next())).collect();
        Ok(Estimate { customers, choice, order_value, validation })
    }

    fn check<H>(&self, input: &PurchaseDays<'_, H>) -> Result<(), Error> {
        self.clv.check()?;
        if !(self.calibration_share > 0.0 && self.calibration_share < 1.0) {
            return Err(Error::Invalid(format!("a calibration share of {}", self.calibration_share)));
        }
        let customers = input.days.len();
        if input.known_at_cut.is_some_and(|k| k.len() != customers) {
            return Err(Error::Invalid(
                "the two views of the purchase days are of different customers".to_owned(),
            ));
        }
        Ok(())
    }

    /// The values of customers with a history.
    fn values(
        &self,
        histories: &[History],
        data: &Summaries,
        purchases: &Purchases,
        order_value: &OrderValue,
    ) -> Result<Vec<CustomerValue>, Error> {
        let spend: Vec<Spend> = histories.iter().map(spend_of).collect();
        let months = self.clv.month_ends();
        let ahead = HORIZONS_DAYS.map(|days| days / DAYS_PER_WEEK);
        let horizons: Vec<f64> = months.iter().copied().chain(ahead).collect();
        let expected = purchases.expected_purchases(data, &horizons);
        let (by_month, by_horizon) = expected.split_at(months.len());
        let discounted = self.clv.discounted_purchases(by_month);
        let p_alive = purchases.p_alive(data);
        let intervals = Futures { data, spend: &spend }.interval(&self.clv, purchases, order_value)?;
        let value = |i: usize| {
            let expected_order_value = order_value.expected(spend[i]);
            CustomerValue {
                history: histories[i],
                p_alive: p_alive.as_ref().map(|p| p[i]),
                expected_purchases: std::array::from_fn(|h| by_horizon[h][i]),
                expected_order_value,
                clv: discounted[i] * expected_order_value,
                clv_interval: intervals[i],
            }
        };
        Ok((0..histories.len()).map(value).collect())
    }
}

/// The order for the kind of model that was found.
fn same(purchases: &Purchases) -> ModelChoice {
    match purchases {
        Purchases::BgNbd(_) => ModelChoice::BgNbd,
        Purchases::MbgNbd(_) => ModelChoice::MbgNbd,
        Purchases::ParetoNbd(_) => ModelChoice::ParetoNbd,
        Purchases::Nbd(_) | Purchases::Poisson(_) => ModelChoice::Nbd,
    }
}
