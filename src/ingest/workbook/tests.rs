//! Proves what cells, sheets and rows become.

use std::path::PathBuf;

use datafusion::arrow::array::Array;
use rust_xlsxwriter::{ExcelDateTime as Moment, Format, Formula, Workbook};

use super::*;
use crate::ingest::header::Field;

fn layout() -> Layout {
    Layout::new(vec![Field::new("a", &["A"]), Field::new("b", &["B"]), Field::new("c", &["C"])])
}

fn saved(folder: &tempfile::TempDir, mut book: Workbook) -> PathBuf {
    let path = folder.path().join("book.xlsx");
    book.save(&path).unwrap();
    path
}

/// Each row as `line: a|b|c` with `-` for NULL, a rescued one as `line! text`.
fn rows(path: &Path, sheet: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let read = read(path, "book.xlsx", sheet, &layout(), &mut |chunk| {
        for row in 0..chunk.rows() {
            let line = chunk.source_line.value(row);
            if chunk.rescued.is_valid(row) {
                assert!(chunk.columns.iter().all(|column| column.is_null(row)));
                rows.push(format!("{line}! {}", chunk.rescued.value(row)));
                continue;
            }
            let fields =
                chunk.columns.iter().map(|column| if column.is_null(row) { "-" } else { column.value(row) });
            rows.push(format!("{line}: {}", fields.collect::<Vec<_>>().join("|")));
        }
        Ok(())
    });
    assert_eq!(read.unwrap() as usize, rows.len());
    rows
}

#[test]
fn cells_are_the_text_of_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Workbook::new();
    let dates = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let durations = Format::new().set_num_format("[h]:mm:ss");
    let sheet = book.add_worksheet();
    sheet.write_row(2, 1, ["C", "a ", "b"]).unwrap();
    sheet.write_row(3, 1, [6.0, 2.55, -0.0]).unwrap();
    sheet.write_row(4, 1, [1e21, 1e-7, 0.1 + 0.2]).unwrap();
    sheet.write(6, 1, true).unwrap().write(6, 2, " text ").unwrap();
    let formula = Formula::new("=NA()").set_result("#N/A");
    sheet.write(7, 1, formula).unwrap().write(7, 2, false).unwrap().write(7, 3, 536365).unwrap();
    let moment = Moment::from_ymd(2010, 12, 1).unwrap().and_hms(8, 26, 0).unwrap();
    sheet.write_with_format(8, 1, &moment, &dates).unwrap();
    sheet.write_with_format(8, 2, 40_513.999_999_9, &dates).unwrap();
    sheet.write_with_format(8, 3, 1.5, &durations).unwrap();
    let path = saved(&folder, book);
    assert_eq!(
        rows(&path, "Sheet1"),
        [
            "4: 2.55|0|6",
            "5: 0.0000001|0.30000000000000004|1000000000000000000000",
            "7:  text |-|TRUE",
            "8: FALSE|536365|#N/A",
            "9: 2010-12-02 00:00:00|36:00:00|2010-12-01 08:26:00",
        ]
    );
}

#[test]
fn dates_are_rounded_to_the_second() {
    for (days, text) in [
        (40_513.351_388_888_9, "2010-12-01 08:26:00"),
        (40_513.351_388_5, "2010-12-01 08:26:00"),
        (40_513.351_394_7, "2010-12-01 08:26:01"),
        (40_543.999_999, "2011-01-01 00:00:00"),
        (1.0, "1900-01-01 00:00:00"),
    ] {
        assert_eq!(instant(days, false), text, "{days}");
    }
    assert_eq!(instant(0.0, true), "1904-01-01 00:00:00");
    assert_eq!(duration(-0.25), "-06:00:00");
}

#[test]
fn every_minute_of_a_year_is_that_minute() {
    for minute in 0..366 * 24 * 60_u32 {
        let text = instant(40_513.0 + f64::from(minute) / 1440.0, false);
        assert_eq!(text[11..], format!("{:02}:{:02}:00", minute / 60 % 24, minute % 60), "{minute}");
    }
}

#[test]
fn a_row_that_has_more_than_the_header_is_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["A", "B", "C"]).unwrap();
    sheet.write(1, 0, "1").unwrap().write(1, 4, "lost").unwrap();
    sheet.write(2, 0, "2").unwrap();
    sheet.write(1_048_575, 16_383, "far").unwrap();
    let rows = rows(&saved(&folder, book), "Sheet1");
    assert_eq!(rows[..2], ["2! 1\t\t\t\tlost", "3: 2|-|-"]);
    assert_eq!(rows[2], format!("1048576! {}far", "\t".repeat(16_383)));
}

#[test]
fn sheets_with_the_header_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Empty").unwrap();
    book.add_worksheet().set_name("Notes").unwrap().write(0, 0, "nothing").unwrap();
    for name in ["2009-2010", "2010-2011"] {
        book.add_worksheet().set_name(name).unwrap().write_row(0, 0, ["a", "b", "c"]).unwrap();
    }
    let path = saved(&folder, book);
    let choose = |wanted| choose(&path, "book.xlsx", &layout(), wanted);
    let all = choose(None).unwrap();
    assert_eq!((all.sheets, all.only), (vec!["2009-2010".to_owned(), "2010-2011".to_owned()], false));
    let one = choose(Some("2009-2010")).unwrap();
    assert_eq!((one.sheets, one.only), (vec!["2009-2010".to_owned()], false));
    assert_eq!(
        choose(Some("2010-2012")).unwrap_err().to_string(),
        "`book.xlsx` has no sheet `2010-2012`\n  sheets: `Empty`, `Notes`, `2009-2010`, `2010-2011`\n\
         hint: did you mean `book.xlsx!2010-2011`?"
    );
    assert_eq!(choose(Some("Empty")).unwrap_err().message(), "`book.xlsx!Empty` is empty");
    let error = choose(Some("notes")).unwrap_err();
    assert_eq!(error.message(), "`book.xlsx!Notes` does not have the expected columns");
    assert_eq!(rows(&path, "2009-2010"), [""; 0]);
}

#[test]
fn a_workbook_without_the_header_is_refused_with_its_sheets() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Notes").unwrap().write(0, 0, "nothing").unwrap();
    book.add_worksheet().set_name("More").unwrap().write_row(0, 0, ["A", "B"]).unwrap();
    let error = choose(&saved(&folder, book), "book.xlsx", &layout(), None).unwrap_err().to_string();
    assert!(
        error.starts_with("`book.xlsx!Notes` does not have the expected columns\n  found: `nothing`\n"),
        "{error}"
    );
    assert!(error.contains("\n  sheets: `Notes`, `More`\n"), "{error}");
}

#[test]
fn what_is_no_workbook_or_only_half_of_one_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Workbook::new();
    book.add_worksheet().write_row(0, 0, ["A", "B", "C"]).unwrap();
    let path = saved(&folder, book);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = choose(&path, "book.xlsx", &layout(), None).unwrap_err();
    assert_eq!(error.message(), "`book.xlsx` ends early: a part of it is missing");
    std::fs::write(&path, "A,B,C\n1,2,3\n").unwrap();
    let error = choose(&path, "book.xlsx", &layout(), None).unwrap_err();
    assert_eq!(error.message(), "`book.xlsx` is not a workbook");
}
