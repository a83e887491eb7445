//! `lake sql`: one question to the published tables.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::json::ArrayWriter;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::parquet::arrow::ArrowWriter;
use futures::StreamExt;
use lake::error::{Error, Result, io_error};
use lake::run::Lake;

use super::print;

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
  echo 'show tables' | lake sql -")]
#[command(group(clap::ArgGroup::new("question").required(true).args(["query", "file"])))]
pub struct SqlArgs {
    /// The query; `-` reads it from standard input
    #[arg(value_name = "QUERY")]
    pub query: Option<String>,
    /// A file that holds the query
    #[arg(long, value_name = "F")]
    pub file: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Where the answer goes instead of standard output; written whole or not at all
    #[arg(long, value_name = "F")]
    pub output: Option<PathBuf>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Ruled, for people
    Table,
    /// With a header line
    Csv,
    /// An array of objects
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
    let session = lake.engine.session(lake.published().await?);
    let read_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let frame = session.sql_with_options(&query, read_only).await.map_err(|e| explain(&lake, e.into()))?;
    let rows = frame.execute_stream().await.map_err(|e| explain(&lake, e.into()))?;
    match &args.output {
        None => write(rows, args.format, std::io::BufWriter::new(std::io::stdout())).await.map(|_| ()),
        Some(path) => {
            let folder =
                path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
            let mut file =
                tempfile::NamedTempFile::new_in(folder).map_err(|e| io_error("write to", folder, &e))?;
            let written = write(rows, args.format, &mut file).await?;
            file.persist(path).map_err(|e| io_error("write", path, &e.error))?;
            print::line(format!("{} rows written to {}", print::count(written), path.display()))
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

/// An unknown table is told the nearest one.
fn explain(lake: &Lake, error: Error) -> Error {
    let message = error.message().to_string();
    let unknown = message.split_once("table 'lake.").and_then(|(_, rest)| rest.split_once("' not found"));
    match unknown {
        Some((name, _)) => lake.project.unknown_table(name),
        None if ["DDL", "DML", "Statement"]
            .iter()
            .any(|kind| message.starts_with(&format!("{kind} not supported"))) =>
        {
            Error::invalid("`lake sql` only reads, and this statement would change something")
                .hint("tables are made by the jobs in sql/ and `lake run`")
        }
        None => error,
    }
}

/// Writes the rows of an answer as they come and gives their number.
async fn write(
    mut rows: SendableRecordBatchStream,
    format: Format,
    mut out: impl std::io::Write + Send,
) -> Result<u64> {
    let mut written = 0;
    let mut count = |batch: &RecordBatch| written += batch.num_rows() as u64;
    let failed = |e: datafusion::arrow::error::ArrowError| match e {
        datafusion::arrow::error::ArrowError::IoError(_, e) => print::output_error(e),
        e => Error::data(format!("the answer cannot be written in this format: {e}")),
    };
    match format {
        Format::Table => return show(rows, out).await,
        Format::Csv => {
            let mut header = Some(RecordBatch::new_empty(rows.schema()));
            let mut writer = WriterBuilder::new().with_header(true).build(&mut out);
            while let Some(batch) = next(&mut rows, &mut header).await? {
                count(&batch);
                writer.write(&batch).map_err(failed)?;
            }
        }
        Format::Json => {
            let mut writer = ArrayWriter::new(&mut out);
            while let Some(batch) = next(&mut rows, &mut None).await? {
                count(&batch);
                writer.write(&batch).map_err(failed)?;
            }
            writer.finish().map_err(failed)?;
            out.write_all(b"\n").map_err(print::output_error)?;
        }
        Format::Parquet => {
            let parquet = |e: datafusion::parquet::errors::ParquetError| {
                Error::unavailable(format!("cannot write the Parquet file: {e}"))
            };
            let mut writer = ArrowWriter::try_new(&mut out, rows.schema(), None).map_err(parquet)?;
            while let Some(batch) = next(&mut rows, &mut None).await? {
                count(&batch);
                writer.write(&batch).map_err(parquet)?;
            }
            writer.close().map_err(parquet)?;
        }
    }
    out.flush().map_err(print::output_error)?;
    Ok(written)
}

/// The next batch; `first` goes before all others.
async fn next(
    rows: &mut SendableRecordBatchStream,
    first: &mut Option<RecordBatch>,
) -> Result<Option<RecordBatch>> {
    match first.take() {
        Some(batch) => Ok(Some(batch)),
        None => Ok(rows.next().await.transpose()?),
    }
}

/// Shows the first rows as a ruled table and says how many there are.
async fn show(mut rows: SendableRecordBatchStream, mut out: impl std::io::Write) -> Result<u64> {
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
    let rows = if total == 1 { "row" } else { "rows" };
    writeln!(out, "{table}\n{} {rows}{more}", print::count(total as u64)).map_err(print::output_error)?;
    Ok(total as u64)
}
