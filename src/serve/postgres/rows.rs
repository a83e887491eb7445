//! Rows in PostgreSQL's form, as text or binary. What has no such form is made something that has, here alone.

use std::pin::Pin;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion_postgres::arrow_pg::datatypes::{PG_OID_ALIAS_KEY, arrow_schema_to_pg_fields};
use datafusion_postgres::arrow_pg::encoder::{Encoder, encode_value};
use datafusion_postgres::pgwire::api::portal::Format;
use datafusion_postgres::pgwire::api::results::{DataRowEncoder, FieldInfo, QueryResponse};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::data::DataRow;
use datafusion_postgres::pgwire::types::format::FormatOptions;
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::errors;
use crate::engine::json_texts;

/// Rows on their way, some thousand at once.
pub(super) type Batches = Pin<Box<dyn Stream<Item = PgWireResult<RecordBatch>> + Send>>;

/// The answer to a query whose rows have these columns.
pub(super) fn response(
    batches: Batches,
    schema: &Schema,
    format: &Format,
    options: Arc<FormatOptions>,
) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(fields(schema, format, options)?);
    let shown = Arc::new(shown(schema));
    let told = fields.clone();
    let rows = batches
        .map(move |batch| -> PgWireResult<_> {
            Ok(stream::iter(Rows::new(&batch?, shown.clone(), told.clone())?))
        })
        .try_flatten();
    Ok(QueryResponse::new(fields, rows))
}

/// The columns as they are described.
pub(super) fn fields(
    schema: &Schema,
    format: &Format,
    options: Arc<FormatOptions>,
) -> PgWireResult<Vec<FieldInfo>> {
    if let Format::Individual(codes) = format
        && codes.len() < schema.fields().len()
    {
        let (codes, columns) = (codes.len(), schema.fields().len());
        return Err(errors::coded("ERROR", "08P01", format!("{codes} formats for {columns} columns")));
    }
    let shown = shown(schema);
    let fields = arrow_schema_to_pg_fields(&shown, format, Some(options))?;
    let modified = |(field, told): (&FieldRef, FieldInfo)| match field.data_type() {
        // Precision and scale, packed as PostgreSQL does.
        DataType::Decimal128(precision, scale) => {
            told.with_type_modifier(((i32::from(*precision) << 16) | i32::from(*scale)) + 4)
        }
        _ => told,
    };
    Ok(shown.fields().iter().zip(fields).map(modified).collect())
}

/// The columns as they are shown: each of a type that has a form. What is no number is no object id, though a cast keeps
/// what was said of its argument.
fn shown(schema: &Schema) -> Schema {
    let shown = |field: &FieldRef| -> FieldRef {
        let data_type = form(field.data_type()).unwrap_or_else(|| field.data_type().clone());
        let mut metadata = field.metadata().clone();
        if data_type != DataType::Int32 {
            metadata.remove(PG_OID_ALIAS_KEY);
        }
        Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata))
    };
    Schema::new(schema.fields().iter().map(shown).collect::<Vec<_>>())
}

/// The type in whose form values of a type are shown; none for their own.
fn form(data_type: &DataType) -> Option<DataType> {
    use DataType as T;
    match data_type {
        T::Null => Some(T::Utf8),
        T::Int8 => Some(T::Int16),
        T::Float16 => Some(T::Float32),
        T::FixedSizeBinary(_) => Some(T::Binary),
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) => {
            Some(T::Decimal128(*precision, *scale))
        }
        T::Decimal256(_, scale) => Some(T::Decimal128(38, *scale)),
        T::Dictionary(_, values) => Some(form(values).unwrap_or_else(|| values.as_ref().clone())),
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => {
            let is_plain = !item.data_type().is_nested()
                && !matches!(item.data_type(), T::Dictionary(..) | T::RunEndEncoded(..));
            let item_form = form(item.data_type());
            match (is_plain, item_form) {
                (true, None) => None,
                (true, Some(form)) => Some(T::List(Arc::new(Field::new_list_field(form, true)))),
                // Lists of lists and the like: as JSON text.
                (false, _) => Some(T::Utf8),
            }
        }
        nested if nested.is_nested() => Some(T::Utf8),
        T::RunEndEncoded(_, values) => {
            Some(form(values.data_type()).unwrap_or_else(|| values.data_type().clone()))
        }
        _ => None,
    }
}

/// A column as it is shown.
fn column(column: &ArrayRef, field: &FieldRef, shown: &DataType) -> Result<ArrayRef, ArrowError> {
    let is_same = column.data_type() == shown;
    let is_json = column.data_type().is_nested() && *shown == DataType::Utf8;
    match (is_same, is_json) {
        (true, _) => Ok(column.clone()),
        (_, true) => {
            json_texts(&Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone())), column)
        }
        // A value that has no place in its form is an error, and no NULL.
        _ => cast_with_options(column, shown, &CastOptions { safe: false, ..CastOptions::default() }),
    }
}

/// The rows of one batch, encoded one after the other.
struct Rows {
    columns: Vec<ArrayRef>,
    schema: Arc<Schema>,
    fields: Arc<Vec<FieldInfo>>,
    encoder: DataRowEncoder,
    rows: usize,
    next: usize,
}

impl Rows {
    fn new(batch: &RecordBatch, schema: Arc<Schema>, fields: Arc<Vec<FieldInfo>>) -> PgWireResult<Rows> {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns
            .map(|(values, field)| column(values, field, field.data_type()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| errors::coded("ERROR", "22000", error.to_string()))?;
        let encoder = DataRowEncoder::new(fields.clone());
        Ok(Rows { columns, schema, fields, encoder, rows: batch.num_rows(), next: 0 })
    }

    fn row(&mut self) -> PgWireResult<DataRow> {
        for (column, (field, told)) in
            self.columns.iter().zip(self.schema.fields().iter().zip(self.fields.iter()))
        {
            if column.is_null(self.next) {
                Encoder::encode_field(&mut self.encoder, &None::<&str>, told)?;
            } else {
                encode_value(&mut self.encoder, column, self.next, field, told)?;
            }
        }
        self.next += 1;
        Ok(self.encoder.take_row())
    }
}

impl Iterator for Rows {
    type Item = Result<DataRow, PgWireError>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.next < self.rows).then(|| self.row())
    }
}

#[cfg(test)]
mod tests {
    //! Proves that every type that tables have is shown, and how.

    use datafusion::arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int8Array, Int64Array, Int64Builder,
        IntervalMonthDayNanoArray, ListArray, MapBuilder, StringArray, StringBuilder,
        TimestampMicrosecondArray, UInt64Array,
    };
    use datafusion::arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    /// The texts of the columns of the rows, NULL as none.
    async fn texts(columns: Vec<ArrayRef>) -> Vec<Vec<Option<String>>> {
        let names = (0..columns.len()).map(|at| format!("c{at}"));
        let named = names.zip(columns).map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
        let schema = batch.schema();
        let batches: Batches = stream::iter([Ok(batch)]).boxed();
        let mut response =
            response(batches, &schema, &Format::UnifiedText, Arc::new(FormatOptions::default())).unwrap();
        let rows: Vec<DataRow> = response.data_rows().map(Result::unwrap).collect().await;
        rows.iter().map(fields_of).collect()
    }

    fn fields_of(row: &DataRow) -> Vec<Option<String>> {
        let (mut rest, mut fields) = (&row.data[..], Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            rest = after;
            fields.push(usize::try_from(i32::from_be_bytes(*length)).ok().map(|length| {
                let (text, after) = rest.split_at(length);
                rest = after;
                String::from_utf8(text.to_vec()).unwrap()
            }));
        }
        fields
    }

    #[tokio::test]
    async fn plain_values_look_as_in_postgresql() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
            Arc::new(Int8Array::from(vec![Some(-3), None])),
            Arc::new(
                Decimal128Array::from(vec![Some(-1_234_500), None]).with_precision_and_scale(18, 4).unwrap(),
            ),
            Arc::new(BooleanArray::from(vec![Some(true), None])),
            Arc::new(Date32Array::from(vec![Some(19_723), None])),
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_704_067_200_500_000), None]).with_timezone("UTC"),
            ),
            Arc::new([Some("a"), None].into_iter().collect::<DictionaryArray<Int32Type>>()),
            Arc::new(IntervalMonthDayNanoArray::from(vec![None, None])),
        ];
        let rows = texts(columns).await;
        let shown: Vec<&str> = rows[0].iter().map(|text| text.as_deref().unwrap_or("NULL")).collect();
        assert_eq!(shown[..5], ["18446744073709551615", "-3", "-123.4500", "t", "2024-01-01"]);
        assert!(shown[5].starts_with("2024-01-01 00:00:00.5") && shown[5].contains("+00"), "{}", shown[5]);
        assert_eq!(shown[6..], ["a", "NULL"]);
        assert!(rows[1].iter().all(Option::is_none), "{:?}", rows[1]);
    }

    #[tokio::test]
    async fn nested_values_are_arrays_or_json() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
        let lists = ListArray::new(
            Arc::new(Field::new_list_field(list.data_type().clone(), true)),
            datafusion::arrow::buffer::OffsetBuffer::from_lengths([1, 1]),
            Arc::new(list.clone()),
            None,
        );
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        map.keys().append_value("a");
        map.values().append_value(1);
        map.append(true).unwrap();
        map.append(false).unwrap();
        let texts_of = StringArray::from(vec![Some("x"), None]);
        let rows = texts(vec![
            Arc::new(list),
            Arc::new(lists),
            Arc::new(map.finish()),
            Arc::new(texts_of),
            Arc::new(Int64Array::from(vec![1, 2])),
        ])
        .await;
        assert_eq!(rows[0][0].as_deref(), Some("{1,NULL}"));
        assert_eq!(rows[0][1].as_deref(), Some("[[1,null]]"));
        assert_eq!(rows[0][2].as_deref(), Some("{\"a\":1}"));
        assert_eq!((rows[1][0].as_deref(), rows[1][2].as_deref()), (None, None));
    }

    #[test]
    fn a_decimal_is_described_with_its_scale() {
        let schema = Schema::new(vec![Field::new("m", DataType::Decimal128(18, 4), true)]);
        let options = Arc::new(FormatOptions::default());
        let fields = fields(&schema, &Format::UnifiedBinary, options.clone()).unwrap();
        assert_eq!(fields[0].type_modifier(), ((18 << 16) | 4) + 4);
        assert!(super::fields(&schema, &Format::Individual(vec![]), options).is_err());
    }
}
