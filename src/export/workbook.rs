//! An export as one workbook: a sheet a table, and a first sheet that says what they are.
//!
//! Rows go through temporary files, so that a sheet of any length costs little memory. Texts are written as texts:
//! none is ever taken for a formula.

mod cells;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use futures::StreamExt;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::choose::Source;
use super::columns::plain;
use super::manifest::{ExportedTable, Manifest};
use super::rows::{Output, unwritable};
use crate::contract::TableName;
use crate::error::{Error, Result, io_error};
use crate::run::{Event, Observer};
use cells::Columns;

/// The author by which a workbook of ours is known.
const AUTHOR: &str = "lake export";

/// The first sheet.
const ABOUT: &str = "about";

/// Names that sheets cannot have beside each other or at all, whatever their case.
const TAKEN: [&str; 2] = [ABOUT, "history"];

/// The longest name of a sheet.
const LONGEST_NAME: usize = 31;

/// Rows of a sheet below its header.
const MOST_ROWS: u64 = 1_048_575;

/// Writes a workbook to `path` and gives its manifest with the tables; files it has none.
pub(super) async fn write(
    path: &Path,
    mut manifest: Manifest,
    sources: Vec<Source>,
    observer: &dyn Observer,
) -> Result<Manifest> {
    let failed = |e| failure(path, e);
    let mut book = Workbook::new();
    book.set_tempdir(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    let published_at = ExcelDateTime::parse_from_str(&manifest.published_at).map_err(failed)?;
    book.set_properties(&DocProperties::new().set_author(AUTHOR).set_creation_datetime(&published_at));
    book.add_worksheet().set_name(ABOUT).map_err(failed)?;
    let names: Vec<TableName> = sources.iter().map(|source| source.name.clone()).collect();
    let names = sheet_names(&names);
    let mut rounded = 0;
    for (source, name) in sources.into_iter().zip(&names) {
        let sheet = book.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name(name).map_err(failed)?;
        let table = write_sheet(path, sheet, source, observer, &mut rounded).await?;
        manifest.tables.push(table);
    }
    let about = book.worksheet_from_index(0).map_err(failed)?;
    describe(about, &manifest, &names, &published_at, rounded).map_err(failed)?;
    save(path, &mut book)?;
    Ok(manifest)
}

/// Writes the rows of a table, and adds the numbers that a cell cannot hold to the digit to `rounded`.
async fn write_sheet(
    path: &Path,
    sheet: &mut Worksheet,
    source: Source,
    observer: &dyn Observer,
    rounded: &mut u64,
) -> Result<ExportedTable> {
    let Source { name, frame, schema, mut table } = source;
    let clock = Instant::now();
    observer.event(Event::Started { table: name.clone() });
    let mut rows = frame.execute_stream().await?;
    let mut columns = Columns::new(&schema, &table.key);
    caught(path, || columns.write_header(sheet))?;
    while let Some(batch) = rows.next().await.transpose()? {
        let batch: RecordBatch = plain(&batch, &schema).map_err(unwritable)?;
        let first = table.rows + 1;
        table.rows += batch.num_rows() as u64;
        if table.rows > MOST_ROWS {
            return Err(Error::invalid(format!("`{name}` has more rows than a sheet can hold"))
                .detail("a sheet holds 1,048,575 rows below its header")
                .hint("export it with `--format parquet` or `--format csv`"));
        }
        caught(path, || columns.write(sheet, first as u32, &batch)).map_err(|e| in_table(e, &name))?;
        observer.event(Event::Wrote { table: name.clone(), rows: batch.num_rows() as u64 });
    }
    caught(path, || columns.finish(sheet, table.rows as u32))?;
    *rounded += columns.rounded();
    let (rows, seconds) = (table.rows, clock.elapsed().as_secs_f64());
    observer.event(Event::Finished { table: name, rows, seconds });
    Ok(table)
}

/// The sheet that says what was published when, and what tables and columns hold.
fn describe(
    sheet: &mut Worksheet,
    manifest: &Manifest,
    names: &[String],
    published_at: &ExcelDateTime,
    rounded: u64,
) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    let instant = Format::new().set_num_format(cells::INSTANT);
    let count = Format::new().set_num_format(cells::WHOLE);
    for (column, width) in [28, 28, 20, 44, 120].into_iter().enumerate() {
        sheet.set_column_width(column as u16, width)?;
    }
    sheet.write_string_with_format(0, 0, "run", &bold)?.write_string(0, 1, &manifest.run_id)?;
    sheet.write_string_with_format(1, 0, "published at (UTC)", &bold)?;
    sheet.write_datetime_with_format(1, 1, published_at, &instant)?;
    sheet.write_string_with_format(2, 0, "written by", &bold)?.write_string(2, 1, &manifest.program)?;
    if let Some(as_of) = &manifest.as_of {
        sheet.write_string_with_format(3, 0, "as known on", &bold)?.write_string(3, 1, as_of)?;
    }
    if rounded > 0 {
        sheet.write_string_with_format(4, 0, "rounded to 15 digits", &bold)?;
        sheet.write_number_with_format(4, 1, rounded as f64, &count)?;
    }
    let mut row = 6;
    write_line(sheet, row, ["table", "sheet", "rows", "one row is", "what it holds"], Some(&bold))?;
    for (table, name) in manifest.tables.iter().zip(names) {
        row += 1;
        write_line(sheet, row, [&table.table, name, "", &table.grain, &table.doc], None)?;
        sheet.write_number_with_format(row, 2, table.rows as f64, &count)?;
    }
    row += 2;
    write_line(sheet, row, ["table", "column", "type", "", "what it holds"], Some(&bold))?;
    for table in &manifest.tables {
        for column in &table.columns {
            row += 1;
            write_line(sheet, row, [&table.table, &column.name, &column.data_type, "", &column.doc], None)?;
        }
    }
    Ok(())
}

/// Writes texts beside each other; those that are empty leave their cells empty.
fn write_line(
    sheet: &mut Worksheet,
    row: u32,
    texts: [&str; 5],
    format: Option<&Format>,
) -> Result<(), XlsxError> {
    for (column, text) in texts.into_iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        match format {
            Some(format) => sheet.write_string_with_format(row, column as u16, text, format)?,
            None => sheet.write_string(row, column as u16, text)?,
        };
    }
    Ok(())
}

fn save(path: &Path, book: &mut Workbook) -> Result<()> {
    let failed = |e: std::io::Error| io_error("write", path, &e);
    let file = File::create(path).map_err(failed)?;
    let mut out = Output::new(&file);
    let saved = caught(path, || book.save_to_writer(&mut out));
    out.finish(saved, failed)?;
    file.sync_all().map_err(failed)
}

/// The names of the sheets of tables: without the layer where that is enough, short enough, and each its own.
fn sheet_names(tables: &[TableName]) -> Vec<String> {
    let mut taken: BTreeSet<String> = TAKEN.into_iter().map(str::to_string).collect();
    let is_shared = |table: &TableName| tables.iter().filter(|other| other.table == table.table).count() > 1;
    let mut names = Vec::new();
    for table in tables {
        let plain = !is_shared(table) && !TAKEN.contains(&table.table.to_lowercase().as_str());
        let whole = if plain { table.table.clone() } else { table.to_string() };
        let whole: String = whole.chars().map(|c| if "[]:*?/\\'".contains(c) { '_' } else { c }).collect();
        let cut = |length: usize| whole.chars().take(length).collect::<String>();
        let numbered = |n: usize| match n {
            1 => cut(LONGEST_NAME),
            n => format!("{}~{n}", cut(LONGEST_NAME - 1 - n.to_string().len())),
        };
        let name = (1..).map(numbered).find(|name| taken.insert(name.to_lowercase())).unwrap_or_default();
        names.push(name);
    }
    names
}

/// Whether the file at `path` is a workbook that this program exported.
pub(super) fn is_export(path: &Path) -> Result<bool> {
    let file = File::open(path).map_err(|e| io_error("read", path, &e))?;
    let Ok(mut archive) = zip::ZipArchive::new(std::io::BufReader::new(file)) else { return Ok(false) };
    let Ok(part) = archive.by_name("docProps/core.xml") else { return Ok(false) };
    let mut text = String::new();
    let is_read = part.take(1 << 16).read_to_string(&mut text).is_ok();
    Ok(is_read && text.contains(&format!("<dc:creator>{AUTHOR}</dc:creator>")))
}

/// What `write` gives. Where its own temporary files fail, as on a full disk, the library panics: that is an error.
fn caught<T>(path: &Path, write: impl FnOnce() -> Result<T, XlsxError>) -> Result<()> {
    match std::panic::catch_unwind(AssertUnwindSafe(write)) {
        Ok(written) => written.map(|_| ()).map_err(|e| failure(path, e)),
        Err(_) => Err(Error::unavailable(format!(
            "cannot write `{}`: a temporary file beside it cannot be written",
            path.display()
        ))
        .hint("free some space and run the same command again")),
    }
}

fn failure(path: &Path, error: XlsxError) -> Error {
    match error {
        XlsxError::IoError(e) | XlsxError::TempFileError(_, e) => io_error("write", path, &e),
        XlsxError::MaxStringLengthExceeded => Error::invalid("a text is longer than a cell can hold")
            .detail("a cell holds 32,767 characters")
            .hint("export the table with `--format parquet` or `--format csv`"),
        other => Error::invalid(format!("the workbook cannot be written: {other}")),
    }
}

fn in_table(error: Error, table: &TableName) -> Error {
    error.detail(format!("in `{table}`"))
}

#[cfg(test)]
mod tests {
    //! Proves what sheets are called, and which workbooks are ours.

    use super::*;

    fn named(tables: &[&str]) -> Vec<String> {
        sheet_names(&tables.iter().map(|name| TableName::parse(name).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn every_sheet_has_a_name_of_its_own() {
        assert_eq!(named(&["gold.rfm", "silver.rfm", "gold.cltv"]), ["gold.rfm", "silver.rfm", "cltv"]);
        assert_eq!(named(&["gold.about", "gold.History"]), ["gold.about", "gold.History"]);
        let long = "gold.daily_sales_of_every_single_country";
        assert_eq!(
            named(&[&format!("{long}_a"), &format!("{long}_b"), "gold.a*b"]),
            ["daily_sales_of_every_single_cou", "daily_sales_of_every_single_c~2", "a_b"]
        );
    }

    #[test]
    fn a_workbook_of_ours_is_known_by_its_author() {
        let folder = tempfile::tempdir().unwrap();
        let saved = |author: &str| {
            let path = folder.path().join(format!("{author}.xlsx"));
            let mut book = Workbook::new();
            book.set_properties(&DocProperties::new().set_author(author));
            book.add_worksheet();
            save(&path, &mut book).unwrap();
            is_export(&path).unwrap()
        };
        assert!(saved(AUTHOR));
        assert!(!saved("somebody"));
        let text = folder.path().join("text.xlsx");
        std::fs::write(&text, "no workbook").unwrap();
        assert!(!is_export(&text).unwrap());
    }

    #[test]
    fn a_panic_of_the_library_is_an_error() {
        let path = Path::new("report.xlsx");
        let error = caught(path, || -> Result<(), XlsxError> { panic!("Couldn't write to xml file") });
        assert!(error.unwrap_err().message().starts_with("cannot write `report.xlsx`: "));
    }
}
