//! What would have been known on a day: the tables that depend on the day asked for, in a lake of their own below
//! the root, published under a name of their own. What readers see otherwise is not touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;

use super::{Journal, Lake, Plan, Published, Request, Run, States, check};
use crate::contract::TableName;
use crate::engine::Catalogue;
use crate::error::{Error, Result};
use crate::table::{Publication, Publications};

/// The folder below the root in which these lakes lie, each in a folder named by its day.
const FOLDER: &str = "as_of";

/// What the name of such a publication begins with; the day follows.
const PREFIX: &str = "as-of-";

/// The name under which what was known on a day is published.
pub fn name_of(day: NaiveDate) -> String {
    format!("{PREFIX}{day}")
}

/// The day of a name that [`name_of`] gives.
pub(super) fn day_of(name: &str) -> Option<NaiveDate> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

/// What a run as of a day begins with.
pub(super) struct Known {
    /// The lake of that day.
    lake: Lake,
    publications: Publications,
    /// What readers see of it, beside what they see of the tables that no day changes.
    before: Publication,
    states: States,
    /// What is to be built.
    pub(super) plan: Plan,
    /// What depends on the day.
    dated: BTreeSet<TableName>,
}

impl Lake {
    /// The lake of a day.
    pub(super) fn of_day(&self, day: NaiveDate) -> Result<Lake> {
        Ok(Lake {
            project: self.project.clone(),
            store: self.store.below(&format!("{FOLDER}/{day}"))?,
            engine: self.engine.clone(),
            clock: self.clock.clone(),
            observer: self.observer.clone(),
            stop: self.stop.clone(),
        })
    }

    /// The tables that depend on the day asked for, by what they or the tables below them read.
    pub(super) fn dated(&self) -> BTreeSet<TableName> {
        let graph = &self.project.graph;
        let mut dated = BTreeSet::new();
        for name in graph.order() {
            let asks = self.project.jobs.get(name).is_some_and(|job| job.reads_parameters());
            if asks || graph.parents(name).any(|parent| dated.contains(parent)) {
                dated.insert(name.clone());
            }
        }
        dated
    }

    /// What is known of a day before a run, and what the run is to build.
    pub(super) async fn known(&self, day: NaiveDate, request: &Request) -> Result<Known> {
        let (main, newest) = self.newest_publication().await?;
        let dated = self.dated();
        let is_table = |name: &&TableName| self.project.contracts.contains_key(*name);
        let mut targets = self.targets(request)?;
        targets.retain(|name| dated.contains(name));
        if targets.is_empty() {
            return Err(Error::invalid("nothing of the selection depends on the day")
                .hint("leave out `--as-of`, or select tables that look back from a day, such as gold.rfm"));
        }
        let lake = self.of_day(day)?;
        let publications = Publications::open(&lake.store).await?;
        let own = States::load_only(&lake, &publications, dated.iter().filter(is_table).cloned()).await?;
        let states = States::published(self, &main).await?.with(own);
        let plan = Plan::new(&lake, &states, &targets, &BTreeSet::new(), request.asked())?;
        if let Some(stale) = plan.stale().find(|name| !dated.contains(name)) {
            return Err(Error::invalid(format!("`{stale}` is not up to date"))
                .hint("`lake run` first; `lake plan` says why"));
        }
        let undated = newest.tables.into_iter().filter(|(name, _)| !dated.contains(name));
        let before = match publications.newest() {
            Some(before) => before.clone(),
            None => Publication { judged_by: newest.judged_by, ..Default::default() },
        };
        let tables = before.tables.into_iter().filter(|(name, _)| dated.contains(name)).chain(undated);
        let before = Publication { tables: tables.collect(), ..before };
        Ok(Known { lake, publications, before, states, plan, dated })
    }

    /// Builds and publishes what would have been known on a day.
    pub(super) async fn run_as_of(
        &self,
        run: &mut Run,
        day: NaiveDate,
        request: &Request,
        journal: &mut Journal,
    ) -> Result<()> {
        check(self).await?;
        let Known { lake, publications, before, mut states, plan, dated } = self.known(day, request).await?;
        lake.store.initialise().await?;
        run.based_on = publications.table().version();
        let built = lake.build(run, &plan, &mut states, journal).await;
        journal.tables.retain(|table| dated.contains(&table.table));
        built?;
        lake.conclude(run, &publications, &before, &states, &mut journal.judgement).await
    }

    /// What is published of a day, and the tables as they would have been known on it; those that no day changes
    /// as they are published.
    pub(super) async fn known_as_of(&self, day: NaiveDate) -> Result<(Published, Arc<Catalogue>)> {
        let lake = self.of_day(day)?;
        let Some(known) = lake.publications().await?.into_iter().next() else {
            return Err(Error::invalid(format!("nothing is published as `{}`", name_of(day)))
                .hint(format!("`lake run --as-of {day}` builds and publishes it")));
        };
        let catalogue = self.published().await?;
        for name in self.project.contracts.keys() {
            catalogue.promise(name);
        }
        let dated = self.dated();
        for (name, version) in &known.tables {
            let store = if dated.contains(name) { &lake.store } else { &self.store };
            catalogue.pin(store, name, *version);
        }
        Ok((known, catalogue))
    }

    /// The newest publication as of each day that there is one of, by day.
    pub async fn publications_as_of(&self) -> Result<Vec<(NaiveDate, Published)>> {
        let mut all = Vec::new();
        for folder in self.store.folders(FOLDER).await? {
            let Ok(day) = folder.parse() else { continue };
            all.extend(
                self.of_day(day)?.publications().await?.into_iter().next().map(|newest| (day, newest)),
            );
        }
        Ok(all)
    }
}
