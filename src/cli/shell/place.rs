//! Errors of statements, told with the place in the text.

use std::path::Path;

use lake::engine::versions;
use lake::error::{Error, Kind, Place};

use super::split::Piece;

/// Where a text comes from.
pub enum Origin<'a> {
    /// A person sees it before them.
    Typed,
    /// Standard input.
    Input,
    /// A file.
    File(&'a Path),
}

/// So many characters of a line are shown, and so many of them before the place.
const SHOWN: usize = 100;
const BEFORE: usize = 60;

/// Adds to an error of the piece that begins at the byte `start` of `text` the line and, of a statement, the place in it
/// where that is known.
pub fn located(error: Error, origin: &Origin<'_>, text: &str, start: usize, piece: Piece<'_>) -> Error {
    if matches!(error.kind(), Kind::ClosedPipe | Kind::Interrupted) {
        return error;
    }
    let (statement, place) = match piece {
        // Its error may be that of a statement elsewhere.
        Piece::Command(line) => (line, None),
        Piece::Statement(text) | Piece::Begun(text, _) => (text, find(&error, text)),
    };
    let line = place_at(text, start).line + place.map_or(0, |place| place.line - 1);
    let error = match origin {
        Origin::Typed => error,
        Origin::Input => error.detail(format!("at line {line}")),
        Origin::File(path) => error.detail(format!("at {}:{line}", path.display())),
    };
    match place {
        Some(place) => error.detail(excerpt(statement, place, line)),
        None => error,
    }
}

/// The place of a byte in a text.
pub fn place_at(text: &str, byte: usize) -> Place {
    let before = &text[..byte];
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or(before).chars().count();
    Place { line, column }
}

/// The place that the engine tells, the end where more was expected, or that of a name which the message quotes.
fn find(error: &Error, piece: &str) -> Option<Place> {
    // Tables at versions are renamed before the engine reads a statement: what it tells is a place in another text.
    let is_renamed = !matches!(versions(piece), Ok(None));
    let told = error.place().filter(|place| !is_renamed && place.line > 0 && place.column > 0);
    let more_expected =
        || error.message().ends_with("found: EOF").then(|| place_at(piece, piece.trim_end().len()));
    told.or_else(more_expected).or_else(|| named(error.message(), piece))
}

fn named(message: &str, piece: &str) -> Option<Place> {
    let quoted = ['`', '\'', '"'].into_iter().flat_map(|quote| message.split(quote).skip(1).step_by(2));
    let mut names = quoted.map(|name| name.rsplit('.').next().unwrap_or(name));
    names.find_map(|name| only(name, piece)).map(|byte| place_at(piece, byte))
}

/// Where a word stands in a piece, in capitals or not, if it does so once.
fn only(word: &str, piece: &str) -> Option<usize> {
    let is_of_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    // Letters outside of ASCII keep their bytes, so that the places are those of the piece.
    let (word, text) = (word.to_ascii_lowercase(), piece.to_ascii_lowercase());
    let (length, bytes) = (word.len(), text.as_bytes());
    let hits = text.match_indices(&word).map(|(at, _)| at);
    let mut hits = hits.filter(|at| {
        !is_of_word(at.checked_sub(1).and_then(|at| bytes.get(at))) && !is_of_word(bytes.get(at + length))
    });
    match (hits.next(), hits.next()) {
        (Some(at), None) if length > 0 => Some(at),
        _ => None,
    }
}

/// The line of a place, cut where it is long, with a caret below the place.
fn excerpt(piece: &str, place: Place, line: usize) -> String {
    let text = piece.lines().nth(place.line - 1).unwrap_or_default();
    let skipped = (place.column - 1).saturating_sub(BEFORE);
    let shown = text.chars().skip(skipped).take(SHOWN);
    let shown: String = shown.map(|c| if c.is_control() { ' ' } else { c }).collect();
    let blanks = " ".repeat(place.column - 1 - skipped);
    format!("{line:>4} | {}\n     | {blanks}^", shown.trim_end())
}

#[cfg(test)]
mod tests {
    //! Proves which place of a text is shown.

    use super::*;

    fn told(error: Error, text: &str, start: usize) -> Vec<String> {
        located(error, &Origin::Input, text, start, Piece::Statement(&text[start..])).details().to_vec()
    }

    #[test]
    fn the_line_counts_from_the_beginning_of_the_text() {
        let text = "select 1;\n\nselect a,\n\té from\tt";
        let error = Error::invalid("no field named é").at(Place { line: 2, column: 2 });
        assert_eq!(told(error, text, 11), ["at line 4", "   4 |  é from t\n     |  ^"]);
        let of_command = Error::invalid("x").at(Place { line: 1, column: 1 });
        let error = located(of_command, &Origin::File(Path::new("q.sql")), text, 11, Piece::Command("i x"));
        assert_eq!(error.details(), ["at q.sql:3"]);
    }

    #[test]
    fn a_name_that_stands_there_once_is_found() {
        let unknown = |name: &str| Error::invalid(format!("unknown table `{name}`"));
        let text = "select rmf_x from gold.RMF";
        assert_eq!(
            told(unknown("gold.rmf"), text, 0)[1],
            format!("   1 | {text}\n     | {}^", " ".repeat(23))
        );
        assert_eq!(told(unknown("gold.rmf"), "select rmf from rmf", 0), ["at line 1"]);
        assert_eq!(told(unknown(""), "select 1", 0), ["at line 1"]);
    }

    #[test]
    fn the_end_is_shown_where_more_is_expected() {
        let error = Error::invalid("the SQL cannot be read: expected: an expression, found: EOF");
        assert_eq!(told(error, "select\n  1 + ", 0)[1], "   2 |   1 +\n     |      ^");
    }

    #[test]
    fn a_place_in_a_renamed_text_is_not_believed() {
        let error = Error::invalid("no field named x").at(Place { line: 1, column: 3 });
        assert_eq!(told(error, "select x from gold.rfm version as of 3", 0), ["at line 1"]);
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = format!("select {} x", "1 + ".repeat(1 << 20));
        let error = Error::invalid("e").at(Place { line: 1, column: text.chars().count() });
        assert!(told(error, &text, 0)[1].len() < 250);
    }
}
