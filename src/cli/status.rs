//! `lake status`: what readers see, and what a run would do.

use clap::Args;
use lake::error::Result;
use lake::run::{Lake, Request};

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
    let (plan, arrivals) = lake.plan(&Request::default()).await?;
    let reason = |name: &lake::contract::TableName| {
        let step = plan.steps.iter().find(|step| step.tables.contains(name));
        match step {
            Some(step) if step.build => format!("stale: {}", step.reason(name)),
            _ => match arrivals.iter().find(|arrival| &arrival.table == name) {
                Some(arrival) if !arrival.new.is_empty() => {
                    format!("{} new files have landed", arrival.new.len())
                }
                _ => "fresh".to_string(),
            },
        }
    };
    let rows = status.tables.iter().map(|(name, table)| {
        let Some((table, version)) = table.as_ref().and_then(|table| Some((table, table.version()?))) else {
            return vec![
                name.to_string(),
                String::new(),
                String::new(),
                String::new(),
                "not published".into(),
            ];
        };
        let size = table.size();
        vec![
            name.to_string(),
            version.to_string(),
            print::count(size.rows),
            print::bytes(size.bytes),
            reason(name),
        ]
    });
    print::line(print::table(&["table", "version", "rows", "size", "state"], &[1, 2, 3], rows))
}
