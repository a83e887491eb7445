//! Time travel in SQL: `from gold.rfm version as of 3`, `… timestamp as of '2026-01-02'`, as in Spark and
//! Databricks, with or without `for` before it.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, TableFactor, TableVersion, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::{DatabricksDialect, GenericDialect};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::contract::TableName;
use crate::error::{Error, Result};

/// A table at an earlier version, as a question names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The table.
    pub table: TableName,
    /// The version: its number, or an instant at which readers saw it.
    pub at: At,
    /// The name within its layer that stands for it in the statement.
    pub alias: String,
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
    let Some(text) = without_for(query) else { return Ok(None) };
    let mut parser = DFParserBuilder::new(text.as_str()).with_dialect(&DatabricksDialect {}).build()?;
    let mut statements = parser.parse_statements()?;
    let (Some(mut statement), true) = (statements.pop_front(), statements.is_empty()) else {
        return Err(Error::invalid("expected one query"));
    };
    let mut collect = Collect::default();
    let visited = match &mut statement {
        Statement::Statement(inner) => inner.visit(&mut collect),
        Statement::Explain(explain) => match explain.statement.as_mut() {
            Statement::Statement(inner) => inner.visit(&mut collect),
            _ => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    };
    match visited {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(Some((statement, collect.asked))),
    }
}

/// The text without the `for` before a version; none when it names no version.
fn without_for(query: &str) -> Option<String> {
    let tokens = Tokenizer::new(&GenericDialect {}, query).with_unescape(false).tokenize().ok()?;
    let is = |token: Option<&&Token>, words: &[&str]| {
        matches!(token, Some(Token::Word(word)) if word.quote_style.is_none()
            && words.iter().any(|w| word.value.eq_ignore_ascii_case(w)))
    };
    let words: Vec<(usize, &Token)> =
        tokens.iter().enumerate().filter(|(_, t)| !matches!(t, Token::Whitespace(_))).collect();
    let at = |i: usize| words.get(i).map(|(_, token)| token);
    let versions: Vec<usize> = (0..words.len())
        .filter(|i| is(at(*i), &["version", "timestamp"]) && is(at(i + 1), &["as"]) && is(at(i + 2), &["of"]))
        .collect();
    if versions.is_empty() {
        return None;
    }
    let dropped: Vec<usize> =
        versions.iter().filter(|i| **i > 0 && is(at(*i - 1), &["for"])).map(|i| words[i - 1].0).collect();
    let kept = tokens.iter().enumerate().filter(|(i, _)| !dropped.contains(i));
    Some(kept.map(|(_, token)| token.to_string()).collect())
}

/// Gives each table at a version a name of its own.
#[derive(Default)]
struct Collect {
    asked: Vec<Asked>,
}

impl VisitorMut for Collect {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, version, alias, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let Some(asked) = version.take() else { return ControlFlow::Continue(()) };
        match self.rename(name, &asked) {
            Ok(table) => {
                // What follows may still call the table by its own name.
                alias.get_or_insert_with(|| datafusion::sql::sqlparser::ast::TableAlias {
                    explicit: true,
                    name: Ident::new(table.table),
                    columns: Vec::new(),
                    at: None,
                });
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Collect {
    fn rename(&mut self, name: &mut ObjectName, version: &TableVersion) -> Result<TableName> {
        let written = name.to_string();
        let qualified = if written.contains('.') { written.clone() } else { format!("gold.{written}") };
        let table = TableName::parse(&qualified.to_lowercase())
            .ok_or_else(|| Error::invalid(format!("`{written}` has no versions")))?;
        let (at, label) = match version {
            TableVersion::VersionAsOf(Expr::Value(value)) => match &value.value {
                Value::Number(number, _) => number.parse().ok().map(|n| (At::Version(n), number.clone())),
                _ => None,
            },
            TableVersion::TimestampAsOf(Expr::Value(value)) => match &value.value {
                Value::SingleQuotedString(text) => Some((At::Timestamp(text.clone()), text.clone())),
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| {
            Error::invalid(format!("cannot read the version of `{written}` that is asked for"))
                .hint("write `version as of 3` or `timestamp as of '2026-01-02'`")
        })?;
        let alias = format!("{}@{label}", table.table);
        *name = vec![Ident::new(table.layer.as_str()), Ident::with_quote('"', &alias)].into();
        self.asked.push(Asked { table: table.clone(), at, alias });
        Ok(table)
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
        assert_eq!(statement.to_string(), "SELECT rfm.x FROM gold.\"rfm@3\" AS rfm");
    }

    #[test]
    fn other_questions_are_left_alone() {
        assert!(versions("select version from gold.rfm where x = 'version as of 3'").unwrap().is_none());
        assert!(versions("select * from gold.rfm version as of x").is_err());
    }
}
