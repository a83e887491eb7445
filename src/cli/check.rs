//! `lake check`: the project's text held against itself, before any data is read.

use clap::Args;
use lake::error::Result;
use lake::run::Lake;

use super::print;

/// Check contracts, jobs and settings without reading any data.
///
/// Plans every job against the contracts of the tables it reads and compares what it makes with its own
/// contract: unknown tables and columns, wrong types, circles and missing halves are named with their place.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lake check")]
pub struct CheckArgs {}

/// Checks and says what was checked.
pub async fn check(lake: Lake, _: CheckArgs) -> Result<()> {
    let checked = lake::run::check(&lake).await?;
    print::line(format!(
        "{}, {}, {}: all in order",
        print::counted(checked.contracts as u64, "contract", "contracts"),
        print::counted(checked.jobs as u64, "job", "jobs"),
        print::counted(checked.queries as u64, "query", "queries"),
    ))
}
