//! `lake optimize`, `lake vacuum`, `lake history`: the files of tables and what became of them.

use chrono::TimeDelta;
use clap::Args;
use lake::error::Result;
use lake::run::Lake;

use super::names::{limit, table_name};
use super::print;

/// Make the files of tables as few and as large as the settings want them.
///
/// Rows stay what they are: nothing that is made from a table becomes stale.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake optimize                                                every table of several files
  lake optimize silver.transactions --sort-by invoice_date     faster questions about days")]
pub struct OptimizeArgs {
    /// The table; every table when none is named
    #[arg(value_name = "TABLE")]
    pub table: Option<String>,
    /// Columns to sort by, joined by commas [default: the key]
    #[arg(long, value_name = "COLUMNS", requires = "table")]
    pub sort_by: Option<String>,
}

/// Optimizes and prints files and bytes before and after.
pub async fn optimize(lake: Lake, args: OptimizeArgs) -> Result<()> {
    let name = args.table.as_deref().map(|name| table_name(&lake.project, name)).transpose()?;
    let optimized = lake.optimize(name.as_ref(), args.sort_by.as_deref()).await?;
    if optimized.is_empty() {
        return print::line("nothing to do: no table has more than one file");
    }
    let rows = optimized.iter().map(|table| {
        vec![
            table.table.to_string(),
            format!("{} → {}", table.files.0, table.files.1),
            format!("{} → {}", print::bytes(table.bytes.0), print::bytes(table.bytes.1)),
        ]
    });
    print::line(print::table(&["table", "files", "size"], &[1, 2], rows))
}

/// Remove files that no publication within the retention needs; only shows them unless told to apply.
///
/// What was published within the retention, and the newest publication, can be read and rolled back to
/// afterwards; older publications no longer. On an object store, where runs cannot be kept out meanwhile,
/// files of the last day stay.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake vacuum                          what would go
  lake vacuum --older-than 7 --apply")]
pub struct VacuumArgs {
    /// Keep what was published in the last so many days [config: maintenance.keep_days]
    #[arg(long, value_name = "DAYS")]
    pub older_than: Option<u32>,
    /// Remove the files
    #[arg(long)]
    pub apply: bool,
}

/// Vacuums and prints what went, or would go.
pub async fn vacuum(lake: Lake, args: VacuumArgs) -> Result<()> {
    let days = args.older_than.unwrap_or(lake.project.config.settings.maintenance.keep_days);
    let vacuumed = lake.vacuum(TimeDelta::days(days.into()), args.apply).await?;
    let bytes: u64 = vacuumed.iter().map(|table| table.bytes).sum();
    let files: usize = vacuumed.iter().map(|table| table.files.len()).sum();
    if files == 0 {
        let younger = match days {
            0 => String::new(),
            days => format!(" or younger than {}", print::counted(days.into(), "day", "days")),
        };
        return print::line(format!("nothing to remove: every file is needed{younger}"));
    }
    let rows = vacuumed.iter().map(|table| {
        vec![table.table.to_string(), print::count(table.files.len() as u64), print::bytes(table.bytes)]
    });
    print::line(print::table(&["table", "files", "size"], &[1, 2], rows))?;
    let (files, bytes) = (print::counted(files as u64, "file", "files"), print::bytes(bytes));
    let same = args.older_than.map_or(String::new(), |days| format!(" --older-than {days}"));
    match args.apply {
        true => print::line(format!("removed {files}, {bytes}")),
        false => print::line(format!("{files}, {bytes}, would go; `lake vacuum{same} --apply` removes them")),
    }
}

/// Show the versions of a table: when, why, and which were published.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lake history gold.rfm --limit 5")]
pub struct HistoryArgs {
    /// The table
    #[arg(value_name = "TABLE")]
    pub table: String,
    /// How many versions are shown, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = limit)]
    pub limit: usize,
}

/// Prints the versions of a table, newest first.
pub async fn history(lake: Lake, args: HistoryArgs) -> Result<()> {
    let past = lake.history(&table_name(&lake.project, &args.table)?, args.limit).await?;
    if past.is_empty() {
        return print::line(format!("`{}` has never been built", args.table));
    }
    let rows = past.iter().map(|past| {
        let entry = &past.entry;
        let at = entry.committed_at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string());
        let inputs = entry.record.iter().flat_map(|record| &record.inputs);
        let inputs: Vec<String> = inputs.map(|(name, version)| format!("{name} {version}")).collect();
        vec![
            entry.version.to_string(),
            at.unwrap_or_default(),
            entry.operation.to_lowercase(),
            entry.record.as_ref().map_or(String::new(), |record| print::count(record.rows)),
            entry.record.as_ref().map_or("another program".into(), |record| record.run_id.clone()),
            if past.is_published { "yes".into() } else { String::new() },
            inputs.join(", "),
        ]
    });
    let header = ["version", "at (UTC)", "did", "rows", "run", "published", "made from"];
    print::line(print::table(&header, &[0, 3], rows))
}
