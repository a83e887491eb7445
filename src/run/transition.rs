//! What a step reads: everything, or what is new; and what tables held before.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::is_made_again;
use super::{Lake, Run, States, Step, fingerprint};
use crate::contract::{Layer, TableName};
use crate::engine::{Catalogue, Transition};
use crate::error::{Error, Result};
use crate::job::{Job, Writes};
use crate::table::{Change, Table, Version};

/// What a step reads.
pub(super) struct Reading {
    /// The names that mean something else than tables as they are.
    pub(super) transition: Transition,
    /// Whether `new.` is less than everything.
    pub(super) is_increment: bool,
    /// Whether all that is new lies beyond what the step's table has, and is added to it.
    pub(super) grows: bool,
    /// How many rows that is.
    pub(super) rows: u64,
}

/// What a step reads under the names behind `new.` and `old.`, if it need not read everything.
struct Increment {
    /// The rows that came to each input since the step was last built, by the files they lie in.
    new: BTreeMap<TableName, BTreeSet<String>>,
    /// Whether they lie beyond all that the step's table has.
    grows: bool,
}

/// Finds out what a step reads; everything when it is built because it was asked for.
pub(super) async fn reading(lake: &Lake, run: &Run, step: &Step, states: &States) -> Result<Reading> {
    let increment = if step.forced { None } else { increment(lake, run, step, states).await? };
    let transition = transition(lake, step, states, increment.as_ref())?;
    add_last(lake, run, step, states, &transition.last).await?;
    let rows = rows_in(lake, step, states, increment.as_ref());
    let grows = increment.as_ref().is_some_and(|increment| increment.grows);
    Ok(Reading { transition, is_increment: increment.is_some(), grows, rows })
}

/// What is new to a step; none when it must be built whole: it reads no table's new rows, its text changed, or
/// an input lost rows.
async fn increment(lake: &Lake, run: &Run, step: &Step, states: &States) -> Result<Option<Increment>> {
    let jobs = jobs_of(lake, step)?;
    let news: BTreeSet<TableName> = jobs.iter().flat_map(|job| job.new_rows_of()).collect();
    let Some(record) = states.expect(&step.tables[0])?.table.record().filter(|_| !news.is_empty()) else {
        return Ok(None);
    };
    for name in &step.tables {
        let then = states.expect(name)?.table.record().map(|record| &record.fingerprint);
        let now = fingerprint::of(&lake.project, name, run.as_of)?;
        if then.is_none_or(|then| !fingerprint::differences(then, &now).is_empty()) {
            return Ok(None);
        }
    }
    // Under the number that the table was made from there may be other rows by now.
    let is_other = |input: &&TableName| {
        let made_from = record.inputs.get(&input.to_string()).copied();
        states
            .get(input)
            .is_some_and(|state| state.table.content() == made_from && is_made_again(&state.table, record))
    };
    if run.as_of.is_none() && step.inputs.iter().any(|input| is_other(&input)) {
        return Ok(None);
    }
    // Rows that stay were made from what is read whole: it must not have changed.
    let appends = jobs.iter().any(|job| job.writes == Writes::Append);
    let whole =
        jobs.iter().flat_map(|job| job.whole()).filter(|name| lake.project.contracts.contains_key(name));
    let mut stays = true;
    for name in whole {
        let then = record.inputs.get(&name.to_string()).copied();
        stays &= step.tables.contains(&name) || then == states.expect(&name)?.table.content();
    }
    if appends && !stays {
        return Ok(None);
    }
    let mut new = BTreeMap::new();
    for name in news {
        let Some(then) = record.inputs.get(&name.to_string()) else { return Ok(None) };
        let Change::Appended(files) = states.expect(&name)?.table.changes_since(*then).await? else {
            return Ok(None);
        };
        new.insert(name, files);
    }
    let grows = stays && is_beyond(&jobs, states, &new)?;
    Ok(Some(Increment { new, grows }))
}

/// Whether the new rows are of later days than all that the table has whose job says that it grows by them.
fn is_beyond(jobs: &[&Job], states: &States, new: &BTreeMap<TableName, BTreeSet<String>>) -> Result<bool> {
    let [job] = jobs else { return Ok(false) };
    let Some(column) = &job.grows_by else { return Ok(false) };
    let table = &states.expect(&job.name)?.table;
    let Some((_, last)) = table.days(column, &table.files_but(&BTreeSet::new())) else { return Ok(false) };
    for (name, files) in new {
        let days = states.expect(name)?.table.days(column, files);
        if days.is_none_or(|(first, _)| first <= last) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The names behind `new.` and `old.` for the jobs of a step: of an increment, or of everything as if nothing
/// had been there.
fn transition(
    lake: &Lake,
    step: &Step,
    states: &States,
    increment: Option<&Increment>,
) -> Result<Transition> {
    let transition = Transition::default();
    for job in jobs_of(lake, step)? {
        for name in job.new_rows_of() {
            let table = &states.expect(&name)?.table;
            match increment.map(|increment| &increment.new[&name]) {
                None if name.layer == Layer::Bronze => transition.new.open_arrivals(table, None),
                None => transition.new.open(table),
                Some(files) if files.is_empty() => {
                    transition.new.empty(&name, &lake.project.contract(&name)?.schema())?;
                }
                Some(files) if name.layer == Layer::Bronze => {
                    transition.new.open_arrivals(table, Some(files));
                }
                Some(files) => transition.new.open_files(table, files),
            }
        }
        for name in job.old_rows_of() {
            let is_own = step.tables.contains(&name);
            match increment.filter(|increment| !(is_own && increment.grows)) {
                None => transition.old.empty(&name, &lake.project.contract(&name)?.schema())?,
                Some(_) if is_own => transition.old.open(&states.expect(&name)?.table),
                Some(increment) => {
                    let table = &states.expect(&name)?.table;
                    transition.old.open_files(table, &table.files_but(&increment.new[&name]));
                }
            }
        }
    }
    Ok(transition)
}

/// The content version of a table that readers see while the run makes new rows: that of the table, unless a
/// run that did not publish has left it behind.
pub(super) fn previous(run: &Run, table: &Table) -> Option<Version> {
    match table.record().filter(|record| record.based_on == run.based_on) {
        Some(left_behind) => left_behind.previous,
        None => table.content(),
    }
}

/// Adds what tables held before: of those that the step makes, what is published.
async fn add_last(lake: &Lake, run: &Run, step: &Step, states: &States, last: &Catalogue) -> Result<()> {
    let jobs = jobs_of(lake, step)?;
    for name in jobs.iter().flat_map(|job| job.last_rows_of()) {
        let table = &states.expect(&name)?.table;
        let before = match (&run.remembered, step.tables.contains(&name)) {
            (Some(remembered), _) => remembered.get(&name).cloned(),
            (None, true) => lake.at(&name, previous(run, table)).await?,
            (None, false) => lake.at(&name, table.record().and_then(|record| record.previous)).await?,
        };
        let contract = lake.project.contract(&name)?;
        match before {
            Some(before) if before.has_columns_of(contract)? => last.open(&before),
            _ => last.empty(&name, &contract.schema())?,
        }
    }
    Ok(())
}

/// The rows that a step reads: of inputs whose new rows suffice, those.
fn rows_in(lake: &Lake, step: &Step, states: &States, increment: Option<&Increment>) -> u64 {
    let rows = |input: &TableName| {
        let table = &states.get(input)?.table;
        let new = increment.and_then(|increment| increment.new.get(input));
        let is_whole =
            || jobs_of(lake, step).is_ok_and(|jobs| jobs.iter().any(|job| job.whole().any(|w| w == *input)));
        Some(match new {
            Some(files) if !is_whole() => table.size_of(files).rows,
            _ => table.size().rows,
        })
    };
    step.inputs.iter().filter_map(rows).sum()
}

/// The jobs of a step: its view's and its tables'.
pub(super) fn jobs_of<'a>(lake: &'a Lake, step: &Step) -> Result<Vec<&'a Job>> {
    step.view.iter().chain(&step.tables).map(|name| job_of(lake, name)).collect()
}

/// The job that makes a table.
pub(super) fn job_of<'a>(lake: &'a Lake, name: &TableName) -> Result<&'a Job> {
    lake.project.jobs.get(name).ok_or_else(|| Error::internal(format!("`{name}` has no job")))
}
