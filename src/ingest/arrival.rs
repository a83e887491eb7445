//! What has arrived for a bronze table: which files hold something new, and which are known.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::discover::{discover, passed_over};
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
    /// Sources with new content, each with its line of the register, in the order in which they are loaded.
    pub new: Vec<(Source, LoadedFile)>,
    /// Files to be registered without loading: their content was loaded before.
    pub(super) known: Vec<LoadedFile>,
    /// How many files are as they were when they were registered.
    pub unchanged: u64,
    /// What somebody should know who expects something else, a line each.
    pub warnings: Vec<String>,
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

/// The files of a landing folder, named relative to the project, and what is to be said of the folder.
///
/// A folder that is not there has no files. It is an error when files were loaded from it before: it may lie on a
/// share that is not mounted.
pub fn landed(project: &Path, landing: &str, register: &Register) -> Result<(Vec<Delivery>, Vec<String>)> {
    let folder = project.join(landing);
    let relative = |path: &Path| path.strip_prefix(project).unwrap_or(path).display().to_string();
    let shown = relative(&folder);
    if !folder.exists() {
        if register.has_loaded_from(Path::new(&shown)) {
            return Err(Error::unavailable(format!("the landing folder `{shown}` is not there"))
                .detail("files were loaded from it before")
                .hint("mount it, or make it: an empty folder is no error"));
        }
        return Ok((Vec::new(), vec![format!("the landing folder `{shown}` does not exist")]));
    }
    let mut deliveries = discover(&folder.display().to_string())?;
    for delivery in &mut deliveries {
        delivery.name = relative(Path::new(&delivery.name));
    }
    let others = passed_over(&folder)?;
    let warning = others.first().map(|first| match others.len() {
        1 => format!("`{first}` in `{shown}` is of a kind that cannot be read, and is passed over"),
        n => format!(
            "{n} files in `{shown}` are of kinds that cannot be read, and are passed over: `{first}`, for one"
        ),
    });
    Ok((deliveries, warning.into_iter().collect()))
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
        let known = register.missing.clone();
        let (new, warnings) = (Vec::new(), Vec::new());
        let mut arrival = Arrival { table: table.clone(), layout, new, known, unchanged: 0, warnings };
        let mut seen = register.clone();
        for delivery in deliveries {
            let (size, modified_at) = stamp(delivery.size_bytes, delivery.modified);
            if register.is_unchanged(&delivery.name, size, modified_at) {
                arrival.unchanged += 1;
                continue;
            }
            for source in delivery.sources(&arrival.layout)? {
                let file = described(table, delivery, &source, source.sha256()?);
                arrival.add(source, file, &mut seen);
            }
        }
        Ok(arrival)
    }

    /// Adds a source to what is new, or to what is to be registered only because its content is known.
    fn add(&mut self, source: Source, mut file: LoadedFile, seen: &mut Register) {
        let Some(known) = seen.with_content(&file.sha256) else {
            if seen.has_loaded(&file.source_file) {
                self.warnings.push(format!(
                    "`{}` was loaded before with other content, and the rows of both count; `lake rollback` to \
                     before its first loading, then `lake run`, loads what lies there now",
                    file.source_file
                ));
            }
            file.ingest_seq = seen.last_seq() + 1;
            seen.add(file.clone());
            self.new.push((source, file));
            return;
        };
        (file.ingest_seq, file.is_loaded) = (known.ingest_seq, false);
        let same = |k: &&mut LoadedFile| k.source_file == file.source_file && k.sha256 == file.sha256;
        match self.known.iter_mut().find(same) {
            // It was loaded by a run that crashed before it could register the file.
            Some(unregistered) => {
                *unregistered = LoadedFile { is_loaded: true, rows: unregistered.rows, ..file };
            }
            None => self.known.push(file),
        }
    }
}

/// The line of the register for a source that is about to be loaded; its place in the order is not known yet.
fn described(table: &TableName, delivery: &Delivery, source: &Source, sha256: String) -> LoadedFile {
    let (size, modified_at) = stamp(delivery.size_bytes, delivery.modified);
    LoadedFile {
        table: table.clone(),
        delivered_as: delivery.name.clone(),
        source_file: source.name.clone(),
        sha256,
        ingest_seq: 0,
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
