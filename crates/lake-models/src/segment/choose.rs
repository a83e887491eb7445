//! How many clusters: the number of the highest mean silhouette whose smallest cluster is large enough.

use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::SegmentParams;
use super::cluster::{Algorithm, Clustering};
use super::quality::{inertia, mean, silhouettes, sizes};
use crate::Error;

/// Above this many customers, numbers of clusters are compared and silhouettes taken on a sample of as many.
pub const SAMPLE: usize = 20_000;
/// The stream of chance of the sample; the trees of the forest have the first ones.
const SAMPLE_STREAM: u64 = u64::MAX;

/// One number of clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// How many clusters were asked for; of DBSCAN, how many it found.
    pub clusters: usize,
    /// What they came to, or why they could not be found.
    pub judged: Result<Judged, Error>,
}

/// What a number of clusters came to, on the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Mean silhouette.
    pub silhouette: f64,
    /// Squared distances to the centres, summed.
    pub inertia: f64,
    /// Share of customers in the smallest cluster; 0 where fewer clusters were found than asked for.
    pub smallest_share: f64,
}

/// Customers in principal components.
pub(super) struct Space {
    /// Customers × components.
    pub points: Array2<f64>,
    /// The rows that are no outliers.
    pub ordinary: Vec<usize>,
}

impl Space {
    pub fn new(points: Array2<f64>, ordinary: Vec<usize>) -> Self {
        Space { points, ordinary }
    }

    /// The points that are no outliers.
    pub fn ordinary_points(&self) -> Array2<f64> {
        self.points.select(Axis(0), &self.ordinary)
    }

    /// Some of the rows, in order.
    fn of(&self, rows: &[usize]) -> Self {
        let is_ordinary = |&place: &usize| self.ordinary.binary_search(&rows[place]).is_ok();
        Space::new(self.points.select(Axis(0), rows), (0..rows.len()).filter(is_ordinary).collect())
    }
}

/// The chosen clusters.
pub(super) struct Choice {
    /// Of all customers.
    pub clustering: Clustering,
    /// Every number that was tried.
    pub curve: Vec<Candidate>,
    /// Rows of the sample.
    pub sample: Vec<usize>,
    /// Silhouettes of the sample under the chosen clusters.
    pub silhouettes: Vec<f64>,
}

/// Clusters all customers, after a choice on the sample where there is one.
pub(super) fn choose(params: &SegmentParams, space: &Space) -> Result<Choice, Error> {
    let rows = sample(space.points.nrows(), params.seed);
    let sample = space.of(&rows);
    let fixed = if let Algorithm::Dbscan { .. } = params.algorithm { Some(0) } else { params.clusters };
    let most = sample.ordinary.len();
    if let Some(clusters) = fixed.filter(|k| *k > most) {
        let reason = format!("{clusters} clusters of {most} customers without outliers");
        return Err(Error::Unfit { model: params.algorithm.name(), reason });
    }
    let mut curve = match fixed {
        Some(_) => Vec::new(),
        None => curve(params, &sample, 2..=params.largest.min(most.saturating_sub(1))),
    };
    let clusters = fixed.map_or_else(|| best(params, &curve), Ok)?;
    let clustering = Clustering::fit(params, &sample, space, clusters)?;
    let of_sample = Clustering {
        labels: rows.iter().map(|&row| clustering.labels[row]).collect(),
        centres: clustering.centres.clone(),
    };
    let silhouettes = silhouettes(&sample.points, &[&of_sample.labels]).concat();
    if fixed.is_some() {
        let found = clustering.centres.nrows();
        let judged = Ok(judge(&sample, &of_sample, &silhouettes, clusters));
        curve.push(Candidate { clusters: clusters.max(found), judged });
    }
    Ok(Choice { clustering, curve, sample: rows, silhouettes })
}

/// The rows of the sample: all, or [`SAMPLE`] of them, in order.
fn sample(n: usize, seed: u64) -> Vec<usize> {
    if n <= SAMPLE {
        return (0..n).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(SAMPLE_STREAM);
    let mut rows = index::sample(&mut rng, n, SAMPLE).into_vec();
    rows.sort_unstable();
    rows
}

/// Each number of clusters on the sample.
fn curve(params: &SegmentParams, sample: &Space, numbers: std::ops::RangeInclusive<usize>) -> Vec<Candidate> {
    let fits: Vec<(usize, Result<Clustering, Error>)> =
        numbers.into_par_iter().map(|k| (k, Clustering::fit(params, sample, sample, k))).collect();
    let labelings: Vec<&[usize]> = fits.iter().flat_map(|(_, fit)| fit).map(|c| &c.labels[..]).collect();
    let mut silhouettes = silhouettes(&sample.points, &labelings).into_iter();
    let candidate = |(clusters, fit): (usize, Result<Clustering, Error>)| Candidate {
        clusters,
        judged: fit.map(|c| judge(sample, &c, &silhouettes.next().unwrap_or_default(), clusters)),
    };
    fits.into_iter().map(candidate).collect()
}

fn judge(sample: &Space, clustering: &Clustering, silhouettes: &[f64], clusters: usize) -> Judged {
    let Clustering { labels, centres } = clustering;
    let found = centres.nrows();
    let smallest = sizes(labels, found).into_iter().min().filter(|_| found >= clusters).unwrap_or(0);
    Judged {
        silhouette: mean(silhouettes),
        inertia: inertia(&sample.points, labels, centres),
        smallest_share: smallest as f64 / labels.len() as f64,
    }
}

/// The best number of clusters, the smallest of equals.
fn best(params: &SegmentParams, curve: &[Candidate]) -> Result<usize, Error> {
    let large_enough = |c: &Candidate| {
        let judged = c.judged.as_ref().ok().filter(|j| j.smallest_share >= params.least_share)?;
        (judged.smallest_share > 0.0).then_some((c.clusters, judged.silhouette))
    };
    let candidates = curve.iter().filter_map(large_enough);
    let best = candidates.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    best.map(|(clusters, _)| clusters).ok_or_else(|| {
        let why = |c: &Candidate| match &c.judged {
            Ok(judged) => format!("{}: {:.1} %", c.clusters, 100.0 * judged.smallest_share),
            Err(e) => format!("{}: {e}", c.clusters),
        };
        let reason = format!(
            "no number of clusters leaves {:.1} % of customers in the smallest ({})",
            100.0 * params.least_share,
            curve.iter().map(why).collect::<Vec<String>>().join("; ")
        );
        Error::Unfit { model: params.algorithm.name(), reason }
    })
}
