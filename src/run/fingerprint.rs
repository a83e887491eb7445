//! What a table is made by, in parts that can be named when they change.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::contract::{Layer, TableName};
use crate::engine::FUNCTIONS_VERSION;
use crate::error::Result;
use crate::job::Writes;
use crate::project::Project;

/// The parts and a hash of each: the SQL without comments and blanks, the contract, mappings, functions.
pub(super) fn of(project: &Project, name: &TableName) -> Result<BTreeMap<String, String>> {
    let mut parts = BTreeMap::new();
    parts.insert("contract".to_string(), hash(&project.contract(name)?.canonical()));
    parts.insert("functions".to_string(), FUNCTIONS_VERSION.to_string());
    add_job(project, name, "sql".into(), &mut parts)?;
    Ok(parts)
}

/// What publications are judged by and no table's own fingerprint holds: the contracts of bronze, the books.
pub(super) fn of_judgement(project: &Project) -> Result<BTreeMap<String, String>> {
    let bronze = project.contracts.values().filter(|contract| contract.name.layer == Layer::Bronze);
    let contracts =
        bronze.map(|contract| (format!("contract {}", contract.name), hash(&contract.canonical())));
    let mut parts: BTreeMap<String, String> = contracts.collect();
    for (name, query) in &project.books {
        parts.insert(format!("book {name}"), hash(&query.normalised()?));
    }
    Ok(parts)
}

/// Adds a job, the views it reads, and the mappings that either of them reads.
fn add_job(
    project: &Project,
    name: &TableName,
    part: String,
    parts: &mut BTreeMap<String, String>,
) -> Result<()> {
    let Some(job) = project.jobs.get(name) else { return Ok(()) };
    parts.insert(part, hash(&job.query.normalised()?));
    for read in job.reads() {
        if let Some(mapping) = project.mappings.get(&read) {
            parts.insert(format!("mapping {read}"), hash(&mapping.text));
        } else if project.jobs.get(&read).is_some_and(|job| job.writes == Writes::Nothing) {
            add_job(project, &read, format!("sql of {read}"), parts)?;
        }
    }
    Ok(())
}

/// The parts that differ, in words; none when all are equal.
pub(super) fn differences(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let changed = now.iter().filter(|(part, hash)| then.get(*part) != Some(hash)).map(|(part, _)| part);
    let gone = then.keys().filter(|part| !now.contains_key(*part));
    changed.chain(gone).map(|part| format!("{part} changed")).collect()
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
