//! The commands as a user meets them.

use std::io::Write;

use crate::support::{Fresh, HEADER, said};

const LINES: &str = "536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                     536366,71053,LANTERN,2,12/2/2010 8:28,3.39,,France\n";

/// The program's answer; it must succeed.
fn lake(fresh: &Fresh, args: &[&str]) -> String {
    let output = fresh.command(args);
    let (out, err) = said(&output);
    assert!(output.status.success(), "lake {}: {err}", args.join(" "));
    out
}

#[test]
fn from_an_empty_folder_to_gold() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = Fresh::new();
    let shop = folder.path().join("shop");
    let shop = shop.to_str().unwrap();
    lake(&fresh, &["init", shop]);
    assert!(lake(&fresh, &["init", shop]).starts_with("0 files written"));
    std::fs::write(format!("{shop}/landing/online_retail/a.csv"), format!("{HEADER}{LINES}")).unwrap();
    let out = lake(&fresh, &["--project", shop, "run", "--layer", "gold"]);
    assert!(out.contains("bronze.online_retail: 1 file loaded, 2 rows"), "{out}");
    assert!(out.contains("16 books balance, to the last digit"), "{out}");
    assert!(out.contains(": published\n"), "{out}");
    let out =
        lake(&fresh, &["--project", shop, "sql", "select sum(net_revenue) as net from gold.daily_sales"]);
    assert!(out.contains("| 22.0800 |"), "{out}");
}

#[test]
fn answers_come_in_every_format() {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    lake(&fresh, &["run"]);
    let query = "select country, orders, net_revenue, aov from gold.country_sales order by country";
    insta::assert_snapshot!(lake(&fresh, &["sql", query]), @"
    +----------------+--------+-------------+---------+
    | country        | orders | net_revenue | aov     |
    +----------------+--------+-------------+---------+
    | France         | 1      | 6.7800      | 6.7800  |
    | United Kingdom | 1      | 15.3000     | 15.3000 |
    +----------------+--------+-------------+---------+
    2 rows
    ");
    insta::assert_snapshot!(lake(&fresh, &["sql", query, "--format", "csv"]), @"
    country,orders,net_revenue,aov
    France,1,6.7800,6.7800
    United Kingdom,1,15.3000,15.3000
    ");
    insta::assert_snapshot!(lake(&fresh, &["sql", query, "--format", "json"]), @r#"[{"country":"France","orders":1,"net_revenue":6.7800,"aov":6.7800},{"country":"United Kingdom","orders":1,"net_revenue":15.3000,"aov":15.3000}]"#);
    assert_eq!(
        lake(&fresh, &["sql", query, "--format", "parquet", "--output", "x.parquet"]),
        "2 rows written to x.parquet\n"
    );
    assert_eq!(&std::fs::read(fresh.path().join("x.parquet")).unwrap()[..4], b"PAR1");
    let none =
        lake(&fresh, &["sql", "select country from gold.country_sales where false", "--format", "csv"]);
    assert_eq!(none, "country\n");
}

#[test]
fn a_dry_run_says_what_and_why_and_does_nothing() {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    let out = lake(&fresh, &["run", "--dry-run", "--select", "silver.products"]);
    assert!(out.contains("would load landing/online_retail/a.csv into bronze.online_retail"), "{out}");
    assert!(out.contains("never built"), "{out}");
    assert!(!fresh.path().join("lakehouse").exists());
}

#[test]
fn status_tells_fresh_from_stale() {
    let fresh = Fresh::new();
    assert!(lake(&fresh, &["status"]).contains("nothing is published yet"));
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    lake(&fresh, &["run"]);
    assert!(!lake(&fresh, &["status"]).contains("stale"));
    fresh.edit("gold/rfm.toml", "doc", "doc  ");
    assert!(!lake(&fresh, &["status"]).contains("stale"));
    fresh.land("b.csv", format!("{HEADER}536367,71053,LANTERN,3,12/3/2010 8:28,3.39,,France\n"));
    let out = lake(&fresh, &["status"]);
    assert!(
        out.contains("1 new file has landed") && out.contains("bronze.online_retail has new files"),
        "{out}"
    );
}

/// What the program answers, without what differs from run to run.
fn transcript(fresh: &Fresh, commands: &[&str]) -> String {
    let mut told = String::new();
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        told += &format!("$ lake {command}\n{}\n", lake(fresh, &args));
    }
    told
}

#[test]
fn what_is_published_is_proved_looked_at_and_taken_back() {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    lake(&fresh, &["run"]);
    fresh.land("b.csv", format!("{HEADER}536367,71053,LANTERN,3,12/3/2010 8:28,3.39,,France\n"));
    lake(&fresh, &["run"]);
    let commands = [
        "plan --select gold.rfm",
        "publications",
        "history silver.invoices",
        "test --select gold.country_sales",
        "verify --select gold.country_sales",
        "optimize silver.transactions",
        "vacuum",
        "rollback",
        "publications --limit 2",
    ];
    insta::with_settings!({ filters => [
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "[RUN]"),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{6}Z)?", "[AT]"),
        (r"\d+\.\d kB|\d+ B", "[SIZE]"),
        (r"[ ─]{2,}", "  "),
        (r" +\n", "\n"),
    ] }, {
        insta::assert_snapshot!(transcript(&fresh, &commands), @"
        $ lake plan --select gold.rfm
         table  would  because

         silver.transactions  skip  nothing changed
         silver.transactions_duplicates  skip  nothing changed
         silver.transactions_rejected  skip  nothing changed
         silver.invoices  skip  nothing changed
         gold.customer_histories  skip  nothing changed
         gold.rfm  skip  nothing changed

        $ lake publications
         published at (UTC)  run  changed

         [AT]  [RUN]  in force  31 of 32 tables
         [AT]  [RUN]  all 32 tables

        $ lake history silver.invoices
         version  at (UTC)  did  rows  run  published  made from

          1  [AT]  write  1  [RUN]  yes  silver.transactions 1
          0  [AT]  write  2  [RUN]  yes  silver.transactions 0

        $ lake test --select gold.country_sales
         table  expectation  violations  for example

         gold.country_sales  unique_key  holds  0
         gold.country_sales  net_is_gross_less_returns  holds  0
         gold.country_sales  orders_have_an_average  holds  0
         gold.country_sales  average_is_gross_by_orders  holds  0
         gold.country_sales  revenue_per_customer_is_net_by_customers  holds  0
         sql/audit/countries_of_invoices.sql  countries_of_invoices  holds  0

         books  went in and came out

         silver.transactions → gold.country_sales (sales)  amount 32.25  gross 32.25  lines 3  units 11  balances

        the book balances, to the last digit

        $ lake verify --select gold.country_sales
         table  rows  differences

         gold.country_sales  2  0
        1 table equals a full rebuild, row by row

        $ lake optimize silver.transactions
         table  files  size

         silver.transactions  2 → 1  [SIZE] → [SIZE]

        $ lake vacuum
        nothing to remove: every file is needed or younger than 30 days

        $ lake rollback
        readers see again what run [RUN] published; `lake rollback` undoes it

        $ lake publications --limit 2
         published at (UTC)  run  changed

         [AT]  [RUN]  in force  back to what run [RUN] published
         [AT]  [RUN]  silver.transactions
        2 older ones; `--limit 4` lists all
        ");
    });
}

#[test]
fn every_setting_says_where_it_comes_from() {
    let fresh = Fresh::new();
    let out = lake(&fresh, &["config", "--env", "production", "--threads", "1"]);
    let line = |key: &str| out.lines().find(|l| l.trim_start().starts_with(key)).unwrap().to_string();
    assert!(
        line("threads").contains("flag") && line("log.filter").contains("config/production.toml"),
        "{out}"
    );
}

#[test]
fn help_of_every_command_has_an_example() {
    let fresh = Fresh::new();
    let out = lake(&fresh, &["--help"]);
    let listed = out.lines().skip_while(|line| *line != "Commands:").skip(1);
    // What a command is for may go on in the next line.
    let listed = listed.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let commands: Vec<&str> = listed.filter_map(|line| line.split(' ').next()).collect();
    assert!(commands.len() > 10, "{out}");
    for command in commands.into_iter().filter(|command| !["", "help"].contains(command)) {
        let out = lake(&fresh, &[command, "--help"]);
        assert!(out.contains("Example"), "{command}\n{out}");
    }
    assert!(lake(&fresh, &["completions", "bash"]).contains("_lake"));
}

/// Root may read everything: where the tests run as root, this one says that it did not run.
#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let fresh = Fresh::new();
    let folder = fresh.path().join("locked");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read_dir(&folder).is_ok() {
        let _ = writeln!(std::io::stderr(), "DID NOT RUN: this user may read a folder without permission");
        return;
    }
    let output = fresh.command(&["ingest", "locked"]);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (_, err) = said(&output);
    assert!(err.contains("`locked`: permission denied") && output.status.code() == Some(1), "{err}");
}

#[test]
fn tables_are_listed_before_they_are_built() {
    let fresh = Fresh::new();
    assert!(lake(&fresh, &["sql", "show tables"]).contains("cohort_retention"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let fresh = Fresh::new();
    let lines = "select * from generate_series(1, 1000000)";
    for args in
        ["config".to_string(), format!("sql '{lines}' --format csv"), format!("sql '{lines}' --format json")]
    {
        leave(&fresh, &args);
    }
}

/// Reads one line of what a command says and leaves; it must end well and in silence.
fn leave(fresh: &Fresh, args: &str) {
    let command = format!("{} {args} | head -n 1; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_lake"));
    let output =
        std::process::Command::new("bash").current_dir(fresh.path()).args(["-c", &command]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{:?}", said(&output));
}

#[test]
fn generated_data_is_the_same_for_a_seed() {
    let fresh = Fresh::new();
    let args = ["generate", "--lines", "5000", "--customers", "200", "--to", "2011-02-28"];
    for out in ["one", "two"] {
        lake(&fresh, &[&args[..], &["--out", out]].concat());
    }
    let read = |folder: &str| std::fs::read(fresh.path().join(folder).join("online_retail.csv")).unwrap();
    assert!(read("one") == read("two"));
}
