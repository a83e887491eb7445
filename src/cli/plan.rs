//! `lake plan`: what a run would do, table by table, and why.

use chrono::NaiveDate;
use clap::Args;
use lake::contract::Layer;
use lake::error::Result;
use lake::run::{Lake, Request};

use super::print;

/// Show what a run would do and why, without doing it.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lake plan --layer silver")]
pub struct PlanArgs {
    /// Plan this layer and what is below it
    #[arg(long, value_enum, value_name = "LAYER")]
    pub layer: Option<Layer>,
    /// Plan these tables: names or patterns joined by commas; `+` behind one adds what is made from it
    #[arg(long, value_name = "SEL")]
    pub select: Option<String>,
    /// What would have been known on this day, published as `as-of-DATE` beside what readers see otherwise
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<NaiveDate>,
}

/// Prints the plan of a run.
pub async fn plan(lake: Lake, args: PlanArgs) -> Result<()> {
    let request = Request { layer: args.layer, select: args.select, as_of: args.as_of, ..Request::default() };
    print_plan(&lake, &request).await
}

/// Prints what a request would do: files to load, then each table with its decision and reason.
pub async fn print_plan(lake: &Lake, request: &Request) -> Result<()> {
    let (plan, arrivals) = lake.plan(request).await?;
    for arrival in &arrivals {
        for text in &arrival.warnings {
            print::line(format!("warning: {text}"))?;
        }
        for (source, _) in &arrival.new {
            print::line(format!("would load {} into {}", source.name, arrival.table))?;
        }
    }
    let steps = plan.steps.iter().flat_map(|step| step.tables.iter().map(move |table| (step, table)));
    let rows = steps.map(|(step, table)| {
        let action = if step.build { "run" } else { "skip" };
        vec![table.to_string(), action.to_string(), step.reason(table)]
    });
    print::line(print::table(&["table", "would", "because"], &[], rows))
}
