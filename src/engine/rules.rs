//! Rules of the physical planner: the engine's own, but for a limit that would be lost and pauses that would be missing.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::limit_pushdown::LimitPushdown;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

use super::{distinct, merge, window};

/// A rule as the planner holds it.
type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// All rules, in their order.
pub fn rules() -> Vec<Rule> {
    let limits: Rule = Arc::new(Limits(LimitPushdown::new()));
    let own = PhysicalOptimizer::new().rules.into_iter();
    let own = own.map(|rule| if rule.name() == limits.name() { limits.clone() } else { rule });
    own.chain([Replacement::rule("Pauses", paused)]).collect()
}

/// The same for jobs: distinct values are counted as numbers, if there is memory for these, and rows that come in their
/// order stay in it and are not sorted for windows, if that is asked for.
pub fn rules_of_jobs(memory_for_values: Option<Arc<dyn MemoryPool>>, in_order: bool) -> Vec<Rule> {
    let streamed = in_order.then(|| Replacement::rule("StreamedWindows", window::streamed));
    let counted = memory_for_values
        .map(|memory| Replacement::rule("DistinctCounts", move |node| distinct::counted(node, &memory)));
    let merged = in_order.then(|| Replacement::rule("MergedInBatches", merge::merged_in_batches));
    streamed.into_iter().chain(counted).chain(rules()).chain(merged).collect()
}

/// Gives operators another one in their place, from the leaves up.
struct Replacement<F> {
    name: &'static str,
    /// What takes a node's place, if anything does.
    of: F,
}

impl<F> Replacement<F>
where
    F: Fn(&Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> + Send + Sync + 'static,
{
    fn rule(name: &'static str, of: F) -> Rule {
        Arc::new(Replacement { name, of })
    }
}

impl<F> fmt::Debug for Replacement<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl<F> PhysicalOptimizerRule for Replacement<F>
where
    F: Fn(&Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> + Send + Sync + 'static,
{
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let replaced = plan.transform_up(|node| {
            Ok(match (self.of)(&node)? {
                Some(other) => Transformed::yes(other),
                None => Transformed::no(node),
            })
        });
        replaced.data()
    }

    fn name(&self) -> &str {
        self.name
    }

    fn schema_check(&self) -> bool {
        true
    }
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
fn paused(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    Ok(node.name().ends_with("JoinExec").then(|| Arc::new(CooperativeExec::new(node.clone())) as _))
}
