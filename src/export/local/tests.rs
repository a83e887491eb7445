//! Proves that an export is there whole or not at all, and that nothing that is not an export of ours goes.

use super::super::manifest::{ExportedFile, ExportedTable};
use super::*;
use crate::config::ExportFormat;
use crate::error::Kind;

const RUN: &str = "01a1ff43-8b5d-7fe1-822c-c010e1d4ff2f";
const LATER: &str = "01a1ff44-8b5d-7fe1-822c-c010e1d4ff2f";

/// Writes an export of one file that holds `content`.
fn fill(folder: &Path, content: &str) {
    let (path, sha256) = ("gold/a.csv".to_string(), String::new());
    let file = ExportedFile { path, rows: 1, bytes: content.len() as u64, sha256 };
    let mut manifest = Manifest::new(RUN.into(), String::new(), ExportFormat::Csv);
    manifest.tables.push(ExportedTable {
        table: "gold.a".into(),
        doc: String::new(),
        grain: String::new(),
        key: Vec::new(),
        partition_by: Vec::new(),
        rows: 1,
        columns: Vec::new(),
        files: vec![file],
    });
    std::fs::create_dir_all(folder.join("gold")).unwrap();
    std::fs::write(folder.join("gold/a.csv"), content).unwrap();
    std::fs::write(folder.join(MANIFEST), manifest.text().unwrap()).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(place: &Local) -> String {
    std::fs::read_to_string(place.path().join("gold/a.csv")).unwrap()
}

#[test]
fn an_export_appears_whole_and_takes_the_place_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let place = Local::new(&folder.path().join("new/bi"), false).unwrap();
    let draft = place.begin(RUN).unwrap();
    fill(&draft.path, "first");
    assert!(!place.path().exists());
    place.put(&draft).unwrap();
    drop(draft);
    assert_eq!(read(&place), "first");
    let draft = place.begin(RUN).unwrap();
    fill(&draft.path, "second");
    assert_eq!(read(&place), "first");
    drop(draft);
    assert_eq!(names(&folder.path().join("new")), ["bi"]);
    let draft = place.begin(LATER).unwrap();
    fill(&draft.path, "third");
    place.put(&draft).unwrap();
    drop(draft);
    assert_eq!(read(&place), "third");
    assert_eq!(names(&folder.path().join("new")), ["bi"]);
}

#[test]
fn two_folders_exchange_their_names_with_and_without_the_help_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let (new, place) = (folder.path().join(".bi.x.tmp"), folder.path().join("bi"));
    fill(&new, "new");
    fill(&place, "old");
    let content = |path: &Path| std::fs::read_to_string(path.join("gold/a.csv")).unwrap();
    exchange(&new, &place).unwrap();
    assert_eq!((content(&new), content(&place)), ("old".into(), "new".into()));
    exchange_by_steps(&new, &place).unwrap();
    assert_eq!((content(&new), content(&place)), ("new".into(), "old".into()));
    assert_eq!(names(folder.path()), [".bi.x.tmp", "bi"]);
    std::fs::remove_dir_all(&new).unwrap();
    exchange(&new, &place).unwrap_err();
    assert_eq!(content(&place), "old");
}

#[test]
fn what_is_no_export_of_ours_stays() {
    let folder = tempfile::tempdir().unwrap();
    let place = Local::new(folder.path(), false).unwrap();
    place.check().unwrap();
    std::fs::write(folder.path().join(".DS_Store"), "").unwrap();
    place.check().unwrap();
    std::fs::write(folder.path().join(MANIFEST), "{\"name\": \"a web app\"}").unwrap();
    let error = place.check().unwrap_err();
    assert!(error.message().ends_with("it holds something and is no export of lake"), "{error}");
    fill(folder.path(), "ours");
    place.check().unwrap();
    std::fs::write(folder.path().join("gold/sales.pbix"), "a report").unwrap();
    let error = place.check().unwrap_err();
    let file = Path::new("gold").join("sales.pbix");
    assert!(error.message().contains(&format!("holds `{}`", file.display())), "{error}");
    let file = Local::new(&folder.path().join(".DS_Store"), false).unwrap();
    std::fs::remove_file(folder.path().join(MANIFEST)).unwrap();
    assert!(file.check().unwrap_err().message().ends_with("it is a file"));
    let workbook = Local::new(folder.path(), true).unwrap();
    assert!(workbook.check().unwrap_err().message().ends_with("it is a folder"));
}

#[test]
fn an_export_lies_in_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let outer = Local::new(&folder.path().join("bi"), false).unwrap();
    fill(outer.path(), "ours");
    for (below, is_workbook) in [("bi/gold/new", false), ("bi/a/b", false), ("bi/x.xlsx", true)] {
        let error = Local::new(&folder.path().join(below), is_workbook).unwrap().check().unwrap_err();
        let around = format!("it lies in the export `{}`", outer.path().display());
        assert!(error.message().ends_with(&around), "{error}");
    }
    Local::new(&folder.path().join("bi2"), false).unwrap().check().unwrap();
}

#[test]
fn a_file_that_came_meanwhile_keeps_the_folder_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let place = Local::new(&folder.path().join("bi"), false).unwrap();
    fill(place.path(), "first");
    let draft = place.begin(RUN).unwrap();
    fill(&draft.path, "second");
    std::fs::write(place.path().join("notes.txt"), "mine").unwrap();
    place.put(&draft).unwrap_err();
    drop(draft);
    assert_eq!(read(&place), "first");
    assert_eq!(names(folder.path()), ["bi"]);
}

#[cfg(unix)]
#[test]
fn what_the_dead_left_goes_and_the_living_are_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let place = Local::new(&folder.path().join("bi"), false).unwrap();
    fill(&folder.path().join(format!(".bi.{RUN}.tmp")), "half");
    fill(&folder.path().join(format!(".bi.{RUN}.old.tmp")), "half");
    std::fs::write(folder.path().join(".bi.notes.tmp"), "not ours").unwrap();
    let draft = place.begin(LATER).unwrap();
    assert_eq!(names(folder.path()), [format!(".bi.{LATER}.tmp"), ".bi.notes.tmp".into()]);
    for run in [RUN, LATER] {
        let Err(error) = place.begin(run) else { panic!("two exports at once") };
        assert_eq!(error.kind(), Kind::Conflict);
    }
    drop(draft);
    assert_eq!(names(folder.path()), [".bi.notes.tmp"]);
}
