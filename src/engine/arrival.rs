//! Rows in the order in which they came: a table whose files each lie in that order is read so, without a sort.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{AsArray, Int64Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};

use crate::contract::TableName;
use crate::error::Error;
use crate::table::Table;

/// The position of a row's file in the order of loading, and that of the row in its file.
const ORDER: [&str; 2] = ["_ingest_seq", "_source_line"];

/// Batches of each run of files that are decoded ahead.
const AHEAD: usize = 8;

/// Fewer rows than this are not handed on alone.
const SMALL_BATCH_ROWS: usize = 4096;

type Provider = Arc<dyn TableProvider>;

/// The place of a row in the order of arrival.
type Place = (i64, i64);

/// A table in the order of arrival.
pub(super) struct Arrivals {
    name: TableName,
    /// The table in any order.
    rows: Provider,
    /// Its files in runs: within a run each file begins behind the end of the one before it.
    runs: Vec<Vec<Provider>>,
}

impl Arrivals {
    /// The rows of a table, or those in the files of these names.
    pub(super) async fn of(
        table: &Table,
        files: Option<&BTreeSet<String>>,
    ) -> crate::error::Result<Provider> {
        let rows = match files {
            Some(files) => table.provider_of(files).await?,
            None => table.provider().await?,
        };
        let mut ranges = table.ranges(ORDER);
        ranges.retain(|range| files.is_none_or(|files| files.contains(&range.file)));
        ranges.sort_by_key(|range| (range.first, range.file.clone()));
        let (mut ends, mut runs): (Vec<Place>, Vec<Vec<Provider>>) = (Vec::new(), Vec::new());
        for range in ranges {
            let provider = table.provider_of(&BTreeSet::from([range.file])).await?;
            match ends.iter().position(|end| *end < range.first) {
                Some(run) => {
                    runs[run].push(provider);
                    ends[run] = range.last;
                }
                None => {
                    runs.push(vec![provider]);
                    ends.push(range.last);
                }
            }
        }
        Ok(Arc::new(Arrivals { name: table.name().clone(), rows, runs }))
    }
}

impl fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrivals of {:?}", self.rows)
    }
}

#[async_trait]
impl TableProvider for Arrivals {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema().project(columns)?),
            None => self.schema(),
        };
        // Who does not see the order does not ask for it.
        if self.runs.is_empty() || ORDER.iter().any(|name| schema.index_of(name).is_err()) {
            return self.rows.scan(session, projection, filters, limit).await;
        }
        let mut runs = Vec::new();
        for files in &self.runs {
            let mut plans = Vec::new();
            for file in files {
                plans.push(file.scan(session, projection, filters, None).await?);
            }
            runs.push(plans);
        }
        let by = |name: &str| Ok(PhysicalSortExpr::new_default(col(name, &schema)?));
        let order = LexOrdering::new(ORDER.iter().map(|name| by(name)).collect::<Result<Vec<_>>>()?);
        let merged: Arc<dyn PartitionStream> =
            Arc::new(Merged { name: self.name.clone(), schema: schema.clone(), runs });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![merged], None, order, false, limit)?))
    }
}

/// The rows of all runs, merged.
struct Merged {
    name: TableName,
    schema: SchemaRef,
    /// The plans of each run's files, in order; each file is one partition.
    runs: Vec<Vec<Arc<dyn ExecutionPlan>>>,
}

impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Merged {} runs", self.runs.len())
    }
}

impl PartitionStream for Merged {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let runs = self.runs.iter().map(|plans| {
            let files = stream::iter(plans.clone());
            let context = context.clone();
            let files = files.map(move |plan| match plan.properties().partitioning.partition_count() {
                1 => plan.execute(0, context.clone()),
                count => internal_err!("a file of {count} partitions"),
            });
            let rows = RecordBatchStreamAdapter::new(self.schema.clone(), files.try_flatten());
            Run::of(&self.name, spawn_buffered(Box::pin(rows), AHEAD))
        });
        let mut runs: Vec<Run> = runs.collect();
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), 1);
        let (sender, schema) = (builder.tx(), self.schema.clone());
        builder.spawn(async move {
            let (mut small, mut rows) = (Vec::new(), 0);
            while let Some(batch) = next(&mut runs).await? {
                rows += batch.num_rows();
                small.push(batch);
                if rows >= SMALL_BATCH_ROWS {
                    rows = 0;
                    if sender.send(Ok(whole(&schema, &mut small)?)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            if rows > 0 {
                _ = sender.send(Ok(whole(&schema, &mut small)?)).await;
            }
            Ok(())
        });
        builder.build()
    }
}

/// The batches as one.
fn whole(schema: &SchemaRef, batches: &mut Vec<RecordBatch>) -> Result<RecordBatch> {
    let batch = match batches.as_slice() {
        [batch] => batch.clone(),
        batches => concat_batches(schema, batches)?,
    };
    batches.clear();
    Ok(batch)
}

/// The rows that come next of all runs: of the one whose next row is the first, as many as come before all others'.
async fn next(runs: &mut [Run]) -> Result<Option<RecordBatch>> {
    for run in runs.iter_mut() {
        run.fill().await?;
    }
    let mut waiting: Vec<(Place, usize)> =
        runs.iter().enumerate().filter_map(|(i, run)| Some((run.head.as_ref()?.place(0), i))).collect();
    waiting.sort_unstable();
    let Some((_, first)) = waiting.first() else { return Ok(None) };
    let bound = waiting.get(1).map(|(place, _)| *place);
    Ok(runs[*first].take(bound))
}

/// Files that are read one after the other.
struct Run {
    name: TableName,
    rows: SendableRecordBatchStream,
    /// What has been read and not been taken.
    head: Option<Head>,
    /// The place of the last row that was read.
    last: Option<Place>,
}

struct Head {
    batch: RecordBatch,
    /// The columns of the order.
    order: [Int64Array; 2],
}

impl Run {
    fn of(name: &TableName, rows: SendableRecordBatchStream) -> Run {
        Run { name: name.clone(), rows, head: None, last: None }
    }

    /// Reads the next batch if nothing is left of the one before.
    async fn fill(&mut self) -> Result<()> {
        while self.head.is_none() {
            let Some(batch) = self.rows.next().await else { return Ok(()) };
            let head = Head::of(batch?)?;
            for row in 0..head.batch.num_rows() {
                let place = Some(head.place(row));
                if place.cmp(&self.last) != Ordering::Greater {
                    return Err(out_of_order(&self.name));
                }
                self.last = place;
            }
            self.head = Some(head).filter(|head| head.batch.num_rows() > 0);
        }
        Ok(())
    }

    /// Takes the rows before `bound` off what has been read.
    fn take(&mut self, bound: Option<Place>) -> Option<RecordBatch> {
        let head = self.head.take()?;
        let rows = head.batch.num_rows();
        let end = bound.map_or(rows, |bound| head.rows_before(bound));
        if end < rows {
            let order = head.order.each_ref().map(|column| column.slice(end, rows - end));
            self.head = Some(Head { batch: head.batch.slice(end, rows - end), order });
        }
        Some(head.batch.slice(0, end))
    }
}

impl Head {
    fn of(batch: RecordBatch) -> Result<Head> {
        let column = |name| match batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>()) {
            Some(column) => Ok(column.clone()),
            None => internal_err!("rows without `{name}`"),
        };
        Ok(Head { order: [column(ORDER[0])?, column(ORDER[1])?], batch })
    }

    fn place(&self, row: usize) -> Place {
        (self.order[0].value(row), self.order[1].value(row))
    }

    /// How many rows come before a place.
    fn rows_before(&self, bound: Place) -> usize {
        let (mut low, mut high) = (0, self.batch.num_rows());
        while low < high {
            let middle = low.midpoint(high);
            if self.place(middle) < bound { low = middle + 1 } else { high = middle }
        }
        low
    }
}

fn out_of_order(name: &TableName) -> DataFusionError {
    let error = Error::data(format!("rows of `{name}` do not lie in the order in which they came"));
    let error = error.detail("another program has written to the table");
    let order = ORDER.join(",");
    let hint = format!("`lake optimize {name} --sort-by {order}` puts them in order");
    DataFusionError::External(Box::new(error.hint(hint)))
}

#[cfg(test)]
mod tests {
    //! Proves that runs are merged in the order of arrival, and that rows out of it are told of.

    use datafusion::arrow::array::ArrayRef;

    use super::*;

    /// A run of batches, each of which has rows of these places.
    fn run(batches: &[&[Place]]) -> Run {
        let batches = batches.iter().map(|places| {
            let column = |of: fn(&Place) -> i64| -> ArrayRef {
                Arc::new(places.iter().map(of).collect::<Int64Array>())
            };
            let columns = [(ORDER[0], column(|place| place.0)), (ORDER[1], column(|place| place.1))];
            RecordBatch::try_from_iter(columns).unwrap()
        });
        let batches: Vec<Result<RecordBatch>> = batches.map(Ok).collect();
        let schema = batches[0].as_ref().unwrap().schema();
        let name = TableName::parse("bronze.lines").unwrap();
        Run::of(&name, Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches))))
    }

    /// The places of merged runs, batch by batch.
    async fn merged(mut runs: Vec<Run>) -> Result<Vec<Vec<Place>>> {
        let mut all = Vec::new();
        while let Some(batch) = next(&mut runs).await? {
            let head = Head::of(batch)?;
            all.push((0..head.batch.num_rows()).map(|row| head.place(row)).collect());
        }
        Ok(all)
    }

    #[tokio::test]
    async fn rows_come_in_their_order_in_as_few_pieces_as_they_lie_in() {
        let one = run(&[&[(1, 1), (1, 2), (1, 5)], &[], &[(3, 1)]]);
        let other = run(&[&[(1, 3), (1, 4)], &[(2, 9), (4, 1)]]);
        let expected: [&[Place]; 6] =
            [&[(1, 1), (1, 2)], &[(1, 3), (1, 4)], &[(1, 5)], &[(2, 9)], &[(3, 1)], &[(4, 1)]];
        assert_eq!(merged(vec![other, one]).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn rows_out_of_order_are_an_error() {
        for batches in [&[&[(1, 2), (1, 1)][..]][..], &[&[(2, 1)], &[(1, 9)]], &[&[(1, 1)], &[(1, 1)]]] {
            let error = crate::error::Error::from(merged(vec![run(batches)]).await.unwrap_err());
            assert_eq!(error.message(), "rows of `bronze.lines` do not lie in the order in which they came");
            assert!(
                error.hints()[0].contains("lake optimize bronze.lines --sort-by _ingest_seq,_source_line")
            );
        }
    }
}
