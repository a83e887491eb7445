//! Publications: one commit that says which version of every table readers see.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

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

/// A row of the table.
#[derive(Serialize)]
struct Row<'a> {
    run_id: &'a str,
    published_at: String,
    tables: BTreeMap<String, Version>,
    restores: Option<&'a str>,
    publication_no: u64,
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

    /// Whether something was published after the publication of this version; costs no more than to look for a file.
    pub async fn is_newer_than(store: &Store, version: Option<Version>) -> Result<bool> {
        let next = version.map_or(0, |version| version + 1);
        store.holds(&format!("ops/publications/_delta_log/{next:020}.json")).await
    }

    /// What readers see; none before the first run.
    pub fn newest(&self) -> Option<&Publication> {
        self.newest.as_ref()
    }

    /// What readers see, which is nothing before the first run.
    pub fn seen(&self) -> Publication {
        self.newest.clone().unwrap_or_default()
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
        let tables = publication.tables.iter().map(|(name, version)| (name.to_string(), *version));
        let row = Row {
            run_id: &publication.run_id,
            published_at: published_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            tables: tables.collect(),
            restores: publication.restores.as_deref(),
            publication_no: self.table.version().map_or(1, |version| version + 2),
        };
        let draft = self.table.draft(&contract, std::slice::from_ref(&row), options).await?;
        let record = CommitRecord {
            run_id: publication.run_id.clone(),
            fingerprint: publication.judged_by.clone(),
            inputs: row.tables,
            rows: 1,
            ..Default::default()
        };
        self.table.commit(&contract, Mode::Append(&self.table), draft, record).await?;
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
