//! Columns in and out: the columns of a query by name and type, and rows of several kinds in one batch.

use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringViewArray, new_null_array,
};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int64Type, Schema, SchemaRef,
};

use crate::error::{Error, Result};

/// The column that says what kind of row a row is.
const PART: &str = "part";

/// The columns of a query.
pub(super) struct Columns<'a>(pub(super) &'a RecordBatch);

impl Columns<'_> {
    fn column(&self, name: &str, data_type: &DataType) -> Result<ArrayRef> {
        let column = self.0.column_by_name(name).and_then(|column| cast(column, data_type).ok());
        column.ok_or_else(|| Error::internal(format!("there is no column `{name}` to learn from")))
    }

    pub(super) fn texts(&self, name: &str) -> Result<StringViewArray> {
        Ok(self.column(name, &DataType::Utf8View)?.as_string_view().clone())
    }

    pub(super) fn integers(&self, name: &str) -> Result<Int64Array> {
        Ok(self.column(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    pub(super) fn numbers(&self, name: &str) -> Result<Float64Array> {
        Ok(self.column(name, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
    }

    /// Amounts in ten-thousandths.
    pub(super) fn amounts(&self, name: &str) -> Result<Decimal128Array> {
        Ok(self.column(name, &DataType::Decimal128(28, 4))?.as_primitive::<Decimal128Type>().clone())
    }

    /// Days since 1970-01-01.
    pub(super) fn dates(&self, name: &str) -> Result<Date32Array> {
        Ok(self.column(name, &DataType::Date32)?.as_primitive::<Date32Type>().clone())
    }

    pub(super) fn flags(&self, name: &str) -> Result<BooleanArray> {
        Ok(self.column(name, &DataType::Boolean)?.as_boolean().clone())
    }
}

/// The date that lies so many days after 1970-01-01.
pub(super) fn date(day: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::days(i64::from(day)))
}

/// Columns of which any may be NULL.
pub(super) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The columns of rows of several kinds: which kind a row is, then every column that some kind has.
pub(super) fn schema_of_parts(columns: &[(&str, DataType)]) -> SchemaRef {
    schema(&[&[(PART, DataType::Utf8View)], columns].concat())
}

/// The rows of one kind: a column that it does not have is NULL.
pub(super) fn part(
    schema: &SchemaRef,
    name: &str,
    rows: usize,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<RecordBatch> {
    let kind: ArrayRef = Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(name, rows)));
    let given = |field: &Field| {
        let column = columns.iter().find(|(name, _)| name == field.name());
        column.map_or_else(|| new_null_array(field.data_type(), rows), |(_, column)| column.clone())
    };
    let all =
        schema.fields().iter().map(|field| if field.name() == PART { kind.clone() } else { given(field) });
    RecordBatch::try_new(schema.clone(), all.collect()).map_err(|e| Error::internal(e.to_string()))
}

/// A column of texts.
pub(super) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(values))
}

/// The rows of all kinds.
pub(super) fn parts(schema: &SchemaRef, parts: &[RecordBatch]) -> Result<RecordBatch> {
    concat_batches(schema, parts).map_err(|e| Error::internal(e.to_string()))
}
