//! Proves which files a location means.

use super::*;

fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    folder
}

/// The names found at `location` in `folder`, without the folder.
fn names(folder: &Path, location: &str) -> Vec<String> {
    let root = format!("{}/", folder.display());
    let found = discover(&format!("{root}{location}")).unwrap();
    found.into_iter().map(|delivery| delivery.name.strip_prefix(&root).unwrap().to_owned()).collect()
}

fn error(folder: &Path, location: &str) -> String {
    let root = format!("{}/", folder.display());
    discover(&format!("{root}{location}")).unwrap_err().to_string().replace(&root, "")
}

#[test]
fn a_folder_gives_its_readable_files_in_natural_order() {
    let folder = folder(&[
        "in/f10.csv",
        "in/f2.csv",
        "in/F1.CSV",
        "in/b.csv.gz",
        "in/c.csv.zst",
        "in/d.xlsx",
        "in/e.zip",
        "in/.hidden.csv",
        "in/~$d.xlsx",
        "in/f3.csv.tmp",
        "in/f4.csv.part",
        "in/readme.md",
        "in/deeper/g.csv",
        "in/folder.csv/h.csv",
    ]);
    let expected = ["F1.CSV", "b.csv.gz", "c.csv.zst", "d.xlsx", "e.zip", "f2.csv", "f10.csv"];
    assert_eq!(names(folder.path(), "in"), expected.map(|name| format!("in/{name}")));
    assert_eq!(names(folder.path(), "in/"), names(folder.path(), "in"));
}

#[test]
fn what_is_passed_over_is_known_by_name() {
    let folder = folder(&["in/a.csv", "in/b.txt", "in/a.md", "in/.hidden", "in/~$d.xlsx", "in/deeper/c.txt"]);
    assert_eq!(passed_over(&folder.path().join("in")).unwrap(), ["a.md", "b.txt"]);
}

#[test]
fn an_empty_folder_gives_nothing() {
    assert_eq!(discover(&folder(&[]).path().display().to_string()).unwrap(), []);
}

#[test]
fn a_file_is_called_as_it_was_asked_for() {
    let folder = folder(&["a b.csv", "!.csv", "[x].csv"]);
    for name in ["a b.csv", "!.csv", "[x].csv"] {
        assert_eq!(names(folder.path(), name), [name]);
    }
    let delivery = discover(&format!("{}//a b.csv", folder.path().display())).unwrap().remove(0);
    assert!(delivery.name.ends_with("//a b.csv"));
    assert_eq!((delivery.size_bytes, delivery.form), (1, Form::Csv));
}

#[test]
fn a_pattern_gives_the_readable_files_that_match() {
    let folder = folder(&["in/2.csv", "in/10.csv", "in/.3.csv", "in/4.txt", "in/a/5.csv"]);
    assert_eq!(names(folder.path(), "in/*"), ["in/2.csv", "in/10.csv"]);
    assert_eq!(names(folder.path(), "in/[0-9].csv"), ["in/2.csv"]);
    assert_eq!(names(folder.path(), "**/?.csv"), ["in/2.csv", "in/a/5.csv"]);
    assert_eq!(
        error(folder.path(), "in/*.txt"),
        "no file matches `in/*.txt`\n  passed over: `in/4.txt`\nhint: a readable file's name ends in `.csv`, \
         `.csv.gz`, `.csv.zst`, `.xlsx` or `.zip`"
    );
    assert!(error(folder.path(), "in/*.xlsx").starts_with("no file matches `in/*.xlsx`\nhint: "));
    assert!(error(folder.path(), "in/[a").starts_with("`in/[a` is not a pattern: "));
}

#[test]
fn a_relative_path_stays_relative() {
    assert_eq!(as_typed("./x/*", "x/a.csv".into()), Path::new("./x/a.csv"));
    assert_eq!(as_typed("x/*", "x/a.csv".into()), Path::new("x/a.csv"));
}

#[test]
fn a_missing_file_is_told_with_its_nearest_neighbour() {
    let folder = folder(&["in/sales.csv", "in/archive.zip"]);
    assert_eq!(
        error(folder.path(), "in/sale.csv"),
        "there is no file or folder `in/sale.csv`\nhint: did you mean `in/sales.csv`?"
    );
    assert_eq!(
        error(folder.path(), "in/archiv.zip!x.csv"),
        "there is no file or folder `in/archiv.zip`\nhint: did you mean `in/archive.zip`?"
    );
    let text = error(folder.path(), "on/sales.csv");
    assert!(text.starts_with("there is no file or folder `on/sales.csv`\n  the folder `"), "{text}");
    assert!(discover("").unwrap_err().message().contains("empty"));
}

#[test]
fn a_file_of_another_kind_is_refused_when_it_is_asked_for() {
    let folder = folder(&["notes.txt"]);
    let text = error(folder.path(), "notes.txt");
    assert!(text.starts_with("`notes.txt` is not a file of a kind that can be read\nhint: "), "{text}");
}

#[test]
fn the_inside_of_a_file_follows_the_first_mark() {
    let folder = folder(&["a!b.zip", "book.xlsx"]);
    assert_eq!(names(folder.path(), "a!b.zip!in/x.csv"), ["a!b.zip!in/x.csv"]);
    assert_eq!(names(folder.path(), "book.xlsx!Year 2010!"), ["book.xlsx!Year 2010!"]);
    assert!(error(folder.path(), "book.xlsx!").starts_with("nothing is named after the `!` of `book.xlsx!`"));
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_told_of() {
    let folder = folder(&["in/a.csv"]);
    std::os::unix::fs::symlink("gone.csv", folder.path().join("in/b.csv")).unwrap();
    assert!(error(folder.path(), "in").starts_with("cannot read `in/b.csv`: there is no such file"));
}

#[test]
fn equal_names_in_natural_order_are_ordered_by_their_letters() {
    let mut names = ["a 1", "a1", "a01", "a2", "a 01"].map(|name| Natural(name.to_owned()));
    names.sort();
    assert_eq!(names.map(|name| name.0), ["a 01", "a01", "a 1", "a1", "a2"]);
}
