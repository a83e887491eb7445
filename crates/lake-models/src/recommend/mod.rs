//! Recommendations: for each customer the products, not bought yet, that they are most likely to buy next.
//!
//! [`RecommendParams::fit`] lets item-item cosine and EASE predict the last days of the history and makes the
//! lists by the better one, or by popularity where neither beats it. Places that a similarity leaves open go
//! to the most popular products. The same purchases give the same lists in any order of the rows and at any
//! number of threads; nothing here returns NaN.

mod purchases;
mod sweep;
mod similarity;
mod rank;
mod quality;

#[cfg(test)]
mod tests;

pub use purchases::Purchases;
pub use quality::Quality;
pub use similarity::NEIGHBOURS;

use rayon::prelude::*;

use crate::Error;
use purchases::{Ledger, Matrix};
use quality::{Judged, mean};
use rank::{Pick, Ranker};
use similarity::Similarity;

/// What a recommendation is made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The products that most customers bought; its score is the share of customers who did.
    Popularity,
    /// Item-item cosine of purchase days; its score is Σ over bought products of purchase days × cosine.
    Cosine,
    /// EASE; its score is Σ over bought products of their weight in B.
    Ease,
}

impl Algorithm {
    /// All, the plainest first.
    pub const ALL: [Algorithm; 3] = [Algorithm::Popularity, Algorithm::Cosine, Algorithm::Ease];

    /// Its name in tables and settings.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Popularity => "popularity",
            Algorithm::Cosine => "cosine",
            Algorithm::Ease => "ease",
        }
    }
}

/// The algorithm to use, or the order to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The best by NDCG on the holdout; equals go to the plainer one.
    #[default]
    Auto,
    /// This one, however it does.
    Always(Algorithm),
}

/// How recommendations are made and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct RecommendParams {
    /// What they are made by.
    pub algorithm: Choice,
    /// λ of EASE, in customers: the larger, the less products that few have bought say.
    pub ridge: f64,
    /// The length of a list, and the cut-off of every measure.
    pub count: usize,
    /// The days before `as_of` that algorithms are judged on.
    pub holdout_days: u32,
    /// The most products that enter EASE, the most popular first: it takes 12 bytes for each pair of them,
    /// and time by the third power.
    pub largest_dense: usize,
}

impl Default for RecommendParams {
    fn default() -> Self {
        Self { algorithm: Choice::Auto, ridge: 500.0, count: 10, holdout_days: 28, largest_dense: 5_000 }
    }
}

/// A product that a customer has not bought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recommendation<'a> {
    /// The customer.
    pub customer_id: i64,
    /// Its place in the customer's list, from 1.
    pub rank: u32,
    /// The product.
    pub stock_code: &'a str,
    /// What it is ranked by: comparable only under the same algorithm.
    pub score: f64,
    /// What it is made by: popularity where the chosen algorithm left the place open.
    pub algorithm: Algorithm,
    /// The bought product that contributed most to the score; `None` for popularity.
    pub because_of: Option<&'a str>,
}

/// What the recommendations were made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Customers with a purchase before `as_of`.
    pub customers: usize,
    /// Products bought before `as_of`.
    pub products: usize,
    /// Share of the pairs of a customer and a product with a purchase.
    pub density: f64,
    /// The first day of the holdout.
    pub split_day: i32,
    /// λ of EASE.
    pub ridge: f64,
    /// Products that enter EASE: all, or the most popular ones up to `largest_dense`.
    pub ease_products: usize,
}

/// The lists, and how good they can be expected to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendations<'a> {
    /// By customer and rank.
    pub recommendations: Vec<Recommendation<'a>>,
    /// One per algorithm as in [`Algorithm::ALL`]; none if nobody could be judged.
    pub quality: Vec<Quality>,
    /// What the lists are made by.
    pub chosen: Algorithm,
    /// Why.
    pub reason: String,
    /// What they were made from.
    pub figures: Figures,
}

impl RecommendParams {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the one that is out of range.
    pub fn check(&self) -> Result<(), Error> {
        let counts = [
            ("count", self.count),
            ("holdout_days", self.holdout_days as usize),
            ("largest_dense", self.largest_dense),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, value)| *value == 0) {
            return Err(Error::Invalid(format!("cannot recommend with `{name}` = 0: it must be at least 1")));
        }
        if !(1e-6..=1e9).contains(&self.ridge) {
            let what = format!("cannot recommend with `ridge` = {}: it must be from 1e-6 to 1e9", self.ridge);
            return Err(Error::Invalid(what));
        }
        Ok(())
    }

    /// Judges the algorithms on the last days, then makes the lists from all of `purchases`.
    ///
    /// Every customer gets `count` products, or as many as they have not bought.
    ///
    /// # Errors
    /// [`Error::Invalid`] for parameters out of range (see [`RecommendParams::check`]) and columns of
    /// different lengths; [`Error::Empty`] without a purchase before `as_of`.
    pub fn fit<'a>(&self, purchases: &Purchases<'a>) -> Result<Recommendations<'a>, Error> {
        self.check()?;
        let ledger = Ledger::new(purchases)?;
        let split_day = purchases.as_of.saturating_sub_unsigned(self.holdout_days);
        let mut quality = self.judge(&ledger, split_day);
        let (chosen, reason) = self.choose(&quality, split_day);
        quality.iter_mut().for_each(|q| q.chosen = q.algorithm == chosen);
        let matrix = Matrix::new(&ledger, purchases.as_of);
        let customers: Vec<u32> = (0..ledger.customer_ids.len() as u32).collect();
        let lists = self.lists(&matrix, chosen, &customers);
        let products = matrix.products.len();
        Ok(Recommendations {
            recommendations: rows(&ledger, &matrix, &lists),
            quality,
            chosen,
            reason,
            figures: Figures {
                customers: matrix.customers,
                products,
                density: matrix.pairs() as f64 / (matrix.customers as f64 * products as f64),
                split_day,
                ridge: self.ridge,
                ease_products: products.min(self.largest_dense),
            },
        })
    }

    /// The quality of each algorithm, trained before `split_day`; none if nobody bought anything new since.
    fn judge(&self, ledger: &Ledger, split_day: i32) -> Vec<Quality> {
        let matrix = Matrix::new(ledger, split_day);
        let new = bought_anew(ledger, &matrix, split_day);
        if new.is_empty() {
            return Vec::new();
        }
        let customers: Vec<u32> = new.iter().map(|(customer, _)| *customer).collect();
        let of =
            |algorithm| self.quality(algorithm, &matrix, &new, &self.lists(&matrix, algorithm, &customers));
        Algorithm::ALL.into_iter().map(of).collect()
    }

    /// Holds lists against what was bought anew.
    fn quality(
        &self,
        algorithm: Algorithm,
        matrix: &Matrix,
        new: &[(u32, Vec<u32>)],
        lists: &[Vec<Pick>],
    ) -> Quality {
        let is_hit =
            |pick: &Pick, new: &[u32]| new.binary_search(&matrix.products[pick.item as usize]).is_ok();
        let judge = |((_, new), list): (&(u32, Vec<u32>), &Vec<Pick>)| {
            let hits = list.iter().map(|pick| is_hit(pick, new)).collect();
            Judged { hits, relevant: new.len() }.measures(self.count)
        };
        let measures: Vec<[f64; 5]> = new.iter().zip(lists).map(judge).collect();
        let of = |measure: usize| mean(measures.iter().map(|m| m[measure]));
        let mut shown: Vec<u32> = lists.iter().flatten().map(|pick| pick.item).collect();
        let share = |item: &u32| f64::from(matrix.buyers[*item as usize]) / matrix.customers as f64;
        // Not `-log2`, which is −0 for what everybody bought.
        let novelty = mean(shown.iter().map(|item| share(item).recip().log2()));
        shown.sort_unstable();
        shown.dedup();
        Quality {
            algorithm,
            customers: new.len(),
            precision: of(0),
            recall: of(1),
            ndcg: of(2),
            map: of(3),
            hit_rate: of(4),
            coverage: shown.len() as f64 / matrix.products.len() as f64,
            novelty,
            chosen: false,
        }
    }

    /// The algorithm to make the lists by, and why.
    fn choose(&self, quality: &[Quality], split_day: i32) -> (Algorithm, String) {
        let told: Vec<String> =
            quality.iter().map(|q| format!("{} {:.4}", q.algorithm.name(), q.ndcg)).collect();
        let told = match quality.first() {
            Some(q) => format!("NDCG@{} of {} customers: {}", self.count, q.customers, told.join(", ")),
            None => format!("no customer from before day {split_day} has bought a product new to them since"),
        };
        if let Choice::Always(algorithm) = self.algorithm {
            return (algorithm, format!("{} was asked for; {told}", algorithm.name()));
        }
        let better = |best: Option<Quality>, q: &Quality| match best {
            Some(best) if best.ndcg >= q.ndcg => Some(best),
            _ => Some(*q),
        };
        match quality.iter().fold(None, better).map(|q| q.algorithm) {
            None => (Algorithm::Popularity, format!("nothing to choose by: {told}")),
            Some(Algorithm::Popularity) => {
                (Algorithm::Popularity, format!("neither cosine nor ease beats popularity; {told}"))
            }
            Some(best) => (best, format!("{} is best; {told}", best.name())),
        }
    }

    /// The lists of `customers`, in their order.
    fn lists(&self, matrix: &Matrix, algorithm: Algorithm, customers: &[u32]) -> Vec<Vec<Pick>> {
        let similarity = &match algorithm {
            Algorithm::Popularity => Similarity::Popularity,
            Algorithm::Cosine => Similarity::cosine(matrix),
            Algorithm::Ease => Similarity::ease(matrix, self.ridge, self.largest_dense),
        };
        let ranker = Ranker { matrix, similarity, count: self.count };
        let list = |scores: &mut Vec<f64>, customer: &u32| ranker.list(*customer as usize, scores);
        customers.par_iter().map_init(Vec::new, list).collect()
    }
}

/// The customers of `matrix` with the products that they bought from `split_day` on and never before, in order.
fn bought_anew(ledger: &Ledger, matrix: &Matrix, split_day: i32) -> Vec<(u32, Vec<u32>)> {
    let mut new: Vec<(u32, Vec<u32>)> = Vec::new();
    for days in ledger.rows.chunk_by(|a, b| (a.customer, a.product) == (b.customer, b.product)) {
        let first = days[0];
        if first.day < split_day || matrix.profile(first.customer as usize).is_empty() {
            continue;
        }
        match new.last_mut() {
            Some((customer, products)) if *customer == first.customer => products.push(first.product),
            _ => new.push((first.customer, vec![first.product])),
        }
    }
    new
}

/// The rows of all lists, one list per customer of the ledger.
fn rows<'a>(ledger: &Ledger<'a>, matrix: &Matrix, lists: &[Vec<Pick>]) -> Vec<Recommendation<'a>> {
    let code = |item: u32| ledger.stock_codes[matrix.products[item as usize] as usize];
    let row = |customer_id: i64, (rank, pick): (u32, &Pick)| Recommendation {
        customer_id,
        rank,
        stock_code: code(pick.item),
        score: pick.score,
        algorithm: pick.algorithm,
        because_of: pick.because_of.map(code),
    };
    let of_list = |(id, list): (&i64, &Vec<Pick>)| {
        let id = *id;
        (1..).zip(list).map(move |ranked| row(id, ranked)).collect::<Vec<_>>()
    };
    ledger.customer_ids.iter().zip(lists).flat_map(of_list).collect()
}
