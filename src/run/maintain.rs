//! Maintenance: small files made into large ones, files that nothing needs removed, the history of a table.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use futures::future::join_all;

use super::{Journal, Lake, Published, Request, Run, States, record};
use crate::config::with_nearest;
use crate::contract::{Contract, Layer, TableName};
use crate::engine::Catalogue;
use crate::error::{Error, Result};
use crate::ingest;
use crate::table::{
    CommitRecord, LogEntry, Mode, Publications, State, Table, Version, publications_contract,
};

/// Files of less than this many bytes are all of one size to the policy.
const SMALLEST_TIER_BYTES: u64 = 64 << 10;

/// What became of a table's files.
#[derive(Clone, Debug)]
pub struct Optimized {
    /// The table.
    pub table: TableName,
    /// Files that were rewritten, and those that hold their rows now.
    pub files: (u64, u64),
    /// Bytes of both.
    pub bytes: (u64, u64),
}

/// What a vacuum removed, or would remove.
#[derive(Clone, Debug)]
pub struct Vacuumed {
    /// The table.
    pub table: TableName,
    /// The files.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

/// One version of a table.
#[derive(Clone, Debug)]
pub struct Past {
    /// The commit that made it.
    pub entry: LogEntry,
    /// Whether it was ever published.
    pub is_published: bool,
}

impl Lake {
    /// Makes one file of each group of files of similar size that has grown large enough, as the settings say,
    /// for the tables that this run changed; what fails is tried again after the next run.
    pub(super) async fn compact(
        &self,
        run: &Run,
        states: &mut States,
        changed: &BTreeSet<TableName>,
    ) -> Result<()> {
        for name in changed {
            let Ok(state) = states.expect(name).cloned() else { continue };
            let compacted = self.stop.unless(self.compact_table(run, &state)).await;
            self.stop.check()?;
            match compacted {
                Ok(Some(table)) => states.update(table),
                Ok(None) => {}
                Err(error) => tracing::warn!(table = %name, %error, "files could not be compacted"),
            }
        }
        Ok(())
    }

    /// Compacts the tables that runs are recorded in, and drops the oldest runs from them.
    pub(super) async fn compact_records(&self, run: &Run) {
        let Ok(contracts) = record::contracts() else { return };
        let names = contracts.into_iter().map(|contract| contract.name);
        let names = names.chain([TableName::new(Layer::Ops, "publications")]);
        join_all(names.map(|name| async move {
            let compacted = async {
                let state = State::of(Table::open(&self.store, &name, None).await?);
                self.compact_table(run, &state).await
            };
            if let Err(error) = compacted.await {
                tracing::warn!(table = %name, %error, "files could not be compacted");
            }
        }))
        .await;
    }

    async fn compact_table(&self, run: &Run, state: &State) -> Result<Option<Table>> {
        let files = self.worth_compacting(&state.table);
        if files.is_empty() || state.table.version() != state.newest.version() {
            return Ok(None);
        }
        self.rewrite(run, &state.table, &files, None).await.map(Some)
    }

    /// Size-tiered compaction: once so many files are of one tier, each four times as large as the one below,
    /// they and all smaller ones become one file.
    fn worth_compacting(&self, table: &Table) -> BTreeSet<String> {
        let settings = &self.project.config.settings;
        let sizes = table.file_sizes();
        let tier = |bytes: u64| (bytes / SMALLEST_TIER_BYTES).checked_ilog2().map_or(0, |log| 1 + log / 2);
        let mut tiers: BTreeMap<u32, u64> = BTreeMap::new();
        for bytes in sizes.values().filter(|bytes| **bytes < settings.write.target_file_mb << 19) {
            *tiers.entry(tier(*bytes)).or_default() += 1;
        }
        let full = tiers.iter().rev().find(|(_, files)| **files >= settings.maintenance.compact_files);
        let Some((full, _)) = full else { return BTreeSet::new() };
        sizes.into_iter().filter(|(_, bytes)| tier(*bytes) <= *full).map(|(path, _)| path).collect()
    }

    /// Writes the rows of some files of a table into new files, in the order of `sort_by` or of the key.
    async fn rewrite(
        &self,
        run: &Run,
        table: &Table,
        files: &BTreeSet<String>,
        sort_by: Option<&str>,
    ) -> Result<Table> {
        let name = table.name();
        let contract = self.contract_of(name)?;
        let catalogue = self.names();
        catalogue.open_files(table, files);
        let session = self.engine.session(catalogue);
        let columns = contract.columns.iter().map(|column| column.name.as_str());
        let key = contract.key.iter().map(String::as_str);
        let order: Vec<&str> = if contract.key.is_empty() { columns.collect() } else { key.collect() };
        let order = sort_by.map_or_else(|| order.join(", "), Into::into);
        let bound = match name.layer {
            Layer::Ops if files.len() as u64 == table.size().files => self.oldest_kept_run(table).await?,
            _ => None,
        };
        let kept = bound.as_ref().map_or(String::new(), |run_id| format!("where run_id >= '{run_id}'"));
        let query = format!("select * from {name} {kept} order by {order}");
        let mut rows = session.sql(&query).await?.execute_stream().await?;
        let mut writer = table.file_writer(&contract.schema(), &run.options);
        while let Some(batch) = rows.next().await {
            writer.write(&batch?).await?;
        }
        let draft = writer.close().await?;
        let before = table.size_of(files).rows;
        if bound.is_none() && draft.rows != before {
            return Err(Error::internal(format!(
                "`{name}` has {before} rows in these files, and {} were read",
                draft.rows
            )));
        }
        let record = CommitRecord { rows: draft.rows, ..table.record().cloned().unwrap_or_default() };
        let mode = if draft.rows == before { Mode::Rewrite(files) } else { Mode::Replace };
        table.commit(&contract, mode, draft, record).await
    }

    /// Rows of `ops` tables that belong to runs before this one are dropped; none while there are few runs.
    async fn oldest_kept_run(&self, table: &Table) -> Result<Option<String>> {
        use datafusion::arrow::array::AsArray;
        if [ingest::register_name(), TableName::new(Layer::Ops, "publications")].contains(table.name()) {
            return Ok(None);
        }
        let keep = self.project.config.settings.maintenance.keep_runs;
        let catalogue = Catalogue::new();
        catalogue.open(table);
        let query = format!(
            "select cast(run_id as string) as run_id from (select distinct run_id from {}) as runs \
             order by run_id desc limit 1 offset {}",
            table.name(),
            keep.saturating_sub(1)
        );
        let batches = self.engine.session(catalogue).sql(&query).await?.collect().await?;
        let first = batches.iter().find(|batch| batch.num_rows() > 0);
        Ok(first.map(|batch| batch.column(0).as_string_view().value(0).to_string()))
    }

    /// The contract of a table, those of `ops` included.
    pub fn contract_of(&self, name: &TableName) -> Result<Contract> {
        if let Some(contract) = self.project.contracts.get(name) {
            return Ok(contract.clone());
        }
        if *name == ingest::register_name() {
            return ingest::register_contract();
        }
        let mut ops = record::contracts()?;
        ops.push(publications_contract()?);
        ops.into_iter()
            .find(|contract| contract.name == *name)
            .ok_or_else(|| self.project.unknown_table(&name.to_string()))
    }

    /// Makes the files of a table as few and as large as the settings want them, sorted by `sort_by` or by the
    /// key, and publishes that. Without a name, every published table of more than one file.
    pub async fn optimize(&self, name: Option<&TableName>, sort_by: Option<&str>) -> Result<Vec<Optimized>> {
        let mut run = self.start(&Request::default())?;
        run.command = "optimize";
        let _listening = self.stop.listen();
        self.store.check_format().await?;
        if let Some(name) = name {
            let contract = self.contract_of(name)?;
            check_columns(&contract, sort_by)?;
            check_order(&contract, sort_by)?;
        }
        let _lock = self.store.lock(&run.id)?;
        let publications = Publications::open(&self.store).await?;
        run.based_on = publications.table().version();
        let mut states = States::load(self, &publications).await?;
        let published = publications.newest().map(|p| p.tables.clone()).unwrap_or_default();
        if let Some(name) = name.filter(|name| !published.contains_key(*name)) {
            return Err(Error::invalid(format!("`{name}` is not a published table")).hint(
                "`lake status` lists those; the tables that runs are recorded in are compacted as runs go",
            ));
        }
        let mut optimized = Vec::new();
        for name in published.keys().filter(|candidate| name.is_none_or(|name| name == *candidate)) {
            let state = states.expect(name)?.clone();
            let files: BTreeSet<String> = state.table.file_sizes().into_keys().collect();
            let wanted = files.len() > 1 || (sort_by.is_some() && !files.is_empty());
            if wanted && state.table.version() != state.newest.version() {
                let error = Error::invalid(format!("`{name}` has been rolled back and not been built since"));
                return Err(error.hint("`lake run` first"));
            }
            if !wanted {
                continue;
            }
            let before = state.table.size();
            let table = self.stop.unless(self.rewrite(&run, &state.table, &files, sort_by)).await?;
            let after = table.size();
            states.update(table);
            optimized.push(Optimized {
                table: name.clone(),
                files: (before.files, after.files),
                bytes: (before.bytes, after.bytes),
            });
        }
        let mut journal = Journal::default();
        self.conclude(&run, &publications, &publications.seen(), &states, &mut journal.judgement).await?;
        self.record(&run, &journal, None).await;
        Ok(optimized)
    }

    /// Finds, and with `apply` removes, the files that no kept publication needs: kept are those that were in
    /// force within `older_than`, and what is known as of each day. Where no lock keeps runs out, files of the
    /// last day are never removed.
    pub async fn vacuum(&self, older_than: TimeDelta, apply: bool) -> Result<Vec<Vacuumed>> {
        let run = self.start(&Request::default())?;
        if apply && older_than < TimeDelta::days(1) && !self.store.is_lockable() {
            return Err(Error::invalid("files of the last day may belong to a run that is at work")
                .hint("a lake on an object store cannot be locked: keep at least one day"));
        }
        if self.publications().await?.is_empty() {
            return Ok(Vec::new());
        }
        let _lock = self.store.lock(&run.id)?;
        let oldest = run.started_at.checked_sub_signed(older_than).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let known = self.publications_as_of().await?;
        let mut vacuumed = Vec::new();
        for (day, _) in &known {
            vacuumed.extend(self.of_day(*day)?.vacuum_tables(oldest, &[], apply).await?);
        }
        // Of the tables that no day changes, what is known on a day reads those of this lake.
        let dated = self.dated();
        let mut also: Vec<Published> = known.into_iter().map(|(_, published)| published).collect();
        also.iter_mut().for_each(|published| published.tables.retain(|name, _| !dated.contains(name)));
        vacuumed.extend(self.vacuum_tables(oldest, &also, apply).await?);
        Ok(vacuumed)
    }

    /// The same in one lake, whose tables keep what the publications `also` name, too.
    async fn vacuum_tables(
        &self,
        oldest: DateTime<Utc>,
        also: &[Published],
        apply: bool,
    ) -> Result<Vec<Vacuumed>> {
        let all = self.publications().await?;
        // What was in force when the retention began is older than it.
        let within = all.iter().take_while(|published| published.published_at >= oldest).count();
        let kept: Vec<&Published> = all.iter().take(within + 1).chain(also).collect();
        let mut names: BTreeSet<TableName> = self.project.contracts.keys().cloned().collect();
        names.insert(ingest::register_name());
        names.insert(TableName::new(Layer::Ops, "publications"));
        names.extend(record::contracts()?.into_iter().map(|contract| contract.name));
        let mut vacuumed = Vec::new();
        for name in names {
            let table = Table::open(&self.store, &name, None).await?;
            let mut versions: BTreeSet<Version> =
                kept.iter().filter_map(|published| published.tables.get(&name).copied()).collect();
            versions.extend(table.version());
            if self.project.remembered().contains(&name) {
                versions.extend(table.record().and_then(|record| record.previous));
            }
            let (files, bytes) = table.vacuum(&versions, oldest, apply).await?;
            if !files.is_empty() {
                vacuumed.push(Vacuumed { table: name, files, bytes });
            }
        }
        Ok(vacuumed)
    }

    /// The newest versions of a table, newest first.
    pub async fn history(&self, name: &TableName, limit: usize) -> Result<Vec<Past>> {
        self.contract_of(name)?;
        let published = self.publications().await?;
        let table = Table::open(&self.store, name, None).await?;
        let past = table.history(limit).await?.into_iter().map(|entry| {
            let is_published = published.iter().any(|p| p.tables.get(name) == Some(&entry.version));
            Past { entry, is_published }
        });
        Ok(past.collect())
    }
}

/// A table of bronze stays in the order of its key: silver reads it in that order, without sorting it.
fn check_order(contract: &Contract, sort_by: Option<&str>) -> Result<()> {
    let is_key = |names: &str| names.split(',').map(str::trim).eq(contract.key.iter().map(String::as_str));
    if contract.name.layer != Layer::Bronze || sort_by.is_none_or(is_key) {
        return Ok(());
    }
    Err(Error::invalid(format!("`{}` stays in the order in which its rows came", contract.name))
        .detail("silver reads it in that order, without sorting it")
        .hint("leave out `--sort-by`"))
}

/// Each of the names joined by commas is a column of the table.
fn check_columns(contract: &Contract, names: Option<&str>) -> Result<()> {
    let columns = || contract.columns.iter().map(|column| column.name.as_str());
    let mut names = names.into_iter().flat_map(|names| names.split(',')).map(str::trim);
    match names.find(|name| columns().all(|column| column != *name)) {
        None => Ok(()),
        Some(unknown) => {
            let error = Error::invalid(format!("`{}` has no column `{unknown}` to sort by", contract.name));
            Err(with_nearest(error, unknown, columns()))
        }
    }
}
