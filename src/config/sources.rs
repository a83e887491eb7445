//! Where bronze comes from: `config/sources.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::parse;
use crate::error::{Error, Result, io_error};

/// One source: where its files land and how their headers are spelt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The folder that is looked into, relative to the project.
    pub landing: String,
    /// For each column of the bronze table, the spellings of its header.
    pub headers: BTreeMap<String, Vec<String>>,
}

/// The sources of a project by the name of their bronze table.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<String, Source>);

impl Sources {
    /// Reads `config/sources.toml` of the project in `folder`.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("config/sources.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| io_error("read", &path, &e))?;
        parse(&path, &text).map(Sources)
    }

    /// The source that feeds the bronze table `name`.
    pub fn get(&self, name: &str) -> Result<&Source> {
        self.0.get(name).ok_or_else(|| {
            let error = Error::invalid(format!("there is no source `{name}` in config/sources.toml"));
            super::with_nearest(error, name, self.0.keys().map(String::as_str))
        })
    }
}
