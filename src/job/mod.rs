//! Jobs: how each table's promise is kept. SQL text in, checked values out; never reads data.
//!
//! A job is `sql/<layer>/<table>.sql`: the path names the table, a header of comments says in prose what
//! it is and how it writes, and one query says its rows. What it reads is read off the query: a table by its
//! name, the rows that came to it since the job last ran as `new.<name>`, what it was then as `old.<name>`, and
//! what it held before its present rows as `last.<name>`.

mod graph;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use datafusion::common::TableReference;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::config::with_nearest;
use crate::contract::TableName;
use crate::error::{Error, Result, io_error};
use crate::learn::Estimator;
pub use graph::Graph;

/// The catalogue in which a table's name means the rows that came to it since the job last ran.
pub const NEW: &str = "new";

/// The catalogue in which a table's name means what it was when the job last ran.
pub const OLD: &str = "old";

/// The catalogue in which a table's name means the content that its present one took the place of.
pub const LAST: &str = "last";

/// The table of one row with what a run was asked for.
pub const PARAMETERS: &str = "lake.parameters";

/// How a job's rows become a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// The rows replace the table's rows.
    Full,
    /// The rows are added to the table's rows.
    Append,
    /// The rows are no table: they stream into the jobs that read them, computed once for all of these.
    Nothing,
}

/// A query with its header.
#[derive(Clone, Debug)]
pub struct Query {
    /// The file it was read from.
    pub path: PathBuf,
    /// The prose of the header.
    pub doc: String,
    /// The text of the query, header included.
    pub sql: String,
    /// The names of the tables it reads, sorted, as written: `schema.table`, or `new.`, `old.` or `last.` before that.
    pub reads: Vec<String>,
    normalised: OnceLock<String>,
}

/// A query that makes a table.
#[derive(Clone, Debug)]
pub struct Job {
    /// The table.
    pub name: TableName,
    /// The query.
    pub query: Query,
    /// How its rows are written.
    pub writes: Writes,
    /// The column of days by which the table grows: rows of later days than it has are added to its rows, and none of
    /// them would have changed by them.
    pub grows_by: Option<String>,
    /// The estimator that learns from the rows; what it gives takes their place.
    pub learns: Option<Estimator>,
}

impl Query {
    /// Reads a query from its file.
    pub fn load(path: &Path) -> Result<Query> {
        let sql = std::fs::read_to_string(path).map_err(|e| io_error("read", path, &e))?;
        let header = header_of(&sql);
        let prose = header.iter().filter(|line| !is_directive(line));
        let doc = prose.copied().collect::<Vec<_>>().join(" ").trim().to_string();
        Query::parse(path, doc, sql)
    }

    /// Reads a query from its text; `path` is where errors point to.
    pub fn parse(path: &Path, doc: String, sql: String) -> Result<Query> {
        let reads = reads_of(path, &sql)?;
        Ok(Query { path: path.into(), doc, sql, reads, normalised: OnceLock::new() })
    }

    /// Its tokens without comments and blanks: equal when and only when the meaning can be. Only what compares
    /// meanings asks for them.
    pub fn normalised(&self) -> &str {
        self.normalised.get_or_init(|| {
            // What was parsed has tokens.
            let tokens = Tokenizer::new(&GenericDialect {}, &self.sql).tokenize().unwrap_or_default();
            // The debug form keeps a quote inside a text apart from the one that ends it.
            let words =
                tokens.iter().filter(|t| !matches!(t, Token::Whitespace(_))).map(|t| format!("{t:?}"));
            words.collect::<Vec<_>>().join(" ")
        })
    }
}

impl Job {
    /// Reads the job of `name` from its file.
    pub fn load(path: &Path, name: TableName) -> Result<Job> {
        let query = Query::load(path)?;
        let (mut writes, mut grows_by, mut learns) = (None, None, None);
        for (number, line) in header_of(&query.sql).iter().enumerate() {
            let Some((key, value)) = line.split_once(':').filter(|_| is_directive(line)) else { continue };
            let error = |message: String| {
                Error::invalid(message).detail(format!("at {}:{}", path.display(), number + 1))
            };
            match (key, value.trim()) {
                ("writes", "full") => writes = Some(Writes::Full),
                ("writes", "append") => writes = Some(Writes::Append),
                ("writes", "nothing") => writes = Some(Writes::Nothing),
                ("writes", other) => {
                    return Err(error(format!("`{name}` cannot write `{other}`"))
                        .hint("`-- writes:` is `full`, `append` or `nothing`"));
                }
                ("grows", column) => grows_by = Some(column.to_string()),
                ("learns", name) => {
                    let known = Estimator::ALL.into_iter().map(Estimator::as_str);
                    let unknown = || error(format!("there is no estimator `{name}`"));
                    learns =
                        Some(Estimator::named(name).ok_or_else(|| with_nearest(unknown(), name, known))?);
                }
                (key, _) => {
                    let error = error(format!("unknown header `{key}`"));
                    return Err(with_nearest(error, key, ["grows", "learns", "writes"].into_iter()));
                }
            }
        }
        let writes = writes.ok_or_else(|| {
            Error::invalid(format!("`{name}` does not say how it writes"))
                .detail(format!("in {}", path.display()))
                .hint("add the line `-- writes: full` to the header")
        })?;
        if learns.is_some() && writes != Writes::Nothing {
            return Err(Error::invalid(format!("`{name}` learns and writes"))
                .detail(format!("in {}", path.display()))
                .hint("let it write nothing, and let a table read what it learns"));
        }
        if grows_by.is_some() && writes != Writes::Full {
            return Err(Error::invalid(format!("`{name}` grows, but does not write its rows whole"))
                .detail(format!("in {}", path.display()))
                .hint("`-- grows:` goes with `-- writes: full`"));
        }
        Ok(Job { name, query, writes, grows_by, learns })
    }

    /// The tables of the lake it reads, whole or what is new of them.
    pub fn reads(&self) -> impl Iterator<Item = TableName> + '_ {
        self.whole().chain(self.new_rows_of())
    }

    /// The tables it reads whole, as they are.
    pub fn whole(&self) -> impl Iterator<Item = TableName> + '_ {
        self.query.reads.iter().filter_map(|name| TableName::parse(name))
    }

    /// The tables of which it reads what is new.
    pub fn new_rows_of(&self) -> impl Iterator<Item = TableName> + '_ {
        self.prefixed(NEW)
    }

    /// The tables it reads as they were when it last ran.
    pub fn old_rows_of(&self) -> impl Iterator<Item = TableName> + '_ {
        self.prefixed(OLD)
    }

    /// The tables of which it reads the content before the present one. That of a table that is being built is
    /// what is published.
    pub fn last_rows_of(&self) -> impl Iterator<Item = TableName> + '_ {
        self.prefixed(LAST)
    }

    /// Whether it reads what the run was asked for, such as the day to look back from.
    pub fn reads_parameters(&self) -> bool {
        self.query.reads.iter().any(|read| read == PARAMETERS)
    }

    fn prefixed<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = TableName> + 'a {
        let names =
            self.query.reads.iter().filter_map(move |name| name.strip_prefix(prefix)?.strip_prefix('.'));
        names.filter_map(TableName::parse)
    }
}

/// The comment lines before the query, without their dashes.
fn header_of(sql: &str) -> Vec<&str> {
    sql.lines().map_while(|line| line.strip_prefix("--")).map(str::trim).collect()
}

/// A header line such as `writes: full`: one lower-case word and a colon.
fn is_directive(line: &str) -> bool {
    line.split_once(": ")
        .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase()))
}

/// The tables a file's one query names, common table expressions left out.
fn reads_of(path: &Path, sql: &str) -> Result<Vec<String>> {
    let place = |error: Error| error.detail(format!("in {}", path.display()));
    let statements = DFParser::parse_sql(sql).map_err(|e| place(e.into()))?;
    let [statement] = statements.iter().collect::<Vec<_>>()[..] else {
        return Err(place(Error::invalid(format!("expected one query, found {}", statements.len()))));
    };
    if !is_query(statement) {
        return Err(place(Error::invalid("expected a query, found another statement")));
    }
    let (tables, _) = resolve_table_references(statement, true).map_err(|e| place(e.into()))?;
    let mut names: Vec<String> = tables.iter().map(TableReference::to_string).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn is_query(statement: &Statement) -> bool {
    use datafusion::sql::sqlparser::ast;
    matches!(statement, Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_)))
}

#[cfg(test)]
mod tests;
