//! Colours of SQL while it is typed.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::complete::is_keyword;

const KEYWORD: &str = "\x1b[1;34m";
const STRING: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[35m";
const COMMENT: &str = "\x1b[90m";
const RESET: &str = "\x1b[0m";

/// A line in colours, where `before` is what was typed of the statement in the lines before it. Without the colours it
/// is the same text.
pub fn highlight(before: &str, line: &str) -> String {
    let text = format!("{before}{line}");
    let mut tokens = Vec::new();
    let read = Tokenizer::new(&GenericDialect {}, &text)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut tokens);
    // What follows the tokens, where they are not all, is not closed yet, and mostly a string.
    let is_closed = read.is_ok();
    let (mut painted, mut at) = (String::with_capacity(2 * line.len()), 0);
    for token in &tokens {
        let written = token.token.to_string();
        // Some tokens are not told as they were typed: from there on the line stays as it is.
        if !text[at..].starts_with(&written) {
            return painted + &text[at.max(before.len())..];
        }
        let seen = at.max(before.len());
        at += written.len();
        if at > seen {
            paint(&mut painted, colour(&token.token), &text[seen..at]);
        }
    }
    let rest = &text[at.max(before.len())..];
    let of_rest = match &text[at..] {
        _ if is_closed => None,
        open if open.starts_with("/*") => Some(COMMENT),
        _ => Some(STRING),
    };
    paint(&mut painted, of_rest, rest);
    painted
}

fn paint(painted: &mut String, colour: Option<&str>, text: &str) {
    match colour {
        Some(colour) if !text.is_empty() => painted.extend([colour, text, RESET]),
        _ => painted.push_str(text),
    }
}

fn colour(token: &Token) -> Option<&'static str> {
    match token {
        Token::Word(word) if word.quote_style.is_none() && is_keyword(&word.value) => Some(KEYWORD),
        Token::Number(..) => Some(NUMBER),
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_) => {
            Some(STRING)
        }
        Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => {
            Some(COMMENT)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    //! Proves that colours add nothing to the text, and where they stand.

    use super::*;

    fn named(before: &str, line: &str) -> String {
        let colours = [(KEYWORD, "<k>"), (STRING, "<s>"), (NUMBER, "<n>"), (COMMENT, "<c>"), (RESET, "</>")];
        let painted = highlight(before, line);
        colours.iter().fold(painted, |text, (code, name)| text.replace(code, name))
    }

    #[test]
    fn keywords_strings_numbers_and_comments_have_colours() {
        assert_eq!(
            named("", "SELECT rfm, 'it''s', 1.5 from \"from\" -- x"),
            "<k>SELECT</> rfm, <s>'it''s'</>, <n>1.5</> <k>from</> \"from\" <c>-- x</>"
        );
    }

    #[test]
    fn a_line_goes_on_where_the_one_before_ended() {
        assert_eq!(named("select 'a\n", "b', 1"), "<s>b'</>, <n>1</>");
        assert_eq!(named("select 'a\n", "b"), "<s>b</>");
        assert_eq!(named("select /*\n", "b"), "<c>b</>");
        assert_eq!(named("select 1\n", "from t"), "<k>from</> t");
    }

    #[test]
    fn the_text_stays_the_same() {
        for line in ["sel", "", "select 'é", "select e'\\n', 1", "a\tb\u{a0}c \\d x", "$$ ;", "'"] {
            let painted = highlight("", line);
            let codes = [KEYWORD, STRING, NUMBER, COMMENT, RESET];
            assert_eq!(codes.iter().fold(painted, |text, code| text.replace(code, "")), line);
        }
    }
}
