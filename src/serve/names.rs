//! The names that one client may use: the tables of the layers it may read, as they were last published.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;

use super::Cause;
use super::reader::Seen;
use crate::contract::Layer;
use crate::error::Error;

/// A catalogue that only reads, and that follows what is published.
pub struct Names {
    seen: RwLock<Arc<Seen>>,
    layers: BTreeSet<Layer>,
    /// Schemas that a protocol adds for its clients.
    own: RwLock<BTreeMap<String, Arc<dyn SchemaProvider>>>,
}

impl Names {
    /// The tables of these layers.
    pub(super) fn new(seen: Arc<Seen>, layers: BTreeSet<Layer>) -> Arc<Names> {
        Arc::new(Names { seen: RwLock::new(seen), layers, own: RwLock::default() })
    }

    /// Names mean what is seen now.
    pub(super) fn follow(&self, seen: &Arc<Seen>) {
        let mut mine = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&mine, seen) {
            *mine = seen.clone();
        }
    }

    /// What the client sees.
    pub(super) fn seen(&self) -> Arc<Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn may_read(&self, schema: &str) -> bool {
        self.layers.iter().any(|layer| layer.as_str() == schema)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.schema_names()).finish()
    }
}

impl CatalogProvider for Names {
    fn schema_names(&self) -> Vec<String> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = self.seen().catalogue.schema_names();
        names.retain(|name| self.may_read(name));
        names.extend(own.keys().cloned());
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if let Some(own) = self.own.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Some(own.clone());
        }
        let seen = self.seen();
        let schema = seen.catalogue.schema(name)?;
        let is_open = self.may_read(name);
        Some(Arc::new(Published { name: name.into(), schema, seen, is_open }))
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> Result<Option<Arc<dyn SchemaProvider>>> {
        Ok(self.own.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), schema))
    }
}

/// A layer as a client sees it: the tables that are there, or none where it may not read.
struct Published {
    name: String,
    schema: Arc<dyn SchemaProvider>,
    seen: Arc<Seen>,
    is_open: bool,
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Published").field(&self.name).finish()
    }
}

#[async_trait]
impl SchemaProvider for Published {
    fn table_names(&self) -> Vec<String> {
        let tables = self.seen.tables.get(&self.name).filter(|_| self.is_open);
        tables.into_iter().flatten().cloned().collect()
    }

    async fn table(&self, table: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !self.is_open {
            let error = Error::invalid(format!("permission denied for schema `{}`", self.name))
                .hint("another user may read it, or `layers` in the users file can be widened");
            return Err(DataFusionError::External(Box::new(Cause::Denied.of(error))));
        }
        self.schema.table(table).await
    }

    async fn table_type(&self, table: &str) -> Result<Option<TableType>> {
        self.schema.table_type(table).await
    }

    fn table_exist(&self, table: &str) -> bool {
        self.schema.table_exist(table)
    }
}
