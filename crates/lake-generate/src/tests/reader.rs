//! A small reader of the exports that applies the contract of `silver.transactions`, record by record.
//! It shares no code with the generator, so that they cannot be wrong together.

use chrono::{NaiveDate, NaiveDateTime};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

/// A record and where it ends.
#[derive(Debug)]
pub struct Row {
    pub file: String,
    pub line: u64,
    /// `transactions`, `duplicate`, or the first rule it breaks.
    pub fate: &'static str,
    pub value: Option<Value>,
}

/// A valid record.
#[derive(Debug)]
pub struct Value {
    pub invoice: String,
    pub code: String,
    pub quantity: i64,
    pub when: NaiveDateTime,
    /// Unit price in hundredths of a penny.
    pub price: i64,
    pub customer: Option<i64>,
}

/// Reads all `.csv` files of a folder in order of their names, equal contents once.
pub fn read(folder: &Path) -> Vec<Row> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.ends_with(".csv"));
    names.sort();
    let (mut contents, mut seen, mut rows) = (HashSet::new(), HashSet::new(), Vec::new());
    for name in names {
        let bytes = fs::read(folder.join(&name)).unwrap();
        if contents.insert(bytes.clone()) {
            let text = decode(&bytes);
            for (line, fields) in records(&text).into_iter().skip(1) {
                rows.push(classify(&name, line, &fields, &mut seen));
            }
        }
    }
    rows
}

fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn records(text: &str) -> Vec<(u64, Vec<String>)> {
    let (mut records, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut start, mut quoted) = (1, 1, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        line += u64::from(c == '\n');
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                fields.push(std::mem::take(&mut field));
                records.push((start, std::mem::take(&mut fields)));
                start = line;
            }
            c => field.push(c),
        }
    }
    assert!(!quoted && field.is_empty() && fields.is_empty(), "the file ends within a record");
    records
}

fn classify(file: &str, line: u64, fields: &[String], seen: &mut HashSet<String>) -> Row {
    let row = |fate, value| Row { file: file.to_owned(), line, fate, value };
    let [invoice, code, description, quantity, date, price, customer, country] = fields else {
        return row("malformed_record", None);
    };
    let (invoice, code) = (invoice.trim().to_uppercase(), code.trim().to_uppercase());
    let description = description.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    let (amount, when, cost, who) = (whole(quantity), instant(date), decimal(price), whole(customer));
    let or = |parsed: Option<String>, raw: &String| parsed.unwrap_or_else(|| format!("raw {raw}"));
    let key = [
        invoice.clone(),
        code.clone(),
        description,
        or(amount.map(|n| n.to_string()), quantity),
        or(when.map(|at| at.to_string()), date),
        or(cost.map(|n| n.to_string()), price),
        or(who.map(|n| n.to_string()), customer),
        country.trim().to_owned(),
    ];
    if !seen.insert(key.join("\u{1}")) {
        return row("duplicate", None);
    }
    let rule = match (amount, cost, when) {
        _ if invoice.is_empty() => "missing_invoice_no",
        _ if code.is_empty() => "missing_stock_code",
        (None, ..) => "unparseable_quantity",
        (_, None, _) => "unparseable_unit_price",
        (.., None) => "unparseable_invoice_date",
        _ if who.is_none() && !customer.is_empty() => "unparseable_customer_id",
        (Some(0), ..) => "zero_quantity",
        (_, Some(0), _) => "non_positive_price",
        (_, Some(..0), _) if !invoice.starts_with('A') => "non_positive_price",
        (Some(..0), ..) if !invoice.starts_with(['A', 'C']) => "negative_sale",
        (Some(1..), ..) if invoice.starts_with('C') => "positive_return",
        (Some(quantity), Some(price), Some(when)) => {
            let value = Value { invoice, code, quantity, when, price, customer: who };
            return row("transactions", Some(value));
        }
    };
    row(rule, None)
}

/// A number at four decimals, as an integer.
fn decimal(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 4 || !numeric(whole) || !numeric(part) {
        return None;
    }
    Some(sign * format!("{whole}{part:0<4}").parse::<i64>().ok()?)
}

fn whole(text: &str) -> Option<i64> {
    decimal(text).filter(|number| number % 10_000 == 0).map(|number| number / 10_000)
}

fn instant(text: &str) -> Option<NaiveDateTime> {
    let formats = ["%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text.trim(), format).ok())
}

/// The planted faults by file and line: name and expected fate.
pub fn faults(folder: &Path) -> HashMap<(String, u64), (String, String)> {
    let text = fs::read_to_string(folder.join("truth/faults.csv")).unwrap();
    let mut faults = HashMap::new();
    for row in text.lines().skip(1) {
        let [file, line, fault, fate] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let key = (file.to_owned(), line.parse().unwrap());
        let twice = faults.insert(key, (fault.to_owned(), fate.to_owned()));
        assert!(twice.is_none(), "two faults on one record: {row}");
    }
    faults
}

/// `truth/parameters.json`.
pub fn truth(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(folder.join("truth/parameters.json")).unwrap()).unwrap()
}

pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}
