//! A run: plan, ingest, build, audit, balance the books, publish. The only room that knows the whole order.
//!
//! Never prints: what happens is told to an [`Observer`], what came out is a [`Summary`].

mod as_of;
mod ask;
mod build;
mod check;
mod fan;
mod fingerprint;
mod history;
mod learned;
mod maintain;
mod parallel;
mod pattern;
mod plan;
mod publish;
mod receive;
mod record;
mod state;
mod stop;
mod transition;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::{DateTime, NaiveDate, Utc};
use tempfile::TempDir;

use crate::clock::{Clock, run_id};
use crate::contract::{Layer, TableName};
use crate::engine::{Catalogue, Engine};
use crate::error::{Error, Result, io_error};
use crate::ingest::{self, Arrival, Ingested};
use crate::project::Project;
use crate::quality::{Balance, Verdict};
use crate::table::{Publication, Publications, Store, Table, Version, WriteOptions};
pub use as_of::name_of;
pub use ask::{Session, reads_only};
pub use check::{Checked, check, place};
pub use history::Published;
pub use learned::Modelled;
pub use maintain::{Optimized, Past, Vacuumed};
use parallel::locked;
use plan::Asked;
pub use plan::{Plan, Step};
use record::Journal;
use state::States;
pub use stop::{Stop, told_to_end};
pub use verify::Comparison;

/// What a run is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Build this layer; gold when nothing is said.
    pub layer: Option<Layer>,
    /// Build these tables, as [`Graph::select`](crate::job::Graph::select) reads them.
    pub select: Option<String>,
    /// Build them whole, whether they are stale or not.
    pub full_refresh: bool,
    /// Build what would have been known on this day, from what came before it, and publish it by that name.
    pub as_of: Option<NaiveDate>,
}

/// Something that happened during a run, to a table unless it concerns all of them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are what the variants say")]
pub enum Event {
    /// So many rows of source files were read.
    Read { table: TableName, rows: u64 },
    /// So many bytes of a download have come in, of so many in all if that is known.
    Fetched { bytes: u64, of: Option<u64> },
    /// A table is being built.
    Started { table: TableName },
    /// So many rows of a table were written.
    Wrote { table: TableName, rows: u64 },
    /// A table is built: its rows, and the seconds it took.
    Finished { table: TableName, rows: u64, seconds: f64 },
    /// Tables are being held against contracts and books.
    Judging,
}

/// Who is told what happens.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);

    /// Something hinders nothing, and somebody should know it: a line of text.
    fn warning(&self, text: &str) {
        tracing::warn!("{text}");
    }
}

/// Hears nothing.
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event) {}

    fn warning(&self, _: &str) {}
}

/// A project and the place where its tables lie.
pub struct Lake {
    /// What the user's text says.
    pub project: Project,
    /// Where the tables lie.
    pub store: Store,
    /// Where queries run.
    pub engine: Engine,
    /// Where instants come from.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// What tells its runs to stop.
    pub stop: Stop,
}

/// What was done about a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was left alone.
    Skipped,
    /// It was built from everything.
    Whole,
    /// It was built from what is new.
    Increment,
    /// Its rows stayed: the model that would have made others did not pass its gate.
    Kept,
}

impl Action {
    /// The word that stands for it in `ops.table_runs`.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Skipped => "skipped",
            Action::Whole => "whole",
            Action::Increment => "increment",
            Action::Kept => "kept",
        }
    }
}

/// What became of one table in a run.
#[derive(Clone, Debug)]
pub struct TableOutcome {
    /// The table.
    pub table: TableName,
    /// What was done.
    pub action: Action,
    /// Why, in words.
    pub reason: String,
    /// Rows read from its inputs.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Rows it has.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// The versions of its inputs.
    pub inputs: BTreeMap<String, Version>,
    /// Its version.
    pub version: Option<Version>,
    /// Seconds it took.
    pub seconds: f64,
    /// The most memory that the process had held when it was done.
    pub peak_memory_bytes: Option<u64>,
}

/// What came out of a run.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The run.
    pub run_id: String,
    /// What was ingested, by bronze table.
    pub ingested: Vec<Ingested>,
    /// Every table that was asked for, in order.
    pub tables: Vec<TableOutcome>,
    /// How what is new was judged.
    pub judgement: Judgement,
    /// Seconds of the whole run.
    pub seconds: f64,
}

/// How what is new was judged; nothing when nothing is new.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The crossings that were reconciled.
    pub balances: Vec<Balance>,
    /// The expectations that were looked at.
    pub verdicts: Vec<Verdict>,
    /// Whether something new was published.
    pub published: bool,
}

/// What readers see.
pub struct Status {
    /// The newest publication.
    pub publication: Option<Publication>,
    /// Every table that has a contract, at its published version if it has one that can be opened.
    pub tables: Vec<(TableName, Option<Table>)>,
    /// Why the published version of a table cannot be opened.
    pub damaged: BTreeMap<TableName, Error>,
}

/// What the steps of one run share.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) options: WriteOptions,
    /// The version of `ops.publications` that it builds upon.
    pub(crate) based_on: Option<Version>,
    pub(crate) as_of: Option<NaiveDate>,
    /// What `last.` means, where it is not what the lake's own tables held before.
    pub(crate) remembered: Option<BTreeMap<TableName, Table>>,
    pub(crate) command: &'static str,
    /// Where what is fetched stays for as long as the run.
    pub(crate) downloads: TempDir,
}

/// A folder that is gone when it is dropped.
fn temporary_folder() -> Result<TempDir> {
    tempfile::tempdir().map_err(|e| io_error("make a folder in", &std::env::temp_dir(), &e))
}

impl Lake {
    /// Opens the lake of a project.
    pub fn open(project: Project, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Result<Lake> {
        let settings = &project.config.settings;
        let store = Store::open(&project.folder, &settings.root)?;
        let store = store.with_checkpoints(settings.maintenance.checkpoint_commits);
        let engine = Engine::new(&project.config.settings)?;
        Ok(Lake { project, store, engine, clock, observer, stop: Stop::default() })
    }

    /// What a run would do, without doing it.
    pub async fn plan(&self, request: &Request) -> Result<(Plan, Vec<Arrival>)> {
        check(self).await?;
        self.store.check_format().await?;
        if let Some(day) = request.as_of {
            return Ok((self.known(day, request).await?.plan, Vec::new()));
        }
        let targets = self.targets(request)?;
        let publications = Publications::open(&self.store).await?;
        let states = States::load(self, &publications).await?;
        let catalogue = self.names();
        open_all(&catalogue, &states);
        let downloads = temporary_folder()?;
        let arrivals = self.arrivals(&targets, &states, &catalogue, downloads.path()).await?;
        let changed = arrivals.iter().filter(|a| !a.new.is_empty()).map(|a| a.table.clone()).collect();
        Ok((Plan::new(self, &states, &targets, &changed, request.asked())?, arrivals))
    }

    /// Brings the tables that are asked for, and whatever they are made from, up to date and publishes them.
    pub async fn run(&self, request: &Request) -> Result<Summary> {
        let clock = Instant::now();
        let _listening = self.stop.listen();
        let mut run = self.start(request)?;
        let _lock = self.store.lock(&run.id)?;
        self.store.initialise().await?;
        let mut journal = Journal::default();
        let ended = match request.as_of {
            Some(day) => self.run_as_of(&mut run, day, request, &mut journal).await.map(|()| Vec::new()),
            None => self.run_locked(&mut run, request, &mut journal).await,
        };
        self.record(&run, &journal, ended.as_ref().err()).await;
        Ok(Summary {
            run_id: run.id.clone(),
            ingested: ended?,
            tables: journal.tables,
            judgement: journal.judgement,
            seconds: clock.elapsed().as_secs_f64(),
        })
    }

    async fn run_locked(
        &self,
        run: &mut Run,
        request: &Request,
        journal: &mut Journal,
    ) -> Result<Vec<Ingested>> {
        let targets = self.targets(request)?;
        let publications = Publications::open(&self.store).await?;
        run.based_on = publications.table().version();
        let mut states = States::load(self, &publications).await?;
        if !self.is_checked(&targets, &states, &publications)? {
            check(self).await?;
        }
        open_all(&run.catalogue, &states);
        let arriving = self.arrivals(&targets, &states, &run.catalogue, run.downloads.path());
        let arrivals = self.stop.unless(arriving).await?;
        let ingested = self.load_all(run, arrivals, &mut states, journal).await?;
        self.check_delivered(&ingested, &states)?;
        ingested.iter().flat_map(|table| &table.warnings).for_each(|text| self.observer.warning(text));
        let plan = Plan::new(self, &states, &targets, &BTreeSet::new(), request.asked())?;
        let stale = plan.steps.iter().filter(|step| step.build).count();
        tracing::info!(run_id = run.id, steps = plan.steps.len(), stale, "planned");
        self.build(run, &plan, &mut states, journal).await?;
        let mut changed: BTreeSet<TableName> = journal
            .tables
            .iter()
            .filter(|table| table.action != Action::Skipped)
            .map(|table| table.table.clone())
            .collect();
        let loaded = ingested.iter().filter(|ingested| ingested.files > 0);
        changed.extend(loaded.flat_map(|ingested| [ingested.table.clone(), ingest::register_name()]));
        self.compact(run, &mut states, &changed).await?;
        self.conclude(run, &publications, &publications.seen(), &states, &mut journal.judgement).await?;
        Ok(ingested)
    }

    /// Whether the text is that which the targets, and what they are made from, were made by and held against: it
    /// was checked then.
    fn is_checked(
        &self,
        targets: &BTreeSet<TableName>,
        states: &States,
        publications: &Publications,
    ) -> Result<bool> {
        let judged_by = publications.newest().map(|publication| &publication.judged_by);
        if judged_by != Some(&fingerprint::of_judgement(&self.project)?) {
            return Ok(false);
        }
        let wanted = self.project.graph.with_ancestors(targets.iter().cloned());
        let is_made =
            |name: &&TableName| name.layer != Layer::Bronze && self.project.contracts.contains_key(*name);
        for name in wanted.iter().filter(is_made) {
            let now = fingerprint::of(&self.project, name, None)?;
            if states.expect(name)?.table.record().is_none_or(|record| record.fingerprint != now) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A bronze table that never received anything has nothing that could be built from it.
    fn check_delivered(&self, ingested: &[Ingested], states: &States) -> Result<()> {
        for table in ingested.iter().map(|ingested| &ingested.table) {
            if states.expect(table)?.table.version().is_none() {
                let landing = &self.project.sources.get(&table.table)?.landing;
                return Err(Error::invalid(format!("nothing has been delivered for `{table}` yet"))
                    .detail(format!("looked into `{landing}`"))
                    .hint("put files there, name some with `lake ingest FILE`, or make some with `lake generate`"));
            }
        }
        Ok(())
    }

    /// A table at a version of it; none at none.
    async fn at(&self, name: &TableName, version: Option<Version>) -> Result<Option<Table>> {
        match version {
            Some(version) => Table::open(&self.store, name, Some(version)).await.map(Some),
            None => Ok(None),
        }
    }

    /// The names of a project, without any rows yet.
    fn names(&self) -> Arc<Catalogue> {
        let catalogue = Catalogue::new();
        for name in self.project.contracts.keys() {
            catalogue.promise(name);
        }
        for mapping in self.project.mappings.values() {
            catalogue.map(mapping);
        }
        catalogue
    }

    fn start(&self, request: &Request) -> Result<Run> {
        let started_at = self.clock.now();
        let id = run_id(started_at);
        let catalogue = self.names();
        catalogue.provide("lake", "run", state::run_table(&id, started_at)?);
        catalogue.provide("lake", "parameters", state::parameters_table(request.as_of)?);
        let options = WriteOptions::new(&self.project.config.settings.write)?;
        Ok(Run {
            id,
            started_at,
            catalogue,
            options,
            based_on: None,
            as_of: request.as_of,
            remembered: None,
            command: "run",
            downloads: temporary_folder()?,
        })
    }

    /// The tables a request means, without those that they are made from.
    fn targets(&self, request: &Request) -> Result<BTreeSet<TableName>> {
        let graph = &self.project.graph;
        let mut targets = match &request.select {
            Some(selection) => graph.select(selection, |name| self.project.contracts.contains_key(name))?,
            None => self.project.contracts.keys().cloned().collect(),
        };
        let layer = request.layer.unwrap_or(Layer::Gold);
        targets.retain(|name| name.layer <= layer);
        if targets.is_empty() {
            return Err(Error::invalid(format!(
                "nothing of the selection lies in {} or below",
                layer.as_str()
            )));
        }
        Ok(targets)
    }

    /// Builds the stale steps of a plan, several at once where none waits for another. What was committed
    /// before or beside a failure is in the journal, too.
    async fn build(&self, run: &Run, plan: &Plan, states: &mut States, journal: &mut Journal) -> Result<()> {
        let mut outcomes = BTreeMap::new();
        let built = self.build_steps(run, plan, states, &mut outcomes, &mut journal.models);
        journal.models.sort_by_key(|model| model.estimator.as_str());
        journal.tables = plan.tables().filter_map(|name| outcomes.remove(name)).collect();
        built
    }

    /// Builds step by step; what was built before an error counts as built.
    fn build_steps(
        &self,
        run: &Run,
        plan: &Plan,
        states: &mut States,
        outcomes: &mut BTreeMap<TableName, TableOutcome>,
        models: &mut Vec<Modelled>,
    ) -> Result<()> {
        open_all(&run.catalogue, states);
        let (steps, waits) = plan.building();
        let made = Mutex::new((&mut *states, &mut *outcomes, models));
        let begin = |step: usize| {
            let (step, seen) = (steps[step], locked(&made).0.clone());
            async move {
                let built = build::build(self, run, step, &seen).await;
                built.map_err(|error| pattern::located(&self.project, step, error))
            }
        };
        let end = |built: build::Built| {
            let (states, outcomes, models) = &mut *locked(&made);
            models.extend(built.model);
            for (table, outcome) in built.tables {
                states.update(table);
                outcomes.insert(outcome.table.clone(), outcome);
            }
        };
        parallel::in_turn(self, &waits, begin, end)?;
        for step in &plan.steps {
            for name in step.tables.iter().filter(|name| !outcomes.contains_key(*name)).collect::<Vec<_>>() {
                let table = &states.expect(name)?.table;
                let turned_out = if step.build { ": nothing new in it" } else { "" };
                outcomes.insert(
                    name.clone(),
                    TableOutcome {
                        table: name.clone(),
                        action: Action::Skipped,
                        reason: format!("{}{turned_out}", step.reason(name)),
                        rows_in: 0,
                        rows_out: 0,
                        rows: table.size().rows,
                        bytes: 0,
                        inputs: table.record().map(|record| record.inputs.clone()).unwrap_or_default(),
                        version: table.version(),
                        seconds: 0.0,
                        peak_memory_bytes: None,
                    },
                );
            }
        }
        Ok(())
    }
}

impl Request {
    fn asked(&self) -> Asked {
        Asked { full_refresh: self.full_refresh, as_of: self.as_of }
    }
}

/// Each name means its table as the run finds it.
fn open_all(catalogue: &Catalogue, states: &States) {
    for (_, table) in states.tables() {
        catalogue.open(table);
    }
}
