//! What is kept as files for other programs: `config/exports.toml`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::parse;
use crate::error::{Error, Result, io_error};

/// Published tables as files in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// A folder, a workbook or a URL.
    pub to: String,
    /// What kind of files.
    pub format: ExportFormat,
    /// Names or patterns of tables; none mean every published table of gold.
    pub tables: Vec<String>,
    /// The columns by which the tables that have them are split into folders.
    pub partition_by: Vec<String>,
}

/// A kind of files.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Parquet, compressed with Snappy
    Parquet,
    /// With a header line; lists and maps as JSON
    Csv,
    /// One workbook, a sheet a table
    Xlsx,
    /// One object a line, each with every column
    Json,
}

impl ExportFormat {
    /// The word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ExportFormat::Parquet => "parquet",
            ExportFormat::Csv => "csv",
            ExportFormat::Xlsx => "xlsx",
            ExportFormat::Json => "json",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportsText {
    #[serde(default)]
    export: Vec<ExportText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportText {
    to: String,
    format: Option<ExportFormat>,
    #[serde(default)]
    tables: Vec<String>,
    #[serde(default)]
    partition_by: Vec<String>,
}

impl Export {
    /// An export whose parts agree. Without a format it is a workbook where the place ends in `.xlsx`, else Parquet.
    pub fn new(
        to: String,
        format: Option<ExportFormat>,
        tables: Vec<String>,
        partition_by: Vec<String>,
    ) -> Result<Export> {
        if to.is_empty() {
            return Err(Error::invalid("an export needs a place: a folder, a workbook or a URL"));
        }
        if [".csv", ".json", ".jsonl", ".parquet"].iter().any(|ending| to.to_lowercase().ends_with(ending)) {
            return Err(Error::invalid(format!("`{to}` is the name of a file, and an export is a folder"))
                .hint(
                    "name a folder, or write one file with `lake sql QUERY --format FORMAT --output FILE`",
                ));
        }
        let names_workbook = to.to_lowercase().ends_with(".xlsx");
        let format =
            format.unwrap_or(if names_workbook { ExportFormat::Xlsx } else { ExportFormat::Parquet });
        match (format, names_workbook) {
            (ExportFormat::Xlsx, false) => {
                return Err(Error::invalid(format!("`{to}` is not the name of a workbook"))
                    .hint("a workbook is one file, whose name ends in `.xlsx`"));
            }
            (ExportFormat::Parquet | ExportFormat::Csv | ExportFormat::Json, true) => {
                let format = format.as_str();
                return Err(Error::invalid(format!("`{to}` names a workbook, and {format} is asked for"))
                    .hint("leave out the format, or name a folder"));
            }
            _ => {}
        }
        if format == ExportFormat::Xlsx && !partition_by.is_empty() {
            return Err(Error::invalid("a workbook cannot be partitioned")
                .hint("leave out the columns, or name a folder and another format"));
        }
        Ok(Export { to, format, tables, partition_by })
    }

    /// Reads `config/exports.toml` of the project in `folder`; a missing file says nothing. Relative places begin
    /// in that folder.
    pub fn load_all(folder: &Path) -> Result<Vec<Export>> {
        let path = folder.join("config/exports.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io_error("read", &path, &e)),
        };
        let parsed: ExportsText = parse(&path, &text)?;
        let exports = parsed.export.into_iter().map(|export| {
            let to = match export.to.is_empty() || export.to.contains("://") {
                true => export.to,
                false => folder.join(&export.to).to_string_lossy().into_owned(),
            };
            Export::new(to, export.format, export.tables, export.partition_by)
                .map_err(|e| e.detail(format!("in {}", path.display())))
        });
        let exports = exports.collect::<Result<Vec<_>>>()?;
        check_places(&exports).map_err(|e| e.detail(format!("in {}", path.display())))?;
        Ok(exports)
    }
}

/// An error if an export would replace another, or lie in it.
fn check_places(exports: &[Export]) -> Result<()> {
    for (at, export) in exports.iter().enumerate() {
        for other in &exports[..at] {
            let (one, two) = (Path::new(&export.to), Path::new(&other.to));
            if one.starts_with(two) || two.starts_with(one) {
                return Err(Error::invalid(format!("`{}` and `{}` are one place", other.to, export.to))
                    .hint("each export is replaced as a whole: it needs a folder or a file of its own"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! Proves what a format is when none is named, and which parts of an export contradict each other.

    use super::*;

    fn export(to: &str, format: Option<ExportFormat>, partition_by: &[&str]) -> Result<Export> {
        let partition_by = partition_by.iter().map(ToString::to_string).collect();
        Export::new(to.into(), format, Vec::new(), partition_by)
    }

    #[test]
    fn a_place_tells_the_format() {
        let format = |to| export(to, None, &[]).unwrap().format;
        assert_eq!(format("exports"), ExportFormat::Parquet);
        assert_eq!(format("reports/Sales.XLSX"), ExportFormat::Xlsx);
    }

    #[test]
    fn contradictions_are_refused() {
        let said =
            |to, format, columns: &[&str]| export(to, format, columns).unwrap_err().message().to_string();
        assert!(said("", None, &[]).starts_with("an export needs a place"));
        assert_eq!(said("rfm.CSV", None, &[]), "`rfm.CSV` is the name of a file, and an export is a folder");
        assert_eq!(said("a", Some(ExportFormat::Xlsx), &[]), "`a` is not the name of a workbook");
        assert_eq!(
            said("a.xlsx", Some(ExportFormat::Csv), &[]),
            "`a.xlsx` names a workbook, and csv is asked for"
        );
        assert_eq!(said("a.xlsx", None, &["country"]), "a workbook cannot be partitioned");
    }

    #[test]
    fn the_file_is_read_from_the_project() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Export::load_all(folder.path()).unwrap(), []);
        std::fs::create_dir(folder.path().join("config")).unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("config/exports.toml"), text).unwrap();
        write("[[export]]\nto = \"bi\"\npartition_by = [\"country\"]\n[[export]]\nto = \"s3://b/x\"\n");
        let all = Export::load_all(folder.path()).unwrap();
        assert_eq!(all[0].to, folder.path().join("bi").to_str().unwrap());
        assert_eq!(all[0].partition_by, ["country"]);
        assert_eq!(all[1].to, "s3://b/x");
        write("[[export]]\nto = \"bi\"\nformt = \"csv\"\n");
        let error = Export::load_all(folder.path()).unwrap_err();
        assert!(error.hints().iter().any(|hint| hint.contains("`format`")), "{error}");
        write("[[export]]\nto = \"bi\"\nformat = \"xls\"\n");
        assert!(Export::load_all(folder.path()).unwrap_err().message().contains("unknown variant `xls`"));
    }

    #[test]
    fn each_export_has_a_place_of_its_own() {
        let export = |to| export(to, None, &[]).unwrap();
        check_places(&["out", "out2", "reports/out", "out.xlsx"].map(export)).unwrap();
        for places in [["out", "out"], ["out", "out/"], ["out/rfm", "out"], ["out", "out/r.xlsx"]] {
            let error = check_places(&places.map(export)).unwrap_err();
            assert!(error.message().ends_with("are one place"), "{error}");
        }
    }
}
