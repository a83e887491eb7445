//! Publications: one commit that says which version of every table readers see.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, Int64Array, Int64Builder, MapBuilder, MapFieldNames, RecordBatch, StringViewArray,
    StringViewBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;

use super::{CommitRecord, Mode, Store, Table, Version, WriteOptions};
use crate::contract::{Contract, Layer, TableName};
use crate::error::{Error, Result};

/// The versions of all tables that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The run that published it.
    pub run_id: String,
    /// The version of each table.
    pub tables: BTreeMap<TableName, Version>,
    /// A hash of what each table was held against, and of each audit.
    pub judged_by: BTreeMap<String, String>,
    /// The run whose publication it brings back.
    pub restores: Option<String>,
}

/// The table `ops.publications`, one row a publication; the newest is what readers see.
pub struct Publications {
    table: Table,
    newest: Option<Publication>,
}

impl Publications {
    /// Opens the publications of a lake.
    pub async fn open(store: &Store) -> Result<Publications> {
        let table = Table::open(store, &name(), None).await?;
        let record = table.record().cloned();
        if record.is_none() && table.version().is_some() {
            return Err(Error::unavailable(format!(
                "the log of `{}` no longer says what was published",
                name()
            ))
            .hint("build and publish anew: move that folder away and run `lake run`"));
        }
        let newest = record.map(|record| Publication {
            run_id: record.run_id,
            tables: record
                .inputs
                .iter()
                .filter_map(|(name, version)| Some((TableName::parse(name)?, *version)))
                .collect(),
            judged_by: record.fingerprint,
            restores: None,
        });
        Ok(Publications { table, newest })
    }

    /// What readers see; none before the first run.
    pub fn newest(&self) -> Option<&Publication> {
        self.newest.as_ref()
    }

    /// The table of publications itself.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Publishes in one commit. If someone else published since these were opened, that is a conflict.
    pub async fn publish(
        &self,
        publication: &Publication,
        published_at: DateTime<Utc>,
        options: &WriteOptions,
    ) -> Result<()> {
        let contract = contract()?;
        let mut writer = self.table.file_writer(&contract.schema(), options);
        let number = self.table.version().map_or(1, |version| version + 2);
        writer.write(&row(&contract, publication, number, published_at)?).await?;
        let inputs = publication.tables.iter().map(|(name, version)| (name.to_string(), *version)).collect();
        let record = CommitRecord {
            run_id: publication.run_id.clone(),
            fingerprint: publication.judged_by.clone(),
            inputs,
            rows: 1,
            ..Default::default()
        };
        self.table.commit(&contract, Mode::Append(&self.table), writer.close().await?, record).await?;
        Ok(())
    }
}

/// `ops.publications`.
fn name() -> TableName {
    TableName::new(Layer::Ops, "publications")
}

/// The contract of `ops.publications`.
pub fn contract() -> Result<Contract> {
    Contract::parse(Path::new("ops/publications.toml"), name(), include_str!("ops/publications.toml"))
}

fn row(
    contract: &Contract,
    publication: &Publication,
    number: u64,
    published_at: DateTime<Utc>,
) -> Result<RecordBatch> {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut tables = MapBuilder::new(Some(names), StringViewBuilder::new(), Int64Builder::new());
    for (name, version) in &publication.tables {
        tables.keys().append_value(name.to_string());
        tables.values().append_value(i64::try_from(*version).unwrap_or(i64::MAX));
    }
    let internal =
        |e: datafusion::arrow::error::ArrowError| Error::internal(format!("a publication's row: {e}"));
    tables.append(true).map_err(internal)?;
    let columns: [ArrayRef; 5] = [
        Arc::new(StringViewArray::from_iter_values([&publication.run_id])),
        Arc::new(TimestampMicrosecondArray::from_value(published_at.timestamp_micros(), 1)),
        Arc::new(tables.finish()),
        Arc::new(StringViewArray::from(vec![publication.restores.as_deref()])),
        Arc::new(Int64Array::from(vec![i64::try_from(number).unwrap_or(i64::MAX)])),
    ];
    let schema = contract.schema();
    let cast_to = |(column, field): (&ArrayRef, &Arc<datafusion::arrow::datatypes::Field>)| {
        cast(column, field.data_type()).map_err(internal)
    };
    let columns = columns.iter().zip(schema.fields()).map(cast_to).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(schema, columns).map_err(internal)
}
