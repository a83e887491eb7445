//! Plans: which tables a run builds or leaves alone, and why. Pure: states in, decisions out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::fingerprint;
use super::{Lake, States};
use crate::contract::{Layer, TableName};
use crate::error::Result;
use crate::job::Writes;
use crate::project::Project;
use crate::table::{CommitRecord, Table};

/// What is done together: one table, or all tables that read the same view.
#[derive(Clone, Debug)]
pub struct Step {
    /// The view that is computed once for all tables of the step.
    pub view: Option<TableName>,
    /// The tables.
    pub tables: Vec<TableName>,
    /// Whether they are built.
    pub build: bool,
    /// Whether they are built because it was asked for, stale or not.
    pub forced: bool,
    /// Why each of them is stale; a table without reasons is fresh.
    reasons: BTreeMap<TableName, Vec<String>>,
    /// The tables the step reads and does not itself make.
    pub inputs: BTreeSet<TableName>,
}

impl Step {
    /// Why a table is built or not, in words.
    pub fn reason(&self, table: &TableName) -> String {
        match self.reasons.get(table) {
            Some(reasons) if !reasons.is_empty() => reasons.join(", "),
            _ if self.build => "is made together with the others".into(),
            _ => "nothing changed".into(),
        }
    }
}

/// What a run is asked for beyond its tables.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Every target is built whole, stale or not.
    pub full_refresh: bool,
    /// The day that recency is counted from.
    pub as_of: Option<NaiveDate>,
}

/// The steps of a run in the order of promotion.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Plans `targets`; of what they are made from only what is stale is built.
    ///
    /// `changing` are bronze tables that are about to receive new rows.
    pub(super) fn new(
        lake: &Lake,
        states: &States,
        targets: &BTreeSet<TableName>,
        changing: &BTreeSet<TableName>,
        asked: Asked,
    ) -> Result<Plan> {
        let project = &lake.project;
        let wanted = project.graph.with_ancestors(targets.iter().cloned());
        let mut changing = changing.clone();
        let mut plan = Plan::default();
        for name in project.graph.order().iter().filter(|name| wanted.contains(name)) {
            let is_table = project.jobs.get(name).is_some_and(|job| job.writes != Writes::Nothing);
            if !is_table || plan.steps.iter().any(|step| step.tables.contains(name)) {
                continue;
            }
            let mut step = step_of(project, name);
            for table in &step.tables {
                let mut reasons = stale(project, states, table, &changing, asked.as_of)?;
                if asked.full_refresh && targets.contains(table) {
                    reasons.push("full refresh".into());
                    step.forced = true;
                }
                step.build |= !reasons.is_empty();
                step.reasons.insert(table.clone(), reasons);
            }
            if step.build {
                changing.extend(step.tables.iter().cloned());
            }
            plan.steps.push(step);
        }
        Ok(plan)
    }

    /// Every table of the plan, in the order of promotion.
    pub fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.steps.iter().flat_map(|step| &step.tables)
    }

    /// The tables that are not what they should be.
    pub(super) fn stale(&self) -> impl Iterator<Item = &TableName> {
        self.steps.iter().filter(|step| step.build).flat_map(|step| &step.tables)
    }

    /// The steps that are built, each with the places of those it waits for.
    pub(super) fn building(&self) -> (Vec<&Step>, Vec<BTreeSet<usize>>) {
        let steps: Vec<&Step> = self.steps.iter().filter(|step| step.build).collect();
        let makes_any = |step: &Step, inputs: &BTreeSet<TableName>| {
            step.tables.iter().any(|table| inputs.contains(table))
        };
        let waits = steps.iter().map(|step| {
            let before = steps.iter().enumerate().filter(|(_, other)| makes_any(other, &step.inputs));
            before.map(|(place, _)| place).collect()
        });
        (steps.clone(), waits.collect())
    }
}

/// The step that makes `name`: with it, all tables that read the same view.
fn step_of(project: &Project, name: &TableName) -> Step {
    let view = project.graph.parents(name).find(|parent| project.is_view(parent)).cloned();
    let tables = project.step_tables(name);
    let inputs = tables.iter().flat_map(|table| inputs_of(project, table)).collect();
    Step { view, tables, build: false, forced: false, reasons: BTreeMap::new(), inputs }
}

/// The tables that `name` is made from, with views replaced by what they read.
pub(super) fn inputs_of(project: &Project, name: &TableName) -> BTreeSet<TableName> {
    let mut inputs = BTreeSet::new();
    for parent in project.graph.parents(name) {
        if project.contracts.contains_key(parent) {
            inputs.insert(parent.clone());
        } else if project.jobs.contains_key(parent) {
            inputs.extend(inputs_of(project, parent));
        }
    }
    inputs
}

/// Whether an input was lost and made again since a table was made from it, whatever the numbers of its versions:
/// its rows are of a later run than the table's. Not to be asked across lakes, as on a day.
pub(super) fn is_made_again(input: &Table, record: &CommitRecord) -> bool {
    let has_own_rows = input.version() == input.content();
    has_own_rows && input.record().is_some_and(|made| made.based_on > record.based_on)
}

/// Why a table is not what its text and its inputs say it should be.
pub(super) fn stale(
    project: &Project,
    states: &States,
    name: &TableName,
    changing: &BTreeSet<TableName>,
    as_of: Option<NaiveDate>,
) -> Result<Vec<String>> {
    let table = &states.expect(name)?.table;
    if table.version().is_none() {
        return Ok(vec!["never built".into()]);
    }
    let Some(record) = table.record() else {
        return Ok(vec!["last written by another program".into()]);
    };
    let mut reasons = fingerprint::differences(&record.fingerprint, &fingerprint::of(project, name, as_of)?);
    let mut changes: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for input in inputs_of(project, name) {
        let then = record.inputs.get(&input.to_string()).copied();
        let made_from = &states.expect(&input)?.table;
        let now = made_from.content();
        if changing.contains(&input) {
            let is_bronze = input.layer == Layer::Bronze;
            let change = if is_bronze { ("has new files", "have new files") } else { ("changes", "change") };
            changes.entry(change).or_default().push(input.to_string());
        } else if then != now {
            let number = |version: Option<u64>| version.map_or("none".to_string(), |v| v.to_string());
            reasons.push(format!("{input} {} → {}", number(then), number(now)));
        } else if as_of.is_none() && is_made_again(made_from, record) {
            reasons.push(format!("{input} was lost and made again"));
        }
    }
    reasons.extend(changes.into_iter().map(|(change, inputs)| match inputs.as_slice() {
        [input] => format!("{input} {}", change.0),
        [one, other] => format!("{one} and {other} {}", change.1),
        inputs => format!("{} and {} others {}", inputs[0], inputs.len() - 1, change.1),
    }));
    Ok(reasons)
}
