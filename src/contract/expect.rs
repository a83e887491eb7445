//! What contracts expect of rows and of whole tables, and what they reconcile.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use indexmap::IndexMap;
use serde::Deserialize;

use super::{Column, TableName};

/// What is done about rows that fail an expectation.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The run says so and goes on.
    Warn,
    /// The rows are kept out of the table and put, with their reasons, into the table `<name>_rejected`.
    Quarantine,
    /// The run publishes nothing.
    Fail,
}

impl Severity {
    /// The word that contracts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warn => "warn",
            Severity::Quarantine => "quarantine",
            Severity::Fail => "fail",
        }
    }
}

/// Something that should hold, and what happens where it does not.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ExpectationText")]
pub struct Expectation {
    /// What should hold.
    pub check: Check,
    /// What a violation leads to.
    pub severity: Severity,
}

/// What should hold, of each row or of the rows together.
#[derive(Clone, Debug)]
pub enum Check {
    /// A condition of each row, in SQL; the second says whether NULL violates it.
    Row(String, bool),
    /// Rows differ in these columns.
    Unique(Vec<String>),
    /// The values of a column are, where they are not NULL, keys of another table.
    References(References),
    /// There are so many rows.
    RowCount(RowCount),
    /// The newest value of a column is not older than a span of time before the run.
    Freshness(Freshness),
    /// The sum of an expression equals that of another table's.
    SumEquals(SumEquals),
}

/// Values of `column` occur in the column `to` of `table`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// The column.
    pub column: String,
    /// The other table.
    pub table: TableName,
    /// Its column; the same name when nothing is said.
    pub to: Option<String>,
}

/// Bounds of the number of rows, both included.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCount {
    /// At least so many.
    pub min: Option<u64>,
    /// At most so many.
    pub max: Option<u64>,
}

/// The newest value of `column` is at most `within` before the run began.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// A date or timestamp.
    pub column: String,
    /// An SQL interval, e.g. `2 days`.
    pub within: String,
}

/// The sum of `column` equals the sum of `of` over `table`, give or take `tolerance`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumEquals {
    /// An expression over this table's rows.
    pub column: String,
    /// The other table.
    pub table: TableName,
    /// An expression over its rows; the same when nothing is said.
    pub of: Option<String>,
    /// How far the sums may be apart, as a number or a text that is one; 0 when nothing is said.
    #[serde(default = "zero", deserialize_with = "number")]
    pub tolerance: String,
}

/// The amounts of a table that must equal those of the table it is made from, in every run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The table it is made from.
    pub against: TableName,
    /// Which of that table's rows count; all when nothing is said.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Tables that hold rows of `against` as they were, set aside: what is in them counts as come out.
    #[serde(default)]
    pub with: Vec<TableName>,
    /// The amounts by name.
    pub amounts: IndexMap<String, Amount>,
}

/// One amount, summed exactly on both sides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// An expression over this table's rows: an integer, or a decimal of at most four places.
    pub here: String,
    /// The same over the rows of `against`, and of the tables set aside.
    pub there: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectationText {
    #[serde(rename = "where")]
    condition: Option<String>,
    /// Whether NULL, where it cannot be decided, violates it.
    #[serde(default)]
    null_violates: bool,
    not_null: Option<String>,
    accepted_values: Option<AcceptedValues>,
    unique: Option<Vec<String>>,
    references: Option<References>,
    row_count: Option<RowCount>,
    freshness: Option<Freshness>,
    sum_equals: Option<SumEquals>,
    #[serde(rename = "else")]
    severity: Severity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptedValues {
    column: String,
    values: Vec<toml::Value>,
}

impl TryFrom<ExpectationText> for Expectation {
    type Error = String;

    fn try_from(text: ExpectationText) -> Result<Self, String> {
        let checks = [
            text.condition.map(|condition| Check::Row(condition, text.null_violates)),
            text.not_null.map(|column| Check::Row(format!("{column} is not null"), true)),
            text.accepted_values.map(|accepted| Check::Row(accepted.condition(), text.null_violates)),
            text.unique.map(Check::Unique),
            text.references.map(Check::References),
            text.row_count.map(Check::RowCount),
            text.freshness.map(Check::Freshness),
            text.sum_equals.map(Check::SumEquals),
        ];
        let mut checks = checks.into_iter().flatten();
        let (Some(check), None) = (checks.next(), checks.next()) else {
            return Err("an expectation states one of `where`, `not_null`, `accepted_values`, `unique`, \
                 `references`, `row_count`, `freshness`, `sum_equals`"
                .into());
        };
        if text.severity == Severity::Quarantine && !matches!(check, Check::Row(..)) {
            return Err("only an expectation about single rows can put them into quarantine".into());
        }
        if text.null_violates && !matches!(check, Check::Row(..)) {
            return Err("`null_violates` is about single rows".into());
        }
        Ok(Expectation { check, severity: text.severity })
    }
}

impl AcceptedValues {
    fn condition(&self) -> String {
        // A text becomes what the column is; a number would make a number of the column.
        let values = self.values.iter().map(|value| match value {
            toml::Value::Boolean(truth) => truth.to_string(),
            toml::Value::String(text) => format!("'{}'", text.replace('\'', "''")),
            other => format!("'{other}'"),
        });
        format!("{} in ({})", self.column, values.collect::<Vec<_>>().join(", "))
    }
}

impl Expectation {
    /// For an expectation about single rows, the condition that is true of those that violate it.
    pub fn violation(&self) -> Option<String> {
        match &self.check {
            Check::Row(condition, false) => Some(format!("not ({condition})")),
            Check::Row(condition, true) => Some(format!("({condition}) is not true")),
            _ => None,
        }
    }

    /// The other table that it looks at.
    pub fn other_table(&self) -> Option<&TableName> {
        match &self.check {
            Check::References(references) => Some(&references.table),
            Check::SumEquals(sums) => Some(&sums.table),
            _ => None,
        }
    }
}

/// The columns that quarantine adds to those of the table whose rows it holds.
pub fn quarantine_columns() -> Vec<Column> {
    let list = DataType::List(Arc::new(Field::new("element", DataType::Utf8View, false)));
    let column = |name: &str, data_type: DataType, doc: &str| Column {
        name: name.into(),
        data_type,
        nullable: false,
        doc: doc.into(),
        of_run: name == "run_id",
    };
    vec![
        column("failed_rules", list, "The expectations that the row fails."),
        column("first_rule", DataType::Utf8View, "The first of them."),
        column("run_id", DataType::Utf8View, "The run that set the row aside."),
    ]
}

fn zero() -> String {
    "0".into()
}

/// A number as it is written in SQL, whether a contract has it as a number or as a text.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(text),
        number @ (toml::Value::Integer(_) | toml::Value::Float(_)) => Ok(number.to_string()),
        other => Err(serde::de::Error::custom(format!("expected a number, found `{other}`"))),
    }
}
