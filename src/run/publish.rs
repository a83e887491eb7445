//! Publishing: what is new is judged, then shown to readers in one commit; and what readers see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;

use super::{Event, Judgement, Lake, Plan, Run, States, Status, fingerprint};
use crate::contract::{Severity, TableName};
use crate::engine::Catalogue;
use crate::error::{Error, Result};
use crate::quality::{Balance, audit, balance};
use crate::table::{Publication, Publications, Table, Version};

impl Lake {
    /// The tables that readers see, opened by the newest publication.
    pub async fn published(&self) -> Result<Arc<Catalogue>> {
        self.store.check_format().await?;
        let publications = Publications::open(&self.store).await?;
        let catalogue = self.names();
        if let Some(newest) = publications.newest() {
            self.pin(&catalogue, &newest.tables);
        }
        if let Some(version) = publications.table().version() {
            catalogue.pin(&self.store, publications.table().name(), version);
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

    /// Judges what readers do not see yet and publishes it; what fails stays unpublished.
    ///
    /// A stale table is shown as it was published before: whatever was committed for it since was refused,
    /// or is about to be replaced.
    pub(super) async fn conclude(
        &self,
        run: &Run,
        publications: &Publications,
        states: &States,
    ) -> Result<Judgement> {
        let before = publications.newest().cloned().unwrap_or_default();
        let everything = self.project.contracts.keys().cloned().collect();
        let plan = Plan::new(self, states, &everything, &BTreeSet::new(), false)?;
        let stale: BTreeSet<&TableName> = plan.stale().collect();
        let visible = |(name, newest): (&TableName, Version)| {
            let version = if stale.contains(name) { before.tables.get(name).copied()? } else { newest };
            Some((name.clone(), version))
        };
        let publication = Publication {
            run_id: run.id.clone(),
            tables: states.versions().filter_map(visible).collect(),
            judged_by: fingerprint::of_judgement(&self.project)?,
        };
        if (&publication.tables, &publication.judged_by) == (&before.tables, &before.judged_by) {
            return Ok(Judgement::default());
        }
        let mut judgement = self.judge(&publication, &before, &stale).await?;
        publications.publish(&publication, self.clock.now(), &run.options).await?;
        tracing::info!(run_id = run.id, tables = publication.tables.len(), "published");
        judgement.published = true;
        Ok(judgement)
    }

    /// Holds the tables of a publication that were not in the one before against their contracts, and all of
    /// them against the books. The first failure is the error.
    async fn judge(
        &self,
        publication: &Publication,
        before: &Publication,
        stale: &BTreeSet<&TableName>,
    ) -> Result<Judgement> {
        self.observer.event(Event::Judging);
        let catalogue = self.names();
        self.pin(&catalogue, &publication.tables);
        let session = &self.engine.session(catalogue);
        let is_new = |name: &TableName| {
            publication.judged_by != before.judged_by
                || publication.tables.get(name) != before.tables.get(name)
        };
        let new = publication.tables.keys().filter(|name| is_new(name));
        let audited = new
            .filter_map(|name| self.project.contracts.get(name))
            .map(|contract| async move { Ok::<_, Error>((contract, audit(session, contract).await?)) });
        let mut warnings = Vec::new();
        for (contract, findings) in try_join_all(audited).await? {
            for finding in findings {
                match finding.severity {
                    Severity::Fail => return Err(finding.to_error(contract)),
                    Severity::Warn => warnings.push((contract.name.clone(), finding)),
                }
            }
        }
        // A book compares tables made from each other; while one of them is stale it has nothing to say.
        let is_fresh = |name: &String| {
            TableName::parse(name).is_none_or(|n| publication.tables.contains_key(&n) && !stale.contains(&n))
        };
        let books = self.project.books.iter().filter(|(_, query)| query.reads.iter().all(is_fresh));
        let books = try_join_all(books.map(|(name, query)| balance(session, name, query))).await?;
        books.iter().try_for_each(Balance::check)?;
        Ok(Judgement { books, warnings, published: false })
    }

    /// Each table means the version that `tables` names.
    fn pin(&self, catalogue: &Catalogue, tables: &BTreeMap<TableName, Version>) {
        for (name, version) in tables {
            catalogue.pin(&self.store, name, *version);
        }
    }
}
