//! Cuts text into records and fields.
//!
//! A pure function of the bytes, the line they start on and the dialect: it reads nothing, decodes nothing
//! and copies nothing, and where the bytes are cut into pieces never changes what comes out. It never
//! fails: text that is no record is handed on as a line to be kept whole.
//!
//! A field is quoted when its first byte is a quote; then delimiters and line ends inside it are text and a
//! doubled quote is one quote. A quote anywhere else is text. When something other than a delimiter or a line
//! end follows the closing quote, the quotes were text as well and the field is kept as it stands, unless it
//! reached into another line: then the first quote was a stray one.

use memchr::{memchr, memchr_iter, memchr2};

const QUOTE: u8 = b'"';

/// The farthest, in bytes, that a closing quote may be from its opening one.
pub(super) const QUOTED_LIMIT_BYTES: usize = 1 << 20;

/// What separates fields and lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The byte between two fields.
    pub delimiter: u8,
    /// The last byte of a line: a line feed (carriage returns before it belong to the line end) or a lone
    /// carriage return.
    pub line_end: u8,
}

/// Where a field's text lies. Quotes around it are left out, doubled quotes inside it are not undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
    /// The text holds doubled quotes.
    pub doubled: bool,
}

/// A record's place. Its fields are in [`Records::fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The physical line on which it starts.
    pub line: i64,
    /// Its text without the line end is `start..end`.
    pub start: usize,
    pub end: usize,
    /// A quote was never closed: this is only the first line of whatever was meant.
    pub open: bool,
}

/// Walks over the records of `bytes`.
pub struct Records<'a> {
    bytes: &'a [u8],
    dialect: Dialect,
    /// Nothing follows `bytes`.
    last: bool,
    at: usize,
    line: i64,
    fields: Vec<Span>,
}

/// What follows a field.
enum Stop {
    Delimiter,
    Line,
}

/// One step of the walk over the fields of a record.
enum Step {
    /// A field that ends the record or does not, and the place after what follows it.
    Field(Span, Stop, usize),
    /// A quote that is not closed.
    Open,
    /// The bytes end before the field does.
    Partial,
}

impl<'a> Records<'a> {
    /// Starts at `at` of `bytes`, which is the beginning of physical line `line`. With `last`, what stands
    /// at the end without a line end is a record too; without it, it is left for the next bytes.
    pub fn new(bytes: &'a [u8], dialect: Dialect, at: usize, line: i64, last: bool) -> Self {
        Records { bytes, dialect, last, at, line, fields: Vec::new() }
    }

    /// The fields of the record that [`Records::advance`] found last.
    pub fn fields(&self) -> &[Span] {
        &self.fields
    }

    /// How many bytes were used, and the physical line the rest starts on.
    pub fn rest(&self) -> (usize, i64) {
        (self.at, self.line)
    }

    /// Finds the next record; a line without a single byte is none. `None` when no whole record is left.
    #[inline]
    pub fn advance(&mut self) -> Option<Record> {
        while self.at < self.bytes.len() {
            let (start, line) = (self.at, self.line);
            let (end, open) = match self.whole_record()? {
                (_, true) => (self.first_line()?, true),
                (end, false) => (end, false),
            };
            if end > start {
                return Some(Record { line, start, end, open });
            }
        }
        None
    }

    /// Walks over one record's fields; gives its end and whether a quote was left open.
    #[inline]
    fn whole_record(&mut self) -> Option<(usize, bool)> {
        let (start, mut at) = (self.at, self.at);
        let mut quoted = false;
        self.fields.clear();
        loop {
            let quote = self.bytes.get(at) == Some(&QUOTE);
            quoted |= quote;
            match if quote { self.quoted(at) } else { self.plain(at, at) } {
                Step::Field(span, Stop::Delimiter, next) => {
                    self.fields.push(span);
                    at = next;
                }
                Step::Field(span, Stop::Line, next) => {
                    self.fields.push(span);
                    self.line += if quoted { self.lines(start, next) } else { 1 };
                    self.at = next;
                    return Some((self.without_line_end(start, next), false));
                }
                Step::Open => return Some((at, true)),
                Step::Partial => return None,
            }
        }
    }

    /// Takes one physical line, whatever it holds.
    #[cold]
    fn first_line(&mut self) -> Option<usize> {
        let start = self.at;
        let next = match memchr(self.dialect.line_end, &self.bytes[start..]) {
            Some(offset) => start + offset + 1,
            None if self.last => self.bytes.len(),
            None => return None,
        };
        self.fields.clear();
        self.at = next;
        self.line += 1;
        Some(self.without_line_end(start, next))
    }

    /// A field that starts at `start` and holds no delimiter or line end before `from`.
    #[inline]
    fn plain(&self, start: usize, from: usize) -> Step {
        match memchr2(self.dialect.delimiter, self.dialect.line_end, &self.bytes[from..]) {
            Some(offset) if self.bytes[from + offset] == self.dialect.delimiter => {
                let end = from + offset;
                Step::Field(span(start, end, false), Stop::Delimiter, end + 1)
            }
            Some(offset) => {
                let next = from + offset + 1;
                Step::Field(span(start, self.without_line_end(start, next), false), Stop::Line, next)
            }
            None if self.last => {
                let next = self.bytes.len();
                Step::Field(span(start, self.without_line_end(start, next), false), Stop::Line, next)
            }
            None => Step::Partial,
        }
    }

    /// A field whose first byte, at `start`, is a quote.
    fn quoted(&self, start: usize) -> Step {
        let opened = start + 1;
        let limit = self.bytes.len().min(opened + QUOTED_LIMIT_BYTES);
        let (mut from, mut doubled) = (opened, false);
        loop {
            let Some(offset) = self.bytes.get(from..limit).and_then(|rest| memchr(QUOTE, rest)) else {
                let given_up = self.last || self.bytes.len() - opened >= QUOTED_LIMIT_BYTES;
                return if given_up { Step::Open } else { Step::Partial };
            };
            let end = from + offset;
            match self.bytes.get(end + 1) {
                Some(&QUOTE) => (from, doubled) = (end + 2, true),
                None if !self.last => return Step::Partial,
                _ => return self.closed(start, end, doubled),
            }
        }
    }

    /// A field whose quotes are at `start` and at `end`, by what follows the second.
    fn closed(&self, start: usize, end: usize, doubled: bool) -> Step {
        let mut next = end + 1;
        if self.dialect.line_end == b'\n' {
            next += self.bytes[next..].iter().take_while(|byte| **byte == b'\r').count();
        }
        match self.bytes.get(next) {
            Some(byte) if *byte == self.dialect.delimiter && next == end + 1 => {
                Step::Field(span(start + 1, end, doubled), Stop::Delimiter, next + 1)
            }
            Some(byte) if *byte == self.dialect.line_end => {
                Step::Field(span(start + 1, end, doubled), Stop::Line, next + 1)
            }
            None if self.last => Step::Field(span(start + 1, end, doubled), Stop::Line, next),
            None => Step::Partial,
            Some(_) if memchr(self.dialect.line_end, &self.bytes[start..end]).is_some() => Step::Open,
            Some(_) => self.plain(start, end + 1),
        }
    }

    fn lines(&self, start: usize, next: usize) -> i64 {
        let ends = memchr_iter(self.dialect.line_end, &self.bytes[start..next]).count();
        let unended = self.bytes[next - 1] != self.dialect.line_end;
        ends as i64 + i64::from(unended)
    }

    /// The end of the text `start..next` once its line end is taken off.
    #[inline]
    fn without_line_end(&self, start: usize, next: usize) -> usize {
        let mut end = next;
        if end > start && self.bytes[end - 1] == self.dialect.line_end {
            end -= 1;
        }
        if self.dialect.line_end == b'\n' {
            while end > start && self.bytes[end - 1] == b'\r' {
                end -= 1;
            }
        }
        end
    }
}

#[inline]
fn span(start: usize, end: usize, doubled: bool) -> Span {
    Span { start: start as u32, end: end as u32, doubled }
}

#[cfg(test)]
mod tests;
