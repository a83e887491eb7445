//! The house rules that a compiler does not check.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with an extension, and its text.
fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let pattern = root().join(folder).join(format!("**/*.{extension}"));
    let paths = glob::glob(pattern.to_str().unwrap()).unwrap().map(Result::unwrap);
    paths
        .map(|path| (path.strip_prefix(root()).unwrap().into(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in
        files("src", "rs").iter().chain(&files("crates", "rs")).chain(&files("tests/it", "rs"))
    {
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
    }
}

#[test]
fn no_file_has_two_rooms_in_it() {
    for (path, text) in files("src", "rs").iter().chain(&files("crates", "rs")) {
        let code =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        assert!(code <= 400, "{} has {code} lines of code", path.display());
    }
}

/// Rooms stand in `lib.rs` bottom first; a room imports only from those above it in the list.
#[test]
fn imports_go_down_only() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let rooms: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let place = |room: &str| rooms.iter().position(|r| *r == room);
    for (path, text) in files("src", "rs") {
        let room = path.iter().nth(1).unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(own) = place(room) else { continue };
        for used in text.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            if let Some(used_place) = place(used) {
                assert!(
                    used_place <= own,
                    "{} imports `{used}`, which stands above `{room}`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let main = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for (path, _) in files("tests/it", "rs") {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            stem == "main" || main.contains(&format!("mod {stem};")),
            "{} is not declared",
            path.display()
        );
    }
    for (path, text) in files("src", "rs").iter().chain(&files("crates", "rs")) {
        if path.ends_with("tests.rs") {
            let parent = path.parent().unwrap();
            let module = [parent.with_extension("rs"), parent.join("mod.rs"), parent.join("lib.rs")];
            let declared = module.iter().any(|m| {
                std::fs::read_to_string(root().join(m)).is_ok_and(|text| text.contains("mod tests;"))
            });
            assert!(declared, "{} is not declared", path.display());
            assert!(
                text.contains("#[test]") || text.contains("#[tokio::test"),
                "{} tests nothing",
                path.display()
            );
        }
    }
}

#[test]
fn sql_knows_no_clock_no_chance_and_no_guess() {
    for (path, text) in files("sql", "sql") {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        for word in ["now(", "current_date", "current_timestamp", "random(", "uuid(", "approx_"] {
            assert!(!code.contains(word), "{} uses {word}", path.display());
        }
        assert!(text.starts_with("-- "), "{} does not say what it is", path.display());
    }
}

#[test]
fn gold_does_not_read_bronze() {
    for (path, text) in files("sql/gold", "sql") {
        assert!(!text.contains("bronze."), "{} reads bronze", path.display());
    }
}
