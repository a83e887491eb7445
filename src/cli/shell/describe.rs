//! What there is: all tables, or one with its columns, its state and what is expected of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::catalog::{CatalogProvider, TableProvider};
use datafusion::logical_expr::TableType;
use futures::future::join_all;
use glob::Pattern;
use lake::clock::started_at;
use lake::contract::{Check, Contract, Freshness, TableName};
use lake::error::{Error, Result};
use lake::run::{Lake, Session};

use crate::cli::print;

/// The tables whose names match a pattern, all without one: rows, size, version, the run that made them, and what
/// they are for.
pub async fn list(lake: &Lake, session: &Session<'_>, pattern: Option<&str>) -> Result<String> {
    let pattern = pattern.unwrap_or("*").to_lowercase();
    let glob = Pattern::new(&pattern)
        .map_err(|e| Error::invalid(format!("`{pattern}` is no pattern of names: {}", e.msg)))?;
    let names = session.catalogue.schema_names().into_iter().flat_map(|schema| {
        let tables = session.catalogue.schema(&schema).map(|schema| schema.table_names());
        tables.into_iter().flatten().map(move |table| (schema.clone(), table))
    });
    let is_meant = |schema: &str, table: &str| match pattern.contains('.') {
        true => glob.matches(&format!("{schema}.{table}")),
        false => glob.matches(table),
    };
    let names: Vec<_> = names.filter(|(schema, table)| is_meant(schema, table)).collect();
    if names.is_empty() {
        return Ok(format!("no table's name matches `{pattern}`"));
    }
    let rows = join_all(names.iter().map(|(schema, table)| row(lake, session, schema, table))).await;
    Ok(print::table(&["table", "rows", "size", "version", "as of (UTC)", "what it is"], &[1, 2, 3], rows))
}

/// The row of a table in the list of all.
async fn row(lake: &Lake, session: &Session<'_>, schema: &str, table: &str) -> Vec<String> {
    let full = format!("{schema}.{table}");
    let promised = TableName::parse(&full).and_then(|name| Some((lake.contract_of(&name).ok()?, name)));
    let Some((contract, name)) = promised else {
        let what = match session.catalogue.of_session(schema, table).map(|provider| provider.table_type()) {
            Some(TableType::View) => "a view of this session",
            Some(_) => "files, for this session",
            None => "a mapping of the project",
        };
        return vec![full, String::new(), String::new(), String::new(), String::new(), what.into()];
    };
    let mut state = match session.catalogue.table(&name).await {
        Ok(Some(opened)) if opened.version().is_some() => {
            let (size, record) = (opened.size(), opened.record());
            vec![
                print::count(size.rows),
                print::bytes(size.bytes),
                opened.version().map_or(String::new(), |version| version.to_string()),
                record.and_then(|record| made_at(&record.run_id)).unwrap_or_default(),
            ]
        }
        Ok(_) => vec![String::new(), String::new(), String::new(), "not built yet".into()],
        Err(error) => vec![String::new(), String::new(), String::new(), error.message().into()],
    };
    state.insert(0, full);
    state.push(first_sentence(&contract.doc).into());
    state
}

/// When the run of this identity began.
fn made_at(run_id: &str) -> Option<String> {
    started_at(run_id).map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string())
}

fn first_sentence(doc: &str) -> &str {
    doc.split_once(". ").map_or(doc, |(first, _)| first).trim_end_matches('.')
}

/// One table: columns, key, state, expectations; of what has no contract, its columns.
pub async fn table(lake: &Lake, session: &Session<'_>, name: &str) -> Result<String> {
    let name = name.replace('"', "").to_lowercase();
    let full = if name.contains('.') { name } else { format!("gold.{name}") };
    let promised = TableName::parse(&full).and_then(|name| Some((lake.contract_of(&name).ok()?, name)));
    if let Some((contract, name)) = promised {
        return of_contract(lake, session, &contract, &name).await;
    }
    let (schema, table) = full.split_once('.').unwrap_or(("gold", &full));
    let provider = match session.catalogue.schema(schema) {
        Some(schema) => schema.table(table).await?,
        None => None,
    };
    match provider {
        Some(provider) => Ok(of_provider(&full, &provider)),
        None => Err(lake.project.unknown_name(&full)),
    }
}

async fn of_contract(
    lake: &Lake,
    session: &Session<'_>,
    contract: &Contract,
    name: &TableName,
) -> Result<String> {
    let mut text = format!("{name}: {}\n{}\n\n", contract.doc, contract.grain);
    let columns = contract.columns.iter().map(|column| {
        let place = contract.key.iter().position(|key| *key == column.name);
        vec![
            column.name.clone(),
            Contract::type_name(&column.data_type),
            if column.nullable { "null".into() } else { String::new() },
            place.map_or(String::new(), |place| format!("key {}", place + 1)),
            column.doc.clone(),
        ]
    });
    text += &print::table(&["column", "type", "may be", "key", "what it holds"], &[], columns);
    if !contract.expectations.is_empty() {
        let expected = contract.expectations.iter().map(|(name, expected)| {
            vec![name.clone(), expected.severity.as_str().into(), states(&expected.check)]
        });
        text += "\n\n";
        text += &print::table(&["expectation", "else", "what holds"], &[], expected);
    }
    for (book, reconcile) in &contract.reconcile {
        text += &format!("\nbook `{book}`: what is here is what came out of {}", reconcile.against);
    }
    if let Some(rejected) = &contract.quarantine {
        text += &format!("\nrows that fail a `quarantine` expectation go to {rejected}");
    }
    if let Some(job) = lake.project.jobs.get(name) {
        text += &format!("\nmade by {}", job.query.path.display());
    }
    text += &format!("\n\n{}", state(session, name).await?);
    for expected in contract.expectations.values() {
        if let Check::Freshness(promised) = &expected.check
            && let Some(newest) = newest(session, name, &promised.column).await?
        {
            text += &format!("\n{}", age(promised, newest, lake.clock.now()));
        }
    }
    Ok(text)
}

/// The greatest value of a column of dates or instants; none where there is none.
async fn newest(session: &Session<'_>, name: &TableName, column: &str) -> Result<Option<DateTime<Utc>>> {
    if session.catalogue.table(name).await?.is_none_or(|table| table.version().is_none()) {
        return Ok(None);
    }
    let query = format!("select cast(max({column}) as timestamp) as newest from {name}");
    let answer = session.execute(session.plan(&query).await?).await?.collect().await?;
    let microseconds = |batch: &RecordBatch| {
        let values = cast(batch.column(0), &DataType::Timestamp(TimeUnit::Microsecond, None)).ok()?;
        values.as_primitive::<TimestampMicrosecondType>().iter().next()?
    };
    Ok(answer.iter().find_map(microseconds).and_then(DateTime::from_timestamp_micros))
}

/// How old the newest data is, beside how old it may be.
fn age(promised: &Freshness, newest: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let old = now - newest;
    let (number, one, many) = match old.num_hours() {
        ..48 => (old.num_hours(), "hour", "hours"),
        _ => (old.num_days(), "day", "days"),
    };
    let old = match u64::try_from(number) {
        Ok(number) => format!("{} old", print::counted(number, one, many)),
        Err(_) => "in the future".into(),
    };
    let (column, at) = (&promised.column, newest.format("%Y-%m-%d %H:%M:%S"));
    format!("the newest {column} is {at}: {old}; promised is at most {}", promised.within)
}

/// The version that the session sees: its rows, its size, the run that made it.
async fn state(session: &Session<'_>, name: &TableName) -> Result<String> {
    let opened = session.catalogue.table(name).await?;
    let Some((table, version)) = opened.and_then(|table| table.version().map(|version| (table, version)))
    else {
        return Ok("not built yet; `lake run` builds it".into());
    };
    let size = table.size();
    let mut text = format!(
        "version {version}: {}, {} in {}",
        print::counted(size.rows, "row", "rows"),
        print::bytes(size.bytes),
        print::counted(size.files, "file", "files")
    );
    if let Some(record) = table.record() {
        let at = made_at(&record.run_id).map_or(String::new(), |at| format!(" of {at} (UTC)"));
        text += &format!("; made by the run {}{at}", record.run_id);
    }
    Ok(text)
}

/// What an expectation says, in words.
fn states(check: &Check) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match check {
        Check::Row(condition, _) => one_line(condition),
        Check::Unique(columns) => format!("no two rows agree in {}", columns.join(", ")),
        Check::References(references) => {
            let to = references.to.as_ref().unwrap_or(&references.column);
            format!("{} is in {}.{to}", references.column, references.table)
        }
        Check::RowCount(count) => match (count.min, count.max) {
            (Some(min), Some(max)) => format!("{min} to {max} rows"),
            (Some(min), None) => format!("at least {min} rows"),
            (None, Some(max)) => format!("at most {max} rows"),
            (None, None) => "any number of rows".into(),
        },
        Check::Freshness(freshness) => {
            format!("the newest {} is at most {} old", freshness.column, freshness.within)
        }
        Check::SumEquals(sums) => {
            let of = sums.of.as_ref().unwrap_or(&sums.column);
            format!("sum({}) is sum({}) of {}", one_line(&sums.column), one_line(of), sums.table)
        }
    }
}

fn of_provider(full: &str, provider: &Arc<dyn TableProvider>) -> String {
    let schema = provider.schema();
    let columns = schema.fields().iter().map(|field| {
        vec![
            field.name().clone(),
            Contract::type_name(field.data_type()),
            if field.is_nullable() { "null".into() } else { String::new() },
        ]
    });
    let columns = print::table(&["column", "type", "may be"], &[], columns);
    match provider.get_table_definition() {
        Some(definition) => format!("{full}\n\n{columns}\n\n{definition}"),
        None => format!("{full}\n\n{columns}"),
    }
}

#[cfg(test)]
mod tests {
    //! Proves how long the text about a table in the list is.

    use super::*;

    #[test]
    fn the_list_tells_the_first_sentence() {
        assert_eq!(first_sentence("Sales per day. More in silver.invoices."), "Sales per day");
        assert_eq!(first_sentence("Lines of gold.x."), "Lines of gold.x");
    }

    #[test]
    fn the_age_of_data_stands_beside_what_is_promised() {
        let promised = Freshness { column: "sale_date".into(), within: "3 days".into() };
        let now = "2026-01-03T12:00:00Z".parse().unwrap();
        let age = |newest: &str| age(&promised, newest.parse().unwrap(), now);
        assert_eq!(
            age("2025-12-30T00:00:00Z"),
            "the newest sale_date is 2025-12-30 00:00:00: 4 days old; promised is at most 3 days"
        );
        assert!(age("2026-01-02T11:59:00Z").contains(": 24 hours old;"));
        assert!(age("2026-01-03T11:00:00Z").contains(": 1 hour old;"));
        assert!(age("2026-01-04T12:00:00Z").contains(": in the future;"));
    }
}
