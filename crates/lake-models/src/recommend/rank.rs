//! The list of a customer: what they have not bought, best first.

use std::cmp::Ordering;

use super::Algorithm;
use super::purchases::Matrix;
use super::similarity::Similarity;

/// An item of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    pub item: u32,
    pub score: f64,
    pub algorithm: Algorithm,
    pub because_of: Option<u32>,
}

/// Makes lists by one similarity.
#[derive(Debug)]
pub struct Ranker<'a> {
    pub matrix: &'a Matrix,
    pub similarity: &'a Similarity,
    /// The most picks in a list.
    pub count: usize,
}

impl Ranker<'_> {
    /// Items that the customer has not bought: by positive score first, then by popularity; equals by stock
    /// code. Fewer than `count` only where there are no more.
    ///
    /// `scores` is scratch.
    pub fn list(&self, customer: usize, scores: &mut Vec<f64>) -> Vec<Pick> {
        let profile = self.matrix.profile(customer);
        let mut list = match self.similarity {
            Similarity::Popularity => Vec::new(),
            Similarity::Cosine(_) => self.by_score(profile, Algorithm::Cosine, scores),
            Similarity::Ease(_) => self.by_score(profile, Algorithm::Ease, scores),
        };
        let mut taken: Vec<u32> = list.iter().map(|pick| pick.item).collect();
        taken.extend(profile.iter().map(|(item, _)| item));
        taken.sort_unstable();
        let open = self.count - list.len();
        let free = (0..self.matrix.products.len() as u32).filter(|item| taken.binary_search(item).is_err());
        list.extend(free.take(open).map(|item| Pick {
            item,
            score: f64::from(self.matrix.buyers[item as usize]) / self.matrix.customers as f64,
            algorithm: Algorithm::Popularity,
            because_of: None,
        }));
        list
    }

    fn by_score(&self, profile: &[(u32, u32)], algorithm: Algorithm, scores: &mut Vec<f64>) -> Vec<Pick> {
        scores.clear();
        scores.resize(self.matrix.products.len(), 0.0);
        self.similarity.add_scores(profile, scores);
        profile.iter().for_each(|(item, _)| scores[*item as usize] = 0.0);
        let best = self.best(scores);
        let pick = |(item, score)| Pick { item, score, algorithm, because_of: self.reason(profile, item) };
        best.into_iter().map(pick).collect()
    }

    /// The `count` best items of positive score.
    fn best(&self, scores: &[f64]) -> Vec<(u32, f64)> {
        let mut best: Vec<(u32, f64)> = Vec::with_capacity(self.count + 1);
        for scored in (0_u32..).zip(scores.iter().copied()).filter(|scored| scored.1 > 0.0) {
            if best.len() == self.count && best.last().is_some_and(|last| self.order(last, &scored).is_lt()) {
                continue;
            }
            let place = best.partition_point(|better| self.order(better, &scored).is_lt());
            best.insert(place, scored);
            best.truncate(self.count);
        }
        best
    }

    /// The bought item that says most for `item`.
    fn reason(&self, profile: &[(u32, u32)], item: u32) -> Option<u32> {
        let said = |bought: &(u32, u32)| (bought.0, self.similarity.contribution(*bought, item));
        profile.iter().map(said).min_by(|a, b| self.order(a, b)).map(|(bought, _)| bought)
    }

    /// The higher value first, then the smaller stock code.
    fn order(&self, a: &(u32, f64), b: &(u32, f64)) -> Ordering {
        let product = |item: u32| self.matrix.products[item as usize];
        b.1.total_cmp(&a.1).then_with(|| product(a.0).cmp(&product(b.0)))
    }
}
