//! Publishing: what is new is judged, then shown to readers in one commit; and what readers see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use futures::future::join_all;

use super::{Asked, Event, Judgement, Lake, Plan, Run, States, Status, fingerprint, parallel, record};
use crate::contract::{Contract, Expectation, Layer, TableName};
use crate::engine::{Catalogue, Transition};
use crate::error::Result;
use crate::ingest::register_name;
use crate::job::NEW;
use crate::quality::{Balance, Entry, Measure, Tally, Verdict, audit, audit_query, balance, count};
use crate::table::{Change, Publication, Publications, Table, Version};

/// What records of files are called in the books.
const LINES: &str = "lines";

/// What is judged.
pub(super) struct Judged<'a> {
    /// Every table that is there.
    pub(super) tables: &'a BTreeMap<TableName, Table>,
    /// Those of them that contracts, audits and books are asked about.
    pub(super) changed: BTreeSet<&'a TableName>,
    /// Of these, the ones to which rows were only added since a version: the session's `new.` has those rows.
    pub(super) appended: BTreeMap<&'a TableName, Version>,
    /// Whether all audits are asked, whatever they read.
    pub(super) every_audit: bool,
    /// When.
    pub(super) now: DateTime<Utc>,
}

impl Judgement {
    /// The first failure is the error, causes first: a key or a row that violates what is expected of it, then
    /// a book that does not balance, then what is expected of several rows or tables.
    pub fn check(&self) -> Result<()> {
        let mut of_rows = self.verdicts.iter().filter(|verdict| verdict.of_rows);
        of_rows.try_for_each(Verdict::check)?;
        self.balances.iter().try_for_each(Balance::check)?;
        self.verdicts.iter().try_for_each(Verdict::check)
    }
}

impl Lake {
    /// The tables that readers see, opened by the newest publication.
    pub async fn published(&self) -> Result<Arc<Catalogue>> {
        self.published_at_version().await.map(|(catalogue, _)| catalogue)
    }

    /// The same, and the version of `ops.publications` that says so; none before the first run.
    pub async fn published_at_version(&self) -> Result<(Arc<Catalogue>, Option<Version>)> {
        self.store.check_format().await?;
        let publications = Publications::open(&self.store).await?;
        let catalogue = self.names();
        if let Some(newest) = publications.newest() {
            self.pin(&catalogue, &newest.tables);
        }
        let records = record::contracts()?.into_iter().map(|contract| contract.name);
        for name in records.chain([publications.table().name().clone()]) {
            catalogue.newest(&self.store, &name);
        }
        Ok((catalogue, publications.table().version()))
    }

    /// What readers see, with every table opened that can be.
    pub async fn status(&self) -> Result<Status> {
        self.store.check_format().await?;
        let publications = Publications::open(&self.store).await?;
        let published = publications.newest().map(|p| p.tables.clone()).unwrap_or_default();
        let opened = self.project.contracts.keys().map(|name| {
            let version = published.get(name).copied();
            async move {
                match version {
                    Some(_) => (name, Table::open(&self.store, name, version).await.map(Some)),
                    None => (name, Ok(None)),
                }
            }
        });
        let (mut tables, mut damaged) = (Vec::new(), BTreeMap::new());
        for (name, opened) in join_all(opened).await {
            let table = opened.unwrap_or_else(|error| {
                damaged.insert(name.clone(), error);
                None
            });
            tables.push((name.clone(), table));
        }
        Ok(Status { publication: publications.newest().cloned(), tables, damaged })
    }

    /// Judges what readers, who see `before`, do not see yet and publishes it; what fails stays unpublished.
    ///
    /// A stale table is shown as it was published before: whatever was committed for it since was refused,
    /// or is about to be replaced.
    pub(super) async fn conclude(
        &self,
        run: &Run,
        publications: &Publications,
        before: &Publication,
        states: &States,
        judgement: &mut Judgement,
    ) -> Result<()> {
        let everything = self.project.contracts.keys().cloned().collect();
        let asked = Asked { as_of: run.as_of, ..Default::default() };
        let plan = Plan::new(self, states, &everything, &BTreeSet::new(), asked)?;
        let stale: BTreeSet<&TableName> = plan.stale().collect();
        let mut tables = BTreeMap::new();
        for (name, table) in states.tables() {
            match before.tables.get(name) {
                _ if !stale.contains(name) => _ = tables.insert(name.clone(), table.clone()),
                Some(version) if table.version() == Some(*version) => {
                    _ = tables.insert(name.clone(), table.clone());
                }
                Some(version) => {
                    _ = tables.insert(name.clone(), Table::open(&self.store, name, Some(*version)).await?);
                }
                None => {}
            }
        }
        let versions = tables.iter().filter_map(|(name, table)| Some((name.clone(), table.version()?)));
        let publication = Publication {
            run_id: run.id.clone(),
            tables: versions.collect(),
            judged_by: fingerprint::of_judgement(&self.project)?,
            restores: None,
        };
        if !is_news(&publication, before) && !tables.values().any(|table| is_remade(run, before, table)) {
            return Ok(());
        }
        let fresh = tables.into_iter().filter(|(name, table)| !stale.contains(name) && !is_kept(table));
        let fresh: BTreeMap<_, _> = fresh.collect();
        *judgement = self.stop.unless(self.judge(run, &publication, before, &fresh)).await?;
        judgement
            .check()
            .map_err(|e| e.hint("nothing was published; readers see the lake as it was before"))?;
        self.stop.check()?;
        publications.publish(&publication, self.clock.now(), &run.options).await?;
        tracing::info!(run_id = run.id, tables = publication.tables.len(), "published");
        judgement.published = true;
        Ok(())
    }

    /// Holds the fresh tables of a publication that hold something else than in the one before, or are held
    /// against something else, against their contracts, and reconciles them. The first failure is the error.
    async fn judge(
        &self,
        run: &Run,
        publication: &Publication,
        before: &Publication,
        fresh: &BTreeMap<TableName, Table>,
    ) -> Result<Judgement> {
        self.observer.event(Event::Judging);
        let is_changed = |name: &TableName, table: &Table| {
            let part = name.to_string();
            is_remade(run, before, table)
                || before.tables.get(name).is_none_or(|then| table.content() > Some(*then))
                || publication.judged_by.get(&part) != before.judged_by.get(&part)
        };
        let changed: BTreeSet<&TableName> =
            fresh.iter().filter(|(name, table)| is_changed(name, table)).map(|(name, _)| name).collect();
        let catalogue = self.names();
        fresh.values().for_each(|table| catalogue.open(table));
        let transition = Transition::default();
        let (mut appended, mut rows) = (BTreeMap::new(), 0);
        for name in &changed {
            let table = &fresh[*name];
            let then = before.tables.get(*name).copied().filter(|_| !is_remade(run, before, table));
            let change = match then {
                Some(then) => table.changes_since(then).await?,
                None => Change::Replaced,
            };
            match (then, change) {
                (Some(then), Change::Appended(files)) => {
                    rows += table.size_of(&files).rows;
                    transition.new.open_files(table, &files);
                    appended.insert(*name, then);
                }
                _ => rows += table.size().rows,
            }
        }
        let session = self.engine.job_session(catalogue, &transition, rows);
        let every_audit = publication.judged_by != before.judged_by;
        let judged = Judged { tables: fresh, changed, appended, every_audit, now: run.started_at };
        self.judge_tables(&session, &judged).await
    }

    /// Holds tables, as the session sees them, against their contracts, the audits and the books.
    pub(super) async fn judge_tables(
        &self,
        session: &SessionContext,
        judged: &Judged<'_>,
    ) -> Result<Judgement> {
        let (verdicts, balances) =
            futures::try_join!(self.verdicts(session, judged), self.balances(session, judged))?;
        Ok(Judgement { balances, verdicts, published: false })
    }

    /// The verdicts on changed tables, and on those that refer to one. What a table that is not there would be
    /// asked is left out.
    async fn verdicts(&self, session: &SessionContext, judged: &Judged<'_>) -> Result<Vec<Verdict>> {
        let Judged { tables, changed, appended, now, .. } = judged;
        let concerns_changed = |contract: &&Contract| {
            let mut others = contract.expectations.values().filter_map(Expectation::other_table);
            changed.contains(&contract.name) || others.any(|other| changed.contains(other))
        };
        let contracts = self.project.contracts.values().filter(|c| tables.contains_key(&c.name));
        let mut contracts: Vec<&Contract> = contracts.filter(concerns_changed).collect();
        // What a table is made from comes first, as does a cause.
        contracts.sort_by_key(|c| self.project.graph.order().iter().position(|name| *name == c.name));
        let audits = contracts
            .into_iter()
            .map(|contract| audit(session, tables, contract, appended.contains_key(&contract.name), *now));
        let is_there = |name: &String| {
            let stored = TableName::parse(name).filter(|name| self.project.contracts.contains_key(name));
            stored.is_none_or(|name| tables.contains_key(&name))
        };
        let is_changed = |name: &String| TableName::parse(name).is_some_and(|name| changed.contains(&name));
        let queries = self.project.audits.iter().filter(|(_, query)| {
            query.reads.iter().all(is_there) && (judged.every_audit || query.reads.iter().any(is_changed))
        });
        let queries = queries.map(|(name, query)| audit_query(session, name, query));
        let mut verdicts: Vec<Verdict> = parallel::all(self, audits)?.into_iter().flatten().collect();
        verdicts.extend(parallel::all(self, queries)?);
        Ok(verdicts)
    }

    /// Both sides of every crossing that a changed table takes part in, as far as all of its tables are there.
    async fn balances(&self, session: &SessionContext, judged: &Judged<'_>) -> Result<Vec<Balance>> {
        let Judged { tables, changed, appended, .. } = judged;
        let mut balances = Vec::new();
        for name in changed.iter().filter(|name| name.layer == Layer::Bronze) {
            balances.extend(self.received(session, &tables[*name], appended.get(name).copied()).await?);
        }
        let contracts = self.project.contracts.values();
        let crossings = contracts
            .flat_map(|contract| contract.reconcile.iter().map(move |(book, r)| (contract, book, r)));
        let crossings = crossings.filter(|(contract, _, reconcile)| {
            let mut names = reconcile.with.iter().chain([&contract.name, &reconcile.against]);
            names.clone().all(|name| tables.contains_key(name)) && names.any(|name| changed.contains(name))
        });
        let crossings = crossings.map(|(contract, book, _)| balance(session, tables, contract, book));
        balances.extend(parallel::all(self, crossings)?);
        Ok(balances)
    }

    /// What the readers of files counted against what the files of a bronze table hold, since it had the
    /// version `then` if rows were only added; nothing when they did not count all of it.
    async fn received(
        &self,
        session: &SessionContext,
        table: &Table,
        then: Option<Version>,
    ) -> Result<Option<Balance>> {
        let contract = self.project.contract(table.name())?;
        let (read, from) = match then {
            Some(then) => {
                let before = Table::open(&self.store, table.name(), Some(then)).await?;
                let added = Tally::of_record(table).minus(&Tally::of_record(&before));
                (added, format!("{NEW}.{}", table.name()))
            }
            None => (Tally::of_record(table), table.name().to_string()),
        };
        if read.get(&Measure::rows(None)).is_none() {
            return Ok(None);
        }
        let amounts = self.project.contracts.values().flat_map(|other| other.reconcile.values());
        let amounts = amounts.filter(|reconcile| reconcile.against == contract.name);
        let amounts = amounts.flat_map(|reconcile| {
            let measure = |there: &str| Measure::sum(there, reconcile.filter.as_deref());
            reconcile.amounts.iter().map(move |(name, amount)| (name.clone(), measure(&amount.there)))
        });
        let (names, measures): (Vec<String>, Vec<Measure>) =
            amounts.filter(|(name, measure)| name != LINES && read.get(measure).is_some()).unzip();
        let measures: Vec<Measure> = [Measure::rows(None)].into_iter().chain(measures).collect();
        let stored = count(session, &from, &measures).await?;
        let given: Vec<i128> = measures.iter().map(|measure| read.get(measure).unwrap_or_default()).collect();
        let entry = |is_in, account: &str, values: &[i128]| Entry {
            is_in,
            account: account.into(),
            rows: values[0],
            // Rows are an amount of their own here: each record of a file is one row.
            amounts: [values[0] * 10_000].into_iter().chain(values[1..].iter().copied()).collect(),
        };
        Ok(Some(Balance {
            name: format!("files → {}", table.name()),
            amounts: [LINES.to_string()].into_iter().chain(names).collect(),
            entries: vec![entry(true, "files", &given), entry(false, &table.name().to_string(), &stored)],
        }))
    }

    /// Each table means the version that `tables` names.
    pub(super) fn pin(&self, catalogue: &Catalogue, tables: &BTreeMap<TableName, Version>) {
        for (name, version) in tables {
            catalogue.pin(&self.store, name, *version);
        }
    }
}

/// Whether a publication shows readers something else than the one before it. That the register knows more files
/// by sight is no news: what they hold is in bronze.
fn is_news(publication: &Publication, before: &Publication) -> bool {
    let shown = |publication: &Publication| -> BTreeMap<TableName, Version> {
        let tables = publication.tables.clone().into_iter();
        tables.filter(|(name, _)| *name != register_name()).collect()
    };
    let shown = (shown(publication), shown(before));
    !shown.0.is_empty() && (shown.0 != shown.1 || publication.judged_by != before.judged_by)
}

/// Whether a table was lost and has been made again under the number of the version that is published.
fn is_remade(run: &Run, before: &Publication, table: &Table) -> bool {
    let is_of_this_publication = table.record().is_some_and(|record| record.based_on == run.based_on);
    run.as_of.is_none()
        && is_of_this_publication
        && before.tables.get(table.name()).copied() == table.version()
}

/// Whether a table's rows are older than those that it is made from, for want of a model that passed its gate:
/// the books cannot hold it against them.
pub(super) fn is_kept(table: &Table) -> bool {
    table.record().is_some_and(|record| record.kept)
}

#[cfg(test)]
mod tests {
    //! Proves that of several failures the cause is told.

    use super::*;
    use crate::contract::Severity;

    #[test]
    fn a_key_comes_before_the_books_and_these_before_what_looks_at_several_tables() {
        let verdict = |name: &str, of_rows, failed| {
            let (table, name, severity) = ("gold.rfm".into(), name.into(), Severity::Fail);
            let (query, sample) = ("select 1".into(), Vec::new());
            Verdict { table, name, severity, of_rows, rows: 3, failed, query, sample }
        };
        let book = |amount| Balance {
            name: "silver.invoices → gold.rfm (net)".into(),
            amounts: vec!["net".into()],
            entries: vec![Entry { is_in: true, account: "in".into(), rows: 1, amounts: vec![amount] }],
        };
        let told = |key, amount, audit| {
            let verdicts = vec![verdict("audited", false, audit), verdict("unique_key", true, key)];
            let judgement = Judgement { verdicts, balances: vec![book(amount)], published: false };
            judgement.check().err().map(|error| error.message().to_string())
        };
        assert_eq!(told(2, 1, 1).unwrap(), "`gold.rfm` fails `unique_key` in 2 rows");
        assert!(told(0, 1, 1).unwrap().starts_with("the books of silver.invoices"));
        assert_eq!(told(0, 0, 1).unwrap(), "`gold.rfm` fails `audited` in 1 row");
        assert_eq!(told(0, 0, 0), None);
    }
}
