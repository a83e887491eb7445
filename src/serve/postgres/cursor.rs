//! Cursors: rows that a client fetches some at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::{FetchDirection, Value, ValueWithSpan};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use futures::{StreamExt, stream};
use tokio::sync::Mutex as AsyncMutex;

use super::errors;
use super::rows::Batches;

/// The open cursors of a connection.
#[derive(Default)]
pub(super) struct Cursors(Mutex<HashMap<String, Arc<Cursor>>>);

/// An open cursor.
pub(super) struct Cursor {
    /// The columns of its rows.
    pub(super) schema: SchemaRef,
    /// Whether it outlives the transaction.
    outlives: bool,
    ahead: AsyncMutex<Ahead>,
}

/// What has not been fetched.
struct Ahead {
    /// The rest of a batch of which some was.
    left: Option<RecordBatch>,
    batches: Batches,
}

impl Cursors {
    /// Opens a cursor; an older one of that name is closed.
    pub(super) fn open(&self, name: &str, schema: SchemaRef, outlives: bool, batches: Batches) {
        let ahead = AsyncMutex::new(Ahead { left: None, batches: batches.fuse().boxed() });
        self.all().insert(name.into(), Arc::new(Cursor { schema, outlives, ahead }));
    }

    /// The cursor of a name.
    pub(super) fn get(&self, name: &str) -> PgWireResult<Arc<Cursor>> {
        let unknown = || errors::coded("ERROR", "34000", format!("cursor \"{name}\" does not exist"));
        self.all().get(name).cloned().ok_or_else(unknown)
    }

    /// Closes the cursor of a name, or all.
    pub(super) fn close(&self, name: Option<&str>) {
        match name {
            Some(name) => _ = self.all().remove(name),
            None => self.all().clear(),
        }
    }

    /// Closes those that end with their transaction.
    pub(super) fn end_transaction(&self) {
        self.all().retain(|_, cursor| cursor.outlives);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Cursor>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursor {
    /// The next rows as they come: so many, or all there are.
    pub(super) fn fetch(self: Arc<Self>, wanted: Option<usize>) -> Batches {
        stream::try_unfold((self, wanted), |(cursor, wanted)| async move {
            if wanted == Some(0) {
                return Ok::<_, PgWireError>(None);
            }
            let Some(batch) = cursor.next(wanted).await? else { return Ok(None) };
            let still = wanted.map(|wanted| wanted - batch.num_rows());
            Ok(Some((batch, (cursor, still))))
        })
        .boxed()
    }

    /// The next batch, or the first rows of it.
    async fn next(&self, wanted: Option<usize>) -> PgWireResult<Option<RecordBatch>> {
        let mut ahead = self.ahead.lock().await;
        let next = match ahead.left.take() {
            Some(left) => Some(left),
            None => ahead.batches.next().await.transpose()?,
        };
        let Some(batch) = next else { return Ok(None) };
        match wanted {
            Some(wanted) if wanted < batch.num_rows() => {
                ahead.left = Some(batch.slice(wanted, batch.num_rows() - wanted));
                Ok(Some(batch.slice(0, wanted)))
            }
            _ => Ok(Some(batch)),
        }
    }
}

/// How many rows a direction means; none for all.
pub(super) fn count(direction: &FetchDirection) -> PgWireResult<Option<usize>> {
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
            number(limit).map(Some)
        }
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        _ => Err(errors::coded("ERROR", "55000", "cursor can only scan forward")),
    }
}

fn number(value: &ValueWithSpan) -> PgWireResult<usize> {
    let number = match &value.value {
        Value::Number(number, _) => number.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| errors::coded("ERROR", "42601", format!("`{value}` is no number of rows")))
}

#[cfg(test)]
mod tests {
    //! Proves that rows are fetched once each, in their order.

    use datafusion::arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[tokio::test]
    async fn rows_are_fetched_once_each() {
        let batch = |from: i64| {
            let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 3));
            RecordBatch::try_from_iter([("n", column)]).unwrap()
        };
        let schema = batch(0).schema();
        let cursors = Cursors::default();
        cursors.open("c", schema, false, stream::iter([Ok(batch(0)), Ok(batch(3))]).boxed());
        let mut fetched = Vec::new();
        for wanted in [Some(2), Some(0), Some(3), None, Some(1)] {
            let rows = cursors.get("c").unwrap().fetch(wanted);
            let rows: Vec<usize> = rows.map(|batch| batch.unwrap().num_rows()).collect().await;
            fetched.push(rows.iter().sum::<usize>());
        }
        assert_eq!(fetched, [2, 0, 3, 1, 0]);
        cursors.end_transaction();
        assert!(cursors.get("c").is_err());
    }
}
