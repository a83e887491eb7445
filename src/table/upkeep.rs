//! Upkeep: the files of a table as they lie in the store, and the commits that led to it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use deltalake::kernel::LogicalFileView;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;

use super::commit::record_in;
use super::{CommitRecord, Table, Version, failure};
use crate::error::{Error, Result};

/// One commit of a table's log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// The version that it made.
    pub version: Version,
    /// When.
    pub committed_at: Option<DateTime<Utc>>,
    /// What was done, in Delta's words.
    pub operation: String,
    /// Why, if this program did it.
    pub record: Option<CommitRecord>,
}

/// Between which rows those of a file lie, in the order of two columns of integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The name of the file.
    pub file: String,
    /// No row comes before this one.
    pub first: (i64, i64),
    /// No row comes after this one.
    pub last: (i64, i64),
}

impl Table {
    /// The range of each file of the table, as far as its statistics tell.
    pub fn ranges(&self, columns: [&str; 2]) -> Vec<Range> {
        let range = |(file, view): (String, LogicalFileView)| {
            let stats: serde_json::Value =
                view.stats().and_then(|stats| serde_json::from_str(&stats).ok()).unwrap_or_default();
            let bound = |of: &str, unknown| {
                columns.map(|column| stats[of][column].as_i64().unwrap_or(unknown)).into()
            };
            Range { file, first: bound("minValues", i64::MIN), last: bound("maxValues", i64::MAX) }
        };
        self.files().into_iter().map(range).collect()
    }

    /// The first and the last day of a column in the files of these names; none where the statistics of one do not tell.
    pub fn days(&self, column: &str, files: &BTreeSet<String>) -> Option<(NaiveDate, NaiveDate)> {
        let all = self.files();
        let days = |file: &String| {
            let stats: serde_json::Value = serde_json::from_str(&all.get(file)?.stats()?).ok()?;
            let day = |of: &str| stats[of][column].as_str()?.parse::<NaiveDate>().ok();
            Some((day("minValues")?, day("maxValues")?))
        };
        let (first, last): (Vec<_>, Vec<_>) = files.iter().map(days).collect::<Option<_>>()?;
        Some((first.into_iter().min()?, last.into_iter().max()?))
    }

    /// The bytes of each file of the table, by its name.
    pub fn file_sizes(&self) -> BTreeMap<String, u64> {
        let bytes = |size: i64| u64::try_from(size).unwrap_or_default();
        self.files().into_iter().map(|(path, file)| (path, bytes(file.size()))).collect()
    }

    /// The names of the table's files without these.
    pub fn files_but(&self, files: &BTreeSet<String>) -> BTreeSet<String> {
        self.files().into_keys().filter(|path| !files.contains(path)).collect()
    }

    /// The table as if another program had written it: whatever is asked of it is asked of its rows.
    pub fn without_record(&self) -> Table {
        Table { record: None, ..self.clone() }
    }

    /// An error if a file of the table is no longer in the store.
    pub async fn check_files(&self) -> Result<()> {
        let there: BTreeSet<String> =
            self.stored().await?.iter().map(|file| file.location.to_string()).collect();
        match self.files().into_keys().find(|path| !there.contains(path)) {
            None => Ok(()),
            Some(path) => Err(Error::unavailable(format!(
                "version {} of `{}` can no longer be read: its files were removed by a vacuum",
                self.version().unwrap_or_default(),
                self.name
            ))
            .detail(format!("`{path}` is gone"))
            .hint("a vacuum keeps what was published within its retention only")),
        }
    }

    /// The files that none of `versions` needs and that are older than `before`, and their bytes; removed when
    /// `apply` says so.
    pub async fn vacuum(
        &self,
        versions: &BTreeSet<Version>,
        before: DateTime<Utc>,
        apply: bool,
    ) -> Result<(Vec<String>, u64)> {
        if self.version().is_none() {
            return Ok(Default::default());
        }
        let mut needed = BTreeSet::new();
        for version in versions {
            needed.extend(self.at(*version).await?.files().into_keys());
        }
        let mut unneeded = self.stored().await?;
        unneeded.retain(|file| !needed.contains(file.location.as_ref()) && file.last_modified < before);
        if apply {
            let store = self.log_store.object_store(None);
            let paths: Vec<_> = unneeded.iter().map(|file| Ok(file.location.clone())).collect();
            let removed = store.delete_stream(stream::iter(paths).boxed()).try_collect::<Vec<_>>().await;
            removed.map_err(|e| failure(&format!("vacuum `{}`", self.name), e.into()))?;
        }
        let bytes = unneeded.iter().map(|file| file.size).sum();
        Ok((unneeded.into_iter().map(|file| file.location.to_string()).collect(), bytes))
    }

    /// The newest commits, newest first, as far as the log holds them.
    pub async fn history(&self, limit: usize) -> Result<Vec<LogEntry>> {
        let Some(newest) = self.version() else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for version in (0..=newest).rev().take(limit) {
            let Some(commit) = self.commit_at(version).await? else { break };
            let info = commit.lines().find(|line| line.contains("\"commitInfo\"")).unwrap_or_default();
            let info: serde_json::Value = serde_json::from_str(info).unwrap_or_default();
            let info = &info["commitInfo"];
            entries.push(LogEntry {
                version,
                committed_at: info["timestamp"].as_i64().and_then(DateTime::from_timestamp_millis),
                operation: info["operation"].as_str().unwrap_or_default().to_string(),
                record: record_in(&commit),
            });
        }
        Ok(entries)
    }

    /// The data files that lie in the table's folder.
    async fn stored(&self) -> Result<Vec<ObjectMeta>> {
        let listed = self.log_store.object_store(None).list(None).try_collect::<Vec<_>>().await;
        let mut files =
            listed.map_err(|e| failure(&format!("list the files of `{}`", self.name), e.into()))?;
        files.retain(|file| !file.location.as_ref().starts_with("_delta_log"));
        Ok(files)
    }
}
