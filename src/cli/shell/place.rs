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
    let told = error.place().filter(|place| place.line > 0 && place.column > 0);
    // Tables at versions are renamed before the engine reads a statement: what it tells is a place in another text.
    let told = told.and_then(|place| match versions(piece) {
        Ok(None) => Some(place),
        Ok(Some((statement, _))) => moved(place, &statement.to_string(), piece),
        Err(_) => in_line(place.line, error.message(), piece),
    });
    let more_expected =
        || error.message().ends_with("found: EOF").then(|| place_at(piece, piece.trim_end().len()));
    told.or_else(more_expected).or_else(|| named(error.message(), piece))
}

/// Where the word at a place of a rewritten text stands in the piece that it was made of.
fn moved(place: Place, rewritten: &str, piece: &str) -> Option<Place> {
    let before: usize = rewritten.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let column = rewritten[before..].char_indices().nth(place.column - 1)?.0;
    let at = before + column;
    let word = rewritten[at..].split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    let (here, there) = (places(word, rewritten), places(word, piece));
    let nth = here.iter().position(|hit| *hit == at)?;
    match there.as_slice() {
        // Names of tables are written once more than they were.
        [one] => Some(place_at(piece, *one)),
        many if many.len() == here.len() => Some(place_at(piece, many[nth])),
        _ => None,
    }
}

/// Where in a line the word stands that the parser found and did not expect, if it does so once.
fn in_line(line: usize, message: &str, piece: &str) -> Option<Place> {
    let word = message.rsplit_once("found: ")?.1.split(' ').next()?;
    let here = places(word, piece).into_iter().map(|at| place_at(piece, at));
    let mut here = here.filter(|place| place.line == line);
    match (here.next(), here.next()) {
        (Some(place), None) => Some(place),
        _ => None,
    }
}

fn named(message: &str, piece: &str) -> Option<Place> {
    let quoted = ['`', '\'', '"'].into_iter().flat_map(|quote| message.split(quote).skip(1).step_by(2));
    let mut names = quoted.map(|name| name.rsplit('.').next().unwrap_or(name));
    names.find_map(|name| match places(name, piece).as_slice() {
        [one] => Some(place_at(piece, *one)),
        _ => None,
    })
}

/// Where a word stands in a text, in capitals or not.
fn places(word: &str, text: &str) -> Vec<usize> {
    if word.is_empty() {
        return Vec::new();
    }
    let is_of_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    // Letters outside of ASCII keep their bytes, so that the places are those of the text.
    let (word, text) = (word.to_ascii_lowercase(), text.to_ascii_lowercase());
    let (length, bytes) = (word.len(), text.as_bytes());
    let is_whole = |at: &usize| {
        !is_of_word(at.checked_sub(1).and_then(|at| bytes.get(at))) && !is_of_word(bytes.get(at + length))
    };
    text.match_indices(&word).map(|(at, _)| at).filter(is_whole).collect()
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
    fn a_place_in_a_renamed_text_is_found_in_the_one_that_was_written() {
        let text = "select nope\n from gold.rfm version as of 3 where rfm.x = nope.y";
        // What the engine reads: SELECT nope FROM gold."rfm@3" AS "rfm" WHERE rfm.x = nope.y
        let error = Error::invalid("no field named nope").at(Place { line: 1, column: 8 });
        assert_eq!(told(error, text, 0)[1], "   1 | select nope\n     |        ^");
        let error = Error::invalid("no field named x").at(Place { line: 1, column: 50 });
        assert!(told(error, text, 0)[1].ends_with(&format!("| {}^", " ".repeat(41))));
        let error = Error::invalid("no field named 1").at(Place { line: 9, column: 9 });
        assert_eq!(told(error, text, 0), ["at line 1"]);
        let text = "select a from t version as of 3\n wher x = 1";
        let error = Error::invalid("expected: end of statement, found: x at line 2, column 7");
        let error = error.at(Place { line: 2, column: 7 });
        assert_eq!(told(error, text, 0)[1], "   2 |  wher x = 1\n     |       ^");
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = format!("select {} x", "1 + ".repeat(1 << 20));
        let error = Error::invalid("e").at(Place { line: 1, column: text.chars().count() });
        assert!(told(error, &text, 0)[1].len() < 250);
    }
}
