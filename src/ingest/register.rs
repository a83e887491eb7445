//! The register of loaded files, `ops.files`: by content, so that the same content is loaded once.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::Loading;
use crate::contract::{Contract, Layer, TableName};
use crate::error::Result;
use crate::table::{CommitRecord, Mode, State, Table};

/// One line of the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedFile {
    /// The bronze table.
    pub table: TableName,
    /// The file as it was delivered or asked for; what has a size and a time.
    pub delivered_as: String,
    /// The source in it, as its rows name it.
    pub source_file: String,
    /// The identity of its content.
    pub sha256: String,
    /// The position at which the content was loaded.
    pub ingest_seq: i64,
    /// Bytes of the file; unknown for a file that was registered after a crash.
    pub size_bytes: Option<i64>,
    /// Microseconds of UTC at which the file was modified.
    pub modified_at: Option<i64>,
    /// Rows loaded from it.
    pub rows: i64,
    /// Whether it was loaded, not known by another name.
    pub is_loaded: bool,
}

/// A row of the table; instants in microseconds of UTC.
#[derive(Serialize)]
struct Row<'a> {
    bronze_table: String,
    delivered_as: &'a str,
    source_file: &'a str,
    source_sha256: &'a str,
    ingest_seq: i64,
    size_bytes: Option<i64>,
    modified_at: Option<i64>,
    rows: i64,
    is_loaded: bool,
    run_id: &'a str,
    loaded_at: i64,
}

impl<'a> Row<'a> {
    fn new(file: &'a LoadedFile, loading: &'a Loading<'_>) -> Self {
        Row {
            bronze_table: file.table.to_string(),
            delivered_as: &file.delivered_as,
            source_file: &file.source_file,
            source_sha256: &file.sha256,
            ingest_seq: file.ingest_seq,
            size_bytes: file.size_bytes,
            modified_at: file.modified_at,
            rows: file.rows,
            is_loaded: file.is_loaded,
            run_id: loading.run_id,
            loaded_at: loading.at.timestamp_micros(),
        }
    }
}

/// The files that a bronze table has been loaded from.
#[derive(Clone, Debug, Default)]
pub struct Register {
    by_content: HashMap<String, LoadedFile>,
    /// Name, size and time of every file that was looked at.
    stamps: HashSet<(String, i64, i64)>,
    /// The sources that were loaded, by name.
    names: HashSet<String>,
    /// Files that bronze holds and the table does not name yet.
    pub(super) missing: Vec<LoadedFile>,
}

impl Register {
    /// Reads what is registered for `bronze`, and what a crash kept from being registered. `session` sees the
    /// newest versions of the register and of `bronze`, whose last commit loaded the file at `last_seq`.
    pub async fn load(
        session: &SessionContext,
        table: &Table,
        bronze: &TableName,
        last_seq: Option<i64>,
    ) -> Result<Register> {
        let mut register = Register::default();
        if table.version().is_some() {
            register.read(session, bronze).await?;
        }
        if last_seq.is_some_and(|last| last > register.last_seq()) {
            register.missing = unregistered(session, bronze, &register).await?;
            register.missing.clone().into_iter().for_each(|file| register.add(file));
        }
        Ok(register)
    }

    async fn read(&mut self, session: &SessionContext, bronze: &TableName) -> Result<()> {
        let query = format!(
            "select delivered_as, source_file, source_sha256, ingest_seq, size_bytes, modified_at, rows, is_loaded \
             from {} where bronze_table = '{bronze}' order by loaded_at, ingest_seq, source_file",
            register_name()
        );
        for batch in session.sql(&query).await?.collect().await? {
            for row in 0..batch.num_rows() {
                self.add(read_row(&batch, row, bronze));
            }
        }
        Ok(())
    }

    /// Adds a file.
    pub fn add(&mut self, file: LoadedFile) {
        if let (Some(size), Some(modified_at)) = (file.size_bytes, file.modified_at) {
            self.stamps.insert((file.delivered_as.clone(), size, modified_at));
        }
        if file.is_loaded {
            self.names.insert(file.source_file.clone());
        }
        self.by_content.entry(file.sha256.clone()).or_insert(file);
    }

    /// Whether a source of this name was loaded.
    pub fn has_loaded(&self, source_file: &str) -> bool {
        self.names.contains(source_file)
    }

    /// Whether a file in this folder was loaded.
    pub fn has_loaded_from(&self, folder: &Path) -> bool {
        self.by_content.values().any(|file| Path::new(&file.delivered_as).starts_with(folder))
    }

    /// The file that has this content, if it was loaded.
    pub fn with_content(&self, sha256: &str) -> Option<&LoadedFile> {
        self.by_content.get(sha256)
    }

    /// Whether a file of this name, size and time was registered before.
    pub fn is_unchanged(&self, name: &str, size: i64, modified_at: i64) -> bool {
        self.stamps.contains(&(name.to_string(), size, modified_at))
    }

    /// The position of the last file that was loaded; 0 before the first.
    pub fn last_seq(&self) -> i64 {
        self.by_content.values().map(|file| file.ingest_seq).max().unwrap_or(0)
    }
}

/// `ops.files`.
pub fn register_name() -> TableName {
    TableName::new(Layer::Ops, "files")
}

/// The files that bronze holds and the register does not: what a crash between their two commits leaves.
pub(super) async fn unregistered(
    session: &SessionContext,
    bronze: &TableName,
    register: &Register,
) -> Result<Vec<LoadedFile>> {
    let query = format!(
        "select _source_file, _source_sha256, _ingest_seq, count(*) from {bronze} where _ingest_seq > {} \
         group by _source_file, _source_sha256, _ingest_seq order by _ingest_seq",
        register.last_seq()
    );
    let mut files = Vec::new();
    for batch in session.sql(&query).await?.collect().await? {
        let text = |column: usize, row| batch.column(column).as_string_view().value(row).to_string();
        let integer = |column: usize, row| batch.column(column).as_primitive::<Int64Type>().value(row);
        files.extend((0..batch.num_rows()).map(|row| LoadedFile {
            table: bronze.clone(),
            delivered_as: text(0, row),
            source_file: text(0, row),
            sha256: text(1, row),
            ingest_seq: integer(2, row),
            size_bytes: None,
            modified_at: None,
            rows: integer(3, row),
            is_loaded: true,
        }));
    }
    Ok(files)
}

/// Appends files to the register in one commit.
pub(super) async fn append(register: &State, files: &[LoadedFile], loading: &Loading<'_>) -> Result<Table> {
    let contract = contract()?;
    let rows: Vec<Row> = files.iter().map(|file| Row::new(file, loading)).collect();
    let draft = register.newest.draft(&contract, &rows, loading.options).await?;
    let record = CommitRecord {
        run_id: loading.run_id.into(),
        rows: files.len() as u64,
        based_on: loading.based_on,
        ..Default::default()
    };
    register.newest.commit(&contract, Mode::Append(&register.table), draft, record).await
}

/// The contract of `ops.files`.
pub fn contract() -> Result<Contract> {
    Contract::parse(Path::new("ops/files.toml"), register_name(), include_str!("files.toml"))
}

fn read_row(batch: &RecordBatch, row: usize, bronze: &TableName) -> LoadedFile {
    let text = |column: usize| batch.column(column).as_string_view().value(row).to_string();
    let integer = |column: usize| {
        let column = batch.column(column).as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let modified = batch.column(5).as_primitive::<TimestampMicrosecondType>();
    LoadedFile {
        table: bronze.clone(),
        delivered_as: text(0),
        source_file: text(1),
        sha256: text(2),
        ingest_seq: integer(3).unwrap_or_default(),
        size_bytes: integer(4),
        modified_at: modified.is_valid(row).then(|| modified.value(row)),
        rows: integer(6).unwrap_or_default(),
        is_loaded: batch.column(7).as_boolean().value(row),
    }
}
