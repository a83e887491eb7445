//! Clusters: k-means, a Gaussian mixture and DBSCAN behind one trait.

use linfa::DatasetBase;
use linfa::traits::{Fit, Transformer};
use linfa_clustering::{Dbscan, GaussianMixtureModel, KMeans, KMeansInit};
use ndarray::{Array2, ArrayView1, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::SegmentParams;
use super::choose::Space;
use crate::Error;

/// Fewest rows that a thread takes at a time.
const CHUNK: usize = 1024;
/// Steps of an algorithm before it stops without having settled.
const MOST_STEPS: u64 = 300;

/// What finds the clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Algorithm {
    /// k-means (Lloyd 1982) from k-means++ (Arthur & Vassilvitskii 2007), the best of several runs.
    KMeans,
    /// A mixture of Gaussians of any shape by expectation–maximisation, from k-means.
    GaussianMixture,
    /// DBSCAN (Ester et al. 1996), which finds the number of clusters itself.
    Dbscan {
        /// How far neighbours are apart at most, in principal components of standardised features.
        radius: f64,
        /// How many neighbours, itself included, make a customer the core of a cluster.
        min_points: usize,
    },
}

/// A way to find clusters in rows of principal components.
pub(super) trait Clusterer {
    /// The cluster of each of `points`, `None` where it belongs to none, after a fit to `sample`.
    ///
    /// Numbers may be left out. What cannot be fitted is [`Error::Unfit`].
    fn labels(
        &self,
        sample: &Array2<f64>,
        points: &Array2<f64>,
        clusters: usize,
    ) -> Result<Vec<Option<usize>>, Error>;
}

impl Algorithm {
    /// The name in the configuration and in the published tables.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::KMeans => "kmeans",
            Algorithm::GaussianMixture => "gaussian_mixture",
            Algorithm::Dbscan { .. } => "dbscan",
        }
    }

    pub(super) fn clusterer(self, params: &SegmentParams) -> Box<dyn Clusterer> {
        match self {
            Algorithm::KMeans => Box::new(BestOfRuns { runs: params.runs, seed: params.seed }),
            Algorithm::GaussianMixture => Box::new(Mixture { seed: params.seed }),
            Algorithm::Dbscan { radius, min_points } => Box::new(Density { radius, min_points }),
        }
    }
}

/// Every row in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clustering {
    /// From 0, by row.
    pub labels: Vec<usize>,
    /// Clusters × components: the means of the rows fitted.
    pub centres: Array2<f64>,
}

impl Clustering {
    /// Clusters `space` after a fit to `sample`; outliers and rows that belong to no cluster go to the
    /// nearest.
    pub fn fit(
        params: &SegmentParams,
        sample: &Space,
        space: &Space,
        clusters: usize,
    ) -> Result<Self, Error> {
        let fitted = space.ordinary_points();
        let clusterer = params.algorithm.clusterer(params);
        let mut found = clusterer.labels(&sample.ordinary_points(), &fitted, clusters)?;
        let count = renumber(&mut found);
        if count < 2 {
            let reason = format!("it finds {count} clusters among {} customers", fitted.nrows());
            return Err(Error::Unfit { model: params.algorithm.name(), reason });
        }
        let (rows, labels): (Vec<usize>, Vec<usize>) =
            found.iter().enumerate().filter_map(|(row, label)| label.map(|l| (row, l))).unzip();
        let centres = means(&fitted.select(Axis(0), &rows), &labels, count);
        let mut labels = nearest(&space.points, &centres);
        let own = space.ordinary.iter().zip(&found).filter_map(|(row, label)| label.map(|l| (*row, l)));
        own.for_each(|(row, label)| labels[row] = label);
        Ok(Clustering { labels, centres })
    }

    /// Euclidean distance of a row to its centre.
    pub fn distance(&self, points: &Array2<f64>, row: usize) -> f64 {
        squared_distance(points.row(row), self.centres.row(self.labels[row])).sqrt()
    }
}

/// k-means++ and most of the way by linfa, then exact steps until no row moves.
///
/// linfa counts the old centre as one more point of the new, takes inertia before its last step, and its
/// runs share a stream of chance: here every run has a seed of its own, and inertia is recounted.
struct BestOfRuns {
    runs: usize,
    seed: u64,
}

impl Clusterer for BestOfRuns {
    fn labels(
        &self,
        sample: &Array2<f64>,
        points: &Array2<f64>,
        clusters: usize,
    ) -> Result<Vec<Option<usize>>, Error> {
        let data = DatasetBase::from(sample.view());
        let run = |run: u64| {
            let rng = Xoshiro256Plus::seed_from_u64(self.seed.wrapping_add(run));
            let model = KMeans::params_with_rng(clusters, rng)
                .init_method(KMeansInit::KMeansPlusPlus)
                .n_runs(1)
                .max_n_iterations(MOST_STEPS)
                .fit(&data)
                .map_err(|e| Error::Unfit { model: "kmeans", reason: e.to_string() })?;
            let (labels, centres) = settle(sample, model.centroids().clone());
            let inertia: f64 = labels
                .iter()
                .enumerate()
                .map(|(i, &l)| squared_distance(sample.row(i), centres.row(l)))
                .sum();
            Ok((inertia, centres))
        };
        let runs: Vec<(f64, Array2<f64>)> =
            (0..self.runs as u64).into_par_iter().map(run).collect::<Result<_, Error>>()?;
        let best = runs.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, centres)) = best else { return Ok(vec![None; points.nrows()]) };
        Ok(settle(points, centres).0.into_iter().map(Some).collect())
    }
}

/// Lloyd's steps until no row changes its cluster; a cluster without rows keeps its centre.
fn settle(points: &Array2<f64>, mut centres: Array2<f64>) -> (Vec<usize>, Array2<f64>) {
    let mut labels = nearest(points, &centres);
    for _ in 0..MOST_STEPS {
        let mut next = means(points, &labels, centres.nrows());
        for (mut new, old) in next.outer_iter_mut().zip(centres.outer_iter()) {
            if new.iter().any(|v| v.is_nan()) {
                new.assign(&old);
            }
        }
        centres = next;
        let moved = nearest(points, &centres);
        if moved == labels {
            break;
        }
        labels = moved;
    }
    (labels, centres)
}

/// Expectation–maximisation by linfa from its best of ten k-means; its own runs go on where the last ended,
/// so there is one.
struct Mixture {
    seed: u64,
}

impl Clusterer for Mixture {
    fn labels(
        &self,
        sample: &Array2<f64>,
        points: &Array2<f64>,
        clusters: usize,
    ) -> Result<Vec<Option<usize>>, Error> {
        let model = GaussianMixtureModel::params_with_rng(clusters, Xoshiro256Plus::seed_from_u64(self.seed))
            .max_n_iterations(MOST_STEPS)
            .fit(&DatasetBase::from(sample.view()))
            .map_err(|e| Error::Unfit { model: "gaussian_mixture", reason: e.to_string() })?;
        // The densities of a row far from all components are 0, and its probabilities are no numbers.
        let most_likely = |shares: ArrayView1<f64>| {
            let sane = shares.iter().enumerate().filter(|(_, p)| p.is_finite());
            sane.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).map(|(cluster, _)| cluster)
        };
        Ok(model.predict_proba(points).outer_iter().map(most_likely).collect())
    }
}

/// DBSCAN by linfa, of all points: a sample of them is less dense.
struct Density {
    radius: f64,
    min_points: usize,
}

impl Clusterer for Density {
    fn labels(&self, _: &Array2<f64>, points: &Array2<f64>, _: usize) -> Result<Vec<Option<usize>>, Error> {
        let found = Dbscan::params(self.min_points).tolerance(self.radius).transform(points);
        let found = found.map_err(|e| Error::Unfit { model: "dbscan", reason: e.to_string() })?;
        Ok(found.to_vec())
    }
}

/// Numbers clusters in the order in which they occur, and counts them.
fn renumber(labels: &mut [Option<usize>]) -> usize {
    let highest = labels.iter().flatten().max().map_or(0, |l| l + 1);
    let (mut numbers, mut count) = (vec![None; highest], 0);
    for label in labels.iter_mut().flatten() {
        *label = *numbers[*label].get_or_insert_with(|| {
            count += 1;
            count - 1
        });
    }
    count
}

/// Clusters × columns: the mean of each cluster's rows, NaN of one without rows.
pub(super) fn means(points: &Array2<f64>, labels: &[usize], clusters: usize) -> Array2<f64> {
    let mut sums = Array2::zeros((clusters, points.ncols()));
    let mut counts = vec![0.0; clusters];
    for (row, &label) in points.outer_iter().zip(labels) {
        sums.row_mut(label).zip_mut_with(&row, |sum, v| *sum += v);
        counts[label] += 1.0;
    }
    sums.outer_iter_mut().zip(counts).for_each(|(mut sum, count)| sum /= count);
    sums
}

/// The nearest centre of each row, the first of equals.
fn nearest(points: &Array2<f64>, centres: &Array2<f64>) -> Vec<usize> {
    let closest = |row: usize| {
        let distance = |centre: ArrayView1<f64>| squared_distance(points.row(row), centre);
        let start = (0, f64::INFINITY);
        let closer =
            |best: (usize, f64), (label, d): (usize, f64)| if d < best.1 { (label, d) } else { best };
        centres.outer_iter().map(distance).enumerate().fold(start, closer).0
    };
    (0..points.nrows()).into_par_iter().with_min_len(CHUNK).map(closest).collect()
}

pub(super) fn squared_distance(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}
