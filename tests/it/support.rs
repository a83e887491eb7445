//! Projects in temporary folders, lakes on them, and questions to these.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use lake::clock::FixedClock;
use lake::config::Config;
use lake::error::Result;
use lake::project::{FILES, Project};
use lake::run::{Lake, Request, Silent, Summary};
use tempfile::TempDir;

/// The header of the source's first dialect.
pub const HEADER: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

/// A fresh project in a folder of its own.
pub struct Fresh {
    folder: TempDir,
}

impl Fresh {
    /// The project that `lake init` writes.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fresh = Fresh { folder };
        for (name, text) in FILES {
            fresh.write(name, text);
        }
        fresh
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Puts a file into the landing folder.
    pub fn land(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.write(&format!("landing/online_retail/{name}"), content)
    }

    /// Replaces a text in a file of the project; it must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap();
        assert!(text.contains(from), "{name} does not hold {from:?}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// The lake of the project, with `threads` threads and a clock that stands still.
    pub fn lake(&self, threads: usize) -> Result<Lake> {
        let config = Config::load(self.path(), &BTreeMap::new(), &[("threads", threads.to_string())])?;
        let project = Project::load(self.path(), config)?;
        let now: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
        Lake::open(project, Arc::new(FixedClock(now)), Arc::new(Silent))
    }

    /// Runs everything.
    pub async fn run(&self) -> Result<Summary> {
        self.lake(2)?.run(&Request::default()).await
    }

    /// The program, in the project's folder.
    pub fn command(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lake"));
        command.current_dir(self.path()).args(args).env("NO_COLOR", "1");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAKE_")) {
            command.env_remove(name);
        }
        command.output().unwrap()
    }

    /// The answer to a question to the published tables.
    pub async fn ask(&self, query: &str) -> Vec<RecordBatch> {
        let lake = self.lake(2).unwrap();
        let session = lake.engine.session(lake.published().await.unwrap());
        session.sql(query).await.unwrap().collect().await.unwrap()
    }

    /// The answer as a ruled table.
    pub async fn table(&self, query: &str) -> String {
        pretty_format_batches(&self.ask(query).await).unwrap().to_string()
    }
}

/// What a process said on standard output and standard error.
pub fn said(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}
