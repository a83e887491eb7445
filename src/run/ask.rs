//! Questions: statements of one reader to what readers see, now, then, or table by table at earlier versions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::resolve::resolve_table_references;

use super::as_of::day_of;
use super::{Lake, Past, Published};
use crate::contract::{Layer, TableName};
use crate::engine::{Asked, At, Catalogue, check_depth, history, versions};
use crate::error::{Error, Result};
use crate::table::Table;

/// What one reader sees, in a session that keeps its own settings and views.
pub struct Session<'a> {
    lake: &'a Lake,
    /// The session of the engine.
    pub context: SessionContext,
    /// What names mean in it.
    pub catalogue: Arc<Catalogue>,
    then: Option<Published>,
}

impl Lake {
    /// Plans a question to the tables that readers see, or saw at `as_of`. A statement that would change
    /// something is an error.
    pub async fn ask(&self, query: &str, as_of: Option<&str>) -> Result<DataFrame> {
        let session = self.session(as_of).await?;
        let plan = session.plan(query).await?;
        reads_only(&plan)?;
        session.execute(plan).await
    }

    /// A session that sees what readers see now, or saw at `as_of`: a run, a day, an instant, or `as-of-DATE`.
    pub async fn session(&self, as_of: Option<&str>) -> Result<Session<'_>> {
        match as_of {
            Some(_) => self.publication_session(as_of).await.map(|(_, session)| session),
            None => Ok(self.session_on(self.published().await?, None)),
        }
    }

    /// One publication, the newest or that which `as_of` means, and a session that sees its tables whatever is
    /// published meanwhile.
    pub async fn publication_session(&self, as_of: Option<&str>) -> Result<(Published, Session<'_>)> {
        if let Some(day) = as_of.and_then(day_of) {
            let (known, catalogue) = self.known_as_of(day).await?;
            return Ok((known, self.session_on(catalogue, None)));
        }
        let then = match as_of {
            Some(as_of) => self.publication_as_of(as_of).await?,
            None => self.publications().await?.into_iter().next().ok_or_else(|| {
                Error::invalid("nothing is published yet").hint("`lake run` builds and publishes")
            })?,
        };
        let catalogue = self.published_then(&then).await?;
        Ok((then.clone(), self.session_on(catalogue, Some(then))))
    }

    fn session_on(&self, catalogue: Arc<Catalogue>, then: Option<Published>) -> Session<'_> {
        let context = self.engine.session(catalogue.clone());
        Session { lake: self, context, catalogue, then }
    }

    /// What SQL does not know, put into words that it does: earlier versions of tables and their histories become
    /// names of `catalogue`. None where a statement needs nothing of the kind.
    /// A statement that is deeper than the engine can follow is an error.
    pub async fn translate(&self, catalogue: &Catalogue, statement: &str) -> Result<Option<String>> {
        check_depth(statement)?;
        if let Some(name) = history(statement) {
            let name = name?;
            let alias = format!("{}@history", name.table);
            let past = past_table(&self.history(&name, usize::MAX).await?)?;
            catalogue.provide(name.layer.as_str(), &alias, Arc::new(past));
            return Ok(Some(format!("select * from {}.\"{alias}\"", name.layer.as_str())));
        }
        let Some((statement, asked)) = versions(statement)? else { return Ok(None) };
        for asked in asked {
            let table = self.table_at(&asked).await?;
            catalogue.provide(asked.table.layer.as_str(), &asked.alias(), table.provider().await?);
        }
        Ok(Some(statement.to_string()))
    }

    /// What an error of the engine means to who asked: an unknown table is told the nearest one, or what its name
    /// means elsewhere.
    pub fn explain(&self, error: DataFusionError) -> Error {
        let error = Error::from(error);
        let unknown =
            error.message().split_once("table '").and_then(|(_, rest)| rest.split_once("' not found"));
        let Some((name, _)) = unknown else { return error };
        let explained = self.project.unknown_name(name.strip_prefix("lake.").unwrap_or(name));
        match error.place() {
            Some(place) => explained.at(place),
            None => explained,
        }
    }

    async fn table_at(&self, asked: &Asked) -> Result<Table> {
        let name = &asked.table;
        if name.layer != Layer::Ops {
            self.project.contract(name)?;
        }
        let version = match &asked.at {
            At::Version(version) => *version,
            At::Timestamp(instant) => {
                let published = self.publication_as_of(instant).await?;
                *published
                    .tables
                    .get(name)
                    .ok_or_else(|| Error::invalid(format!("`{name}` had not been published by {instant}")))?
            }
        };
        let newest = Table::open(&self.store, name, None).await?.version();
        if newest.is_none_or(|newest| version > newest) {
            let known =
                newest.map_or("none has been built".to_string(), |newest| format!("the newest is {newest}"));
            return Err(Error::invalid(format!("`{name}` has no version {version}"))
                .detail(known)
                .hint(format!("`lake history {name}` lists them")));
        }
        let table = Table::open(&self.store, name, Some(version)).await?;
        table.check_files().await?;
        Ok(table)
    }
}

impl Session<'_> {
    /// Plans one statement.
    pub async fn plan(&self, text: &str) -> Result<LogicalPlan> {
        let translated = self.lake.translate(&self.catalogue, text).await?;
        let state = self.context.state();
        let dialect = &state.config().options().sql_parser.dialect;
        let statement = state.sql_to_statement(translated.as_deref().unwrap_or(text), dialect)?;
        if let Some(then) = &self.then {
            self.check_readable(&statement, then).await?;
        }
        state.statement_to_plan(statement).await.map_err(|e| self.lake.explain(e))
    }

    /// Does what a plan of this session says; a query begins when its rows are asked for.
    pub async fn execute(&self, plan: LogicalPlan) -> Result<DataFrame> {
        self.context.execute_logical_plan(plan).await.map_err(|e| self.lake.explain(e))
    }

    /// An error if a table that a statement reads was not published then, or its files are gone since.
    async fn check_readable(&self, statement: &Statement, then: &Published) -> Result<()> {
        for read in resolve_table_references(statement, true)?.0 {
            let name = TableName::parse(&format!("{}.{}", read.schema().unwrap_or("gold"), read.table()));
            let Some(name) = name.filter(|name| self.lake.project.contracts.contains_key(name)) else {
                continue;
            };
            let Some(version) = then.tables.get(&name) else {
                let published_at = then.published_at.format("%Y-%m-%d %H:%M:%S");
                return Err(Error::invalid(format!("`{name}` was not published then"))
                    .detail(format!("run {} published without it at {published_at}", then.run_id))
                    .hint("`lake publications` lists what was published when"));
            };
            Table::open(&self.lake.store, &name, Some(*version)).await?.check_files().await?;
        }
        Ok(())
    }
}

/// An error if a plan would change something: a table, a session, a file.
pub fn reads_only(plan: &LogicalPlan) -> Result<()> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan).map_err(|_| {
        Error::invalid("SQL only reads here, and this statement would change something")
            .hint("tables are made by the jobs in sql/ and `lake run`")
    })
}

/// The versions of a table as a table, newest first.
fn past_table(past: &[Past]) -> Result<MemTable> {
    let text = |of: &dyn Fn(&Past) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(past.iter().map(of)))
    };
    let micros = |at: DateTime<Utc>| at.timestamp_micros();
    let at = past.iter().map(|past| past.entry.committed_at.map(micros));
    let inputs = |past: &Past| {
        let inputs = &past.entry.record.as_ref()?.inputs;
        let named: Vec<String> = inputs.iter().map(|(name, version)| format!("{name} {version}")).collect();
        Some(named.join(", "))
    };
    let columns: [(&str, ArrayRef); 7] = [
        ("version", Arc::new(UInt64Array::from_iter_values(past.iter().map(|past| past.entry.version)))),
        ("timestamp", Arc::new(TimestampMicrosecondArray::from_iter(at).with_timezone("UTC"))),
        ("operation", text(&|past| Some(past.entry.operation.clone()))),
        ("rows", {
            let rows = past.iter().map(|past| past.entry.record.as_ref().map(|record| record.rows));
            Arc::new(UInt64Array::from_iter(rows))
        }),
        ("run_id", text(&|past| past.entry.record.as_ref().map(|record| record.run_id.clone()))),
        ("is_published", Arc::new(BooleanArray::from_iter(past.iter().map(|past| Some(past.is_published))))),
        ("made_from", text(&inputs)),
    ];
    let batch = RecordBatch::try_from_iter(columns).map_err(|e| Error::internal(e.to_string()))?;
    Ok(MemTable::try_new(batch.schema(), vec![vec![batch]])?)
}
