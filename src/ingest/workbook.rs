//! Reads the sheets of workbooks as the text that a text export of them would hold.
//!
//! A sheet can be loaded when its first row that is not empty is the expected header. Cells are streamed, so
//! that a lost cell in the last row of a sheet costs nothing; the texts that cells share are held in memory.
//! Nothing is calculated here: a formula is the value that was saved with it.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use calamine::{
    DataRef, ExcelDateTime, ExcelDateTimeType, Reader, SheetType, Xlsx, XlsxCellReader, XlsxError,
};

use super::archive::{begins_as_zip, ends_early};
use super::chunk::{Chunk, MAX_ROWS, MOST_BYTES, Rows};
use super::header::{Layout, listed};
use crate::error::{Error, Kind, Result, io_error, nearest};

const SECONDS_PER_DAY: f64 = 86_400.0;

type Book = Xlsx<BufReader<File>>;

/// The sheets that are meant.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Their names, in the workbook's order.
    pub sheets: Vec<String>,
    /// The workbook has one sheet that can be loaded, and no other.
    pub only: bool,
}

/// Finds the sheets of the workbook at `path` that have the columns of `layout`, or the one called `wanted`.
pub(super) fn choose(path: &Path, name: &str, layout: &Layout, wanted: Option<&str>) -> Result<Chosen> {
    let mut book = open(path, name)?;
    let all: Vec<String> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(|sheet| sheet.name.clone())
        .collect();
    let wanted = wanted.map(|wanted| find(name, &all, wanted)).transpose()?;
    let (mut loadable, mut refusals) = (Vec::new(), Vec::new());
    for sheet in &all {
        match header(&mut book, name, sheet, layout) {
            Ok(_) => loadable.push(sheet.clone()),
            Err(error) if error.kind() != Kind::Invalid => return Err(error),
            Err(error) => refusals.push((sheet, error)),
        }
    }
    let only = loadable.len() == 1;
    if let Some(wanted) = wanted {
        return match refusals.into_iter().find(|(sheet, _)| *sheet == wanted) {
            Some((_, error)) => Err(error),
            None => Ok(Chosen { sheets: vec![wanted.clone()], only }),
        };
    }
    if loadable.is_empty() {
        let sheets = format!("sheets: {}", listed(all.iter().map(String::as_str)));
        let refusal = refusals.into_iter().next().map(|(_, error)| error.detail(sheets));
        return Err(refusal.unwrap_or_else(|| Error::invalid(format!("`{name}` holds no worksheet"))));
    }
    for (sheet, _) in &refusals {
        tracing::warn!(
            workbook = name,
            sheet = sheet.as_str(),
            "a sheet has no known header and is not loaded"
        );
    }
    Ok(Chosen { sheets: loadable, only })
}

fn find<'a>(name: &str, all: &'a [String], wanted: &str) -> Result<&'a String> {
    let exact = all.iter().find(|sheet| *sheet == wanted);
    exact.or_else(|| all.iter().find(|sheet| sheet.to_lowercase() == wanted.to_lowercase())).ok_or_else(
        || {
            let error = Error::invalid(format!("`{name}` has no sheet `{wanted}`"))
                .detail(format!("sheets: {}", listed(all.iter().map(String::as_str))));
            match nearest(wanted, all.iter().map(String::as_str)) {
                Some(meant) => error.hint(format!("did you mean `{name}!{meant}`?")),
                None => error,
            }
        },
    )
}

/// Reads the rows below the header of `sheet` and hands them to `emit`; gives their number.
pub(super) fn read(
    path: &Path,
    name: &str,
    sheet: &str,
    layout: &Layout,
    emit: &mut dyn FnMut(Chunk) -> Result<()>,
) -> Result<u64> {
    let mut book = open(path, name)?;
    let (mut lines, header) = header(&mut book, name, sheet, layout)?;
    let mut rows = Rows::new(layout.fields().len());
    let mut cells = Vec::new();
    let mut read = 0;
    while let Some(row) = lines.next(&mut cells)? {
        header.put(i64::from(row) + 1, &cells, &mut rows);
        if rows.len() == MAX_ROWS || rows.bytes() > MOST_BYTES {
            read += rows.len() as u64;
            emit(rows.take()?)?;
        }
    }
    if rows.len() > 0 {
        read += rows.len() as u64;
        emit(rows.take()?)?;
    }
    Ok(read)
}

fn open(path: &Path, name: &str) -> Result<Book> {
    let mut file = File::open(path).map_err(|error| io_error("open", path, &error))?;
    let begins = begins_as_zip(&mut file);
    Xlsx::new(BufReader::new(file)).map_err(|error| match error {
        XlsxError::Password => Error::invalid(format!("`{name}` is locked with a password"))
            .hint("save it without a password, or export the sheet as `.csv`"),
        XlsxError::Zip(_) if begins => ends_early(name),
        _ if !begins => Error::invalid(format!("`{name}` is not a workbook"))
            .hint("was the file renamed, or is it the error page of a download?"),
        error => damaged(name, &error),
    })
}

fn damaged(name: &str, error: &XlsxError) -> Error {
    Error::unavailable(format!("`{name}` cannot be read as a workbook: {error}"))
        .hint("copy or download the file again, or open it in a spreadsheet program and save it anew")
}

/// Reads up to the header of a sheet.
fn header<'a>(book: &'a mut Book, name: &str, sheet: &str, layout: &Layout) -> Result<(Lines<'a>, Columns)> {
    let table = format!("{name}!{sheet}");
    let since_1904 = book.has_1904_epoch();
    let cells = book.worksheet_cells_reader(sheet).map_err(|error| damaged(&table, &error))?;
    let mut lines = Lines { table, since_1904, cells, held: None, ended: false };
    let mut first = Vec::new();
    if lines.next(&mut first)?.is_none() {
        return Err(Error::invalid(format!("`{}` is empty", lines.table))
            .hint("a sheet needs at least a header row; was the export finished?"));
    }
    first.retain(|(_, text)| !text.trim().is_empty());
    let names: Vec<&str> = first.iter().map(|(_, text)| text.as_ref()).collect();
    let positions = layout.positions(&lines.table, &names)?;
    let places = first.iter().map(|(column, _)| *column).zip(positions).collect();
    Ok((lines, Columns { places, count: layout.fields().len() }))
}

/// Where the columns of the layout are in a sheet.
struct Columns {
    /// A sheet's column and the layout's, ascending by the first.
    places: Vec<(u32, usize)>,
    count: usize,
}

impl Columns {
    /// Adds a sheet's row; one that has more than the header has is kept whole, cells parted by tabs.
    fn put(&self, line: i64, cells: &[(u32, Cow<str>)], rows: &mut Rows) {
        let mut texts = vec![""; self.count];
        for (column, text) in cells {
            match self.places.binary_search_by_key(column, |(place, _)| *place) {
                Ok(found) => texts[self.places[found].1] = text,
                Err(_) => return rows.rescue(line, &joined(cells)),
            }
        }
        texts.iter().enumerate().for_each(|(column, text)| rows.put(column, text.as_bytes()));
        rows.end(line);
    }
}

fn joined(cells: &[(u32, Cow<str>)]) -> String {
    let mut text = String::new();
    let mut at = 0;
    for (column, cell) in cells {
        (at..*column).for_each(|_| text.push('\t'));
        text.push_str(cell);
        at = *column;
    }
    text
}

/// The rows of a sheet that are not empty.
struct Lines<'a> {
    table: String,
    since_1904: bool,
    cells: XlsxCellReader<'a, BufReader<File>>,
    /// The first cell of the next row.
    held: Option<(u32, u32, Cow<'a, str>)>,
    /// The reader has given its last cell; it must not be asked again.
    ended: bool,
}

impl<'a> Lines<'a> {
    /// Puts the cells of the next row that are not empty into `row`, in ascending order of columns; gives the
    /// row's 0-based number.
    fn next(&mut self, row: &mut Vec<(u32, Cow<'a, str>)>) -> Result<Option<u32>> {
        row.clear();
        let Some((number, column, text)) =
            self.held.take().map_or_else(|| self.cell(), |cell| Ok(Some(cell)))?
        else {
            return Ok(None);
        };
        row.push((column, text));
        while let Some((next, column, text)) = self.cell()? {
            if next != number {
                self.held = Some((next, column, text));
                break;
            }
            row.push((column, text));
        }
        row.sort_by_key(|(column, _)| *column);
        Ok(Some(number))
    }

    /// The next cell that is not empty: its row, its column and its text.
    fn cell(&mut self) -> Result<Option<(u32, u32, Cow<'a, str>)>> {
        while !self.ended {
            let cell = self.cells.next_cell().map_err(|error| damaged(&self.table, &error))?;
            let Some(cell) = cell else {
                self.ended = true;
                break;
            };
            let text = text(cell.get_value(), self.since_1904);
            if !text.is_empty() {
                let (row, column) = cell.get_position();
                return Ok(Some((row, column, text)));
            }
        }
        Ok(None)
    }
}

/// A cell as text, the way a text export would write it without loss.
fn text<'a>(value: &DataRef<'a>, since_1904: bool) -> Cow<'a, str> {
    match value {
        DataRef::Empty => Cow::Borrowed(""),
        DataRef::SharedString(text) => Cow::Borrowed(text),
        DataRef::String(text) | DataRef::DurationIso(text) => Cow::Owned(text.clone()),
        DataRef::DateTimeIso(text) => Cow::Owned(text.replacen('T', " ", 1)),
        DataRef::Int(number) => Cow::Owned(number.to_string()),
        DataRef::Float(number) => Cow::Owned(decimal(*number)),
        DataRef::Bool(true) => Cow::Borrowed("TRUE"),
        DataRef::Bool(false) => Cow::Borrowed("FALSE"),
        DataRef::DateTime(moment) if moment.is_duration() => Cow::Owned(duration(moment.as_f64())),
        DataRef::DateTime(moment) => Cow::Owned(instant(moment.as_f64(), since_1904)),
        DataRef::Error(error) => Cow::Owned(error.to_string()),
    }
}

/// The shortest decimal that reads back as `number`, never with an exponent; a whole number has no point.
fn decimal(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

/// A serial date, rounded to the second: half a second is added and the fraction dropped.
fn instant(days: f64, since_1904: bool) -> String {
    let rounded = ExcelDateTime::new(days + 0.5 / SECONDS_PER_DAY, ExcelDateTimeType::DateTime, since_1904);
    let (year, month, day, hour, minute, second, _) = rounded.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn duration(days: f64) -> String {
    let seconds = (days.abs() * SECONDS_PER_DAY).round() as u64;
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests;
