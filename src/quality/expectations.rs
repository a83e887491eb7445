//! Expectations: the key of a table is unique, and its rows are what its contract expects.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;

use super::ledger::decimal;
use super::tally::{Measure, count, totals};
use crate::contract::{Check, Contract, Freshness, Layer, References, Severity, SumEquals};
use crate::error::{Error, Result};
use crate::job::{NEW, Query};
use crate::table::Table;

/// How many offenders are named.
const SAMPLE: usize = 3;

/// The name that the verdict on a table's key has.
const UNIQUE_KEY: &str = "unique_key";

/// The outcome of one expectation.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The table, or the file of an audit.
    pub table: String,
    /// The expectation, or `unique_key`.
    pub name: String,
    /// What a violation leads to.
    pub severity: Severity,
    /// The rows of the table.
    pub rows: u64,
    /// How many rows, keys or values violate it.
    pub failed: u64,
    /// The query that shows them.
    pub query: String,
    /// The first few of them.
    pub sample: Vec<String>,
}

impl Verdict {
    /// The error of a violation that publishes nothing.
    pub fn check(&self) -> Result<()> {
        if self.failed == 0 || self.severity != Severity::Fail {
            return Ok(());
        }
        let error = Error::data(format!("`{}` fails `{}` in {} rows", self.table, self.name, self.failed));
        let sample = self.sample.iter().map(|row| format!("for example {row}"));
        Err(sample
            .fold(error, Error::detail)
            .detail(format!("all of them: {}", self.query))
            .hint("nothing was published; readers see the lake as it was before"))
    }
}

/// A table that is held against its contract, and how much of it is new.
pub struct Audited<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// The table, which the session sees under its name.
    pub table: &'a Table,
    /// Whether the session's `new.` has the rows that came to it since its key was last looked at.
    pub is_appended: bool,
}

/// A query for offenders, and how it names them.
struct Offenders {
    name: String,
    severity: Severity,
    query: String,
    /// The query as a reader can ask it.
    asked: String,
}

/// Holds a table, as the session sees it, against its contract.
pub async fn audit(
    session: &SessionContext,
    audited: &Audited<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Verdict>> {
    let Audited { contract, table, .. } = *audited;
    let at = |error: Error| error.detail(format!("in an expectation of {}", contract.path.display()));
    let violations: Vec<_> =
        contract.expectations.iter().filter_map(|(name, e)| Some((name, e, e.violation()?))).collect();
    let mut measures = vec![Measure::rows(None)];
    measures.extend(violations.iter().map(|(_, _, violation)| Measure::rows(Some(violation))));
    let counts = totals(session, table, &measures).await.map_err(at)?;
    let number = |count: i128| u64::try_from(count).unwrap_or(u64::MAX);
    let rows = number(counts[0]);
    let mut verdicts = Vec::new();
    for ((name, expectation, violation), failed) in violations.into_iter().zip(&counts[1..]) {
        let (from, key) = (&contract.name, contract.key.join(", "));
        let sample = match failed {
            0 => Vec::new(),
            _ => sample(session, &format!("select {key} from {from} where {violation} order by {key}"))
                .await
                .map_err(at)?,
        };
        verdicts.push(Verdict {
            table: from.to_string(),
            name: name.clone(),
            severity: expectation.severity,
            rows,
            failed: number(*failed),
            query: shown(contract, table, &format!("select * from {from} where {violation}")),
            sample,
        });
    }
    let unique = unique_key(audited).into_iter();
    for offenders in unique.chain(contract.expectations.iter().filter_map(|(name, expectation)| {
        let query = offenders(contract, &expectation.check, now)?;
        Some(Offenders { name: name.clone(), severity: expectation.severity, asked: query.clone(), query })
    })) {
        let seen = offenders.name == UNIQUE_KEY && table.record().is_some_and(|record| record.unique_key);
        let failed = if seen { 0 } else { failing(session, &offenders.query).await.map_err(at)? };
        let sample = match failed {
            0 => Vec::new(),
            _ => sample(session, &offenders.query).await.map_err(at)?,
        };
        verdicts.push(Verdict {
            table: contract.name.to_string(),
            name: offenders.name,
            severity: offenders.severity,
            rows,
            failed,
            query: shown(contract, table, &offenders.asked),
            sample,
        });
    }
    Ok(verdicts)
}

/// Runs a query for offenders: no row is success.
pub async fn audit_query(session: &SessionContext, name: &str, query: &Query) -> Result<Verdict> {
    let at = |error: Error| error.detail(format!("in {}", query.path.display()));
    let text = query.sql.trim_end().trim_end_matches(';').to_string();
    let failed = failing(session, &text).await.map_err(at)?;
    let sample = if failed == 0 { Vec::new() } else { sample(session, &text).await.map_err(at)? };
    Ok(Verdict {
        table: query.path.display().to_string(),
        name: name.into(),
        severity: Severity::Fail,
        rows: 0,
        failed,
        query: text,
        sample,
    })
}

/// The query for keys that occur more than once.
///
/// Bronze only grows, and its key is the place that the reader gave each row. Of a table that was added to,
/// only rows that share the first part of a new row's key can repeat it.
fn unique_key(audited: &Audited<'_>) -> Option<Offenders> {
    let contract = audited.contract;
    if contract.name.layer == Layer::Bronze || contract.key.is_empty() {
        return None;
    }
    let (key, name) = (contract.key.join(", "), &contract.name);
    let never_null =
        contract.key.iter().find(|key| contract.columns.iter().any(|c| c.name == **key && !c.nullable));
    let among = match never_null {
        Some(first) if audited.is_appended => {
            format!("where {first} in (select {first} from {NEW}.{name})")
        }
        _ => String::new(),
    };
    let query = |among: &str| format!("select {key} from {name} {among} group by {key} having count(*) > 1");
    Some(Offenders {
        name: UNIQUE_KEY.into(),
        severity: Severity::Fail,
        query: query(&among),
        asked: query(""),
    })
}

/// The queries that an audit asks of a table beside counting its rows.
pub fn set_queries(contract: &Contract, now: DateTime<Utc>) -> Vec<String> {
    contract.expectations.values().filter_map(|e| offenders(contract, &e.check, now)).collect()
}

/// The query for what violates an expectation about all rows together.
fn offenders(contract: &Contract, check: &Check, now: DateTime<Utc>) -> Option<String> {
    let name = &contract.name;
    Some(match check {
        Check::Row(..) => return None,
        Check::Unique(columns) => {
            let columns = columns.join(", ");
            format!("select {columns}, count(*) as rows from {name} group by {columns} having count(*) > 1")
        }
        Check::References(References { column, table, to }) => {
            let to = to.as_ref().unwrap_or(column);
            format!(
                "select distinct {column} from {name} where {column} is not null and {column} not in \
                 (select {to} from {table} where {to} is not null)"
            )
        }
        Check::RowCount(bounds) => {
            let (min, max) = (bounds.min.unwrap_or(0), bounds.max.unwrap_or(i64::MAX as u64));
            format!(
                "select rows from (select count(*) as rows from {name}) as c where rows not between {min} and {max}"
            )
        }
        Check::Freshness(Freshness { column, within }) => format!(
            "select newest from (select cast(max({column}) as timestamp) as newest from {name}) as f \
             where newest is null or newest < timestamp '{}' - interval '{within}'",
            now.format("%Y-%m-%d %H:%M:%S")
        ),
        Check::SumEquals(SumEquals { column, table, of, tolerance }) => {
            let sum = |amount: &str, name: &dyn std::fmt::Display| {
                format!("(select {} from {name})", Measure::sum(amount, None).sql())
            };
            format!(
                "select here, there from (select coalesce({}, 0) as here, coalesce({}, 0) as there) as s \
                 where abs(here - there) > {tolerance}",
                sum(column, name),
                sum(of.as_ref().unwrap_or(column), table)
            )
        }
    })
}

/// The query as a reader can ask it of the very version that was looked at, published or not.
fn shown(contract: &Contract, table: &Table, query: &str) -> String {
    let (name, version) = (format!("from {}", contract.name), table.version());
    let mut parts = query.split(&name);
    let mut asked = parts.next().unwrap_or_default().to_string();
    for part in parts {
        asked += &name;
        let is_longer = part.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if let Some(version) = version.filter(|_| !is_longer) {
            asked += &format!(" version as of {version}");
        }
        asked += part;
    }
    asked
}

async fn failing(session: &SessionContext, query: &str) -> Result<u64> {
    let failed = count(session, &format!("({query}) as offenders"), &[Measure::rows(None)]).await?;
    Ok(u64::try_from(failed[0]).unwrap_or(u64::MAX))
}

/// The first few rows that a query gives, written `name = value`, in the order of their texts.
pub async fn sample(session: &SessionContext, query: &str) -> Result<Vec<String>> {
    let frame = session.sql(&format!("select * from ({query}) as offenders")).await?;
    let order = frame
        .schema()
        .columns()
        .into_iter()
        .map(|column| datafusion::prelude::Expr::Column(column).sort(true, false));
    let order = order.collect();
    let batches = frame.sort(order)?.limit(0, Some(SAMPLE))?.collect().await?;
    let mut rows = Vec::new();
    for batch in &batches {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let part = |(field, column): (&datafusion::arrow::datatypes::FieldRef, &ArrayRef)| {
                let text = match field.data_type() {
                    datafusion::arrow::datatypes::DataType::Decimal128(_, 4) if column.is_valid(row) => {
                        use datafusion::arrow::array::AsArray;
                        let value = column.as_primitive::<datafusion::arrow::datatypes::Decimal128Type>();
                        decimal(value.value(row))
                    }
                    _ => {
                        ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default().with_null("NULL"))
                            .map(|formatter| formatter.value(row).to_string())
                            .unwrap_or_default()
                    }
                };
                format!("{} = {text}", field.name())
            };
            let parts = schema.fields().iter().zip(batch.columns()).map(part);
            rows.push(parts.collect::<Vec<_>>().join(", "));
        }
    }
    Ok(rows)
}
