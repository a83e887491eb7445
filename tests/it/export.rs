//! Exports: of one publication, read back by other libraries, whole or not at all, refreshed by what publishes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use calamine::{Data, Reader, Xlsx, open_workbook};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::Compression;
use lake::config::{Export, ExportFormat};
use lake::export::Manifest;
use lake::run::{Lake, Request, Silent};
use sha2::{Digest, Sha256};

use crate::faults::{FIRST, SECOND};
use crate::increments::after_minutes;
use crate::support::{Fresh, HEADER, said};

const LINES: &str = "536365,85123A,=1+1,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                     536366,71053,LANTERN,2,12/2/2010 8:28,3.39,,France\n";

/// The program's answer; it must succeed.
fn lake(fresh: &Fresh, args: &[&str]) -> String {
    let output = fresh.command(args);
    let (out, err) = said(&output);
    assert!(output.status.success(), "lake {}: {err}", args.join(" "));
    out
}

/// What the program complains of; it must fail with this code.
fn refused(fresh: &Fresh, args: &[&str], code: i32) -> String {
    let output = fresh.command(args);
    let (_, err) = said(&output);
    assert_eq!(output.status.code(), Some(code), "lake {}: {err}", args.join(" "));
    err
}

/// A project whose lake is published.
fn published() -> Fresh {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    lake(&fresh, &["run"]);
    fresh
}

async fn exported(lake: &Lake, to: &Path, format: ExportFormat, as_of: Option<&str>) -> Manifest {
    let to = to.to_str().unwrap().to_string();
    let export = Export::new(to, Some(format), Vec::new(), Vec::new()).unwrap();
    lake::export::export(lake, &export, as_of, &Silent).await.unwrap()
}

fn manifest(folder: &Path) -> Manifest {
    Manifest::read(folder).unwrap().unwrap()
}

fn parquet(path: &Path) -> ParquetRecordBatchReaderBuilder<File> {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap()
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    parquet(path).build().unwrap().map(Result::unwrap).collect()
}

/// Every file below a folder, hidden ones included, and its bytes.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_string();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn gold_is_exported_with_a_manifest_that_tells_the_truth() {
    let fresh = published();
    let said = lake(&fresh, &["export", "--to", "new/bi"]);
    let folder = fresh.path().join("new/bi");
    let manifest = manifest(&folder);
    let tables = manifest.tables.len();
    let end = format!("exported {tables} tables of run {} to new/bi\n", manifest.run_id);
    assert!(tables >= 20 && said.ends_with(&end), "{said}");
    assert!(manifest.tables.iter().all(|table| table.table.starts_with("gold.")));
    assert!(lake(&fresh, &["publications"]).contains(&manifest.run_id));
    let mut files = content(&folder);
    files.remove("manifest.json").unwrap();
    for table in &manifest.tables {
        assert!(!table.doc.is_empty() && table.columns.iter().all(|column| !column.doc.is_empty()));
        let sum: u64 = table.files.iter().map(|file| file.rows).sum();
        assert_eq!(table.rows, sum, "{}", table.table);
        for file in &table.files {
            let bytes = files.remove(&file.path).unwrap();
            let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((file.bytes, &file.sha256), (bytes.len() as u64, &hash), "{}", file.path);
            let there: usize = rows(&folder.join(&file.path)).iter().map(RecordBatch::num_rows).sum();
            assert_eq!(file.rows, there as u64, "{}", file.path);
        }
    }
    assert!(files.is_empty(), "{:?}", files.keys());
    let sales = manifest.tables.iter().find(|table| table.table == "gold.daily_sales").unwrap();
    assert_eq!(sales.key, ["sale_date"]);
    assert_eq!(sales.columns[0].data_type, "date");
}

#[test]
fn parquet_is_of_the_types_and_the_compression_that_every_reader_knows() {
    let fresh = published();
    lake(&fresh, &["export", "silver.*", "bronze.*", "gold.country_sales", "--to", "out"]);
    for path in content(&fresh.path().join("out")).into_keys().filter(|path| path.ends_with(".parquet")) {
        let reader = parquet(&fresh.path().join("out").join(&path));
        for field in reader.schema().fields() {
            let data_type = field.data_type();
            let is_plain = data_type.is_numeric()
                || data_type.is_temporal()
                || matches!(data_type, DataType::Utf8 | DataType::Boolean);
            assert!(is_plain, "{path}: {} is {data_type}", field.name());
            assert!(field.metadata().contains_key("comment"), "{path}: {}", field.name());
        }
        for group in reader.metadata().row_groups() {
            assert!(
                group.columns().iter().all(|column| column.compression() == Compression::SNAPPY),
                "{path}"
            );
        }
    }
    let batches = rows(&fresh.path().join("out/gold/country_sales.parquet"));
    let countries = batches[0].column(0).as_string::<i32>();
    assert_eq!(countries.iter().flatten().collect::<Vec<_>>(), ["France", "United Kingdom"]);
    let net = batches[0].column_by_name("net_revenue").unwrap().as_primitive::<Decimal128Type>();
    assert_eq!(net.values().to_vec(), [67_800, 153_000]);
}

#[test]
fn text_files_hold_what_a_question_answers() {
    let fresh = published();
    lake(&fresh, &["export", "gold.country_sales", "silver.transactions", "--to", "out", "--format", "csv"]);
    let read = |name: &str| std::fs::read_to_string(fresh.path().join(name)).unwrap();
    for (table, key) in [("gold.country_sales", "country"), ("silver.transactions", "invoice_no, line_no")] {
        let query = format!("select * from {table} order by {key}");
        let path = format!("out/{}.csv", table.replace('.', "/"));
        assert_eq!(read(&path), lake(&fresh, &["sql", &query, "--format", "csv"]));
    }
    // Data stays as it is: whoever opens it in a spreadsheet is warned by the documents.
    assert!(read("out/silver/transactions.csv").contains(",=1+1,"));
    fresh.land("b.csv", format!("{HEADER}536367,22745,HOUSE,0,12/1/2010 8:34,2.10,13047,France\n"));
    lake(&fresh, &["run"]);
    lake(&fresh, &["export", "silver.transactions_rejected", "--to", "lines", "--format", "json"]);
    let lines = read("lines/silver/transactions_rejected.jsonl");
    let rejected: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0]["failed_rules"], serde_json::json!(["zero_quantity"]));
    lake(&fresh, &["export", "silver.transactions_rejected", "--to", "cells", "--format", "csv"]);
    assert!(read("cells/silver/transactions_rejected.csv").contains("\"[\"\"zero_quantity\"\"]\""));
}

#[test]
fn partitions_are_folders_in_the_manner_of_hive() {
    let fresh = published();
    let args = ["export", "silver.transactions", "gold.daily_sales", "--to", "out"];
    lake(&fresh, &[&args[..], &["--partition-by", "country,kind"]].concat());
    let manifest = manifest(&fresh.path().join("out"));
    let paths = |table: &str| -> Vec<&str> {
        let table = manifest.tables.iter().find(|exported| exported.table == table).unwrap();
        table.files.iter().map(|file| file.path.as_str()).collect()
    };
    assert_eq!(paths("gold.daily_sales"), ["gold/daily_sales.parquet"]);
    let files = paths("silver.transactions");
    assert_eq!(
        files,
        [
            "silver/transactions/country=France/kind=sale/part-0.parquet",
            "silver/transactions/country=United Kingdom/kind=sale/part-0.parquet"
        ]
    );
    let reader = parquet(&fresh.path().join("out").join(files[0]));
    let names: Vec<&String> = reader.schema().fields().iter().map(|field| field.name()).collect();
    assert!(names.iter().all(|name| !["country", "kind"].contains(&name.as_str())), "{names:?}");
    let of = |columns: &str| {
        refused(&fresh, &["export", "gold.*_sales", "--to", "no", "--partition-by", columns], 2)
    };
    assert!(
        of("contry")
            .starts_with("error: none of the tables has a column `contry`\nhint: did you mean `country`?")
    );
    assert!(of("country,sale_date").contains("none of the tables has all of the columns"));
    assert!(of("net_revenue").contains("cannot be partitioned by `net_revenue`, which is decimal(28,4)"));
    assert!(!fresh.path().join("no").exists());
}

#[test]
fn a_workbook_has_a_sheet_a_table_and_one_about_them() {
    let fresh = published();
    let tables = ["gold.country_sales", "gold.daily_sales", "silver.transactions"];
    lake(&fresh, &[&["export", "--to", "report.xlsx"][..], &tables[..]].concat());
    let mut book: Xlsx<_> = open_workbook(fresh.path().join("report.xlsx")).unwrap();
    assert_eq!(book.sheet_names(), ["about", "transactions", "country_sales", "daily_sales"]);
    let about = book.worksheet_range("about").unwrap();
    let texts: Vec<String> = about.rows().flatten().map(ToString::to_string).collect();
    assert!(texts.contains(&"gold.daily_sales".to_string()) && texts.contains(&"Calendar day.".to_string()));
    let sales = book.worksheet_range("country_sales").unwrap();
    let column = |name: &str| sales.rows().next().unwrap().iter().position(|cell| cell == name).unwrap();
    let of_france: Vec<&Data> = sales.rows().nth(1).unwrap().iter().collect();
    assert_eq!(of_france[column("country")], &Data::String("France".into()));
    assert_eq!(of_france[column("orders")], &Data::Float(1.0));
    assert_eq!(of_france[column("net_revenue")], &Data::Float(6.78));
    assert_eq!(sales.height(), 3);
    let days = book.worksheet_range("daily_sales").unwrap();
    let day = days.rows().nth(1).unwrap().iter().find(|cell| matches!(cell, Data::DateTime(_))).unwrap();
    assert!(matches!(day, Data::DateTime(day) if day.as_f64() == 40_513.0), "{day:?}");
    let lines = book.worksheet_range("transactions").unwrap();
    assert!(lines.rows().flatten().any(|cell| *cell == Data::String("=1+1".into())));
    assert!(book.worksheet_formula("transactions").unwrap().is_empty());
    // The workbook is ours and can be replaced, another cannot.
    lake(&fresh, &["export", "gold.rfm", "--to", "report.xlsx"]);
    fresh.write("mine.xlsx", "my own");
    let err = refused(&fresh, &["export", "gold.rfm", "--to", "mine.xlsx"], 2);
    assert!(err.contains("it is a file that is no export of lake"), "{err}");
    assert_eq!(std::fs::read(fresh.path().join("mine.xlsx")).unwrap(), b"my own");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tables_are_of_the_publication_that_is_asked_for() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    after_minutes(&fresh, 0).run(&Request::default()).await.unwrap();
    let lake = after_minutes(&fresh, 30);
    let (then, now) = (fresh.path().join("then"), fresh.path().join("now"));
    let before = exported(&lake, &fresh.path().join("before"), ExportFormat::Csv, None).await;
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    after_minutes(&fresh, 60).run(&Request::default()).await.unwrap();
    let lake = after_minutes(&fresh, 90);
    assert_eq!(exported(&lake, &then, ExportFormat::Csv, Some(&before.run_id)).await, before);
    assert_eq!(content(&then), content(&fresh.path().join("before")));
    let after = exported(&lake, &now, ExportFormat::Csv, None).await;
    assert_ne!(after.run_id, before.run_id);
    let changed = |table: &str| content(&now)[table] != content(&then)[table];
    assert!(changed("gold/daily_sales.csv") && changed("gold/rfm.csv"));
}

/// Two exports of a publication are the same, byte by byte, whatever the number of threads and the time.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_depends_on_the_publication_alone() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}{SECOND}"));
    fresh.run().await.unwrap();
    let (one, four) = (fresh.lake(1).unwrap(), fresh.lake(4).unwrap());
    let place = |name: &str| fresh.path().join(name);
    exported(&one, &place("one"), ExportFormat::Parquet, None).await;
    exported(&four, &place("four"), ExportFormat::Parquet, None).await;
    assert!(content(&place("one")) == content(&place("four")));
    exported(&one, &place("one.xlsx"), ExportFormat::Xlsx, None).await;
    exported(&four, &place("four.xlsx"), ExportFormat::Xlsx, None).await;
    assert!(std::fs::read(place("one.xlsx")).unwrap() == std::fs::read(place("four.xlsx")).unwrap());
}

/// The name of a folder that no file system takes stands for every write that fails half way.
#[test]
fn a_write_that_fails_leaves_what_was_exported_before() {
    let fresh = Fresh::new();
    let long = "Z".repeat(300);
    fresh.land("a.csv", format!("{HEADER}{LINES}536367,22745,{long},1,12/1/2010 8:34,2.10,13047,France\n"));
    lake(&fresh, &["run"]);
    lake(&fresh, &["export", "silver.transactions", "--to", "there/bi"]);
    let before = content(&fresh.path().join("there"));
    let args = ["export", "gold.rfm", "silver.transactions", "--to", "there/bi"];
    let err = refused(&fresh, &[&args[..], &["--partition-by", "description"]].concat(), 1);
    assert!(err.contains("error: cannot write `"), "{err}");
    assert!(content(&fresh.path().join("there")) == before);
}

/// A file of a table that is gone stands for every read that fails half way.
#[test]
fn a_read_that_fails_leaves_what_was_exported_before() {
    let fresh = published();
    let tables = ["gold.country_sales", "gold.rfm"];
    for to in ["there/bi", "there/report.xlsx"] {
        lake(&fresh, &[&["export", "--to", to][..], &tables[..]].concat());
    }
    let before = content(&fresh.path().join("there"));
    let pattern = fresh.path().join("lakehouse/gold/rfm/*.parquet");
    for file in glob::glob(pattern.to_str().unwrap()).unwrap() {
        std::fs::write(file.unwrap(), "torn").unwrap();
    }
    for to in ["there/bi", "there/report.xlsx"] {
        let output = fresh.command(&[&["export", "--to", to][..], &tables[..]].concat());
        assert!(!output.status.success(), "{:?}", said(&output));
    }
    assert!(content(&fresh.path().join("there")) == before);
}

#[cfg(unix)]
#[test]
fn what_is_told_to_end_leaves_nothing_behind() {
    let fresh = Fresh::new();
    let line = |n: u32| format!("{n},71053,LANTERN,2,12/2/2010 8:28,3.39,,France\n");
    fresh.land("a.csv", (0..60_000).fold(String::from(HEADER), |text, n| text + &line(536_366 + n)));
    lake(&fresh, &["run", "--layer", "silver"]);
    let there = fresh.path().join("there");
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let args = ["export", "silver.transactions", "--to", "there/report.xlsx"];
        let mut program = Command::new(env!("CARGO_BIN_EXE_lake"));
        program.current_dir(fresh.path()).args(args).env("NO_COLOR", "1").stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let begun = Instant::now();
        while !std::fs::read_dir(&there).is_ok_and(|mut entries| entries.next().is_some()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is begun");
        }
        // Sound: the process is a child that has not been waited for.
        unsafe { libc::kill(child.id().cast_signed(), signal) };
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
        assert_eq!(err, "error: interrupted: what was exported before stands\n");
        assert!(content(&there).is_empty());
    }
}

#[test]
fn names_that_mean_nothing_are_told_what_they_may_mean() {
    let fresh = Fresh::new();
    let of = |table: &str| refused(&fresh, &["export", table, "--to", "out"], 2);
    assert!(of("gold.rfm").starts_with("error: nothing is published yet\nhint: `lake run`"));
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    lake(&fresh, &["run", "--layer", "silver"]);
    assert!(of("gold.rfm").starts_with("error: `gold.rfm` is not published\n"));
    assert!(of("gold.*").starts_with("error: no published table is named like `gold.*`\n"));
    assert!(refused(&fresh, &["export", "--to", "out"], 2).contains("no table of gold is published"));
    assert!(of("silver.transaction").contains("did you mean `silver.transactions`?"));
    assert!(of("silver.transactions_judged").contains("is a view: its rows are not stored"));
    assert!(of("ops.runs").contains("what the program records is of no publication"));
    assert!(!fresh.path().join("out").exists());
}

#[test]
fn what_publishes_refreshes_the_exports_of_the_project() {
    let fresh = Fresh::new();
    let section = "[[export]]\nto = \"bi\"\nformat = \"csv\"\ntables = [\"gold.country_sales\"]\n";
    fresh.write("config/exports.toml", section);
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    let out = lake(&fresh, &["run"]);
    let first = manifest(&fresh.path().join("bi"));
    assert!(
        out.ends_with(&format!(": published\nexported 1 table of run {} to bi\n", first.run_id)),
        "{out}"
    );
    assert!(!lake(&fresh, &["run"]).contains("exported"));
    fresh.land("b.csv", format!("{HEADER}536368,71053,LANTERN,2,12/3/2010 8:28,3.39,,Norway\n"));
    lake(&fresh, &["run"]);
    let read = || std::fs::read_to_string(fresh.path().join("bi/gold/country_sales.csv")).unwrap();
    assert!(read().contains("\nNorway,"));
    lake(&fresh, &["rollback"]);
    assert!(!read().contains("\nNorway,"));
    let mine = fresh.write("bi/notes.txt", "mine");
    let output = fresh.command(&["rollback"]);
    let (out, err) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(out.starts_with("readers see again "), "{out}");
    assert!(err.starts_with("warning: cannot export to ") && err.contains("holds `notes.txt`"), "{err}");
    assert!(err.contains("error: 1 of 1 export failed\n"), "{err}");
    assert!(!read().contains("\nNorway,") && mine.exists());
    std::fs::remove_file(mine).unwrap();
    assert!(lake(&fresh, &["export"]).starts_with("exported 1 table of run "));
    assert!(read().contains("\nNorway,"));
}
