//! Proves where records and fields begin and end.

use super::*;

const LF: Dialect = Dialect { delimiter: b',', line_end: b'\n' };
const CR: Dialect = Dialect { delimiter: b',', line_end: b'\r' };

/// Each record as `line: field|field`, a doubled quote left as it is; an open one as `line! text`.
fn cut_as(text: &str, dialect: Dialect) -> Vec<String> {
    let mut records = Records::new(text.as_bytes(), dialect, 0, 1, true);
    let mut cut = Vec::new();
    while let Some(record) = records.advance() {
        let fields: Vec<&str> =
            records.fields().iter().map(|span| &text[span.start as usize..span.end as usize]).collect();
        cut.push(if record.open {
            format!("{}! {}", record.line, &text[record.start..record.end])
        } else {
            format!("{}: {}", record.line, fields.join("|"))
        });
    }
    assert_eq!(records.rest().0, text.len());
    cut
}

fn cut(text: &str) -> Vec<String> {
    cut_as(text, LF)
}

#[test]
fn lines_end_in_line_feeds_with_or_without_carriage_returns() {
    assert_eq!(cut("a,b\r\nc,d\ne,f\r\r\ng,"), ["1: a|b", "2: c|d", "3: e|f", "4: g|"]);
    assert_eq!(cut("a\rb,c\r"), ["1: a\rb|c"]);
    assert_eq!(cut_as("a,b\rc,\"d\re\"\rf", CR), ["1: a|b", "2: c|d\re", "4: f"]);
}

#[test]
fn a_line_without_a_byte_is_no_record_but_a_line() {
    assert_eq!(cut("\na\n\r\n\n  \nb\n\n"), ["2: a", "5:   ", "6: b"]);
    assert_eq!(cut(""), [""; 0]);
}

#[test]
fn quoted_fields_hold_delimiters_quotes_and_lines() {
    assert_eq!(cut("\"a,\"\"b\"\"\r\nc\",\"\"\r\nd,e"), ["1: a,\"\"b\"\"\r\nc|", "3: d|e"]);
    assert_eq!(cut("\"a\"\"\",b\n\"c\""), ["1: a\"\"|b", "2: c"]);
}

#[test]
fn a_quote_elsewhere_is_text() {
    assert_eq!(cut("5\" TAPE,a\"b\"\n"), ["1: 5\" TAPE|a\"b\""]);
    assert_eq!(cut("\"RETRO, OLD\" SIGN,b\n"), ["1: \"RETRO, OLD\" SIGN|b"]);
    assert_eq!(cut("\"a\" ,b\n"), ["1: \"a\" |b"]);
}

#[test]
fn a_quote_left_open_costs_one_line() {
    assert_eq!(cut("a,\"b,c\nd,e\nf,g"), ["1! a,\"b,c", "2: d|e", "3: f|g"]);
    assert_eq!(cut("a,\"b\nc,\"d, e\"\n"), ["1! a,\"b", "2: c|d, e"], "the next quote does not close it");
    let far = format!("a,\"b\r\n{}c,\"d\"\n", "x,y\n".repeat(QUOTED_LIMIT_BYTES / 4));
    let cut = cut(&far);
    assert_eq!((cut[0].as_str(), cut[1].as_str()), ("1! a,\"b", "2: x|y"));
    assert_eq!(cut.last().unwrap(), &format!("{}: c|d", QUOTED_LIMIT_BYTES / 4 + 2));
}

#[test]
fn a_quoted_field_may_be_as_long_as_the_limit() {
    let fits = format!("\"{}\",b", "x".repeat(QUOTED_LIMIT_BYTES - 1));
    assert_eq!(cut(&fits), [format!("1: {}|b", "x".repeat(QUOTED_LIMIT_BYTES - 1))]);
    let long = format!("\"{}\",b\nc", "x".repeat(QUOTED_LIMIT_BYTES));
    assert_eq!(cut(&long)[1], "2: c");
    assert!(cut(&long)[0].starts_with("1! \"x"));
}

#[test]
fn zero_bytes_pass_through() {
    assert_eq!(cut("a\0,\0\n"), ["1: a\0|\0"]);
}

/// Every way to cut the text in two gives the records of the whole text.
#[test]
fn where_the_bytes_are_cut_does_not_matter() {
    let text = b"a,b\r\n\r\n\"c\"\"\r\n\",d\n\"e\"x,\"f\"\r\n\"g\nh\"i,j\n,\n\"k\",\"l\"\"\"\r\nm,\"n\no,p\n";
    let whole = collect(&[&text[..]]);
    assert_eq!(whole.len(), 9);
    for first in 0..text.len() {
        for second in first..text.len() {
            assert_eq!(
                collect(&[&text[..first], &text[first..second], &text[second..]]),
                whole,
                "{first} {second}"
            );
        }
    }
}

/// A record's line, text, whether it is open, and its fields.
type Cut = (i64, Vec<u8>, bool, Vec<Vec<u8>>);

fn collect(pieces: &[&[u8]]) -> Vec<Cut> {
    let (mut held, mut line, mut found) = (Vec::new(), 1, Vec::new());
    for (number, piece) in pieces.iter().enumerate() {
        held.extend_from_slice(piece);
        let mut records = Records::new(&held, LF, 0, line, number + 1 == pieces.len());
        while let Some(record) = records.advance() {
            let fields =
                records.fields().iter().map(|span| held[span.start as usize..span.end as usize].to_vec());
            found.push((record.line, held[record.start..record.end].to_vec(), record.open, fields.collect()));
        }
        let used;
        (used, line) = records.rest();
        held.drain(..used);
    }
    found
}
