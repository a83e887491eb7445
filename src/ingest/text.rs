//! Reads delimited text of any size in bounded memory.
//!
//! Encoding, delimiter and line end are found from the bytes themselves. Text is UTF-8 unless it says
//! otherwise with a UTF-16 byte-order mark; a *record* that is not valid UTF-8 is read as Windows-1252, which
//! agrees with ISO-8859-1 on every printable character. So one `£` in the middle of a long file changes how
//! its own line is read and no other. No field is trimmed, mended or interpreted here.

use std::borrow::Cow;
use std::io::Read;
use std::str::from_utf8;

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memchr::{memchr2, memchr3_iter};

use super::chunk::{Chunk, MAX_ROWS, MOST_BYTES, Rows};
use super::csv::{Dialect, Record, Records, Span};
use super::header::Layout;
use crate::error::{Error, Result};

/// How much text is read at a time: some thousands of rows, and little enough to stay in a core's cache.
pub(super) const CHUNK_BYTES: usize = 768 << 10;
/// The longest line, and so the most text that is held back for the next chunk.
const LINE_LIMIT_BYTES: usize = 16 << 20;
/// The farthest into the header that a quoted line end is looked for.
const HEADER_LIMIT_BYTES: usize = 1 << 20;
/// The accepted delimiters; the first wins a tie.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Reads all records of `input` and hands them to `emit`; gives their number.
///
/// `name` is how messages call the source; `failed` turns a failure to read into an error.
pub(super) fn read(
    input: &mut dyn Read,
    name: &str,
    layout: &Layout,
    chunk_bytes: usize,
    failed: &dyn Fn(&std::io::Error) -> Error,
    emit: &mut dyn FnMut(Chunk) -> Result<()>,
) -> Result<u64> {
    let mut text = Pieces::open(input, chunk_bytes, failed)?;
    let header = text.header(name, layout)?;
    let rows = Rows::new(header.columns.len());
    let mut reading = Reading { columns: header.columns, emit, rows, handed_on: 0 };
    let (mut at, mut line) = (header.at, header.line);
    loop {
        let last = text.ended;
        let mut piece = std::mem::take(&mut text.held);
        let mut records = Records::new(&piece, header.dialect, at, line, last);
        reading.records(name, &piece, &mut records)?;
        let used;
        (used, line) = records.rest();
        if last || reading.rows.bytes() > MOST_BYTES {
            reading.hand_on()?;
        }
        if last {
            return Ok(reading.handed_on);
        }
        if piece.len() - used > LINE_LIMIT_BYTES {
            return Err(too_long(name, line));
        }
        piece.drain(..used);
        text.held = piece;
        at = 0;
        text.more()?;
    }
}

/// The header's place and what it says.
struct Header {
    dialect: Dialect,
    /// The layout's column for each field.
    columns: Vec<usize>,
    /// Where the first record starts, and on which line.
    at: usize,
    line: i64,
}

/// The text, piece by piece, as UTF-8 or as whatever it is without a byte-order mark.
struct Pieces<'a> {
    input: &'a mut dyn Read,
    chunk_bytes: usize,
    failed: &'a dyn Fn(&std::io::Error) -> Error,
    utf16: Option<Decoder>,
    held: Vec<u8>,
    ended: bool,
}

impl<'a> Pieces<'a> {
    fn open(
        input: &'a mut dyn Read,
        chunk_bytes: usize,
        failed: &'a dyn Fn(&std::io::Error) -> Error,
    ) -> Result<Self> {
        let mut text = Pieces { input, chunk_bytes, failed, utf16: None, held: Vec::new(), ended: false };
        while !text.ended && text.held.len() < 3 {
            text.more()?;
        }
        match Encoding::for_bom(&text.held) {
            Some((encoding, mark)) if encoding == UTF_8 => drop(text.held.drain(..mark)),
            Some((encoding, mark)) if encoding == UTF_16LE || encoding == UTF_16BE => {
                let raw = text.held.split_off(mark);
                text.held.clear();
                text.utf16 = Some(encoding.new_decoder_without_bom_handling());
                text.decode(&raw);
            }
            _ => {}
        }
        Ok(text)
    }

    /// Reads on: a chunk, or as much again as is held already when a line is longer than that.
    fn more(&mut self) -> Result<()> {
        let wanted = self.chunk_bytes.max(self.held.len());
        let mut raw = if self.utf16.is_some() { Vec::new() } else { std::mem::take(&mut self.held) };
        raw.reserve_exact(wanted);
        let read = (&mut *self.input).take(wanted as u64).read_to_end(&mut raw);
        self.ended = read.map_err(|error| (self.failed)(&error))? < wanted;
        if self.utf16.is_some() {
            self.decode(&raw);
        } else {
            self.held = raw;
        }
        Ok(())
    }

    fn decode(&mut self, raw: &[u8]) {
        let Some(decoder) = &mut self.utf16 else { return };
        let room = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3 + 16);
        let start = self.held.len();
        self.held.resize(start + room, 0);
        let (_, _, written, _) = decoder.decode_to_utf8(raw, &mut self.held[start..], self.ended);
        self.held.truncate(start + written);
    }

    /// Finds the header, the first line that is not blank, and what it says about all the others.
    fn header(&mut self, name: &str, layout: &Layout) -> Result<Header> {
        let (mut at, mut line) = (0, 1);
        loop {
            while let Some((end, next, line_end)) = header_line(&self.held[at..], self.ended) {
                let text = &self.held[at..at + end];
                let next = at + next;
                if text.len() > LINE_LIMIT_BYTES {
                    return Err(too_long(name, line));
                }
                if !text.trim_ascii().is_empty() {
                    let header = recognise(text, line_end, name, layout)?;
                    let inner = text.iter().filter(|byte| **byte == line_end).count();
                    return Ok(Header { at: next, line: line + 1 + inner as i64, ..header });
                }
                (at, line) = (next, line + 1);
            }
            if self.ended {
                return Err(Error::invalid(format!("`{name}` is empty"))
                    .hint("a source needs at least a header line; was the export finished?"));
            }
            if self.held.len() - at > LINE_LIMIT_BYTES {
                return Err(too_long(name, line));
            }
            self.more()?;
        }
    }
}

/// The end of the first line of `text`, the start of the next one and the byte that ends lines.
///
/// Lines end in a line feed unless this one ends in a carriage return with no line feed next to it. `None`
/// when the line is not complete or, with `ended`, when nothing is left.
fn header_line(text: &[u8], ended: bool) -> Option<(usize, usize, u8)> {
    let near = &text[..text.len().min(HEADER_LIMIT_BYTES)];
    let mut quoted = false;
    let outside = memchr3_iter(b'\n', b'\r', b'"', near).find(|place| {
        quoted ^= near[*place] == b'"';
        near[*place] != b'"' && !quoted
    });
    // A quote that is never closed is not one; then the first line end counts, quoted or not.
    let given_up = quoted && (ended || near.len() == HEADER_LIMIT_BYTES);
    let first = outside.or_else(|| if given_up { memchr2(b'\n', b'\r', text) } else { None });
    let Some(first) = first else {
        return (ended && !text.is_empty()).then_some((text.len(), text.len(), b'\n'));
    };
    let returns = text[first..].iter().take_while(|byte| **byte == b'\r').count();
    match text.get(first + returns) {
        Some(b'\n') => Some((first, first + returns + 1, b'\n')),
        None if !ended => None,
        _ => Some((first, first + 1, b'\r')),
    }
}

/// Chooses the delimiter that names the most columns and compares them with the layout.
fn recognise(text: &[u8], line_end: u8, name: &str, layout: &Layout) -> Result<Header> {
    refuse_binary(text, name)?;
    let (dialect, names) = DELIMITERS
        .iter()
        .map(|delimiter| {
            let dialect = Dialect { delimiter: *delimiter, line_end };
            (dialect, names(text, dialect))
        })
        .rev()
        .max_by_key(|(_, names)| (layout.known(names), names.len()))
        .unwrap_or((Dialect { delimiter: b',', line_end }, Vec::new()));
    Ok(Header { dialect, columns: layout.positions(name, &names)?, at: 0, line: 1 })
}

fn names(text: &[u8], dialect: Dialect) -> Vec<String> {
    let mut records = Records::new(text, dialect, 0, 1, true);
    let utf8 = from_utf8(text).is_ok();
    records.advance();
    records.fields().iter().map(|span| field(text, *span, utf8).into_owned()).collect()
}

/// Says what a file is that has the name of a text file and the first bytes of another one.
fn refuse_binary(text: &[u8], name: &str) -> Result<()> {
    let known: [(&[u8], &str, &str); 3] = [
        (b"PK\x03\x04", "a zip archive or a workbook", "`.zip` or `.xlsx`"),
        (b"\x1f\x8b", "a gzip file", "`.csv.gz`"),
        (b"\x28\xb5\x2f\xfd", "a zstd file", "`.csv.zst`"),
    ];
    match known.iter().find(|(magic, ..)| text.starts_with(magic)) {
        Some((_, what, ending)) => Err(Error::invalid(format!("`{name}` is not text but {what}"))
            .hint(format!("rename it so that its name ends in {ending}"))),
        None => Ok(()),
    }
}

/// Turns records into chunks.
struct Reading<'a> {
    /// The layout's column for each field.
    columns: Vec<usize>,
    emit: &'a mut dyn FnMut(Chunk) -> Result<()>,
    /// Those that have not been handed on.
    rows: Rows,
    /// How many have been.
    handed_on: u64,
}

impl Reading<'_> {
    fn records(&mut self, name: &str, piece: &[u8], records: &mut Records) -> Result<()> {
        let valid = from_utf8(piece).map_or_else(|error| error.valid_up_to(), str::len);
        while let Some(record) = records.advance() {
            if record.end - record.start > LINE_LIMIT_BYTES {
                return Err(too_long(name, record.line));
            }
            let utf8 = record.end <= valid || from_utf8(&piece[record.start..record.end]).is_ok();
            if records.fields().len() != self.columns.len() || record.open {
                self.rows.rescue(record.line, &text(&piece[record.start..record.end], utf8));
            } else {
                self.fit(piece, &record, records.fields(), utf8);
            }
            if self.rows.len() == MAX_ROWS {
                self.hand_on()?;
            }
        }
        Ok(())
    }

    #[inline]
    fn fit(&mut self, piece: &[u8], record: &Record, fields: &[Span], utf8: bool) {
        for (column, span) in self.columns.iter().zip(fields) {
            let (start, end) = (span.start as usize, span.end as usize);
            if !span.doubled && (utf8 || piece[start..end].is_ascii()) {
                self.rows.put(*column, &piece[start..end]);
            } else {
                self.rows.put(*column, field(piece, *span, utf8).as_bytes());
            }
        }
        self.rows.end(record.line);
    }

    fn hand_on(&mut self) -> Result<()> {
        if self.rows.len() > 0 {
            self.handed_on += self.rows.len() as u64;
            (self.emit)(self.rows.take()?)?;
        }
        Ok(())
    }
}

/// A field's text: decoded, and with doubled quotes undone.
fn field(bytes: &[u8], span: Span, utf8: bool) -> Cow<'_, str> {
    let text = text(&bytes[span.start as usize..span.end as usize], utf8);
    if span.doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { text }
}

fn text(bytes: &[u8], utf8: bool) -> Cow<'_, str> {
    match from_utf8(bytes) {
        Ok(text) if utf8 => Cow::Borrowed(text),
        _ => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

fn too_long(name: &str, line: i64) -> Error {
    Error::invalid(format!("`{name}` holds a line of more than {} MiB", LINE_LIMIT_BYTES >> 20))
        .detail(format!("it starts on line {line}"))
        .hint("is this the file that was meant? a table's lines are far shorter")
}

#[cfg(test)]
mod tests;
