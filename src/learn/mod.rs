//! Learning: the rows of a query go into a model, and what the model says comes out as rows. One file an estimator.
//!
//! Holds no formulas, those are `lake-models`'; reads and writes no table.

mod columns;
mod customer_value;
mod forecast;
mod recommendations;
mod segments;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use crate::config::Models;
use crate::error::Result;

/// What can be learned; a job names it in its header, `-- learns: NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// How long customers stay, how often they will buy, and what that is worth.
    CustomerValue,
    /// How much will be sold.
    Forecast,
    /// Which customers are alike.
    Segments,
    /// What to offer whom.
    Recommendations,
}

/// What was learned.
#[derive(Clone, Debug)]
pub struct Learned {
    /// The rows that stand for the view, as [`Estimator::output`] describes them.
    pub rows: RecordBatch,
    /// How they came about.
    pub record: ModelRecord,
}

impl Learned {
    /// Nothing could be learned from `rows`. What was learned from others before stays, unless there are none.
    fn nothing(output: SchemaRef, rows: &RecordBatch, reason: String) -> Learned {
        let verdict = if rows.num_rows() == 0 { Verdict::Passed } else { Verdict::Withheld };
        let (algorithm, seen) = ("none".into(), rows.num_rows() as u64);
        let record = ModelRecord { algorithm, rows: seen, verdict, reason, ..Default::default() };
        Learned { rows: RecordBatch::new_empty(output), record }
    }
}

/// How a model was made, and how it did on what it had not seen.
#[derive(Clone, Debug, Default)]
pub struct ModelRecord {
    /// The model, such as `bg_nbd`; of several, the one that was chosen.
    pub algorithm: String,
    /// What it was fitted to be, by name.
    pub parameters: BTreeMap<String, String>,
    /// The seed of its draws, if it draws.
    pub seed: Option<u64>,
    /// The first day that it has seen.
    pub trained_from: Option<NaiveDate>,
    /// The last.
    pub trained_through: Option<NaiveDate>,
    /// Rows that it has seen.
    pub rows: u64,
    /// Its metrics, and those of what it is compared with.
    pub metrics: Vec<Metric>,
    /// Whether it may be shown.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
}

/// One figure by which a model is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// What is judged, such as a series, and by which model or rule.
    pub subject: String,
    /// The metric's name.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// Whether what was learned may be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It passed its gate.
    #[default]
    Passed,
    /// It did not: the tables stay as they are published.
    Withheld,
}

impl Verdict {
    /// The word that stands for it in `ops.models`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Withheld => "withheld",
        }
    }
}

impl Estimator {
    /// Every estimator.
    pub const ALL: [Estimator; 4] =
        [Estimator::CustomerValue, Estimator::Forecast, Estimator::Segments, Estimator::Recommendations];

    /// The estimator of this name.
    pub fn named(name: &str) -> Option<Estimator> {
        Estimator::ALL.into_iter().find(|estimator| estimator.as_str() == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Estimator::CustomerValue => "customer_value",
            Estimator::Forecast => "forecast",
            Estimator::Segments => "segments",
            Estimator::Recommendations => "recommendations",
        }
    }

    /// Grows whenever the same rows and parameters give something else.
    pub fn version(self) -> u32 {
        match self {
            Estimator::CustomerValue => customer_value::VERSION,
            Estimator::Forecast => forecast::VERSION,
            Estimator::Segments => segments::VERSION,
            Estimator::Recommendations => recommendations::VERSION,
        }
    }

    /// Its parameters as text, equal when they are.
    pub fn parameters(self, models: &Models) -> String {
        match self {
            Estimator::CustomerValue => format!("{:?}", models.customer_value),
            Estimator::Forecast => format!("{:?}", models.forecast),
            Estimator::Segments => format!("{:?}", models.segments),
            Estimator::Recommendations => format!("{:?}", models.recommendations),
        }
    }

    /// The columns that its query must give.
    pub fn input(self) -> SchemaRef {
        match self {
            Estimator::CustomerValue => customer_value::input(),
            Estimator::Forecast => forecast::input(),
            Estimator::Segments => segments::input(),
            Estimator::Recommendations => recommendations::input(),
        }
    }

    /// The columns that it gives.
    pub fn output(self) -> SchemaRef {
        match self {
            Estimator::CustomerValue => customer_value::output(),
            Estimator::Forecast => forecast::output(),
            Estimator::Segments => segments::output(),
            Estimator::Recommendations => recommendations::output(),
        }
    }

    /// Learns from rows that have the columns of [`input`](Self::input), in any order.
    pub fn learn(self, models: &Models, rows: &RecordBatch) -> Result<Learned> {
        match self {
            Estimator::CustomerValue => customer_value::learn(&models.customer_value, rows),
            Estimator::Forecast => forecast::learn(&models.forecast, rows),
            Estimator::Segments => segments::learn(&models.segments, rows),
            Estimator::Recommendations => recommendations::learn(&models.recommendations, rows),
        }
    }
}
