//! Ids that last: a segment keeps the id of the published one that it continues.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::cluster::{means, squared_distance};

/// The id of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// From 1.
    pub id: i64,
    /// Whether a published segment has it.
    pub is_known: bool,
}

/// The id of each cluster: those of the published segments, by the assignment of least total distance
/// between centres; what is left over gets ids above all published ones, by falling `worth`.
///
/// The centre of a published segment is where the customers that were in it are now.
pub(super) fn identify(
    points: &Array2<f64>,
    labels: &[usize],
    previous: &[Option<i64>],
    worth: &[f64],
) -> Vec<Identity> {
    let mut ids: Vec<Option<i64>> = vec![None; worth.len()];
    let (rows, then): (Vec<usize>, Vec<i64>) =
        previous.iter().enumerate().filter_map(|(row, p)| p.map(|p| (row, p))).unzip();
    let mut places: BTreeMap<i64, usize> = then.iter().map(|id| (*id, 0)).collect();
    places.values_mut().enumerate().for_each(|(place, at)| *at = place);
    let published: Vec<i64> = places.keys().copied().collect();
    let of_rows: Vec<usize> = then.iter().map(|id| places[id]).collect();

    let old = means(&points.select(ndarray::Axis(0), &rows), &of_rows, published.len());
    let new = means(points, labels, worth.len());
    let distance = |(n, o): (usize, usize)| squared_distance(new.row(n), old.row(o)).sqrt();
    let pairs = (0..worth.len()).flat_map(|n| (0..published.len()).map(move |o| (n, o)));
    let costs: Vec<f64> = pairs.map(distance).collect();
    // It refuses costs that are not finite alone, which distances of finite points are.
    let (matched, to) = lsap::solve(worth.len(), published.len(), &costs, false).unwrap_or_default();
    matched.into_iter().zip(to).for_each(|(n, o)| ids[n] = Some(published[o]));

    let mut unmatched: Vec<usize> = (0..worth.len()).filter(|&n| ids[n].is_none()).collect();
    unmatched.sort_by(|&a, &b| worth[b].total_cmp(&worth[a]));
    let first = published.last().map_or(1, |last| last + 1);
    let mut all: Vec<Identity> =
        ids.iter().map(|id| Identity { id: id.unwrap_or(0), is_known: id.is_some() }).collect();
    (first..).zip(unmatched).for_each(|(id, n)| all[n].id = id);
    all
}
