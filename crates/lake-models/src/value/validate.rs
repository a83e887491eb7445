//! How good predictions are on customers' later purchases: general measures, and the split that they are
//! taken on.

use super::choose::{Holdout, ModelChoice};
use super::spend::{OrderValue, spend_of};
use super::summary::{Customer, DAYS_PER_WEEK, History, PurchaseDay, Summaries};
use crate::Error;

/// The frequency from which customers share the last bucket.
const LAST_BUCKET: u32 = 7;

/// How far predictions lie from what came, and how well they order customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Mean absolute error.
    pub mae: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// (Σ predicted − Σ actual) / Σ actual, in percent; `None` where nothing came.
    pub total_error_pct: Option<f64>,
    /// The normalised Gini coefficient of their order: 1 for the perfect one, 0 for chance, −1 for its
    /// reverse; `None` where all actual values are equal.
    pub gini: Option<f64>,
    /// What the tenth of customers with the highest prediction brought, as a multiple of a tenth of all; `None`
    /// where nothing came.
    pub top_decile_lift: Option<f64>,
}

impl Accuracy {
    /// Holds `predicted` against `actual`, customer by customer, in the same unit.
    ///
    /// # Errors
    /// [`Error::Empty`] for no customers; [`Error::Invalid`] for lengths that differ, values that are not
    /// finite, or a negative actual value.
    pub fn of(predicted: &[f64], actual: &[f64]) -> Result<Self, Error> {
        check(predicted, actual)?;
        let n = actual.len() as f64;
        let errors = || predicted.iter().zip(actual).map(|(p, a)| p - a);
        let total: f64 = actual.iter().sum();
        Ok(Accuracy {
            mae: errors().map(f64::abs).sum::<f64>() / n,
            rmse: (errors().map(|e| e * e).sum::<f64>() / n).sqrt(),
            total_error_pct: (total > 0.0).then(|| 100.0 * errors().sum::<f64>() / total),
            gini: gini(predicted, actual),
            top_decile_lift: top_decile_lift(predicted, actual),
        })
    }
}

fn check(predicted: &[f64], actual: &[f64]) -> Result<(), Error> {
    if actual.is_empty() {
        return Err(Error::Empty("there are no customers to validate on".to_owned()));
    }
    if predicted.len() != actual.len() {
        let what = format!("{} predictions for {} customers", predicted.len(), actual.len());
        return Err(Error::Invalid(what));
    }
    let bad = |i: &usize| !predicted[*i].is_finite() || !actual[*i].is_finite() || actual[*i] < 0.0;
    match (0..actual.len()).find(bad) {
        Some(i) => {
            Err(Error::Invalid(format!("customer {i}: predicted {}, actual {}", predicted[i], actual[i])))
        }
        None => Ok(()),
    }
}

/// The normalised Gini coefficient of an order.
///
/// The area between the diagonal and the concentration curve (share of `actual` against share of customers,
/// from the highest `predicted` down), divided by that of the perfect order. Customers of equal prediction
/// share what they brought.
fn gini(predicted: &[f64], actual: &[f64]) -> Option<f64> {
    let perfect = concentration(actual, actual)?;
    let gini = concentration(predicted, actual)? / perfect;
    (perfect > 1e-12).then_some(gini)
}

/// Twice the area between the concentration curve and the diagonal; `None` where nothing came.
fn concentration(predicted: &[f64], actual: &[f64]) -> Option<f64> {
    let total: f64 = actual.iter().sum();
    let n = actual.len() as f64;
    let (mut share, mut area) = (0.0, 0.0);
    for (size, sum) in steps(predicted, actual) {
        let next = share + sum / total;
        area += (share + next) * size / n;
        share = next;
    }
    (total > 0.0).then_some(area - 1.0)
}

/// The share of `actual` that the tenth of customers with the highest `predicted` brought, divided by a
/// tenth.
///
/// Where a tenth cuts through customers of equal prediction, or through a customer, it takes its part of
/// them.
fn top_decile_lift(predicted: &[f64], actual: &[f64]) -> Option<f64> {
    let total: f64 = actual.iter().sum();
    let mut room = actual.len() as f64 / 10.0;
    let mut brought = 0.0;
    for (size, sum) in steps(predicted, actual) {
        let taken = room.min(size);
        brought += sum * taken / size;
        room -= taken;
    }
    (total > 0.0).then_some(brought / total / 0.1)
}

/// From the highest prediction down: how many customers share it, and what they brought.
fn steps(predicted: &[f64], actual: &[f64]) -> Vec<(f64, f64)> {
    let mut order: Vec<(f64, f64)> = predicted.iter().copied().zip(actual.iter().copied()).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
    let step = |equal: &[(f64, f64)]| (equal.len() as f64, equal.iter().map(|e| e.1).sum());
    order.chunk_by(|a, b| a.0 == b.0).map(step).collect()
}

/// The customers of one calibration frequency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Repeat purchases in calibration; the last bucket's, 7, stands for that and more.
    pub frequency: u32,
    /// How many customers.
    pub customers: usize,
    /// What was predicted for all of them.
    pub expected: f64,
    /// What came of all of them.
    pub actual: f64,
}

/// Sums predictions and actual values by frequency 0, 1, … 7+; buckets without customers stay, at 0.
fn by_frequency(frequency: &[u32], predicted: &[f64], actual: &[f64]) -> Vec<Bucket> {
    let empty = |frequency| Bucket { frequency, customers: 0, expected: 0.0, actual: 0.0 };
    let mut buckets: Vec<Bucket> = (0..=LAST_BUCKET).map(empty).collect();
    for ((x, p), a) in frequency.iter().zip(predicted).zip(actual) {
        let bucket = &mut buckets[(*x).min(LAST_BUCKET) as usize];
        bucket.customers += 1;
        bucket.expected += p;
        bucket.actual += a;
    }
    buckets
}

/// The customers first seen before a day, and what they did from then on.
#[derive(Debug)]
pub(crate) struct Split {
    /// Days of the holdout.
    pub holdout_days: i32,
    /// Histories at the end of calibration.
    pub calibration: Vec<History>,
    /// Histories of the same customers at the end of the holdout.
    pub extended: Vec<History>,
    /// Both as the purchase models read them.
    summaries: [Summaries; 2],
}

/// The first day of the holdout where calibration takes this share of the days from `first_day` to `as_of`.
pub fn calibration_end(first_day: i32, as_of: i32, share: f64) -> i32 {
    first_day + (f64::from(as_of - first_day) * share).round() as i32
}

impl Split {
    /// Splits purchase days at `cut`: calibration before it, holdout from it until the day before `as_of`.
    ///
    /// `known_then` are the purchase days as they were known at the cut, `known_now` as they are now,
    /// customer by customer; they differ where later returns have lowered what was spent before. Pass the
    /// same twice where that cannot be told.
    ///
    /// # Errors
    /// [`Error::Invalid`] for lengths that differ, histories out of order, or `cut` outside of the span;
    /// [`Error::Empty`] where nobody bought before the cut.
    pub fn new<H: AsRef<[PurchaseDay]>>(
        known_then: &[H],
        known_now: &[H],
        cut: i32,
        as_of: i32,
    ) -> Result<Self, Error> {
        if known_then.len() != known_now.len() {
            return Err(Error::Invalid("two views of different customers".to_owned()));
        }
        if cut >= as_of {
            return Err(Error::Empty(
                "the history is too short to be parted into calibration and holdout".into(),
            ));
        }
        let (mut calibration, mut extended) = (Vec::new(), Vec::new());
        for (then, now) in known_then.iter().zip(known_now) {
            let Some(history) = History::as_of(then.as_ref(), cut)? else { continue };
            let before = then.as_ref().iter().filter(|d| d.day < cut);
            let days: Vec<PurchaseDay> =
                before.chain(now.as_ref().iter().filter(|d| d.day >= cut)).copied().collect();
            calibration.push(history);
            extended.extend(History::as_of(&days, as_of)?);
        }
        if calibration.is_empty() {
            return Err(Error::Empty(format!("no customer bought before day {cut}")));
        }
        let weeks =
            |h: &[History]| Summaries::new(&h.iter().map(History::customer).collect::<Vec<Customer>>());
        let summaries = [weeks(&calibration)?, weeks(&extended)?];
        Ok(Split { holdout_days: as_of - cut, calibration, extended, summaries })
    }

    /// What models are chosen by.
    pub fn holdout(&self) -> Holdout<'_> {
        let [calibration, extended] = &self.summaries;
        Holdout { calibration, extended }
    }

    /// Purchase days in the holdout, customer by customer.
    pub fn actual_purchases(&self) -> Vec<f64> {
        self.pairs().map(|(before, after)| f64::from(after.frequency - before.frequency)).collect()
    }

    /// Net spend on the purchase days of the holdout, customer by customer.
    pub fn actual_spend(&self) -> Vec<f64> {
        self.pairs().map(|(before, after)| (after.total_spend - before.total_spend).max(0.0)).collect()
    }

    /// `clv_simple` at the end of calibration: purchase days × total spend / (days since the last one + 1).
    pub fn simple_rule(&self) -> Vec<f64> {
        let rule = |h: &History| {
            (f64::from(h.frequency) + 1.0) * h.total_spend / f64::from(h.age_days - h.recency_days + 1)
        };
        self.calibration.iter().map(rule).collect()
    }

    /// `clv_naive_365` at the end of calibration, for the days of the holdout: total spend / tenure × days.
    pub fn naive_rule(&self) -> Vec<f64> {
        let days = f64::from(self.holdout_days);
        self.calibration.iter().map(|h| h.total_spend / f64::from(h.age_days) * days).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&History, &History)> {
        self.calibration.iter().zip(&self.extended)
    }
}

/// How the models and the rules of thumb did on the holdout.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Customers first seen in calibration.
    pub customers: usize,
    /// The purchase model, fitted to calibration alone, and the model of order value.
    pub models: [&'static str; 2],
    /// Expected and actual purchase days by calibration frequency.
    pub buckets: Vec<Bucket>,
    /// Purchase days by the model.
    pub purchases: Accuracy,
    /// Net spend by the models (expected purchases × expected order value).
    pub spend: Accuracy,
    /// Net spend by `clv_simple` at the end of calibration, in purchase days and net spend: no amount for a
    /// time, so that its order alone says something.
    pub clv_simple: Accuracy,
    /// Net spend by `clv_naive_365` at the end of calibration, in net spend, for the days of the holdout.
    pub clv_naive: Accuracy,
}

impl Validation {
    /// Fits `model` and the order value to calibration and holds them against the holdout.
    ///
    /// # Errors
    /// As [`ModelChoice::fit`] and [`OrderValue::fit`], on calibration.
    pub(crate) fn new(model: ModelChoice, split: &Split) -> Result<Self, Error> {
        let Holdout { calibration, .. } = split.holdout();
        let purchases = model.fit(calibration, None)?.purchases;
        let value = OrderValue::fit(&split.calibration)?;
        let weeks = f64::from(split.holdout_days) / DAYS_PER_WEEK;
        let expected = purchases.expected_purchases(calibration, &[weeks]).concat();
        let money = |(h, e): (&History, &f64)| e * value.expected(spend_of(h));
        let money: Vec<f64> = split.calibration.iter().zip(&expected).map(money).collect();
        let (actual, spent) = (split.actual_purchases(), split.actual_spend());
        let frequency: Vec<u32> = split.calibration.iter().map(|h| h.frequency).collect();
        Ok(Validation {
            customers: split.calibration.len(),
            models: [purchases.name(), value.name()],
            buckets: by_frequency(&frequency, &expected, &actual),
            purchases: Accuracy::of(&expected, &actual)?,
            spend: Accuracy::of(&money, &spent)?,
            clv_simple: Accuracy::of(&split.simple_rule(), &spent)?,
            clv_naive: Accuracy::of(&split.naive_rule(), &spent)?,
        })
    }
}

#[cfg(test)]
mod tests;
