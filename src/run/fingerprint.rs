//! What a table is made by, in parts that can be named when they change.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use crate::contract::{Contract, Layer, TableName};
use crate::engine::FUNCTIONS_VERSION;
use crate::error::Result;
use crate::job::Writes;
use crate::project::Project;

/// Parts of this prefix hold the type of a column.
const COLUMN: &str = "column ";

/// The parts and a hash of each: the SQL without comments and blanks, the contract, mappings, functions, and
/// the parameters of the run if the SQL reads them.
pub(super) fn of(
    project: &Project,
    name: &TableName,
    as_of: Option<NaiveDate>,
) -> Result<BTreeMap<String, String>> {
    let contract = project.contract(name)?;
    let mut parts = BTreeMap::new();
    parts.insert("contract".to_string(), hash(&contract.canonical()));
    for column in &contract.columns {
        let nullable = if column.nullable { ", may be NULL" } else { "" };
        let described = format!("{}{nullable}", Contract::type_name(&column.data_type));
        parts.insert(format!("{COLUMN}{}", column.name), described);
    }
    parts.insert("functions".to_string(), FUNCTIONS_VERSION.to_string());
    add_job(project, name, "sql".into(), as_of, &mut parts)?;
    Ok(parts)
}

/// What publications are judged by: the expectations and the books of each contract, and the audits
/// with the mappings they read. No job
/// makes bronze, so that the whole of its contracts is here.
pub(super) fn of_judgement(project: &Project) -> Result<BTreeMap<String, String>> {
    let contracts = project.contracts.values();
    let mut parts: BTreeMap<String, String> =
        contracts.map(|contract| (contract.name.to_string(), hash(&judgement_of(contract)))).collect();
    for (name, query) in &project.audits {
        let read = query.reads.iter().filter_map(|read| project.mappings.get(&TableName::parse(read)?));
        let texts = read.map(|mapping| mapping.text.as_str());
        let made_by: Vec<&str> = [query.normalised()].into_iter().chain(texts).collect();
        parts.insert(format!("audit {name}"), hash(&made_by.join("\n")));
    }
    Ok(parts)
}

fn judgement_of(contract: &Contract) -> String {
    match contract.name.layer {
        Layer::Bronze => contract.canonical() + &contract.canonical_judgement(),
        _ => contract.canonical_judgement(),
    }
}

/// Adds a job, the views it reads, and the mappings and parameters that either of them reads.
fn add_job(
    project: &Project,
    name: &TableName,
    part: String,
    as_of: Option<NaiveDate>,
    parts: &mut BTreeMap<String, String>,
) -> Result<()> {
    let Some(job) = project.jobs.get(name) else { return Ok(()) };
    parts.insert(part, hash(job.query.normalised()));
    if let Some(estimator) = job.learns {
        let parameters = estimator.parameters(&project.config.settings.models);
        parts.insert(format!("parameters of {}", estimator.as_str()), parameters);
        parts.insert(format!("estimator {}", estimator.as_str()), estimator.version().to_string());
    }
    if job.reads_parameters() {
        let text = as_of.map_or("the day after the last".to_string(), |date| date.to_string());
        parts.insert("parameter as_of".into(), text);
    }
    for read in job.reads() {
        if let Some(mapping) = project.mappings.get(&read) {
            parts.insert(format!("mapping {read}"), hash(&mapping.text));
        } else if project.jobs.get(&read).is_some_and(|job| job.writes == Writes::Nothing) {
            add_job(project, &read, format!("sql of {read}"), as_of, parts)?;
        }
    }
    Ok(())
}

/// The parts that differ, in words; none when all are equal.
pub(super) fn differences(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let mut changed = Vec::new();
    for (part, value) in now {
        match (then.get(part), part.strip_prefix(COLUMN)) {
            (Some(before), _) if before == value => {}
            (Some(_), Some(column)) => changed.push(format!("contract: column {column} is now {value}")),
            (None, Some(column)) => changed.push(format!("contract: column {column} added")),
            _ => changed.push(format!("{part} changed")),
        }
    }
    for part in then.keys().filter(|part| !now.contains_key(*part)) {
        changed.push(match part.strip_prefix(COLUMN) {
            Some(column) => format!("contract: column {column} removed"),
            None => format!("{part} changed"),
        });
    }
    // A column that changed says more than that its contract did.
    if changed.iter().any(|change| change.starts_with("contract: ")) {
        changed.retain(|change| change != "contract changed");
    }
    changed
}

pub(super) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
