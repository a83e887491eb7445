//! Building: a step's queries run, their rows are written while they are computed, each table is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{BatchCoalescer, cast};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use futures::future::try_join_all;
use tokio::task::JoinSet;

use super::fan::{Fan, pump};
use super::learned::{Modelled, learn};
use super::plan::{inputs_of, stale};
use super::record::peak_memory_bytes;
use super::transition::{Reading, job_of, previous, reading};
use super::{Action, Event, Lake, Observer, Run, States, Step, TableOutcome, fingerprint, place};
use crate::contract::{Contract, TableName};
use crate::engine::FEW_ROWS;
use crate::error::{Error, Result};
use crate::job::Writes;
use crate::learn::{Learned, Verdict};
use crate::quality::{Keys, Tallier, Tally, measures_of};
use crate::table::{CommitRecord, Draft, FileWriter, Mode, State, Table, Version};

/// How many rows of a small table are kept in one batch.
const KEPT_ROWS: usize = 8192;

/// Where new rows stand to those that the table has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// They take their place.
    Instead,
    /// They are added to them.
    Beside,
    /// They are added to them, and no key is among both.
    Beyond,
}

impl Place {
    fn of(writes: Writes, is_increment: bool, grows: bool) -> Place {
        match writes {
            Writes::Append if is_increment => Place::Beside,
            _ if grows => Place::Beyond,
            _ => Place::Instead,
        }
    }

    /// Nothing yet, where the keys of new rows can tell whether those of the table differ.
    fn keys(self) -> Option<Keys> {
        (self != Place::Beside).then(Keys::default)
    }
}

/// What came of a step.
#[derive(Default)]
pub(super) struct Built {
    /// Its tables; none when what it reads turned out not to have changed.
    pub(super) tables: Vec<(Table, TableOutcome)>,
    /// What was learned for them.
    pub(super) model: Option<Modelled>,
}

/// Builds the tables of a step and commits each; readers do not see them before they are published.
pub(super) async fn build(lake: &Lake, run: &Run, step: &Step, states: &States) -> Result<Built> {
    let clock = Instant::now();
    if !step.forced && !is_stale(lake, run, step, states)? {
        return Ok(Built::default());
    }
    for table in &step.tables {
        lake.observer.event(Event::Started { table: table.clone() });
    }
    let Reading { transition, is_increment, grows, rows: rows_in } = reading(lake, run, step, states).await?;
    let session = lake.engine.job_session(run.catalogue.clone(), &transition, rows_in);
    let mut pumps = JoinSet::new();
    let (plans, model) = plan_step(lake, run, step, states, &session, &mut pumps).await?;
    let withheld = model.as_ref().is_some_and(|model| model.learned.verdict == Verdict::Withheld);
    // Rows that no model has made protect nothing: they are made again.
    let is_learned = |state: &State| state.table.record().is_some_and(|record| !record.unlearned);
    let is_kept = |name: &TableName| withheld && states.get(name).is_some_and(is_learned);
    let drafts = step.tables.iter().zip(plans).map(|(name, plan)| async {
        if is_kept(name) {
            return Ok(None);
        }
        let place = Place::of(job_of(lake, name)?.writes, is_increment, grows);
        write(lake, run, states, &session, name, plan, place).await.map(Some)
    });
    let drafts = try_join_all(drafts).await?;
    ended(pumps).await?;
    let mut built = Vec::new();
    for (name, mut written) in step.tables.iter().zip(drafts) {
        let draft = written.as_ref().map(|written| &written.draft);
        let (rows_out, bytes) = draft.map_or((0, 0), |draft| (draft.rows, draft.bytes()));
        let rows = written.as_mut().and_then(|written| written.rows.take());
        let action = match written {
            None => Action::Kept,
            Some(_) if is_increment => Action::Increment,
            Some(_) => Action::Whole,
        };
        let table = match written {
            None => keep(lake, run, states, name).await?,
            Some(written) => commit(lake, run, states, name, written, withheld).await?,
        };
        match rows.filter(|_| table.size().rows == rows_out) {
            Some(rows) => hand_over(lake, run, name, rows)?,
            None => run.catalogue.open(&table),
        }
        let outcome = TableOutcome {
            table: name.clone(),
            action,
            reason: match model.as_ref().filter(|_| withheld) {
                Some(model) => model.learned.reason.clone(),
                None => step.reason(name),
            },
            rows_in,
            rows_out,
            rows: table.size().rows,
            bytes,
            inputs: table.record().map(|record| record.inputs.clone()).unwrap_or_default(),
            version: table.version(),
            seconds: clock.elapsed().as_secs_f64(),
            peak_memory_bytes: peak_memory_bytes(),
        };
        lake.observer.event(Event::Finished {
            table: name.clone(),
            rows: rows_out,
            seconds: outcome.seconds,
        });
        built.push((table, outcome));
    }
    Ok(Built { tables: built, model })
}

/// Waits for the pumps: a view that stopped short would look like one that came to its end.
async fn ended(mut pumps: JoinSet<()>) -> Result<()> {
    while let Some(pumped) = pumps.join_next().await {
        pumped.map_err(|e| Error::internal(format!("a view stopped: {e}")))?;
    }
    Ok(())
}

fn is_stale(lake: &Lake, run: &Run, step: &Step, states: &States) -> Result<bool> {
    for name in &step.tables {
        if !stale(&lake.project, states, name, &BTreeSet::new(), run.as_of)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The physical plans of a step's tables. A view they share is started and feeds them through `pumps`, or is
/// learned from.
async fn plan_step(
    lake: &Lake,
    run: &Run,
    step: &Step,
    states: &States,
    session: &SessionContext,
    pumps: &mut JoinSet<()>,
) -> Result<(Vec<Arc<dyn ExecutionPlan>>, Option<Modelled>)> {
    let plans = || try_join_all(step.tables.iter().map(|name| physical_plan(lake, session, name)));
    let Some(view) = &step.view else { return Ok((plans().await?, None)) };
    let source = physical_plan(lake, session, view).await?;
    if let Some(estimator) = job_of(lake, view)?.learns {
        let learned = learn(lake, estimator, source, session).await;
        let Learned { rows, record: learned } =
            learned.map_err(|e| e.detail(format!("while `{}` learned from `{view}`", estimator.as_str())))?;
        // Tables that were built before stay as they are; others are made without rows.
        let rows = if learned.verdict == Verdict::Withheld { rows.slice(0, 0) } else { rows };
        let rows = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        run.catalogue.provide(view.layer.as_str(), &view.table, Arc::new(rows));
        let plans = plans().await?;
        run.catalogue.forget(view.layer.as_str(), &view.table);
        let inputs = inputs_at(lake, states, view);
        return Ok((plans, Some(Modelled { estimator, learned, inputs })));
    }
    let partitions = source.output_partitioning().partition_count();
    let mut fan = Fan::new(source.schema(), partitions, step.tables.len());
    let mut plans = Vec::new();
    for name in &step.tables {
        run.catalogue.provide(view.layer.as_str(), &view.table, fan.table()?);
        plans.push(physical_plan(lake, session, name).await?);
    }
    // Only the plans hold the ends of the channels now: a plan that drops the view stops listening to it.
    run.catalogue.forget(view.layer.as_str(), &view.table);
    let streams = execute_stream_partitioned(source, session.task_ctx())?;
    for (rows, readers) in streams.into_iter().zip(fan.into_senders()) {
        pumps.spawn(pump(rows, readers));
    }
    Ok((plans, None))
}

/// The versions of the tables that a table is made from.
fn inputs_at(lake: &Lake, states: &States, name: &TableName) -> BTreeMap<String, Version> {
    let inputs = inputs_of(&lake.project, name).into_iter();
    inputs.filter_map(|input| Some((input.to_string(), states.get(&input)?.table.content()?))).collect()
}

async fn physical_plan(
    lake: &Lake,
    session: &SessionContext,
    name: &TableName,
) -> Result<Arc<dyn ExecutionPlan>> {
    let job = job_of(lake, name)?;
    let at = |e: datafusion::error::DataFusionError| place(e.into(), &job.query.path, &job.query.sql);
    session.sql(&job.query.sql).await.map_err(at)?.create_physical_plan().await.map_err(at)
}

/// Writes the rows of a plan, one writer a partition, and takes the tally of all rows that the table will have.
async fn write(
    lake: &Lake,
    run: &Run,
    states: &States,
    session: &SessionContext,
    name: &TableName,
    plan: Arc<dyn ExecutionPlan>,
    place: Place,
) -> Result<Written> {
    let contract = lake.project.contract(name)?;
    let State { newest, table } = states.expect(name)?;
    let (schema, measures) = (contract.schema(), measures_of(&lake.project, contract));
    let tallier = Tallier::new(session, &schema, &measures)
        .map_err(|e| e.detail(format!("in {}", contract.path.display())))?;
    let key = contract.key.iter().filter_map(|key| schema.index_of(key).ok()).collect::<Vec<_>>();
    let mut writers = JoinSet::new();
    let rows_of_all = Arc::new(AtomicU64::new(0));
    for rows in execute_stream_partitioned(plan, session.task_ctx())? {
        let part = Part {
            name: name.clone(),
            schema: schema.clone(),
            tallier: tallier.clone(),
            place,
            key: key.clone(),
            observer: lake.observer.clone(),
            rows_of_all: rows_of_all.clone(),
        };
        writers.spawn(part.write(rows, newest.file_writer(&schema, &run.options)));
    }
    let tally = match place {
        Place::Instead => tallier.nothing(),
        Place::Beside | Place::Beyond => Tally::of_table(session, table, &measures).await?,
    };
    let keys = place.keys();
    let mut all = Written { place, rows: Some(Vec::new()), draft: Draft::default(), tally, keys };
    while let Some(part) = writers.join_next().await {
        let part = part.map_err(|e| Error::internal(format!("a writer of `{name}` stopped: {e}")))?;
        let part = part.map_err(|e| e.detail(format!("while building `{name}`")))?;
        let draft = all.draft.merge(part.draft);
        all = Written {
            place,
            rows: all
                .rows
                .zip(part.rows)
                .filter(|_| draft.rows <= FEW_ROWS)
                .map(|(all, part)| [all, part].concat()),
            draft,
            tally: all.tally.plus(&part.tally),
            keys: all.keys.zip(part.keys).map(|(all, part)| all.plus(part)),
        };
    }
    Ok(all)
}

/// Lets the tables that are built next read the rows of a small table without fetching them again.
fn hand_over(lake: &Lake, run: &Run, name: &TableName, rows: Vec<RecordBatch>) -> Result<()> {
    let table = MemTable::try_new(lake.project.contract(name)?.schema(), vec![rows])?;
    run.catalogue.provide(name.layer.as_str(), &name.table, Arc::new(table));
    Ok(())
}

/// What was written of a table and seen of its rows.
struct Written {
    place: Place,
    /// The rows themselves, if they are few.
    rows: Option<Vec<RecordBatch>>,
    draft: Draft,
    /// The tally of all rows that the table will have.
    tally: Tally,
    /// The keys of the rows; none when others may have them too.
    keys: Option<Keys>,
}

/// One partition of a table's rows on their way into files.
struct Part {
    name: TableName,
    schema: SchemaRef,
    tallier: Tallier,
    place: Place,
    /// The positions of the key's columns.
    key: Vec<usize>,
    observer: Arc<dyn Observer>,
    /// How many rows all partitions have written.
    rows_of_all: Arc<AtomicU64>,
}

impl Part {
    async fn write(self, mut rows: SendableRecordBatchStream, mut writer: FileWriter) -> Result<Written> {
        let (mut tally, mut keys) = (self.tallier.nothing(), self.place.keys());
        let mut kept = Some(Kept::new(&self.schema));
        while let Some(batch) = rows.next().await {
            let batch = conform(&batch?, &self.schema)?;
            tally = tally.plus(&self.tallier.take(&batch)?);
            if let Some(keys) = &mut keys {
                keys.take(&batch, &self.key)?;
            }
            writer.write(&batch).await?;
            let rows = batch.num_rows() as u64;
            if self.rows_of_all.fetch_add(rows, Ordering::Relaxed) + rows > FEW_ROWS {
                kept = None;
            }
            if let Some(kept) = &mut kept {
                kept.push(&batch)?;
            }
            self.observer.event(Event::Wrote { table: self.name.clone(), rows });
        }
        let rows = kept.map(Kept::batches).transpose()?;
        Ok(Written { place: self.place, rows, draft: writer.close().await?, tally, keys })
    }
}

/// Rows of a small table, as copies: a view of a text would hold all the rows that it was cut from.
struct Kept(BatchCoalescer);

impl Kept {
    fn new(schema: &SchemaRef) -> Kept {
        Kept(BatchCoalescer::new(schema.clone(), KEPT_ROWS))
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.push_batch(batch.clone()).map_err(Kept::failure)
    }

    fn batches(mut self) -> Result<Vec<RecordBatch>> {
        self.0.finish_buffered_batch().map_err(Kept::failure)?;
        Ok(std::iter::from_fn(|| self.0.next_completed_batch()).collect())
    }

    fn failure(error: ArrowError) -> Error {
        Error::internal(format!("cannot keep rows: {error}"))
    }
}

/// The batch with exactly the promised types; a NULL where none was promised is an error.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        let column = cast(column, field.data_type()).map_err(|e| {
            Error::data(format!(
                "column `{}` cannot be {}: {e}",
                field.name(),
                Contract::type_name(field.data_type())
            ))
        })?;
        match column.null_count() {
            nulls if nulls > 0 && !field.is_nullable() => Err(Error::data(format!(
                "column `{}` is NULL in some rows, but its contract says it never is",
                field.name()
            ))),
            _ => Ok(column),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(schema.clone(), columns).map_err(|e| Error::internal(e.to_string()))
}

/// Commits what was written, to the rows that were there if it is added to them.
async fn commit(
    lake: &Lake,
    run: &Run,
    states: &States,
    name: &TableName,
    written: Written,
    unlearned: bool,
) -> Result<Table> {
    let State { newest, table } = states.expect(name)?;
    let Written { place, draft, tally, keys, .. } = written;
    let are_unique = keys.is_some_and(|keys| keys.are_unique());
    let (mode, unique_key) = match place {
        Place::Instead => (Mode::Replace, are_unique),
        Place::Beside => (Mode::Append(table), false),
        Place::Beyond => (Mode::Append(table), are_unique && table.record().is_some_and(|r| r.unique_key)),
    };
    let record = CommitRecord {
        run_id: run.id.clone(),
        fingerprint: fingerprint::of(&lake.project, name, run.as_of)?,
        inputs: inputs_at(lake, states, name),
        rows: draft.rows,
        based_on: run.based_on,
        tally: tally.to_record(),
        unique_key,
        previous: previous(run, table),
        unlearned,
        ..Default::default()
    };
    newest.commit(lake.project.contract(name)?, mode, draft, record).await
}

/// Commits a table as it is, as made by what would have replaced its rows and was withheld.
async fn keep(lake: &Lake, run: &Run, states: &States, name: &TableName) -> Result<Table> {
    let State { newest, table } = states.expect(name)?;
    let record = CommitRecord {
        run_id: run.id.clone(),
        fingerprint: fingerprint::of(&lake.project, name, run.as_of)?,
        inputs: inputs_at(lake, states, name),
        rows: 0,
        based_on: run.based_on,
        kept: true,
        ..table.record().cloned().unwrap_or_default()
    };
    newest.commit(lake.project.contract(name)?, Mode::Append(table), Draft::default(), record).await
}

#[cfg(test)]
mod tests {
    //! Proves that rows that are kept hold no others.

    use datafusion::arrow::array::StringViewArray;

    use super::*;

    #[test]
    fn kept_rows_hold_no_others() {
        let text = |i: usize| format!("a text that is too long to lie in its view, {i}");
        let batch = |from: usize| {
            let texts: StringViewArray = (from..from + 8192).map(|i| Some(text(i))).collect();
            RecordBatch::try_from_iter([("text", Arc::new(texts) as _)]).unwrap()
        };
        let mut kept = Kept::new(&batch(0).schema());
        (0..20).for_each(|i| kept.push(&batch(i * 8192).slice(100, 2)).unwrap());
        let batches = kept.batches().unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 40);
        let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        assert!(bytes < batch(0).get_array_memory_size(), "{bytes} bytes");
    }
}
