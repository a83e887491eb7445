//! Settings: text in, checked values out, each with the place it came from.
//!
//! Five layers, later wins: the embedded `config/lake.toml` and `config/models.toml`, the project's own, the
//! environment's file, `LAKE_*` variables, flags. The embedded files are the registry of keys: a key that is in
//! neither is an error. Never reads data.

mod exports;
mod models;
mod serve;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use crate::error::{Error, Result, io_error, nearest};
pub use exports::{Export, ExportFormat};
pub use models::{
    Clustering, CustomerValue, Forecast, Models, PurchaseModel, Recommendations, Recommender, Segments,
};
pub use serve::Serve;
pub use sources::{Source, Sources};

/// The settings file the program carries: every key, its default and a sentence.
pub const DEFAULTS: &str = include_str!("../../config/lake.toml");

/// The same for the parameters of models, which are settings below `models`.
const MODEL_DEFAULTS: &str = include_str!("../../config/models.toml");

/// The section that the keys of `config/models.toml` belong to.
const MODELS: &str = "models";

/// What a lake's configuration says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the tables lie: a folder relative to the project, or a URL.
    pub root: String,
    /// The environment whose file is laid over `lake.toml`.
    pub environment: String,
    /// Threads at work; 0 means every core.
    pub threads: usize,
    /// Memory for queries before they spill: `auto`, `none`, or e.g. `2GB`.
    pub memory_limit: String,
    /// Logging.
    pub log: Log,
    /// How table files are written.
    pub write: Write,
    /// How tables are kept in order.
    pub maintenance: Maintenance,
    /// Doors for clients.
    pub serve: Serve,
    /// Parameters of models.
    pub models: Models,
}

/// Settings of what is done about old and small files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// How many files of one size a table gathers before a run makes them one.
    pub compact_files: u64,
    /// How many commits the log of a new table grows by before they are summed up in a checkpoint.
    pub checkpoint_commits: u32,
    /// How many runs the `ops` tables remember.
    pub keep_runs: u64,
    /// Days for which a vacuum keeps what was published.
    pub keep_days: u32,
}

/// Logging settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Which events, in the notation of `RUST_LOG`.
    pub filter: String,
    /// `human` or `json`.
    pub format: LogFormat,
}

/// How log events and progress are written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Settings of the files that tables are made of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// zstd level, 1 to 22.
    pub compression_level: i32,
    /// Rows in a row group, at most.
    pub row_group_rows: usize,
    /// Megabytes at which a file is closed.
    pub target_file_mb: u64,
}

/// One setting as it is in force.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The dotted key, e.g. `write.compression_level`.
    pub key: String,
    /// The value in force.
    pub value: Value,
    /// Where it came from: a file, a variable, a flag, or `default`.
    pub origin: String,
    /// What the key means.
    pub doc: String,
}

/// The settings in force and where each came from.
#[derive(Clone, Debug)]
pub struct Config {
    /// The values the program uses.
    pub settings: Settings,
    /// The same, key by key, in the order of `config/lake.toml`.
    pub effective: Vec<Effective>,
}

impl Config {
    /// Lays the five layers over each other for the project in `folder`.
    ///
    /// `variables` are the process's environment variables, `flags` the dotted keys given on the command
    /// line. Fails on an unknown key, naming the nearest one, and on a value that cannot be what its key says.
    pub fn load(
        folder: &Path,
        variables: &BTreeMap<String, String>,
        flags: &[(&str, String)],
    ) -> Result<Config> {
        let mut layers = Layers::new()?;
        layers.overlay_file(&folder.join("config/lake.toml"), "")?;
        layers.overlay_file(&folder.join("config/models.toml"), MODELS)?;
        let environment = environment_of(&layers, variables, flags);
        let file = folder.join("config").join(format!("{environment}.toml"));
        if !file.exists() && environment != "development" {
            return Err(Error::invalid(format!("there is no environment `{environment}`"))
                .detail(format!("it would be the file `{}`", file.display()))
                .hint("write the file, or choose another environment with `--env NAME`"));
        }
        layers.overlay_file(&file, "")?;
        layers.overlay_variables(variables)?;
        for (key, value) in flags {
            layers.set_text(key, value, "flag")?;
        }
        layers.finish()
    }
}

/// The environment's name: a flag, a variable, or the project's own file, in this order.
fn environment_of(layers: &Layers, variables: &BTreeMap<String, String>, flags: &[(&str, String)]) -> String {
    let flag = flags.iter().find(|(key, _)| *key == "environment").map(|(_, value)| value.clone());
    flag.or_else(|| variables.get("LAKE_ENVIRONMENT").cloned())
        .unwrap_or_else(|| layers.text("environment").to_string())
}

/// The layers laid so far.
struct Layers(Vec<Effective>);

impl Layers {
    fn new() -> Result<Self> {
        let mut entries = Vec::new();
        for (prefix, text) in [("", DEFAULTS), (MODELS, MODEL_DEFAULTS)] {
            let table: Table =
                text.parse().map_err(|e| Error::internal(format!("the default settings: {e}")))?;
            let docs = docs_of(prefix, text);
            flatten(prefix, &table, &mut |key, value| {
                let doc = docs.get(key).cloned().unwrap_or_default();
                entries.push(Effective {
                    key: key.into(),
                    value: value.clone(),
                    origin: "default".into(),
                    doc,
                });
            });
        }
        Ok(Layers(entries))
    }

    fn text(&self, key: &str) -> &str {
        self.0.iter().find(|e| e.key == key).and_then(|e| e.value.as_str()).unwrap_or_default()
    }

    /// Lays a file over what there is, its keys below `prefix`; a missing file says nothing.
    fn overlay_file(&mut self, path: &Path, prefix: &str) -> Result<()> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(io_error("read", path, &e)),
        };
        let table: Table = parse(path, &text)?;
        let origin = format!("{}", path.display());
        let mut outcome = Ok(());
        flatten(prefix, &table, &mut |key, value| {
            if outcome.is_ok() {
                outcome = self.set(key, value.clone(), &origin);
            }
        });
        outcome
    }

    fn overlay_variables(&mut self, variables: &BTreeMap<String, String>) -> Result<()> {
        for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("LAKE_")) {
            // Paths of test data and of the project are not settings.
            if ["LAKE_PROJECT", "LAKE_UCI_DIR"].contains(&name.as_str()) {
                continue;
            }
            let key = self.0.iter().map(|e| e.key.clone()).find(|key| variable_of(key) == *name);
            let Some(key) = key else {
                let names: Vec<String> = self.0.iter().map(|e| variable_of(&e.key)).collect();
                let error = Error::invalid(format!("unknown variable `{name}`"));
                return Err(with_nearest(error, name, names.iter().map(String::as_str)));
            };
            self.set_text(&key, value, &format!("variable {name}"))?;
        }
        Ok(())
    }

    /// Sets a key from text, read as the type its default has.
    fn set_text(&mut self, key: &str, text: &str, origin: &str) -> Result<()> {
        let is_text = self.0.iter().any(|e| e.key == key && e.value.is_str());
        let value = if is_text {
            Value::String(text.into())
        } else {
            text.parse::<Value>().unwrap_or_else(|_| Value::String(text.into()))
        };
        self.set(key, value, origin)
    }

    fn set(&mut self, key: &str, value: Value, origin: &str) -> Result<()> {
        let Some(entry) = self.0.iter_mut().find(|e| e.key == key) else {
            let error = Error::invalid(format!("unknown setting `{key}`")).detail(format!("in {origin}"));
            return Err(with_nearest(error, key, self.0.iter().map(|e| e.key.as_str())));
        };
        if entry.value.type_str() != value.type_str() {
            let expected = entry.value.type_str();
            return Err(Error::invalid(format!("setting `{key}` must be of type {expected}, not {value}"))
                .detail(format!("in {origin}"))
                .detail(entry.doc.clone()));
        }
        if value.as_integer().is_some_and(|number| number < 0) {
            return Err(Error::invalid(format!("setting `{key}` cannot be {value}: it is not negative"))
                .detail(format!("in {origin}"))
                .detail(entry.doc.clone()));
        }
        entry.value = value;
        entry.origin = origin.into();
        Ok(())
    }

    /// The error of a value that is none of those that its setting may have.
    fn misfit(&self, message: &str) -> Error {
        let unknown =
            message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "));
        let found = unknown.and_then(|(value, expected)| {
            let setting = self.0.iter().find(|setting| setting.value.as_str() == Some(value))?;
            Some((setting, expected))
        });
        match found {
            Some((setting, expected)) => Error::invalid(format!(
                "setting `{}` cannot be {}: it is {expected}",
                setting.key, setting.value
            ))
            .detail(format!("in {}", setting.origin))
            .detail(setting.doc.clone()),
            None => Error::invalid(format!("settings: {message}")),
        }
    }

    fn finish(self) -> Result<Config> {
        let mut table = Table::new();
        for entry in &self.0 {
            insert(&mut table, &entry.key, entry.value.clone());
        }
        let settings: Settings = table.try_into().map_err(|e: toml::de::Error| self.misfit(e.message()))?;
        check(&settings)?;
        Ok(Config { settings, effective: self.0 })
    }
}

/// More threads than any machine of today has work for; some thousands more could not be started.
const MOST_THREADS: usize = 1024;

/// The values a type alone does not bound.
fn check(settings: &Settings) -> Result<()> {
    if settings.threads > MOST_THREADS {
        let threads = settings.threads;
        return Err(Error::invalid(format!(
            "setting `threads` must be at most {MOST_THREADS}, not {threads}"
        )));
    }
    let level = settings.write.compression_level;
    if !(1..=22).contains(&level) {
        return Err(Error::invalid(format!(
            "setting `write.compression_level` must be 1 to 22, not {level}"
        )));
    }
    if settings.write.row_group_rows == 0 || !(1..=1_000_000).contains(&settings.write.target_file_mb) {
        return Err(Error::invalid(
            "settings `write.row_group_rows` and `write.target_file_mb` must be positive",
        ));
    }
    if settings.maintenance.compact_files < 2 || settings.maintenance.checkpoint_commits == 0 {
        return Err(Error::invalid(
            "`maintenance.compact_files` must be at least 2 and `maintenance.checkpoint_commits` at least 1",
        ));
    }
    settings.models.check()?;
    settings.serve.check()?;
    memory_limit("memory_limit", &settings.memory_limit).map(|_| ())
}

/// How much memory queries may take before they spill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Half of what the machine has.
    Auto,
    /// So many bytes.
    Bytes(usize),
    /// As much as there is.
    None,
}

/// The limit that a text such as `2GB` means as the value of a setting.
pub fn memory_limit(setting: &str, text: &str) -> Result<MemoryLimit> {
    let upper = text.trim().to_ascii_uppercase();
    let digits = upper.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: usize = match &upper[digits.len()..] {
        "AUTO" if digits.is_empty() => return Ok(MemoryLimit::Auto),
        "NONE" if digits.is_empty() => return Ok(MemoryLimit::None),
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        _ => 0,
    };
    let bytes = digits.trim().parse::<usize>().ok().and_then(|count| count.checked_mul(unit));
    match bytes {
        Some(bytes) if bytes > 0 => Ok(MemoryLimit::Bytes(bytes)),
        _ => Err(Error::invalid(format!("setting `{setting}` cannot be `{text}`"))
            .hint("write a whole number and a unit, such as \"512MB\" or \"2GB\", or \"auto\", or \"none\"")),
    }
}

/// Adds the name nearest in spelling as a hint, or all names when none is near.
pub(crate) fn with_nearest<'a>(
    error: Error,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Error {
    match nearest(name, names.clone()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("known are: {}", names.collect::<Vec<_>>().join(", "))),
    }
}

/// Reads TOML text, naming file, line and the offending snippet when it cannot.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| toml_error(path, text, &e))
}

/// An error of the TOML reader with its place: `file:line`, the line, the message.
fn toml_error(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let offset = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text[..offset].matches('\n').count();
    let snippet = text.lines().nth(line).unwrap_or_default();
    let message = error.message().trim();
    let mut result = Error::invalid(message.replace('\n', "; "))
        .detail(format!("at {}:{}", path.display(), line + 1))
        .detail(format!("{:>4} | {snippet}", line + 1));
    if let Some((unknown, known)) = unknown_field(message) {
        result = with_nearest(result, unknown, known.iter().copied());
    }
    result
}

/// The unknown key and the known ones, when that is what serde complains of.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((names.next()?, names.collect()))
}

/// The variable that sets a key: `write.compression_level` is `LAKE_WRITE_COMPRESSION_LEVEL`.
fn variable_of(key: &str) -> String {
    format!("LAKE_{}", key.replace('.', "_").to_ascii_uppercase())
}

fn flatten(prefix: &str, table: &Table, visit: &mut impl FnMut(&str, &Value)) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, visit),
            value => visit(&key, value),
        }
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.into(), value);
        }
        Some((head, rest)) => {
            let inner = table.entry(head).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The comment lines right above each key of a settings file.
fn docs_of(prefix: &str, text: &str) -> BTreeMap<String, String> {
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
    let (mut docs, mut section, mut comment) = (BTreeMap::new(), prefix.clone(), Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some(name) = line.strip_prefix('[') {
            section = format!("{prefix}{}.", name.trim_end_matches(']'));
        } else if let Some((name, _)) = line.split_once('=') {
            docs.insert(format!("{section}{}", name.trim()), comment.join(" "));
        }
        if !line.starts_with('#') {
            comment.clear();
        }
    }
    docs
}

#[cfg(test)]
mod tests;
