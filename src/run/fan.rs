//! A view's rows, computed once and streamed to every table that reads them.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Batches that may wait between the view and a reader.
const DEPTH: usize = 2;

type Item = Result<RecordBatch>;

/// The ends of the channels from a view's partitions to its readers.
pub(super) struct Fan {
    schema: SchemaRef,
    /// By partition, then by reader.
    senders: Vec<Vec<Sender<Item>>>,
    /// By reader, then by partition.
    receivers: Vec<Vec<Receiver<Item>>>,
}

impl Fan {
    /// Channels from `partitions` partitions to `readers` readers.
    pub(super) fn new(schema: SchemaRef, partitions: usize, readers: usize) -> Fan {
        let mut fan = Fan { schema, senders: vec![Vec::new(); partitions], receivers: Vec::new() };
        for _ in 0..readers {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..partitions).map(|_| channel(DEPTH)).unzip();
            fan.senders.iter_mut().zip(senders).for_each(|(all, sender)| all.push(sender));
            fan.receivers.push(receivers);
        }
        fan
    }

    /// The view as the next reader sees it: a table that can be read once.
    pub(super) fn table(&mut self) -> Result<Arc<dyn TableProvider>> {
        let receivers = self.receivers.pop().unwrap_or_default();
        let streams = receivers.into_iter().map(|receiver| {
            let receiver = Mutex::new(Some(receiver));
            Arc::new(Once { schema: self.schema.clone(), receiver }) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTable::try_new(self.schema.clone(), streams.collect())?))
    }

    /// The senders of each partition, to be given to [`pump`].
    pub(super) fn into_senders(self) -> Vec<Vec<Sender<Item>>> {
        self.senders
    }
}

/// Sends every batch of a partition to every reader that still listens; waits for the slowest.
pub(super) async fn pump(mut rows: SendableRecordBatchStream, mut readers: Vec<Sender<Item>>) {
    while let Some(item) = rows.next().await {
        let item = item.map_err(Arc::new);
        let mut listening = Vec::with_capacity(readers.len());
        for reader in readers {
            let copy = item.clone().map_err(DataFusionError::Shared);
            if reader.send(copy).await.is_ok() {
                listening.push(reader);
            }
        }
        readers = listening;
        if item.is_err() || readers.is_empty() {
            return;
        }
    }
}

/// One partition of a view, for one reader, once.
struct Once {
    schema: SchemaRef,
    receiver: Mutex<Option<Receiver<Item>>>,
}

impl std::fmt::Debug for Once {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), 1);
        let sender = builder.tx();
        builder.spawn(async move {
            let Some(mut receiver) = taken else {
                return Err(DataFusionError::Plan(
                    "a view may be read only once by each of its tables".into(),
                ));
            };
            while let Some(item) = receiver.recv().await {
                if sender.send(item).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}
