//! The world of one run: calendar, customers, catalogue, files, and the scale of everything.
//! Immutable once built, shared by all threads; memory grows with customers and days, never with lines.

use crate::calendar::Calendar;
use crate::catalogue::Catalogue;
use crate::deliveries::Deliveries;
use crate::error::Error;
use crate::faults::{ADDED, LATE, LOOKS, Table};
use crate::parameters::Parameters;
use crate::population::{P, Population, Progress, Q, WHALE_LINES, WHALE_SPEND};
use std::thread;

/// Expected spend per line, in pence.
const LINE_PENCE: f64 = 1800.0;
/// Guest orders per purchase of a registered customer: a quarter of all.
const GUESTS_PER_PURCHASE: f64 = 1.0 / 3.0;
/// Share of sale lines that are returned, and the most a purchase may be returned from.
const RETURNED_LINES: f64 = 0.0175;
const MOST_RETURNS: f64 = 0.2;
/// Lines of a return invoice, and lines its sale has on top, on average.
const RETURN_LINES: f64 = 2.5;
const RETURN_SALE_LINES: f64 = 1.25;
/// Postage, fees and the like, per order.
const CHARGES: f64 = 0.08;

/// Everything the threads share.
#[derive(Debug)]
pub(crate) struct World {
    pub seed: u64,
    pub dirt: f64,
    pub calendar: Calendar,
    pub population: Population,
    pub catalogue: Catalogue,
    pub deliveries: Deliveries,
    pub scale: Scale,
    pub looks: Table,
    pub added: Table,
}

/// How large the baskets must be for the lines asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Purchase days of registered customers.
    pub purchases: u64,
    /// Orders of guests.
    pub guests: u64,
    /// Lines of an order at the expected spend.
    pub basket: f64,
    /// v of the Gamma–Gamma model, in whole pence.
    pub v: f64,
    /// Probability that something of an order is returned.
    pub returns: f64,
}

impl World {
    pub fn new(parameters: &Parameters, threads: usize) -> Result<Self, Error> {
        parameters.check()?;
        let seed = parameters.seed;
        let calendar = Calendar::new(parameters.from, parameters.to);
        let population = Population::new(seed, parameters.customers, &calendar);
        let scale = Census::take(&population, &calendar, threads).scale(parameters)?;
        let dirt = parameters.dirt.factor();
        Ok(World {
            seed,
            dirt,
            catalogue: Catalogue::new(seed, &calendar),
            deliveries: Deliveries::new(parameters, &calendar),
            looks: Table::new(&LOOKS, dirt),
            added: Table::new(&ADDED, dirt),
            calendar,
            population,
            scale,
        })
    }
}

impl Scale {
    /// Expected spend of a purchase day, P v / (Q − 1), in pence.
    pub fn mean_spend(&self) -> f64 {
        self.v * P / (Q - 1.0)
    }

    /// The pence and lines of an order of so much spend.
    pub fn order(&self, spend: f64, whale: bool) -> (i64, u64) {
        let (times, lines_times) = if whale { (WHALE_SPEND, WHALE_LINES) } else { (1.0, 1.0) };
        let pence = (self.mean_spend() * spend * times).round().max(50.0);
        (pence as i64, lines(self.basket, spend * lines_times))
    }
}

fn lines(basket: f64, spend: f64) -> u64 {
    (basket * spend).round().max(1.0) as u64
}

/// Counts of orders by spend, in bins of the logarithm: enough to foresee the lines of any basket size.
struct Census {
    purchases: u64,
    bins: Vec<u64>,
}

const BINS_PER_E: f64 = 100.0;
const LOWEST: f64 = -8.0;
const BINS: usize = 1600;

impl Census {
    /// Runs every customer's process once, and that many guests'.
    fn take(population: &Population, calendar: &Calendar, threads: usize) -> Self {
        let count = population.customers.len();
        let share = count.div_ceil(threads);
        let ranges = (0..threads).map(|i| (i * share).min(count)..((i + 1) * share).min(count));
        let mut census = Census { purchases: 0, bins: vec![0; BINS] };
        thread::scope(|scope| {
            let parts = ranges.map(|range| scope.spawn(|| Census::of(population, calendar, range)));
            for part in parts.collect::<Vec<_>>() {
                census.add(&part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        });
        for order in 0..guests(census.purchases) {
            census.count(population.guest(order).spend);
        }
        census
    }

    fn of(population: &Population, calendar: &Calendar, ids: std::ops::Range<usize>) -> Self {
        let mut census = Census { purchases: 0, bins: vec![0; BINS] };
        for id in ids {
            let mut progress = Progress::default();
            let times = if population.customers[id].whale { WHALE_LINES } else { 1.0 };
            while let Some(visit) = population.next_visit(id as u32, &mut progress, calendar) {
                census.purchases += 1;
                census.count(visit.spend * times);
            }
        }
        census
    }

    fn count(&mut self, spend: f64) {
        let bin = (spend.ln() - LOWEST) * BINS_PER_E;
        self.bins[(bin.max(0.0) as usize).min(BINS - 1)] += 1;
    }

    fn add(&mut self, other: &Census) {
        self.purchases += other.purchases;
        self.bins.iter_mut().zip(&other.bins).for_each(|(sum, more)| *sum += more);
    }

    fn orders(&self) -> u64 {
        self.bins.iter().sum()
    }

    /// Sale lines when an order of mean spend has `basket` lines.
    fn lines(&self, basket: f64) -> f64 {
        let middle = |bin: usize| ((bin as f64 + 0.5) / BINS_PER_E + LOWEST).exp();
        let counted = self.bins.iter().enumerate().filter(|&(_, &count)| count > 0);
        counted.map(|(bin, &count)| count as f64 * lines(basket, middle(bin)) as f64).sum()
    }

    /// Records of all kinds at a basket size and dirt.
    fn records(&self, basket: f64, dirt: f64) -> f64 {
        let (sales, orders) = (self.lines(basket), self.orders() as f64);
        let returns = orders * returns(sales / orders) * (RETURN_LINES + RETURN_SALE_LINES);
        let added: f64 = ADDED.iter().map(|&(_, rate)| rate).sum::<f64>() + LATE;
        sales * (1.0 + dirt * added) + returns + orders * CHARGES
    }

    /// Finds the basket size that gives the lines asked for.
    fn scale(&self, parameters: &Parameters) -> Result<Scale, Error> {
        let dirt = parameters.dirt.factor();
        let wanted = parameters.lines as f64;
        let (mut low, mut high) = (0.05, 1e9);
        let fewest = self.records(low, dirt);
        if wanted < fewest {
            return Err(Error::Parameters(format!(
                "{} lines are too few for {} customers, who place {} orders from {} to {}; ask for at least {}",
                parameters.lines,
                parameters.customers,
                self.orders(),
                parameters.from,
                parameters.to,
                (fewest * 1.01).ceil()
            )));
        }
        for _ in 0..100 {
            let middle = f64::sqrt(low * high);
            let enough = self.records(middle, dirt) >= wanted;
            *(if enough { &mut high } else { &mut low }) = middle;
        }
        let basket = high;
        let per_order = self.lines(basket) / self.orders() as f64;
        let v = (LINE_PENCE * basket * (Q - 1.0) / P).round().max(1.0);
        let guests = guests(self.purchases);
        Ok(Scale { purchases: self.purchases, guests, basket, v, returns: returns(per_order) })
    }
}

fn guests(purchases: u64) -> u64 {
    (purchases as f64 * GUESTS_PER_PURCHASE).round() as u64
}

/// Probability of a return, by lines per order.
fn returns(lines_per_order: f64) -> f64 {
    (RETURNED_LINES * lines_per_order / RETURN_LINES).min(MOST_RETURNS)
}
