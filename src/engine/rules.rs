//! Rules of the physical planner: the engine's own, but for a limit that would be lost and pauses that would be missing.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::limit_pushdown::LimitPushdown;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

use super::distinct::DistinctCounts;
use super::merge::MergedInBatches;
use super::window::StreamedWindows;

/// A rule as the planner holds it.
type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// All rules, in their order.
pub fn rules() -> Vec<Rule> {
    let limits: Rule = Arc::new(Limits(LimitPushdown::new()));
    let own = PhysicalOptimizer::new().rules.into_iter();
    let own = own.map(|rule| if rule.name() == limits.name() { limits.clone() } else { rule });
    let pauses: Rule = Arc::new(Pauses);
    own.chain([pauses]).collect()
}

/// The same for jobs: distinct values are counted as numbers where memory holds these, and windows over rows that come in
/// their order, about so many, are not sorted.
pub fn rules_of_jobs(counts_values: bool, rows_in_order: Option<u64>) -> Vec<Rule> {
    let streamed = rows_in_order.map(|rows| Arc::new(StreamedWindows { rows }) as Rule);
    let counted = counts_values.then(|| Arc::new(DistinctCounts) as Rule);
    let merged = rows_in_order.map(|_| Arc::new(MergedInBatches) as Rule);
    streamed.into_iter().chain(counted).chain(rules()).chain(merged).collect()
}

/// Limits go down to where rows come from, except in plans with a scan that answers from the log of a table alone: it
/// says that it takes limits and loses them, and `select 1 from t limit 1` would give every row
/// (<https://github.com/delta-io/delta-rs/pull/4744>).
#[derive(Debug)]
struct Limits(LimitPushdown);

impl PhysicalOptimizerRule for Limits {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match plan.exists(|node| Ok(node.name() == "DeltaScanMetaExec"))? {
            true => Ok(plan),
            false => self.0.optimize(plan, config),
        }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Joins pause between their batches, as scans do: one that makes very many rows of few asks its scans so seldom that
/// nothing else could run on its thread, and nothing could stop it.
#[derive(Debug)]
struct Pauses;

impl PhysicalOptimizerRule for Pauses {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let paused = plan.transform_up(|node| match node.name().ends_with("JoinExec") {
            true => Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>)),
            false => Ok(Transformed::no(node)),
        });
        paused.data()
    }

    fn name(&self) -> &str {
        "Pauses"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
