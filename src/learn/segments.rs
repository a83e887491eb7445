//! Which customers are alike: `lake-models`' segmentation.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use lake_models::segment::{Algorithm, Customers, Feature, SegmentParams, Segmentation};

use super::columns::{Columns, part, parts, schema, schema_of_parts, texts};
use super::{Learned, Metric, ModelRecord, Verdict};
use crate::config::{self, Clustering};
use crate::error::Result;

/// Grows whenever the same rows and parameters give something else.
pub(super) const VERSION: u32 = 1;

/// The features, and whether each is money or a count, whose differences are relative.
const FEATURES: [(&str, bool); 15] = [
    ("recency_days", true),
    ("orders", true),
    ("units", true),
    ("monetary", true),
    ("avg_order_value", true),
    ("distinct_products", true),
    ("avg_days_between_purchases", true),
    ("is_uk", false),
    ("return_count", true),
    ("return_rate", false),
    ("monthly_spend_mean", true),
    ("monthly_spend_stddev", true),
    ("spend_trend", true),
    ("tenure_days", true),
    ("p_alive", false),
];

/// The feature by whose mean new segments are numbered.
const VALUE: &str = "monetary";

/// One row per customer: its features, none NULL, the segment it is published in, and the mean silhouette of what is
/// published.
pub(super) fn input() -> SchemaRef {
    let features = FEATURES.iter().map(|(name, _)| (*name, DataType::Float64));
    let all: Vec<_> = [("customer_id", DataType::Int64)]
        .into_iter()
        .chain(features)
        .chain([("previous_segment_id", DataType::Int64), ("previous_silhouette", DataType::Float64)])
        .collect();
    schema(&all)
}

/// Rows of `part` `customer`, `segment`, and `difference` (of a segment's mean in a feature from that of all).
pub(super) fn output() -> SchemaRef {
    let number = |name| (name, DataType::Float64);
    schema_of_parts(&[
        ("customer_id", DataType::Int64),
        ("segment_id", DataType::Int64),
        number("distance"),
        number("silhouette"),
        ("is_outlier", DataType::Boolean),
        number("outlier_score"),
        number("pc1"),
        number("pc2"),
        ("is_matched", DataType::Boolean),
        ("customers", DataType::Int64),
        ("feature", DataType::Utf8View),
        number("difference"),
    ])
}

pub(super) fn learn(parameters: &config::Segments, rows: &RecordBatch) -> Result<Learned> {
    let schema = output();
    let columns = Columns(rows);
    let ids = columns.integers("customer_id")?;
    let values = FEATURES.iter().map(|(name, _)| columns.numbers(name)).collect::<Result<Vec<_>>>()?;
    let features: Vec<Feature> = FEATURES
        .iter()
        .zip(&values)
        .map(|((name, is_amount), values)| Feature { name, values: values.values(), is_amount: *is_amount })
        .collect();
    let previous: Vec<Option<i64>> = columns.integers("previous_segment_id")?.iter().collect();
    let previous_silhouette = columns.numbers("previous_silhouette")?.iter().flatten().next();
    let customers = Customers {
        ids: ids.values(),
        features: &features,
        value: VALUE,
        previous: &previous,
        previous_silhouette,
    };
    let params = params(parameters);
    let segmentation = match params.fit(&customers) {
        Ok(segmentation) => segmentation,
        // A customer who occurs twice is told of by the keys of the tables.
        Err(nothing) => return Ok(Learned::nothing(schema, rows, nothing.to_string())),
    };
    let all = [
        customer_rows(&schema, &ids, &segmentation)?,
        segment_rows(&schema, &segmentation)?,
        difference_rows(&schema, &segmentation)?,
    ];
    Ok(Learned { rows: parts(&schema, &all)?, record: record(&params, &segmentation) })
}

fn params(parameters: &config::Segments) -> SegmentParams {
    SegmentParams {
        algorithm: match parameters.algorithm {
            Clustering::GaussianMixture => Algorithm::GaussianMixture,
            Clustering::Dbscan => {
                Algorithm::Dbscan { radius: parameters.radius, min_points: parameters.neighbours as usize }
            }
            Clustering::KMeans => Algorithm::KMeans,
        },
        clusters: Some(parameters.clusters as usize).filter(|clusters| *clusters > 0),
        largest: parameters.largest as usize,
        least_share: parameters.least_share,
        contamination: parameters.contamination,
        variance: parameters.variance,
        seed: parameters.seed,
        ..Default::default()
    }
}

fn customer_rows(schema: &SchemaRef, ids: &Int64Array, segmentation: &Segmentation) -> Result<RecordBatch> {
    let customers = &segmentation.customers;
    let number = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let segments = Int64Array::from_iter_values(customers.iter().map(|customer| customer.segment_id));
    let silhouettes: Float64Array = customers.iter().map(|customer| customer.silhouette).collect();
    let outliers: BooleanArray = customers.iter().map(|customer| Some(customer.is_outlier)).collect();
    let columns = vec![
        ("customer_id", Arc::new(ids.clone()) as ArrayRef),
        ("segment_id", Arc::new(segments)),
        ("distance", number(customers.iter().map(|customer| customer.distance).collect())),
        ("silhouette", Arc::new(silhouettes)),
        ("is_outlier", Arc::new(outliers)),
        ("outlier_score", number(customers.iter().map(|customer| customer.outlier_score).collect())),
        ("pc1", number(customers.iter().map(|customer| customer.pc1).collect())),
        ("pc2", number(customers.iter().map(|customer| customer.pc2).collect())),
    ];
    part(schema, "customer", customers.len(), columns)
}

fn segment_rows(schema: &SchemaRef, segmentation: &Segmentation) -> Result<RecordBatch> {
    let segments = &segmentation.segments;
    let known: BooleanArray = segments.iter().map(|segment| Some(segment.is_known)).collect();
    let sizes = Int64Array::from_iter_values(segments.iter().map(|segment| segment.customers as i64));
    let columns = vec![
        ("segment_id", segment_ids(segmentation, 1)),
        ("is_matched", Arc::new(known) as ArrayRef),
        ("customers", Arc::new(sizes)),
    ];
    part(schema, "segment", segments.len(), columns)
}

fn difference_rows(schema: &SchemaRef, segmentation: &Segmentation) -> Result<RecordBatch> {
    let features = segmentation.scales.len();
    let differences = segmentation.segments.iter().flat_map(|segment| &segment.differences).copied();
    let names = segmentation.segments.iter().flat_map(|_| &segmentation.scales);
    let columns = vec![
        ("segment_id", segment_ids(segmentation, features)),
        ("feature", texts(names.map(|scale| scale.name.as_str()))),
        ("difference", Arc::new(Float64Array::from_iter_values(differences)) as ArrayRef),
    ];
    part(schema, "difference", segmentation.segments.len() * features, columns)
}

/// The id of each segment, so many times.
fn segment_ids(segmentation: &Segmentation, times: usize) -> ArrayRef {
    let ids = segmentation.segments.iter().flat_map(|segment| std::iter::repeat_n(segment.id, times));
    Arc::new(Int64Array::from_iter_values(ids))
}

fn record(params: &SegmentParams, segmentation: &Segmentation) -> ModelRecord {
    ModelRecord {
        algorithm: params.algorithm.name().into(),
        parameters: steps(params, segmentation),
        seed: Some(params.seed),
        rows: segmentation.customers.len() as u64,
        metrics: metrics(segmentation),
        verdict: if segmentation.verdict.may_publish { Verdict::Passed } else { Verdict::Withheld },
        reason: segmentation.verdict.reason.clone(),
        ..Default::default()
    }
}

/// What each step was done with, and what it found.
fn steps(params: &SegmentParams, segmentation: &Segmentation) -> BTreeMap<String, String> {
    let mut steps = BTreeMap::from([
        ("contamination".to_string(), params.contamination.to_string()),
        ("trees of the isolation forest".into(), params.trees.to_string()),
        ("customers of each tree".into(), params.subsample.to_string()),
        ("outlier score that is not flagged".into(), segmentation.outlier_threshold.to_string()),
        ("features without variance".into(), segmentation.dropped.join(", ")),
        ("variance kept".into(), params.variance.to_string()),
        ("components kept".into(), segmentation.retained.to_string()),
        ("segments".into(), segmentation.segments.len().to_string()),
        ("customers that silhouettes are taken from".into(), segmentation.sampled.to_string()),
    ]);
    for scale in &segmentation.scales {
        let log = if scale.is_amount { "signed log, " } else { "" };
        let text = format!("{log}mean {:.6}, deviation {:.6}", scale.mean, scale.deviation);
        steps.insert(format!("scale of {}", scale.name), text);
    }
    steps
}

fn metrics(segmentation: &Segmentation) -> Vec<Metric> {
    let metric = |subject: String, name: &str, value: f64| Metric { subject, name: name.into(), value };
    let quality = &segmentation.quality;
    let all = [
        ("silhouette", quality.silhouette),
        ("davies_bouldin", quality.davies_bouldin),
        ("calinski_harabasz", quality.calinski_harabasz),
        ("inertia", quality.inertia),
    ];
    let mut metrics: Vec<Metric> =
        all.into_iter().map(|(name, value)| metric("all segments".into(), name, value)).collect();
    metrics.extend(
        segmentation
            .segments
            .iter()
            .map(|segment| metric(format!("segment {}", segment.id), "customers", segment.customers as f64)),
    );
    for (number, component) in segmentation.components.iter().take(segmentation.retained).enumerate() {
        let of = |name: &str, value: f64| metric(format!("component {}", number + 1), name, value);
        metrics.push(of("share of variance", component.variance_ratio));
        let loadings = segmentation.scales.iter().zip(&component.loadings);
        metrics.extend(loadings.map(|(scale, loading)| of(&format!("loading of {}", scale.name), *loading)));
    }
    for candidate in &segmentation.curve {
        let Ok(judged) = &candidate.judged else { continue };
        let of = |name: &str, value: f64| metric(format!("k = {}", candidate.clusters), name, value);
        metrics.extend([
            of("silhouette", judged.silhouette),
            of("inertia", judged.inertia),
            of("smallest_share", judged.smallest_share),
        ]);
    }
    metrics
}
