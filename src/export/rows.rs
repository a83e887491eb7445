//! Rows as bytes, as they come: CSV, JSON and Parquet into anything that can be written.

use std::io::{BufWriter, ErrorKind, Write};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::{ArrayWriter, LineDelimitedWriter, WriterBuilder};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::{WriterProperties, WriterVersion};
use futures::StreamExt;

use super::columns::{Nested, flat, plain, plain_schema};
use crate::error::{Error, Result};

/// Rows of a row group: readers take one group a thread.
const ROW_GROUP_ROWS: usize = 122_880;

/// How rows become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A header line, then a line a row; lists, maps and structs are JSON. Values stay as they are: a text that
    /// begins with `=` is not changed.
    Csv,
    /// One array of objects, each with every column.
    JsonArray,
    /// An object a line, each with every column.
    JsonLines,
    /// A Parquet file of plain types, compressed with Snappy.
    Parquet,
}

/// Writes rows as they come and gives their number.
pub async fn write_rows(
    mut rows: SendableRecordBatchStream,
    form: Form,
    out: impl Write + Send,
) -> Result<u64> {
    let mut writer = RowWriter::new(form, &rows.schema(), out)?;
    let mut written = 0;
    while let Some(batch) = rows.next().await.transpose()? {
        written += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok(written)
}

/// What writes rows in one form.
pub(super) enum RowWriter<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    JsonArray(ArrayWriter<W>),
    JsonLines(LineDelimitedWriter<W>),
    Parquet(Box<ArrowWriter<W>>, SchemaRef),
}

impl<W: Write + Send> RowWriter<W> {
    /// Begins to write rows of a schema.
    pub(super) fn new(form: Form, schema: &SchemaRef, out: W) -> Result<Self> {
        let with_nulls = || WriterBuilder::new().with_explicit_nulls(true);
        Ok(match form {
            Form::Csv => {
                let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
                // The header, which an answer without rows has too.
                let none = flat(&RecordBatch::new_empty(schema.clone())).map_err(unwritable)?;
                writer.write(&none).map_err(unwritable)?;
                RowWriter::Csv(Box::new(writer))
            }
            Form::JsonArray => RowWriter::JsonArray(with_nulls().build(out)),
            Form::JsonLines => RowWriter::JsonLines(with_nulls().build(out)),
            Form::Parquet => {
                let schema = plain_schema(schema, Nested::Kept);
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties()));
                RowWriter::Parquet(Box::new(writer.map_err(unwritable)?), schema)
            }
        })
    }

    /// Writes the rows of a batch.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            RowWriter::Csv(writer) => flat(batch).and_then(|batch| writer.write(&batch)).map_err(unwritable),
            RowWriter::JsonArray(writer) => writer.write(batch).map_err(unwritable),
            RowWriter::JsonLines(writer) => writer.write(batch).map_err(unwritable),
            RowWriter::Parquet(writer, schema) => {
                let batch = plain(batch, schema).map_err(unwritable)?;
                writer.write(&batch).map_err(unwritable)
            }
        }
    }

    /// Writes what stands at the end.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            // Each batch was flushed.
            RowWriter::Csv(_) => Ok(()),
            RowWriter::JsonArray(mut writer) => {
                writer.finish().map_err(unwritable)?;
                writer.into_inner().write_all(b"\n").map_err(unwritable)
            }
            RowWriter::JsonLines(mut writer) => writer.finish().map_err(unwritable),
            RowWriter::Parquet(writer, _) => writer.close().map(|_| ()).map_err(unwritable),
        }
    }
}

/// What Excel, Power BI, Tableau and Alteryx read: Alteryx does not know Zstandard, gateways of Power BI not the
/// encodings of the second version (<https://github.com/pola-rs/polars/issues/18819>).
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(format!("lake {}", env!("CARGO_PKG_VERSION")))
        .build()
}

/// An error of a form's writer that is not the output's.
pub(super) fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the rows cannot be written in this format: {error}"))
}

/// An output that remembers why it failed: the writers of rows tell it as their own errors.
pub struct Output<W: Write> {
    inner: BufWriter<W>,
    failed: Option<ErrorKind>,
}

impl<W: Write> Output<W> {
    /// The output, behind a buffer.
    pub fn new(out: W) -> Self {
        Output { inner: BufWriter::new(out), failed: None }
    }

    /// Ends the writing. Gives what was `written`, unless the output failed: `told` says how.
    pub fn finish<T>(mut self, written: Result<T>, told: impl Fn(std::io::Error) -> Error) -> Result<T> {
        let flushed = self.flush();
        match self.failed {
            Some(kind) => Err(told(kind.into())),
            None => flushed.map_err(told).and(written),
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.inner.write(bytes).inspect_err(|e| self.failed = Some(e.kind()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush().inspect_err(|e| self.failed = Some(e.kind()))
    }
}

#[cfg(test)]
mod tests {
    //! Proves the bytes of each form, of an answer without rows, and which of two failures is told.

    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Int32Array, StringViewArray};

    use super::*;

    fn written(form: Form, rows: usize) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("a", Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef, true),
            ("b", Arc::new(StringViewArray::from(vec!["=1+1", "x,y"])) as ArrayRef, true),
        ])
        .unwrap();
        let mut out = Vec::new();
        let mut writer = RowWriter::new(form, &batch.schema(), &mut out).unwrap();
        writer.write(&batch.slice(0, rows)).unwrap();
        writer.finish().unwrap();
        out
    }

    #[test]
    fn each_form_has_its_bytes() {
        let text = |form, rows| String::from_utf8(written(form, rows)).unwrap();
        assert_eq!(text(Form::Csv, 2), "a,b\n1,=1+1\n,\"x,y\"\n");
        assert_eq!(text(Form::JsonLines, 2), "{\"a\":1,\"b\":\"=1+1\"}\n{\"a\":null,\"b\":\"x,y\"}\n");
        assert_eq!(text(Form::JsonArray, 1), "[{\"a\":1,\"b\":\"=1+1\"}]\n");
        assert_eq!(
            [Form::Csv, Form::JsonLines, Form::JsonArray].map(|form| text(form, 0)),
            ["a,b\n", "", "[]\n"]
        );
        assert_eq!(&written(Form::Parquet, 0)[..4], b"PAR1");
    }

    /// An output that takes nothing.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_failure_of_the_output_comes_before_what_a_writer_makes_of_it() {
        let told = |e: std::io::Error| Error::unavailable(format!("{:?}", e.kind()));
        let out = Output::new(Full);
        let error = out.finish::<()>(Err(Error::invalid("a writer's own words")), told).unwrap_err();
        assert_eq!(error.message(), "a writer's own words");
        let mut out = Output::new(Full);
        out.write_all(b"in the buffer").unwrap();
        assert_eq!(out.finish(Ok(1), told).unwrap_err().message(), "StorageFull");
    }
}
