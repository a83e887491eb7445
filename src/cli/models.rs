//! `lake models`: what was learned, how it did on what it had not seen, and whether it may be shown.

use clap::Args;
use lake::error::{Error, Result};
use lake::learn::Estimator;
use lake::run::Lake;

use super::answer::cells;
use super::print;

/// List the models that runs have learned, or show one: parameters, metrics, verdict.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake models
  lake models forecast                  the newest of this name
  lake sql \"select * from ops.model_metrics where metric = 'mase'\"")]
pub struct ModelsArgs {
    /// The model that is shown
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Prints the list, or one model.
pub async fn models(lake: Lake, args: ModelsArgs) -> Result<()> {
    let Some(name) = args.name else { return list(&lake).await };
    let known = Estimator::ALL.map(Estimator::as_str);
    if !known.contains(&name.as_str()) {
        return Err(Error::invalid(format!("unknown model `{name}`"))
            .hint(format!("known are: {}", known.join(", "))));
    }
    show(&lake, &name).await
}

/// The newest of each model.
async fn list(lake: &Lake) -> Result<()> {
    let query = "select model, algorithm, trained_from, trained_through, rows, verdict, run_id, reason \
                 from ops.models as models \
                 inner join (select model as name, max(run_id) as newest from ops.models group by model) as last \
                 on models.model = last.name and models.run_id = last.newest order by model";
    let rows = cells(lake, query, None).await?;
    if rows.is_empty() {
        return print::line("nothing has been learned yet; `lake run` learns what is made from models");
    }
    let header = ["model", "algorithm", "from", "through", "rows", "verdict", "run", "because"];
    print::line(print::table(&header, &[4], rows))
}

async fn show(lake: &Lake, name: &str) -> Result<()> {
    let newest = format!("(select max(run_id) from ops.models where model = '{name}')");
    let of = |columns: &str, table: &str| {
        format!("select {columns} from {table} where model = '{name}' and run_id = {newest}")
    };
    let columns = "algorithm, verdict, reason, trained_from, trained_through, rows, seed, version, run_id";
    let Some(record) = cells(lake, &of(columns, "ops.models"), None).await?.into_iter().next() else {
        return print::line(format!("`{name}` has not been learned yet; `lake run` learns it"));
    };
    let names = columns.split(", ").map(String::from);
    print::line(print::table(&[name, ""], &[], names.zip(record).map(|(name, value)| vec![name, value])))?;
    let parameters = format!(
        "select entry['key'], entry['value'] from (select unnest(map_entries(parameters)) as entry from ({}) as m) as e \
         order by 1",
        of("parameters", "ops.models")
    );
    print::line(format!(
        "\n{}",
        print::table(&["parameter", "value"], &[1], cells(lake, &parameters, None).await?)
    ))?;
    let metrics = of("subject, metric, round(value, 4)", "ops.model_metrics") + " order by subject, metric";
    print::line(format!(
        "\n{}",
        print::table(&["subject", "metric", "value"], &[2], cells(lake, &metrics, None).await?)
    ))
}
