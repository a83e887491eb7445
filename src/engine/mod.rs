//! The query engine: the one place where sessions are made, and the names they resolve. Never writes.

mod catalogue;
mod functions;
mod mapping;
mod parse;

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::config::{Settings, memory_bytes};
use crate::error::Result;
pub use catalogue::Catalogue;
pub use functions::VERSION as FUNCTIONS_VERSION;
pub use mapping::mapping_table;

/// What sessions share: memory, threads, temporary files.
#[derive(Clone)]
pub struct Engine {
    runtime: Arc<RuntimeEnv>,
    threads: usize,
}

impl Engine {
    /// An engine with the bounds that the settings name.
    pub fn new(settings: &Settings) -> Result<Engine> {
        let mut runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::OsTmpDirectory),
        );
        if let Some(bytes) = memory_bytes(&settings.memory_limit)? {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        }
        Ok(Engine { runtime: runtime.build_arc()?, threads: threads(settings) })
    }

    /// A session that sees the names of `catalogue`.
    pub fn session(&self, catalogue: Arc<Catalogue>) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_target_partitions(self.threads)
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(catalogue::CATALOG, "gold");
        let optimizer = &mut config.options_mut().optimizer;
        // Dictionary keys panic in pushed-down IN lists over Delta scans.
        optimizer.hash_join_inlist_pushdown_max_size = 0;
        optimizer.hash_join_inlist_pushdown_max_distinct_values = 0;
        // Our joins have one small side; moving the rows of the large one costs more than it gains.
        optimizer.repartition_joins = false;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(self.runtime.clone())
            .with_default_features()
            .build();
        #[expect(clippy::disallowed_methods, reason = "the one session factory")]
        let session = SessionContext::new_with_state(state);
        for function in functions::all() {
            session.register_udf(function);
        }
        session.register_catalog(catalogue::CATALOG, catalogue);
        session
    }

    /// How many threads work at once.
    pub fn threads(&self) -> usize {
        self.threads
    }
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
