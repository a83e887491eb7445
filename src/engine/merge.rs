//! Rows in an order of their own merged batch by batch, where the engine would merge them row by row.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    apply_expression_roots,
};
use futures::StreamExt;

/// Fewer rows than this are not handed on alone.
const SMALL_BATCH_ROWS: usize = 1024;

/// Batches of each partition that are made ahead.
const AHEAD: usize = 2;

/// Where a row stands: two numbers, as those of its file and of its line.
pub(super) type Place = (i64, i64);

/// The places of the rows of a batch.
pub(super) struct Places([Int64Array; 2]);

impl Places {
    /// What the columns at these positions say, which are BIGINT and never NULL.
    pub(super) fn of(batch: &RecordBatch, columns: [usize; 2]) -> Result<Places> {
        let column = |position: usize| match batch.column(position).as_primitive_opt::<Int64Type>() {
            Some(column) if column.null_count() == 0 => Ok(column.clone()),
            _ => internal_err!("rows without a place"),
        };
        Ok(Places([column(columns[0])?, column(columns[1])?]))
    }

    /// The place of a row.
    pub(super) fn at(&self, row: usize) -> Place {
        (self.0[0].value(row), self.0[1].value(row))
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.0[0].len()
    }

    fn slice(&self, start: usize, rows: usize) -> Places {
        Places(self.0.each_ref().map(|column| column.slice(start, rows)))
    }

    /// How many rows stand before a place.
    fn before(&self, bound: Place) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.at(middle) < bound { low = middle + 1 } else { high = middle }
        }
        low
    }
}

/// The rows of all runs, in their order.
pub(super) fn merged(schema: &SchemaRef, mut runs: Vec<Run>) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStreamBuilder::new(schema.clone(), 1);
    let (sender, schema) = (builder.tx(), schema.clone());
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
        runs.iter().enumerate().filter_map(|(i, run)| Some((run.head.as_ref()?.order.at(0), i))).collect();
    waiting.sort_unstable();
    let Some((_, first)) = waiting.first() else { return Ok(None) };
    let bound = waiting.get(1).map(|(place, _)| *place);
    Ok(runs[*first].take(bound))
}

/// Rows that come in the order of their places.
pub(super) struct Run {
    /// Where the columns of the order are.
    columns: [usize; 2],
    rows: SendableRecordBatchStream,
    /// What has been read and not been taken.
    head: Option<Head>,
}

struct Head {
    batch: RecordBatch,
    order: Places,
}

impl Run {
    pub(super) fn of(columns: [usize; 2], rows: SendableRecordBatchStream) -> Run {
        Run { columns, rows, head: None }
    }

    /// Reads the next batch if nothing is left of the one before.
    async fn fill(&mut self) -> Result<()> {
        while self.head.is_none() {
            let Some(batch) = self.rows.next().await.transpose()? else { return Ok(()) };
            let head = Head { order: Places::of(&batch, self.columns)?, batch };
            self.head = Some(head).filter(|head| head.batch.num_rows() > 0);
        }
        Ok(())
    }

    /// Takes the rows before `bound` off what has been read.
    fn take(&mut self, bound: Option<Place>) -> Option<RecordBatch> {
        let head = self.head.take()?;
        let rows = head.batch.num_rows();
        let end = bound.map_or(rows, |bound| head.order.before(bound));
        if end < rows {
            let order = head.order.slice(end, rows - end);
            self.head = Some(Head { batch: head.batch.slice(end, rows - end), order });
        }
        Some(head.batch.slice(0, end))
    }
}

/// Takes the place of a merge by two columns of BIGINT that are never NULL. Must be looked for after rules that look at
/// orders.
pub(super) fn merged_in_batches(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let merge = node.downcast_ref::<SortPreservingMergeExec>().filter(|merge| merge.fetch().is_none());
    Ok(merge.and_then(|merge| Some(MergeExec::of(merge, places(merge.expr(), &node.schema())?))))
}

/// The columns of an order, if they are two of BIGINT, the least first, and never NULL.
fn places(order: &LexOrdering, schema: &SchemaRef) -> Option<[usize; 2]> {
    let columns = order.iter().map(|by| {
        let column = by.expr.downcast_ref::<Column>()?.index();
        let field = schema.field(column);
        let is_number = *field.data_type() == DataType::Int64 && !field.is_nullable();
        (is_number && !by.options.descending).then_some(column)
    });
    columns.collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// The rows of all partitions in their order.
#[derive(Clone, Debug)]
struct MergeExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    columns: [usize; 2],
    properties: Arc<PlanProperties>,
}

impl MergeExec {
    fn of(merge: &SortPreservingMergeExec, columns: [usize; 2]) -> Arc<dyn ExecutionPlan> {
        Arc::new(MergeExec {
            input: merge.input().clone(),
            order: merge.expr().clone(),
            columns,
            properties: merge.properties().clone(),
        })
    }
}

impl DisplayAs for MergeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MergeExec: {}", self.order)
    }
}

impl ExecutionPlan for MergeExec {
    fn name(&self) -> &'static str {
        "MergeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.order.iter().map(|by| &by.expr), f)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(MergeExec { input: children.swap_remove(0), ..Self::clone(&self) }))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let runs = (0..self.input.output_partitioning().partition_count()).map(|partition| {
            let rows = self.input.execute(partition, context.clone())?;
            Ok(Run::of(self.columns, spawn_buffered(rows, AHEAD)))
        });
        Ok(merged(&self.schema(), runs.collect::<Result<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    //! Proves that runs are merged in their order.

    use datafusion::arrow::array::ArrayRef;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use futures::stream;

    use super::*;

    /// A run of batches, each of which has rows of these places.
    fn run(batches: &[&[Place]]) -> Run {
        let batches = batches.iter().map(|places| {
            let column = |of: fn(&Place) -> i64| -> ArrayRef {
                Arc::new(places.iter().map(of).collect::<Int64Array>())
            };
            let columns = [("file", column(|place| place.0)), ("line", column(|place| place.1))];
            RecordBatch::try_from_iter(columns).unwrap()
        });
        let batches: Vec<Result<RecordBatch>> = batches.map(Ok).collect();
        let schema = batches[0].as_ref().unwrap().schema();
        Run::of([0, 1], Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches))))
    }

    /// The places of merged runs, batch by batch.
    async fn taken(mut runs: Vec<Run>) -> Vec<Vec<Place>> {
        let mut all = Vec::new();
        while let Some(batch) = next(&mut runs).await.unwrap() {
            let places = Places::of(&batch, [0, 1]).unwrap();
            all.push((0..places.len()).map(|row| places.at(row)).collect());
        }
        all
    }

    #[tokio::test]
    async fn rows_come_in_their_order_in_as_few_pieces_as_they_lie_in() {
        let one = run(&[&[(1, 1), (1, 2), (1, 5)], &[], &[(3, 1)]]);
        let other = run(&[&[(1, 3), (1, 4)], &[(2, 9), (4, 1)]]);
        let expected: [&[Place]; 6] =
            [&[(1, 1), (1, 2)], &[(1, 3), (1, 4)], &[(1, 5)], &[(2, 9)], &[(3, 1)], &[(4, 1)]];
        assert_eq!(taken(vec![other, one]).await, expected);
    }
}
