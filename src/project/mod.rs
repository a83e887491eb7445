//! A project: a user's five folders of plain text, loaded and held against each other. Never reads data.

mod quarantine;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use datafusion::arrow::datatypes::DataType;

use crate::config::{Config, Export, Sources, with_nearest};
use crate::contract::{Column, Contract, Expectation, Layer, TableName};
use crate::error::{Error, Result, io_error};
use crate::job::{Graph, Job, LAST, NEW, OLD, PARAMETERS, Query, Writes};

/// The files of a new project, by their path in it; copies of those in the program's own repository.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/project_files.rs"));

/// An editable mapping: a CSV file beside the contracts that SQL reads as a table.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its name in SQL.
    pub name: TableName,
    /// Its file.
    pub path: PathBuf,
    /// The file's text.
    pub text: String,
}

/// Everything a user's text says.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder that holds the five.
    pub folder: PathBuf,
    /// The settings.
    pub config: Config,
    /// Where bronze comes from.
    pub sources: Sources,
    /// What is kept as files for other programs.
    pub exports: Vec<Export>,
    /// What each table promises.
    pub contracts: BTreeMap<TableName, Contract>,
    /// How each promise is kept.
    pub jobs: BTreeMap<TableName, Job>,
    /// The mappings.
    pub mappings: BTreeMap<TableName, Mapping>,
    /// Queries for offenders, no row of which may be found: `sql/audit/*.sql`.
    pub audits: BTreeMap<String, Query>,
    /// The named questions: `sql/analyses/*.sql`.
    pub analyses: BTreeMap<String, Query>,
    /// Who reads whom.
    pub graph: Graph,
}

impl Project {
    /// Loads the project in `folder` with the configuration found for it.
    pub fn load(folder: &Path, config: Config) -> Result<Project> {
        if !folder.join("config/sources.toml").is_file() {
            return Err(Error::invalid(format!("there is no lake project in `{}`", shown(folder)))
                .detail("a project is a folder with `bronze silver gold sql config` in it")
                .hint("make one with `lake init DIR`, or name one with `--project DIR`"));
        }
        let (mut contracts, mut mappings, mut jobs) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for layer in Layer::PROMOTED {
            for (stem, path) in files_in(&folder.join(layer.as_str()), "toml")? {
                let name = TableName::new(layer, stem);
                contracts.insert(name.clone(), Contract::load(&path, name)?);
            }
            for (stem, path) in files_in(&folder.join(layer.as_str()), "csv")? {
                let text = std::fs::read_to_string(&path).map_err(|e| io_error("read", &path, &e))?;
                let name = TableName::new(layer, stem);
                mappings.insert(name.clone(), Mapping { name, path, text });
            }
            for (stem, path) in files_in(&folder.join("sql").join(layer.as_str()), "sql")? {
                let name = TableName::new(layer, stem);
                jobs.insert(name.clone(), Job::load(&path, name)?);
            }
        }
        quarantine::expand(&mut contracts, &mut jobs)?;
        let project = Project {
            sources: Sources::load(folder)?,
            exports: Export::load_all(folder)?,
            audits: queries_in(&folder.join("sql/audit"))?,
            analyses: queries_in(&folder.join("sql/analyses"))?,
            graph: Graph::new(jobs.values())?,
            folder: folder.into(),
            config,
            contracts,
            jobs,
            mappings,
        };
        project.check_pairs()?;
        project.check_reads()?;
        project.check_exports()?;
        Ok(project)
    }

    /// The contract of a table.
    pub fn contract(&self, name: &TableName) -> Result<&Contract> {
        self.contracts.get(name).ok_or_else(|| self.unknown_table(&name.to_string()))
    }

    /// An error about a name that is no table's: what it means elsewhere, or which table may be meant.
    pub fn unknown_name(&self, name: &str) -> Error {
        if let Some(plain) = ["new.", "old.", "last."].iter().find_map(|prefix| name.strip_prefix(prefix)) {
            let error = Error::invalid(format!("`{name}` means something to jobs only"))
                .detail("`new.` names the rows that came to a table, `old.` what it was before them, `last.` what it held before");
            let is_table = TableName::parse(plain).is_some_and(|table| self.contracts.contains_key(&table));
            return match is_table {
                true => error.hint(format!("ask `{plain}`, or `{plain} version as of N` for what it was")),
                false => error,
            };
        }
        if ["lake.run", "lake.parameters"].contains(&name) {
            return Error::invalid(format!("`{name}` means something to jobs only"))
                .hint("`ops.runs` is the table of past runs");
        }
        let table = TableName::parse(name);
        if let Some(view) = table.as_ref().filter(|table| self.is_view(table)) {
            let made: Vec<String> = self.graph.children(view).map(ToString::to_string).collect();
            return Error::invalid(format!("`{view}` is a view: its rows are not stored"))
                .hint(format!("what is made from it: {}", made.join(", ")));
        }
        if name.starts_with("ops.") {
            return Error::invalid(format!("unknown table `{name}`"))
                .hint("`lake sql 'show tables'` lists all");
        }
        self.unknown_table(name)
    }

    /// An error that names the table nearest to one that does not exist.
    pub fn unknown_table(&self, name: &str) -> Error {
        let names: Vec<String> = self.contracts.keys().map(ToString::to_string).collect();
        with_nearest(
            Error::invalid(format!("unknown table `{name}`")),
            name,
            names.iter().map(String::as_str),
        )
    }

    /// Every contract has a writer, every job a contract, every name one meaning.
    fn check_pairs(&self) -> Result<()> {
        for (name, job) in &self.jobs {
            if name.layer == Layer::Bronze {
                return Err(Error::invalid(format!(
                    "`{name}` cannot have a job: bronze is what sources deliver"
                ))
                .detail(format!("in {}", job.query.path.display())));
            }
            if job.writes != Writes::Nothing && !self.contracts.contains_key(name) {
                return Err(Error::invalid(format!("job `{name}` has no contract"))
                    .detail(format!("in {}", job.query.path.display()))
                    .hint(format!("write {}/{}.toml", name.layer.as_str(), name.table)));
            }
        }
        for (name, contract) in &self.contracts {
            let writer = match name.layer {
                Layer::Bronze => self.sources.get(&name.table).is_ok(),
                _ => self.jobs.get(name).is_some_and(|job| job.writes != Writes::Nothing),
            };
            if !writer {
                let missing = match name.layer {
                    Layer::Bronze => format!("add a section [{}] to config/sources.toml", name.table),
                    _ => format!("write sql/{}/{}.sql", name.layer.as_str(), name.table),
                };
                return Err(Error::invalid(format!("nothing writes `{name}`"))
                    .detail(format!("it is promised in {}", contract.path.display()))
                    .hint(missing));
            }
            if let Some(mapping) = self.mappings.get(name) {
                return Err(Error::invalid(format!("`{name}` is both a mapping and a table"))
                    .detail(format!("{} and {}", mapping.path.display(), contract.path.display())));
            }
        }
        Ok(())
    }

    /// Every table that a job names exists, and none reads a layer above its own.
    fn check_reads(&self) -> Result<()> {
        for job in self.jobs.values() {
            let place = format!("in {}", job.query.path.display());
            for read in job.query.reads.iter().filter(|read| !PARAMETER_TABLES.contains(&read.as_str())) {
                let plain =
                    [NEW, OLD, LAST].iter().find_map(|prefix| read.strip_prefix(prefix)?.strip_prefix('.'));
                let plain = plain.unwrap_or(read);
                let name = TableName::parse(plain).filter(|name| name.layer != Layer::Ops);
                let Some(name) = name.filter(|name| self.is_table(name)) else {
                    return Err(self.unknown_table(plain).detail(place));
                };
                if self.is_view(&name) {
                    self.check_view(job, &name).map_err(|e| e.detail(place.clone()))?;
                }
                if name.layer > job.name.layer {
                    return Err(Error::invalid(format!(
                        "`{}` reads `{name}`, a layer above its own",
                        job.name
                    ))
                    .detail(place));
                }
            }
            self.check_increment(job).map_err(|e| e.detail(place))?;
        }
        self.check_reconciled()?;
        for audit in self.audits.values() {
            let is_known = |name: &&String| {
                TableName::parse(name).is_some_and(|name| name.layer != Layer::Ops && self.is_table(&name))
            };
            if let Some(unknown) = audit.reads.iter().find(|name| !is_known(name)) {
                return Err(self.unknown_table(unknown).detail(format!("in {}", audit.path.display())));
            }
        }
        for query in self.audits.values().chain(self.analyses.values()) {
            let views = query.reads.iter().filter_map(|name| TableName::parse(name));
            if let Some(view) = views.into_iter().find(|name| self.is_view(name)) {
                return Err(Error::invalid(format!(
                    "`{view}` is a view, which only the jobs of tables can read"
                ))
                .detail(format!("in {}", query.path.display())));
            }
        }
        Ok(())
    }

    /// Every table that an export names exists; patterns are another matter.
    fn check_exports(&self) -> Result<()> {
        let is_name = |name: &&String| !name.contains(['*', '?', '[']);
        let is_table =
            |name: &&String| TableName::parse(name).is_some_and(|table| self.contracts.contains_key(&table));
        let mut names = self.exports.iter().flat_map(|export| &export.tables).filter(is_name);
        match names.find(|name| !is_table(name)) {
            None => Ok(()),
            Some(name) => {
                let path = self.folder.join("config/exports.toml");
                Err(self.unknown_name(name).detail(format!("in {}", path.display())))
            }
        }
    }

    /// What is new is known of stored tables only, and what was there before of the job's own tables and of
    /// those it takes new rows of.
    fn check_increment(&self, job: &Job) -> Result<()> {
        let stored = |name: &TableName| self.contracts.contains_key(name);
        if let Some(name) = job.new_rows_of().find(|name| !stored(name)) {
            return Err(Error::invalid(format!(
                "`{}` reads new rows of `{name}`, which is no table",
                job.name
            ))
            .hint("a mapping or a view is read by its plain name"));
        }
        let own = self.step_tables(&job.name);
        let known = |name: &TableName| own.contains(name) || job.new_rows_of().any(|new| new == *name);
        if let Some(name) = job.old_rows_of().find(|name| !known(name)) {
            return Err(Error::invalid(format!(
                "`{}` reads `{name}` as it was, but neither makes it nor reads what is new of it",
                job.name
            ))
            .hint(format!("read `{name}` as it is, or `new.{name}` as well")));
        }
        let known = |name: &TableName| own.contains(name) || job.whole().any(|whole| whole == *name);
        if let Some(name) = job.last_rows_of().find(|name| !stored(name) || !known(name)) {
            return Err(Error::invalid(format!(
                "`{}` reads `{name}` as it was before, but neither makes nor reads that table",
                job.name
            ))
            .hint(format!("read `{name}` as well")));
        }
        let reads_new = |job: &Job| job.new_rows_of().next().is_some();
        let through_view = || job.whole().filter_map(|name| self.jobs.get(&name)).any(reads_new);
        if job.writes == Writes::Append && !reads_new(job) && !through_view() {
            return Err(Error::invalid(format!(
                "`{}` appends, but does not say which rows are new",
                job.name
            ))
            .hint("read one of its inputs as `new.<table>`, or write `-- writes: full`"));
        }
        job.grows_by.iter().try_for_each(|column| self.check_growth(job, column))
    }

    /// A table grows by a column of days that keeps its keys apart, and that the rows have which are new to it.
    fn check_growth(&self, job: &Job, column: &str) -> Result<()> {
        let refused = |why: String| {
            Err(Error::invalid(format!("`{}` cannot grow by `{column}`: {why}", job.name))
                .hint("grow by a date of the key that is never NULL, or leave the line `-- grows:` out"))
        };
        if job.new_rows_of().next().is_none() || !job.old_rows_of().any(|old| old == job.name) {
            return refused(format!("it does not add new rows to those of `{OLD}.{}`", job.name));
        }
        if !self.contract(&job.name)?.key.iter().any(|key| key == column) {
            return refused("that is no part of its key".into());
        }
        for name in job.new_rows_of().chain([job.name.clone()]) {
            let has_days = |c: &Column| c.name == column && c.data_type == DataType::Date32 && !c.nullable;
            if !self.contract(&name)?.columns.iter().any(has_days) {
                return refused(format!("`{name}` has no such date, or it may be NULL"));
            }
        }
        Ok(())
    }

    /// The tables whose content before the present one is read.
    pub fn remembered(&self) -> BTreeSet<TableName> {
        self.jobs.values().flat_map(Job::last_rows_of).collect()
    }

    /// The tables that are made in one step with `name`: itself, or all that read its view.
    pub fn step_tables(&self, name: &TableName) -> Vec<TableName> {
        let view = match self.is_view(name) {
            true => Some(name),
            false => self.graph.parents(name).find(|parent| self.is_view(parent)),
        };
        match view {
            Some(view) => self.graph.children(view).cloned().collect(),
            None => vec![name.clone()],
        }
    }

    /// What contracts reconcile or refer to exists.
    fn check_reconciled(&self) -> Result<()> {
        for contract in self.contracts.values() {
            let reconciled = contract.reconcile.values().flat_map(|r| r.with.iter().chain([&r.against]));
            let referred = contract.expectations.values().filter_map(Expectation::other_table);
            let unknown = reconciled.chain(referred).find(|name| !self.contracts.contains_key(*name));
            if let Some(name) = unknown {
                let place = format!("in {}", contract.path.display());
                return Err(self.unknown_table(&name.to_string()).detail(place));
            }
        }
        Ok(())
    }

    /// Whether a name stands for rows that are computed for others and not stored.
    pub fn is_view(&self, name: &TableName) -> bool {
        self.jobs.get(name).is_some_and(|job| job.writes == Writes::Nothing)
    }

    /// A view streams once, into tables that read no other view and nothing that is made from it.
    fn check_view(&self, job: &Job, view: &TableName) -> Result<()> {
        if job.writes == Writes::Nothing {
            return Err(Error::invalid(format!("the view `{}` reads the view `{view}`", job.name))
                .hint("let one of them be a table, or write both as one"));
        }
        if let Some(other) = job.reads().find(|name| name != view && self.is_view(name)) {
            return Err(Error::invalid(format!("`{}` reads two views, `{view}` and `{other}`", job.name)));
        }
        let made: Vec<&TableName> = self.graph.children(view).collect();
        let inputs = self.graph.with_ancestors(job.reads());
        match made.into_iter().find(|table| inputs.contains(table)) {
            None => Ok(()),
            Some(table) => {
                Err(Error::invalid(format!("`{}` reads `{view}` and is also made from `{table}`", job.name))
                    .detail(format!("`{table}` is built from `{view}` at the same time"))
                    .hint(format!("read `{table}` alone")))
            }
        }
    }

    fn is_table(&self, name: &TableName) -> bool {
        self.contracts.contains_key(name) || self.mappings.contains_key(name) || self.jobs.contains_key(name)
    }
}

/// A folder as a message names it.
fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { ".".into() } else { folder.display().to_string() }
}

/// The one-row tables of a run: what it is, and what it was asked for.
const PARAMETER_TABLES: [&str; 2] = ["lake.run", PARAMETERS];

/// The files of a folder with an extension, by stem, in order; a missing folder has none.
fn files_in(folder: &Path, extension: &str) -> Result<Vec<(String, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error("read", folder, &e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| io_error("read", folder, &e))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| !stem.starts_with('.'));
        if let (Some(stem), true) = (stem, path.extension().is_some_and(|e| e == extension)) {
            found.push((stem.to_string(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

fn queries_in(folder: &Path) -> Result<BTreeMap<String, Query>> {
    files_in(folder, "sql")?.into_iter().map(|(stem, path)| Ok((stem, Query::load(&path)?))).collect()
}
