//! What the tables of a lake are before and during a run, and why they are so.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::{
    ArrayRef, Date32Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use super::{Lake, parallel};
use crate::contract::{Layer, TableName};
use crate::error::{Error, Result};
use crate::ingest;
use crate::table::{Publications, State, Table, Version};

/// The tables of a lake as a run finds them, the register of loaded files included.
#[derive(Clone)]
pub struct States(BTreeMap<TableName, State>);

impl States {
    /// Opens every table that has a contract, and the register.
    ///
    /// A run builds upon what is published. A newer version counts only when a run that started from the same
    /// publication left it, or when it merely rearranges the files of the published one.
    pub async fn load(lake: &Lake, publications: &Publications) -> Result<States> {
        let names = lake.project.contracts.keys().cloned().chain([ingest::register_name()]);
        States::load_only(lake, publications, names).await
    }

    /// The same, of these tables alone.
    pub(super) async fn load_only(
        lake: &Lake,
        publications: &Publications,
        names: impl Iterator<Item = TableName>,
    ) -> Result<States> {
        let opened = names.map(|name| async move {
            let state = load(lake, publications, &name).await?;
            Ok::<_, Error>((name, state))
        });
        let mut states = States(parallel::all(lake, opened)?.into_iter().collect());
        states.drop_halves(lake, publications).await?;
        Ok(states)
    }

    /// Every table as it is published.
    pub async fn published(lake: &Lake, publications: &Publications) -> Result<States> {
        let names = publications.newest().into_iter().flat_map(|publication| &publication.tables);
        let opened = names.map(|(name, version)| async move {
            let table = Table::open(&lake.store, name, Some(*version)).await?;
            Ok::<_, Error>((name.clone(), State::of(table)))
        });
        let mut states: BTreeMap<_, _> = parallel::joined(opened).await?.into_iter().collect();
        for name in lake.project.contracts.keys() {
            if !states.contains_key(name) {
                let table = Table::open(&lake.store, name, None).await?.emptied();
                states.insert(name.clone(), State::of(table));
            }
        }
        Ok(States(states))
    }

    /// The same, but those of `other` are as they are there.
    pub(super) fn with(mut self, other: States) -> States {
        self.0.extend(other.0);
        self
    }

    /// The bronze tables of `states`, and tables of `lake` that were never built.
    pub(super) async fn rebuilt(lake: &Lake, states: &States) -> Result<States> {
        let mut rebuilt = BTreeMap::new();
        for (name, state) in &states.0 {
            let state = match name.layer {
                Layer::Bronze => state.clone(),
                _ => State::of(Table::open(&lake.store, name, None).await?),
            };
            rebuilt.insert(name.clone(), state);
        }
        Ok(States(rebuilt))
    }

    /// Tables that are made in one step must come from one run: of a step that was cut short, nothing counts.
    async fn drop_halves(&mut self, lake: &Lake, publications: &Publications) -> Result<()> {
        for name in self.0.keys().cloned().collect::<Vec<_>>() {
            let step = lake.project.step_tables(&name);
            let mut runs = step.iter().map(|name| self.run_of(name));
            let first = runs.next();
            if first.is_some_and(|first| runs.all(|run| run == first)) {
                continue;
            }
            for name in step {
                let newest = self.expect(&name)?.newest.clone();
                let table = published(lake, publications, &newest).await?;
                self.0.insert(name, State { newest, table });
            }
        }
        Ok(())
    }

    fn run_of(&self, name: &TableName) -> Option<String> {
        Some(self.get(name)?.table.record()?.run_id.clone())
    }

    /// The state of a table.
    pub fn get(&self, name: &TableName) -> Option<&State> {
        self.0.get(name)
    }

    /// The state of a table that is known to have one.
    pub fn expect(&self, name: &TableName) -> Result<&State> {
        self.get(name).ok_or_else(|| Error::internal(format!("`{name}` has no state")))
    }

    /// The tables that have a version.
    pub fn tables(&self) -> impl Iterator<Item = (&TableName, &Table)> {
        let tables = self.0.iter().map(|(name, state)| (name, &state.table));
        tables.filter(|(_, table)| table.version().is_some())
    }

    /// Takes over a table that has just been committed.
    pub fn update(&mut self, table: Table) {
        self.0.insert(table.name().clone(), State { newest: table.clone(), table });
    }
}

async fn load(lake: &Lake, publications: &Publications, name: &TableName) -> Result<State> {
    let newest = Table::open(&lake.store, name, None).await?;
    let shown = publications.newest().and_then(|publication| publication.tables.get(name)).copied();
    if newest.version() < shown {
        return lost(newest, shown);
    }
    let is_shown = newest.version() == shown;
    let only_rearranged = shown.is_some() && newest.content() <= shown && newest.record().is_some();
    let left_behind = newest.record().is_some_and(|record| record.based_on == publications.table().version());
    let table = match is_shown || only_rearranged || left_behind {
        true => newest.clone(),
        false => published(lake, publications, &newest).await?,
    };
    Ok(State { newest, table })
}

/// A table whose log ends before the version that is published: what is made can be made again, what was
/// delivered cannot.
fn lost(newest: Table, shown: Option<Version>) -> Result<State> {
    if newest.name().layer != Layer::Bronze {
        return Ok(State { table: newest.emptied(), newest });
    }
    let version =
        |version: Option<Version>| version.map_or("none".to_string(), |version| version.to_string());
    Err(Error::unavailable(format!("`{}` has lost version {}, which is published", newest.name(), version(shown)))
        .detail(format!("its newest version is {}", version(newest.version())))
        .hint("bring back its folder from a copy, or `lake rollback` to a run before the loss and load the files again"))
}

/// The published version of a table; as if never written when it has none, or has lost it.
async fn published(lake: &Lake, publications: &Publications, newest: &Table) -> Result<Table> {
    let shown = publications.newest().and_then(|publication| publication.tables.get(newest.name())).copied();
    match shown {
        Some(version) if newest.version() == Some(version) => Ok(newest.clone()),
        Some(version) if newest.version() < Some(version) => Ok(newest.emptied()),
        Some(version) => Table::open(&lake.store, newest.name(), Some(version)).await,
        None => Ok(newest.emptied()),
    }
}

/// The table `lake.run`: one row that says which run this is.
pub(super) fn run_table(run_id: &str, started_at: DateTime<Utc>) -> Result<Arc<dyn TableProvider>> {
    let started_at =
        TimestampMicrosecondArray::from_value(started_at.timestamp_micros(), 1).with_timezone("UTC");
    one_row([
        ("run_id", Arc::new(StringViewArray::from_iter_values([run_id])) as ArrayRef, false),
        ("started_at", Arc::new(started_at), false),
    ])
}

/// The table `lake.parameters`: one row with what the run was asked for.
pub(super) fn parameters_table(as_of: Option<NaiveDate>) -> Result<Arc<dyn TableProvider>> {
    let as_of = Date32Array::from(vec![as_of.map(Date32Type::from_naive_date)]);
    one_row([("as_of", Arc::new(as_of) as ArrayRef, true)])
}

fn one_row<const N: usize>(columns: [(&str, ArrayRef, bool); N]) -> Result<Arc<dyn TableProvider>> {
    let row = RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|e| Error::internal(format!("the parameters of the run: {e}")))?;
    Ok(Arc::new(MemTable::try_new(row.schema(), vec![vec![row]])?))
}
