//! `lake run`: everything from landed files to published tables.

use chrono::NaiveDate;
use clap::Args;
use lake::contract::Layer;
use lake::error::Result;
use lake::quality::{Balance, decimal};
use lake::run::{Action, Lake, Request, Summary, TableOutcome, name_of};

use super::export::refresh;
use super::ingest::describe;
use super::plan::print_plan;
use super::print;

/// Load what has landed, build what is stale, prove the books, publish.
///
/// A table is stale when its SQL, contract, mappings, parameters or functions changed, or a table that it
/// reads did.
/// All tables are published at once; a run that fails publishes nothing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake run                               everything
  lake run --layer silver                bronze and silver
  lake run --select gold.rfm             one table, and whatever below it is stale
  lake run --select silver.products+     a table and all that is made from it
  lake run --as-of 2011-06-01            what would have been known that day
  lake run --dry-run                     what would be done, and why
  lake run --full-refresh                build everything anew")]
pub struct RunArgs {
    /// Build this layer and what is below it
    #[arg(long, value_enum, value_name = "LAYER")]
    pub layer: Option<Layer>,
    /// Build these tables: names or patterns joined by commas; `+` behind one adds what is made from it
    #[arg(long, value_name = "SEL")]
    pub select: Option<String>,
    /// Build them whole, whether they are stale or not
    #[arg(long)]
    pub full_refresh: bool,
    /// What would have been known on this day, published as `as-of-DATE` beside what readers see otherwise
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<NaiveDate>,
    /// Print what would be done and why, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs, or plans, and prints the closing table.
pub async fn run(lake: Lake, args: RunArgs) -> Result<()> {
    let request = Request {
        layer: args.layer,
        select: args.select,
        full_refresh: args.full_refresh,
        as_of: args.as_of,
    };
    if args.dry_run {
        return print_plan(&lake, &request).await;
    }
    let summary = lake.run(&request).await?;
    print_summary(&summary)?;
    match request.as_of {
        Some(day) => print::line(format!("ask it with `lake sql --as-of {} QUERY`", name_of(day))),
        None if summary.judgement.published => refresh(&lake).await,
        None => Ok(()),
    }
}

/// The closing table of a run: what ran, why, rows, seconds, books.
pub fn print_summary(summary: &Summary) -> Result<()> {
    for ingested in &summary.ingested {
        print::line(describe(ingested))?;
    }
    let rejected = |outcome: &TableOutcome| {
        let twin = summary.tables.iter().find(|t| t.table == outcome.table.rejected());
        twin.filter(|_| outcome.action != Action::Skipped)
            .map_or(String::new(), |twin| print::count(twin.rows))
    };
    let rows = summary.tables.iter().map(|outcome| {
        let built = |text: String| if outcome.action == Action::Skipped { String::new() } else { text };
        vec![
            outcome.table.to_string(),
            match outcome.action {
                Action::Skipped => "fresh",
                Action::Whole => "built",
                Action::Increment => "added to",
                Action::Kept => "withheld",
            }
            .to_string(),
            outcome.reason.clone(),
            built(print::count(outcome.rows_in)),
            print::count(outcome.rows),
            rejected(outcome),
            built(print::seconds(outcome.seconds)),
        ]
    });
    let header = ["table", "state", "because", "rows in", "rows", "rejected", "seconds"];
    print::line(print::table(&header, &[3, 4, 5, 6], rows))?;
    for verdict in summary.judgement.verdicts.iter().filter(|verdict| verdict.failed > 0) {
        print::line(format!(
            "warning: {} fails `{}` in {}: {}",
            verdict.table,
            verdict.name,
            print::counted(verdict.failed, "row", "rows"),
            verdict.query
        ))?;
    }
    print_balances(&summary.judgement.balances)?;
    let end = if summary.judgement.published {
        "published"
    } else {
        "nothing changed; readers see what was published before"
    };
    print::line(format!("run {} done in {} s: {end}", summary.run_id, print::seconds(summary.seconds)))
}

/// The books: for each crossing what went in, which is what came out.
pub fn print_balances(balances: &[Balance]) -> Result<()> {
    if balances.is_empty() {
        return Ok(());
    }
    let rows = balances.iter().map(|balance| {
        let went_in = balance.entries.iter().find(|entry| entry.is_in);
        let amounts = went_in.iter().flat_map(|entry| balance.amounts.iter().zip(&entry.amounts));
        let amounts = amounts.map(|(name, amount)| format!("{name} {}", print::grouped(&decimal(*amount))));
        let is_even = balance.differences().iter().all(|difference| *difference == 0);
        let state = if is_even { "balances" } else { "does not balance" };
        vec![balance.name.clone(), amounts.collect::<Vec<_>>().join("  "), state.to_string()]
    });
    print::line(format!("\n{}", print::table(&["books", "went in and came out", ""], &[], rows)))?;
    match balances.iter().all(|balance| balance.check().is_ok()) {
        true if balances.len() == 1 => print::line("\nthe book balances, to the last digit"),
        true => print::line(format!("\n{} books balance, to the last digit", balances.len())),
        false => Ok(()),
    }
}
