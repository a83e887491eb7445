//! `lake check`: every job is planned against the contracts of what it reads, and what it makes is compared
//! with its own contract, before any data is read.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::{Lake, parallel, state};
use crate::config::with_nearest;
use crate::contract::{Contract, TableName};
use crate::engine::{Catalogue, Transition};
use crate::error::{Error, Result};
use crate::job::{Job, Query, Writes};
use crate::learn::Estimator;
use crate::quality::{Tallier, measures_of, set_queries};

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Contracts.
    pub contracts: usize,
    /// Jobs, views included.
    pub jobs: usize,
    /// Audits and analyses.
    pub queries: usize,
}

/// Checks the whole project; the first fault is the error.
pub async fn check(lake: &Lake) -> Result<Checked> {
    let project = &lake.project;
    let catalogue = Catalogue::new();
    for mapping in project.mappings.values() {
        catalogue.map(mapping);
    }
    for contract in project.contracts.values() {
        let empty = Arc::new(EmptyTable::new(contract.schema()));
        catalogue.provide(contract.name.layer.as_str(), &contract.name.table, empty);
    }
    catalogue.provide("lake", "run", state::run_table("check", lake.clock.now())?);
    catalogue.provide("lake", "parameters", state::parameters_table(None)?);
    let transition = Transition { new: catalogue.clone(), old: catalogue.clone(), last: catalogue.clone() };
    let session = lake.engine.job_session(catalogue.clone(), &transition, 0);
    // Views first: what reads one is planned against what it makes.
    let jobs = || project.graph.order().iter().filter_map(|name| project.jobs.get(name));
    for job in jobs().filter(|job| job.writes == Writes::Nothing) {
        let made = check_job(lake, &session, job).await?;
        let view = Arc::new(EmptyTable::new(job.learns.map_or(made, Estimator::output)));
        catalogue.provide(job.name.layer.as_str(), &job.name.table, view);
    }
    let tables = jobs().filter(|job| job.writes != Writes::Nothing);
    parallel::all(lake, tables.map(|job| check_job(lake, &session, job)))?;
    parallel::all(
        lake,
        project.contracts.values().map(|contract| check_judgement(lake, &session, contract)),
    )?;
    let queries = project.audits.values().chain(project.analyses.values());
    parallel::all(lake, queries.map(|query| plan(&session, query)))?;
    Ok(Checked {
        contracts: project.contracts.len(),
        jobs: project.jobs.len(),
        queries: project.audits.len() + project.analyses.len(),
    })
}

/// Plans a job and compares what it makes with what is promised; gives the columns that it makes.
async fn check_job(lake: &Lake, session: &SessionContext, job: &Job) -> Result<SchemaRef> {
    let plan = plan(session, &job.query).await?;
    let made = plan.schema().inner().clone();
    for view in job.reads().filter(|read| lake.project.is_view(read)) {
        check_read_once(&plan, job, &view)?;
    }
    match (job.writes, job.learns) {
        (Writes::Nothing, Some(estimator)) => compare_input(job, estimator, &made)?,
        (Writes::Nothing, None) => {}
        (Writes::Full | Writes::Append, _) => compare(job, lake.project.contract(&job.name)?, &made)?,
    }
    Ok(made)
}

/// What an estimator learns from must have its columns, in any order.
fn compare_input(job: &Job, estimator: Estimator, made: &SchemaRef) -> Result<()> {
    for field in estimator.input().fields() {
        let found = made.column_with_name(field.name()).map(|(_, made)| made.data_type());
        if !found.is_some_and(|found| same_type(found, field.data_type())) {
            return Err(Error::invalid(format!(
                "`{}` learns from a column `{}` of type {}, which `{}` does not make",
                estimator.as_str(),
                field.name(),
                Contract::type_name(field.data_type()),
                job.name
            ))
            .detail(format!("in {}", job.query.path.display())));
        }
    }
    Ok(())
}

/// A view streams once, so a job may have it in one place only.
fn check_read_once(plan: &LogicalPlan, job: &Job, view: &TableName) -> Result<()> {
    let mut scans = 0;
    plan.apply_with_subqueries(|node| {
        scans += usize::from(
            matches!(node, LogicalPlan::TableScan(scan) if scan.table_name.table() == view.table),
        );
        Ok(TreeNodeRecursion::Continue)
    })?;
    if scans > 1 {
        return Err(Error::invalid(format!(
            "`{}` reads the view `{view}` {scans} times; a view streams once",
            job.name
        ))
        .detail(format!("in {}", job.query.path.display()))
        .hint("a common table expression that is used twice reads twice; let the view be a table"));
    }
    Ok(())
}

/// The plan of a query.
async fn plan(session: &SessionContext, query: &Query) -> Result<LogicalPlan> {
    let at = |e: datafusion::error::DataFusionError| place(e.into(), &query.path, &query.sql);
    session.sql(&query.sql).await.map_err(at)?.into_optimized_plan().map_err(at)
}

/// Adds the file to an error, with the line and its text when the message names one word of the query.
pub fn place(error: Error, path: &Path, sql: &str) -> Error {
    let words = error.message().to_string();
    let named = words.split(['\'', '"', '`', ' ']).filter(|word| word.len() > 2);
    let lines = || sql.lines().enumerate().filter(|(_, line)| !line.starts_with("--"));
    let found = named.filter_map(|word| {
        let word = word.rsplit('.').next().unwrap_or(word).trim_end_matches([',', ':']);
        let hits: Vec<_> = lines().filter(|(_, line)| has_word(line, word)).collect();
        (hits.len() == 1).then(|| hits[0])
    });
    let path = path.display();
    match found.into_iter().next() {
        Some((number, line)) => error.detail(format!("at {path}:{}", number + 1)).detail(format!(
            "{:>4} | {}",
            number + 1,
            line.trim_end()
        )),
        None => error.detail(format!("in {path}")),
    }
}

fn has_word(line: &str, word: &str) -> bool {
    !word.is_empty()
        && line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part.eq_ignore_ascii_case(word))
}

/// What a job makes must be what its contract promises: names in order, and types.
fn compare(job: &Job, contract: &Contract, made: &SchemaRef) -> Result<()> {
    let compared = compare_names(contract, made).and_then(|()| compare_types(contract, made));
    compared.map_err(|error| {
        error
            .detail(format!("made by {}", job.query.path.display()))
            .detail(format!("promised in {}", contract.path.display()))
    })
}

fn compare_names(contract: &Contract, made: &SchemaRef) -> Result<()> {
    let table = &contract.name;
    let names: Vec<&str> = made.fields().iter().map(|f| f.name().as_str()).collect();
    let promised: Vec<&str> = contract.columns.iter().map(|c| c.name.as_str()).collect();
    if let Some(missing) = promised.iter().find(|name| !names.contains(name)) {
        let error =
            Error::invalid(format!("`{table}` promises a column `{missing}` that its job does not make"));
        return Err(with_nearest(error, missing, names.iter().copied()));
    }
    if let Some(extra) = names.iter().find(|name| !promised.contains(name)) {
        let message =
            format!("the job of `{table}` makes a column `{extra}` that its contract does not promise");
        return Err(
            Error::invalid(message).hint("promise it in the contract, or leave it out of the last SELECT")
        );
    }
    match names.iter().zip(&promised).position(|(name, promised)| name != promised) {
        None => Ok(()),
        Some(place) => {
            let (is, should) = (names[place], promised[place]);
            let message = format!(
                "column {} of `{table}` is `{is}` in its job and `{should}` in its contract",
                place + 1
            );
            Err(Error::invalid(message).hint("bring the columns into the same order"))
        }
    }
}

fn compare_types(contract: &Contract, made: &SchemaRef) -> Result<()> {
    for (column, field) in contract.columns.iter().zip(made.fields()) {
        if !same_type(field.data_type(), &column.data_type) {
            let (is, should) =
                (Contract::type_name(field.data_type()), Contract::type_name(&column.data_type));
            return Err(Error::invalid(format!(
                "column `{}` of `{}` is {is} in its job and {should} in its contract",
                column.name, contract.name
            ))
            .hint(format!(
                "cast it in the last SELECT, or change the contract ({})",
                contract.path.display()
            )));
        }
    }
    Ok(())
}

/// Equal but for how texts are held in memory and how lists call their elements.
fn same_type(made: &DataType, promised: &DataType) -> bool {
    Contract::type_name(made) == Contract::type_name(promised)
}

/// What a contract expects and reconciles can be counted, added up and asked.
async fn check_judgement(lake: &Lake, session: &SessionContext, contract: &Contract) -> Result<()> {
    let at = |error: Error| error.detail(format!("in {}", contract.path.display()));
    Tallier::new(session, &contract.schema(), &measures_of(&lake.project, contract)).map_err(at)?;
    for query in set_queries(contract, lake.clock.now()) {
        let planned = async { session.sql(&query).await?.into_optimized_plan() }.await;
        planned.map_err(|e| at(e.into()))?;
    }
    Ok(())
}
