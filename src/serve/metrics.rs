//! What the server counts, as Prometheus reads it.

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::Door;
use crate::error::{Error, Result};

/// How a statement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client has the whole answer.
    Done,
    /// The client was told why not.
    Refused,
    /// The client stopped it, or left.
    Cancelled,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Cancelled => "cancelled",
        }
    }
}

/// The server's counters, by door.
pub struct Metrics {
    registry: Registry,
    connections: IntGaugeVec,
    running: IntGaugeVec,
    statements: IntCounterVec,
    seconds: HistogramVec,
    rows: IntCounterVec,
    published: IntGauge,
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Result<Metrics> {
        let registry = Registry::new();
        let by_door = &["door"];
        let opts = |name: &str, help: &str| Opts::new(name, help);
        let metrics = Metrics {
            connections: IntGaugeVec::new(opts("lake_connections", "Open connections."), by_door)
                .map_err(mistaken)?,
            running: IntGaugeVec::new(opts("lake_statements_running", "Statements at work."), by_door)
                .map_err(mistaken)?,
            statements: IntCounterVec::new(
                opts("lake_statements_total", "Statements that ended, by how."),
                &["door", "outcome"],
            )
            .map_err(mistaken)?,
            seconds: HistogramVec::new(
                HistogramOpts::new(
                    "lake_statement_seconds",
                    "Seconds from a statement's arrival to its last row.",
                )
                .buckets(vec![0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 300.0]),
                by_door,
            )
            .map_err(mistaken)?,
            rows: IntCounterVec::new(opts("lake_rows_total", "Rows that were sent."), by_door)
                .map_err(mistaken)?,
            published: IntGauge::new(
                "lake_publication_version",
                "The version of ops.publications that clients see; -1 before the first.",
            )
            .map_err(mistaken)?,
            registry,
        };
        let all: [Box<dyn prometheus::core::Collector>; 6] = [
            Box::new(metrics.connections.clone()),
            Box::new(metrics.running.clone()),
            Box::new(metrics.statements.clone()),
            Box::new(metrics.seconds.clone()),
            Box::new(metrics.rows.clone()),
            Box::new(metrics.published.clone()),
        ];
        for collector in all {
            metrics.registry.register(collector).map_err(mistaken)?;
        }
        Ok(metrics)
    }

    /// The text that Prometheus scrapes.
    pub fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(mistaken)
    }

    /// One connection more, until the answer is dropped.
    pub fn connected(&self, door: Door) -> Counted {
        Counted::new(self.connections.with_label_values(&[door.as_str()]))
    }

    /// One statement more, until the answer is dropped.
    pub(super) fn begun(&self, door: Door) -> Counted {
        Counted::new(self.running.with_label_values(&[door.as_str()]))
    }

    /// A statement ended.
    pub(super) fn ended(&self, door: Door, outcome: Outcome, took: Duration, rows: u64) {
        self.statements.with_label_values(&[door.as_str(), outcome.as_str()]).inc();
        self.seconds.with_label_values(&[door.as_str()]).observe(took.as_secs_f64());
        self.rows.with_label_values(&[door.as_str()]).inc_by(rows);
    }

    /// Clients see this version of `ops.publications` from now on.
    pub(super) fn published(&self, version: Option<u64>) {
        self.published.set(version.and_then(|version| i64::try_from(version).ok()).unwrap_or(-1));
    }
}

fn mistaken(error: prometheus::Error) -> Error {
    Error::internal(format!("metrics: {error}"))
}

/// Counts as one for as long as it lives.
pub struct Counted(IntGauge);

impl Counted {
    fn new(gauge: IntGauge) -> Counted {
        gauge.inc();
        Counted(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
