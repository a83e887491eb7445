//! The features of customers, checked and in the order of their ids.

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};

use super::cluster::means;
use crate::Error;

/// Values beyond this are a mistake, and their squares overflow.
pub(super) const LARGEST: f64 = 1e100;
/// A clustering needs a customer more than it has clusters.
const FEWEST: usize = 3;

/// One feature of all customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature<'a> {
    /// Its name, unique.
    pub name: &'a str,
    /// One value per customer. What is missing in the table is filled in by the caller.
    pub values: &'a [f64],
    /// Whether it is money or a count, whose differences are relative: then its signed log is used.
    pub is_amount: bool,
}

/// What is known of the customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Customers<'a> {
    /// Their ids, unique.
    pub ids: &'a [i64],
    /// Their features.
    pub features: &'a [Feature<'a>],
    /// The name of the feature by whose mean new segments are numbered, from the highest down.
    pub value: &'a str,
    /// The published segment of each customer, from 1; `None` for a customer who has none.
    pub previous: &'a [Option<i64>],
    /// The silhouette of the published segments; `None` where nothing is published.
    pub previous_silhouette: Option<f64>,
}

/// The checked features, one row per customer in the order of ids.
pub(super) struct Table {
    /// Customers × features.
    pub values: Array2<f64>,
    /// The published segment, by row.
    pub previous: Vec<Option<i64>>,
    /// The row of each customer of the input.
    pub rows: Vec<usize>,
    /// The column of the feature that numbers new segments.
    value: usize,
}

impl Table {
    /// Checks the input and sorts it.
    pub fn new(customers: &Customers) -> Result<Self, Error> {
        check(customers)?;
        let Customers { ids, features, value, .. } = *customers;
        let unknown = || Error::Invalid(format!("there is no feature `{value}` to number segments by"));
        let value = features.iter().position(|f| f.name == value).ok_or_else(unknown)?;
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_unstable_by_key(|&i| ids[i]);
        if let Some(twice) = order.windows(2).find(|pair| ids[pair[0]] == ids[pair[1]]) {
            return Err(Error::Invalid(format!("customer {} occurs twice", ids[twice[0]])));
        }
        let mut rows = vec![0; ids.len()];
        order.iter().enumerate().for_each(|(row, &i)| rows[i] = row);
        Ok(Table {
            values: Array2::from_shape_fn((ids.len(), features.len()), |(row, f)| {
                features[f].values[order[row]]
            }),
            previous: order.iter().map(|&i| customers.previous[i]).collect(),
            rows,
            value,
        })
    }

    /// The mean of the feature that numbers new segments, by cluster.
    pub fn worth(&self, labels: &[usize], clusters: usize) -> Vec<f64> {
        means(&self.values.select(Axis(1), &[self.value]), labels, clusters).column(0).to_vec()
    }
}

/// Lengths agree, and every value is a number of a sane size.
fn check(customers: &Customers) -> Result<(), Error> {
    let Customers { ids, features, previous, .. } = *customers;
    let invalid = |what: String| Err(Error::Invalid(what));
    if ids.is_empty() || features.is_empty() {
        let what = if ids.is_empty() { "customers" } else { "features" };
        return Err(Error::Empty(format!("there are no {what}")));
    }
    if previous.len() != ids.len() {
        return invalid(format!("{} previous segments for {} customers", previous.len(), ids.len()));
    }
    let mut names = BTreeSet::new();
    for Feature { name, values, .. } in features {
        if !names.insert(name) {
            return invalid(format!("two features are named `{name}`"));
        }
        if values.len() != ids.len() {
            return invalid(format!("`{name}` has {} values for {} customers", values.len(), ids.len()));
        }
        if let Some(i) = values.iter().position(|v| !(-LARGEST..=LARGEST).contains(v)) {
            return invalid(format!("`{name}` of customer {} is {}", ids[i], values[i]));
        }
    }
    if let Some(i) = previous.iter().position(|p| p.is_some_and(|p| !(1..=i64::from(u32::MAX)).contains(&p)))
    {
        return invalid(format!("the previous segment of customer {} is out of range", ids[i]));
    }
    if ids.len() < FEWEST {
        let reason = format!("{} customers are fewer than {FEWEST}", ids.len());
        return Err(Error::Unfit { model: "segments", reason });
    }
    Ok(())
}
