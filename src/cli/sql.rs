//! `lake sql`: one question to the published tables.

use std::io::{BufWriter, ErrorKind, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::make_encoder;
use datafusion::arrow::json::{self, EncoderOptions};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::parquet::arrow::ArrowWriter;
use futures::StreamExt;
use lake::error::{Error, Result, io_error};
use lake::run::{Lake, place};

use super::output::OutputFile;
use super::{names, print};

/// How many rows a table on the screen shows.
const SHOWN: usize = 1_000;

/// Ask the published tables a question in SQL.
///
/// Tables are named layer.table, as in gold.daily_sales. Nothing can be changed. `show tables` lists them,
/// `describe gold.rfm` shows the columns of one.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake sql 'select * from gold.country_sales order by revenue_rank limit 5'
  lake sql --file sql/analyses/best_days.sql
  lake sql 'select * from gold.rfm' --format csv --output rfm.csv
  lake sql 'select * from gold.rfm' --as-of 2026-01-31
  lake sql 'select * from gold.rfm version as of 3'
  echo 'show tables' | lake sql -")]
#[command(group(clap::ArgGroup::new("question").required(true).args(["query", "file"])))]
pub struct SqlArgs {
    /// The query; `-` reads it from standard input
    #[arg(value_name = "QUERY")]
    pub query: Option<String>,
    /// Ask the lake as readers saw it then: a run's id or the beginning of it, a day, or an instant
    #[arg(long, value_name = "RUN|DATE", value_parser = names::publication)]
    pub as_of: Option<String>,
    /// A file that holds the query
    #[arg(long, value_name = "F")]
    pub file: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Where the answer goes instead of standard output; a file is written whole or not at all
    #[arg(long, value_name = "F")]
    pub output: Option<PathBuf>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Ruled, for people
    Table,
    /// With a header line; lists and maps as JSON
    Csv,
    /// An array of objects, each with every column
    Json,
    /// A Parquet file
    Parquet,
}

/// Answers the question.
pub async fn sql(lake: Lake, args: SqlArgs) -> Result<()> {
    if args.format == Format::Parquet && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Error::invalid("a Parquet file cannot be shown on a terminal")
            .hint("name a file for it with `--output F`"));
    }
    let query = question(&args)?;
    let frame =
        lake.ask(&query, args.as_of.as_deref()).await.map_err(|e| explain(&lake, &args, &query, e))?;
    let rows = frame.execute_stream().await.map_err(|e| explain(&lake, &args, &query, e.into()))?;
    match &args.output {
        None => write(rows, args.format, std::io::stdout()).await.map(|_| ()),
        Some(path) => {
            let mut output = OutputFile::open(path)?;
            let written = print::counted(write(rows, args.format, output.file()).await?, "row", "rows");
            match output.close()? {
                true => print::line(format!("{written} written to {}", path.display())),
                // It may be standard output by another name.
                false => Ok(()),
            }
        }
    }
}

fn question(args: &SqlArgs) -> Result<String> {
    match (&args.query, &args.file) {
        (_, Some(path)) => std::fs::read_to_string(path).map_err(|e| io_error("read", path, &e)),
        (Some(query), None) if query == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Error::unavailable(format!("cannot read the query from standard input: {e}")))?;
            Ok(text)
        }
        (query, None) => Ok(query.clone().unwrap_or_default()),
    }
}

/// An unknown table is told the nearest one, or what its name means elsewhere.
fn explain(lake: &Lake, args: &SqlArgs, query: &str, error: Error) -> Error {
    let message = error.message().to_string();
    let unknown = message.split_once("table '").and_then(|(_, rest)| rest.split_once("' not found"));
    match unknown {
        Some((name, _)) => names::unknown_table(&lake.project, name.strip_prefix("lake.").unwrap_or(name)),
        None if ["DDL", "DML", "statement"]
            .iter()
            .any(|kind| message.starts_with(&format!("{kind} not supported"))) =>
        {
            Error::invalid("`lake sql` only reads, and this statement would change something")
                .hint("tables are made by the jobs in sql/ and `lake run`")
        }
        None => match &args.file {
            Some(path) => place(error, path, query),
            None => error,
        },
    }
}

/// Writes the rows of an answer as they come and gives their number.
async fn write(rows: SendableRecordBatchStream, format: Format, out: impl Write + Send) -> Result<u64> {
    let mut out = Output { inner: BufWriter::new(out), failed: None };
    let written = match format {
        Format::Table => show(rows, &mut out).await,
        Format::Csv => write_csv(rows, &mut out).await,
        Format::Json => write_json(rows, &mut out).await,
        Format::Parquet => write_parquet(rows, &mut out).await,
    };
    let flushed = out.flush();
    match (out.failed, written) {
        (Some(kind), _) => Err(print::output_error(kind.into())),
        (None, written) => flushed.map_err(print::output_error).and(written),
    }
}

/// An output that remembers why it failed: the formats' writers tell it as their own errors.
struct Output<W: Write> {
    inner: BufWriter<W>,
    failed: Option<ErrorKind>,
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.inner.write(bytes).inspect_err(|e| self.failed = Some(e.kind()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush().inspect_err(|e| self.failed = Some(e.kind()))
    }
}

/// An error of a format's writer that is not the output's.
fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the answer cannot be written in this format: {error}"))
}

async fn write_csv(mut rows: SendableRecordBatchStream, out: &mut (impl Write + Send)) -> Result<u64> {
    let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
    let mut put =
        |batch: &RecordBatch| flat(batch).and_then(|batch| writer.write(&batch)).map_err(unwritable);
    put(&RecordBatch::new_empty(rows.schema()))?;
    let mut written = 0;
    while let Some(batch) = rows.next().await.transpose()? {
        written += batch.num_rows() as u64;
        put(&batch)?;
    }
    Ok(written)
}

/// Lists, maps and structs as JSON texts, which a cell can hold.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
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

fn json_texts(field: &FieldRef, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
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

async fn write_json(mut rows: SendableRecordBatchStream, out: &mut (impl Write + Send)) -> Result<u64> {
    let builder = json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer: json::ArrayWriter<_> = builder.build(&mut *out);
    let mut written = 0;
    while let Some(batch) = rows.next().await.transpose()? {
        written += batch.num_rows() as u64;
        writer.write(&batch).map_err(unwritable)?;
    }
    writer.finish().map_err(unwritable)?;
    drop(writer);
    out.write_all(b"\n").map_err(print::output_error)?;
    Ok(written)
}

async fn write_parquet(mut rows: SendableRecordBatchStream, out: &mut (impl Write + Send)) -> Result<u64> {
    let mut writer = ArrowWriter::try_new(out, rows.schema(), None).map_err(unwritable)?;
    let mut written = 0;
    while let Some(batch) = rows.next().await.transpose()? {
        written += batch.num_rows() as u64;
        writer.write(&batch).map_err(unwritable)?;
    }
    writer.close().map_err(unwritable)?;
    Ok(written)
}

/// Shows the first rows as a ruled table and says how many there are.
async fn show(mut rows: SendableRecordBatchStream, out: &mut impl Write) -> Result<u64> {
    let (mut shown, mut kept, mut total) = (vec![RecordBatch::new_empty(rows.schema())], 0, 0);
    while let Some(batch) = rows.next().await.transpose()? {
        let take = batch.num_rows().min(SHOWN - kept);
        shown.push(batch.slice(0, take));
        kept += take;
        total += batch.num_rows();
    }
    let table = pretty_format_batches(&shown).map_err(|e| Error::data(e.to_string()))?;
    let more = if total > kept {
        format!("; the first {kept} are shown, `--format csv` writes all")
    } else {
        String::new()
    };
    let rows = print::counted(total as u64, "row", "rows");
    writeln!(out, "{table}\n{rows}{more}").map_err(print::output_error)?;
    Ok(total as u64)
}
