//! Columns as every reader understands them: plain types, and texts where a reader knows no lists.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;

use crate::engine::json_texts;

/// What becomes of lists, maps and structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nested {
    /// They stay what they are.
    Kept,
    /// They are JSON texts: Tableau and Alteryx read no others in Parquet files
    /// (<https://github.com/tableau/hyper-api-samples/issues/102>).
    AsText,
}

/// The schema with plain types: no views, no dictionaries, instants in microseconds.
pub(super) fn plain_schema(schema: &Schema, nested: Nested) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match nested {
        Nested::AsText if field.data_type().is_nested() => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8))
        }
        _ => plain_field(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of a batch under the plain schema of its own.
pub(super) fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let own = batch.schema();
    let columns = own.fields().iter().zip(batch.columns()).zip(schema.fields());
    let columns = columns.map(|((from, column), to)| {
        match from.data_type().is_nested() && !to.data_type().is_nested() {
            true => json_texts(from, column),
            false => cast(column, to.data_type()),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<Vec<_>, _>>()?)
}

/// The batch with its lists, maps and structs as JSON texts, which a cell of a text file can hold.
pub(super) fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    if !schema.fields().iter().any(|field| field.data_type().is_nested()) {
        return Ok(batch.clone());
    }
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column = if field.data_type().is_nested() { json_texts(field, column)? } else { column.clone() };
        Ok((field.name(), column, true))
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(plain_type(field.data_type())))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::Timestamp(_, Some(_)) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::List(element) | DataType::LargeList(element) => DataType::List(plain_field(element)),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    //! Proves what types and values become.

    use datafusion::arrow::array::{
        ArrayRef, AsArray, Int32Array, ListArray, StringViewArray, TimestampNanosecondArray,
    };
    use datafusion::arrow::datatypes::{Field, Int32Type, TimestampMicrosecondType};

    use super::*;

    #[test]
    fn every_reader_finds_plain_types() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
        let instants = TimestampNanosecondArray::from(vec![1_000_001_999, 0]).with_timezone("+01:00");
        let batch = RecordBatch::try_from_iter([
            ("text", Arc::new(StringViewArray::from(vec!["a", "b"])) as ArrayRef),
            ("list", Arc::new(list) as ArrayRef),
            ("at", Arc::new(instants) as ArrayRef),
            ("n", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        ])
        .unwrap();
        let schema = plain_schema(&batch.schema(), Nested::AsText);
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let types: Vec<&DataType> = schema.fields().iter().map(|field| field.data_type()).collect();
        assert_eq!(types, [&DataType::Utf8, &DataType::Utf8, &utc, &DataType::Int32]);
        let plain = plain(&batch, &schema).unwrap();
        let texts: Vec<Option<&str>> = plain.column(1).as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("[1,null]"), None]);
        assert_eq!(plain.column(2).as_primitive::<TimestampMicrosecondType>().value(0), 1_000_001);
        let kept = plain_schema(&batch.schema(), Nested::Kept);
        assert!(matches!(kept.field(1).data_type(), DataType::List(_)));
    }

    #[test]
    fn descriptions_stay_with_their_columns() {
        let comment = [("comment".to_string(), "What it holds.".to_string())];
        let field = Field::new("a", DataType::Utf8View, false).with_metadata(comment.into());
        let schema = plain_schema(&Schema::new(vec![field]), Nested::AsText);
        assert_eq!(schema.field(0).metadata()["comment"], "What it holds.");
        assert!(!schema.field(0).is_nullable());
    }
}
