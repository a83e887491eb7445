//! Learning within a run: the rows of a plan are collected and fitted.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::compute::concat_batches;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;

use super::Lake;
use crate::error::{Error, Result};
use crate::learn::{Estimator, Learned, ModelRecord};
use crate::table::Version;

/// What was learned from which tables.
#[derive(Clone, Debug)]
pub struct Modelled {
    /// What learned.
    pub estimator: Estimator,
    /// How the model came about.
    pub learned: ModelRecord,
    /// The versions of the tables that it was learned from.
    pub inputs: BTreeMap<String, Version>,
}

/// Learns from all rows of a plan, with as many threads as the engine has.
pub(super) async fn learn(
    lake: &Lake,
    estimator: Estimator,
    plan: Arc<dyn ExecutionPlan>,
    session: &SessionContext,
) -> Result<Learned> {
    let schema = plan.schema();
    let batches = collect(plan, session.task_ctx()).await?;
    let rows = concat_batches(&schema, &batches).map_err(|e| Error::internal(e.to_string()))?;
    let models = lake.project.config.settings.models.clone();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(lake.engine.threads()).build();
    let pool = pool.map_err(|e| Error::unavailable(format!("cannot start threads to learn with: {e}")))?;
    let learned = tokio::task::spawn_blocking(move || pool.install(|| estimator.learn(&models, &rows))).await;
    learned.map_err(|e| Error::internal(format!("`{}` stopped: {e}", estimator.as_str())))?
}
