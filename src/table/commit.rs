//! Commits: the one moment at which files become part of a table.

use std::collections::BTreeMap;

use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Metadata, MetadataExt, Protocol, StructField, StructType, new_metadata};
use deltalake::protocol::{DeltaOperation, SaveMode};
use serde::{Deserialize, Serialize};

use super::{Draft, Table, Version, failure};
use crate::contract::Contract;
use crate::error::{Error, Result};

/// The key of a commit's information under which the program keeps its own record.
const RECORD_KEY: &str = "lake";

/// What a commit does with the rows that were there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They stay.
    Append,
    /// They go.
    Replace,
}

/// Why a version of a table is what it is; kept in the Delta commit that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// The run that made it.
    pub run_id: String,
    /// What it was made by: a hash for each of job, contract, mappings and functions.
    pub fingerprint: BTreeMap<String, String>,
    /// What it was made from: the versions of the tables that were read.
    pub inputs: BTreeMap<String, Version>,
    /// The rows that the commit wrote.
    pub rows: u64,
    /// In bronze, the position of the last file that was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest_seq: Option<i64>,
}

impl Table {
    /// Makes the files of `draft` part of the table in one commit, and gives the table as it then is.
    ///
    /// It is not tried again on top of a version that this table has not seen: of two writers who started
    /// from the same version, or from none, the second is told of a conflict, appends included.
    /// The first commit creates the table with the contract's columns and descriptions; a later one brings
    /// them up to date when the contract has changed.
    pub async fn commit(
        &self,
        contract: &Contract,
        mode: Mode,
        draft: Draft,
        record: &CommitRecord,
    ) -> Result<Table> {
        let what = format!("commit `{}`", self.name);
        if mode == Mode::Append {
            self.check_widened(contract)?;
        }
        let mut actions = self.definition(contract)?;
        if let (Mode::Replace, Some(state)) = (mode, &self.state) {
            let files = state.log_data().into_iter();
            actions.extend(files.map(|file| Action::Remove(file.remove_action(true))));
        }
        actions.extend(draft.files.into_iter().map(Action::Add));
        let record = serde_json::to_string(record).map_err(|e| Error::internal(e.to_string()))?;
        let properties = CommitProperties::default()
            .with_metadata([(RECORD_KEY.to_string(), record.into())])
            .with_max_retries(0)
            .with_cleanup_expired_logs(Some(false));
        let mode = match mode {
            Mode::Append => SaveMode::Append,
            Mode::Replace => SaveMode::Overwrite,
        };
        let operation = DeltaOperation::Write { mode, partition_by: None, predicate: None };
        let commit = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(self.state.as_ref().map(|s| s as &dyn TableReference), self.log_store.clone(), operation)
            .await
            .map_err(|e| failure(&what, e))?;
        tracing::debug!(table = %self.name, version = commit.version(), "committed");
        Ok(Table { state: Some(commit.snapshot()), ..self.clone() })
    }

    /// The record of the commit that made the version the table was opened at; none when another program
    /// made it.
    pub async fn record(&self) -> Result<Option<CommitRecord>> {
        match self.version() {
            Some(version) => self.record_at(version).await,
            None => Ok(None),
        }
    }

    /// The newest record of the program's own, whoever committed since, as another program that compacts
    /// files does.
    pub async fn last_record(&self) -> Result<Option<CommitRecord>> {
        let Some(newest) = self.version() else { return Ok(None) };
        for version in (0..=newest).rev() {
            if let Some(record) = self.record_at(version).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    async fn record_at(&self, version: Version) -> Result<Option<CommitRecord>> {
        let what = format!("read the log of `{}`", self.name);
        let entry = self.log_store.read_commit_entry(version).await.map_err(|e| failure(&what, e))?;
        Ok(entry.and_then(|bytes| record_in(&bytes)))
    }

    /// Rows that stay must be able to keep the contract: columns may be added, if they may be NULL.
    fn check_widened(&self, contract: &Contract) -> Result<()> {
        let Some(state) = &self.state else { return Ok(()) };
        let now: StructType = delta_schema(contract)?;
        let kept = |field: &&StructField| {
            now.field(field.name()).is_some_and(|f| f.data_type() == field.data_type())
        };
        let then = state.schema();
        let lost = then
            .fields()
            .find(|field| !kept(field))
            .map(|field| format!("`{}` is gone or of another type", field.name()));
        let added = now.fields().find(|field| then.field(field.name()).is_none() && !field.is_nullable());
        let added = added.map(|field| format!("`{}` is new and may not be NULL", field.name()));
        match lost.or(added) {
            None => Ok(()),
            Some(change) => {
                Err(Error::invalid(format!("`{}` cannot take on its changed contract", self.name))
                    .detail(format!("{change}, but rows that are there stay as they are"))
                    .detail(format!("in {}", contract.path.display()))
                    .hint("add columns with `nullable = true`; rename or retype them in silver"))
            }
        }
    }

    /// The protocol and metadata actions that a commit under `contract` needs; none when the table has them.
    fn definition(&self, contract: &Contract) -> Result<Vec<Action>> {
        let what = format!("describe `{}`", self.name);
        let schema = delta_schema(contract)?;
        let name = contract.name.to_string();
        let complete = |metadata: Metadata| {
            metadata
                .with_name(name.clone())
                .and_then(|metadata| metadata.with_description(contract.doc.clone()))
                .and_then(|metadata| metadata.with_schema(&schema))
                .map_err(|e| failure(&what, e.into()))
        };
        let Some(state) = &self.state else {
            let metadata = new_metadata(&schema, Vec::<String>::new(), Vec::<(String, String)>::new())
                .map_err(|e| failure(&what, e.into()))
                .and_then(complete)?;
            return Ok(vec![Action::Protocol(protocol()?), Action::Metadata(metadata)]);
        };
        let metadata = complete(state.metadata().clone())?;
        let unchanged = metadata == *state.metadata();
        Ok(if unchanged { Vec::new() } else { vec![Action::Metadata(metadata)] })
    }
}

fn delta_schema(contract: &Contract) -> Result<StructType> {
    let schema = contract.schema();
    schema
        .as_ref()
        .try_into_kernel()
        .map_err(|e| Error::internal(format!("describe `{}`: {e}", contract.name)))
}

/// Reader 1, writer 2: what every Delta reader can open.
fn protocol() -> Result<Protocol> {
    serde_json::from_value(serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))
        .map_err(|e| Error::internal(e.to_string()))
}

/// Our record in the text of a commit: one JSON action a line.
fn record_in(commit: &[u8]) -> Option<CommitRecord> {
    let text = std::str::from_utf8(commit).ok()?;
    let line = text.lines().find(|line| line.contains("\"commitInfo\""))?;
    let action: serde_json::Value = serde_json::from_str(line).ok()?;
    serde_json::from_str(action["commitInfo"][RECORD_KEY].as_str()?).ok()
}
