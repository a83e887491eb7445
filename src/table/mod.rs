//! Delta tables in an object store: where they lie, how they are opened, written and published.
//!
//! The only committer of the program. Knows schemas, files and versions, never what a customer is.

mod changes;
mod commit;
mod damage;
mod publication;
mod store;
mod upkeep;
mod write;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use datafusion::catalog::TableProvider;
use datafusion::execution::{SessionState, SessionStateBuilder};
use deltalake::DeltaTableError;
use deltalake::delta_datafusion::{DeltaScanNext, FileSelection, TableProviderBuilder};
use deltalake::kernel::LogicalFileView;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::LogStoreRef;
use deltalake::table::state::DeltaTableState;

use crate::contract::TableName;
use crate::error::{Error, Result};
pub use changes::Change;
pub use commit::{CommitRecord, Mode};
pub use publication::{Publication, Publications, contract as publications_contract};
pub use store::{Lock, Store, objects_at, register_cloud_stores};
pub use upkeep::{LogEntry, Range};
pub use write::{Draft, FileWriter, WriteOptions, stored_schema};

/// The version of a table: the number of its commit.
pub type Version = u64;

/// A Delta table at one version, or the place where one will be.
#[derive(Clone)]
pub struct Table {
    name: TableName,
    log_store: LogStoreRef,
    state: Option<DeltaTableState>,
    record: Option<CommitRecord>,
    content: Option<Version>,
    checkpoint_commits: u32,
}

/// Where the next commit of a table goes, and the version that it builds upon.
#[derive(Clone)]
pub struct State {
    /// The newest version.
    pub newest: Table,
    /// The version that counts; it may be older, or none at all.
    pub table: Table,
}

impl State {
    /// A table whose newest version counts.
    pub fn of(table: Table) -> State {
        State { newest: table.clone(), table }
    }
}

impl Table {
    /// Opens `name` at `version`, or at its newest version. A table that was never written has no version.
    pub async fn open(store: &Store, name: &TableName, version: Option<Version>) -> Result<Table> {
        let log_store = store.log_store(name)?;
        let what = format!("open `{name}`");
        let exists = log_store.is_delta_table_location().await.map_err(|e| failure(&what, e))?;
        let mut table = Table {
            name: name.clone(),
            log_store,
            state: None,
            record: None,
            content: None,
            checkpoint_commits: store.checkpoint_commits,
        };
        if exists || version.is_some() {
            match DeltaTableState::try_new(table.log_store.as_ref(), version).await {
                Ok(state) => table.state = Some(state),
                Err(error) => return Err(table.unopened(version, error).await),
            }
            table.read_origin().await?;
        }
        Ok(table)
    }

    /// The same table at another version.
    async fn at(&self, version: Version) -> Result<Table> {
        match DeltaTableState::try_new(self.log_store.as_ref(), Some(version)).await {
            Ok(state) => Ok(Table { state: Some(state), record: None, content: None, ..self.clone() }),
            Err(error) => Err(self.unopened(Some(version), error).await),
        }
    }

    /// The same place as if nothing had ever been written there.
    pub fn emptied(&self) -> Table {
        Table { state: None, record: None, content: None, ..self.clone() }
    }

    /// The table's name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The version it was opened at; none when it was never written.
    pub fn version(&self) -> Option<Version> {
        self.state.as_ref().map(DeltaTableState::version)
    }

    /// The version that last changed rows: commits since have rearranged files at most.
    pub fn content(&self) -> Option<Version> {
        self.content
    }

    /// Why the table is as it is; none when it was never written, or last by another program.
    pub fn record(&self) -> Option<&CommitRecord> {
        self.record.as_ref()
    }

    /// The table for queries, which may look for few of its rows.
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        Ok(self.scan()?.await?)
    }

    /// The rows of the table, or those in the files of these names, for jobs, which take most of them: filters pass over
    /// files and row groups, but are not tried on single rows before the other columns are decoded.
    pub async fn rows(&self, files: Option<&BTreeSet<String>>) -> Result<Arc<dyn TableProvider>> {
        // The scan asks a session whether filters go down to rows; by its defaults they do not.
        static DEFAULTS: LazyLock<Arc<SessionState>> =
            LazyLock::new(|| Arc::new(SessionStateBuilder::new().build()));
        let scan = self.scan()?.with_session(DEFAULTS.clone());
        Ok(match files {
            Some(files) => scan.with_file_selection(FileSelection::from_file_paths(files)).await?,
            None => scan.await?,
        })
    }

    fn scan(&self) -> Result<TableProviderBuilder> {
        let state = self.state.as_ref().ok_or_else(|| {
            Error::invalid(format!("`{}` has not been built yet", self.name)).hint("build it with `lake run`")
        })?;
        let builder = DeltaScanNext::builder().with_eager_snapshot(state.snapshot().clone());
        Ok(builder.with_log_store(self.log_store.clone()))
    }

    /// Rows, bytes and files of the table at this version, from the statistics in its log.
    pub fn size(&self) -> Size {
        Size::of(self.files().values())
    }

    /// The same of the files of these names.
    pub fn size_of(&self, files: &BTreeSet<String>) -> Size {
        let all = self.files();
        Size::of(files.iter().filter_map(|file| all.get(file)))
    }
}

impl Size {
    fn of<'a>(files: impl Iterator<Item = &'a LogicalFileView>) -> Size {
        let mut size = Size::default();
        for file in files {
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
    // What follows is the inside of the storage layer.
    let said = text.lines().next().unwrap_or_default().to_string();
    let taken = match &error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => {
            matches!(source, TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_))
        }
        _ => false,
    };
    if taken {
        return Error::conflict(format!("cannot {what}: someone else changed it at the same time"))
            .detail(said)
            .hint("run the same command again");
    }
    let message = format!("cannot {what}");
    if text.contains("No space left on device") || text.contains("os error 28") {
        return Error::unavailable(format!("{message}: the disk is full"))
            .detail(said)
            .hint("free some space and run the same command again; what was published before is untouched");
    }
    if text.contains("Permission denied") || text.contains("os error 13") {
        return Error::unavailable(format!("{message}: permission denied"))
            .detail(said)
            .hint("check the owner and the mode of the lake's folder");
    }
    Error::unavailable(message).detail(said)
}

#[cfg(test)]
mod tests;
