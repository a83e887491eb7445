//! The files of an export in a folder: one a table, or one a partition.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::partition;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::choose::Source;
use super::columns::plain;
use super::manifest::{ExportedFile, ExportedTable};
use super::rows::{Form, Output, RowWriter, unwritable};
use crate::config::ExportFormat;
use crate::error::{Error, Result, io_error};
use crate::run::{Event, Observer};

/// What stands for NULL in the name of a folder, since Hive.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// Writes the tables into a folder, one after the other, and says what was written.
pub(super) async fn write(
    folder: &Path,
    sources: Vec<Source>,
    format: ExportFormat,
    observer: &dyn Observer,
) -> Result<Vec<ExportedTable>> {
    let mut tables = Vec::new();
    for source in sources {
        let (clock, table) = (Instant::now(), source.name.clone());
        observer.event(Event::Started { table: table.clone() });
        let written = write_table(folder, source, format, observer).await?;
        let (rows, seconds) = (written.rows, clock.elapsed().as_secs_f64());
        observer.event(Event::Finished { table, rows, seconds });
        tables.push(written);
    }
    Ok(tables)
}

async fn write_table(
    folder: &Path,
    source: Source,
    format: ExportFormat,
    observer: &dyn Observer,
) -> Result<ExportedTable> {
    let (form, ending) = match format {
        ExportFormat::Csv => (Form::Csv, "csv"),
        ExportFormat::Json => (Form::JsonLines, "jsonl"),
        ExportFormat::Parquet => (Form::Parquet, "parquet"),
        ExportFormat::Xlsx => return Err(Error::internal("a workbook is no folder")),
    };
    let Source { name, frame, schema, mut table } = source;
    let mut pieces = Pieces::new(frame.execute_stream().await?, schema, &table.partition_by)?;
    let whole = format!("{}/{}", name.layer.as_str(), name.table);
    let mut piece = pieces.next().await?;
    // A table without rows is a file without rows, unless its folder would have no name.
    while piece.is_some() || (table.files.is_empty() && table.partition_by.is_empty()) {
        let path = match &piece {
            Some(piece) if !piece.folder.is_empty() => format!("{whole}/{}/part-0.{ending}", piece.folder),
            _ => format!("{whole}.{ending}"),
        };
        let file;
        (file, piece) = write_file(folder, path, form, piece, &mut pieces).await?;
        observer.event(Event::Wrote { table: name.clone(), rows: file.rows });
        table.rows += file.rows;
        table.files.push(file);
    }
    Ok(table)
}

/// Writes one file: the pieces of one folder, of which the first is given. Gives the first of the next.
async fn write_file(
    folder: &Path,
    path: String,
    form: Form,
    first: Option<Piece>,
    pieces: &mut Pieces,
) -> Result<(ExportedFile, Option<Piece>)> {
    let place = folder.join(&path);
    let failed = |e: std::io::Error| io_error("write", &place, &e);
    let mut file = Hashed::create(&place).map_err(failed)?;
    let mut out = Output::new(&mut file);
    let written = write_pieces(&mut out, form, first, pieces).await;
    let (rows, next) = out.finish(written, failed)?;
    let (bytes, sha256) = file.close().map_err(failed)?;
    Ok((ExportedFile { path, rows, bytes, sha256 }, next))
}

async fn write_pieces(
    out: impl Write + Send,
    form: Form,
    mut piece: Option<Piece>,
    pieces: &mut Pieces,
) -> Result<(u64, Option<Piece>)> {
    let folder = piece.as_ref().map(|piece| piece.folder.clone()).unwrap_or_default();
    let mut writer = RowWriter::new(form, &pieces.written, out)?;
    let mut rows = 0;
    while let Some(current) = piece.take_if(|piece| piece.folder == folder) {
        rows += current.rows.num_rows() as u64;
        writer.write(&current.rows)?;
        piece = pieces.next().await?;
    }
    writer.finish()?;
    Ok((rows, piece))
}

/// Rows that belong into one folder, whose name is empty where there is none.
struct Piece {
    folder: String,
    rows: RecordBatch,
}

/// Sorted rows, cut where the folder that they belong into changes.
struct Pieces {
    rows: SendableRecordBatchStream,
    /// The columns as they are written, those that become folders included.
    schema: SchemaRef,
    /// The columns that are written into files.
    written: SchemaRef,
    partition_by: Vec<usize>,
    kept: Vec<usize>,
    waiting: VecDeque<Piece>,
}

impl Pieces {
    fn new(rows: SendableRecordBatchStream, schema: SchemaRef, partition_by: &[String]) -> Result<Pieces> {
        let places = partition_by.iter().map(|name| schema.index_of(name));
        let partition_by = places.collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
        let kept: Vec<usize> = (0..schema.fields().len()).filter(|i| !partition_by.contains(i)).collect();
        let written = schema.project(&kept).map_err(unwritable)?.into();
        Ok(Pieces { rows, schema, written, partition_by, kept, waiting: VecDeque::new() })
    }

    async fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.waiting.pop_front() {
                return Ok(Some(piece));
            }
            let Some(batch) = self.rows.next().await.transpose()? else { return Ok(None) };
            let batch = plain(&batch, &self.schema).map_err(unwritable)?;
            self.cut(&batch).map_err(unwritable)?;
        }
    }

    fn cut(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if self.partition_by.is_empty() {
            self.waiting.push_back(Piece { folder: String::new(), rows: batch.clone() });
            return Ok(());
        }
        let columns: Vec<ArrayRef> = self.partition_by.iter().map(|i| batch.column(*i).clone()).collect();
        let options = FormatOptions::default().with_null(NULL_FOLDER);
        let texts = columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let rows = batch.project(&self.kept)?;
        for range in partition(&columns)?.ranges() {
            let parts = self.partition_by.iter().zip(&texts).map(|(column, text)| {
                let name = self.schema.field(*column).name();
                format!("{}={}", escaped(name), escaped(&text.value(range.start).to_string()))
            });
            let folder = parts.collect::<Vec<_>>().join("/");
            self.waiting.push_back(Piece { folder, rows: rows.slice(range.start, range.len()) });
        }
        Ok(())
    }
}

/// A text as part of a folder's name: what file systems and readers of paths take for something else is written
/// as `%` and two hexadecimal digits, which these readers undo.
fn escaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_control() || "\"#%'*/:<=>?\\[]^{|}".contains(c) {
            true => name += &format!("%{:02X}", u32::from(c)),
            false => name.push(c),
        }
    }
    name
}

/// A new file whose bytes are counted and hashed as they come.
struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    fn create(path: &Path) -> std::io::Result<Hashed> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(Hashed { file, hash: Sha256::new(), bytes: 0 })
    }

    /// Hands the bytes to the disk and gives their number and hash.
    fn close(self) -> std::io::Result<(u64, String)> {
        self.file.sync_all()?;
        Ok((self.bytes, self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    //! Proves where rows are cut, what folders are called, and that a file is what its hash says.

    use std::sync::Arc;

    use datafusion::arrow::array::{AsArray, Int32Array, StringArray};
    use datafusion::arrow::datatypes::Int32Type;
    use datafusion::error::DataFusionError;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    #[tokio::test]
    async fn rows_are_cut_where_the_folder_changes() {
        let batch = |countries: Vec<Option<&str>>, numbers: Vec<i32>| {
            RecordBatch::try_from_iter_with_nullable([
                ("country", Arc::new(StringArray::from(countries)) as ArrayRef, true),
                ("n", Arc::new(Int32Array::from(numbers)) as ArrayRef, true),
            ])
            .unwrap()
        };
        let batches = vec![
            batch(vec![Some("Côte d'Ivoire"), Some("France")], vec![1, 2]),
            batch(vec![Some("France"), None], vec![3, 4]),
        ];
        let schema = batches[0].schema();
        let rows = futures::stream::iter(batches.into_iter().map(Ok::<_, DataFusionError>));
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema.clone(), rows));
        let mut pieces = Pieces::new(rows, schema, &["country".into()]).unwrap();
        assert_eq!(pieces.written.fields().len(), 1);
        let mut cut = Vec::new();
        while let Some(Piece { folder, rows }) = pieces.next().await.unwrap() {
            cut.push((folder, rows.column(0).as_primitive::<Int32Type>().values().to_vec()));
        }
        let expected = [
            ("country=Côte d%27Ivoire", vec![1]),
            ("country=France", vec![2]),
            ("country=France", vec![3]),
            ("country=__HIVE_DEFAULT_PARTITION__", vec![4]),
        ];
        assert_eq!(cut, expected.map(|(folder, numbers)| (folder.to_string(), numbers)));
    }

    #[test]
    fn a_name_is_one_folder_whatever_is_in_it() {
        assert_eq!(escaped("United Kingdom"), "United Kingdom");
        assert_eq!(escaped("../a=b\n"), "..%2Fa%3Db%0A");
    }

    #[test]
    fn a_file_is_hashed_as_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.csv");
        let mut file = Hashed::create(&path).unwrap();
        file.write_all(b"abc").unwrap();
        let (bytes, sha256) = file.close().unwrap();
        assert_eq!(bytes, 3);
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(Hashed::create(&path).is_err());
    }
}
