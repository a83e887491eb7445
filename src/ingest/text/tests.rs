//! Proves encodings, quotes, physical lines and rescue.

use datafusion::arrow::array::{Array, StringArray};

use super::*;
use crate::ingest::header::Field;

fn layout() -> Layout {
    Layout::new(vec![Field::new("a", &["A"]), Field::new("b", &["B"]), Field::new("c", &["C"])])
}

/// Each row as `line: a|b|c` with `-` for NULL, a rescued one as `line! text`.
fn rows_by(bytes: &[u8], chunk_bytes: usize) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    let failed = |error: &std::io::Error| Error::unavailable(error.to_string());
    let read = read(&mut { bytes }, "x.csv", &layout(), chunk_bytes, &failed, &mut |chunk| {
        rows.extend((0..chunk.rows()).map(|row| shown(&chunk, row)));
        Ok(())
    })?;
    assert_eq!(read as usize, rows.len());
    Ok(rows)
}

fn shown(chunk: &Chunk, row: usize) -> String {
    let value = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
    let line = chunk.source_line.value(row);
    if let Some(text) = value(&chunk.rescued) {
        assert!(chunk.columns.iter().all(|column| column.is_null(row)));
        return format!("{line}! {text}");
    }
    let fields: Vec<String> =
        chunk.columns.iter().map(|column| value(column).unwrap_or_else(|| "-".to_owned())).collect();
    format!("{line}: {}", fields.join("|"))
}

fn rows(bytes: &[u8]) -> Vec<String> {
    rows_by(bytes, CHUNK_BYTES).unwrap()
}

fn error(bytes: &[u8]) -> String {
    rows_by(bytes, CHUNK_BYTES).unwrap_err().to_string()
}

#[test]
fn fields_are_given_as_received_and_empty_ones_as_null() {
    assert_eq!(
        rows(b"A,B,C\r\n1, two ,\"a long \"\"quoted\"\" field\"\r\n,\"\",a long plain field\r\n"),
        ["2: 1| two |a long \"quoted\" field", "3: -|-|a long plain field"]
    );
}

#[test]
fn columns_follow_the_layout_and_not_the_file() {
    assert_eq!(rows(b"c;A;\"b\"\n1;2;3,0\n"), ["2: 2|3,0|1"]);
    assert_eq!(rows(b"C\tA\tB\n1\t2\t3;0\n"), ["2: 2|3;0|1"]);
}

#[test]
fn a_record_that_does_not_fit_is_kept_whole() {
    assert_eq!(
        rows(b"A,B,C\n1,2\n1,2,3,4\n   \n\"x\ny\",z\n1,2,3\n"),
        ["2! 1,2", "3! 1,2,3,4", "4!    ", "5! \"x\ny\",z", "7: 1|2|3"]
    );
    assert_eq!(rows(b"A,B,C\n1,\"2,3\n4,5,6\n"), ["2! 1,\"2,3", "3: 4|5|6"]);
}

#[test]
fn a_record_that_is_not_utf8_is_windows_1252_and_no_other_is() {
    let text = b"A,B,C\n\xc2\xa3 1,plain,3\n\xa3 1,\"\x80 \"\"quoted\"\" long\",3\n\xc2\xa32,\xe2\x82\xac,3\n\xa3,1\n";
    assert_eq!(rows(text), ["2: £ 1|plain|3", "3: £ 1|€ \"quoted\" long|3", "4: £2|€|3", "5! £,1"]);
}

#[test]
fn byte_order_marks_are_no_text() {
    assert_eq!(rows(b"\xef\xbb\xbfA,B,C\n\xc3\xa9,2,3"), ["2: é|2|3"]);
    let wide: Vec<u16> = "\u{feff}A;B;C\r\n£;€;𝄞\r\n".encode_utf16().collect();
    let (little, big): (Vec<u8>, Vec<u8>) = (
        wide.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        wide.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    );
    for chunk_bytes in 1..50 {
        assert_eq!(rows_by(&little, chunk_bytes).unwrap(), ["2: £|€|𝄞"]);
        assert_eq!(rows_by(&big, chunk_bytes).unwrap(), ["2: £|€|𝄞"]);
    }
}

#[test]
fn lone_carriage_returns_end_lines_when_the_header_has_no_line_feed() {
    assert_eq!(rows(b"A,B,C\r1,2,3\r\r\"4\n\",5,6"), ["2: 1|2|3", "4: 4\n|5|6"]);
    assert_eq!(rows(b"A,B,C\r\n1,\r,3\r\n"), ["2: 1|\r|3"]);
}

#[test]
fn blank_lines_before_the_header_are_counted() {
    assert_eq!(rows(b"\r\n  \r\nA,B,C\r\n\r\n1,2,3\r\n"), ["5: 1|2|3"]);
    assert_eq!(rows(b"\"A\n\",B,C\n1,2,3\n"), ["3: 1|2|3"]);
}

#[test]
fn a_header_alone_gives_no_rows() {
    for text in ["A,B,C", "A,B,C\n", "A,B,C\r", "A,B,C\r\n\r\n", "\"A\n\",B,C"] {
        assert_eq!(rows(text.as_bytes()), [""; 0], "{text:?}");
    }
}

#[test]
fn an_empty_file_is_an_error() {
    for text in ["", "\u{feff}", "\r\n \n\n", "\u{feff}\n"] {
        assert!(error(text.as_bytes()).starts_with("`x.csv` is empty\n"), "{text:?}");
    }
}

#[test]
fn a_header_that_is_not_known_is_an_error() {
    assert!(
        error(b"A,B\n1,2\n").starts_with("`x.csv` does not have the expected columns\n  found: `A`, `B`\n")
    );
    assert!(error(b"PK\x03\x04rest").starts_with("`x.csv` is not text but a zip archive or a workbook\n"));
}

#[test]
fn a_line_without_end_is_an_error_and_not_a_full_memory() {
    let mut text = b"A,B,C\n1,2,3\n".to_vec();
    for rest in [LINE_LIMIT_BYTES + 1, LINE_LIMIT_BYTES * 4] {
        text.resize(12 + rest, b'x');
        let too_long = "`x.csv` holds a line of more than 16 MiB\n  it starts on line";
        assert!(error(&text).starts_with(&format!("{too_long} 3\n")));
        assert!(error(&text[12..]).starts_with(&format!("{too_long} 1\n")));
    }
}

#[test]
fn an_error_of_the_receiver_ends_the_reading() {
    let failed = |error: &std::io::Error| Error::unavailable(error.to_string());
    let mut stop = |_| Err(Error::conflict("stop"));
    let result = read(&mut &b"A,B,C\n1,2,3\n"[..], "x.csv", &layout(), CHUNK_BYTES, &failed, &mut stop);
    assert_eq!(result.unwrap_err().message(), "stop");
}

#[test]
fn chunks_are_full_unless_their_text_is_long() {
    let failed = |error: &std::io::Error| Error::unavailable(error.to_string());
    let chunks_of = |line: &str, chunk_bytes: usize| {
        let text = format!("A,B,C\n{}", line.repeat(MAX_ROWS * 3));
        let mut chunks = Vec::new();
        read(&mut text.as_bytes(), "x.csv", &layout(), chunk_bytes, &failed, &mut |chunk| {
            assert!(chunk.columns[2].values().len() <= MOST_BYTES + chunk_bytes);
            chunks.push(chunk.rows());
            Ok(())
        })
        .unwrap();
        chunks
    };
    // Of a piece that has too many lines, and of several pieces.
    assert_eq!(chunks_of("1,2,a text of some length\n", CHUNK_BYTES), [MAX_ROWS; 3]);
    assert_eq!(chunks_of("1,2,a text of some length\n", 10_000), [MAX_ROWS; 3]);
    let smaller = chunks_of(&format!("1,2,{}\n", "long ".repeat(200)), CHUNK_BYTES);
    assert_eq!(smaller.iter().sum::<usize>(), MAX_ROWS * 3);
    assert!(smaller.len() > 3, "{smaller:?}");
}

/// Random text of everything that means something to the reader, read in pieces of all sizes.
#[test]
fn the_size_of_a_piece_does_not_matter() {
    let parts: [&[u8]; 16] = [
        b"a",
        b"plain text of some length",
        b",",
        b",",
        b",",
        b"\n",
        b"\r\n",
        b"\n",
        b"\"",
        b"\"\"",
        b"\xa3",
        "£".as_bytes(),
        "𝄞".as_bytes(),
        b"\r",
        b" ",
        b"\"quoted, text\"",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % limit as u64) as usize
    };
    for round in 0..400 {
        let mut text = b"A,B,C\n".to_vec();
        (0..below(60)).for_each(|_| text.extend_from_slice(parts[below(parts.len())]));
        let whole = rows(&text);
        for chunk_bytes in [1, 2, 3, 5, 7, 16, 33, 1 + below(200)] {
            let pieces = rows_by(&text, chunk_bytes).unwrap();
            assert_eq!(
                pieces,
                whole,
                "round {round}, {chunk_bytes} bytes: {:?}",
                text.escape_ascii().to_string()
            );
        }
    }
}
