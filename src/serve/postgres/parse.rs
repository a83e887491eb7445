//! Reading statements: those about the lake's tables as they are, those about PostgreSQL's own catalogue rewritten so
//! that the engine can plan them.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    CopySource, CopyTarget, DeclareType, ObjectName, Statement, visit_relations,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_postgres::datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, SqlStatementRewriteRule, StripCallableQualifier,
};

use super::copy::{self, Options};
use super::rewrite::{
    drop_absent_columns, drop_arrays, drop_correlated, escape_with_backslash, resolve_names,
};

/// A reader of statements.
pub(super) struct Reading {
    /// Reads what tools ask the catalogue. It changes what some queries mean, such as a subquery in a select list,
    /// so that they can be answered at all.
    compatible: PostgresCompatibilityParser,
    /// What changes no meaning.
    harmless: [Arc<dyn SqlStatementRewriteRule>; 2],
}

impl Reading {
    /// A reader; making it costs more than a statement.
    pub(super) fn new() -> Reading {
        Reading {
            compatible: PostgresCompatibilityParser::new(),
            harmless: [
                Arc::new(StripCallableQualifier),
                Arc::new(CurrentUserVariableToSessionUserFunctionCall),
            ],
        }
    }

    /// The statements of a text.
    pub(super) fn statements(&self, text: &str) -> Result<Vec<Statement>, ParserError> {
        // Only the plain parser knows the place of what is wrong.
        let plain = match Parser::parse_sql(&PostgreSqlDialect {}, text) {
            Ok(plain) => plain,
            Err(error) => return self.compatible.parse(text).map_err(|_| error),
        };
        let alone = plain.len() == 1;
        let mut statements = Vec::with_capacity(plain.len());
        for mut statement in plain {
            let is_copied = copy::ask_for_rows(&mut statement)?;
            if reads_the_lake(&statement) {
                escape_with_backslash(&mut statement);
                statements.push(self.harmless.iter().fold(statement, |s, rule| rule.rewrite(s)));
            } else {
                let changed = resolve_names(&mut statement) || is_copied;
                let written = if alone && !changed { text.to_string() } else { statement.to_string() };
                for mut statement in self.compatible.parse(&written)? {
                    escape_with_backslash(&mut statement);
                    drop_correlated(&mut statement);
                    drop_arrays(&mut statement);
                    drop_absent_columns(&mut statement);
                    statements.push(statement);
                }
            }
        }
        Ok(statements)
    }
}

/// Whether a statement asks tables, and none of PostgreSQL's own.
fn reads_the_lake(statement: &Statement) -> bool {
    let mut tables = 0;
    let visited = visit_relations(statement, |name| {
        tables += 1;
        if is_of_the_system(name) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visited.is_continue() && tables > 0
}

fn is_of_the_system(name: &ObjectName) -> bool {
    let parts: Vec<String> =
        name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect();
    match parts.as_slice() {
        [table] => table.starts_with("pg_"),
        [.., schema, _] => schema == "pg_catalog" || schema == "information_schema",
        [] => false,
    }
}

/// What is to be done about a statement.
pub(super) enum Kind {
    /// Rows are asked for.
    Rows(Box<Statement>),
    /// A cursor is opened: its name, whether it outlives the transaction, and its query.
    Cursor(String, bool, Box<Statement>),
    /// The rows of a query are copied to the client.
    Copy(Options, Box<Statement>),
    /// The session is asked for something, or told.
    Command(Box<Statement>),
    /// Something would be changed.
    Change(Box<Statement>),
}

/// What kind of statement it is.
pub(super) fn kind(statement: Statement) -> Kind {
    match statement {
        Statement::Query(_)
        | Statement::Explain { .. }
        | Statement::ExplainTable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. } => Kind::Rows(Box::new(statement)),
        Statement::Declare { mut stmts } if stmts.len() == 1 => {
            let declared = stmts.remove(0);
            let is_cursor = declared.declare_type == Some(DeclareType::Cursor);
            let name = declared.names.first().map(|name| name.value.clone());
            match name.zip(declared.for_query.clone()).filter(|_| is_cursor) {
                Some((name, query)) => {
                    Kind::Cursor(name, declared.hold == Some(true), Box::new(Statement::Query(query)))
                }
                None => Kind::Change(Box::new(Statement::Declare { stmts: vec![declared] })),
            }
        }
        Statement::Set(_)
        | Statement::Reset(_)
        | Statement::Discard { .. }
        | Statement::ShowVariable { .. }
        | Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Savepoint { .. }
        | Statement::ReleaseSavepoint { .. }
        | Statement::Deallocate { .. }
        | Statement::UNLISTEN { .. }
        | Statement::Fetch { .. }
        | Statement::Close { .. } => Kind::Command(Box::new(statement)),
        Statement::Copy {
            source: CopySource::Query(query),
            to: true,
            target: CopyTarget::Stdout,
            options,
            legacy_options,
            ..
        } => Kind::Copy(Options(options, legacy_options), Box::new(Statement::Query(query))),
        other => Kind::Change(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    //! Proves that statements about the lake keep their meaning, and which may be run at all.

    use super::*;

    #[test]
    fn a_subquery_about_the_lake_is_left_as_it_is() {
        let reading = Reading::new();
        let text = "SELECT a.x, (SELECT max(b.y) FROM gold.b AS b WHERE b.x = a.x) FROM gold.a AS a";
        assert_eq!(reading.statements(text).unwrap()[0].to_string(), text);
        let text = format!("DECLARE c CURSOR FOR {text}");
        assert_eq!(reading.statements(&text).unwrap()[0].to_string(), text);
        let both = format!("BEGIN; {text}");
        assert_eq!(reading.statements(&both).unwrap()[1].to_string(), text);
        let text = "select relname::regclass, (select 1 from x where x.y = c.oid) from pg_class as c";
        assert!(!reading.statements(text).unwrap()[0].to_string().contains("x.y"));
    }

    #[test]
    fn what_cannot_be_read_is_placed() {
        let error = Reading::new().statements("selec 1").unwrap_err().to_string();
        assert!(error.contains("at Line: 1, Column: 1"), "{error}");
        assert_eq!(Reading::new().statements("abort").unwrap().len(), 1);
        assert!(Reading::new().statements(";").unwrap().is_empty());
    }

    #[test]
    fn statements_are_sorted_by_what_they_do() {
        let sorted = |text: &str| {
            let mut statements = Reading::new().statements(text).unwrap();
            match kind(statements.remove(0)) {
                Kind::Rows(_) => "rows",
                Kind::Cursor(..) => "cursor",
                Kind::Copy(..) => "copy",
                Kind::Command(_) => "command",
                Kind::Change(_) => "change",
            }
        };
        for text in ["select 1", "explain select 1", "show tables", "with a as (select 1) select * from a"] {
            assert_eq!(sorted(text), "rows", "{text}");
        }
        for text in ["set a = 1", "show a", "begin", "fetch 1 from c", "discard all", "reset all", "close c"]
        {
            assert_eq!(sorted(text), "command", "{text}");
        }
        for text in [
            "insert into a values (1)",
            "create table a (b int)",
            "drop table a",
            "copy a to 'x.csv'",
            "copy a to program 'cat'",
            "copy a from stdin",
            "delete from a",
            "update a set b = 1",
            "truncate a",
            "prepare p as select 1",
        ] {
            assert_eq!(sorted(text), "change", "{text}");
        }
        assert_eq!(sorted("declare c cursor for select 1"), "cursor");
        for text in ["copy a to stdout", "copy (select 1) to stdout (format csv)", "copy pg_class to stdout"]
        {
            assert_eq!(sorted(text), "copy", "{text}");
        }
    }
}
