//! How much having bought one item speaks for another: cosine neighbours and EASE.

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::purchases::Matrix;
use super::sweep::negative_inverse;

/// How many of the most similar items an item hears, in [`Similarity::cosine`].
pub const NEIGHBOURS: usize = 100;

/// Weights from bought items to others; a score is the sum over a profile.
#[derive(Debug)]
pub enum Similarity {
    /// None: nothing speaks for anything.
    Popularity,
    /// For each bought item, the items that hear it, by item, and its weight there.
    Cosine(Vec<Vec<(u32, f32)>>),
    /// The matrix B, from the item of the row to that of the column, among the most popular items.
    Ease(Array2<f32>),
}

impl Similarity {
    /// The cosine of the items' purchase days over customers, for each item those of its [`NEIGHBOURS`] most
    /// similar ones (Sarwar, Karypis, Konstan & Riedl 2001, "Item-based collaborative filtering"); equals by
    /// popularity, then stock code.
    pub fn cosine(matrix: &Matrix) -> Self {
        let items = matrix.products.len();
        let norms: Vec<f64> = (0..items).into_par_iter().map(|item| norm(matrix, item)).collect();
        let near: Vec<Vec<(u32, f32)>> = (0..items)
            .into_par_iter()
            .map_init(|| vec![0.0; items], |dots, item| neighbours(matrix, &norms, item, dots))
            .collect();
        let mut heard_by = vec![Vec::new(); items];
        for (item, near) in (0_u32..).zip(&near) {
            near.iter().for_each(|(bought, weight)| heard_by[*bought as usize].push((item, *weight)));
        }
        Similarity::Cosine(heard_by)
    }

    /// EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data"): B = I − P /
    /// diag(P), where P = (XᵀX + λI)⁻¹ and X says whether a customer bought an item.
    ///
    /// `ridge` is λ > 0; only the `largest` most popular items enter.
    pub fn ease(matrix: &Matrix, ridge: f64, largest: usize) -> Self {
        let n = largest.min(matrix.products.len());
        let mut p = Array2::zeros((n, n));
        p.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(item, mut row)| {
            // The lower triangle is all that is inverted.
            if let Some(row) = row.as_slice_mut() {
                matrix.add_gram_row(item, |_| 1.0, &mut row[..=item]);
                row[item] += ridge;
            }
        });
        negative_inverse(&mut p);
        let diagonal = p.diag().to_owned();
        let weight = |i: usize, j: usize| match i.cmp(&j) {
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Less => -p[[j, i]] / diagonal[j],
            std::cmp::Ordering::Greater => -p[[i, j]] / diagonal[j],
        };
        let mut b = Array2::zeros((n, n));
        b.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, mut row)| {
            row.iter_mut().enumerate().for_each(|(j, b)| *b = weight(i, j) as f32);
        });
        Similarity::Ease(b)
    }

    /// Adds what each item of `profile` says for each item to `scores`.
    pub fn add_scores(&self, profile: &[(u32, u32)], scores: &mut [f64]) {
        for (item, days) in profile.iter().map(|(item, days)| (*item as usize, f64::from(*days))) {
            match self {
                Similarity::Popularity => {}
                Similarity::Cosine(heard_by) => heard_by[item]
                    .iter()
                    .for_each(|(other, weight)| scores[*other as usize] += days * f64::from(*weight)),
                Similarity::Ease(b) if item < b.nrows() => {
                    scores
                        .iter_mut()
                        .zip(b.row(item))
                        .for_each(|(score, weight)| *score += f64::from(*weight));
                }
                Similarity::Ease(_) => {}
            }
        }
    }

    /// What one item of a profile says for another.
    pub fn contribution(&self, (item, days): (u32, u32), other: u32) -> f64 {
        match self {
            Similarity::Popularity => 0.0,
            Similarity::Cosine(heard_by) => {
                let heard_by = &heard_by[item as usize];
                let found = heard_by.binary_search_by_key(&other, |(item, _)| *item);
                found.map_or(0.0, |place| f64::from(days) * f64::from(heard_by[place].1))
            }
            Similarity::Ease(b) => b.get([item as usize, other as usize]).map_or(0.0, |b| f64::from(*b)),
        }
    }
}

/// The length of an item's vector of purchase days.
fn norm(matrix: &Matrix, item: usize) -> f64 {
    matrix.buyers_of(item).iter().map(|(_, days)| f64::from(*days).powi(2)).sum::<f64>().sqrt()
}

/// The items most similar to `item`, with their cosines; `dots` is scratch.
fn neighbours(matrix: &Matrix, norms: &[f64], item: usize, dots: &mut [f64]) -> Vec<(u32, f32)> {
    dots.fill(0.0);
    matrix.add_gram_row(item, f64::from, dots);
    dots[item] = 0.0;
    let cosine = |(i, dot): (u32, &f64)| (i, (dot / (norms[item] * norms[i as usize])) as f32);
    let mut near: Vec<(u32, f32)> = (0_u32..).zip(dots.iter()).filter(|d| *d.1 > 0.0).map(cosine).collect();
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if near.len() > NEIGHBOURS {
        near.select_nth_unstable_by(NEIGHBOURS, order);
        near.truncate(NEIGHBOURS);
    }
    near
}
