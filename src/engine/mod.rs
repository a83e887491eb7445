//! The query engine: the one place where sessions are made, and the names they resolve. Never writes.

mod arrival;
mod bounds;
mod catalogue;
mod distinct;
mod firsts;
mod functions;
mod mapping;
mod matching;
mod merge;
mod nested;
mod parse;
mod row_hash;
mod rules;
mod share;
mod text;
mod versions;
mod window;

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProviderList};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryLimit as PoolLimit};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use sysinfo::{MemoryRefreshKind, System};

use crate::config::{MemoryLimit, Settings, memory_limit};
use crate::error::Result;
use crate::job::{LAST, NEW, OLD};
pub use bounds::{STACK_BYTES, check_depth};
pub use catalogue::{CATALOG, Catalogue};
pub use functions::VERSION as FUNCTIONS_VERSION;
pub use mapping::mapping_table;
pub use nested::json_texts;
use share::Share;
pub use versions::{Asked, At, history, versions};

/// What sessions share: memory, threads, temporary files.
#[derive(Clone)]
pub struct Engine {
    /// What every session begins with; making it takes longer than a small query.
    state: SessionState,
    threads: usize,
}

/// Below this number of rows it costs more to share the work, and to plan it well, than to do it.
pub const FEW_ROWS: u64 = 100_000;

/// The memory that a step of a run has at least, where others are done beside it: its operators share it with theirs,
/// and one that sorts needs room for a batch of all rows that its window looked at.
const STEP_BYTES: u64 = 1 << 30;

/// What a distinct value of a group takes with its part of what all values take, about.
const VALUE_BYTES: u64 = 16;

/// What the names behind `new.`, `old.` and `last.` mean to a job.
pub struct Transition {
    /// The rows that came to each table.
    pub new: Arc<Catalogue>,
    /// What each table was before.
    pub old: Arc<Catalogue>,
    /// What each table held before its present content.
    pub last: Arc<Catalogue>,
}

impl Default for Transition {
    /// No names yet.
    fn default() -> Transition {
        Transition { new: Catalogue::new(), old: Catalogue::new(), last: Catalogue::new() }
    }
}

impl Engine {
    /// An engine with the bounds that the settings name.
    pub fn new(settings: &Settings) -> Result<Engine> {
        let mut runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::OsTmpDirectory),
        );
        let limit = match memory_limit("memory_limit", &settings.memory_limit)? {
            MemoryLimit::None => None,
            MemoryLimit::Bytes(bytes) => Some(bytes),
            MemoryLimit::Auto => Some(machine_memory() / 2),
        };
        if let Some(bytes) = limit {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        }
        let threads = threads(settings);
        Ok(Engine { state: state(runtime.build_arc()?, threads)?, threads })
    }

    /// A session that sees the names of `catalogue`.
    pub fn session(&self, catalogue: Arc<Catalogue>) -> SessionContext {
        Engine::session_of(self.builder(), catalogue)
    }

    /// What a session is made of that sees nothing yet.
    fn builder(&self) -> SessionStateBuilder {
        let names = Arc::new(MemoryCatalogProviderList::new());
        SessionStateBuilder::new_from_existing(self.state.clone()).with_catalog_list(names)
    }

    fn session_of(builder: SessionStateBuilder, names: Arc<dyn CatalogProvider>) -> SessionContext {
        #[expect(clippy::disallowed_methods, reason = "the one session factory")]
        let session = SessionContext::new_with_state(builder.build());
        session.register_catalog(CATALOG, names);
        session
    }

    /// A session of a client, whose queries take at most so many bytes of the memory that all share.
    pub fn client_session(&self, names: Arc<dyn CatalogProvider>, bytes: usize) -> Result<SessionContext> {
        let shared = self.state.runtime_env();
        let memory = Arc::new(Share::new(bytes, shared.memory_pool.clone()));
        let runtime = RuntimeEnvBuilder::from_runtime_env(shared).with_memory_pool(memory).build_arc()?;
        Ok(Engine::session_of(self.builder().with_runtime_env(runtime), names))
    }

    /// A session of a job that reads so many rows: beside the names of `catalogue`, those that mean what is
    /// new and what was there before.
    pub fn job_session(
        &self,
        catalogue: Arc<Catalogue>,
        transition: &Transition,
        rows: u64,
    ) -> SessionContext {
        let mut config = self.state.config().clone();
        if rows < FEW_ROWS {
            config = config.with_target_partitions(1);
            config.options_mut().optimizer.max_passes = 1;
        }
        let pool = &self.state.runtime_env().memory_pool;
        let memory_for_values = self.holds(rows.saturating_mul(VALUE_BYTES), 8).then(|| pool.clone());
        let own = self.state.optimizers().iter().cloned();
        // It would make groups of what is counted.
        let own = own.filter(|rule| {
            memory_for_values.is_none() || rule.name() != "single_distinct_aggregation_to_group_by"
        });
        let in_order = self.holds(window::memory_bytes(rows), 2);
        let builder = self
            .builder()
            .with_config(config)
            .with_optimizer_rules(own.collect())
            .with_physical_optimizer_rules(rules::rules_of_jobs(memory_for_values, in_order));
        let session = Engine::session_of(builder, catalogue);
        session.register_catalog(NEW, transition.new.clone());
        session.register_catalog(OLD, transition.old.clone());
        session.register_catalog(LAST, transition.last.clone());
        session
    }

    /// Whether a part of the memory, one of so many, holds so many bytes. If not, what looks at groups has to sort, and
    /// what counts distinct values has to make groups of them: both can be spilled.
    fn holds(&self, bytes: u64, parts: u64) -> bool {
        bytes < self.memory_bytes() / parts
    }

    /// The memory that all sessions share.
    fn memory_bytes(&self) -> u64 {
        match self.state.runtime_env().memory_pool.memory_limit() {
            PoolLimit::Finite(bytes) => bytes as u64,
            PoolLimit::Infinite | PoolLimit::Unknown => u64::MAX,
        }
    }

    /// How many steps of a run are done at once: one a thread, if each has memory enough.
    pub fn steps_at_once(&self) -> usize {
        let enough = usize::try_from(self.memory_bytes() / STEP_BYTES).unwrap_or(usize::MAX);
        self.threads.min(enough).max(1)
    }

    /// How many threads work at once.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

/// The state of a session that sees nothing yet.
fn state(runtime: Arc<RuntimeEnv>, threads: usize) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, "gold");
    // Columns of two tables that meet in a union may be described differently.
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    let optimizer = &mut config.options_mut().optimizer;
    // Dictionary keys panic in pushed-down IN lists over Delta scans.
    optimizer.hash_join_inlist_pushdown_max_size = 0;
    optimizer.hash_join_inlist_pushdown_max_distinct_values = 0;
    // Our joins have one small side; moving the rows of the large one costs more than it gains.
    optimizer.repartition_joins = false;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(rules::rules())
        .build();
    for function in functions::all() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(state)
}

/// The bytes of memory of the machine, or of the container that the program runs in.
fn machine_memory() -> usize {
    let mut system = System::new();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let bytes = system.cgroup_limits().map_or_else(|| system.total_memory(), |limits| limits.total_memory);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The threads that the settings mean.
pub fn threads(settings: &Settings) -> usize {
    match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

#[cfg(test)]
mod tests;
