//! The types that contracts may promise, and their Arrow counterparts.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use serde::Deserialize;

/// The names that need no parameters.
const SIMPLE: [&str; 10] = [
    "text",
    "bigint",
    "int",
    "double",
    "boolean",
    "date",
    "timestamp",
    "list<text>",
    "map<text,bigint>",
    "map<text,text>",
];

/// Reads a type from its name in a contract.
pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<DataType, D::Error> {
    let name = String::deserialize(deserializer)?;
    parse(&name).ok_or_else(|| {
        let known = SIMPLE.map(|name| format!("`{name}`")).join(", ");
        serde::de::Error::custom(format!("unknown type `{name}`; types are {known}, `decimal(p,s)`"))
    })
}

fn parse(name: &str) -> Option<DataType> {
    Some(match name {
        "text" => DataType::Utf8View,
        "bigint" => DataType::Int64,
        "int" => DataType::Int32,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "list<text>" => DataType::List(Arc::new(Field::new("element", DataType::Utf8View, false))),
        "map<text,bigint>" => map_to(DataType::Int64),
        "map<text,text>" => map_to(DataType::Utf8View),
        _ => return parse_decimal(name),
    })
}

/// A map from text, its parts named as Delta names them.
fn map_to(value: DataType) -> DataType {
    let entries =
        [Arc::new(Field::new("key", DataType::Utf8View, false)), Arc::new(Field::new("value", value, false))];
    let entries = Field::new("key_value", DataType::Struct(entries.into_iter().collect()), false);
    DataType::Map(Arc::new(entries), false)
}

fn parse_decimal(name: &str) -> Option<DataType> {
    let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && (0..=precision as i8).contains(&scale))
        .then_some(DataType::Decimal128(precision, scale))
}

/// The name a contract gives a type; Arrow's own name for types no contract can promise.
pub(super) fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Int32 => "int".into(),
        DataType::Float64 => "double".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if ["UTC", "+00:00"].contains(&&**zone) => {
            "timestamp".into()
        }
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(field) | DataType::ListView(field) => format!("list<{}>", name(field.data_type())),
        map if *map == map_to(DataType::Int64) => "map<text,bigint>".into(),
        map if *map == map_to(DataType::Utf8View) => "map<text,text>".into(),
        other => other.to_string().to_lowercase(),
    }
}
