//! Rows in the order in which they came: a table whose files each lie in that order is read so, without a sort.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::merge::{Place, Places, Run, merged};
use crate::contract::TableName;
use crate::error::Error;
use crate::table::Table;

/// The position of a row's file in the order of loading, and that of the row in its file.
const ORDER: [&str; 2] = ["_ingest_seq", "_source_line"];

/// Batches of each run of files that are decoded ahead.
const AHEAD: usize = 2;

type Provider = Arc<dyn TableProvider>;

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
        let rows = table.rows(files).await?;
        let mut ranges = table.ranges(ORDER);
        ranges.retain(|range| files.is_none_or(|files| files.contains(&range.file)));
        ranges.sort_by_key(|range| (range.first, range.file.clone()));
        let (mut ends, mut runs): (Vec<Place>, Vec<Vec<Provider>>) = (Vec::new(), Vec::new());
        for range in ranges {
            let provider = table.rows(Some(&BTreeSet::from([range.file]))).await?;
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
        let columns = [schema.index_of(ORDER[0])?, schema.index_of(ORDER[1])?];
        let merged: Arc<dyn PartitionStream> =
            Arc::new(Merged { name: self.name.clone(), schema: schema.clone(), columns, runs });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![merged], None, order, false, limit)?))
    }
}

/// The rows of all runs, merged.
struct Merged {
    name: TableName,
    schema: SchemaRef,
    /// Where the columns of the order are.
    columns: [usize; 2],
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
            let rows = in_order(self.name.clone(), self.columns, files.try_flatten());
            let rows = RecordBatchStreamAdapter::new(self.schema.clone(), rows);
            Run::of(self.columns, spawn_buffered(Box::pin(rows), AHEAD))
        });
        merged(&self.schema, runs.collect())
    }
}

/// The rows, or an error where one does not stand behind the one before.
fn in_order(
    name: TableName,
    columns: [usize; 2],
    rows: impl Stream<Item = Result<RecordBatch>>,
) -> impl Stream<Item = Result<RecordBatch>> {
    let mut last: Option<Place> = None;
    rows.map(move |batch| {
        let batch = batch?;
        let places = Places::of(&batch, columns)?;
        for row in 0..places.len() {
            let place = Some(places.at(row));
            if place <= last {
                return Err(out_of_order(&name));
            }
            last = place;
        }
        Ok(batch)
    })
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
    //! Proves that rows out of order are told of.

    use datafusion::arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[tokio::test]
    async fn rows_out_of_order_are_an_error() {
        let column = |places: &[Place], of: fn(&Place) -> i64| -> ArrayRef {
            Arc::new(places.iter().map(of).collect::<Int64Array>())
        };
        for batches in [&[&[(1, 2), (1, 1)][..]][..], &[&[(2, 1)], &[(1, 9)]], &[&[(1, 1)], &[(1, 1)]]] {
            let rows = batches.iter().map(|places| {
                let columns =
                    [("file", column(places, |place| place.0)), ("line", column(places, |place| place.1))];
                Ok(RecordBatch::try_from_iter(columns).unwrap())
            });
            let rows = stream::iter(rows.collect::<Vec<_>>());
            let name = TableName::parse("bronze.lines").unwrap();
            let error = in_order(name, [0, 1], rows).try_collect::<Vec<_>>().await.unwrap_err();
            let error = crate::error::Error::from(error);
            assert_eq!(error.message(), "rows of `bronze.lines` do not lie in the order in which they came");
            assert!(
                error.hints()[0].contains("lake optimize bronze.lines --sort-by _ingest_seq,_source_line")
            );
        }
    }
}
