//! Contracts: what each table promises. Text in, checked values out; never reads data.
//!
//! A contract is `<layer>/<table>.toml`: the path is the name; the text says doc, grain, key, columns and
//! expectations. An editable mapping is a `.csv` beside the contracts and is a table too.

mod expect;
mod types;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexMap;
use serde::Deserialize;

use crate::config::{parse, with_nearest};
use crate::error::{Error, Result, io_error};
pub use expect::{
    Amount, Check, Expectation, Freshness, Reconcile, References, Severity, SumEquals, quarantine_columns,
};

/// A layer of the lake. The order is the order of promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Layer {
    /// As received.
    Bronze,
    /// Valid, distinct, explained.
    Silver,
    /// Answers.
    Gold,
    /// What happened: written by the program itself, promoted by no job.
    #[value(skip)]
    Ops,
}

impl Layer {
    /// The layers in the order of promotion.
    pub const PROMOTED: [Layer; 3] = [Layer::Bronze, Layer::Silver, Layer::Gold];

    /// Every layer.
    pub const ALL: [Layer; 4] = [Layer::Bronze, Layer::Silver, Layer::Gold, Layer::Ops];

    /// The layer's name, which is its folder and its schema in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Bronze => "bronze",
            Layer::Silver => "silver",
            Layer::Gold => "gold",
            Layer::Ops => "ops",
        }
    }
}

/// `layer.table`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(try_from = "String")]
pub struct TableName {
    /// The layer.
    pub layer: Layer,
    /// The table's name within its layer.
    pub table: String,
}

impl TableName {
    /// The name `layer.table`.
    pub fn new(layer: Layer, table: impl Into<String>) -> Self {
        TableName { layer, table: table.into() }
    }

    /// Reads `layer.table`; none when the part before the dot is not a layer.
    pub fn parse(text: &str) -> Option<Self> {
        let (layer, table) = text.split_once('.')?;
        let layer = Layer::ALL.into_iter().find(|l| l.as_str() == layer)?;
        Some(TableName::new(layer, table))
    }

    /// The table of the rows that were kept out of this one.
    pub fn rejected(&self) -> Self {
        TableName::new(self.layer, format!("{}_rejected", self.table))
    }
}

impl TryFrom<String> for TableName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        TableName::parse(&text).ok_or_else(|| format!("`{text}` is not a table's name"))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.layer.as_str(), self.table))
    }
}

/// One promised column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in Arrow; text is `Utf8View`.
    pub data_type: DataType,
    /// Whether NULL can occur.
    pub nullable: bool,
    /// What it holds.
    pub doc: String,
    /// Whether it says which run wrote the row: a rebuild would not give the same.
    pub of_run: bool,
}

/// What one table promises.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The table.
    pub name: TableName,
    /// The file the contract was read from.
    pub path: PathBuf,
    /// What the table is for.
    pub doc: String,
    /// What one row is.
    pub grain: String,
    /// The columns that identify a row; NULL is a value of its own. None identify what was set aside.
    pub key: Vec<String>,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The expectations by name, in the order of the file.
    pub expectations: IndexMap<String, Expectation>,
    /// What is reconciled in every run, by name.
    pub reconcile: IndexMap<String, Reconcile>,
    /// The table that holds the rows which its expectations keep out of it.
    pub quarantine: Option<TableName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractText {
    doc: String,
    grain: String,
    key: Vec<String>,
    columns: IndexMap<String, ColumnText>,
    #[serde(default)]
    expect: IndexMap<String, Expectation>,
    #[serde(default)]
    reconcile: IndexMap<String, Reconcile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnText {
    #[serde(rename = "type", deserialize_with = "types::deserialize")]
    data_type: DataType,
    #[serde(default)]
    nullable: bool,
    #[serde(default)]
    of_run: bool,
    doc: String,
}

impl Contract {
    /// Reads the contract of `name` from its file.
    pub fn load(path: &Path, name: TableName) -> Result<Contract> {
        let text = std::fs::read_to_string(path).map_err(|e| io_error("read", path, &e))?;
        Contract::parse(path, name, &text)
    }

    /// Reads the contract of `name` from `text`; `path` is where errors point to.
    pub fn parse(path: &Path, name: TableName, text: &str) -> Result<Contract> {
        let parsed: ContractText = parse(path, text)?;
        check(path, text, &parsed)?;
        let columns = parsed.columns.into_iter().map(|(name, column)| Column {
            name,
            data_type: column.data_type,
            nullable: column.nullable,
            doc: column.doc,
            of_run: column.of_run,
        });
        Ok(Contract {
            name,
            path: path.into(),
            doc: parsed.doc,
            grain: parsed.grain,
            key: parsed.key,
            columns: columns.collect(),
            expectations: parsed.expect,
            reconcile: parsed.reconcile,
            quarantine: None,
        })
    }

    /// The columns as an Arrow schema; each field carries its description as `comment`, as Delta stores it.
    pub fn schema(&self) -> SchemaRef {
        let field = |c: &Column| {
            Field::new(&c.name, c.data_type.clone(), c.nullable)
                .with_metadata([("comment".to_string(), c.doc.clone())].into())
        };
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// The name of a type as contracts write it.
    pub fn type_name(data_type: &DataType) -> String {
        types::name(data_type)
    }

    /// Everything that the table's rows depend on, in a form that differs when and only when the meaning does:
    /// prose is none of it.
    pub fn canonical(&self) -> String {
        let columns = self.columns.iter().map(|c| (&c.name, &c.data_type, c.nullable, c.of_run));
        format!("{:?}", (&self.name, &self.key, columns.collect::<Vec<_>>()))
    }

    /// Everything that the table is held against.
    pub fn canonical_judgement(&self) -> String {
        format!("{:?}", (&self.key, &self.expectations, &self.reconcile))
    }
}

/// What TOML alone cannot hold true: names are snake_case, the key is made of columns.
fn check(path: &Path, text: &str, contract: &ContractText) -> Result<()> {
    let at = |needle: &str| {
        let line = text.lines().position(|line| line.trim_start().starts_with(needle)).map_or(1, |i| i + 1);
        format!("at {}:{line}", path.display())
    };
    for name in contract.columns.keys() {
        let snake = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !snake || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(
                Error::invalid(format!("column `{name}` is not named in snake_case")).detail(at(name))
            );
        }
    }
    if contract.key.is_empty() {
        let error = Error::invalid("no column identifies a row").detail(at("key"));
        return Err(
            error.hint("name the columns of `key`; they stand for the rows that violate an expectation")
        );
    }
    for name in &contract.key {
        if !contract.columns.contains_key(name) {
            let error = Error::invalid(format!("key `{name}` is not a column")).detail(at("key"));
            return Err(with_nearest(error, name, contract.columns.keys().map(String::as_str)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
