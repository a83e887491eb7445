//! Which columns a source must have and under which names they are known.
//!
//! A layout is data given by the caller. This module compares a header with it and never knows a column
//! by itself, never guesses a column's place and never accepts a header that leaves one out.

use crate::error::{Error, Result, nearest};

/// One expected column: its name in the table and the spellings of its header in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name in the table; it is accepted as a header too.
    pub name: String,
    /// The accepted headers; the first is the one shown in messages.
    pub headers: Vec<String>,
}

impl Field {
    /// A field called `name` whose header may be any of `headers`.
    pub fn new(name: impl Into<String>, headers: &[&str]) -> Self {
        Field { name: name.into(), headers: headers.iter().map(|header| (*header).to_owned()).collect() }
    }

    fn shown(&self) -> &str {
        self.headers.first().unwrap_or(&self.name)
    }

    fn spellings(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().chain(std::iter::once(&self.name)).map(String::as_str)
    }
}

/// The expected columns, in the order in which chunks give them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    fields: Vec<Field>,
}

impl Layout {
    /// The layout made of `fields`.
    pub fn new(fields: Vec<Field>) -> Self {
        Layout { fields }
    }

    /// The expected columns, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// How many of the header's columns are known.
    pub(super) fn known<S: AsRef<str>>(&self, header: &[S]) -> usize {
        header.iter().filter(|column| self.position(column.as_ref()).is_some()).count()
    }

    /// The field each column of the header stands for, in the header's order.
    ///
    /// Columns may come in any order. A header that lacks a field, names one twice or holds a column that no
    /// field knows is refused with an error that names `source`, what was found and what was expected.
    pub(super) fn positions<S: AsRef<str>>(&self, source: &str, header: &[S]) -> Result<Vec<usize>> {
        let found: Vec<Option<usize>> = header.iter().map(|column| self.position(column.as_ref())).collect();
        let given = |field: usize| found.iter().filter(|place| **place == Some(field)).count();
        if found.len() == self.fields.len() && (0..self.fields.len()).all(|field| given(field) == 1) {
            return Ok(found.into_iter().flatten().collect());
        }
        let missing: Vec<&Field> = self.chosen(|field| given(field) == 0);
        let twice: Vec<&Field> = self.chosen(|field| given(field) > 1);
        let unknown: Vec<&str> = header
            .iter()
            .zip(&found)
            .filter(|(_, place)| place.is_none())
            .map(|(column, _)| trimmed(column.as_ref()))
            .collect();
        Err(self.refusal(source, header, &missing, &twice, &unknown))
    }

    fn chosen(&self, keep: impl Fn(usize) -> bool) -> Vec<&Field> {
        self.fields.iter().enumerate().filter(|(place, _)| keep(*place)).map(|(_, field)| field).collect()
    }

    fn position(&self, column: &str) -> Option<usize> {
        let column = normal(column);
        self.fields.iter().position(|field| field.spellings().any(|spelling| normal(spelling) == column))
    }

    fn refusal<S: AsRef<str>>(
        &self,
        source: &str,
        header: &[S],
        missing: &[&Field],
        twice: &[&Field],
        unknown: &[&str],
    ) -> Error {
        let mut error = Error::invalid(format!("`{source}` does not have the expected columns"))
            .detail(format!("found: {}", listed(header.iter().map(|column| trimmed(column.as_ref())))))
            .detail(format!("expected: {}", listed(self.fields.iter().map(Field::shown))));
        for (what, names) in [
            ("missing", missing.iter().map(|field| field.shown()).collect::<Vec<_>>()),
            ("given twice", twice.iter().map(|field| field.shown()).collect()),
            ("unknown", unknown.to_vec()),
        ] {
            if !names.is_empty() {
                error = error.detail(format!("{what}: {}", listed(names.into_iter())));
            }
        }
        if unknown.len() == header.len() {
            return error.hint("the first line must name the columns; is this the file that was meant?");
        }
        for column in unknown {
            let candidates = if missing.is_empty() { self.fields.iter().collect() } else { missing.to_vec() };
            if let Some(meant) = nearest(column, candidates.iter().flat_map(|field| field.spellings())) {
                error =
                    error.hint(format!("`{column}` looks like `{meant}`; rename it in the file's header"));
            }
        }
        error
    }
}

/// The form in which headers are compared: without case, blanks, underscores, byte-order mark and quotes.
fn normal(column: &str) -> String {
    trimmed(column)
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '_' && *letter != '\u{feff}')
        .flat_map(char::to_lowercase)
        .collect()
}

fn trimmed(column: &str) -> &str {
    column.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\u{feff}' | '"' | '\''))
}

/// The longest part of a name that a message shows.
const SHOWN_CHARS: usize = 60;
/// The most names that a message lists.
const SHOWN_NAMES: usize = 40;

/// Names in backticks with commas between them, shortened where there are too many of them.
pub(super) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(SHOWN_NAMES);
    let mut shown: Vec<String> = names
        .take(SHOWN_NAMES)
        .map(|name| match name.char_indices().nth(SHOWN_CHARS) {
            Some((end, _)) => format!("`{}…`", &name[..end]),
            None => format!("`{name}`"),
        })
        .collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests;
