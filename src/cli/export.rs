//! `lake export`: published tables as files for other programs.

use clap::Args;
use lake::config::{Export, ExportFormat};
use lake::error::{Error, Kind, Result};
use lake::export::Manifest;
use lake::run::{Lake, Silent, told_to_end};

use super::{names, print};

/// Write published tables as files that other programs read: Parquet, CSV, JSON, or one workbook.
///
/// All tables are of one publication. A folder appears whole or not at all, with a manifest, and takes the place of
/// what was exported there before. Without a place, what config/exports.toml asks for is written; so it is after
/// every publication.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake export --to exports                                     gold as Parquet
  lake export gold.rfm 'gold.customer_*' --to out --format csv
  lake export --to report.xlsx                                 a sheet a table
  lake export silver.transactions --to out --partition-by country
  lake export --to january --as-of 2026-01-31")]
pub struct ExportArgs {
    /// Tables, or patterns of their names; every published table of gold when none is named
    #[arg(value_name = "TABLE", requires = "to")]
    pub tables: Vec<String>,
    /// Where the files go: a folder, a workbook (.xlsx) or a URL
    #[arg(long, value_name = "DIR|URL")]
    pub to: Option<String>,
    /// What kind of files [default: parquet, or xlsx where the place ends in .xlsx]
    #[arg(long, value_enum, value_name = "FORMAT", requires = "to")]
    pub format: Option<ExportFormat>,
    /// A folder a value of these columns, for the tables that have them
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "to")]
    pub partition_by: Vec<String>,
    /// The lake as readers saw it then: a run's id or the beginning of it, a day, an instant, or as-of-DATE
    #[arg(long, value_name = "RUN|DATE", value_parser = names::publication, requires = "to")]
    pub as_of: Option<String>,
}

/// Exports and prints what was written.
pub async fn export(lake: Lake, args: ExportArgs) -> Result<()> {
    let Some(to) = args.to else {
        if lake.project.exports.is_empty() {
            return Err(Error::invalid("nothing to export")
                .hint("name a place with `--to DIR`, or write exports into config/exports.toml"));
        }
        return unless_told_to_end(refresh(&lake)).await;
    };
    let wanted = Export::new(to, args.format, args.tables, args.partition_by)?;
    let observer = lake.observer.as_ref();
    let exporting = lake::export::export(&lake, &wanted, args.as_of.as_deref(), observer);
    let manifest = unless_told_to_end(exporting).await?;
    print_tables(&manifest)?;
    print::line(exported(&manifest, &wanted))
}

/// Writes anew what config/exports.toml asks for. What cannot be written is a warning, and an error at the end: the
/// publication stands.
pub async fn refresh(lake: &Lake) -> Result<()> {
    let exports = &lake.project.exports;
    let mut failed = 0;
    for wanted in exports {
        match lake::export::export(lake, wanted, None, &Silent).await {
            Ok(manifest) => print::line(exported(&manifest, wanted))?,
            Err(error) => {
                failed += 1;
                lake.observer.warning(&error.to_string());
            }
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Error::unavailable(format!("{failed} of {} failed", exports_of(exports.len())))
            .detail("what is published stands, and so does what was exported there before")
            .hint("`lake export` writes them anew")),
    }
}

/// What some work gives, unless the process is told to end: what was begun goes with the work.
async fn unless_told_to_end<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        // Signals are heard before anything is begun.
        biased;
        Ok(()) = told_to_end() => {
            Err(Error::new(Kind::Interrupted, "interrupted: what was exported before stands"))
        }
        done = work => done,
    }
}

fn exports_of(number: usize) -> String {
    print::counted(number as u64, "export", "exports")
}

fn print_tables(manifest: &Manifest) -> Result<()> {
    let rows = manifest.tables.iter().map(|table| {
        let bytes: u64 = table.files.iter().map(|file| file.bytes).sum();
        // Those of a workbook are sheets of one file.
        let is_file = manifest.format != ExportFormat::Xlsx;
        let of_files = |text: String| if is_file { text } else { String::new() };
        vec![
            table.table.clone(),
            of_files(print::count(table.files.len() as u64)),
            print::count(table.rows),
            of_files(print::bytes(bytes)),
        ]
    });
    print::line(print::table(&["table", "files", "rows", "size"], &[1, 2, 3], rows))
}

fn exported(manifest: &Manifest, wanted: &Export) -> String {
    let tables = print::counted(manifest.tables.len() as u64, "table", "tables");
    format!("exported {tables} of run {} to {}", manifest.run_id, wanted.to)
}
