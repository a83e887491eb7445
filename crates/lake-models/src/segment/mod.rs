//! Customer segments: outliers, scales, principal components, clusters, and names that last.
//!
//! [`SegmentParams::fit`] takes one row of features per customer and gives each a segment. Modules stand in
//! the order of the data: an isolation forest flags outliers, amounts are put on a signed log scale and all
//! features standardised, principal components are taken, one of three algorithms finds clusters in them, and
//! segments keep the ids of those they continue. Outliers are flagged, assigned to the nearest cluster and
//! counted; only fitting leaves them out. The order of the input does not matter, and no result is NaN.

mod input;
mod forest;
mod scale;
mod components;
mod cluster;
mod quality;
mod choose;
mod identity;
mod gate;

#[cfg(test)]
mod tests;

pub use choose::{Candidate, Judged, SAMPLE};
pub use cluster::Algorithm;
pub use components::Component;
pub use gate::Verdict;
pub use input::{Customers, Feature};
pub use quality::Quality;
pub use scale::Scale;

use ndarray::Array2;

use crate::Error;
use choose::{Choice, Space};
use components::Components;
use forest::Forest;
use identity::Identity;
use input::Table;
use scale::Scaler;

/// How customers are segmented.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentParams {
    /// What finds the clusters.
    pub algorithm: Algorithm,
    /// The number of clusters; `None` to choose it from 2 to `largest`. DBSCAN finds its own.
    pub clusters: Option<usize>,
    /// The largest number of clusters to choose.
    pub largest: usize,
    /// The share of customers that the smallest cluster must hold for its number to be chosen.
    pub least_share: f64,
    /// Runs of k-means, of which the one of lowest inertia counts; the other algorithms have one.
    pub runs: usize,
    /// Trees of the isolation forest.
    pub trees: usize,
    /// Customers that each tree is grown from.
    pub subsample: usize,
    /// The share of customers that are flagged as outliers.
    pub contamination: f64,
    /// The share of variance that the principal components keep.
    pub variance: f64,
    /// The mean silhouette from which on segments are published.
    pub least_silhouette: f64,
    /// How much worse than the published silhouette a lower one may be.
    pub largest_loss: f64,
    /// Seeds the forest, the runs and the sample.
    pub seed: u64,
}

impl Default for SegmentParams {
    fn default() -> Self {
        SegmentParams {
            algorithm: Algorithm::KMeans,
            clusters: None,
            largest: 10,
            least_share: 0.01,
            runs: 10,
            trees: 100,
            subsample: 256,
            contamination: 0.05,
            variance: 0.95,
            least_silhouette: 0.3,
            largest_loss: 0.05,
            seed: 1,
        }
    }
}

/// A customer's place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CustomerSegment {
    /// The segment, from 1.
    pub segment_id: i64,
    /// Euclidean distance to the segment's centre, in principal components.
    pub distance: f64,
    /// The silhouette; `None` outside of the sample.
    pub silhouette: Option<f64>,
    /// Whether the customer was left out of fitting.
    pub is_outlier: bool,
    /// The isolation forest's score, from 0 to 1; about 0.5 is ordinary.
    pub outlier_score: f64,
    /// First principal component.
    pub pc1: f64,
    /// Second principal component; 0 where there is only one.
    pub pc2: f64,
}

/// A segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its id, from 1.
    pub id: i64,
    /// Whether it continues the published segment of the same id.
    pub is_known: bool,
    /// How many customers it has, outliers among them.
    pub customers: usize,
    /// Where its centre lies, in the retained components: the mean of its customers but the outliers.
    pub centre: Vec<f64>,
    /// The mean of its customers in each of [`Segmentation::scales`], in standard deviations from the mean
    /// of all customers but the outliers: what sets it apart.
    pub differences: Vec<f64>,
}

/// The segments, and every step on the way to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// One per customer, in the order of the input.
    pub customers: Vec<CustomerSegment>,
    /// By id.
    pub segments: Vec<Segment>,
    /// The highest outlier score that is not flagged.
    pub outlier_threshold: f64,
    /// How each feature was scaled, in the order of the input, without the dropped ones.
    pub scales: Vec<Scale>,
    /// Features that are the same for all customers but the outliers.
    pub dropped: Vec<String>,
    /// All principal components, from the largest share of variance down.
    pub components: Vec<Component>,
    /// How many of the components the clusters were found in.
    pub retained: usize,
    /// What each number of clusters came to.
    pub curve: Vec<Candidate>,
    /// How many customers, drawn with the seed, the curve and the silhouettes are taken from.
    pub sampled: usize,
    /// How good the segments are.
    pub quality: Quality,
    /// Whether they are good enough to be published.
    pub verdict: Verdict,
}

impl SegmentParams {
    /// Segments `customers`.
    ///
    /// # Errors
    /// [`Error::Empty`] without customers or features; [`Error::Invalid`] for parameters out of range, columns
    /// of different lengths, values that are missing, infinite or beyond 1e100, and ids that occur twice;
    /// [`Error::Unfit`] for fewer than three customers, for features that are all constant, and where the
    /// algorithm finds fewer than two clusters, or no number of clusters has a large enough smallest one.
    pub fn fit(&self, customers: &Customers) -> Result<Segmentation, Error> {
        self.check()?;
        let table = Table::new(customers)?;
        let forest = Forest { trees: self.trees, subsample: self.subsample, seed: self.seed };
        let scores = forest.scores(&table.values);
        let outlier_threshold = forest::threshold(&scores, self.contamination);
        let is_outlier: Vec<bool> = scores.iter().map(|s| *s > outlier_threshold).collect();
        let ordinary: Vec<usize> = (0..scores.len()).filter(|&row| !is_outlier[row]).collect();

        let Scaler { scales, dropped, scaled } = Scaler::fit(customers.features, &table.values, &ordinary)?;
        let components = Components::fit(&scaled, &ordinary);
        let projected = components.project(&scaled);
        let retained = components.retained(self.variance);
        let space = Space::new(projected.slice(ndarray::s![.., ..retained]).to_owned(), ordinary);
        let Choice { clustering, curve, sample, silhouettes } = choose::choose(self, &space)?;

        let quality = Quality::of(&space.points, &clustering, &silhouettes);
        let sizes = quality::sizes(&clustering.labels, clustering.centres.nrows());
        let worth = table.worth(&clustering.labels, sizes.len());
        let identities = identity::identify(&space.points, &clustering.labels, &table.previous, &worth);
        let mut of_rows = vec![None; scores.len()];
        sample.iter().zip(&silhouettes).for_each(|(&row, s)| of_rows[row] = Some(*s));
        let customer = |row: usize| CustomerSegment {
            segment_id: identities[clustering.labels[row]].id,
            distance: clustering.distance(&space.points, row),
            silhouette: of_rows[row],
            is_outlier: is_outlier[row],
            outlier_score: scores[row],
            pc1: projected[[row, 0]],
            pc2: projected.get([row, 1]).copied().unwrap_or(0.0),
        };
        Ok(Segmentation {
            customers: table.rows.iter().map(|&row| customer(row)).collect(),
            segments: segments(&identities, &clustering, &sizes, &scaled),
            outlier_threshold,
            scales,
            dropped,
            components: components.all,
            retained,
            curve,
            sampled: sample.len(),
            verdict: Verdict::of(self, quality.silhouette, customers.previous_silhouette),
            quality,
        })
    }

    /// Every parameter is within its range.
    fn check(&self) -> Result<(), Error> {
        let refuse = |name: &str, value: f64, range: &str| {
            Err(Error::Invalid(format!("cannot segment with `{name}` = {value}: it must be {range}")))
        };
        let least = [
            ("clusters", self.clusters.unwrap_or(2), 2),
            ("largest", self.largest, 2),
            ("runs", self.runs, 1),
            ("trees", self.trees, 1),
            ("subsample", self.subsample, 2),
        ];
        if let Some((name, value, least)) = least.into_iter().find(|(_, value, least)| value < least) {
            return refuse(name, value as f64, &format!("at least {least}"));
        }
        let shares = [
            ("least_share", self.least_share, 0.5),
            ("contamination", self.contamination, 0.5),
            ("variance", self.variance, 1.0),
        ];
        if let Some((name, value, most)) = shares.into_iter().find(|(_, v, most)| !(0.0..=*most).contains(v))
        {
            return refuse(name, value, &format!("from 0 to {most}"));
        }
        match self.algorithm {
            Algorithm::Dbscan { radius, .. } if !(radius > 0.0 && radius.is_finite()) => {
                refuse("radius", radius, "positive")
            }
            Algorithm::Dbscan { min_points, .. } if min_points < 2 => {
                refuse("min_points", min_points as f64, "at least 2")
            }
            _ => Ok(()),
        }
    }
}

/// The segments by id, with what sets them apart.
fn segments(
    identities: &[Identity],
    clustering: &cluster::Clustering,
    sizes: &[usize],
    scaled: &Array2<f64>,
) -> Vec<Segment> {
    let differences = cluster::means(scaled, &clustering.labels, sizes.len());
    let segment = |(label, identity): (usize, &Identity)| Segment {
        id: identity.id,
        is_known: identity.is_known,
        customers: sizes[label],
        centre: clustering.centres.row(label).to_vec(),
        differences: differences.row(label).to_vec(),
    };
    let mut segments: Vec<Segment> = identities.iter().enumerate().map(segment).collect();
    segments.sort_unstable_by_key(|s| s.id);
    segments
}
