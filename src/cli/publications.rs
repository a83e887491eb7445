//! `lake publications` and `lake rollback`: what readers saw, and the way back to it.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use clap::Args;
use lake::error::Result;
use lake::run::{Lake, Published, name_of};

use super::export::refresh;
use super::{names, print};

/// List what was published: when, by which run, and what changed.
///
/// The times and the runs can be given to `--as-of` as they stand.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lake publications --limit 5")]
pub struct PublicationsArgs {
    /// How many are listed, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = names::limit)]
    pub limit: usize,
}

/// Prints the publications, newest first.
pub async fn publications(lake: Lake, args: PublicationsArgs) -> Result<()> {
    let all = lake.publications().await?;
    if all.is_empty() {
        return print::line("nothing is published yet; `lake run` builds and publishes");
    }
    let rows = all.iter().enumerate().take(args.limit).map(|(i, published)| {
        vec![
            // With every digit: a time cut short stands before the publication.
            published.published_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            published.run_id.clone(),
            if i == 0 { "in force".into() } else { String::new() },
            describe(published, all.get(i + 1)),
        ]
    });
    print::line(print::table(&["published at (UTC)", "run", "", "changed"], &[], rows))?;
    for (day, published) in lake.publications_as_of().await? {
        print::line(format!(
            "{}: {} as known on that day, by run {}",
            name_of(day),
            print::counted(published.tables.len() as u64, "table", "tables"),
            published.run_id
        ))?;
    }
    match all.len().saturating_sub(args.limit) {
        0 => Ok(()),
        more => {
            let more = print::counted(more as u64, "older one", "older ones");
            print::line(format!("{more}; `--limit {}` lists all", all.len()))
        }
    }
}

/// What a publication changed against the one before it.
fn describe(published: &Published, before: Option<&Published>) -> String {
    if let Some(run) = &published.restores {
        return format!("back to what run {run} published");
    }
    let is_changed = |name: &&lake::contract::TableName| {
        before.is_none_or(|before| before.tables.get(*name) != published.tables.get(*name))
    };
    let changed: BTreeSet<_> = published.tables.keys().filter(is_changed).collect();
    match changed.len() {
        0 => "nothing but what it is held against".into(),
        n if n > 1 && n == published.tables.len() => format!("all {n} tables"),
        n if n > 4 => format!("{n} of {} tables", published.tables.len()),
        _ => changed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Let readers see again what they saw before: one commit, no data is touched.
///
/// The next run builds upon what was brought back; files that were loaded since count as new again.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake rollback                the publication before the newest
  lake rollback 0199c2a4       what the run of this id published")]
pub struct RollbackArgs {
    /// The run whose publication is brought back, by its id or the beginning of it; or a day or instant
    #[arg(value_name = "RUN", value_parser = names::publication)]
    pub run: Option<String>,
}

/// Goes back.
pub async fn rollback(lake: Lake, args: RollbackArgs) -> Result<()> {
    let published = lake.rollback(args.run.as_deref()).await?;
    let run = published.restores.unwrap_or_default();
    print::line(format!("readers see again what run {run} published; `lake rollback` undoes it"))?;
    refresh(&lake).await
}
