//! `lake sql`: one question to the published tables.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use lake::error::{Error, Result, io_error};
use lake::export::{Form, Output, write_rows};
use lake::run::{Lake, place};

use super::output::OutputFile;
use super::shell::guard::check_outside;
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
    let frame = lake.ask(&query, args.as_of.as_deref()).await.map_err(|e| placed(&args, &query, e))?;
    let rows = frame.execute_stream().await.map_err(|e| placed(&args, &query, e.into()))?;
    match &args.output {
        None => write(rows, args.format, std::io::stdout()).await.map(|_| ()),
        Some(path) => {
            check_outside(&lake, &path.to_string_lossy())?;
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

/// An error in a query of a file is told with its place.
fn placed(args: &SqlArgs, query: &str, error: Error) -> Error {
    match &args.file {
        Some(path) => place(error, path, query),
        None => error,
    }
}

/// Writes the rows of an answer as they come and gives their number.
pub(super) async fn write(
    rows: SendableRecordBatchStream,
    format: Format,
    out: impl Write + Send,
) -> Result<u64> {
    let mut out = Output::new(out);
    let written = match format {
        Format::Table => show(rows, &mut out).await,
        Format::Csv => write_rows(rows, Form::Csv, &mut out).await,
        Format::Json => write_rows(rows, Form::JsonArray, &mut out).await,
        Format::Parquet => write_rows(rows, Form::Parquet, &mut out).await,
    };
    out.finish(written, print::output_error)
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
        format!("; the first {kept} are shown, the format csv writes all")
    } else {
        String::new()
    };
    let rows = print::counted(total as u64, "row", "rows");
    writeln!(out, "{table}\n{rows}{more}").map_err(print::output_error)?;
    Ok(total as u64)
}
