//! `lake status`: what readers see, and what a run would do.

use clap::Args;
use lake::contract::TableName;
use lake::error::Result;
use lake::ingest::Arrival;
use lake::run::{Lake, Plan, Request};

use super::print;

/// Show the tables that readers see, and whether they are up to date.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lake status")]
pub struct StatusArgs {}

/// Prints the newest publication, table by table, and what has landed since.
pub async fn status(lake: Lake, _: StatusArgs) -> Result<()> {
    let status = lake.status().await?;
    print::line(format!("lake at {}", lake.store.location()))?;
    match &status.publication {
        None => print::line("nothing is published yet; `lake run` builds and publishes")?,
        Some(publication) => print::line(format!("published by run {}", publication.run_id))?,
    }
    let planned = lake.plan(&Request::default()).await;
    let rows = status.tables.iter().map(|(name, table)| {
        let Some((table, version)) = table.as_ref().and_then(|table| Some((table, table.version()?))) else {
            return vec![
                name.to_string(),
                String::new(),
                String::new(),
                String::new(),
                status.damaged.get(name).map_or("not published".into(), |error| error.message().to_string()),
            ];
        };
        let size = table.size();
        vec![
            name.to_string(),
            version.to_string(),
            print::count(size.rows),
            print::bytes(size.bytes),
            planned.as_ref().map_or("unknown".into(), |(plan, arrivals)| state(name, plan, arrivals)),
        ]
    });
    print::line(print::table(&["table", "version", "rows", "size", "state"], &[1, 2, 3], rows))?;
    // What readers see does not depend on what a run would meet with.
    planned.map(|_| ())
}

/// Whether a table is what a run would make of what has landed.
fn state(name: &TableName, plan: &Plan, arrivals: &[Arrival]) -> String {
    if let Some(step) = plan.steps.iter().find(|step| step.build && step.tables.contains(name)) {
        return format!("stale: {}", step.reason(name));
    }
    match arrivals.iter().find(|arrival| &arrival.table == name).map_or(0, |arrival| arrival.new.len()) {
        0 => "fresh".into(),
        1 => "1 new file has landed".into(),
        new => format!("{new} new files have landed"),
    }
}
