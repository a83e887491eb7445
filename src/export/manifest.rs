//! What an export says of itself: `manifest.json` beside its files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::ExportFormat;
use crate::error::{Error, Result, io_error};

/// The file's name.
pub(super) const MANIFEST: &str = "manifest.json";

/// By what a manifest of ours is known.
const KIND: &str = "lake export";

/// The layout of manifests that this program writes.
const VERSION: u32 = 1;

/// An export: what it shows, and of which files it consists.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Manifest {
    kind: String,
    version: u32,
    /// The program that wrote it.
    pub program: String,
    /// The run whose publication it shows.
    pub run_id: String,
    /// When that was published: RFC 3339, UTC.
    pub published_at: String,
    /// The name of the publication where it is of what was known on a day.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<String>,
    /// What kind of files.
    pub format: ExportFormat,
    /// The tables, in the order of their names.
    pub tables: Vec<ExportedTable>,
}

/// A table of an export.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct ExportedTable {
    /// `layer.table`.
    pub table: String,
    /// What it is for.
    pub doc: String,
    /// What one row is.
    pub grain: String,
    /// The columns that identify a row, by which the rows are sorted.
    pub key: Vec<String>,
    /// The columns that are folders.
    pub partition_by: Vec<String>,
    /// Rows in all files.
    pub rows: u64,
    /// The columns, those that are folders included.
    pub columns: Vec<ExportedColumn>,
    /// The files; none in a workbook, whose sheets are its tables.
    pub files: Vec<ExportedFile>,
}

/// A column of a table.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct ExportedColumn {
    /// Its name.
    pub name: String,
    /// Its type in the files, as contracts write types.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether NULL can occur.
    pub nullable: bool,
    /// What it holds.
    pub doc: String,
}

/// A file of a table.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct ExportedFile {
    /// Where it is, from the manifest.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of an export without any tables yet.
    pub(super) fn new(run_id: String, published_at: String, format: ExportFormat) -> Manifest {
        Manifest {
            kind: KIND.into(),
            version: VERSION,
            program: format!("lake {}", env!("CARGO_PKG_VERSION")),
            run_id,
            published_at,
            as_of: None,
            format,
            tables: Vec::new(),
        }
    }

    /// The files of all tables.
    pub(super) fn files(&self) -> impl Iterator<Item = &ExportedFile> {
        self.tables.iter().flat_map(|table| &table.files)
    }

    /// The manifest as a text that ends with a line's end.
    pub(super) fn text(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::internal(e.to_string()))?;
        Ok(text + "\n")
    }

    /// A manifest of ours from its bytes; none when they are something else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Manifest> {
        let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
        (manifest.kind == KIND && manifest.version == VERSION).then_some(manifest)
    }

    /// The manifest of the export in `folder`; none when that is no export of ours.
    pub fn read(folder: &Path) -> Result<Option<Manifest>> {
        let path = folder.join(MANIFEST);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Manifest::parse(&bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io_error("read", &path, &e)),
        }
    }
}

#[cfg(test)]
mod tests {
    //! Proves that a manifest is read as it was written, and that other files are not taken for one.

    use super::*;

    #[test]
    fn a_manifest_is_known_from_other_files() {
        let format = ExportFormat::Parquet;
        let mut manifest = Manifest::new("0199".into(), "2026-01-02T03:04:05.000000Z".into(), format);
        let column = ExportedColumn {
            name: "a".into(),
            data_type: "bigint".into(),
            nullable: false,
            doc: "A number.".into(),
        };
        let file = ExportedFile { path: "gold/a.parquet".into(), rows: 1, bytes: 2, sha256: "00".repeat(32) };
        manifest.tables.push(ExportedTable {
            table: "gold.a".into(),
            doc: "What it is for.".into(),
            grain: "one row per a".into(),
            key: vec!["a".into()],
            partition_by: Vec::new(),
            rows: 1,
            columns: vec![column],
            files: vec![file],
        });
        let text = manifest.text().unwrap();
        assert!(text.contains("\"type\": \"bigint\"") && !text.contains("as_of"), "{text}");
        assert_eq!(Manifest::parse(text.as_bytes()), Some(manifest));
        assert_eq!(Manifest::parse(text.replace(KIND, "another").as_bytes()), None);
        assert_eq!(Manifest::parse(b"{\"name\": \"a web app\"}"), None);
    }
}
