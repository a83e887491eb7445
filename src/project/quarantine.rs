//! Quarantine: rows that fail an expectation are kept out of their table and put, with reasons, beside it.
//!
//! The job of such a table becomes three in the terms that the engine knows: a view that names the rules each
//! row fails, the table of the rows that fail none, and its `_rejected` twin. One pass feeds both.

use std::collections::BTreeMap;

use crate::contract::{Column, Contract, Severity, TableName, quarantine_columns};
use crate::error::{Error, Result};
use crate::job::{Job, Query, Writes};

/// Rewrites the jobs of all tables that have rows put into quarantine, and promises their twins.
pub(super) fn expand(
    contracts: &mut BTreeMap<TableName, Contract>,
    jobs: &mut BTreeMap<TableName, Job>,
) -> Result<()> {
    let names: Vec<TableName> =
        contracts.values().filter(|c| !rules(c).is_empty()).map(|c| c.name.clone()).collect();
    for name in names {
        let Some(contract) = contracts.get_mut(&name) else { continue };
        let at = |error: Error| error.detail(format!("in {}", contract.path.display()));
        let Some(job) = jobs.get(&name) else {
            return Err(at(Error::invalid(format!(
                "`{name}` cannot put rows into quarantine: no job makes it"
            ))
            .hint("use `else = \"warn\"` or `else = \"fail\"`, and quarantine in the table made from it")));
        };
        let reads_view = job.reads().any(|read| jobs.get(&read).is_some_and(|j| j.writes == Writes::Nothing));
        if reads_view {
            return Err(at(Error::invalid(format!(
                "`{name}` cannot put rows into quarantine: it reads a view"
            ))
            .hint("let the view decide which rows go where")));
        }
        if job.old_rows_of().any(|old| old == name) {
            return Err(at(Error::invalid(format!(
                "`{name}` cannot put rows into quarantine: its job builds upon the rows that stayed"
            ))
            .hint("read its inputs whole, or use `else = \"fail\"`")));
        }
        let twin_name = name.rejected();
        let view_name = TableName::new(name.layer, format!("{}_held", name.table));
        let [view, table, rejected] = split(contract, job, &view_name, &twin_name)?;
        contract.quarantine = Some(twin_name.clone());
        let twin = twin(contract, &twin_name);
        if contracts.contains_key(&twin_name)
            || jobs.contains_key(&twin_name)
            || jobs.contains_key(&view_name)
        {
            return Err(Error::invalid(format!(
                "`{name}` puts rows into quarantine, so `{twin_name}` and `{view_name}` cannot be tables of their own"
            )));
        }
        contracts.insert(twin_name.clone(), twin);
        jobs.insert(view_name, view);
        jobs.insert(name, table);
        jobs.insert(twin_name, rejected);
    }
    Ok(())
}

/// The expectations whose violators go into quarantine, by name.
fn rules(contract: &Contract) -> Vec<(&str, String)> {
    let quarantined = contract.expectations.iter().filter(|(_, e)| e.severity == Severity::Quarantine);
    quarantined.filter_map(|(name, e)| Some((name.as_str(), e.violation()?))).collect()
}

/// The view of all rows, the job of those that fail no rule, and the job of the others.
fn split(contract: &Contract, job: &Job, view: &TableName, twin: &TableName) -> Result<[Job; 3]> {
    let cases = rules(contract)
        .into_iter()
        .map(|(name, violation)| format!("case when {violation} then '{name}' end"));
    let cases = cases.collect::<Vec<_>>().join(", ");
    let query = job.query.sql.trim_end().trim_end_matches(';');
    let columns: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).collect();
    let columns = columns.join(", ");
    let of = |name: &TableName, writes: Writes, sql: String| -> Result<Job> {
        let query = Query::parse(&job.query.path, job.query.doc.clone(), sql)?;
        Ok(Job { name: name.clone(), query, writes, grows_by: None, learns: None })
    };
    Ok([
        of(
            view,
            Writes::Nothing,
            format!(
                "select *, array_compact(make_array({cases})) as failed_rules from (\n{query}\n) as held"
            ),
        )?,
        of(
            &contract.name,
            job.writes,
            format!("select {columns} from {view} where cardinality(failed_rules) = 0"),
        )?,
        of(
            twin,
            job.writes,
            format!(
                "select {columns}, failed_rules, failed_rules[1] as first_rule, \
                 (select run_id from lake.run) as run_id from {view} where cardinality(failed_rules) > 0"
            ),
        )?,
    ])
}

/// What the twin promises: the rows of the table that were set aside, and why.
fn twin(contract: &Contract, name: &TableName) -> Contract {
    // What was set aside need not be what the table promises: values may be missing, keys repeated.
    let columns = contract.columns.iter().map(|column| Column { nullable: true, ..column.clone() });
    let columns: Vec<Column> = columns.chain(quarantine_columns()).collect();
    Contract {
        name: name.clone(),
        doc: format!(
            "Rows that would be in `{}` but fail an expectation, with every one they fail.",
            contract.name
        ),
        grain: format!("{}, set aside", contract.grain),
        key: Vec::new(),
        columns,
        expectations: Default::default(),
        reconcile: Default::default(),
        quarantine: None,
        ..contract.clone()
    }
}
