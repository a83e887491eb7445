//! The cells of a sheet: what a value becomes, how it looks, how wide its column is.
//!
//! A cell holds numbers of 15 digits. Amounts of more are rounded, since a text would be left out of every sum;
//! numbers that only name something are texts then.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::array_value_to_string;
use rust_xlsxwriter::{Format, Worksheet, XlsxError};

use super::super::choose::DESCRIPTION;

/// How instants look.
pub(super) const INSTANT: &str = "yyyy-mm-dd hh:mm:ss";

/// How whole numbers look.
pub(super) const WHOLE: &str = "#,##0";

/// What the description of a column says when 1 stands for all.
const SHARE: &str = "as a fraction of 1";

/// The day 1970-01-01 as a cell holds it.
const EPOCH: f64 = 25_569.0;

/// The days that a cell can hold: Excel's calendar has a 29 February 1900, and ends with the year 9999.
const DAYS: std::ops::Range<f64> = 61.0..2_958_466.0;

const MICROS_OF_A_DAY: f64 = 86_400e6;

/// The least number of more than 15 digits.
const TOO_LONG: u128 = 1_000_000_000_000_000;

/// The bounds of a column's width, in characters.
const WIDTHS: std::ops::RangeInclusive<usize> = 8..=60;

/// What a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Texts and truth values, and what is written as text.
    Plain,
    /// Whole numbers that name something.
    Name,
    /// Whole numbers that count something.
    Whole,
    /// Amounts of money.
    Money,
    /// Other numbers.
    Number,
    /// Fractions of 1, shown as percents.
    Share,
    /// Days.
    Day,
    /// Instants, in UTC.
    Instant,
}

/// The columns of a sheet that is being written.
pub(super) struct Columns {
    columns: Vec<Column>,
    rounded: u64,
}

struct Column {
    name: String,
    look: Look,
    format: Option<Format>,
    width: usize,
}

/// What a cell holds.
#[derive(Debug, PartialEq)]
enum Cell {
    Empty,
    Text(String),
    Truth(bool),
    Number(f64),
    /// A number that has lost digits.
    Rounded(f64),
}

impl Columns {
    /// The columns of a table of plain types, and which of them identify its rows.
    pub(super) fn new(schema: &Schema, key: &[String]) -> Columns {
        let columns = schema.fields().iter().map(|field| {
            let look = look(field, key.contains(field.name()));
            Column {
                name: field.name().clone(),
                look,
                format: look.number_format().map(|format| Format::new().set_num_format(format)),
                // The arrow of the filter stands beside the name.
                width: field.name().chars().count() + 3,
            }
        });
        Columns { columns: columns.collect(), rounded: 0 }
    }

    /// Writes the names, which stay in sight.
    pub(super) fn write_header(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        let bold = Format::new().set_bold();
        for (place, column) in self.columns.iter().enumerate() {
            sheet.write_string_with_format(0, place as u16, &column.name, &bold)?;
        }
        sheet.set_freeze_panes(1, 0)?;
        Ok(())
    }

    /// Writes the rows of a batch, the first of them into the row `first`.
    pub(super) fn write(
        &mut self,
        sheet: &mut Worksheet,
        first: u32,
        batch: &RecordBatch,
    ) -> Result<(), XlsxError> {
        for row in 0..batch.num_rows() {
            for (place, column) in self.columns.iter_mut().enumerate() {
                let cell = cell(batch.column(place).as_ref(), row, column.look)
                    .map_err(|e| XlsxError::ParameterError(e.to_string()))?;
                column.width = column.width.max(width(&cell, column.look));
                self.rounded += u64::from(matches!(cell, Cell::Rounded(_)));
                put(sheet, first + row as u32, place as u16, cell, column.format.as_ref())?;
            }
        }
        Ok(())
    }

    /// Sets what depends on all rows: the filter and the widths.
    pub(super) fn finish(&self, sheet: &mut Worksheet, rows: u32) -> Result<(), XlsxError> {
        if let Some(last) = self.columns.len().checked_sub(1) {
            sheet.autofilter(0, 0, rows, last as u16)?;
        }
        for (place, column) in self.columns.iter().enumerate() {
            let width = column.width.clamp(*WIDTHS.start(), *WIDTHS.end());
            sheet.set_column_width(place as u16, width as u32)?;
        }
        Ok(())
    }

    /// How many numbers have lost digits.
    pub(super) fn rounded(&self) -> u64 {
        self.rounded
    }
}

impl Look {
    fn number_format(self) -> Option<&'static str> {
        match self {
            Look::Plain => None,
            Look::Name => Some("0"),
            Look::Whole => Some(WHOLE),
            Look::Money => Some("#,##0.00"),
            Look::Number => Some("#,##0.00##"),
            Look::Share => Some("0.0%"),
            Look::Day => Some("yyyy-mm-dd"),
            Look::Instant => Some(INSTANT),
        }
    }
}

fn look(field: &Field, is_key: bool) -> Look {
    let is_share = || field.metadata().get(DESCRIPTION).is_some_and(|doc| doc.contains(SHARE));
    match field.data_type() {
        DataType::Int32 | DataType::Int64 if is_key || field.name().ends_with("_id") => Look::Name,
        DataType::Int32 | DataType::Int64 => Look::Whole,
        DataType::Decimal128(_, _) => Look::Money,
        DataType::Float64 if is_share() => Look::Share,
        DataType::Float64 => Look::Number,
        DataType::Date32 => Look::Day,
        DataType::Timestamp(TimeUnit::Microsecond, _) => Look::Instant,
        _ => Look::Plain,
    }
}

fn cell(column: &dyn Array, row: usize, look: Look) -> Result<Cell, ArrowError> {
    if column.is_null(row) {
        return Ok(Cell::Empty);
    }
    let text = || array_value_to_string(column, row).map(Cell::Text);
    let day = |serial: f64| if DAYS.contains(&serial) { Ok(Cell::Number(serial)) } else { text() };
    match column.data_type() {
        DataType::Boolean => Ok(Cell::Truth(column.as_boolean().value(row))),
        DataType::Int32 => Ok(Cell::Number(column.as_primitive::<Int32Type>().value(row).into())),
        DataType::Int64 => {
            let value = column.as_primitive::<Int64Type>().value(row);
            match look {
                Look::Name if u128::from(value.unsigned_abs()) >= TOO_LONG => text(),
                _ => Ok(decimal(value.into(), 0)),
            }
        }
        DataType::Float64 => Ok(Cell::Number(column.as_primitive::<Float64Type>().value(row))),
        DataType::Decimal128(_, scale) => {
            Ok(decimal(column.as_primitive::<Decimal128Type>().value(row), *scale))
        }
        DataType::Date32 => day(f64::from(column.as_primitive::<Date32Type>().value(row)) + EPOCH),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            day(micros as f64 / MICROS_OF_A_DAY + EPOCH)
        }
        DataType::Utf8 => Ok(Cell::Text(column.as_string::<i32>().value(row).to_string())),
        _ => text(),
    }
}

/// A number of `value` / 10^`scale`; rounded when it has more than 15 digits.
fn decimal(value: i128, scale: i8) -> Cell {
    let number = value as f64 / 10_f64.powi(scale.into());
    let mut digits = value.unsigned_abs();
    while digits >= TOO_LONG && digits.is_multiple_of(10) {
        digits /= 10;
    }
    if digits < TOO_LONG { Cell::Number(number) } else { Cell::Rounded(number) }
}

fn put(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    cell: Cell,
    format: Option<&Format>,
) -> Result<(), XlsxError> {
    match (cell, format) {
        (Cell::Empty, _) => {}
        (Cell::Text(text), _) => _ = sheet.write_string(row, column, text)?,
        (Cell::Truth(truth), _) => _ = sheet.write_boolean(row, column, truth)?,
        (Cell::Number(number) | Cell::Rounded(number), Some(format)) => {
            _ = sheet.write_number_with_format(row, column, number, format)?;
        }
        (Cell::Number(number) | Cell::Rounded(number), None) => {
            _ = sheet.write_number(row, column, number)?;
        }
    }
    Ok(())
}

/// About how many characters a cell shows.
fn width(cell: &Cell, look: Look) -> usize {
    match (cell, look) {
        (Cell::Empty, _) => 0,
        (Cell::Text(text), _) => text.chars().count(),
        (Cell::Truth(_), _) => 5,
        (_, Look::Day) => 10,
        (_, Look::Instant) => 19,
        (Cell::Number(number) | Cell::Rounded(number), look) => {
            let whole = number.abs().clamp(1.0, 1e300).log10() as usize + 1;
            let decimals = match look {
                Look::Money => 3,
                Look::Number => 5,
                Look::Share => 4,
                _ => 0,
            };
            // A sign, and a comma before every three digits.
            1 + whole + whole / 3 + decimals
        }
    }
}

#[cfg(test)]
mod tests {
    //! Proves what values become, and how they look.

    use std::sync::Arc;

    use datafusion::arrow::array::{
        ArrayRef, Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn cells(column: ArrayRef, look: Look) -> Vec<Cell> {
        (0..column.len()).map(|row| cell(column.as_ref(), row, look).unwrap()).collect()
    }

    #[test]
    fn values_become_cells() {
        let money = Decimal128Array::from(vec![Some(-25_500), None, Some(1_000_000_000_000_000_001)]);
        let money = money.with_precision_and_scale(28, 4).unwrap();
        assert_eq!(
            cells(Arc::new(money), Look::Money),
            [Cell::Number(-2.55), Cell::Empty, Cell::Rounded(1e14)]
        );
        let numbers = || Arc::new(Int64Array::from(vec![17_850, 9_007_199_254_740_993]));
        assert_eq!(
            cells(numbers(), Look::Name),
            [Cell::Number(17_850.0), Cell::Text("9007199254740993".into())]
        );
        assert_eq!(cells(numbers(), Look::Whole)[1], Cell::Rounded(9_007_199_254_740_992.0));
        let days = Date32Array::from(vec![14_944, -25_567]);
        assert_eq!(
            cells(Arc::new(days), Look::Day),
            [Cell::Number(40_513.0), Cell::Text("1900-01-01".into())]
        );
        let noon = TimestampMicrosecondArray::from(vec![43_200_000_000]).with_timezone("UTC");
        assert_eq!(cells(Arc::new(noon), Look::Instant), [Cell::Number(25_569.5)]);
        let texts = Arc::new(StringArray::from(vec!["=1+1"]));
        assert_eq!(cells(texts, Look::Plain), [Cell::Text("=1+1".into())]);
    }

    #[test]
    fn columns_look_as_what_they_are() {
        let field = |name: &str, data_type, doc: &str| {
            let comment = [(DESCRIPTION.to_string(), doc.to_string())];
            Field::new(name, data_type, true).with_metadata(comment.into())
        };
        let share = "Share of all customers, as a fraction of 1.";
        assert_eq!(look(&field("share", DataType::Float64, share), false), Look::Share);
        assert_eq!(look(&field("lift", DataType::Float64, "How many times."), false), Look::Number);
        assert_eq!(look(&field("customer_id", DataType::Int64, ""), false), Look::Name);
        assert_eq!(look(&field("rank", DataType::Int64, ""), true), Look::Name);
        assert_eq!(look(&field("orders", DataType::Int64, ""), false), Look::Whole);
    }

    #[test]
    fn widths_follow_what_is_shown() {
        assert_eq!(width(&Cell::Number(-1_234_567.0), Look::Money), "-1,234,567.00".len());
        assert_eq!(width(&Cell::Number(0.0), Look::Whole), 2);
        assert_eq!(width(&Cell::Text("Österreich".into()), Look::Plain), 10);
    }
}
