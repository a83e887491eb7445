//! Delta tables in an object store: where they lie, how they are opened, written and published.
//!
//! The only committer of the program. Knows schemas, files and versions, never what a customer is.

mod commit;
mod publication;
mod store;
mod write;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use deltalake::DeltaTableError;
use deltalake::delta_datafusion::DeltaScanNext;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::LogStoreRef;
use deltalake::table::state::DeltaTableState;

use crate::contract::TableName;
use crate::error::{Error, Result};
pub use commit::{CommitRecord, Mode};
pub use publication::{Publication, Publications};
pub use store::{Lock, Store, register_cloud_stores};
pub use write::{Draft, FileWriter, WriteOptions};

/// The version of a table: the number of its commit.
pub type Version = u64;

/// A Delta table at one version, or the place where one will be.
#[derive(Clone)]
pub struct Table {
    name: TableName,
    log_store: LogStoreRef,
    state: Option<DeltaTableState>,
}

impl Table {
    /// Opens `name` at `version`, or at its newest version. A table that was never written has no version.
    pub async fn open(store: &Store, name: &TableName, version: Option<Version>) -> Result<Table> {
        let log_store = store.log_store(name)?;
        let what = format!("open `{name}`");
        let exists = log_store.is_delta_table_location().await.map_err(|e| failure(&what, e))?;
        if !exists && version.is_none() {
            return Ok(Table { name: name.clone(), log_store, state: None });
        }
        let state =
            DeltaTableState::try_new(log_store.as_ref(), version).await.map_err(|e| failure(&what, e))?;
        Ok(Table { name: name.clone(), log_store, state: Some(state) })
    }

    /// The table's name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The version it was opened at; none when it was never written.
    pub fn version(&self) -> Option<Version> {
        self.state.as_ref().map(DeltaTableState::version)
    }

    /// The table for the query engine.
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let state = self.state.as_ref().ok_or_else(|| {
            Error::invalid(format!("`{}` has not been built yet", self.name)).hint("build it with `lake run`")
        })?;
        let provider = DeltaScanNext::builder()
            .with_eager_snapshot(state.snapshot().clone())
            .with_log_store(self.log_store.clone())
            .await?;
        Ok(provider)
    }

    /// Rows, bytes and files of the table at this version, from the statistics in its log.
    pub fn size(&self) -> Size {
        let mut size = Size::default();
        for file in self.state.iter().flat_map(|state| state.log_data().into_iter()) {
            size.rows += file.num_records().unwrap_or_default() as u64;
            size.bytes += u64::try_from(file.size()).unwrap_or_default();
            size.files += 1;
        }
        size
    }
}

/// What a table weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub rows: u64,
    /// Bytes of its data files.
    pub bytes: u64,
    /// Data files.
    pub files: u64,
}

/// An error of the storage layer, said in the program's terms; `what` was being tried.
fn failure(what: &str, error: DeltaTableError) -> Error {
    let text = error.to_string();
    let taken = match &error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => {
            matches!(source, TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_))
        }
        _ => false,
    };
    if taken {
        return Error::conflict(format!("cannot {what}: someone else changed it at the same time"))
            .detail(text)
            .hint("run the same command again");
    }
    let message = format!("cannot {what}");
    if text.contains("No space left on device") || text.contains("os error 28") {
        return Error::unavailable(format!("{message}: the disk is full"))
            .detail(text)
            .hint("free some space and run the same command again; what was published before is untouched");
    }
    if text.contains("Permission denied") || text.contains("os error 13") {
        return Error::unavailable(format!("{message}: permission denied"))
            .detail(text)
            .hint("check the owner and the mode of the lake's folder");
    }
    Error::unavailable(message).detail(text)
}

#[cfg(test)]
mod tests;
