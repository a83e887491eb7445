//! Mappings as tables: a CSV file with a header, small enough to hold.

use std::io::Cursor;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::csv::ReaderBuilder;
use datafusion::arrow::csv::reader::Format;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use crate::error::{Error, Result};
use crate::project::Mapping;

/// The table a mapping is: columns of integers are BIGINT, all others text; an empty field is NULL.
pub fn mapping_table(mapping: &Mapping) -> Result<Arc<dyn TableProvider>> {
    let wrong = |e: datafusion::arrow::error::ArrowError| {
        Error::invalid(format!("mapping `{}` cannot be read", mapping.name))
            .detail(format!("in {}: {e}", mapping.path.display()))
            .hint("each line needs as many fields as the header has names; quote a field that holds a comma")
    };
    let (header, _) = Format::default()
        .with_header(true)
        .infer_schema(Cursor::new(&mapping.text), Some(0))
        .map_err(wrong)?;
    let texts: Vec<Field> =
        header.fields().iter().map(|f| Field::new(f.name(), DataType::Utf8View, true)).collect();
    let reader = ReaderBuilder::new(Arc::new(Schema::new(texts)))
        .with_header(true)
        .build(Cursor::new(&mapping.text))
        .map_err(wrong)?;
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let Some(first) = batches.first() else {
        return Err(Error::invalid(format!("mapping `{}` has no rows", mapping.name))
            .detail(format!("in {}", mapping.path.display())));
    };
    let rows = datafusion::arrow::compute::concat_batches(&first.schema(), &batches).map_err(wrong)?;
    let texts = rows.schema();
    let typed = texts.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let column = as_integers(column).unwrap_or_else(|| column.clone());
        (field.name().clone(), column, true)
    });
    let rows = RecordBatch::try_from_iter_with_nullable(typed).map_err(wrong)?;
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}

/// The column as BIGINT, if every value that is there is one.
fn as_integers(column: &ArrayRef) -> Option<ArrayRef> {
    let options = CastOptions { safe: false, ..Default::default() };
    let any = column.null_count() < column.len();
    cast_with_options(column, &DataType::Int64, &options).ok().filter(|_| any)
}
