//! How deep a statement may be: the engine goes down one step with each operator of a chain, and a thread's stack ends
//! somewhere. Sees tokens alone, so that it never goes down itself.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, Result};

/// So many operators may stand between two commas.
const MOST: usize = 10_000;

/// The stack of a thread that plans statements: the planner goes down some kilobytes with each operator of a chain, and
/// the longest one has its place.
pub const STACK_BYTES: usize = 32 << 20;

/// An error if a statement is a longer chain than the engine can follow.
pub fn check_depth(statement: &str) -> Result<()> {
    // Each operator has something beside it.
    if statement.len() < 2 * MOST {
        return Ok(());
    }
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, statement).tokenize() else { return Ok(()) };
    let mut operators = 0;
    for token in tokens {
        match token {
            Token::Comma | Token::SemiColon => operators = 0,
            token if is_operator(&token) => operators += 1,
            _ => {}
        }
        if operators > MOST {
            return Err(Error::invalid(format!("the statement is a chain of more than {MOST} operators"))
                .hint("write values as a list, as in `a in (1, 2)`, or join a table of them"));
        }
    }
    Ok(())
}

/// Whether an expression, a set of rows or a join goes on behind a token.
fn is_operator(token: &Token) -> bool {
    use Keyword as K;
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            K::AND
                | K::OR
                | K::IS
                | K::IN
                | K::LIKE
                | K::ILIKE
                | K::BETWEEN
                | K::COLLATE
                | K::ZONE
                | K::UNION
                | K::EXCEPT
                | K::INTERSECT
                | K::JOIN
        ),
        Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Whitespace(_)
        | Token::Placeholder(_)
        | Token::LParen
        | Token::RParen
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::Period
        | Token::EOF => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    //! Proves which statements are too deep.

    use super::*;

    #[test]
    fn chains_are_bounded_and_lists_are_not() {
        let many = |part: &str| part.repeat(MOST + 1);
        for chain in ["1 or ", "1 + ", "1 * ", "1 = ", "1::int ", "select 1 union all "] {
            let error = check_depth(&format!("select {}", many(chain))).unwrap_err();
            assert!(error.message().starts_with("the statement is a chain of more than 10000"), "{chain}");
        }
        for list in ["-1, ", "'a or b' ", "(1 + 2), ", "select 1 + 2; "] {
            check_depth(&format!("select {}", many(list))).unwrap();
        }
    }
}
