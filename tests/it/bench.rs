//! The benchmark of the program itself: every part is measured, the parts add up, and a file is split as it stands.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Fresh, HEADER, said};

const LAST_DAY: &str = "536367,71053,\"LAN\nTERN\",3,12/3/2010 8:28,3.39,13047,France\n";

/// A shop of three days, the last of them in the middle, in records of several lines.
fn sales() -> (String, String) {
    let first = "536365,85123A,\"WHITE\nHEART\",6,12/1/2010 8:26,2.55,17850,United Kingdom\n";
    let second = "536366,71053,LANTERN,2,12/2/2010 8:28,3.39,17850,United Kingdom\n";
    (format!("{HEADER}{first}{LAST_DAY}{second}"), format!("{HEADER}{first}{second}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_part_is_measured_and_the_parts_add_up() {
    let fresh = Fresh::new();
    let args = ["bench", "--customers", "40", "--lines", "400", "--runs", "1", "--threads", "1"];
    let output = fresh.command(&[&args[..], &["--format", "json"]].concat());
    let (out, err) = said(&output);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("full, round 1 of 1: ") && err.contains("one more day, round 1 of 1: "), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let phases = &report["phases"];
    for (phase, runs) in [("full", 1.0), ("cold", 1.0), ("nothing_new", 3.0), ("one_more_day", 1.0)] {
        let figures = &phases[phase];
        let median = |name: &str| number(&figures[name]["median"]);
        assert_eq!(number(&figures["runs"]), runs, "{phase}");
        let cpu = median("user_seconds") + median("system_seconds");
        assert!(median("wall_seconds") > 0.0 && cpu > 0.0, "{phase}: {figures}");
        assert!(
            median("peak_memory_bytes") > 10e6 && median("peak_memory_bytes") < 10e9,
            "{phase}: {figures}"
        );
        assert!(
            number(&figures["stages"]["start"]["median"]) <= median("wall_seconds"),
            "{phase}: {figures}"
        );
        let is_written = [median("data_bytes"), median("log_bytes")].map(|bytes| bytes > 0.0);
        assert_eq!(is_written, [phase != "nothing_new"; 2], "{phase}: {figures}");
    }
    let lines = |phase: &str| number(&phases[phase]["lines"]);
    assert!(lines("full") > 300.0 && lines("one_more_day") > 0.0, "{phases}");
    assert_eq!(lines("cold") + lines("one_more_day"), lines("full"));
    assert_eq!(lines("nothing_new"), 0.0);
    assert_eq!(number(&report["input"]["last_day"]["lines"]), lines("one_more_day"));
    assert_eq!((&report["threads"], &report["input"]["file"]), (&Value::from(1), &Value::Null));
    tables_are_those_of_the_job(&report);
}

/// Each table that is selected is built and told of as one of the job; so are those that they are made from, as
/// others.
fn tables_are_those_of_the_job(report: &Value) {
    let select = report["select"].as_str().unwrap().split(',');
    let select: BTreeSet<String> = select.map(String::from).collect();
    let tables = report["phases"]["full"]["tables"].as_array().unwrap();
    let is_in_job = |table: &&Value| table["in_job"] == true;
    let named = |table: &Value| table["table"].as_str().unwrap().to_string();
    let job: BTreeSet<String> = tables.iter().filter(is_in_job).map(named).collect();
    assert_eq!(job, select);
    for table in tables.iter().filter(is_in_job) {
        assert!(number(&table["rows"]) > 0.0 && number(&table["data_bytes"]) > 0.0, "{table}");
        assert!(number(&table["seconds"]["median"]) > 0.0 && number(&table["log_bytes"]) > 0.0, "{table}");
    }
    let others: Vec<String> = tables.iter().filter(|table| !is_in_job(table)).map(named).collect();
    assert!(others.contains(&"silver.invoices".into()) && others.contains(&"ops.runs".into()), "{others:?}");
}

#[test]
fn a_file_is_split_as_it_stands_and_left_where_it_is_kept() {
    let fresh = Fresh::new();
    let (file, before) = sales();
    fresh.write("sales.csv", &file);
    let output = fresh.command(&["bench", "sales.csv", "--runs", "1", "--keep", "kept"]);
    let (out, err) = said(&output);
    assert!(output.status.success(), "{err}");
    assert!(out.starts_with("retail-etl of sales.csv: 3 lines, "), "{out}");
    assert!(out.contains("1 of them on the last day, 2010-12-03"), "{out}");
    for part in ["peak memory", " nothing new ", " one more day ", "of the job", "% of the full run"] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let read = |name: &str| std::fs::read_to_string(fresh.path().join(name)).unwrap();
    assert_eq!(read("sales.csv"), file);
    assert_eq!(read("kept/daily/landing/online_retail/before.csv"), before);
    assert_eq!(read("kept/daily/landing/online_retail/last_day.csv"), format!("{HEADER}{LAST_DAY}"));
    let query = "select count(*) as days, sum(net_revenue) as net from gold.daily_sales";
    let answers = ["kept/full", "kept/daily"]
        .map(|project| said(&fresh.command(&["--project", project, "sql", query, "--format", "csv"])).0);
    assert_eq!(answers, ["days,net\n3,32.2500\n"; 2]);
}

#[test]
fn what_cannot_be_measured_is_said_before_it_is_tried() {
    let fresh = Fresh::new();
    fresh.write("one_day.csv", format!("{HEADER}{LAST_DAY}"));
    fresh.write("sales.csv.zst", "packed");
    let refused: [(&[&str], &str); 8] = [
        (&["bench", "--root", "elsewhere"], "makes lakes of its own and takes no `--root`"),
        (&["bench", "nowhere.csv"], "cannot read `nowhere.csv`: there is no such file or folder"),
        (&["bench", "sales.csv.zst"], "`sales.csv.zst` is no plain .csv file"),
        (&["bench", "one_day.csv", "--keep", "."], "`.` is not empty"),
        (&["bench", "one_day.csv", "--runs", "0"], "0 is not in 1.."),
        (&["bench", "one_day.csv", "--lines", "9"], "cannot be used with"),
        (&["bench", "--customers", "9", "--lines", "3"], "3 lines are too few for 9 customers"),
        (&["bench", "one_day.csv", "--runs", "1"], "one_day.csv` holds a single day, 2010-12-03"),
    ];
    for (args, message) in refused {
        let output = fresh.command(args);
        let (out, err) = said(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.contains(message) && out.is_empty(), "{args:?}: {out}{err}");
    }
}
