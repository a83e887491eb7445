//! A run: plan, ingest, build, audit, balance the books, publish. The only room that knows the whole order.
//!
//! Never prints: what happens is told to an [`Observer`], what came out is a [`Summary`].

mod build;
mod check;
mod fan;
mod fingerprint;
mod plan;
mod publish;
mod receive;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use tempfile::TempDir;

use crate::clock::{Clock, run_id};
use crate::contract::{Layer, TableName};
use crate::engine::{Catalogue, Engine};
use crate::error::{Error, Result, io_error};
use crate::ingest::{Arrival, Ingested};
use crate::project::Project;
use crate::quality::{Balance, Finding};
use crate::table::{Publication, Publications, Store, Table, WriteOptions};
pub use check::{Checked, check, place};
pub use plan::{Plan, Step};
pub use state::{State, States};

/// What a run is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Build this layer; gold when nothing is said.
    pub layer: Option<Layer>,
    /// Build these tables, as [`Graph::select`](crate::job::Graph::select) reads them.
    pub select: Option<String>,
    /// Build them whether they are stale or not.
    pub full_refresh: bool,
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
}

/// Hears nothing.
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event) {}
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
}

/// What became of one table in a run.
#[derive(Clone, Debug)]
pub struct TableOutcome {
    /// The table.
    pub table: TableName,
    /// Whether it was built.
    pub built: bool,
    /// Why it was built or not, in words.
    pub reason: String,
    /// Rows read from its inputs, if it was built.
    pub rows_in: u64,
    /// Rows it has.
    pub rows: u64,
    /// Seconds it took.
    pub seconds: f64,
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
    /// The books that were balanced.
    pub books: Vec<Balance>,
    /// Expectations that rows fail and that only warn.
    pub warnings: Vec<(TableName, Finding)>,
    /// Whether something new was published.
    pub published: bool,
}

/// What readers see.
pub struct Status {
    /// The newest publication.
    pub publication: Option<Publication>,
    /// Every table that has a contract, at its published version if it has one.
    pub tables: Vec<(TableName, Option<Table>)>,
}

/// What the steps of one run share.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) options: WriteOptions,
    /// Where what is fetched stays for as long as the run.
    pub(crate) downloads: TempDir,
}

fn downloads() -> Result<TempDir> {
    tempfile::tempdir().map_err(|e| io_error("make a folder in", &std::env::temp_dir(), &e))
}

impl Lake {
    /// Opens the lake of a project.
    pub fn open(project: Project, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Result<Lake> {
        let store = Store::open(&project.folder, &project.config.settings.root)?;
        let engine = Engine::new(&project.config.settings)?;
        Ok(Lake { project, store, engine, clock, observer })
    }

    /// What a run would do, without doing it.
    pub async fn plan(&self, request: &Request) -> Result<(Plan, Vec<Arrival>)> {
        check(self).await?;
        self.store.check_format().await?;
        let targets = self.targets(request)?;
        let states = States::load(self).await?;
        let catalogue = self.newest(&states);
        let downloads = downloads()?;
        let arrivals = self.arrivals(&targets, &states, &catalogue, downloads.path()).await?;
        let changed = arrivals.iter().filter(|a| !a.new.is_empty()).map(|a| a.table.clone()).collect();
        Ok((Plan::new(self, &states, &targets, &changed, request.full_refresh)?, arrivals))
    }

    /// Brings the tables that are asked for, and whatever they are made from, up to date and publishes them.
    pub async fn run(&self, request: &Request) -> Result<Summary> {
        let clock = Instant::now();
        let run = self.start()?;
        let _lock = self.store.lock(&run.id)?;
        check(self).await?;
        self.store.initialise().await?;
        let targets = self.targets(request)?;
        let publications = Publications::open(&self.store).await?;
        let mut states = States::load(self).await?;
        self.pin_newest(&run.catalogue, &states);
        let arrivals = self.arrivals(&targets, &states, &run.catalogue, run.downloads.path()).await?;
        let ingested = self.load_all(&run, arrivals, &mut states).await?;
        self.check_delivered(&ingested, &states)?;
        let plan = Plan::new(self, &states, &targets, &BTreeSet::new(), request.full_refresh)?;
        let stale = plan.steps.iter().filter(|step| step.build).count();
        tracing::info!(run_id = run.id, steps = plan.steps.len(), stale, "planned");
        let outcomes = self.build(&run, &plan, &mut states).await?;
        let judgement = self.conclude(&run, &publications, &states).await?;
        Ok(Summary {
            run_id: run.id.clone(),
            ingested,
            tables: plan.tables().map(|name| outcomes[name].clone()).collect(),
            judgement,
            seconds: clock.elapsed().as_secs_f64(),
        })
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

    fn start(&self) -> Result<Run> {
        let started_at = self.clock.now();
        let id = run_id(started_at);
        let catalogue = self.names();
        catalogue.provide("lake", "run", state::parameters(&id, started_at)?);
        let options = WriteOptions::new(&self.project.config.settings.write)?;
        Ok(Run { id, started_at, catalogue, options, downloads: downloads()? })
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

    /// The names of a project, each table at its newest version.
    fn newest(&self, states: &States) -> Arc<Catalogue> {
        let catalogue = self.names();
        self.pin_newest(&catalogue, states);
        catalogue
    }

    fn pin_newest(&self, catalogue: &Catalogue, states: &States) {
        for (name, version) in states.versions() {
            catalogue.pin(&self.store, name, version);
        }
    }

    /// Builds the stale steps of a plan, as many at once as do not wait for each other.
    async fn build(
        &self,
        run: &Run,
        plan: &Plan,
        states: &mut States,
    ) -> Result<BTreeMap<TableName, TableOutcome>> {
        let mut outcomes: BTreeMap<TableName, TableOutcome> = BTreeMap::new();
        self.pin_newest(&run.catalogue, states);
        for wave in plan.waves() {
            let built = try_join_all(wave.iter().map(|step| build::build(self, run, step, states))).await?;
            for (table, outcome) in built.into_iter().flatten() {
                run.catalogue.pin(&self.store, table.name(), table.version().unwrap_or_default());
                states.update(table).await?;
                outcomes.insert(outcome.table.clone(), outcome);
            }
        }
        for step in plan.steps.iter().filter(|step| !step.build) {
            for table in &step.tables {
                let size = states.get(table).map(|state| state.table.size()).unwrap_or_default();
                outcomes.insert(
                    table.clone(),
                    TableOutcome {
                        table: table.clone(),
                        built: false,
                        reason: step.reason(table),
                        rows_in: 0,
                        rows: size.rows,
                        seconds: 0.0,
                    },
                );
            }
        }
        Ok(outcomes)
    }
}
