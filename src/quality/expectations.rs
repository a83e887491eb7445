//! Expectations: the key of a table is unique, and every row meets the conditions of its contract.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;

use crate::contract::{Contract, Layer, Severity};
use crate::error::{Error, Result};

/// How many offenders are named.
const SAMPLE: usize = 3;

/// An expectation that rows of a table fail.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The expectation, or `unique_key`.
    pub name: String,
    /// What it leads to.
    pub severity: Severity,
    /// How many rows fail, or how many keys are not unique.
    pub failed: u64,
    /// The query that shows them.
    pub query: String,
    /// Keys of the first few.
    pub sample: Vec<String>,
}

impl Finding {
    /// The finding as an error.
    pub fn to_error(&self, contract: &Contract) -> Error {
        let error = Error::data(format!("`{}` fails `{}` in {} rows", contract.name, self.name, self.failed));
        let sample = self.sample.iter().map(|key| format!("for example {key}"));
        sample
            .fold(error, Error::detail)
            .detail(format!("all of them: {}", self.query))
            .hint("nothing was published; readers see the lake as it was before")
    }
}

/// Holds a table, as the session sees it, against its contract. One pass for the conditions, and above bronze one
/// for the key.
pub async fn audit(session: &SessionContext, contract: &Contract) -> Result<Vec<Finding>> {
    let table = &contract.name;
    let mut checks = Vec::new();
    for (name, expectation) in &contract.expectations {
        let condition = format!("not ({})", expectation.condition);
        let query = format!("select * from {table} where {condition}");
        checks.push((name.clone(), expectation.severity, condition, query));
    }
    let mut findings = Vec::new();
    let counts: Vec<String> =
        checks.iter().map(|check| format!("count(*) filter (where {})", check.2)).collect();
    let counts = if counts.is_empty() {
        Vec::new()
    } else {
        numbers(session, contract, &format!("select {} from {table}", counts.join(", "))).await?
    };
    for ((name, severity, condition, query), failed) in checks.into_iter().zip(counts) {
        if failed > 0 {
            let offenders = format!("select {} from {table} where {condition}", contract.key.join(", "));
            let sample = sample(session, contract, &offenders).await?;
            findings.push(Finding { name, severity, failed, query, sample });
        }
    }
    // Bronze only grows, and its key is the place that the reader gave each row: looking at the whole history
    // again with every new file would cost more with every file.
    if contract.name.layer != Layer::Bronze {
        findings.extend(unique_key(session, contract).await?);
    }
    Ok(findings)
}

async fn unique_key(session: &SessionContext, contract: &Contract) -> Result<Option<Finding>> {
    let key = contract.key.join(", ");
    let query = format!("select {key} from {} group by {key} having count(*) > 1", contract.name);
    let failed = numbers(session, contract, &format!("select count(*) from ({query})")).await?[0];
    if failed == 0 {
        return Ok(None);
    }
    let sample = sample(session, contract, &query).await?;
    Ok(Some(Finding { name: "unique_key".into(), severity: Severity::Fail, failed, query, sample }))
}

/// The one row of counts that a query gives.
async fn numbers(session: &SessionContext, contract: &Contract, query: &str) -> Result<Vec<u64>> {
    let at = |e: datafusion::error::DataFusionError| {
        Error::from(e).detail(format!("in an expectation of {}", contract.path.display()))
    };
    let batches = session.sql(query).await.map_err(at)?.collect().await.map_err(at)?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    let columns = row.map(|row| row.columns()).unwrap_or_default().iter();
    Ok(columns.map(|c| c.as_primitive::<Int64Type>().value(0).unsigned_abs()).collect())
}

/// The first few keys that a query gives, written `name = value`.
async fn sample(session: &SessionContext, contract: &Contract, query: &str) -> Result<Vec<String>> {
    let ordered = format!("{query} order by {} limit {SAMPLE}", contract.key.join(", "));
    let batches = session.sql(&ordered).await?.collect().await?;
    let mut keys = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let part = |(name, column): (&String, &datafusion::arrow::array::ArrayRef)| {
                let options = FormatOptions::default();
                let text =
                    ArrayFormatter::try_new(column.as_ref(), &options).map(|f| f.value(row).to_string());
                format!("{name} = {}", text.unwrap_or_default())
            };
            keys.push(contract.key.iter().zip(batch.columns()).map(part).collect::<Vec<_>>().join(", "));
        }
    }
    Ok(keys)
}
