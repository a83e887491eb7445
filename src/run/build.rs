//! Building: a step's queries run, their rows are written while they are computed, each table is committed.

use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use futures::future::try_join_all;
use tokio::task::JoinSet;

use super::fan::{Fan, pump};
use super::plan::inputs_of;
use super::{Event, Lake, Observer, Run, States, Step, TableOutcome, fingerprint, place};
use crate::contract::{Contract, TableName};
use crate::error::{Error, Result};
use crate::job::Job;
use crate::table::{CommitRecord, Draft, FileWriter, Mode, Table};

/// Builds the tables of a step and commits each; readers do not see them before they are published.
pub(super) async fn build(
    lake: &Lake,
    run: &Run,
    step: &Step,
    states: &States,
) -> Result<Vec<(Table, TableOutcome)>> {
    let clock = Instant::now();
    for table in &step.tables {
        lake.observer.event(Event::Started { table: table.clone() });
    }
    let session = lake.engine.session(run.catalogue.clone());
    let mut pumps = JoinSet::new();
    let plans = plan_step(lake, run, step, &session, &mut pumps).await?;
    let drafts =
        step.tables.iter().zip(plans).map(|(name, plan)| write(lake, run, states, &session, name, plan));
    let drafts = try_join_all(drafts).await?;
    // A view that stopped short would look like one that came to its end.
    while let Some(pumped) = pumps.join_next().await {
        pumped.map_err(|e| Error::internal(format!("a view stopped: {e}")))?;
    }
    let mut built = Vec::new();
    for (name, draft) in step.tables.iter().zip(drafts) {
        let outcome = TableOutcome {
            table: name.clone(),
            built: true,
            reason: step.reason(name),
            rows_in: step.inputs.iter().filter_map(|input| Some(states.get(input)?.table.size().rows)).sum(),
            rows: draft.rows,
            seconds: clock.elapsed().as_secs_f64(),
        };
        let table = commit(lake, run, states, name, draft).await?;
        lake.observer.event(Event::Finished {
            table: name.clone(),
            rows: outcome.rows,
            seconds: outcome.seconds,
        });
        built.push((table, outcome));
    }
    Ok(built)
}

/// The physical plans of a step's tables; a view they share is started and feeds them through `pumps`.
async fn plan_step(
    lake: &Lake,
    run: &Run,
    step: &Step,
    session: &SessionContext,
    pumps: &mut JoinSet<()>,
) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    let Some(view) = &step.view else {
        return try_join_all(step.tables.iter().map(|name| physical_plan(lake, session, name))).await;
    };
    let source = physical_plan(lake, session, view).await?;
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
    Ok(plans)
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

/// Writes the rows of a plan, one writer a partition.
async fn write(
    lake: &Lake,
    run: &Run,
    states: &States,
    session: &SessionContext,
    name: &TableName,
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Draft> {
    let contract = lake.project.contract(name)?;
    let table = &states.expect(name)?.table;
    let mut writers = JoinSet::new();
    for rows in execute_stream_partitioned(plan, session.task_ctx())? {
        let schema = contract.schema();
        let writer = table.file_writer(&schema, &run.options);
        writers.spawn(write_partition(rows, writer, schema, name.clone(), lake.observer.clone()));
    }
    let mut draft = Draft::default();
    while let Some(part) = writers.join_next().await {
        let part = part.map_err(|e| Error::internal(format!("a writer of `{name}` stopped: {e}")))?;
        draft = draft.merge(part.map_err(|e| e.detail(format!("while building `{name}`")))?);
    }
    Ok(draft)
}

async fn write_partition(
    mut rows: SendableRecordBatchStream,
    mut writer: FileWriter,
    schema: SchemaRef,
    table: TableName,
    observer: Arc<dyn Observer>,
) -> Result<Draft> {
    while let Some(batch) = rows.next().await {
        let batch = conform(&batch?, &schema)?;
        writer.write(&batch).await?;
        observer.event(Event::Wrote { table: table.clone(), rows: batch.num_rows() as u64 });
    }
    writer.close().await
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

async fn commit(lake: &Lake, run: &Run, states: &States, name: &TableName, draft: Draft) -> Result<Table> {
    let versions = inputs_of(&lake.project, name)
        .into_iter()
        .filter_map(|input| Some((input.to_string(), states.get(&input)?.table.version()?)));
    let record = CommitRecord {
        run_id: run.id.clone(),
        fingerprint: fingerprint::of(&lake.project, name)?,
        inputs: versions.collect(),
        rows: draft.rows,
        ingest_seq: None,
    };
    states.expect(name)?.table.commit(lake.project.contract(name)?, Mode::Replace, draft, &record).await
}

fn job_of<'a>(lake: &'a Lake, name: &TableName) -> Result<&'a Job> {
    lake.project.jobs.get(name).ok_or_else(|| Error::internal(format!("`{name}` has no job")))
}
