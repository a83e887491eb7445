//! Cutting a text into statements and commands: at semicolons outside of strings, quoted names and comments.

/// What stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A statement, without its semicolon.
    Statement(&'a str),
    /// A line that begins with a backslash between two statements, without that backslash.
    Command(&'a str),
    /// The end of the text, where a statement has begun and no semicolon has come; the second is what has been
    /// opened in it and not closed.
    Begun(&'a str, Option<Open>),
}

/// Something that has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// What it is.
    pub what: &'static str,
    /// Where in the statement it begins, in bytes.
    pub at: usize,
}

/// The pieces of a text in their order, each with the byte at which it begins; blanks, comments and empty
/// statements between them are left out.
pub fn pieces(text: &str) -> Pieces<'_> {
    Pieces { text, at: 0 }
}

/// See [`pieces`].
pub struct Pieces<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (usize, Piece<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut begun = None;
        loop {
            let (here, rest) = (self.at, &self.text[self.at..]);
            let Some(first) = rest.chars().next() else { break };
            if first.is_whitespace() {
                self.at += first.len_utf8();
                continue;
            }
            match (first, begun) {
                (';', _) => {
                    self.at += 1;
                    let Some(start) = begun else { continue };
                    return Some((start, Piece::Statement(self.text[start..here].trim_end())));
                }
                ('\\', None) => {
                    let line = rest.lines().next().unwrap_or(rest);
                    self.at += line.len();
                    return Some((here, Piece::Command(line[1..].trim_end())));
                }
                _ => {}
            }
            let is_comment = rest.starts_with("--") || rest.starts_with("/*");
            match lexeme(rest) {
                Ok(length) => self.at += length,
                Err(what) => {
                    self.at = self.text.len();
                    let start = begun.unwrap_or(here);
                    let open = Open { what, at: here - start };
                    return Some((start, Piece::Begun(&self.text[start..], Some(open))));
                }
            }
            if !is_comment {
                begun = begun.or(Some(here));
            }
        }
        begun.map(|start| (start, Piece::Begun(&self.text[start..], None)))
    }
}

/// The bytes of what a text begins with, read as the SQL tokenizer reads it; what it is if it does not end.
fn lexeme(text: &str) -> Result<usize, &'static str> {
    let bytes = text.as_bytes();
    match (bytes[0], bytes.get(1)) {
        (b'-', Some(b'-')) => Ok(text.find('\n').unwrap_or(text.len())),
        (b'/', Some(b'*')) => comment(bytes).ok_or("comment"),
        (b'e' | b'E', Some(b'\'')) => escaped(bytes).ok_or("string"),
        // A doubled quote ends one string and begins the next, which comes to the same here.
        (b'\'', _) => quoted(text, '\'').ok_or("string"),
        (b'"', _) => quoted(text, '"').ok_or("quoted name"),
        (b'`', _) => quoted(text, '`').ok_or("quoted name"),
        (b'$', _) => dollar(text).ok_or("string"),
        (first, _) if is_of_word(first) => {
            Ok(bytes.iter().position(|byte| !is_of_word(*byte)).unwrap_or(bytes.len()))
        }
        _ => Ok(1),
    }
}

/// Bytes of names, keywords and numbers; all of a character outside of ASCII, so that none is cut.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_$@#".contains(&byte) || !byte.is_ascii()
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    text[1..].find(quote).map(|end| end + 2)
}

/// A comment, in which others may stand.
fn comment(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// A string with escapes, such as `e'it\'s'`.
fn escaped(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'\\', _) | (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// A string between `$$` or `$tag$`, or a parameter such as `$1`.
fn dollar(text: &str) -> Option<usize> {
    let is_of_tag = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let tag = 1 + text.bytes().skip(1).take_while(is_of_tag).count();
    if text.as_bytes().get(tag) != Some(&b'$') {
        return Some(tag);
    }
    let quote = &text[..=tag];
    text[quote.len()..].find(quote).map(|end| end + 2 * quote.len())
}

#[cfg(test)]
mod tests {
    //! Proves where a text is cut, and that the SQL tokenizer agrees.

    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

    use super::*;

    fn cut(text: &str) -> Vec<Piece<'_>> {
        pieces(text).map(|(_, piece)| piece).collect()
    }

    #[test]
    fn statements_end_at_semicolons() {
        assert_eq!(
            cut(";; select 1 ;\n-- ; no\nselect 2;/* ; */\n;"),
            [Piece::Statement("select 1"), Piece::Statement("select 2")]
        );
        assert!(cut(" \n -- nothing\n;").is_empty());
        assert_eq!(
            cut("select 1;\nselect 2\n"),
            [Piece::Statement("select 1"), Piece::Begun("select 2\n", None)]
        );
        assert_eq!(pieces("select 1;  select é;").map(|(at, _)| at).collect::<Vec<_>>(), [0, 11]);
    }

    #[test]
    fn a_semicolon_in_a_string_a_name_or_a_comment_ends_nothing() {
        for text in [
            "select ';'",
            "select 'it''s;'",
            r"select e'it\'s;', 1",
            "select e'a''b\\';'",
            "select \";\" from t",
            "select `;` from t",
            "select $$;$$",
            "select $a$;$$;$a$",
            "select 1 -- ;\n + 2",
            "select 1 /* ; /* ; */ ; */ + 2",
            "select 'é;' as é",
        ] {
            let whole = format!("{text};");
            assert_eq!(cut(&whole), [Piece::Statement(text)]);
            let tokens = Tokenizer::new(&GenericDialect {}, &whole).tokenize().unwrap();
            let ends = tokens.iter().filter(|token| **token == Token::SemiColon).count();
            assert_eq!(ends, 1, "{text}");
        }
        assert_eq!(
            cut("select $1; select a$b"),
            [Piece::Statement("select $1"), Piece::Begun("select a$b", None)]
        );
    }

    #[test]
    fn what_is_not_closed_is_told() {
        for (text, what, at) in [
            ("select 'a; b", "string", 7),
            ("select e'a\\'", "string", 7),
            ("select $a$ $$", "string", 7),
            ("select \"a", "quoted name", 7),
            ("/* a", "comment", 0),
            ("select /* /* */", "comment", 7),
        ] {
            assert_eq!(cut(text), [Piece::Begun(text, Some(Open { what, at }))]);
        }
    }

    #[test]
    fn a_command_is_a_line_between_statements() {
        assert_eq!(
            cut("\\d it's\r\nselect 1;\\timing\n  \\i x.sql  \n"),
            [
                Piece::Command("d it's"),
                Piece::Statement("select 1"),
                Piece::Command("timing"),
                Piece::Command("i x.sql")
            ]
        );
        assert_eq!(cut("select\n\\d;"), [Piece::Statement("select\n\\d")]);
        assert_eq!(cut("\\"), [Piece::Command("")]);
    }

    #[test]
    fn a_long_line_is_cut_in_one_pass() {
        let text = format!("select '{}'; select 1;", "x;".repeat(5 << 20));
        assert_eq!(pieces(&text).count(), 2);
    }
}
