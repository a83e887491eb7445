//! Commits: the one moment at which files become part of a table.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{
    Action, Add, LogicalFileView, Metadata, MetadataExt, Protocol, StructField, StructType, new_metadata,
};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use serde::{Deserialize, Serialize};

use super::damage::is_sound;
use super::{Draft, Table, Version, failure};
use crate::contract::Contract;
use crate::error::{Error, Result};

/// The key of a commit's information under which the program keeps its own record.
const RECORD_KEY: &str = "lake";

/// The property that says how many commits a log grows by before they are summed up in a checkpoint.
const CHECKPOINTS: &str = "delta.checkpointInterval";

/// What a commit does with the rows that were there before.
#[derive(Clone, Copy)]
pub enum Mode<'a> {
    /// The rows of this version of the table stay, and those of the draft are added. What was committed since
    /// that version is undone.
    Append(&'a Table),
    /// All rows go.
    Replace,
    /// The files of these names go and their rows are in the draft: the table holds what it held.
    Rewrite(&'a BTreeSet<String>),
}

/// Why a version of a table is what it is; kept in the Delta commit that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// The run that made it.
    pub run_id: String,
    /// What it was made by: a hash for each of job, contract, mappings and functions.
    pub fingerprint: BTreeMap<String, String>,
    /// What it was made from: the content versions of the tables that were read.
    pub inputs: BTreeMap<String, Version>,
    /// The rows that the commit wrote.
    pub rows: u64,
    /// The version of `ops.publications` that it was built upon; none before the first.
    #[serde(default)]
    pub based_on: Option<Version>,
    /// Counts and sums over all rows of the table, by the SQL of the measure.
    #[serde(default)]
    pub tally: BTreeMap<String, String>,
    /// Whether the keys of all rows were seen to differ while they were written.
    #[serde(default)]
    pub unique_key: bool,
    /// Whether the rows are those from before, because what would have replaced them was withheld.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Whether its rows were made without the model that should have made them, because that was withheld.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlearned: bool,
    /// The content version of the table that was published when its rows were made; none when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    /// In bronze, the position of the last file that was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest_seq: Option<i64>,
    /// The last version that changed rows: this one, unless the commit neither added nor removed any.
    #[serde(default)]
    pub content: Version,
}

impl Table {
    /// Makes the files of `draft` part of the table in one commit, and gives the table as it then is.
    ///
    /// It is not tried again on top of a version that this table has not seen: of two writers who started
    /// from the same version, or from none, the second is told of a conflict, appends included.
    /// The first commit creates the table with the contract's columns and descriptions; a later one brings
    /// them up to date when the contract has changed. The record's `content` is filled in here.
    pub async fn commit(
        &self,
        contract: &Contract,
        mode: Mode<'_>,
        draft: Draft,
        record: CommitRecord,
    ) -> Result<Table> {
        let what = format!("commit `{}`", self.name);
        if let Mode::Append(base) = mode {
            base.check_widened(contract)?;
        }
        let next = self.version().map_or(0, |version| version + 1);
        let written: Vec<String> = draft.files.iter().map(|file| file.path.clone()).collect();
        let files = self.file_actions(mode, draft);
        let changes_rows = !files.is_empty() && !matches!(mode, Mode::Rewrite(_));
        let content = if changes_rows { next } else { self.content.unwrap_or(next) };
        let record = CommitRecord { content, ..record };
        let text = serde_json::to_string(&record).map_err(|e| Error::internal(e.to_string()))?;
        let mut actions = self.definition(contract)?;
        actions.extend(files);
        let properties = CommitProperties::default()
            .with_metadata([(RECORD_KEY.to_string(), text.into())])
            .with_max_retries(0)
            .with_cleanup_expired_logs(Some(false));
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(
                self.state.as_ref().map(|s| s as &dyn TableReference),
                self.log_store.clone(),
                operation(mode),
            )
            .await;
        let state = match committed {
            Ok(commit) => commit.snapshot(),
            // A store may fail after it has done what it was asked, as may the checkpoint after a commit.
            Err(error) => match self.commit_at(next).await {
                Ok(Some(found)) if is_ours(&found, &record, &written) => {
                    DeltaTableState::try_new(self.log_store.as_ref(), Some(next))
                        .await
                        .map_err(|e| failure(&what, e))?
                }
                _ => return Err(failure(&what, error)),
            },
        };
        tracing::debug!(table = %self.name, version = next, "committed");
        Ok(Table { state: Some(state), content: Some(content), record: Some(record), ..self.clone() })
    }

    /// The files that go and come, so that the table holds what `mode` says.
    fn file_actions(&self, mode: Mode<'_>, draft: Draft) -> Vec<Action> {
        let change = !matches!(mode, Mode::Rewrite(_));
        let now = self.files();
        let kept: BTreeMap<String, LogicalFileView> = match mode {
            Mode::Append(base) => base.files(),
            Mode::Replace => BTreeMap::new(),
            Mode::Rewrite(gone) => now.clone().into_iter().filter(|(path, _)| !gone.contains(path)).collect(),
        };
        let removed = now.iter().filter(|(path, _)| !kept.contains_key(*path));
        let mut actions: Vec<Action> =
            removed.map(|(_, file)| Action::Remove(file.remove_action(change))).collect();
        let restored = kept.iter().filter(|(path, _)| !now.contains_key(*path));
        let added = restored.map(|(path, file)| add(path, file)).chain(draft.files);
        actions.extend(added.map(|file| Action::Add(Add { data_change: change, ..file })));
        actions
    }

    /// The files of the table, by path.
    pub(super) fn files(&self) -> BTreeMap<String, LogicalFileView> {
        let files = self.state.iter().flat_map(|state| state.log_data().into_iter());
        files.map(|file| (file.path().to_string(), file)).collect()
    }

    /// The text of a commit, one JSON action a line; none when the log no longer holds it. One that is not
    /// JSON is an error.
    pub(super) async fn commit_at(&self, version: Version) -> Result<Option<String>> {
        let what = format!("read the log of `{}`", self.name);
        let entry = self.log_store.read_commit_entry(version).await.map_err(|e| failure(&what, e))?;
        let Some(bytes) = entry else { return Ok(None) };
        let commit = String::from_utf8_lossy(&bytes).into_owned();
        match is_sound(&commit) {
            true => Ok(Some(commit)),
            false => Err(self.damaged(&format!("commit {version} cannot be read"))),
        }
    }

    /// Whether it has every column of a contract, by name and type.
    pub fn has_columns_of(&self, contract: &Contract) -> Result<bool> {
        let promised: StructType = delta_schema(contract)?;
        let own = self.state.as_ref().map(DeltaTableState::schema);
        let has = |field: &StructField| {
            own.as_ref()
                .and_then(|own| own.field(field.name()))
                .is_some_and(|own| own.data_type() == field.data_type())
        };
        Ok(promised.fields().all(has))
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
            let metadata = new_metadata(
                &schema,
                Vec::<String>::new(),
                [(CHECKPOINTS, self.checkpoint_commits.to_string())],
            )
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

/// The action that brings a file back.
fn add(path: &str, file: &LogicalFileView) -> Add {
    Add {
        path: path.into(),
        size: file.size(),
        modification_time: file.modification_time(),
        stats: file.stats(),
        ..Default::default()
    }
}

fn operation(mode: Mode<'_>) -> DeltaOperation {
    match mode {
        Mode::Append(_) => {
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None }
        }
        Mode::Replace => {
            DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None }
        }
        Mode::Rewrite(_) => DeltaOperation::Optimize { predicate: None, target_size: 0 },
    }
}

/// Whether a commit is the one of this record that added these files, whose names occur once.
fn is_ours(commit: &str, record: &CommitRecord, files: &[String]) -> bool {
    record_in(commit).as_ref() == Some(record) && files.iter().all(|file| commit.contains(file))
}

/// Our record in the text of a commit.
pub(super) fn record_in(commit: &str) -> Option<CommitRecord> {
    let line = commit.lines().find(|line| line.contains("\"commitInfo\""))?;
    let action: serde_json::Value = serde_json::from_str(line).ok()?;
    serde_json::from_str(action["commitInfo"][RECORD_KEY].as_str()?).ok()
}
