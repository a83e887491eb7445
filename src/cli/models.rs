//! `lake models`: what was learned, how it did on what it had not seen, and whether it may be shown.

use clap::Args;
use clap::builder::PossibleValuesParser;
use lake::contract::{Layer, TableName};
use lake::error::Result;
use lake::learn::Estimator;
use lake::run::Lake;
use lake::table::Table;

use super::answer::{cells, entries};
use super::print;

/// List the models that runs have learned, or show one: parameters, metrics, verdict.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake models
  lake models forecast                  the newest of this name
  lake sql \"select * from ops.model_metrics where metric = 'mase'\"")]
pub struct ModelsArgs {
    /// The model that is shown
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(Estimator::ALL.map(Estimator::as_str)))]
    pub name: Option<String>,
}

/// Prints the list, or one model.
pub async fn models(lake: Lake, args: ModelsArgs) -> Result<()> {
    let Some(name) = args.name else { return list(&lake).await };
    show(&lake, &name).await
}

/// The newest of each model.
async fn list(lake: &Lake) -> Result<()> {
    let query = "select model, algorithm, trained_from, trained_through, rows, verdict, run_id, reason \
                 from ops.models as models \
                 inner join (select model as name, max(run_id) as newest from ops.models where as_of is null group by model) as last \
                 on models.model = last.name and models.run_id = last.newest order by model";
    let rows = if is_there(lake, "models").await? { cells(lake, query, None).await? } else { Vec::new() };
    if rows.is_empty() {
        return print::line("nothing has been learned yet; `lake run` learns what is made from models");
    }
    let header = ["model", "algorithm", "from", "through", "rows", "verdict", "run", "because"];
    print::line(print::table(&header, &[4], rows))
}

/// Whether runs have ever recorded something in this table.
async fn is_there(lake: &Lake, table: &str) -> Result<bool> {
    let table = Table::open(&lake.store, &TableName::new(Layer::Ops, table), None).await?;
    Ok(table.version().is_some())
}

async fn show(lake: &Lake, name: &str) -> Result<()> {
    let not_learned = || print::line(format!("`{name}` has not been learned yet; `lake run` learns it"));
    if !is_there(lake, "models").await? {
        return not_learned();
    }
    let newest = format!("(select max(run_id) from ops.models where model = '{name}' and as_of is null)");
    let of = |columns: &str, table: &str| {
        format!("select {columns} from {table} where model = '{name}' and run_id = {newest}")
    };
    let columns = "algorithm, verdict, reason, trained_from, trained_through, rows, seed, version, run_id";
    let Some(record) = cells(lake, &of(columns, "ops.models"), None).await?.into_iter().next() else {
        return not_learned();
    };
    let names = columns.split(", ").map(String::from);
    print::line(print::table(&[name, ""], &[], names.zip(record).map(|(name, value)| vec![name, value])))?;
    let parameters = entries(lake, &of("parameters", "ops.models")).await?;
    print_more(&["parameter", "value"], &[], parameters)?;
    if !is_there(lake, "model_metrics").await? {
        return Ok(());
    }
    let metrics = of("subject, metric, round(value, 4)", "ops.model_metrics") + " order by subject, metric";
    print_more(&["subject", "metric", "value"], &[2], cells(lake, &metrics, None).await?)
}

/// A further table, if it has rows; the columns named in `numbers` are aligned to the right.
fn print_more(header: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> Result<()> {
    match rows.is_empty() {
        true => Ok(()),
        false => print::line(format!("\n{}", print::table(header, numbers, rows))),
    }
}
