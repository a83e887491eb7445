//! Loading: the records of new sources become rows of a bronze table, in one commit for all of them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::prelude::SessionContext;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use super::chunk::{Chunk, MAX_ROWS};
use super::register::{self, LoadedFile};
use super::{Arrival, Layout, Source};
use crate::contract::{Contract, TableName};
use crate::error::{Error, Result};
use crate::quality::{Measure, Tallier, Tally};
use crate::table::{
    CommitRecord, Draft, FileWriter, Mode, State, Table, Version, WriteOptions, stored_schema,
};

/// Batches that may wait for a writer.
const DEPTH: usize = 4;

/// What all files of one loading share.
pub struct Loading<'a> {
    /// The run.
    pub run_id: &'a str,
    /// When it loads.
    pub at: DateTime<Utc>,
    /// How files are written.
    pub options: &'a WriteOptions,
    /// How many readers and writers work at once.
    pub threads: usize,
    /// The version of `ops.publications` that the run builds upon.
    pub based_on: Option<Version>,
    /// Takes the tally of the rows as they are read.
    pub tallier: Tallier,
    /// What it takes.
    pub measures: BTreeSet<Measure>,
    /// Sees the rows that were there before.
    pub session: SessionContext,
    /// Is told of rows as they are read.
    pub on_rows: Arc<dyn Fn(u64) + Send + Sync>,
}

/// What was loaded into a bronze table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// The table.
    pub table: TableName,
    /// Files that were loaded.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Files whose content was loaded before, under this or another name.
    pub known: u64,
    /// What somebody should know who expects something else, a line each.
    pub warnings: Vec<String>,
}

/// A source and its line of the register.
type Job = (Source, LoadedFile);

/// Loads what has arrived. Gives the tables that were committed: the bronze table, then the register.
///
/// The rows of all sources are one commit; a source that cannot be read to its end fails them all. The
/// register follows in a commit of its own; after a crash between the two, the next run finds what is missing.
pub async fn load(
    arrival: Arrival,
    bronze: &State,
    contract: &Contract,
    register: &State,
    loading: &Loading<'_>,
) -> Result<(Ingested, Vec<Table>)> {
    let known = arrival.unchanged + arrival.known.len() as u64;
    let (table, warnings) = (arrival.table.clone(), arrival.warnings);
    let mut ingested = Ingested { table, files: 0, rows: 0, known, warnings };
    let (mut tables, mut files) = (Vec::new(), arrival.known);
    if !arrival.new.is_empty() {
        let last_seq = arrival.new.last().map(|(_, file)| file.ingest_seq);
        let writing = write_all(arrival.new, &arrival.layout, &bronze.newest, contract, loading);
        let (draft, loaded, tally) = writing.await?;
        ingested.files = loaded.len() as u64;
        ingested.rows = check_rows(&arrival.table, &loaded, &draft)?;
        // Files without records are registered, but are no new version of a table that is there.
        if draft.rows > 0 || bronze.table.version().is_none() {
            let all = match bronze.table.version() {
                None => tally,
                Some(_) => {
                    Tally::of_table(&loading.session, &bronze.table, &loading.measures).await?.plus(&tally)
                }
            };
            let record = CommitRecord {
                run_id: loading.run_id.into(),
                rows: draft.rows,
                based_on: loading.based_on,
                tally: all.to_record(),
                ingest_seq: last_seq,
                ..Default::default()
            };
            tables.push(bronze.newest.commit(contract, Mode::Append(&bronze.table), draft, record).await?);
        }
        files.extend(loaded);
    }
    if !files.is_empty() {
        tables.push(register::append(register, &files, loading).await?);
    }
    Ok((ingested, tables))
}

/// What was read must have been written.
fn check_rows(table: &TableName, loaded: &[LoadedFile], draft: &Draft) -> Result<u64> {
    let read: i64 = loaded.iter().map(|file| file.rows).sum();
    if read.unsigned_abs() != draft.rows {
        return Err(Error::data(format!(
            "{read} rows were read for `{table}`, but {} were written",
            draft.rows
        ))
        .hint("nothing was published; run the same command again"));
    }
    Ok(draft.rows)
}

/// Reads sources on some threads while others encode what was read. Gives the files in the order of loading,
/// and the tally of their rows.
///
/// A reader takes sources in their order and has writers of its own, to which it gives rows in turn: within each data
/// file, rows lie in the order in which they came.
async fn write_all(
    jobs: Vec<Job>,
    layout: &Layout,
    bronze: &Table,
    contract: &Contract,
    loading: &Loading<'_>,
) -> Result<(Draft, Vec<LoadedFile>, Tally)> {
    let schema = stored_schema(&contract.schema());
    let readers_wanted = loading.threads.min(jobs.len());
    let writers_each = (loading.threads / readers_wanted.max(1)).max(1);
    let shared = Arc::new(Reading {
        jobs: Mutex::new(jobs.into()),
        layout: layout.clone(),
        schema: schema.clone(),
        run_id: loading.run_id.into(),
        at: loading.at,
        on_rows: loading.on_rows.clone(),
        tallier: loading.tallier.clone(),
    });
    let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
    for _ in 0..readers_wanted {
        let mut senders = Vec::new();
        for _ in 0..writers_each {
            let (sender, receiver) = channel(DEPTH);
            senders.push(sender);
            writers.spawn(write(receiver, bronze.file_writer(&schema, loading.options)));
        }
        let shared = shared.clone();
        readers.spawn_blocking(move || shared.read_all(&senders));
    }
    // Readers stop when nobody takes their rows, so a writer's own fault is looked at first.
    let draft = joined(writers).await?.into_iter().fold(Draft::default(), Draft::merge);
    let (mut loaded, mut tally) = (Vec::new(), loading.tallier.nothing());
    for (files, rows) in joined(readers).await? {
        loaded.extend(files);
        tally = tally.plus(&rows);
    }
    loaded.sort_by_key(|file: &LoadedFile| file.ingest_seq);
    Ok((draft, loaded, tally))
}

/// What all tasks gave, or the first error; the other tasks are then given up.
async fn joined<T: 'static>(mut tasks: JoinSet<Result<T>>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(task) = tasks.join_next().await {
        all.push(task.map_err(|e| Error::internal(format!("loading stopped: {e}")))??);
    }
    Ok(all)
}

async fn write(mut rows: Receiver<RecordBatch>, mut writer: FileWriter) -> Result<Draft> {
    while let Some(batch) = rows.recv().await {
        writer.write(&batch).await?;
    }
    writer.close().await
}

/// What readers share.
struct Reading {
    jobs: Mutex<VecDeque<Job>>,
    layout: Layout,
    schema: SchemaRef,
    run_id: String,
    at: DateTime<Utc>,
    on_rows: Arc<dyn Fn(u64) + Send + Sync>,
    tallier: Tallier,
}

impl Reading {
    /// Reads sources until none is left, here or, after an error, anywhere.
    fn read_all(&self, writers: &[Sender<RecordBatch>]) -> Result<(Vec<LoadedFile>, Tally)> {
        let (mut loaded, mut tally) = (Vec::new(), self.tallier.nothing());
        let mut writers = writers.iter().cycle();
        loop {
            let next = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(job) = next else { return Ok((loaded, tally)) };
            let file = self.read(job, &mut writers, &mut tally).inspect_err(|_| {
                self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clear();
            })?;
            loaded.push(file);
        }
    }

    fn read<'a>(
        &self,
        (source, mut file): Job,
        writers: &mut impl Iterator<Item = &'a Sender<RecordBatch>>,
        tally: &mut Tally,
    ) -> Result<LoadedFile> {
        let provenance = Provenance::of(&file, &self.run_id);
        let mut emit = |chunk: Chunk| {
            (self.on_rows)(chunk.rows() as u64);
            let batch = self.batch(&file, &provenance, chunk)?;
            *tally = tally.plus(&self.tallier.take(&batch)?);
            let taken = writers.next().is_some_and(|writer| writer.blocking_send(batch).is_ok());
            if taken { Ok(()) } else { Err(Error::internal("the writers have stopped")) }
        };
        let read = source.read(&self.layout, &mut emit)?;
        source.check_unchanged()?;
        file.rows = i64::try_from(read).unwrap_or(i64::MAX);
        Ok(file)
    }

    /// A chunk with its provenance, in the order of the contract's columns.
    fn batch(&self, file: &LoadedFile, provenance: &Provenance, chunk: Chunk) -> Result<RecordBatch> {
        let rows = chunk.rows();
        let at = TimestampMicrosecondArray::from_value(self.at.timestamp_micros(), rows).with_timezone("UTC");
        let named = self.layout.fields().iter().zip(chunk.columns);
        let mut columns: Vec<(&str, ArrayRef)> =
            named.map(|(field, column)| (field.name.as_str(), Arc::new(column) as ArrayRef)).collect();
        columns.extend(provenance.0.iter().map(|(name, column)| (*name, column.slice(0, rows))));
        columns.extend([
            ("_source_line", Arc::new(chunk.source_line) as ArrayRef),
            ("_ingest_seq", Arc::new(Int64Array::from_value(file.ingest_seq, rows))),
            ("_ingested_at", Arc::new(at)),
            ("_rescued", Arc::new(chunk.rescued)),
        ]);
        let promised = self.schema.fields().iter().map(|field| {
            let column = columns.iter().find(|(name, _)| name == field.name());
            column.map(|(_, column)| column.clone()).ok_or_else(|| {
                Error::invalid(format!(
                    "no source delivers the column `{}` of `{}`",
                    field.name(),
                    file.table
                ))
            })
        });
        let promised = promised.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(self.schema.clone(), promised)
            .map_err(|e| Error::internal(format!("rows of `{}`: {e}", file.table)))
    }
}

/// Columns of text that say the same of every row of a source, as long as a full chunk.
struct Provenance([(&'static str, ArrayRef); 3]);

impl Provenance {
    fn of(file: &LoadedFile, run_id: &str) -> Provenance {
        let said = [
            ("_source_file", &*file.source_file),
            ("_source_sha256", &file.sha256),
            ("_ingest_run_id", run_id),
        ];
        Provenance(said.map(|(name, text)| {
            let column = StringArray::from_iter_values(std::iter::repeat_n(text, MAX_ROWS));
            (name, Arc::new(column) as ArrayRef)
        }))
    }
}
