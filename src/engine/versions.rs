//! Time travel in SQL: `from gold.rfm version as of 3`, `… timestamp as of '2026-01-02'`, as in Spark and
//! Databricks, with or without `for` before it.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Ident, TableAlias, TableFactor, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

use crate::contract::TableName;
use crate::error::{Error, Result};

/// A table at an earlier version, as a question names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The table.
    pub table: TableName,
    /// The version: its number, or an instant at which readers saw it.
    pub at: At,
}

impl Asked {
    /// The name within its layer that stands for it in the statement; the same for all who ask for it.
    pub fn alias(&self) -> String {
        match &self.at {
            At::Version(version) => format!("{}@{version}", self.table.table),
            At::Timestamp(instant) => format!("{}@{instant}", self.table.table),
        }
    }
}

/// Which version is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// The version of this number.
    Version(u64),
    /// The version that readers saw at this instant.
    Timestamp(String),
}

/// The statement of a question, and the earlier versions it names; none when it names no version.
pub fn versions(query: &str) -> Result<Option<(Statement, Vec<Asked>)>> {
    let Some((text, asked)) = renamed(query)? else { return Ok(None) };
    let mut statements = DFParser::parse_sql(&text)?;
    let (Some(mut statement), true) = (statements.pop_front(), statements.is_empty()) else {
        return Err(Error::invalid("expected one query"));
    };
    let inner = match &mut statement {
        Statement::Explain(explain) => explain.statement.as_mut(),
        statement => statement,
    };
    if let Statement::Statement(inner) = inner {
        let _ = inner.visit(&mut OwnNames(&asked));
    }
    Ok(Some((statement, asked)))
}

/// The text with another name for each table at a version, so that no dialect need know of versions, and what
/// these names stand for; none when there are none.
fn renamed(query: &str) -> Result<Option<(String, Vec<Asked>)>> {
    let tokens = Tokenizer::new(&GenericDialect {}, query).with_unescape(false).tokenize();
    let Ok(mut tokens) = tokens else { return Ok(None) };
    let places: Vec<usize> =
        (0..tokens.len()).filter(|i| !matches!(tokens[*i], Token::Whitespace(_))).collect();
    let mut all = Vec::new();
    for i in 0..places.len() {
        let token = |i: usize| places.get(i).map(|place| &tokens[*place]);
        let Some((start, asked)) = asked_at(&token, i)? else { continue };
        let (value, keyword) = (asked.alias(), Keyword::NoKeyword);
        tokens[places[start - 1]] = Token::Word(Word { value, quote_style: Some('"'), keyword });
        places[start..=i + 3].iter().for_each(|place| tokens[*place] = Token::EOF);
        all.push(asked);
    }
    let kept = tokens.iter().filter(|token| **token != Token::EOF).map(ToString::to_string);
    Ok((!all.is_empty()).then(|| (kept.collect(), all)))
}

/// The version that is asked for at this place, and where the text that says so begins, behind the table's name.
fn asked_at<'a>(token: &impl Fn(usize) -> Option<&'a Token>, i: usize) -> Result<Option<(usize, Asked)>> {
    let word = |i: usize| match token(i) {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    };
    let is = |i: usize, text: &str| {
        word(i).is_some_and(|w| w.quote_style.is_none() && w.value.eq_ignore_ascii_case(text))
    };
    if !((is(i, "version") || is(i, "timestamp")) && is(i + 1, "as") && is(i + 2, "of")) {
        return Ok(None);
    }
    let start = i - usize::from(i > 0 && is(i - 1, "for"));
    let Some(name) = start.checked_sub(1).and_then(word).map(normal) else { return Ok(None) };
    let layer = match start.checked_sub(2).and_then(token) {
        Some(Token::Period) => start.checked_sub(3).and_then(word).map(normal).unwrap_or_default(),
        _ => "gold".into(),
    };
    let table = TableName::parse(&format!("{layer}.{name}"))
        .ok_or_else(|| Error::invalid(format!("`{layer}.{name}` has no versions")))?;
    let at = match token(i + 3) {
        Some(Token::Number(number, _)) if is(i, "version") => number.parse().ok().map(At::Version),
        Some(Token::SingleQuotedString(text)) if is(i, "timestamp") => Some(At::Timestamp(text.clone())),
        _ => None,
    };
    let at = at.ok_or_else(|| {
        Error::invalid(format!("cannot read the version of `{table}` that is asked for"))
            .hint("write `version as of 3` or `timestamp as of '2026-01-02'`")
    })?;
    Ok(Some((start, Asked { table, at })))
}

/// The table whose history a statement asks for, as in `describe history gold.rfm`; none when it asks for
/// something else.
pub fn history(statement: &str) -> Option<Result<TableName>> {
    let mut words = statement.trim().trim_end_matches(';').split_whitespace();
    let mut is = |texts: &[&str]| {
        words.next().is_some_and(|word| texts.iter().any(|text| word.eq_ignore_ascii_case(text)))
    };
    if !(is(&["describe", "desc"]) && is(&["history"])) {
        return None;
    }
    let name: String = words.map(|word| word.replace('"', "").to_lowercase()).collect();
    let name = if name.contains('.') { name } else { format!("gold.{name}") };
    Some(TableName::parse(&name).ok_or_else(|| Error::invalid(format!("`{name}` has no history"))))
}

/// What a word means as a name: quoted as it stands, otherwise in lower case.
fn normal(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }
}

/// Lets what follows still call each of these tables by its own name.
struct OwnNames<'a>(&'a [Asked]);

impl VisitorMut for OwnNames<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor {
            let last = name.0.last().and_then(|part| part.as_ident());
            if let Some(asked) = self.0.iter().find(|asked| last.is_some_and(|l| l.value == asked.alias())) {
                let name = Ident::with_quote('"', &asked.table.table);
                alias.get_or_insert(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    //! Proves which versions a question names, and that other questions are left alone.

    use super::*;

    fn asked(query: &str) -> Vec<(String, At)> {
        let (_, asked) = versions(query).unwrap().unwrap();
        asked.into_iter().map(|asked| (asked.table.to_string(), asked.at)).collect()
    }

    #[test]
    fn versions_and_instants_are_read_off() {
        assert_eq!(
            asked("select * from gold.rfm version as of 3"),
            [("gold.rfm".to_string(), At::Version(3))]
        );
        assert_eq!(
            asked(
                "select r.x from gold.rfm FOR VERSION AS OF 3 as r join silver.t timestamp as of '2026-01-02' on true where y = 'for version as of'"
            ),
            [
                ("gold.rfm".to_string(), At::Version(3)),
                ("silver.t".to_string(), At::Timestamp("2026-01-02".into()))
            ]
        );
    }

    #[test]
    fn the_statement_names_what_it_means() {
        let (statement, _) = versions("select rfm.x from rfm version as of 3").unwrap().unwrap();
        assert_eq!(statement.to_string(), "SELECT rfm.x FROM \"rfm@3\" AS \"rfm\"");
    }

    #[test]
    fn all_else_means_what_it_means_without_a_version() {
        for text in ["\"country\"", "interval '1 day'", "'it''s'", "e'\\n'", "`x`", "x[1]", "1e3 -- rest\n"] {
            let query = |version: &str| format!("select {text} from gold.rfm{version} as r");
            let (statement, asked) = versions(&query(" version as of 3")).unwrap().unwrap();
            let plain = DFParser::parse_sql(&query("")).unwrap().pop_front().unwrap();
            let expected = plain.to_string().replace("gold.rfm", &format!("gold.\"{}\"", asked[0].alias()));
            assert_eq!(statement.to_string(), expected);
        }
    }

    #[test]
    fn a_history_is_asked_for_by_name() {
        let asked = |text: &str| history(text).map(|name| name.map(|name| name.to_string()));
        assert_eq!(asked("describe history gold.rfm").unwrap().unwrap(), "gold.rfm");
        assert_eq!(asked("DESC HISTORY \"rfm\" ;").unwrap().unwrap(), "gold.rfm");
        assert!(asked("describe gold.rfm").is_none());
        assert!(asked("describe history nowhere.at.all").unwrap().is_err());
    }

    #[test]
    fn other_questions_are_left_alone() {
        assert!(versions("select version from gold.rfm where x = 'version as of 3'").unwrap().is_none());
        assert!(versions("select * from gold.rfm version as of x").is_err());
    }
}
