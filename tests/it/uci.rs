//! The UCI file, in every form it may arrive in: every cell equals an independent computation.
//!
//! Needs the data: `LAKE_UCI_DIR`, or `../shared/data/online_retail` with `../shared/reference/uci`; without
//! them the tests say that they did not run.

use std::io::Write;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::prelude::ParquetReadOptions;

use crate::support::Fresh;

/// The tables and their keys, as the reference names them.
const TABLES: [(&str, &str); 16] = [
    ("silver.transactions", "invoice_no, line_no"),
    ("silver.transactions_rejected", "_source_line"),
    ("silver.transactions_duplicates", "_source_line"),
    ("silver.returns", "return_invoice_no, return_line_no, sale_invoice_no, sale_line_no"),
    ("silver.net_sales", "invoice_no, line_no"),
    ("silver.customers", "customer_id"),
    ("silver.products", "stock_code"),
    ("gold.daily_sales", "sale_date"),
    ("gold.country_sales", "country"),
    ("gold.top_products", "stock_code"),
    ("gold.rfm", "customer_id"),
    ("gold.rfm_segments", "segment"),
    ("gold.cohort_retention", "cohort_month, months_since"),
    ("gold.customer_features", "customer_id"),
    ("gold.cltv", "customer_id"),
    ("gold.product_pairs", "stock_code_a, stock_code_b"),
];

/// The folders of the data and of the reference, if they are there.
fn data() -> Option<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("LAKE_UCI_DIR")
        .map_or_else(|| root.join("../shared/data/online_retail"), PathBuf::from);
    let reference = root.join("../shared/reference/uci");
    if data.join("data.csv.zst").exists() && reference.exists() {
        return Some((data, reference));
    }
    assert!(
        std::env::var_os("LAKE_UCI_DIR").is_none(),
        "LAKE_UCI_DIR is set, but the data or reference is not there"
    );
    // Written past the capture of test output: who reads the summary must see it.
    let _ =
        writeln!(std::io::stderr(), "DID NOT RUN: the UCI data is not in {} (see README)", data.display());
    None
}

/// How many rows of a table differ from the reference in any cell, or are on one side only.
async fn differences(fresh: &Fresh, reference: &Path, table: &str, key: &str) -> String {
    let lake = fresh.lake(2).unwrap();
    let catalogue = lake.published().await.unwrap();
    let session = lake.engine.session(catalogue.clone());
    let file = reference.join(format!("{table}.parquet"));
    let frame = session.read_parquet(file.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    let columns: Vec<_> = frame.schema().fields().iter().cloned().collect();
    catalogue.provide("reference", "expected", frame.into_view());
    let keys: Vec<&str> = key.split(", ").collect();
    let on =
        keys.iter().map(|k| format!("(o.{k} is not distinct from e.{k})")).collect::<Vec<_>>().join(" and ");
    let unequal = columns.iter().map(|column| {
        let name = column.name();
        match column.data_type() {
            datafusion::arrow::datatypes::DataType::Float64 => format!(
                "(o.{name} is null) <> (e.{name} is null) or abs(o.{name} - e.{name}) > 1e-9 * greatest(abs(e.{name}), 1e-300)"
            ),
            datafusion::arrow::datatypes::DataType::List(_) => {
                format!("array_to_string(o.{name}, ',') is distinct from array_to_string(e.{name}, ',')")
            }
            _ => format!("o.{name} is distinct from e.{name}"),
        }
    });
    let counts = columns.iter().zip(unequal).map(|(column, unequal)| {
        format!(
            "count(*) filter (where o.{k} is not null and e.{k} is not null and ({unequal})) as {}",
            column.name(),
            k = keys[0]
        )
    });
    let query = format!(
        "select count(*) filter (where o.{k} is null) as missing, count(*) filter (where e.{k} is null) as extra, {} \
         from {table} o full join reference.expected e on {on}",
        counts.collect::<Vec<_>>().join(", "),
        k = keys[0],
    );
    let batches = session.sql(&query).await.unwrap().collect().await.unwrap();
    let row = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    let named = row
        .schema()
        .fields()
        .iter()
        .zip(row.columns())
        .filter_map(|(field, column)| {
            let count = column.as_primitive::<Int64Type>().value(0);
            (count != 0).then(|| format!("{table}: {} {count}", field.name()))
        })
        .collect::<Vec<_>>();
    named.join("\n")
}

/// Compares every table but those whose rows are told apart by their place in the file.
async fn compare(fresh: &Fresh, reference: &Path, with_places: bool) {
    let mut found = Vec::new();
    for (table, key) in TABLES {
        if with_places || key != "_source_line" {
            found.push(differences(fresh, reference, table, key).await);
        }
    }
    found.retain(|text| !text.is_empty());
    assert!(found.is_empty(), "differs from the reference:\n{}", found.join("\n"));
    let counts = fresh.table(
        "select (select count(*) from bronze.online_retail) as bronze, (select count(*) from silver.transactions) as kept, \
         (select count(*) from silver.transactions_rejected) as rejected, \
         (select count(*) from silver.transactions_duplicates) as duplicates",
    );
    let counts = counts.await;
    assert!(counts.contains("| 541909 | 534131 | 2510     | 5268       |"), "{counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_latin_1_file_gives_every_cell_of_the_reference() {
    let Some((data, reference)) = data() else { return };
    let fresh = Fresh::new();
    std::fs::create_dir_all(fresh.path().join("landing/online_retail")).unwrap();
    std::fs::copy(data.join("data.csv.zst"), fresh.path().join("landing/online_retail/data.csv.zst"))
        .unwrap();
    fresh.run().await.unwrap();
    compare(&fresh, &reference, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_files_in_the_other_dialect_give_the_same_tables() {
    let Some((data, reference)) = data() else { return };
    let fresh = Fresh::new();
    let landing = fresh.path().join("landing/online_retail");
    std::fs::create_dir_all(&landing).unwrap();
    let archive = std::fs::File::open(data.join("by-day.tar.zst")).unwrap();
    let unpacked = zstd::stream::decode_all(archive).unwrap();
    untar(&unpacked, &landing);
    assert_eq!(std::fs::read_dir(&landing).unwrap().count(), 305);
    fresh.run().await.unwrap();
    compare(&fresh, &reference, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workbook_gives_the_same_tables() {
    let Some((data, reference)) = data() else { return };
    let fresh = Fresh::new();
    let text = zstd::stream::decode_all(std::fs::File::open(data.join("data.csv.zst")).unwrap()).unwrap();
    let path = fresh.land("book.xlsx", b"");
    write_workbook(&encoding_rs::WINDOWS_1252.decode(&text).0, &path);
    fresh.run().await.unwrap();
    compare(&fresh, &reference, false).await;
}

/// The files of a tar archive, written to a folder by their last name.
fn untar(bytes: &[u8], folder: &Path) {
    let field = |header: &[u8]| String::from_utf8_lossy(header).trim_end_matches('\0').trim().to_string();
    let mut at = 0;
    while at + 512 <= bytes.len() && bytes[at] != 0 {
        let header = &bytes[at..at + 512];
        let size = usize::from_str_radix(&field(&header[124..135]), 8).unwrap();
        let (name, is_file) = (field(&header[..100]), matches!(header[156], b'0' | 0));
        if is_file && name.ends_with(".csv") {
            let name = name.rsplit('/').next().unwrap();
            std::fs::write(folder.join(name), &bytes[at + 512..at + 512 + size]).unwrap();
        }
        at += 512 + size.div_ceil(512) * 512;
    }
}

/// The CSV as a workbook with numbers and dates as such, the way the original was published.
fn write_workbook(text: &str, path: &Path) {
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let dates = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    for (row, record) in records(text).iter().enumerate() {
        for (column, value) in record.iter().enumerate() {
            let (row, column16) = (row as u32, column as u16);
            match (row, column, value.parse::<f64>()) {
                (_, _, _) if value.is_empty() => continue,
                (1.., 4, _) => {
                    let (date, time) = value.split_once(' ').unwrap();
                    let part = |text: &str, by: char| {
                        text.split(by).map(|n| n.parse().unwrap()).collect::<Vec<u16>>()
                    };
                    let (d, t) = (part(date, '/'), part(time, ':'));
                    let at = ExcelDateTime::from_ymd(d[2], d[0] as u8, d[1] as u8).unwrap();
                    let at = at.and_hms(t[0], t[1] as u8, 0).unwrap();
                    sheet.write_datetime_with_format(row, column16, &at, &dates).unwrap();
                }
                (1.., 0 | 1 | 3 | 5 | 6, Ok(number)) => {
                    _ = sheet.write_number(row, column16, number).unwrap()
                }
                _ => _ = sheet.write_string(row, column16, value).unwrap(),
            }
        }
    }
    book.save(path).unwrap();
}

/// The records of a comma-separated text.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let (mut quoted, mut letters) = (false, text.chars().peekable());
    while let Some(letter) = letters.next() {
        let field = records.last_mut().unwrap().last_mut().unwrap();
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.push(letters.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => records.last_mut().unwrap().push(String::new()),
            '\n' if !quoted => records.push(vec![String::new()]),
            '\r' if !quoted => {}
            letter => field.push(letter),
        }
    }
    records.retain(|record| record.len() > 1);
    records
}
