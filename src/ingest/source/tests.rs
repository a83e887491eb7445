//! Proves the identity of content and the forms it may come in.

use std::io::Write;

use datafusion::arrow::array::Array;
use rust_xlsxwriter::Workbook;

use super::*;
use crate::ingest::discover::discover;
use crate::ingest::header::Field;

const TEXT: &[u8] = b"A,B\r\n1,2\r\n\xa3,4\r\n";
/// SHA-256 of [`TEXT`].
const HASH: &str = "6affa1ef77b0e0681a88abf3814080f58b93ca4c1731d22953de3d1a9e55637c";

fn layout() -> Layout {
    Layout::new(vec![Field::new("a", &["A"]), Field::new("b", &["B"])])
}

fn zip(path: &Path, member: &str, bytes: &[u8]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    archive.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A workbook whose sheets have the header and one row that names them; one sheet `Notes` has neither.
fn book(sheets: &[&str]) -> Vec<u8> {
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Notes").unwrap().write(0, 0, "nothing").unwrap();
    for name in sheets {
        let sheet = book.add_worksheet().set_name(*name).unwrap();
        sheet.write_row(0, 0, ["A", "B"]).unwrap().write_row(1, 0, [*name, "2"]).unwrap();
    }
    book.save_to_buffer().unwrap()
}

fn sources(location: &str) -> Result<Vec<Source>> {
    Ok(discover(location)?.iter().map(|found| found.sources(&layout())).collect::<Result<Vec<_>>>()?.concat())
}

/// The sources at a location, as (name without the folder, identity).
fn identities(folder: &Path, location: &str) -> Vec<(String, String)> {
    let root = format!("{}/", folder.display());
    let found = sources(&format!("{root}{location}")).unwrap();
    found.iter().map(|source| (source.name.replace(&root, ""), source.sha256().unwrap())).collect()
}

fn first_column(source: &Source) -> Vec<String> {
    let mut values = Vec::new();
    let rows = source.read(&layout(), &mut |chunk| {
        assert_eq!(chunk.rescued.null_count(), chunk.rows());
        values.extend(chunk.columns[0].iter().flatten().map(str::to_owned));
        Ok(())
    });
    assert_eq!(rows.unwrap(), values.len() as u64);
    values
}

#[test]
fn identity_is_of_the_content_and_not_of_its_packing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.csv"), TEXT).unwrap();
    std::fs::write(path("b.csv.gz"), gzip(TEXT)).unwrap();
    std::fs::write(path("c.csv.zst"), zstd::encode_all(TEXT, 1).unwrap()).unwrap();
    zip(&path("d.zip"), "x.csv", TEXT);
    zip(&path("e.zip"), "in/x.csv.gz", &gzip(TEXT));
    let found = sources(&folder.path().display().to_string()).unwrap();
    assert_eq!(found.len(), 5);
    for source in &found {
        assert_eq!(source.sha256().unwrap(), HASH, "{}", source.name);
        assert_eq!(first_column(source), ["1", "£"], "{}", source.name);
    }
    let named = [("d.zip!x.csv".to_owned(), HASH.to_owned())];
    assert_eq!(identities(folder.path(), "d.zip!x.csv"), named);
    assert_eq!(identities(folder.path(), "e.zip!x.csv.gz")[0].1, HASH);
}

#[test]
fn one_sheet_is_the_workbook() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = book(&["Data"]);
    std::fs::write(folder.path().join("book.xlsx"), &bytes).unwrap();
    zip(&folder.path().join("book.zip"), "in/book.xlsx", &bytes);
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    for (location, name) in [
        ("book.xlsx", "book.xlsx"),
        ("book.xlsx!Data", "book.xlsx!Data"),
        ("book.zip", "book.zip"),
        ("book.zip!in/book.xlsx", "book.zip!in/book.xlsx"),
        ("book.zip!book.xlsx!data", "book.zip!book.xlsx!data"),
    ] {
        assert_eq!(identities(folder.path(), location), [(name.to_owned(), hash.clone())]);
        let found = sources(&folder.path().join(location).display().to_string()).unwrap();
        assert_eq!(first_column(&found[0]), ["Data"]);
    }
}

#[test]
fn several_sheets_are_sources_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = book(&["Year 1", "Year 2"]);
    std::fs::write(folder.path().join("book.xlsx"), &bytes).unwrap();
    zip(&folder.path().join("book.zip"), "book.xlsx", &bytes);
    let hash = |sheet: &str| -> String {
        let digest = Sha256::digest([&bytes[..], b"!", sheet.as_bytes()].concat());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for (location, prefix) in [("book.xlsx", "book.xlsx"), ("book.zip", "book.zip!book.xlsx")] {
        let expected = ["Year 1", "Year 2"].map(|sheet| (format!("{prefix}!{sheet}"), hash(sheet)));
        assert_eq!(identities(folder.path(), location), expected);
        assert_eq!(identities(folder.path(), &format!("{prefix}!Year 2")), expected[1..]);
    }
    let found = sources(&folder.path().join("book.xlsx").display().to_string()).unwrap();
    assert_eq!(found.iter().flat_map(first_column).collect::<Vec<_>>(), ["Year 1", "Year 2"]);
}

#[test]
fn a_file_that_went_away_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, TEXT).unwrap();
    let source = sources(path.to_str().unwrap()).unwrap().remove(0);
    std::fs::remove_file(&path).unwrap();
    let error = source.sha256().unwrap_err().to_string();
    assert_eq!(error, format!("cannot open `{}`: there is no such file or folder", path.display()));
}

#[test]
fn a_download_keeps_its_address_as_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, TEXT).unwrap();
    let found = Delivery::file("https://example.org/a", &path).unwrap();
    assert_eq!(found.sources(&layout()).unwrap()[0].name, "https://example.org/a");
}

#[test]
fn sources_can_be_handed_to_threads() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Source>();
    check::<Delivery>();
}
