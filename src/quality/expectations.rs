//! Expectations: the key of a table is unique, and its rows are what its contract expects.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;

use super::ledger::decimal;
use super::tally::{Measure, Tally, count};
use crate::contract::{
    Check, Contract, Expectation, Freshness, Layer, References, Severity, SumEquals, TableName,
};
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
    /// Whether it is about keys or single rows: what others find about the table may follow from it.
    pub of_rows: bool,
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
    /// The error of a violation that publishes nothing. Rows that belong into quarantine have no place in the
    /// table.
    pub fn check(&self) -> Result<()> {
        if self.failed == 0 || self.severity == Severity::Warn {
            return Ok(());
        }
        let rows = if self.failed == 1 { "row" } else { "rows" };
        let error = Error::data(format!("`{}` fails `{}` in {} {rows}", self.table, self.name, self.failed));
        let sample = self.sample.iter().map(|row| format!("for example {row}"));
        Err(sample.fold(error, Error::detail).detail(format!("all of them: {}", self.query)))
    }
}

/// Holds a table, as the session sees it and `tables` has opened it, against its contract; what that says of a
/// table that is not there is left out.
///
/// With `is_appended` the session's `new.` has the rows that came to it since its key was last looked at.
pub async fn audit(
    session: &SessionContext,
    tables: &BTreeMap<TableName, Table>,
    contract: &Contract,
    is_appended: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Verdict>> {
    let at = |error: Error| error.detail(format!("in an expectation of {}", contract.path.display()));
    let (name, key) = (contract.name.to_string(), contract.key.join(", "));
    let table =
        tables.get(&contract.name).ok_or_else(|| Error::internal(format!("`{name}` is not there")))?;
    // As a reader can ask it of the very version that is looked at, published or not.
    let stored = table.version().map_or(name.clone(), |version| format!("{name} version as of {version}"));
    let measures = contract.expectations.values().filter_map(Expectation::violation);
    let measures: Vec<Measure> = measures.map(|violation| Measure::rows(Some(&violation))).collect();
    let all = Measure::rows(None);
    let tally = Tally::of_table(session, table, measures.iter().chain([&all])).await.map_err(at)?;
    let number =
        |measure: &Measure| u64::try_from(tally.get(measure).unwrap_or_default()).unwrap_or(u64::MAX);
    let verdict = |expectation: &str, severity: Severity, failed: u64, query: String, sample: Vec<String>| {
        let (table, name, rows) = (name.clone(), expectation.to_string(), number(&all));
        let is_of_rows = |e: &Expectation| matches!(e.check, Check::Row(..) | Check::Unique(_));
        let of_rows = contract.expectations.get(expectation).is_none_or(is_of_rows);
        Verdict { table, name, severity, of_rows, rows, failed, query, sample }
    };
    let mut verdicts = Vec::new();
    if let Some(repeated) = repeated_keys(contract, &name, is_appended) {
        let seen = table.record().is_some_and(|record| record.unique_key);
        let (failed, sample) = match seen {
            true => (0, Vec::new()),
            false => failing(session, &repeated).await.map_err(at)?,
        };
        let asked = repeated_keys(contract, &stored, false).unwrap_or_default();
        verdicts.push(verdict(UNIQUE_KEY, Severity::Fail, failed, asked, sample));
    }
    for (name_of, expectation) in &contract.expectations {
        if expectation.other_table().is_some_and(|other| !tables.contains_key(other)) {
            continue;
        }
        let query = offenders(expectation, &name, now);
        let found = match expectation.violation().map(|violation| number(&Measure::rows(Some(&violation)))) {
            None => failing(session, &query).await,
            Some(0) => Ok((0, Vec::new())),
            Some(failed) => {
                let keys = format!("select {key} from ({query}) as violating");
                sample(session, &keys).await.map(|sample| (failed, sample))
            }
        };
        let (failed, sample) = found.map_err(at)?;
        let asked = offenders(expectation, &stored, now);
        verdicts.push(verdict(name_of, expectation.severity, failed, asked, sample));
    }
    Ok(verdicts)
}

/// Runs a query for offenders: no row is success.
pub async fn audit_query(session: &SessionContext, name: &str, query: &Query) -> Result<Verdict> {
    let at = |error: Error| error.detail(format!("in {}", query.path.display()));
    let text = query.sql.trim_end().trim_end_matches(';').to_string();
    let (failed, sample) = failing(session, &text).await.map_err(at)?;
    Ok(Verdict {
        table: query.path.display().to_string(),
        name: name.into(),
        severity: Severity::Fail,
        of_rows: false,
        rows: 0,
        failed,
        query: text,
        sample,
    })
}

/// The query for keys that occur more than once in `from`; none for a table without a key.
///
/// Bronze only grows, and its key is the place that the reader gave each row. Of a table that was added to,
/// only rows that share the first part of a new row's key can repeat it.
fn repeated_keys(contract: &Contract, from: &str, is_appended: bool) -> Option<String> {
    if contract.name.layer == Layer::Bronze || contract.key.is_empty() {
        return None;
    }
    let (key, name) = (contract.key.join(", "), &contract.name);
    let never_null =
        contract.key.iter().find(|key| contract.columns.iter().any(|c| c.name == **key && !c.nullable));
    let among = match never_null {
        Some(first) if is_appended => format!("where {first} in (select {first} from {NEW}.{name})"),
        _ => String::new(),
    };
    Some(format!("select {key} from {from} {among} group by {key} having count(*) > 1"))
}

/// The queries that an audit asks of a table beside counting its rows.
pub fn set_queries(contract: &Contract, now: DateTime<Utc>) -> Vec<String> {
    let sets = contract.expectations.values().filter(|expectation| expectation.violation().is_none());
    sets.map(|expectation| offenders(expectation, &contract.name.to_string(), now)).collect()
}

/// The query for what violates an expectation about the rows of `from`.
fn offenders(expectation: &Expectation, from: &str, now: DateTime<Utc>) -> String {
    match &expectation.check {
        Check::Row(..) => {
            format!("select * from {from} where {}", expectation.violation().unwrap_or_default())
        }
        Check::Unique(columns) => {
            let columns = columns.join(", ");
            format!("select {columns}, count(*) as rows from {from} group by {columns} having count(*) > 1")
        }
        Check::References(References { column, table, to }) => {
            let to = to.as_ref().unwrap_or(column);
            format!(
                "select distinct {column} from {from} where {column} is not null and {column} not in \
                 (select {to} from {table} where {to} is not null)"
            )
        }
        Check::RowCount(bounds) => {
            let (min, max) = (bounds.min.unwrap_or(0), bounds.max.unwrap_or(i64::MAX as u64));
            format!(
                "select rows from (select count(*) as rows from {from}) as c where rows not between {min} and {max}"
            )
        }
        Check::Freshness(Freshness { column, within }) => format!(
            "select newest from (select cast(max({column}) as timestamp) as newest from {from}) as f \
             where newest is null or newest < timestamp '{}' - interval '{within}'",
            now.format("%Y-%m-%d %H:%M:%S")
        ),
        Check::SumEquals(SumEquals { column, table, of, tolerance }) => {
            let sum = |amount: &str, from: &str| {
                format!("(select {} from {from})", Measure::sum(amount, None).sql())
            };
            format!(
                "select here, there from (select coalesce({}, 0) as here, coalesce({}, 0) as there) as s \
                 where abs(here - there) > {tolerance}",
                sum(column, from),
                sum(of.as_ref().unwrap_or(column), &table.to_string())
            )
        }
    }
}

/// How many rows a query gives, and the first few of them.
async fn failing(session: &SessionContext, query: &str) -> Result<(u64, Vec<String>)> {
    let failed = count(session, &format!("({query}) as offenders"), &[Measure::rows(None)]).await?;
    let sample = if failed[0] == 0 { Vec::new() } else { sample(session, query).await? };
    Ok((u64::try_from(failed[0]).unwrap_or(u64::MAX), sample))
}

/// The first few rows that a query gives, written `name = value`, in the order of their values.
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

#[cfg(test)]
mod tests {
    //! Proves which violations publish nothing.

    use super::*;

    #[test]
    fn only_a_warning_lets_rows_stay_that_violate_it() {
        let verdict = |severity, failed| {
            let (table, name) = ("gold.orders".into(), "large".into());
            let (query, sample) = ("select 1".into(), Vec::new());
            Verdict { table, name, severity, of_rows: true, rows: 3, failed, query, sample }
        };
        for severity in [Severity::Warn, Severity::Quarantine, Severity::Fail] {
            assert!(verdict(severity, 0).check().is_ok());
            assert_eq!(verdict(severity, 1).check().is_ok(), severity == Severity::Warn);
        }
    }
}
