//! Rows on their way to a client: in types that every client knows, in messages that every client takes.

use std::sync::Arc;

use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use datafusion::arrow::array::{Array, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::Status;

/// What comes back from a request, message by message.
pub type Answer<T> = BoxStream<'static, Result<T, Status>>;

/// The bytes of rows that a message holds, about. Clients of gRPC take four megabytes unless they are told otherwise.
/// What the engine makes at once, some thousand rows, is mostly smaller and goes as it is: gathering it into larger
/// messages would copy it, and keep the first rows waiting.
const MESSAGE: usize = 2 << 20;

/// The columns of an answer as clients are told of them: types that all of them know. Each column may hold NULL: what
/// the engine concludes about that is none of a client's business, and a wrong conclusion would stop a right answer.
pub fn told(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| Field::new(field.name(), plain(field.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The type that stands for another: text and binary as columns of their own, nothing behind keys.
pub fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain(values),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            DataType::List(plain_field(item))
        }
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        DataType::Map(entries, is_sorted) => DataType::Map(plain_field(entries), *is_sorted),
        other => other.clone(),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), plain(field.data_type()), field.is_nullable()))
}

/// Rows in the types that a client was told of.
pub fn as_told(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &options)
}

/// Sends rows as they come; the next ones are made when the client has taken these. The columns go first, so that a
/// client knows them where there are no rows. Nothing is compressed: most clients are near, and none has to ask for it.
pub fn send(
    rows: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
    schema: SchemaRef,
) -> Answer<FlightData> {
    let messages = rows.map_ok(|batch| stream::iter(parts(batch).map(Ok::<_, FlightError>))).try_flatten();
    // They are small enough: the encoder would judge them by the memory behind them, which others may share.
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema).with_max_flight_data_size(usize::MAX);
    encoder.build(messages).map_err(Status::from).boxed()
}

/// Sends rows that are there.
pub fn send_one(batch: RecordBatch) -> Answer<FlightData> {
    let schema = batch.schema();
    send(stream::iter([Ok(batch)]), schema)
}

/// The rows of a batch in parts that a message can hold.
fn parts(batch: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let bytes = batch.columns().iter().map(|column| {
        let data = column.to_data();
        data.get_slice_memory_size().unwrap_or_else(|_| data.get_array_memory_size())
    });
    let (bytes, rows) = (bytes.sum::<usize>().max(1), batch.num_rows());
    let most = (rows.saturating_mul(MESSAGE) / bytes).max(1);
    (0..rows).step_by(most).map(move |first| batch.slice(first, most.min(rows - first)))
}

#[cfg(test)]
mod tests {
    //! Proves in which types and parts rows go out.

    use datafusion::arrow::array::{ArrayRef, Int64Array, StringViewArray};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn views_and_dictionaries_go_out_as_plain_columns() {
        let item = Arc::new(Field::new("element", DataType::Utf8View, false));
        let coded = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8View));
        assert_eq!(plain(&coded), DataType::Utf8);
        let plain_item = Arc::new(Field::new("element", DataType::Utf8, false));
        assert_eq!(plain(&DataType::List(item)), DataType::List(plain_item));
        let texts: ArrayRef =
            Arc::new(StringViewArray::from(vec![Some("a text beyond twelve letters"), None]));
        let batch = batch(vec![("t", texts.clone())]);
        let schema = told(&batch.schema());
        let out = as_told(&batch, &schema).unwrap();
        assert_eq!(out.schema(), schema);
        assert_eq!(&cast(out.column(0), &DataType::Utf8View).unwrap(), &texts);
    }

    #[test]
    fn a_message_holds_the_rows_that_fit_into_it_and_none_is_lost() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000_000));
        let whole = batch(vec![("n", numbers)]);
        let rows = |batch: RecordBatch| parts(batch).map(|part| part.num_rows()).collect::<Vec<_>>();
        assert_eq!(rows(whole.clone()), [262_144, 262_144, 262_144, 213_568]);
        // A slice is as large as its rows, however much memory lies behind it.
        assert_eq!(rows(whole.slice(10, 1_000)), [1_000]);
        assert_eq!(rows(whole.slice(0, 0)), [0_usize; 0]);
    }
}
