//! Proving: what was built piece by piece is what would be built at once; what is published keeps its contracts.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;

use super::publish::{Judged, is_kept};
use super::{
    Asked, Event, Journal, Judgement, Lake, Plan, Request, States, open_all, parallel, temporary_folder,
};
use crate::contract::{Contract, Layer, TableName};
use crate::engine::Transition;
use crate::error::{Error, Result};
use crate::quality::{Measure, count, rows_of};
use crate::table::{Publication, Publications, Store, Table};

/// How a published table compares with a full rebuild.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The table.
    pub table: TableName,
    /// Its published rows.
    pub rows: u64,
    /// Rows that are in one of the two only.
    pub differences: u64,
    /// The first few of them, each with the side that has it.
    pub sample: Vec<String>,
}

impl Lake {
    /// Builds what is published anew, from the published bronze tables and into a folder that is then thrown
    /// away, and compares it row by row.
    pub async fn verify(&self, select: Option<&str>) -> Result<Vec<Comparison>> {
        let (publications, newest) = self.newest_publication().await?;
        let states = States::published(self, &publications).await?;
        let targets = self.targets(&Request { select: select.map(Into::into), ..Default::default() })?;
        let asked = Asked::default();
        if let Some(table) = Plan::new(self, &states, &targets, &BTreeSet::new(), asked)?.stale().next() {
            return Err(Error::invalid(format!(
                "`{table}` is not up to date, so there is nothing to compare"
            ))
            .hint("`lake run` first; `lake plan` says why"));
        }
        let folder = temporary_folder()?;
        let scratch = Lake {
            project: self.project.clone(),
            store: Store::open(folder.path(), "lake")?,
            engine: self.engine.clone(),
            clock: self.clock.clone(),
            observer: self.observer.clone(),
            stop: self.stop.clone(),
        };
        let mut rebuilt = States::rebuilt(&scratch, &states).await?;
        let mut run = scratch.start(&Request::default())?;
        run.remembered = Some(self.remembered(&states).await?);
        let plan = Plan::new(&scratch, &rebuilt, &targets, &BTreeSet::new(), asked)?;
        scratch.build(&run, &plan, &mut rebuilt, &mut Journal::default()).await?;
        self.observer.event(Event::Judging);
        let catalogue = self.names();
        self.pin(&catalogue, &newest.tables);
        let transition = Transition::default();
        open_all(&transition.new, &rebuilt);
        let session = self.engine.job_session(catalogue, &transition, u64::MAX);
        // What a withheld model left as it was, and what is made from that, has nothing to be compared with.
        let kept = states.tables().filter(|(_, table)| is_kept(table)).map(|(name, _)| name.clone());
        let kept: BTreeSet<TableName> = kept.collect();
        let is_comparable =
            |name: &TableName| self.project.graph.with_ancestors([name.clone()]).is_disjoint(&kept);
        let contracts = self.project.contracts.values();
        let built = contracts
            .filter(|c| c.name.layer != Layer::Bronze && targets.contains(&c.name) && is_comparable(&c.name));
        parallel::joined(built.map(|contract| compare(&session, contract))).await
    }

    /// What the tables held before that some job reads as they were before.
    async fn remembered(&self, states: &States) -> Result<BTreeMap<TableName, Table>> {
        let mut remembered = BTreeMap::new();
        for name in self.project.remembered() {
            let previous = states.expect(&name)?.table.record().and_then(|record| record.previous);
            remembered.extend(self.at(&name, previous).await?.map(|table| (name, table)));
        }
        Ok(remembered)
    }

    /// Holds what is published against its contracts and its books, asking the stored rows for everything.
    ///
    /// A table that was made from what others no longer are is held against its own keys and rows only.
    pub async fn test(&self, select: Option<&str>) -> Result<Judgement> {
        let (_, newest) = self.newest_publication().await?;
        let targets = self.targets(&Request { select: select.map(Into::into), ..Default::default() })?;
        let opened = newest.tables.iter().map(|(name, version)| async move {
            let table = Table::open(&self.store, name, Some(*version)).await?;
            Ok::<_, Error>((name.clone(), table))
        });
        let opened: BTreeMap<TableName, Table> = parallel::joined(opened).await?.into_iter().collect();
        let behind = self.behind(&opened);
        let tables = opened.into_iter().filter(|(_, table)| !is_kept(table));
        let tables = tables.map(|(name, table)| (name, table.without_record()));
        let (apart, together): (BTreeMap<_, _>, BTreeMap<_, _>) =
            tables.partition(|(name, _)| behind.contains(name));
        let catalogue = self.names();
        together.values().chain(apart.values()).for_each(|table| catalogue.open(table));
        let session = self.engine.session(catalogue);
        let mut judgement = self.test_tables(&session, &together, &targets).await?;
        for table in apart {
            let alone = BTreeMap::from([table]);
            judgement.verdicts.extend(self.test_tables(&session, &alone, &targets).await?.verdicts);
        }
        if !behind.is_empty() {
            let text = "tested by themselves only, as they were made from what others no longer are";
            let names: Vec<String> = behind.iter().map(ToString::to_string).collect();
            self.observer.warning(&format!("{text}: {}; `lake run` makes them anew", names.join(", ")));
        }
        Ok(judgement)
    }

    /// Judges those of `tables` that are asked for, all of which belong together.
    async fn test_tables(
        &self,
        session: &SessionContext,
        tables: &BTreeMap<TableName, Table>,
        targets: &BTreeSet<TableName>,
    ) -> Result<Judgement> {
        let changed = tables.keys().filter(|name| targets.contains(*name)).collect();
        let (appended, now) = (BTreeMap::new(), self.clock.now());
        let judged = Judged { tables, changed, appended, every_audit: false, now };
        self.judge_tables(session, &judged).await
    }

    /// The tables that were not made from what their inputs are now, and all that is made from these.
    fn behind(&self, tables: &BTreeMap<TableName, Table>) -> BTreeSet<TableName> {
        let mut behind = BTreeSet::new();
        for name in self.project.graph.order() {
            let Some(record) = tables.get(name).and_then(Table::record) else { continue };
            let is_past = record.inputs.iter().any(|(input, then)| {
                let input = TableName::parse(input);
                let now = input.as_ref().and_then(|input| tables.get(input)?.content());
                now != Some(*then) || input.is_some_and(|input| behind.contains(&input))
            });
            if is_past {
                behind.insert(name.clone());
            }
        }
        behind
    }

    pub(super) async fn newest_publication(&self) -> Result<(Publications, Publication)> {
        self.store.check_format().await?;
        let publications = Publications::open(&self.store).await?;
        let newest = publications.newest().cloned();
        let newest = newest.ok_or_else(|| {
            Error::invalid("nothing is published yet").hint("`lake run` builds and publishes")
        })?;
        Ok((publications, newest))
    }
}

/// The rows of a published table against those of the rebuilt one, as multisets.
async fn compare(session: &SessionContext, contract: &Contract) -> Result<Comparison> {
    let name = &contract.name;
    let columns = contract.columns.iter().filter(|column| !column.of_run).map(|column| column.name.as_str());
    let columns = columns.collect::<Vec<_>>().join(", ");
    let differing = format!(
        "select {columns}, case when sum(side) > 0 then 'published' else 'rebuilt' end as only_in from (\
         select {columns}, 1 as side from {name} union all select {columns}, -1 as side from new.{name}) as both \
         group by {columns} having sum(side) <> 0"
    );
    let rows = Measure::rows(None);
    let differences = count(session, &format!("({differing}) as d"), std::slice::from_ref(&rows)).await?[0];
    let published = count(session, &name.to_string(), &[rows]).await?[0];
    let sample = if differences == 0 { Vec::new() } else { rows_of(session, &differing).await? };
    let number = |count: i128| u64::try_from(count).unwrap_or_default();
    Ok(Comparison { table: name.clone(), rows: number(published), differences: number(differences), sample })
}
