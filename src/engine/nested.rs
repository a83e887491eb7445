//! Lists, maps and structs as JSON texts, for what can only hold plain values.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::EncoderOptions;
use datafusion::arrow::json::writer::make_encoder;

/// The values of a column as JSON texts; NULL stays NULL.
pub fn json_texts(field: &FieldRef, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut texts: Vec<Option<String>> = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        let mut text = Vec::new();
        if !encoder.is_null(row) {
            encoder.encode(row, &mut text);
        }
        texts.push((!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned()));
    }
    Ok(Arc::new(StringArray::from(texts)))
}
