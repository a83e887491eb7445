//! The museum of bad input: each folder of `tests/bad` is a mistake, with the answer it must get.
//!
//! `command` holds the arguments of `lake`; `files/` is laid over a fresh project; `answer` is what the
//! program says and the code it exits with. `BLESS=1` writes the answers anew.

use std::path::{Path, PathBuf};

use crate::support::{Fresh, said};

fn museum() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

/// What the program answers to a mistake, with the places of this machine taken out.
fn answer(case: &Path) -> String {
    let fresh = Fresh::new();
    let files = case.join("files");
    for path in glob::glob(&format!("{}/**/*", files.display())).unwrap().map(Result::unwrap) {
        if path.is_file() {
            let name = path.strip_prefix(&files).unwrap().to_str().unwrap();
            fresh.write(name, std::fs::read(&path).unwrap());
        }
    }
    let command = std::fs::read_to_string(case.join("command")).unwrap();
    let args: Vec<&str> = command.trim().split('|').map(str::trim).collect();
    let output = fresh.command(&args);
    let (out, err) = said(&output);
    let folder = fresh.path().display().to_string();
    let text = format!("{out}{err}exit code {}\n", output.status.code().unwrap());
    let lines = text.lines().map(|line| match line.split_once(" rows in ") {
        Some((rows, _)) => format!("{rows} rows in [TIME]\n"),
        None => format!("{line}\n"),
    });
    lines.collect::<String>().replace(&folder, "[DIR]")
}

#[test]
fn every_mistake_gets_its_answer() {
    let mut wrong = Vec::new();
    let mut cases: Vec<PathBuf> = std::fs::read_dir(museum()).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 20, "the museum has lost rooms");
    for case in cases {
        let (is, path) = (answer(&case), case.join("answer"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &is).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if is != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- is\n{is}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_answer_shows_the_inside_of_the_program() {
    for path in glob::glob(&format!("{}/*/answer", museum().display())).unwrap().map(Result::unwrap) {
        let text = std::fs::read_to_string(&path).unwrap();
        for inside in ["panicked", "backtrace", "Error {", "Some(", "DataFusionError", "unwrap"] {
            assert!(!text.contains(inside), "{} shows {inside}", path.display());
        }
    }
}
