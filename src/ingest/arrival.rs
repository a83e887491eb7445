//! What has arrived for a bronze table: which files hold something new, and which are known.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::discover::discover;
use super::download::download;
use super::register::{LoadedFile, Register};
use super::{Delivery, Field, Layout, Source};
use crate::config;
use crate::contract::{Contract, TableName};
use crate::error::{Error, Result, io_error};

/// Provenance columns begin so; a source does not deliver them.
const PROVENANCE: char = '_';

/// The files that have arrived for one bronze table.
pub struct Arrival {
    /// The bronze table.
    pub table: TableName,
    /// What its sources look like.
    pub layout: Layout,
    /// Sources with new content, with its identity, in the order in which they are loaded.
    pub new: Vec<(Source, String)>,
    /// Files to be registered without loading: their content was loaded before.
    pub(super) known: Vec<LoadedFile>,
    /// How many files are as they were when they were registered.
    pub unchanged: u64,
}

/// The columns that the sources of a bronze table deliver, and how their headers are spelt.
pub fn layout(contract: &Contract, source: &config::Source) -> Result<Layout> {
    let columns = contract.columns.iter().filter(|column| !column.name.starts_with(PROVENANCE));
    let fields = columns.map(|column| {
        let headers = source.headers.get(&column.name).ok_or_else(|| {
            Error::invalid(format!(
                "config/sources.toml does not say how `{}` of `{}` is spelt",
                column.name, contract.name
            ))
            .hint(format!("add `{} = [\"…\"]` to [{}.headers]", column.name, contract.name.table))
        })?;
        Ok(Field { name: column.name.clone(), headers: headers.clone() })
    });
    let fields = fields.collect::<Result<Vec<_>>>()?;
    for name in source.headers.keys() {
        if !fields.iter().any(|field| &field.name == name) {
            let error = Error::invalid(format!(
                "config/sources.toml spells a header for `{name}`, which is no column of `{}`",
                contract.name
            ));
            return Err(config::with_nearest(error, name, fields.iter().map(|field| field.name.as_str())));
        }
    }
    Ok(Layout::new(fields))
}

/// Finds the files at `locations`: files, globs, folders, and URLs, which are fetched into `downloads`.
pub async fn resolve(
    locations: &[String],
    downloads: &Path,
    progress: &(dyn Fn(u64, Option<u64>) + Send + Sync),
) -> Result<Vec<Delivery>> {
    let mut deliveries = Vec::new();
    for (number, location) in locations.iter().enumerate() {
        // A folder each: two URLs may end in the same name.
        let downloads = &downloads.join(number.to_string());
        match location.split_once("://") {
            Some(("http" | "https", _)) => {
                std::fs::create_dir_all(downloads).map_err(|e| io_error("create", downloads, &e))?;
                let path = download(location, downloads, progress).await?;
                deliveries.push(Delivery::file(location, path)?);
            }
            #[cfg(feature = "cloud")]
            Some(_) => deliveries.extend(super::cloud::fetch(location, downloads, progress).await?),
            #[cfg(not(feature = "cloud"))]
            Some((scheme, _)) => {
                return Err(Error::invalid(format!(
                    "cannot read `{location}`: `{scheme}://` is not known here"
                ))
                .hint("s3://, gs:// and az:// need a program built with `--features cloud`"));
            }
            None => deliveries.extend(discover(location)?),
        }
    }
    Ok(deliveries)
}

/// The files of a landing folder, named relative to the project; a folder that is not there has none.
pub fn landed(project: &Path, landing: &str) -> Result<Vec<Delivery>> {
    let folder = project.join(landing);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let prefix = format!("{}/", project.display());
    let mut deliveries = discover(&folder.display().to_string())?;
    for delivery in &mut deliveries {
        if let Some(name) = delivery.name.strip_prefix(&prefix) {
            delivery.name = name.to_string();
        }
    }
    Ok(deliveries)
}

impl Arrival {
    /// Holds deliveries against the register. Reads a file to know its content, unless neither its size nor
    /// its time has changed since it was registered. Blocking.
    pub fn examine(
        table: &TableName,
        layout: Layout,
        deliveries: &[Delivery],
        register: &Register,
    ) -> Result<Arrival> {
        let mut arrival = Arrival {
            table: table.clone(),
            layout,
            new: Vec::new(),
            known: register.missing.clone(),
            unchanged: 0,
        };
        let mut seen = register.clone();
        for delivery in deliveries {
            let (size, modified_at) = stamp(delivery.size_bytes, delivery.modified);
            if register.unchanged(&delivery.name, size, modified_at).is_some() {
                arrival.unchanged += 1;
                continue;
            }
            for source in delivery.sources(&arrival.layout)? {
                let sha256 = source.sha256()?;
                let mut file = registered(table, &source, &sha256, seen.last_seq() + 1);
                if let Some(known) = seen.with_content(&sha256) {
                    file = LoadedFile { ingest_seq: known.ingest_seq, is_loaded: false, ..file };
                    arrival.known.push(file);
                } else {
                    seen.add(file);
                    arrival.new.push((source, sha256));
                }
            }
        }
        Ok(arrival)
    }
}

/// The line of the register for a source.
pub(super) fn registered(table: &TableName, source: &Source, sha256: &str, ingest_seq: i64) -> LoadedFile {
    let (size, modified_at) = stamp(source.size_bytes, source.modified);
    LoadedFile {
        table: table.clone(),
        source_file: source.name.clone(),
        sha256: sha256.into(),
        ingest_seq,
        size_bytes: Some(size),
        modified_at: Some(modified_at),
        rows: 0,
        is_loaded: true,
    }
}

/// Size in bytes and modification time in microseconds of UTC, as the register keeps them.
fn stamp(size_bytes: u64, modified: SystemTime) -> (i64, i64) {
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(size_bytes).unwrap_or(i64::MAX), i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
