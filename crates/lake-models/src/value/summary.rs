//! What the purchase models read of a customer, and many customers as weighted unique rows.
//!
//! The convention is that of Fader & Hardie: several purchases on a day are one, the first purchase is no
//! repeat, and time starts with it. Days enter as whole numbers, models work in weeks.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::grid::PurchaseGrid;
use crate::Error;

/// The farthest day number, so that differences of days are whole numbers of 32 bits.
const FARTHEST_DAY: u32 = 100_000_000;

/// Days in the unit of time of every model.
pub const DAYS_PER_WEEK: f64 = 7.0;

/// The sufficient statistics of a purchase history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Customer {
    /// Repeat purchases: purchase days less one.
    pub x: u32,
    /// Weeks from the first to the last purchase; 0 where `x = 0`.
    pub t_x: f64,
    /// Weeks from the first purchase to the as-of day.
    pub t: f64,
}

/// What a customer spent, net, on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PurchaseDay {
    /// Day number; any origin, the same for all.
    pub day: i32,
    /// Sales less what was given back of them, in units of money.
    pub net_spend: f64,
}

/// A purchase history as of a day, in days and money.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct History {
    /// x: purchase days less one.
    pub frequency: u32,
    /// First purchase day.
    pub first_day: i32,
    /// t_x in days: last purchase day less the first.
    pub recency_days: i32,
    /// T in days: as-of day less the first purchase day.
    pub age_days: i32,
    /// Mean net spend per purchase day, leaving out the first; 0 where `frequency = 0`.
    pub monetary_value: f64,
    /// Net spend over all purchase days.
    pub total_spend: f64,
}

impl History {
    /// Sums up the days before `as_of`; `None` where none of them has a positive net spend.
    ///
    /// `days` stands in order, one entry a day. A day whose net spend is not positive is no purchase day.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the days are out of order or range, or an amount is not finite.
    pub fn as_of(days: &[PurchaseDay], as_of: i32) -> Result<Option<History>, Error> {
        if let Some(pair) = days.windows(2).find(|pair| pair[0].day >= pair[1].day) {
            return Err(Error::Invalid(format!("day {} follows day {}", pair[1].day, pair[0].day)));
        }
        let ends = [Some(as_of), days.first().map(|d| d.day), days.last().map(|d| d.day)];
        if let Some(far) = ends.into_iter().flatten().find(|day| day.unsigned_abs() > FARTHEST_DAY) {
            return Err(Error::Invalid(format!("day {far} is out of range")));
        }
        if let Some(bad) = days.iter().find(|d| !d.net_spend.is_finite()) {
            return Err(Error::Invalid(format!("net spend {} on day {}", bad.net_spend, bad.day)));
        }
        let mut bought = days.iter().filter(|d| d.day < as_of && d.net_spend > 0.0);
        let Some(first) = bought.next() else { return Ok(None) };
        let (mut frequency, mut last_day, mut repeat_spend) = (0_u32, first.day, 0.0);
        for day in bought {
            frequency += 1;
            last_day = day.day;
            repeat_spend += day.net_spend;
        }
        Ok(Some(History {
            frequency,
            first_day: first.day,
            recency_days: last_day - first.day,
            age_days: as_of - first.day,
            monetary_value: if frequency == 0 { 0.0 } else { repeat_spend / f64::from(frequency) },
            total_spend: first.net_spend + repeat_spend,
        }))
    }

    /// The same in weeks.
    pub fn customer(&self) -> Customer {
        let weeks = |days: i32| f64::from(days) / DAYS_PER_WEEK;
        Customer { x: self.frequency, t_x: weeks(self.recency_days), t: weeks(self.age_days) }
    }
}

/// A unique (x, t_x, T), as positions in the levels of [`Summaries`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub x: u32,
    pub t_x: u32,
    pub t: u32,
    /// How many customers it stands for.
    pub weight: f64,
}

/// Customers collapsed to unique rows in the order of (x, T, t_x), whatever the order they came in.
#[derive(Debug)]
pub struct Summaries {
    pub(crate) rows: Vec<Row>,
    /// Distinct x, ascending; likewise the distinct t_x and T.
    pub(crate) frequencies: Vec<u32>,
    pub(crate) recencies: Vec<f64>,
    pub(crate) ages: Vec<f64>,
    /// The row of each customer, in the order they came in.
    pub(crate) row_of: Vec<u32>,
    customers: f64,
    grid: OnceLock<PurchaseGrid>,
}

impl Summaries {
    /// Checks and collapses `customers`.
    ///
    /// # Errors
    /// [`Error::Empty`] for nobody; [`Error::Invalid`] for the first customer (by position) whose times are
    /// not finite with `0 ≤ t_x ≤ T`, or who has `t_x > 0` exactly when `x = 0`.
    pub fn new(customers: &[Customer]) -> Result<Self, Error> {
        if customers.is_empty() {
            return Err(Error::Empty("there are no customers".to_owned()));
        }
        for (i, c) in customers.iter().enumerate() {
            check(c).map_err(|why| Error::Invalid(format!("customer {i}: {why}, in {c:?}")))?;
        }
        let frequencies = levels(customers.iter().map(|c| c.x), u32::cmp);
        let recencies = levels(customers.iter().map(|c| c.t_x), f64::total_cmp);
        let ages = levels(customers.iter().map(|c| c.t), f64::total_cmp);
        let mut keyed: Vec<([u32; 3], u32)> = (customers.par_iter().zip(0_u32..u32::MAX))
            .map(|(c, i)| {
                let x = frequencies.partition_point(|&l| l < c.x);
                let t = ages.partition_point(|&l| l < c.t);
                let t_x = recencies.partition_point(|&l| l < c.t_x);
                ([x as u32, t as u32, t_x as u32], i)
            })
            .collect();
        keyed.par_sort_unstable();
        let mut rows: Vec<Row> = Vec::new();
        let mut row_of = vec![0; customers.len()];
        let mut last = None;
        for (key, customer) in keyed {
            if last.replace(key) != Some(key) {
                rows.push(Row { x: key[0], t: key[1], t_x: key[2], weight: 0.0 });
            }
            let at = rows.len() - 1;
            rows[at].weight += 1.0;
            row_of[customer as usize] = at as u32;
        }
        let customers = customers.len() as f64;
        Ok(Summaries { rows, frequencies, recencies, ages, row_of, customers, grid: OnceLock::new() })
    }

    /// Number of customers (of those thinned out, too).
    pub fn customers(&self) -> f64 {
        self.customers
    }

    /// Repeat purchases of all customers, Σx.
    pub fn repeat_purchases(&self) -> f64 {
        self.rows.iter().map(|r| r.weight * f64::from(self.frequencies[r.x as usize])).sum()
    }

    /// Customer-weeks of observation, ΣT.
    pub fn exposure_weeks(&self) -> f64 {
        self.rows.iter().map(|r| r.weight * self.ages[r.t as usize]).sum()
    }

    /// At most `limit` customers at even steps through the ordered rows, weighted to stand for all.
    pub(crate) fn thinned(&self, limit: usize) -> Option<Summaries> {
        let step = self.customers / limit as f64;
        if step <= 1.0 {
            return None;
        }
        let (mut passed, mut picked) = (0.0, 0_usize);
        let mut rows = Vec::new();
        for row in &self.rows {
            passed += row.weight;
            let before = picked;
            while picked < limit && (picked as f64 + 0.5) * step <= passed {
                picked += 1;
            }
            if picked > before {
                rows.push(Row { weight: (picked - before) as f64 * step, ..*row });
            }
        }
        let frequencies = keep_used(&self.frequencies, rows.iter_mut().map(|r| &mut r.x));
        let recencies = keep_used(&self.recencies, rows.iter_mut().map(|r| &mut r.t_x));
        let ages = keep_used(&self.ages, rows.iter_mut().map(|r| &mut r.t));
        let (customers, row_of) = (self.customers, Vec::new());
        Some(Summaries { rows, frequencies, recencies, ages, row_of, customers, grid: OnceLock::new() })
    }

    /// The purchase times of each frequency, which only the Pareto/NBD needs.
    pub(crate) fn grid(&self) -> &PurchaseGrid {
        self.grid.get_or_init(|| PurchaseGrid::new(self))
    }

    /// Spreads one value per row over the customers, in the order they came in.
    pub(crate) fn spread(&self, by_row: &[f64]) -> Vec<f64> {
        self.row_of.iter().map(|&row| by_row[row as usize]).collect()
    }
}

/// Says what is wrong with a customer's summary.
fn check(c: &Customer) -> Result<(), &'static str> {
    let ordered = c.t_x >= 0.0 && c.t_x <= c.t;
    if !c.t_x.is_finite() || !c.t.is_finite() {
        Err("a time is not finite")
    } else if !ordered {
        Err("the last purchase lies outside of 0 to T")
    } else if (c.x == 0) != (c.t_x == 0.0) {
        Err("repeat purchases and recency contradict each other")
    } else {
        Ok(())
    }
}

/// The levels that are in use, to which `places` then point.
fn keep_used<'a, T: Copy>(levels: &[T], places: impl Iterator<Item = &'a mut u32>) -> Vec<T> {
    let mut kept = Vec::new();
    let mut moved = vec![None; levels.len()];
    for place in places {
        let level = *place as usize;
        *place = *moved[level].get_or_insert_with(|| {
            kept.push(levels[level]);
            (kept.len() - 1) as u32
        });
    }
    kept
}

/// The distinct values, ascending.
fn levels<T: Copy + Send + PartialEq>(
    values: impl Iterator<Item = T>,
    order: impl Fn(&T, &T) -> std::cmp::Ordering + Sync,
) -> Vec<T> {
    let mut levels: Vec<T> = values.collect();
    levels.par_sort_unstable_by(order);
    levels.dedup();
    levels
}
