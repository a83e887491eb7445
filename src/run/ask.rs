//! Questions: one read-only query to what readers see, now, then, or table by table at earlier versions.

use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SQLOptions;
use datafusion::sql::parser::Statement;
use datafusion::sql::resolve::resolve_table_references;

use super::as_of::day_of;
use super::{Lake, Published};
use crate::contract::{Layer, TableName};
use crate::engine::{Asked, At, versions};
use crate::error::{Error, Result};
use crate::table::Table;

impl Lake {
    /// Plans a question to the tables that readers see, or saw at `as_of`. A statement that would change
    /// something is an error.
    pub async fn ask(&self, query: &str, as_of: Option<&str>) -> Result<DataFrame> {
        let then = match as_of.filter(|as_of| day_of(as_of).is_none()) {
            Some(as_of) => Some(self.publication_as_of(as_of).await?),
            None => None,
        };
        let catalogue = match (&then, as_of.and_then(day_of)) {
            (Some(then), _) => self.published_then(then).await?,
            (None, Some(day)) => self.known_as_of(day).await?,
            (None, None) => self.published().await?,
        };
        let session = self.engine.session(catalogue.clone());
        let state = session.state();
        let (statement, asked) = match versions(query)? {
            None => {
                (state.sql_to_statement(query, &state.config().options().sql_parser.dialect)?, Vec::new())
            }
            Some(versions) => versions,
        };
        for asked in asked {
            let table = self.table_at(&asked).await?;
            catalogue.provide(asked.table.layer.as_str(), &asked.alias, table.provider().await?);
        }
        if let Some(then) = &then {
            self.check_readable(&statement, then).await?;
        }
        let plan = state.statement_to_plan(statement).await?;
        let read_only =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan)?;
        Ok(session.execute_logical_plan(plan).await?)
    }

    /// An error if a table that a statement reads was not published then, or its files are gone since.
    async fn check_readable(&self, statement: &Statement, then: &Published) -> Result<()> {
        for read in resolve_table_references(statement, true)?.0 {
            let name = TableName::parse(&format!("{}.{}", read.schema().unwrap_or("gold"), read.table()));
            let Some(name) = name.filter(|name| self.project.contracts.contains_key(name)) else { continue };
            let Some(version) = then.tables.get(&name) else {
                let published_at = then.published_at.format("%Y-%m-%d %H:%M:%S");
                return Err(Error::invalid(format!("`{name}` was not published then"))
                    .detail(format!("run {} published without it at {published_at}", then.run_id))
                    .hint("`lake publications` lists what was published when"));
            };
            Table::open(&self.store, &name, Some(*version)).await?.check_files().await?;
        }
        Ok(())
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
