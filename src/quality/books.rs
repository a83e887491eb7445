//! Books: queries whose two sides must agree to the last digit.
//!
//! A book is `sql/books/<name>.sql`. Its rows are entries: `side` (`in` or `out`), `account`, and amounts in
//! every further column. For each amount the entries that went in must sum to those that came out.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat_batches};
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use datafusion::prelude::SessionContext;

use crate::error::{Error, Result};
use crate::job::Query;

/// Decimals of the amounts: every amount is compared as `DECIMAL(38,4)`.
const SCALE: i8 = 4;

/// The outcome of one book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The book's name.
    pub name: String,
    /// What it says, from the header of its query.
    pub doc: String,
    /// The names of the amounts.
    pub amounts: Vec<String>,
    /// The entries: side, account, and each amount in ten-thousandths.
    pub entries: Vec<Entry>,
}

/// One line of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether it went in; otherwise it came out.
    pub is_in: bool,
    /// What is counted.
    pub account: String,
    /// The amounts, in ten-thousandths.
    pub amounts: Vec<i128>,
}

impl Balance {
    /// What went in less what came out, for each amount, in ten-thousandths.
    pub fn differences(&self) -> Vec<i128> {
        let mut differences = vec![0; self.amounts.len()];
        for entry in &self.entries {
            for (difference, amount) in differences.iter_mut().zip(&entry.amounts) {
                *difference += if entry.is_in { *amount } else { -amount };
            }
        }
        differences
    }

    /// An error that names the book, its entries and the differences, if it does not balance.
    pub fn check(&self) -> Result<()> {
        let differences = self.differences();
        if differences.iter().all(|difference| *difference == 0) {
            return Ok(());
        }
        let named = |amounts: &[i128]| {
            let named =
                self.amounts.iter().zip(amounts).map(|(name, amount)| format!("{name} {}", decimal(*amount)));
            named.collect::<Vec<_>>().join(", ")
        };
        let mut error =
            Error::data(format!("the book `{}` does not balance", self.name)).detail(self.doc.clone());
        for entry in &self.entries {
            let side = if entry.is_in { "in " } else { "out" };
            error = error.detail(format!("{side} {}: {}", entry.account, named(&entry.amounts)));
        }
        Err(error
            .detail(format!("difference: {}", named(&differences)))
            .hint("nothing was published; readers see the lake as it was before"))
    }
}

/// Ten-thousandths as a decimal number without needless zeros.
pub fn decimal(amount: i128) -> String {
    let (whole, fraction) = (amount.abs() / 10_000, amount.abs() % 10_000);
    let sign = if amount < 0 { "-" } else { "" };
    match fraction {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", format!("{fraction:04}").trim_end_matches('0')),
    }
}

/// Runs the query of a book.
pub async fn balance(session: &SessionContext, name: &str, query: &Query) -> Result<Balance> {
    let at = |error: Error| error.detail(format!("in {}", query.path.display()));
    let frame = session.sql(&query.sql).await.map_err(|e| at(e.into()))?;
    let schema = frame.schema().as_arrow().clone();
    let batches = frame.collect().await.map_err(|e| at(e.into()))?;
    let rows = concat_batches(&schema.into(), &batches).map_err(|e| at(Error::internal(e.to_string())))?;
    read(name, query, &rows).map_err(at)
}

fn read(name: &str, query: &Query, rows: &RecordBatch) -> Result<Balance> {
    let schema = rows.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let ["side", "account", amounts @ ..] = names.as_slice() else {
        return Err(Error::invalid(format!("the book `{name}` must begin with the columns side, account")));
    };
    if amounts.is_empty() {
        return Err(Error::invalid(format!("the book `{name}` has no amounts behind side and account")));
    }
    for field in &schema.fields()[2..] {
        let exact = field.data_type().is_integer()
            || matches!(field.data_type(), DataType::Decimal128(_, scale) if *scale <= SCALE);
        if !exact {
            let message = format!("`{}` of the book `{name}` is {}", field.name(), field.data_type());
            return Err(
                Error::invalid(message).hint("amounts are integers or decimals of at most four places")
            );
        }
    }
    let text = |column: usize| -> Result<ArrayRef> { convert(rows.column(column), &DataType::Utf8) };
    let (sides, accounts) = (text(0)?, text(1)?);
    let columns = (2..names.len()).map(|i| convert(rows.column(i), &DataType::Decimal128(38, SCALE)));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let entry = |row: usize| -> Result<Entry> {
        let is_in = match sides.as_string::<i32>().value(row) {
            "in" => true,
            "out" => false,
            other => {
                return Err(Error::invalid(format!(
                    "the book `{name}` has a side `{other}`; it is `in` or `out`"
                )));
            }
        };
        let amount = |column: &ArrayRef| {
            let column = column.as_primitive::<Decimal128Type>();
            if column.is_null(row) { 0 } else { column.value(row) }
        };
        let account = accounts.as_string::<i32>().value(row).to_string();
        Ok(Entry { is_in, account, amounts: columns.iter().map(amount).collect() })
    };
    let mut entries = (0..rows.num_rows()).map(entry).collect::<Result<Vec<_>>>()?;
    // The parts of a union come in any order.
    entries.sort_by(|a, b| b.is_in.cmp(&a.is_in).then_with(|| a.account.cmp(&b.account)));
    if !entries.iter().any(|entry| entry.is_in) || entries.iter().all(|entry| entry.is_in) {
        return Err(Error::invalid(format!("the book `{name}` has entries on one side only")));
    }
    let amounts = amounts.iter().map(ToString::to_string).collect();
    Ok(Balance { name: name.into(), doc: query.doc.clone(), amounts, entries })
}

fn convert(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let exact = CastOptions { safe: false, ..Default::default() };
    cast_with_options(column, to, &exact)
        .map_err(|e| Error::invalid(format!("a book's column cannot be used: {e}")))
}

#[cfg(test)]
mod tests {
    //! Proves that a penny or a row on either side is noticed and named.

    use super::*;

    fn book(entries: &[(bool, &str, [i128; 2])]) -> Balance {
        let entry = |(is_in, account, amounts): &(bool, &str, [i128; 2])| Entry {
            is_in: *is_in,
            account: account.to_string(),
            amounts: amounts.to_vec(),
        };
        Balance {
            name: "silver".into(),
            doc: "Lines.".into(),
            amounts: vec!["rows".into(), "amount".into()],
            entries: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn equal_sides_balance() {
        book(&[
            (true, "bronze", [30_000, 15]),
            (false, "kept", [20_000, 20]),
            (false, "set aside", [10_000, -5]),
        ])
        .check()
        .unwrap();
    }

    #[test]
    fn a_penny_is_missed() {
        let error =
            book(&[(true, "bronze", [10_000, 100]), (false, "kept", [10_000, 0])]).check().unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Data);
        assert_eq!(error.details().last().unwrap(), "difference: rows 0, amount 0.01");
    }

    fn rows(amount: ArrayRef) -> RecordBatch {
        let sides: ArrayRef =
            std::sync::Arc::new(datafusion::arrow::array::StringArray::from(vec!["in", "out"]));
        let columns = [("side", sides.clone()), ("account", sides), ("amount", amount)];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn only_exact_amounts_can_balance() {
        use datafusion::arrow::array::{Decimal128Array, Float64Array, Int64Array, StringArray};
        use std::sync::Arc;
        let query =
            Query { path: "sql/books/b.sql".into(), doc: String::new(), sql: String::new(), reads: vec![] };
        let judged = |amount: ArrayRef| read("b", &query, &rows(amount)).and_then(|book| book.check());
        judged(Arc::new(Int64Array::from(vec![7, 7]))).unwrap();
        assert!(judged(Arc::new(Int64Array::from(vec![7, 8]))).is_err());
        let fine = Decimal128Array::from(vec![100_004, 100_000]).with_precision_and_scale(20, 5).unwrap();
        for amount in [
            Arc::new(Float64Array::from(vec![1.0, 1.0])) as ArrayRef,
            Arc::new(StringArray::from(vec!["x", "x"])),
            Arc::new(fine),
        ] {
            assert_eq!(judged(amount).unwrap_err().kind(), crate::error::Kind::Invalid);
        }
    }

    #[test]
    fn amounts_read_as_decimals() {
        assert_eq!([-110_620_600, 5, 0, 20_000].map(decimal), ["-11062.06", "0.0005", "0", "2"]);
    }
}
