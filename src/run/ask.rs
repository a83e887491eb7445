//! Questions: one read-only query to what readers see, now, then, or table by table at earlier versions.

use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SQLOptions;

use super::Lake;
use crate::contract::Layer;
use crate::engine::{Asked, At, versions};
use crate::error::{Error, Result};
use crate::table::Table;

impl Lake {
    /// Plans a question to the tables that readers see, or saw at `as_of`. A statement that would change
    /// something is an error.
    pub async fn ask(&self, query: &str, as_of: Option<&str>) -> Result<DataFrame> {
        let catalogue = match as_of {
            Some(as_of) => self.published_as_of(as_of).await?,
            None => self.published().await?,
        };
        let session = self.engine.session(catalogue.clone());
        let plan = match versions(query)? {
            None => session.state().create_logical_plan(query).await?,
            Some((statement, asked)) => {
                for asked in asked {
                    let table = self.table_at(&asked).await?;
                    catalogue.provide(asked.table.layer.as_str(), &asked.alias, table.provider().await?);
                }
                session.state().statement_to_plan(statement).await?
            }
        };
        let read_only =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan)?;
        Ok(session.execute_logical_plan(plan).await?)
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
        Table::open(&self.store, name, Some(version)).await
    }
}
