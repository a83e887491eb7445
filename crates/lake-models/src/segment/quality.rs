//! How good clusters are, by scikit-learn's definitions.

use ndarray::Array2;
use rayon::prelude::*;

use super::cluster::{Clustering, means, squared_distance};

/// Rows whose distances are worked on at a time, so that they stay in the nearest cache.
const BLOCK: usize = 1024;

/// Measures of a clustering.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Mean silhouette (Rousseeuw 1987) of the sample, from −1 to 1; higher is better.
    pub silhouette: f64,
    /// Davies & Bouldin (1979) over all customers; lower is better.
    pub davies_bouldin: f64,
    /// Caliński & Harabasz (1974) over all customers; higher is better.
    pub calinski_harabasz: f64,
    /// Squared distances of all customers to their centres, summed.
    pub inertia: f64,
}

impl Quality {
    /// Measures a clustering of `points` whose silhouettes are known of a sample.
    pub(super) fn of(points: &Array2<f64>, clustering: &Clustering, silhouettes: &[f64]) -> Self {
        let Clustering { labels, centres } = clustering;
        Quality {
            silhouette: mean(silhouettes),
            davies_bouldin: davies_bouldin(points, labels),
            calinski_harabasz: calinski_harabasz(points, labels),
            inertia: inertia(points, labels, centres),
        }
    }
}

/// The silhouettes of all points under each of several labelings; 0 where a cluster has one point, or there
/// is no other.
///
/// One pass over the pairs serves all labelings. Each point's sums run over the others in order, so they do
/// not depend on the number of threads.
pub(super) fn silhouettes(points: &Array2<f64>, labelings: &[&[usize]]) -> Vec<Vec<f64>> {
    let n = points.nrows();
    let counts: Vec<Vec<usize>> = labelings.iter().map(|labels| sizes(labels, count(labels))).collect();
    let offsets: Vec<usize> =
        counts.iter().scan(0, |sum, c| Some(std::mem::replace(sum, *sum + c.len()))).collect();
    let places: Vec<Vec<usize>> = (0..n)
        .map(|i| labelings.iter().zip(&offsets).map(|(labels, offset)| offset + labels[i]).collect())
        .collect();
    let places = places.concat();
    let columns: Vec<Vec<f64>> = points.columns().into_iter().map(|c| c.to_vec()).collect();
    let sums: Vec<f64> = counts.iter().flatten().map(|_| 0.0).collect();
    let of_point = |i: usize| {
        let mut sums = sums.clone();
        let mut distances = [0.0; BLOCK];
        for start in (0..n).step_by(BLOCK) {
            let block = &mut distances[..BLOCK.min(n - start)];
            block.fill(0.0);
            for column in &columns {
                let at = column[i];
                block.iter_mut().zip(&column[start..]).for_each(|(d, v)| *d += (v - at) * (v - at));
            }
            block.iter_mut().for_each(|d| *d = d.sqrt());
            let places = places[start * labelings.len()..].chunks_exact(labelings.len());
            block.iter().zip(places).for_each(|(d, places)| places.iter().for_each(|&p| sums[p] += d));
        }
        let silhouette = |l: usize| {
            let sums = &sums[offsets[l]..][..counts[l].len()];
            silhouette(sums, &counts[l], labelings[l][i])
        };
        (0..labelings.len()).map(silhouette).collect::<Vec<f64>>()
    };
    let by_point: Vec<Vec<f64>> = (0..n).into_par_iter().map(of_point).collect();
    (0..labelings.len()).map(|l| by_point.iter().map(|s| s[l]).collect()).collect()
}

/// `(b − a) / max(a, b)` of a point of cluster `own`, from its summed distances to each cluster.
fn silhouette(sums: &[f64], counts: &[usize], own: usize) -> f64 {
    if counts[own] == 1 {
        return 0.0;
    }
    let a = sums[own] / (counts[own] - 1) as f64;
    // A sample may leave out a cluster.
    let others =
        sums.iter().zip(counts).enumerate().filter(|(label, (_, count))| *label != own && **count > 0);
    let b = others.map(|(_, (sum, count))| sum / *count as f64).min_by(f64::total_cmp);
    b.filter(|b| a.max(*b) > 0.0).map_or(0.0, |b| (b - a) / a.max(b))
}

/// The mean over clusters of the largest `(s_i + s_j) / d_ij`, where s is the mean distance to the own mean
/// and d that between means.
pub(super) fn davies_bouldin(points: &Array2<f64>, labels: &[usize]) -> f64 {
    let clusters = count(labels);
    let centres = means(points, labels, clusters);
    let mut spread = vec![0.0; clusters];
    for (row, &l) in points.outer_iter().zip(labels) {
        spread[l] += squared_distance(row, centres.row(l)).sqrt();
    }
    spread.iter_mut().zip(sizes(labels, clusters)).for_each(|(s, size)| *s /= size as f64);
    let ratio = |i: usize, j: usize| {
        let apart = squared_distance(centres.row(i), centres.row(j)).sqrt();
        if i != j && apart > 0.0 { (spread[i] + spread[j]) / apart } else { 0.0 }
    };
    let worst = |i: usize| (0..clusters).map(|j| ratio(i, j)).fold(0.0, f64::max);
    mean(&(0..clusters).map(worst).collect::<Vec<f64>>())
}

/// Variance between clusters over variance within; 1 where there is none within.
pub(super) fn calinski_harabasz(points: &Array2<f64>, labels: &[usize]) -> f64 {
    let clusters = count(labels);
    let centres = means(points, labels, clusters);
    let middle = means(points, &vec![0; labels.len()], 1);
    let within = inertia(points, labels, &centres);
    let between: f64 = sizes(labels, clusters)
        .iter()
        .zip(centres.outer_iter())
        .map(|(&size, centre)| size as f64 * squared_distance(centre, middle.row(0)))
        .sum();
    if within == 0.0 {
        return 1.0;
    }
    between * (labels.len() - clusters) as f64 / (within * (clusters - 1) as f64)
}

pub(super) fn inertia(points: &Array2<f64>, labels: &[usize], centres: &Array2<f64>) -> f64 {
    points.outer_iter().zip(labels).map(|(row, &l)| squared_distance(row, centres.row(l))).sum()
}

pub(super) fn sizes(labels: &[usize], clusters: usize) -> Vec<usize> {
    let mut sizes = vec![0; clusters];
    labels.iter().for_each(|&l| sizes[l] += 1);
    sizes
}

fn count(labels: &[usize]) -> usize {
    labels.iter().max().map_or(0, |l| l + 1)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
