//! Damaged logs: what a table's log lacks when the table cannot be opened, and what to do about it.

use std::collections::BTreeSet;

use deltalake::DeltaTableError;
use futures::TryStreamExt;
use serde::de::IgnoredAny;

use super::{Table, Version, failure};
use crate::contract::Layer;
use crate::error::{Error, Result};

impl Table {
    /// The error of a table that could not be opened at `version`: what its log lacks, or else what the storage
    /// layer said.
    pub(super) async fn unopened(&self, version: Option<Version>, error: DeltaTableError) -> Error {
        let lacks = self.check_log(version).await.err();
        lacks.unwrap_or_else(|| failure(&format!("open `{}`", self.name), error))
    }

    /// The error of a table whose log is not what a writer left.
    pub(super) fn damaged(&self, what: &str) -> Error {
        let name = &self.name;
        let url = self.log_store.root_url();
        let folder = url.to_file_path().map_or_else(|()| url.to_string(), |path| path.display().to_string());
        let error = Error::unavailable(format!("`{name}` cannot be opened: {what}"));
        error.detail(format!("in `{folder}`")).hint(match (name.layer, name.table.as_str()) {
            (Layer::Bronze, _) => {
                "bring that folder back from a copy; without one, move the whole lake away and load the files again"
            }
            (Layer::Ops, "publications") => {
                "bring that folder back from a copy; without one, move it away: `lake run` loads what lies in \
                 the landing folders and publishes anew"
            }
            _ => "move that folder away: `lake run` makes the table anew",
        })
    }

    /// An error if the log lacks something that the table needs to be opened at `version`.
    async fn check_log(&self, version: Option<Version>) -> Result<()> {
        let (commits, checkpoints) = self.log_files().await?;
        let last =
            |all: &BTreeSet<Version>| all.range(..=version.unwrap_or(Version::MAX)).next_back().copied();
        let checkpoint = last(&checkpoints);
        let newest = last(&commits).max(checkpoint);
        if let Some(version) = version.filter(|version| newest.is_none_or(|newest| *version > newest)) {
            let rest = newest.map_or(String::new(), |newest| format!(", what is left ends with {newest}"));
            return Err(self.damaged(&format!("version {version} is gone{rest}")));
        }
        let Some(newest) = newest else { return Err(self.damaged("it has no commits")) };
        for version in checkpoint.map_or(0, |checkpoint| checkpoint + 1)..=newest {
            if self.commit_at(version).await?.is_none() {
                return Err(self.damaged(&format!("commit {version} is missing")));
            }
        }
        Ok(())
    }

    /// The versions whose commits, and those whose checkpoints, lie in the log.
    async fn log_files(&self) -> Result<(BTreeSet<Version>, BTreeSet<Version>)> {
        let store = self.log_store.object_store(None);
        let listed = store.list(Some(self.log_store.log_path())).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|e| failure(&format!("list the log of `{}`", self.name), e.into()))?;
        let (mut commits, mut checkpoints) = (BTreeSet::new(), BTreeSet::new());
        for name in listed.iter().filter_map(|file| file.location.filename()) {
            let Some((version, kind)) = name.split_once('.') else { continue };
            match version.parse::<Version>() {
                Ok(version) if kind == "json" => _ = commits.insert(version),
                Ok(version) if kind.starts_with("checkpoint.") => _ = checkpoints.insert(version),
                _ => {}
            }
        }
        Ok((commits, checkpoints))
    }
}

/// Whether a commit is what a writer leaves: JSON objects, one a line, and at least one.
pub(super) fn is_sound(commit: &str) -> bool {
    let mut lines = commit.lines().filter(|line| !line.trim().is_empty()).peekable();
    lines.peek().is_some()
        && lines.all(|line| line.starts_with('{') && serde_json::from_str::<IgnoredAny>(line).is_ok())
}
