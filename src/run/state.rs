//! What the tables of a lake are before and during a run: their newest versions and why they are so.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, Date32Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use futures::future::try_join_all;

use super::Lake;
use crate::contract::TableName;
use crate::error::{Error, Result};
use crate::ingest;
use crate::table::{CommitRecord, Table, Version};

/// A table at its newest version.
#[derive(Clone)]
pub struct State {
    /// The table.
    pub table: Table,
    /// Why it is as it is; none when it was never built, or by another program.
    pub record: Option<CommitRecord>,
}

/// The tables of a lake at their newest versions, the register of loaded files included.
pub struct States(BTreeMap<TableName, State>);

impl States {
    /// Opens every table that has a contract, and the register.
    pub async fn load(lake: &Lake) -> Result<States> {
        let names = lake.project.contracts.keys().cloned().chain([ingest::register_name()]);
        let opened = names.map(|name| async move {
            let table = Table::open(&lake.store, &name, None).await?;
            let record = table.record().await?;
            Ok::<_, Error>((name, State { table, record }))
        });
        Ok(States(try_join_all(opened).await?.into_iter().collect()))
    }

    /// The state of a table.
    pub fn get(&self, name: &TableName) -> Option<&State> {
        self.0.get(name)
    }

    /// The state of a table that is known to have one.
    pub fn expect(&self, name: &TableName) -> Result<&State> {
        self.get(name).ok_or_else(|| Error::internal(format!("`{name}` has no state")))
    }

    /// Every table and its state.
    pub fn iter(&self) -> impl Iterator<Item = (&TableName, &State)> {
        self.0.iter()
    }

    /// The versions of the tables that have one.
    pub fn versions(&self) -> impl Iterator<Item = (&TableName, Version)> {
        self.0.iter().filter_map(|(name, state)| Some((name, state.table.version()?)))
    }

    /// Takes over a table that has just been committed.
    pub async fn update(&mut self, table: Table) -> Result<()> {
        let record = table.record().await?;
        self.0.insert(table.name().clone(), State { table, record });
        Ok(())
    }
}

/// The table `lake.run`: one row with the parameters of this run.
pub(super) fn parameters(run_id: &str, started_at: DateTime<Utc>) -> Result<Arc<dyn TableProvider>> {
    let started_at =
        TimestampMicrosecondArray::from_value(started_at.timestamp_micros(), 1).with_timezone("UTC");
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("run_id", Arc::new(StringViewArray::from_iter_values([run_id])), false),
        ("as_of", Arc::new(Date32Array::from(vec![None::<i32>])), true),
        ("started_at", Arc::new(started_at), false),
    ];
    let row = RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|e| Error::internal(format!("the parameters of the run: {e}")))?;
    Ok(Arc::new(MemTable::try_new(row.schema(), vec![vec![row]])?))
}
