//! `lake demo`: from nothing to gold, in one command.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use lake::error::{Error, Result};
use lake::run::{Lake, Request};

use super::export::refresh;
use super::generate::{self, GenerateArgs};
use super::init::{InitArgs, write_project};
use super::{Bars, Global, in_lake, print, run};

/// Build a lake from a simulated year of dirty retail data.
///
/// Makes a project, generates a year of sales with every fault such exports have, loads it, builds silver
/// and gold, proves the books, and shows what can be read there. Repeating it builds only what is missing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  lake demo\n  lake demo /tmp/shop --seed 7")]
pub struct DemoArgs {
    /// The folder of the demo's project
    #[arg(value_name = "DIR", default_value = "lake-demo")]
    pub dir: PathBuf,
    /// Chooses one of the possible worlds
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
}

/// What is read from gold: a sentence each, with its question.
const FINDINGS: [(&str, &str); 3] = [
    (
        "The best day was {}, with {} in net revenue from {} orders.",
        "select sale_date, round(net_revenue, 2), orders from gold.daily_sales \
         order by net_revenue desc, sale_date limit 1",
    ),
    (
        "Outside the home market, {} buys most: {} in net revenue, {} % of all.",
        "select country, round(net_revenue, 2), round(100 * revenue_share, 1) from gold.country_sales \
         where revenue_rank > 1 order by revenue_rank limit 1",
    ),
    (
        "{} customers are `{}`; they bring {} % of the revenue of known customers.",
        "select customers, segment, round(100 * revenue_share, 1) from gold.rfm_segments \
         order by revenue desc, segment limit 1",
    ),
];

/// Builds the demo's lake and shows what it holds.
pub fn demo(global: &Global, args: &DemoArgs) -> Result<()> {
    let clock = Instant::now();
    write_project(&InitArgs { dir: args.dir.clone() })?;
    let out = args.dir.join("landing/online_retail");
    if !out.join("truth/parameters.json").exists() {
        let generated = generate::write(&GenerateArgs { seed: args.seed, out, ..GenerateArgs::usual() })?;
        let lines = print::counted(generated.lines, "line", "lines");
        print::line(format!("generated {lines} of dirty retail data"))?;
    }
    let global = Global { project: args.dir.clone(), ..global.clone() };
    in_lake(&global, Bars::Shown, |lake| async move { build(&lake).await })?;
    print::line(format!("\nThe whole demo took {} s.", print::seconds(clock.elapsed().as_secs_f64())))?;
    let dir = args.dir.display();
    // As it was called: after `cargo run` the program is not on the path.
    let lake = std::env::args().next().unwrap_or_else(|| "lake".into());
    print::line(format!(
        "\nTry next:\n  {lake} --project {dir} sql 'select * from gold.top_products order by revenue_rank limit 10'\n  \
         {lake} --project {dir} sql --file {dir}/sql/analyses/best_days.sql\n  {lake} --project {dir} status"
    ))
}

async fn build(lake: &Lake) -> Result<()> {
    let summary = lake.run(&Request::default()).await?;
    run::print_summary(&summary)?;
    print::line("\nFindings:")?;
    for (sentence, query) in FINDINGS {
        let cells = first_row(lake, query).await?;
        let sentence = cells.iter().fold(sentence.to_string(), |text, cell| text.replacen("{}", cell, 1));
        print::line(format!("  {sentence}"))?;
    }
    if summary.judgement.published { refresh(lake).await } else { Ok(()) }
}

/// The first row of an answer as texts.
async fn first_row(lake: &Lake, query: &str) -> Result<Vec<String>> {
    let session = lake.engine.session(lake.published().await?);
    let batches = session.sql(query).await?.collect().await?;
    let row = batches
        .iter()
        .find(|batch| batch.num_rows() > 0)
        .ok_or_else(|| Error::data("gold holds nothing to be read").detail(query))?;
    let text = |column: &datafusion::arrow::array::ArrayRef| {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default());
        formatter.map(|f| f.value(0).to_string()).map_err(|e| Error::internal(e.to_string()))
    };
    row.columns().iter().map(text).collect()
}
