//! How well lists predict what customers buy next: measures of ranking at a cut-off of k.

use super::Algorithm;

/// How good the lists of one algorithm are, over the judged customers.
///
/// Relevant to a customer are the products that they bought in the holdout and never before; k is the length
/// asked for, also of lists that are shorter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// What the lists were made by.
    pub algorithm: Algorithm,
    /// Judged customers: those who bought before the holdout, and something new to them in it.
    pub customers: usize,
    /// Mean of hits / k.
    pub precision: f64,
    /// Mean of hits / relevant products.
    pub recall: f64,
    /// Mean of DCG / ideal DCG, where DCG = Σ over hits of 1 / log2(rank + 1), and the ideal list has
    /// min(k, relevant products) hits at its head (Järvelin & Kekäläinen 2002, with binary gains).
    pub ndcg: f64,
    /// Mean of average precision: Σ over hits of the precision up to their rank, / min(k, relevant products)
    /// (Manning, Raghavan & Schütze 2008, section 8.4, cut off at k).
    pub map: f64,
    /// Share of customers with a hit.
    pub hit_rate: f64,
    /// Share of the products bought before the holdout that are in a list (catalogue coverage: Ge,
    /// Delgado-Battenfeld & Jannach 2010).
    pub coverage: f64,
    /// Mean over all places of all lists of −log2(share of customers who had bought the product before the
    /// holdout), in bits (mean self-information: Zhou et al. 2010); 0 where all lists are empty.
    pub novelty: f64,
    /// Whether the recommendations are made by it.
    pub chosen: bool,
}

/// A list held against what came.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Whether each place of the list is relevant.
    pub hits: Vec<bool>,
    /// Relevant products, in the list or not; at least 1.
    pub relevant: usize,
}

impl Judged {
    /// Precision, recall, NDCG, average precision and hit (0 or 1) at `k`.
    pub fn measures(&self, k: usize) -> [f64; 5] {
        let ideal: f64 = (1..=self.relevant.min(k)).map(gain).sum();
        let (mut found, mut dcg, mut precisions) = (0.0, 0.0, 0.0);
        for (rank, _) in (1..).zip(&self.hits).filter(|(_, hit)| **hit) {
            found += 1.0;
            dcg += gain(rank);
            precisions += found / rank as f64;
        }
        let most = self.relevant.min(k) as f64;
        [found / k as f64, found / self.relevant as f64, dcg / ideal, precisions / most, f64::min(found, 1.0)]
    }
}

/// What a hit at a rank is worth in DCG.
fn gain(rank: usize) -> f64 {
    1.0 / (rank as f64 + 1.0).log2()
}

/// The mean; 0 of nothing.
pub fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}
