//! Who bought what on which days: the rows as they come, and counted up to a day.

use std::collections::HashMap;
use std::hash::Hash;

use rayon::prelude::*;

use crate::Error;

/// Purchases, one row per customer, product and day, in any order; repeated rows count once.
#[derive(Debug, Clone, Copy)]
pub struct Purchases<'a> {
    /// Customers.
    pub customer_ids: &'a [i64],
    /// Products, row by row.
    pub stock_codes: &'a [&'a str],
    /// Days, counted from 1970-01-01, row by row.
    pub days: &'a [i32],
    /// The day after the last that may be read; rows from it on are not.
    pub as_of: i32,
}

/// A row with its customer and product as places in the sorted lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub customer: u32,
    pub product: u32,
    pub day: i32,
}

/// The purchases before `as_of`, sorted and distinct.
#[derive(Debug)]
pub struct Ledger<'a> {
    /// Ascending.
    pub customer_ids: Vec<i64>,
    /// Ascending.
    pub stock_codes: Vec<&'a str>,
    /// Ascending.
    pub rows: Vec<Row>,
}

impl<'a> Ledger<'a> {
    /// Reads the rows before `as_of`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for lengths that differ or too many rows; [`Error::Empty`] without a row before
    /// `as_of`.
    pub fn new(purchases: &Purchases<'a>) -> Result<Self, Error> {
        let Purchases { customer_ids, stock_codes, days, as_of } = *purchases;
        if customer_ids.len() != stock_codes.len() || customer_ids.len() != days.len() {
            return Err(Error::Invalid(format!(
                "{} customers, {} products and {} days do not make rows",
                customer_ids.len(),
                stock_codes.len(),
                days.len()
            )));
        }
        if u32::try_from(days.len()).is_err() {
            return Err(Error::Invalid(format!("{} purchases are more than {}", days.len(), u32::MAX)));
        }
        let read: Vec<usize> = (0..days.len()).filter(|i| days[*i] < as_of).collect();
        if read.is_empty() {
            return Err(Error::Empty(format!("nobody bought anything before day {as_of}")));
        }
        let (customer_ids, customers) = places(read.iter().map(|i| customer_ids[*i]));
        let (stock_codes, products) = places(read.iter().map(|i| stock_codes[*i]));
        let numbered = customers.iter().zip(&products).zip(&read);
        let mut rows: Vec<Row> = numbered
            .map(|((customer, product), i)| Row { customer: *customer, product: *product, day: days[*i] })
            .collect();
        rows.par_sort_unstable();
        rows.dedup();
        Ok(Ledger { customer_ids, stock_codes, rows })
    }
}

/// The distinct values in order, and the place of each value among them.
fn places<T: Copy + Ord + Hash>(values: impl Iterator<Item = T>) -> (Vec<T>, Vec<u32>) {
    let mut seen = HashMap::new();
    let mut distinct = Vec::new();
    let first_seen: Vec<u32> = values
        .map(|value| {
            *seen.entry(value).or_insert_with(|| {
                distinct.push(value);
                distinct.len() as u32 - 1
            })
        })
        .collect();
    let mut order: Vec<u32> = (0..distinct.len() as u32).collect();
    order.sort_unstable_by_key(|i| distinct[*i as usize]);
    let mut place = vec![0; order.len()];
    (0_u32..).zip(&order).for_each(|(to, from)| place[*from as usize] = to);
    let sorted = order.iter().map(|i| distinct[*i as usize]).collect();
    (sorted, first_seen.iter().map(|i| place[*i as usize]).collect())
}

/// Purchase days by customer and product, over the days before a cut.
///
/// Items are the products bought, numbered by falling popularity, equals by stock code.
#[derive(Debug)]
pub struct Matrix {
    /// The product of each item, as a place in [`Ledger::stock_codes`].
    pub products: Vec<u32>,
    /// How many customers bought each item; falling.
    pub buyers: Vec<u32>,
    /// How many customers bought anything.
    pub customers: usize,
    by_customer: Lists,
    by_item: Lists,
}

/// Lists of (place, purchase days), end to end.
#[derive(Debug)]
struct Lists {
    starts: Vec<usize>,
    entries: Vec<(u32, u32)>,
}

impl Lists {
    fn of(&self, i: usize) -> &[(u32, u32)] {
        &self.entries[self.starts[i]..self.starts[i + 1]]
    }
}

impl Matrix {
    /// Counts the rows before day `cut`.
    pub fn new(ledger: &Ledger, cut: i32) -> Self {
        let rows: Vec<Row> = ledger.rows.iter().filter(|row| row.day < cut).copied().collect();
        let pairs: Vec<(u32, u32, u32)> = rows
            .chunk_by(|a, b| (a.customer, a.product) == (b.customer, b.product))
            .map(|days| (days[0].customer, days[0].product, days.len() as u32))
            .collect();
        let mut buyers = vec![0; ledger.stock_codes.len()];
        pairs.iter().for_each(|(_, product, _)| buyers[*product as usize] += 1);
        let mut products: Vec<u32> = (0..buyers.len() as u32).filter(|p| buyers[*p as usize] > 0).collect();
        products.sort_by_key(|p| std::cmp::Reverse(buyers[*p as usize]));
        let mut items = vec![0; buyers.len()];
        (0_u32..).zip(&products).for_each(|(item, product)| items[*product as usize] = item);
        let entries: Vec<_> = pairs.iter().map(|(c, p, days)| (*c, items[*p as usize], *days)).collect();
        let turned: Vec<_> = entries.iter().map(|(c, item, days)| (*item, *c, *days)).collect();
        let by_customer = lists(ledger.customer_ids.len(), entries);
        Matrix {
            customers: by_customer.starts.windows(2).filter(|w| w[0] < w[1]).count(),
            buyers: products.iter().map(|p| buyers[*p as usize]).collect(),
            by_item: lists(products.len(), turned),
            products,
            by_customer,
        }
    }

    /// The items of a customer with their purchase days, by item.
    pub fn profile(&self, customer: usize) -> &[(u32, u32)] {
        self.by_customer.of(customer)
    }

    /// The customers who bought an item, with their purchase days.
    pub fn buyers_of(&self, item: usize) -> &[(u32, u32)] {
        self.by_item.of(item)
    }

    /// Adds the row of the Gram matrix XᵀX that belongs to `item` to `row`, where X is `weight` of the days.
    ///
    /// Only items below the length of `row` are looked at.
    pub fn add_gram_row(&self, item: usize, weight: impl Fn(u32) -> f64, row: &mut [f64]) {
        for (customer, days) in self.buyers_of(item) {
            let x = weight(*days);
            for (other, days) in self.by_customer.of(*customer as usize) {
                let Some(sum) = row.get_mut(*other as usize) else { break };
                *sum += x * weight(*days);
            }
        }
    }

    /// How many distinct pairs of a customer and a product there are.
    pub fn pairs(&self) -> usize {
        self.by_customer.entries.len()
    }
}

/// Lists by the first member, each by the second.
fn lists(count: usize, mut entries: Vec<(u32, u32, u32)>) -> Lists {
    entries.par_sort_unstable();
    let mut starts = vec![0; count + 1];
    entries.iter().for_each(|(list, _, _)| starts[*list as usize + 1] += 1);
    for i in 0..count {
        starts[i + 1] += starts[i];
    }
    Lists { starts, entries: entries.into_iter().map(|(_, place, days)| (place, days)).collect() }
}
