//! `lake shell`: what is piped in, what it may do, and a conversation on a terminal.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::faults::Cases;
use crate::support::{Fresh, HEADER, said};

const LINES: &str = "536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                     536366,71053,LANTERN,2,12/2/2010 8:28,3.39,,France\n";

/// A project whose lake is published.
fn published() -> Fresh {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    assert!(fresh.command(&["run"]).status.success());
    fresh
}

/// The program, without what surrounds the test.
fn command(fresh: &Fresh, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(fresh.path()).env("NO_COLOR", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAKE_")) {
        command.env_remove(name);
    }
    command
}

/// What the shell answers to a text that is piped in.
fn piped(fresh: &Fresh, args: &[&str], text: &str) -> Output {
    let mut shell = command(fresh, env!("CARGO_BIN_EXE_lake"));
    shell.arg("shell").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The answer to a text that goes well.
fn answer(fresh: &Fresh, args: &[&str], text: &str) -> String {
    let output = piped(fresh, args, text);
    let (out, err) = said(&output);
    assert!(output.status.success(), "{text}\n{out}{err}");
    out
}

/// What is said about a text that goes wrong, and the exit code.
fn refusal(fresh: &Fresh, args: &[&str], text: &str) -> (String, i32) {
    let output = piped(fresh, args, text);
    (said(&output).1, output.status.code().unwrap())
}

#[test]
fn statements_follow_each_other() {
    let fresh = published();
    let text = "select country, orders from gold.country_sales order by country;\n\
                create view best as -- of this session; no more\n\
                select country, net_revenue from gold.country_sales where net_revenue > 10;\n\
                select * from best; ; drop view best;\n\
                prepare large as select country from gold.country_sales where net_revenue > 10;\n\
                execute large;\n\
                set datafusion.execution.batch_size = 1024;\n\
                select ';' as a, $$'$$ as b";
    insta::assert_snapshot!(answer(&fresh, &[], text), @"
    +----------------+--------+
    | country        | orders |
    +----------------+--------+
    | France         | 1      |
    | United Kingdom | 1      |
    +----------------+--------+
    2 rows
    view gold.best is there for this session
    +----------------+-------------+
    | country        | net_revenue |
    +----------------+-------------+
    | United Kingdom | 15.3000     |
    +----------------+-------------+
    1 row
    dropped gold.best
    prepared large
    +----------------+
    | country        |
    +----------------+
    | United Kingdom |
    +----------------+
    1 row
    datafusion.execution.batch_size is 1024
    +---+---+
    | a | b |
    +---+---+
    | ; | ' |
    +---+---+
    1 row
    ");
    let programs =
        "create view v as select 1 as one;\n\\timing\nselect one from v;\n\\format json\nselect one from v";
    assert!(answer(&fresh, &["--format", "csv"], programs).starts_with("one\n1\n[{\"one\":1}]\n"));
    assert_eq!(answer(&fresh, &[], " ;; -- nothing\n;\n"), "");
    assert_eq!(
        answer(&fresh, &["--format", "csv", "-c", "select 1 as a; select 2 as b"], ""),
        "a\n1\nb\n2\n"
    );
}

#[test]
fn what_users_of_delta_expect_is_understood() {
    let fresh = published();
    for text in [
        "describe history gold.rfm",
        "select count(*) from gold.rfm version as of 0",
        "show tables",
        "describe gold.rfm",
        "explain analyze select count(*) from gold.rfm",
    ] {
        answer(&fresh, &[], text);
    }
    let text = "select count(*) from gold.rfm version as of 0; show tables";
    assert!(!answer(&fresh, &[], text).contains('@'));
}

#[test]
fn the_first_error_ends_it_and_shows_its_place() {
    let fresh = published();
    let output = piped(&fresh, &["--format", "csv"], "select 1 as a;\nselect nope\nfrom gold.rfm;\nselect 2");
    let (out, err) = said(&output);
    assert_eq!((out.as_str(), output.status.code()), ("a\n1\n", Some(2)));
    let place = "  at line 2\n     2 | select nope\n       |        ^\n";
    assert!(err.starts_with("error: no field named nope\n") && err.contains(place), "{err}");
    for (text, line, caret) in [
        ("select 1;\nselct 2", "2 | selct 2", "^"),
        ("select count(*)\nfrom gold.rmf;", "2 | from gold.rmf", "     ^"),
        ("select\n  1 +", "2 |   1 +", "     ^"),
        ("select 1;\nselect 'a;\n", "2 | select 'a;", "       ^"),
        ("select cast('abc' as int)", "1 | select cast('abc' as int)", "             ^"),
        ("select\n nope from gold.rfm version as of 0", "2 |  nope from gold.rfm version as of 0", " ^"),
        (
            "select 1 from gold.rfm version as of 0 wher a = 1",
            "1 | select 1 from gold.rfm version as of 0 wher a = 1",
            "                                            ^",
        ),
    ] {
        let (err, code) = refusal(&fresh, &[], text);
        assert!(err.contains(&format!("{line}\n       | {caret}\n")), "{err}");
        assert_eq!(code, 2);
    }
    fresh.write("q.sql", "-- two\nselect 1;\n\nselect x from gold.rfm;\n");
    let (err, _) = refusal(&fresh, &["--file", "q.sql"], "");
    assert!(err.contains("  at q.sql:4\n     4 | select x from gold.rfm\n"), "{err}");
}

/// Every file below a folder, and its content.
fn files(fresh: &Fresh, folder: &str) -> Vec<(String, Vec<u8>)> {
    let paths =
        glob::glob(&format!("{}/**/*", fresh.path().join(folder).display())).unwrap().map(Result::unwrap);
    let paths = paths.filter(|path| path.is_file());
    paths.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn nothing_in_the_lake_can_be_changed() {
    let fresh = published();
    let before = files(&fresh, "lakehouse");
    for text in [
        "insert into gold.rfm select * from gold.rfm",
        "explain analyze insert into gold.rfm select * from gold.rfm",
        "prepare p as insert into gold.rfm select * from gold.rfm; execute p",
        "delete from gold.rfm",
        "update gold.rfm set segment = 'x'",
        "truncate table gold.rfm",
        "create table x as select 1 as a",
        "create schema x",
        "drop table gold.rfm",
        "drop view if exists gold.rfm",
        "create or replace view gold.rfm as select 1 as a",
        "create view rfm as select 1 as a",
        "create external table gold.rfm stored as csv location 'x.csv'",
        "create view v as select 1 as a; create view v as select 2 as a",
        "drop view v",
        "copy (select 1 as a) to 'lakehouse/x.csv'",
        "copy (select 1 as a) to 'gold/../lakehouse/gold/rfm/x.parquet'",
        "\\o lakehouse/gold/rfm/_delta_log/00000000000000000000.json\nselect 1 as a",
    ] {
        let (err, code) = refusal(&fresh, &[], text);
        assert_eq!(code, 2, "{text}: {err}");
        assert!(!err.contains("the query fails"), "{text}: {err}");
    }
    assert!(files(&fresh, "lakehouse") == before);
}

#[test]
fn answers_are_copied_to_files_that_can_be_asked() {
    let fresh = published();
    for format in ["csv", "json", "parquet"] {
        let text = format!(
            "copy (select country, orders from gold.country_sales) to 'out/x.{format}';\n\
             create external table copied stored as {format} location 'out/x.{format}';\n\
             select sum(orders) as n from copied;\n\
             drop table copied;"
        );
        assert_eq!(answer(&fresh, &["--format", "csv"], &text), "count\n2\nn\n2\n", "{format}");
    }
}

#[test]
fn results_go_where_they_are_sent() {
    let fresh = published();
    let text = "\\o x.csv\nselect 1 as a; select 2 as b;\n\\o 'y.json'\nselect 3 as c;\n\\o\nselect 4 as d;";
    let out = answer(&fresh, &[], text);
    assert!(out.starts_with("1 row to x.csv\n1 row to x.csv\n1 row to y.json\n+---+\n"), "{out}");
    let read = |name: &str| std::fs::read_to_string(fresh.path().join(name)).unwrap();
    assert_eq!((read("x.csv").as_str(), read("y.json").as_str()), ("a\n1\nb\n2\n", "[{\"c\":3}]\n"));
    let (err, code) = refusal(&fresh, &[], "\\o z.parquet\nselect 1 as a; select 2 as a;");
    assert!(err.contains("a Parquet file holds one result") && code == 2, "{err}");
    assert!(!fresh.path().join("z.parquet").exists());
}

#[test]
fn files_and_analyses_are_read() {
    let fresh = published();
    fresh.write("a.sql", "select 1 as a;\n\\i b.sql\n\\q\nselect nope;");
    fresh.write("b.sql", "\u{feff}select 2 as b");
    let text = "\\i a.sql\n\\i top_countries\nselect 3 as c";
    let out = answer(&fresh, &["--format", "csv"], text);
    assert!(out.starts_with("a\n1\nb\n2\nrevenue_rank,") && out.ends_with("c\n3\n"), "{out}");
    fresh.write("c.sql", "\\i d.sql\n");
    fresh.write("d.sql", "\n\\i ./c.sql\n");
    let (err, code) = refusal(&fresh, &[], "\\i c.sql");
    let places = "  at d.sql:2\n  at c.sql:1\n  at line 1\n";
    assert!(err.starts_with("error: `./c.sql` is being read already\n") && err.contains(places), "{err}");
    assert_eq!(code, 2);
    let (err, _) = refusal(&fresh, &[], "\\i top_countrys");
    assert!(
        err.contains("no analysis of that name") && err.contains("did you mean `top_countries`?"),
        "{err}"
    );
}

#[test]
fn the_lake_is_seen_as_it_was_with_what_the_session_named() {
    let fresh = published();
    let newest = "select max(run_id) as r from ops.publications";
    let run = answer(&fresh, &["--format", "csv"], newest).lines().nth(1).unwrap().to_string();
    fresh.land("b.csv", format!("{HEADER}536367,71053,LANTERN,3,12/3/2010 8:28,3.39,,Norway\n"));
    assert!(fresh.command(&["run"]).status.success());
    let count = "select n from v;";
    let text = format!(
        "create view v as select count(*) as n from silver.transactions;{count}\n\
         \\as-of {run}\n{count}\n\\refresh\n{count}\n\\as-of\n{count}"
    );
    assert_eq!(answer(&fresh, &["--format", "csv"], &text), "n\n3\nn\n2\nn\n2\nn\n3\n");
    let count = "select count(*) as n from silver.transactions";
    assert_eq!(answer(&fresh, &["--format", "csv", "--as-of", &run], count), "n\n2\n");
}

#[test]
fn tables_are_described() {
    let fresh = published();
    let told = answer(&fresh, &[], "\\d gold.rfm");
    for part in
        ["gold.rfm: Recency, ", " customer_id ", "key 1", "scores_are_one_to_five", "version 0: 1 row, "]
    {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(told.contains("made by sql/gold/rfm.sql"), "{told}");
    assert!(answer(&fresh, &[], "\\d country_sales").starts_with("gold.country_sales: "));
    assert!(answer(&fresh, &[], "\\d silver.country_names").contains("column"));
    assert!(answer(&fresh, &[], "\\d ops.runs").contains("started_at"));
    let listed = answer(&fresh, &[], "create view v as select 1 as one;\n\\dt gold.*\n\\d v");
    assert!(listed.contains(" gold.daily_sales ") && !listed.contains(" silver."), "{listed}");
    assert!(listed.contains("a view of this session") && listed.contains(" one "), "{listed}");
    assert!(answer(&fresh, &[], "\\history gold.rfm").contains("is_published"));
    let (err, code) = refusal(&fresh, &[], "\\d gold.rmf");
    assert!(err.contains("did you mean `gold.rfm`?") && code == 2, "{err}");
    assert!(answer(&fresh, &[], "\\?").contains("\\as-of [RUN|DATE]"));
}

#[test]
fn the_age_of_data_stands_beside_what_is_promised() {
    let fresh = Fresh::new();
    let contract = std::fs::read_to_string(fresh.path().join("gold/daily_sales.toml")).unwrap();
    let expected = "freshness = { column = \"sale_date\", within = \"3 days\" }\nelse = \"warn\"\n";
    fresh.write("gold/daily_sales.toml", format!("{contract}\n[expect.is_fresh]\n{expected}"));
    assert!(answer(&fresh, &[], "\\d gold.daily_sales").ends_with("builds it\n"));
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    assert!(fresh.command(&["run"]).status.success());
    let told = answer(&fresh, &[], "\\d gold.daily_sales");
    assert!(told.contains("is_fresh") && told.contains("at most 3 days old"), "{told}");
    let age = told.lines().last().unwrap();
    let (newest, promised) =
        ("the newest sale_date is 2010-12-02 00:00:00: ", " days old; promised is at most 3 days");
    assert!(age.starts_with(newest) && age.ends_with(promised), "{age}");
}

#[test]
fn a_lake_without_tables_can_be_looked_at() {
    let fresh = Fresh::new();
    assert!(answer(&fresh, &[], "\\d").contains("not built yet"));
    assert!(answer(&fresh, &[], "\\d gold.rfm").contains("not built yet; `lake run` builds it"));
    let (err, code) = refusal(&fresh, &[], "select * from gold.rfm");
    assert!(err.starts_with("error: `gold.rfm` has not been built yet\n") && code == 2, "{err}");
}

#[test]
fn a_line_of_ten_megabytes_is_read() {
    let fresh = Fresh::new();
    let text = format!("select length('{}') as n;", "x;".repeat(5 << 20));
    assert_eq!(answer(&fresh, &["--format", "csv"], &text), "n\n10485760\n");
}

#[test]
fn a_statement_may_be_deep_and_not_bottomless() {
    let fresh = Fresh::new();
    let sum = |terms: usize| format!("select {}1 as n;", "1 + ".repeat(terms));
    // Planning takes the square of the length.
    let long = Cases::asked().of(1_000, 4_000);
    let answered = format!("n\n{}\n", long + 1);
    assert_eq!(answer(&fresh, &["--format", "csv"], &sum(long)), answered);
    let (err, code) = refusal(&fresh, &[], &sum(100_000));
    assert!(err.starts_with("error: the statement is a chain of more than 10000 operators\n"), "{err}");
    assert_eq!(code, 2);
    // A question on the command line is bounded alike.
    let asked = |terms: usize| fresh.command(&["sql", "--format", "csv", sum(terms).trim_end_matches(';')]);
    assert_eq!(said(&asked(long)).0, answered);
    assert_eq!(asked(20_000).status.code(), Some(2));
}

#[test]
fn a_reader_that_leaves_the_shell_is_no_error() {
    let fresh = Fresh::new();
    let script = format!(
        "echo 'select * from generate_series(1, 1000000); select 1' | {} shell --format csv | head -n 1; \
         exit ${{PIPESTATUS[1]}}",
        env!("CARGO_BIN_EXE_lake")
    );
    let output = command(&fresh, "bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{:?}", said(&output));
}

/// A shell on a terminal of its own.
#[cfg(target_os = "linux")]
mod terminal {
    use std::io::{Read, Write};
    use std::process::{Child, ChildStdin, ExitStatus, Stdio};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::{Duration, Instant};

    use crate::support::Fresh;

    pub struct Terminal {
        child: Child,
        keys: ChildStdin,
        shown: Receiver<Vec<u8>>,
        /// What has been shown and not been waited for yet.
        seen: String,
    }

    impl Terminal {
        /// A shell that keeps its history in the project's folder; none where no terminal can be made.
        pub fn open(fresh: &Fresh) -> Option<Terminal> {
            // Between `script` and the program stands no shell that a signal would end.
            let shell = format!("exec {} shell", env!("CARGO_BIN_EXE_lake"));
            let mut script = super::command(fresh, "script");
            script.args(["-qec", &shell, "/dev/null"]).env("TERM", "xterm");
            script.env("XDG_STATE_HOME", fresh.path().join("state")).env("HOME", fresh.path());
            script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let Ok(mut child) = script.spawn() else {
                eprintln!("DID NOT RUN: no terminal can be made without `script`");
                return None;
            };
            let (keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let (sender, shown) = channel();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = screen.read(&mut bytes) {
                    let _ = sender.send(bytes[..count].to_vec());
                }
            });
            Some(Terminal { child, keys, shown, seen: String::new() })
        }

        pub fn press(&mut self, keys: &str) {
            self.keys.write_all(keys.as_bytes()).unwrap();
            self.keys.flush().unwrap();
        }

        /// Waits until a text is shown behind the one that was waited for before.
        pub fn wait_for(&mut self, text: &str) {
            let begun = Instant::now();
            loop {
                if let Some(at) = self.seen.find(text) {
                    self.seen.drain(..at + text.len());
                    return;
                }
                let left = Duration::from_secs(60).saturating_sub(begun.elapsed());
                match self.shown.recv_timeout(left) {
                    Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                    Err(_) => panic!("no {text:?} in {:?}", self.seen),
                }
            }
        }

        /// Waits until the shell has ended.
        pub fn end(mut self) -> ExitStatus {
            self.child.wait().unwrap()
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_goes_on_after_errors_and_stopped_statements() {
    let fresh = Fresh::new();
    let Some(mut terminal) = terminal::Terminal::open(&fresh) else { return };
    terminal.wait_for("\\? for help");
    terminal.wait_for("lake> ");
    terminal.press("selct 1;\r");
    terminal.wait_for("the SQL cannot be read");
    terminal.wait_for("lake> ");
    terminal.press("select 41\r");
    terminal.wait_for("   -> ");
    terminal.press("+ 1 as answer;\r");
    terminal.wait_for("| 42 ");
    terminal.wait_for("lake> ");
    // None of the threads that are at this one pauses.
    terminal.press("select 1 from range(1000000) a, range(1000000) b where a.value*b.value<0;\r");
    // What is pressed before the statement begins would only clear the line.
    terminal.wait_for("\n");
    std::thread::sleep(std::time::Duration::from_millis(500));
    terminal.press("\u{3}");
    terminal.wait_for("stopped");
    terminal.wait_for("lake> ");
    terminal.press("\\q\r");
    let ended = terminal.end();
    assert!(ended.success(), "{ended}");
    let history = std::fs::read_to_string(fresh.path().join("state/lake/shell_history")).unwrap();
    assert!(history.contains("select 41\\n+ 1 as answer;\n"), "{history}");
}
