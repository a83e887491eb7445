//! `lake ingest [SOURCE]`: files into bronze.

use clap::Args;
use lake::error::Result;
use lake::run::Lake;

use super::export::refresh;
use super::print;

/// Load files into bronze, as received.
///
/// Takes .csv, .csv.gz, .csv.zst, .xlsx and .zip: a file, a glob, a folder or a URL. Encoding, delimiter,
/// header and dialect are recognised. The same content is loaded once, under whatever name it comes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake ingest                                  what has landed in landing/online_retail
  lake ingest exports/2011-*.csv.gz
  lake ingest returns.zip!november.csv         one member of an archive
  lake ingest book.xlsx!Sheet2                 one sheet of a workbook
  lake ingest https://example.org/sales.csv")]
pub struct IngestArgs {
    /// Files, globs, folders or URLs; the landing folder when none is named
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// The bronze table that they feed
    #[arg(long, value_name = "TABLE", default_value = "online_retail")]
    pub table: String,
}

/// Loads and says what was loaded.
pub async fn ingest(lake: Lake, args: IngestArgs) -> Result<()> {
    let ingested = lake.ingest(&args.table, &args.sources).await?;
    print::line(describe(&ingested))?;
    // Without new files nothing was published.
    if ingested.files == 0 { Ok(()) } else { refresh(&lake).await }
}

/// One line about what was loaded.
pub fn describe(ingested: &lake::ingest::Ingested) -> String {
    let files = |n: u64| print::counted(n, "file", "files");
    let known = match ingested.known {
        0 => String::new(),
        n => format!("; {} known already", files(n)),
    };
    format!(
        "{}: {} loaded, {}{known}",
        ingested.table,
        files(ingested.files),
        print::counted(ingested.rows, "row", "rows")
    )
}
