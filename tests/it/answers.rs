//! What commands answer with: which bytes, into what, and how they look where they are read.

use std::process::Command;

use crate::support::{Fresh, HEADER, said};

const LINES: &str = "536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                     536366,71053,LANTERN,2,12/2/2010 8:28,3.39,,France\n";

const LATER: &str = "536367,71053,LANTERN,3,12/3/2010 8:28,3.39,,Norway\n";

/// The program's answer; it must succeed.
fn lake(fresh: &Fresh, args: &[&str]) -> String {
    let output = fresh.command(args);
    let (out, err) = said(&output);
    assert!(output.status.success(), "lake {}: {err}", args.join(" "));
    out
}

/// A project whose lake is published.
fn published() -> Fresh {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    lake(&fresh, &["run"]);
    fresh
}

#[test]
fn lists_and_maps_are_json_in_csv_and_null_is_written_in_json() {
    let fresh = Fresh::new();
    let query = "select ['a', 'b'] as l, map {'k': 1} as m, cast(null as int) as n, 1 as o";
    assert_eq!(
        lake(&fresh, &["sql", query, "--format", "csv"]),
        "l,m,n,o\n\"[\"\"a\"\",\"\"b\"\"]\",\"{\"\"k\"\":1}\",,1\n"
    );
    assert_eq!(
        lake(&fresh, &["sql", query, "--format", "json"]),
        "[{\"l\":[\"a\",\"b\"],\"m\":{\"k\":1},\"n\":null,\"o\":1}]\n"
    );
    let none = "select ['a'] as l, cast(null as int) as n where false";
    assert_eq!(lake(&fresh, &["sql", none, "--format", "csv"]), "l,n\n");
}

#[test]
fn a_limit_holds_where_no_column_is_read() {
    let fresh = published();
    let count = |query: &str| lake(&fresh, &["sql", query, "--format", "csv"]).lines().count() - 1;
    assert_eq!(count("select 1 as a from silver.transactions"), 2);
    assert_eq!(count("select 1 as a from silver.transactions limit 1"), 1);
    assert_eq!(count("select 1 as a from silver.transactions limit 5 offset 1"), 1);
    assert_eq!(count("select 1 as a from silver.transactions a, silver.transactions b limit 3"), 3);
}

#[cfg(unix)]
#[test]
fn an_output_follows_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let fresh = Fresh::new();
    let write = |name: &str| lake(&fresh, &["sql", "select 1 as a", "--format", "csv", "--output", name]);
    let read = |name: &str| std::fs::read_to_string(fresh.path().join(name)).unwrap();
    let old = fresh.write("far/old.csv", "old");
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o640)).unwrap();
    for (link, to, file) in
        [("old.csv", "far/old.csv", "far/old.csv"), ("far/link.csv", "new.csv", "far/new.csv")]
    {
        symlink(to, fresh.path().join(link)).unwrap();
        assert_eq!(write(link), format!("1 row written to {link}\n"));
        assert_eq!(read(file), "a\n1\n");
        assert!(fresh.path().join(link).is_symlink());
    }
    assert_eq!(std::fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o640);
    let output = fresh.command(&["sql", "select 1", "--output", "far"]);
    assert!(said(&output).1.contains("cannot write `far`: it is a folder"), "{}", said(&output).1);
}

/// A pipe stands for all that is no regular file: had it been replaced, its reader would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_written_as_it_is() {
    let fresh = Fresh::new();
    let lake = env!("CARGO_BIN_EXE_lake");
    let script = format!(
        "mkfifo pipe && {{ timeout 60 cat pipe & }} && {lake} sql 'select 1 as a' --format csv --output pipe \
         && wait && test -p pipe"
    );
    let output = Command::new("bash").current_dir(fresh.path()).args(["-c", &script]).output().unwrap();
    assert_eq!((output.status.success(), said(&output).0.as_str()), (true, "a\n1\n"), "{:?}", said(&output));
}

#[test]
fn times_of_publications_can_be_asked_for_as_they_stand() {
    let fresh = published();
    fresh.land("b.csv", format!("{HEADER}{LATER}"));
    lake(&fresh, &["run"]);
    let listed = lake(&fresh, &["publications"]);
    let times: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|w| w.starts_with("20"))
        .collect();
    let asked = |time: &str| {
        let query = "select count(*) as lines from silver.transactions";
        lake(&fresh, &["sql", query, "--format", "csv", "--as-of", time])
    };
    assert_eq!(times.len(), 2, "{listed}");
    assert_eq!(times.iter().map(|time| asked(time)).collect::<Vec<_>>(), ["lines\n3\n", "lines\n2\n"]);
}

#[test]
fn status_shows_the_tables_beside_what_a_run_would_meet_with() {
    let fresh = published();
    fresh.land("broken.zip", "no archive");
    let output = fresh.command(&["status"]);
    let (out, err) = said(&output);
    let rfm = out.lines().find(|line| line.contains(" gold.rfm ")).unwrap_or_default();
    assert!(rfm.trim_end().ends_with("unknown"), "{out}");
    assert!(err.contains("`landing/online_retail/broken.zip` is not a zip archive"), "{err}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_selected_in_vain_is_said() {
    let fresh = published();
    let said = lake(&fresh, &["verify", "--select", "bronze.online_retail"]);
    assert!(said.starts_with("nothing to verify: "), "{said}");
    let said = lake(&fresh, &["vacuum", "--older-than", "0"]);
    assert_eq!(said, "nothing to remove: every file is needed\n");
    lake(&fresh, &["run", "--full-refresh", "--select", "gold.rfm"]);
    let said = lake(&fresh, &["vacuum", "--older-than", "0"]);
    assert!(said.contains("would go; `lake vacuum --older-than 0 --apply` removes them"), "{said}");
}

#[test]
fn a_table_of_vacuumed_files_is_told_from_a_broken_lake() {
    let fresh = published();
    lake(&fresh, &["run", "--full-refresh", "--select", "gold.rfm"]);
    assert!(lake(&fresh, &["vacuum", "--older-than", "0", "--apply"]).contains("removed 1 file, "));
    let output = fresh.command(&["sql", "select max(segment) from gold.rfm version as of 0"]);
    let (_, err) = said(&output);
    assert!(
        err.starts_with(
            "error: version 0 of `gold.rfm` can no longer be read: its files were removed by a vacuum\n"
        ),
        "{err}"
    );
}

#[test]
fn a_model_is_shown_when_there_is_one() {
    let fresh = Fresh::new();
    assert!(lake(&fresh, &["models"]).starts_with("nothing has been learned yet"));
    assert!(lake(&fresh, &["models", "forecast"]).starts_with("`forecast` has not been learned yet"));
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    lake(&fresh, &["run"]);
    for model in ["customer_value", "forecast"] {
        let shown = lake(&fresh, &["models", model]);
        assert!(shown.contains("verdict") && shown.contains("setting"), "{shown}");
    }
}

#[test]
fn the_log_of_production_is_our_own_events_and_errors_with_lists() {
    let fresh = published();
    fresh.land("b.csv", format!("{HEADER}{LATER}"));
    let stderr = |args: &[&str]| said(&fresh.command(&[args, &["--env", "production"]].concat())).1;
    let err = stderr(&["run"]) + &stderr(&["sql", "select * from gold.rmf"]);
    let events: Vec<serde_json::Value> =
        err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() > 10, "{err}");
    assert!(events.iter().all(|event| event["target"].as_str().unwrap().starts_with("lake")), "{err}");
    let error = events.last().unwrap();
    assert_eq!(error["message"], "unknown table `gold.rmf`");
    assert_eq!(error["hints"], serde_json::json!(["did you mean `gold.rfm`?"]));
    assert_eq!(error["details"], serde_json::json!([]));
    assert_eq!(error["level"], "ERROR");
    let output = fresh.command(&["status", "--log-format", "json", "--threads", "100000"]);
    let event: serde_json::Value = serde_json::from_str(&said(&output).1).unwrap();
    assert_eq!(event["message"], "setting `threads` must be at most 1024, not 100000");
}

#[test]
fn variables_of_the_tests_are_no_settings() {
    let fresh = Fresh::new();
    let config = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lake"));
        command.current_dir(fresh.path()).arg("config").env(name, "1").output().unwrap()
    };
    assert!(config("LAKE_TEST_SEED").status.success() && config("LAKE_TEST_WHATEVER").status.success());
    assert!(said(&config("LAKE_TESTS")).1.contains("unknown variable `LAKE_TESTS`"));
}

/// What a command says on a terminal of no columns; nothing where none can be made.
#[cfg(target_os = "linux")]
fn on_a_terminal(fresh: &Fresh, term: &str, args: &str) -> Option<String> {
    let command = format!("{} {args}", env!("CARGO_BIN_EXE_lake"));
    let mut script = Command::new("script");
    script.current_dir(fresh.path()).args(["-qec", &command, "/dev/null"]).stdin(std::process::Stdio::null());
    let output = script.env("TERM", term).env_remove("NO_COLOR").output();
    let said = output.ok().map(|output| said(&output).0).filter(|said| !said.is_empty());
    if said.is_none() {
        eprintln!("DID NOT RUN: no terminal can be made without `script`");
    }
    said
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_of_no_columns_gets_whole_words() {
    let fresh = Fresh::new();
    let Some(said) = on_a_terminal(&fresh, "xterm", "plan") else { return };
    assert!(said.contains(" silver.transactions_duplicates "), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_dumb_terminal_gets_no_colours() {
    let fresh = Fresh::new();
    let Some(coloured) = on_a_terminal(&fresh, "xterm", "sql 'selct 1'") else { return };
    let plain = on_a_terminal(&fresh, "dumb", "sql 'selct 1'").unwrap();
    assert!(coloured.contains("\u{1b}[1m") && coloured.contains("the SQL cannot be read"), "{coloured}");
    assert!(!plain.contains('\u{1b}') && plain.contains("the SQL cannot be read"), "{plain}");
}
