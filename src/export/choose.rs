//! Which tables an export means, and how their rows are read: in the order of their keys.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::SortExpr;
use datafusion::prelude::{DataFrame, ident};

use super::columns::{Nested, plain_schema};
use super::manifest::{ExportedColumn, ExportedTable};
use crate::config::{Export, ExportFormat, with_nearest};
use crate::contract::{Contract, Layer, TableName};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::run::{Lake, Published, Session};

/// The metadata of a field that says what the column holds, as Delta names it.
pub(super) const DESCRIPTION: &str = "comment";

/// A table that is to be exported.
pub(super) struct Source {
    /// Its name.
    pub(super) name: TableName,
    /// Its rows, in the order in which they are written.
    pub(super) frame: DataFrame,
    /// The columns as they are written, those that become folders included.
    pub(super) schema: SchemaRef,
    /// What is said of it; rows and files are not known yet.
    pub(super) table: ExportedTable,
}

/// The published tables that names and patterns mean; those of gold when there are none.
pub(super) fn tables(project: &Project, published: &Published, named: &[String]) -> Result<Vec<TableName>> {
    let mut chosen = BTreeSet::new();
    if named.is_empty() {
        chosen.extend(published.tables.keys().filter(|name| name.layer == Layer::Gold).cloned());
        if chosen.is_empty() {
            return Err(Error::invalid("no table of gold is published")
                .hint("`lake run` builds and publishes; other tables are exported by their names"));
        }
    }
    for name in named {
        chosen.extend(meant(project, published, name)?);
    }
    Ok(chosen.into_iter().collect())
}

fn meant(project: &Project, published: &Published, name: &str) -> Result<Vec<TableName>> {
    if name.contains(['*', '?', '[']) {
        return matching(published, name);
    }
    match TableName::parse(name) {
        Some(table) if published.tables.contains_key(&table) => Ok(vec![table]),
        Some(table) if project.contracts.contains_key(&table) => {
            let published_at = published.published_at.format("%Y-%m-%d %H:%M:%S");
            Err(Error::invalid(format!("`{table}` is not published"))
                .detail(format!("run {} published without it at {published_at}", published.run_id))
                .hint(format!("`lake run --select {table}` builds and publishes it")))
        }
        Some(table) if table.layer == Layer::Ops => Err(Error::invalid(format!(
            "`{table}` cannot be exported: what the program records is of no publication"
        ))
        .hint(format!("`lake sql 'select * from {table}' --format parquet --output FILE`"))),
        _ => Err(project.unknown_name(name)),
    }
}

fn matching(published: &Published, pattern: &str) -> Result<Vec<TableName>> {
    let glob = glob::Pattern::new(pattern)
        .map_err(|e| Error::invalid(format!("the pattern `{pattern}` cannot be read: {}", e.msg)))?;
    let names: Vec<String> = published.tables.keys().map(ToString::to_string).collect();
    let matched = published.tables.keys().filter(|name| glob.matches(&name.to_string()));
    let matched: Vec<TableName> = matched.cloned().collect();
    match matched.is_empty() {
        false => Ok(matched),
        true => {
            let error = Error::invalid(format!("no published table is named like `{pattern}`"));
            Err(with_nearest(error, pattern, names.iter().map(String::as_str)))
        }
    }
}

/// How the rows of the tables are read, and which of them are partitioned: those that have all the columns.
pub(super) async fn sources(
    lake: &Lake,
    session: &Session<'_>,
    tables: Vec<TableName>,
    export: &Export,
) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for name in tables {
        sources.push(source(lake, session, name, export).await?);
    }
    if !export.partition_by.is_empty() && sources.iter().all(|source| source.table.partition_by.is_empty()) {
        return Err(no_partition(&sources, &export.partition_by));
    }
    Ok(sources)
}

async fn source(lake: &Lake, session: &Session<'_>, name: TableName, export: &Export) -> Result<Source> {
    let contract = lake.project.contracts.get(&name);
    let query = format!("select * from {}.\"{}\"", name.layer.as_str(), name.table);
    let frame = session.execute(session.plan(&query).await?).await?;
    let stored = described(frame.schema().as_arrow(), contract);
    let has = |column: &&String| stored.index_of(column).is_ok();
    let key: Vec<String> = contract.into_iter().flat_map(|c| &c.key).filter(has).cloned().collect();
    let partition_by = match export.partition_by.iter().all(|column| has(&column)) {
        true => export.partition_by.clone(),
        false => Vec::new(),
    };
    check_partition(&name, &stored, &partition_by)?;
    let frame = frame.sort(order(&stored, &partition_by, &key))?;
    let nested = if export.format == ExportFormat::Json { Nested::Kept } else { Nested::AsText };
    let schema = plain_schema(&stored, nested);
    let table = ExportedTable {
        table: name.to_string(),
        doc: contract.map(|c| c.doc.clone()).unwrap_or_default(),
        grain: contract.map(|c| c.grain.clone()).unwrap_or_default(),
        key,
        partition_by,
        rows: 0,
        columns: schema.fields().iter().map(|field| exported(field)).collect(),
        files: Vec::new(),
    };
    Ok(Source { name, frame, schema, table })
}

/// The schema with the contract's descriptions of its columns, which may be newer than the table's own.
fn described(schema: &Schema, contract: Option<&Contract>) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let promised = contract.and_then(|c| c.columns.iter().find(|column| column.name == *field.name()));
        let doc = promised.map(|column| &column.doc).or_else(|| field.metadata().get(DESCRIPTION));
        let metadata = doc.map(|doc| (DESCRIPTION.to_string(), doc.clone()));
        field.as_ref().clone().with_metadata(metadata.into_iter().collect())
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn exported(field: &Field) -> ExportedColumn {
    ExportedColumn {
        name: field.name().clone(),
        data_type: Contract::type_name(field.data_type()),
        nullable: field.is_nullable(),
        doc: field.metadata().get(DESCRIPTION).cloned().unwrap_or_default(),
    }
}

/// By the columns that become folders, then by the key; by every column that has an order where no key is known.
fn order(schema: &Schema, partition_by: &[String], key: &[String]) -> Vec<SortExpr> {
    let all = schema.fields().iter().filter(|field| !field.data_type().is_nested()).map(|f| f.name());
    let keys: Vec<&String> = if key.is_empty() { all.collect() } else { key.iter().collect() };
    let keys = keys.into_iter().filter(|name| !partition_by.contains(name));
    partition_by.iter().chain(keys).map(|name| ident(name).sort(true, false)).collect()
}

/// An error if a column's values cannot name folders, or nothing would be left to write into files.
fn check_partition(table: &TableName, schema: &Schema, partition_by: &[String]) -> Result<()> {
    let can_name = |data_type: &DataType| {
        data_type.is_integer()
            || matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
            || matches!(data_type, DataType::Boolean | DataType::Date32)
    };
    for name in partition_by {
        let field = schema.field_with_name(name).map_err(|e| Error::internal(e.to_string()))?;
        if !can_name(field.data_type()) {
            let data_type = Contract::type_name(field.data_type());
            return Err(Error::invalid(format!(
                "`{table}` cannot be partitioned by `{name}`, which is {data_type}"
            ))
            .hint("texts, whole numbers, dates and booleans can name folders"));
        }
    }
    if !partition_by.is_empty() && partition_by.len() >= schema.fields().len() {
        return Err(Error::invalid(format!("`{table}` has no column beside those that would name folders")));
    }
    Ok(())
}

fn no_partition(sources: &[Source], partition_by: &[String]) -> Error {
    let columns: BTreeSet<&str> =
        sources.iter().flat_map(|source| source.schema.fields()).map(|field| field.name().as_str()).collect();
    match partition_by.iter().find(|name| !columns.contains(name.as_str())) {
        Some(unknown) => {
            let error = Error::invalid(format!("none of the tables has a column `{unknown}`"));
            with_nearest(error, unknown, columns.iter().copied())
        }
        None => {
            let names: Vec<String> = partition_by.iter().map(|name| format!("`{name}`")).collect();
            Error::invalid(format!("none of the tables has all of the columns {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    //! Proves which columns sort rows, and which can name folders.

    use std::sync::Arc;

    use super::*;

    fn schema() -> Schema {
        let list = DataType::List(Arc::new(Field::new("element", DataType::Utf8, false)));
        Schema::new(vec![
            Field::new("day", DataType::Date32, false),
            Field::new("country", DataType::Utf8View, true),
            Field::new("amount", DataType::Float64, false),
            Field::new("reasons", list, true),
        ])
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn folders_come_before_the_key_and_every_column_stands_for_none() {
        let sorted = |partition_by: &[&str], key: &[&str]| {
            let order = order(&schema(), &names(partition_by), &names(key));
            order.iter().map(|sort| sort.expr.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(sorted(&["country"], &["day", "country"]), "country day");
        assert_eq!(sorted(&[], &[]), "day country amount");
    }

    #[test]
    fn only_what_has_one_spelling_names_folders() {
        let table = TableName::parse("gold.x").unwrap();
        let check = |by: &[&str]| check_partition(&table, &schema(), &names(by));
        check(&["country", "day"]).unwrap();
        assert_eq!(
            check(&["amount"]).unwrap_err().message(),
            "`gold.x` cannot be partitioned by `amount`, which is double"
        );
        check(&["reasons"]).unwrap_err();
    }
}
