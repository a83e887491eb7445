//! What happened to a table between two of its versions, as its log tells it.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;

use super::commit::record_in;
use super::{Table, Version};
use crate::error::Result;

/// How the rows of a table differ from those of an earlier version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Rows were added, in the files of these names; none when nothing changed.
    Appended(BTreeSet<String>),
    /// Rows went, or the log no longer says what happened.
    Replaced,
}

/// A line of a commit, as far as it concerns files.
#[derive(Deserialize)]
struct Line {
    add: Option<File>,
    remove: Option<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    path: String,
    #[serde(default)]
    data_change: bool,
}

impl Table {
    /// What changed since the rows were those of the version `then`.
    pub async fn changes_since(&self, then: Version) -> Result<Change> {
        let (mut added, mut removed) = (BTreeSet::new(), HashSet::new());
        if self.content.is_some_and(|content| content < then) {
            return Ok(Change::Replaced);
        }
        for version in then + 1..=self.content.unwrap_or(then) {
            let Some(commit) = self.commit_at(version).await? else { return Ok(Change::Replaced) };
            let lines: Vec<Line> = files_in(&commit);
            for path in lines.iter().filter_map(|line| changed(line.remove.as_ref())) {
                if !added.remove(path) {
                    removed.insert(path.to_string());
                }
            }
            for path in lines.iter().filter_map(|line| changed(line.add.as_ref())) {
                if !removed.remove(path) {
                    added.insert(path.to_string());
                }
            }
        }
        let files = self.files();
        let still_there = added.iter().all(|path| files.contains_key(path));
        Ok(match removed.is_empty() && still_there {
            true => Change::Appended(added),
            false => Change::Replaced,
        })
    }

    /// Fills in the newest record of the program's own and the version that last changed rows.
    ///
    /// Another program may have compacted files or cleaned up since; one that changed rows leaves no record.
    pub(super) async fn read_origin(&mut self) -> Result<()> {
        let Some(newest) = self.version() else { return Ok(()) };
        self.content = Some(newest);
        for version in (0..=newest).rev() {
            let Some(commit) = self.commit_at(version).await? else { return Ok(()) };
            if let Some(record) = record_in(&commit) {
                self.content = Some(record.content);
                self.record = Some(record);
                return Ok(());
            }
            let lines = files_in(&commit);
            let mut files = lines.iter().flat_map(|line| [line.add.as_ref(), line.remove.as_ref()]);
            if files.any(|file| changed(file).is_some()) {
                self.content = Some(version);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The lines of a commit that add or remove a file.
fn files_in(commit: &str) -> Vec<Line> {
    let lines = commit.lines().filter(|line| line.starts_with("{\"add\"") || line.starts_with("{\"remove\""));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn changed(file: Option<&File>) -> Option<&str> {
    file.filter(|file| file.data_change).map(|file| file.path.as_str())
}
