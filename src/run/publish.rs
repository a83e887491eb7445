//! Publishing: what is new is judged, then shown to readers in one commit; and what readers see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::prelude::SessionContext;
use futures::future::try_join_all;

use super::{Asked, Event, Judgement, Lake, Plan, Run, States, Status, fingerprint, parallel, record};
use crate::contract::{Contract, Expectation, Layer, TableName};
use crate::engine::{Catalogue, Transition};
use crate::error::{Error, Result};
use crate::quality::{Audited, Balance, Entry, Measure, Tally, Verdict, audit, audit_query, balance, count};
use crate::table::{Change, Publication, Publications, Table, Version};

/// What records of files are called in the books.
const LINES: &str = "lines";

impl Lake {
    /// The tables that readers see, opened by the newest publication.
    pub async fn published(&self) -> Result<Arc<Catalogue>> {
        self.store.check_format().await?;
        let publications = Publications::open(&self.store).await?;
        let catalogue = self.names();
        if let Some(newest) = publications.newest() {
            self.pin(&catalogue, &newest.tables);
        }
        catalogue.open_if_built(publications.table());
        for contract in record::contracts()? {
            catalogue.newest(&self.store, &contract.name);
        }
        Ok(catalogue)
    }

    /// What readers see, with every table opened.
    pub async fn status(&self) -> Result<Status> {
        self.store.check_format().await?;
        let publications = Publications::open(&self.store).await?;
        let published = publications.newest().map(|p| p.tables.clone()).unwrap_or_default();
        let opened = self.project.contracts.keys().map(|name| {
            let version = published.get(name).copied();
            async move {
                let table = match version {
                    Some(_) => Some(Table::open(&self.store, name, version).await?),
                    None => None,
                };
                Ok::<_, Error>((name.clone(), table))
            }
        });
        Ok(Status { publication: publications.newest().cloned(), tables: try_join_all(opened).await? })
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
        if (&publication.tables, &publication.judged_by) == (&before.tables, &before.judged_by) {
            return Ok(());
        }
        let fresh = tables.into_iter().filter(|(name, table)| !stale.contains(name) && !is_kept(table));
        let fresh: BTreeMap<_, _> = fresh.collect();
        *judgement = self.judge(run, &publication, before, &fresh).await?;
        judgement.balances.iter().try_for_each(Balance::check)?;
        judgement.verdicts.iter().try_for_each(Verdict::check)?;
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
            before.tables.get(name).is_none_or(|then| table.content() > Some(*then))
                || publication.judged_by.get(&part) != before.judged_by.get(&part)
        };
        let changed: BTreeSet<&TableName> =
            fresh.iter().filter(|(name, table)| is_changed(name, table)).map(|(name, _)| name).collect();
        let catalogue = self.names();
        fresh.values().for_each(|table| catalogue.open(table));
        let transition = Transition { new: Catalogue::new(), old: Catalogue::new() };
        let (mut appended, mut rows) = (BTreeMap::new(), 0);
        for name in &changed {
            let Some(then) = before.tables.get(*name) else { continue };
            if let Change::Appended(files) = fresh[*name].changes_since(*then).await? {
                rows += fresh[*name].size_of(&files).rows;
                transition.new.open_files(&fresh[*name], &files);
                appended.insert(*name, files);
            }
        }
        let whole = changed.iter().filter(|name| !appended.contains_key(*name));
        rows += whole.map(|name| fresh[*name].size().rows).sum::<u64>();
        let session = &self.engine.job_session(catalogue, &transition, rows);
        let judged_by_change = publication.judged_by != before.judged_by;
        let verdicts = self.verdicts(session, fresh, &changed, &appended, run, judged_by_change);
        let (verdicts, balances) =
            futures::try_join!(verdicts, self.balances(session, fresh, &changed, before))?;
        Ok(Judgement { balances, verdicts, published: false })
    }

    /// The verdicts on changed tables, and on those that refer to one.
    async fn verdicts(
        &self,
        session: &SessionContext,
        fresh: &BTreeMap<TableName, Table>,
        changed: &BTreeSet<&TableName>,
        appended: &BTreeMap<&TableName, Vec<String>>,
        run: &Run,
        judged_by_change: bool,
    ) -> Result<Vec<Verdict>> {
        let refers_to_changed = |contract: &Contract| {
            let mut others = contract.expectations.values().filter_map(Expectation::other_table);
            others.any(|other| changed.contains(other))
        };
        let contracts = self.project.contracts.values().filter_map(|c| Some((c, fresh.get(&c.name)?)));
        let audits = contracts
            .filter(|(contract, _)| changed.contains(&contract.name) || refers_to_changed(contract))
            .map(|(contract, table)| {
                let is_appended = appended.contains_key(&contract.name);
                let audited = Audited { contract, table, is_appended };
                async move { audit(session, &audited, run.started_at).await }
            });
        let is_fresh = |name: &String| TableName::parse(name).is_none_or(|name| fresh.contains_key(&name));
        let is_new = |name: &String| TableName::parse(name).is_some_and(|name| changed.contains(&name));
        let queries = self.project.audits.iter().filter(|(_, query)| {
            query.reads.iter().all(is_fresh) && (judged_by_change || query.reads.iter().any(is_new))
        });
        let queries = queries.map(|(name, query)| audit_query(session, name, query));
        let mut verdicts: Vec<Verdict> =
            parallel::all(self.engine.threads(), audits)?.into_iter().flatten().collect();
        verdicts.extend(parallel::all(self.engine.threads(), queries)?);
        Ok(verdicts)
    }

    /// Both sides of every crossing that a changed table takes part in. A stale table has nothing to say.
    async fn balances(
        &self,
        session: &SessionContext,
        fresh: &BTreeMap<TableName, Table>,
        changed: &BTreeSet<&TableName>,
        before: &Publication,
    ) -> Result<Vec<Balance>> {
        let mut balances = Vec::new();
        for name in changed.iter().filter(|name| name.layer == Layer::Bronze) {
            balances.push(self.received(&fresh[*name], before.tables.get(*name).copied()).await?);
        }
        let crossings = self
            .project
            .contracts
            .values()
            .flat_map(|contract| contract.reconcile.values().map(move |reconcile| (contract, reconcile)));
        let crossings = crossings.filter(|(contract, reconcile)| {
            let mut tables = reconcile.with.iter().chain([&contract.name, &reconcile.against]);
            tables.clone().all(|name| fresh.contains_key(name)) && tables.any(|name| changed.contains(name))
        });
        let crossings = crossings.map(|(contract, reconcile)| balance(session, fresh, contract, reconcile));
        balances.extend(parallel::all(self.engine.threads(), crossings)?);
        Ok(balances)
    }

    /// What the readers of files counted against what the files of a bronze table hold, since it had the
    /// version `then`.
    async fn received(&self, table: &Table, then: Option<Version>) -> Result<Balance> {
        let contract = self.project.contract(table.name())?;
        let tally =
            |table: &Table| Tally::of_record(&table.record().map(|r| r.tally.clone()).unwrap_or_default());
        let catalogue = self.names();
        let change = match then {
            Some(then) => table.changes_since(then).await?,
            None => Change::Replaced,
        };
        let read = match (then, change) {
            (Some(then), Change::Appended(files)) => {
                catalogue.open_files(table, &files);
                tally(table).minus(&tally(&Table::open(&self.store, table.name(), Some(then)).await?))
            }
            _ => {
                catalogue.open(table);
                tally(table)
            }
        };
        let amounts = self.project.contracts.values().flat_map(|other| other.reconcile.values());
        let amounts = amounts.filter(|reconcile| reconcile.against == contract.name);
        let amounts = amounts.flat_map(|reconcile| {
            let measure = |there: &str| Measure::sum(there, reconcile.filter.as_deref());
            reconcile.amounts.iter().map(move |(name, amount)| (name.clone(), measure(&amount.there)))
        });
        let (names, measures): (Vec<String>, Vec<Measure>) =
            amounts.filter(|(name, measure)| name != LINES && read.get(measure).is_some()).unzip();
        let measures: Vec<Measure> = [Measure::rows(None)].into_iter().chain(measures).collect();
        let session = self.engine.session(catalogue);
        let stored = count(&session, &table.name().to_string(), &measures).await?;
        let given: Vec<i128> = measures.iter().map(|measure| read.get(measure).unwrap_or_default()).collect();
        let entry = |is_in, account: &str, values: &[i128]| Entry {
            is_in,
            account: account.into(),
            rows: values[0],
            // Rows are an amount of their own here: each record of a file is one row.
            amounts: [values[0] * 10_000].into_iter().chain(values[1..].iter().copied()).collect(),
        };
        Ok(Balance {
            name: format!("files → {}", table.name()),
            amounts: [LINES.to_string()].into_iter().chain(names).collect(),
            entries: vec![entry(true, "files", &given), entry(false, &table.name().to_string(), &stored)],
        })
    }

    /// Each table means the version that `tables` names.
    pub(super) fn pin(&self, catalogue: &Catalogue, tables: &BTreeMap<TableName, Version>) {
        for (name, version) in tables {
            catalogue.pin(&self.store, name, *version);
        }
    }
}

/// Whether a table's rows are older than those that it is made from, for want of a model that passed its gate:
/// the books cannot hold it against them.
pub(super) fn is_kept(table: &Table) -> bool {
    table.record().is_some_and(|record| record.kept)
}
