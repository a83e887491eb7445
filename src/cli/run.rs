//! `lake run`: everything from landed files to published tables.

use clap::Args;
use lake::contract::Layer;
use lake::error::Result;
use lake::quality::decimal;
use lake::run::{Lake, Request, Summary, TableOutcome};

use super::ingest::describe;
use super::print;

/// Load what has landed, build what is stale, prove the books, publish.
///
/// A table is stale when its SQL, contract, mappings or functions changed, or a table that it reads did.
/// All tables are published at once; a run that fails publishes nothing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake run                               everything
  lake run --layer silver                bronze and silver
  lake run --select gold.rfm             one table, and whatever below it is stale
  lake run --select silver.products+     a table and all that is made from it
  lake run --dry-run                     what would be done, and why
  lake run --full-refresh                build everything anew")]
pub struct RunArgs {
    /// Build this layer and what is below it
    #[arg(long, value_enum, value_name = "LAYER")]
    pub layer: Option<Layer>,
    /// Build these tables: names or patterns joined by commas; `+` behind one adds what is made from it
    #[arg(long, value_name = "SEL")]
    pub select: Option<String>,
    /// Build them whether they are stale or not
    #[arg(long)]
    pub full_refresh: bool,
    /// Print what would be done and why, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs, or plans, and prints the closing table.
pub async fn run(lake: Lake, args: RunArgs) -> Result<()> {
    let request = Request { layer: args.layer, select: args.select, full_refresh: args.full_refresh };
    if args.dry_run {
        return dry_run(&lake, &request).await;
    }
    let summary = lake.run(&request).await?;
    print_summary(&summary)
}

async fn dry_run(lake: &Lake, request: &Request) -> Result<()> {
    let (plan, arrivals) = lake.plan(request).await?;
    for arrival in &arrivals {
        for (source, _) in &arrival.new {
            print::line(format!("would load {} into {}", source.name, arrival.table))?;
        }
    }
    let steps = plan.steps.iter().flat_map(|step| step.tables.iter().map(move |table| (step, table)));
    let rows = steps.map(|(step, table)| {
        let action = if step.build { "build" } else { "skip" };
        vec![table.to_string(), action.to_string(), step.reason(table)]
    });
    print::line(print::table(&["table", "would", "because"], &[], rows))
}

/// The closing table of a run: what ran, why, rows, seconds, books.
pub fn print_summary(summary: &Summary) -> Result<()> {
    for ingested in &summary.ingested {
        print::line(describe(ingested))?;
    }
    let rejected = |outcome: &TableOutcome| {
        let twin = format!("{}_rejected", outcome.table.table);
        let twin =
            summary.tables.iter().find(|t| t.table.layer == outcome.table.layer && t.table.table == twin);
        twin.filter(|_| outcome.built).map_or(String::new(), |twin| print::count(twin.rows))
    };
    let rows = summary.tables.iter().map(|outcome| {
        let built = |text: String| if outcome.built { text } else { String::new() };
        vec![
            outcome.table.to_string(),
            if outcome.built { "built" } else { "fresh" }.to_string(),
            outcome.reason.clone(),
            built(print::count(outcome.rows_in)),
            print::count(outcome.rows),
            rejected(outcome),
            built(print::seconds(outcome.seconds)),
        ]
    });
    let header = ["table", "state", "because", "rows in", "rows", "rejected", "seconds"];
    print::line(print::table(&header, &[3, 4, 5, 6], rows))?;
    for (table, finding) in &summary.judgement.warnings {
        print::line(format!(
            "warning: {table} fails `{}` in {} rows: {}",
            finding.name, finding.failed, finding.query
        ))?;
    }
    print_books(summary)?;
    let end = if summary.judgement.published {
        "published"
    } else {
        "nothing changed; readers see what was published before"
    };
    print::line(format!("run {} done in {} s: {end}", summary.run_id, print::seconds(summary.seconds)))
}

/// The books: for each, the entries of both sides.
fn print_books(summary: &Summary) -> Result<()> {
    for book in &summary.judgement.books {
        let entries = book.entries.iter().map(|entry| {
            let side = if entry.is_in { "in" } else { "out" };
            let amounts = entry.amounts.iter().map(|amount| print::grouped(&decimal(*amount)));
            [side.to_string(), entry.account.clone()].into_iter().chain(amounts).collect()
        });
        let header: Vec<&str> =
            ["", book.name.as_str()].into_iter().chain(book.amounts.iter().map(String::as_str)).collect();
        let numbers: Vec<usize> = (2..header.len()).collect();
        print::line(format!("\n{}", print::table(&header, &numbers, entries)))?;
    }
    match summary.judgement.books.len() {
        0 => Ok(()),
        books => print::line(format!("\n{books} books balance, to the last digit")),
    }
}
