//! What names mean to a session: tables at fixed versions, mappings, the parameters of a run, and what statements of
//! the session name, which never takes the place of one of these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::datasource::{TableType, ViewTable};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};

use super::arrival::Arrivals;
use crate::contract::TableName;
use crate::project::Mapping;
use crate::table::{Store, Table, Version};

/// The one catalogue that sessions have.
pub const CATALOG: &str = "lake";

/// What a name stands for.
#[derive(Clone)]
enum Entry {
    /// A Delta table at a version, opened when it is first asked for.
    Delta { store: Store, name: TableName, version: Option<Version> },
    /// The same, once it has been asked for.
    Opened { table: Box<Table>, provider: Arc<dyn TableProvider> },
    /// An opened Delta table, or the rows of some of its files.
    Rows { table: Box<Table>, files: Option<BTreeSet<String>> },
    /// The same, in the order in which the rows came.
    Arrivals { table: Box<Table>, files: Option<BTreeSet<String>> },
    /// A table that is there.
    Ready(Arc<dyn TableProvider>),
    /// A mapping, read when it is first asked for.
    Mapping(Mapping),
    /// A promised table without any rows yet.
    Unbuilt,
}

/// The names of a session: schemas, and tables in them.
#[derive(Default)]
pub struct Catalogue {
    schemas: RwLock<BTreeMap<String, Arc<Schema>>>,
}

impl Catalogue {
    /// An empty catalogue.
    pub fn new() -> Arc<Catalogue> {
        Arc::new(Catalogue::default())
    }

    /// `name` means the table of `store` at `version` from now on.
    pub fn pin(&self, store: &Store, name: &TableName, version: Version) {
        self.set(
            name.layer.as_str(),
            &name.table,
            Entry::Delta { store: store.clone(), name: name.clone(), version: Some(version) },
        );
    }

    /// `name` means the table of `store` as it is when it is first asked for.
    pub fn newest(&self, store: &Store, name: &TableName) {
        let entry = Entry::Delta { store: store.clone(), name: name.clone(), version: None };
        self.set(name.layer.as_str(), &name.table, entry);
    }

    /// The name of `table` means its rows at the version it was opened at.
    pub fn open(&self, table: &Table) {
        self.set_rows(table, None);
    }

    /// The name of `table` means those of its rows that lie in the files of these names.
    pub fn open_files(&self, table: &Table, files: &BTreeSet<String>) {
        self.set_rows(table, Some(files.clone()));
    }

    /// The name of a table of bronze means its rows, or those in the files of these names, in the order in which they
    /// came.
    pub fn open_arrivals(&self, table: &Table, files: Option<&BTreeSet<String>>) {
        let entry = Entry::Arrivals { table: Box::new(table.clone()), files: files.cloned() };
        self.set(table.name().layer.as_str(), &table.name().table, entry);
    }

    /// `name` means no rows, and the engine knows it.
    pub fn empty(&self, name: &TableName, schema: &SchemaRef) -> crate::error::Result<()> {
        // Without the columns' descriptions, which the engine would look for in what it makes of nothing.
        let plain =
            schema.fields().iter().map(|f| Field::new(f.name(), f.data_type().clone(), f.is_nullable()));
        let schema = DFSchema::try_from(ArrowSchema::new(plain.collect::<Vec<_>>()))?;
        let nothing = EmptyRelation { produce_one_row: false, schema: Arc::new(schema) };
        let view = ViewTable::new(LogicalPlan::EmptyRelation(nothing), None);
        self.provide(name.layer.as_str(), &name.table, Arc::new(view));
        Ok(())
    }

    fn set_rows(&self, table: &Table, files: Option<BTreeSet<String>>) {
        let entry = Entry::Rows { table: Box::new(table.clone()), files };
        self.set(table.name().layer.as_str(), &table.name().table, entry);
    }

    /// `schema.table` means `provider` from now on.
    pub fn provide(&self, schema: &str, table: &str, provider: Arc<dyn TableProvider>) {
        self.set(schema, table, Entry::Ready(provider));
    }

    /// `schema.table` means nothing any more.
    pub fn forget(&self, schema: &str, table: &str) {
        let schemas = self.schemas.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(schema) = schemas.get(schema) {
            schema.tables.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(table);
        }
    }

    /// `name` is known, but holds nothing yet.
    pub fn promise(&self, name: &TableName) {
        self.set(name.layer.as_str(), &name.table, Entry::Unbuilt);
    }

    /// The name of the mapping means its rows.
    pub fn map(&self, mapping: &Mapping) {
        self.set(mapping.name.layer.as_str(), &mapping.name.table, Entry::Mapping(mapping.clone()));
    }

    /// The table that `name` means, at the version that it means; none where it means something else, or nothing.
    pub async fn table(&self, name: &TableName) -> crate::error::Result<Option<Table>> {
        let schema = self.schema_of(name.layer.as_str());
        match schema.and_then(|schema| schema.entry(&name.table)) {
            Some(Entry::Delta { store, name, version }) => {
                Table::open(&store, &name, version).await.map(Some)
            }
            Some(Entry::Opened { table, .. } | Entry::Rows { table, files: None }) => Ok(Some(*table)),
            _ => Ok(None),
        }
    }

    /// What a statement of the session called `schema.table`: a view, or a table of files.
    pub fn of_session(&self, schema: &str, table: &str) -> Option<Arc<dyn TableProvider>> {
        self.schema_of(schema)?.of_session(table)
    }

    fn schema_of(&self, name: &str) -> Option<Arc<Schema>> {
        self.schemas.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(name).cloned()
    }

    fn set(&self, schema: &str, table: &str, entry: Entry) {
        let mut schemas = self.schemas.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let schema = schemas.entry(schema.into()).or_insert_with(|| Arc::new(Schema::new(schema)));
        schema.tables.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(table.into(), entry);
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.schema_names()).finish()
    }
}

impl CatalogProvider for Catalogue {
    fn schema_names(&self) -> Vec<String> {
        self.schemas.read().unwrap_or_else(std::sync::PoisonError::into_inner).keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.schema_of(name).map(|schema| schema as _)
    }
}

/// One schema: the tables of a layer.
struct Schema {
    name: String,
    tables: RwLock<BTreeMap<String, Entry>>,
    /// What statements of the session named.
    session: RwLock<BTreeMap<String, Arc<dyn TableProvider>>>,
}

impl Schema {
    fn new(name: &str) -> Self {
        Schema { name: name.into(), tables: RwLock::default(), session: RwLock::default() }
    }

    fn remember(&self, table: &str, entry: Entry) {
        let mut tables = self.tables.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        tables.insert(table.into(), entry);
    }

    fn entry(&self, table: &str) -> Option<Entry> {
        self.tables.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(table).cloned()
    }

    fn of_session(&self, table: &str) -> Option<Arc<dyn TableProvider>> {
        self.session.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(table).cloned()
    }

    /// An error if a name is the lake's: no statement gives it another meaning.
    fn check_free(&self, table: &str) -> Result<()> {
        if self.entry(table).is_none() {
            return Ok(());
        }
        let message = format!("`{}.{table}` is of the lake: no statement replaces or drops it", self.name);
        let error = crate::error::Error::invalid(message);
        Err(DataFusionError::External(Box::new(error.hint("what the session names needs another name"))))
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.name).finish()
    }
}

#[async_trait]
impl SchemaProvider for Schema {
    fn table_names(&self) -> Vec<String> {
        let tables = self.tables.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let session = self.session.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        // What stands for an earlier version, such as `rfm@3`, is named by no one but the question that asked.
        let names = tables.keys().filter(|name| !name.contains('@')).chain(session.keys());
        names.cloned().collect()
    }

    async fn table(&self, table: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let external = |e: crate::error::Error| DataFusionError::External(Box::new(e));
        let provider = match self.entry(table) {
            None => return Ok(self.of_session(table)),
            Some(Entry::Ready(provider) | Entry::Opened { provider, .. }) => return Ok(Some(provider)),
            Some(Entry::Unbuilt) => {
                let error =
                    crate::error::Error::invalid(format!("`{}.{table}` has not been built yet", self.name));
                return Err(external(error.hint(
                    "build it with `lake run`, or for a day of the past with `lake run --as-of DATE`",
                )));
            }
            Some(Entry::Mapping(mapping)) => super::mapping_table(&mapping).map_err(external)?,
            Some(Entry::Rows { table, files }) => table.rows(files.as_ref()).await.map_err(external)?,
            Some(Entry::Arrivals { table, files }) => {
                Arrivals::of(&table, files.as_ref()).await.map_err(external)?
            }
            Some(Entry::Delta { store, name, version }) => {
                let opened = Table::open(&store, &name, version).await.map_err(external)?;
                let provider = opened.provider().await.map_err(external)?;
                // What is newest is asked for each time.
                if version.is_none() {
                    return Ok(Some(provider));
                }
                // A name that meanwhile means another version keeps its new meaning.
                if !matches!(self.entry(table), Some(Entry::Delta { version: now, .. }) if now == version) {
                    return Ok(Some(provider));
                }
                let entry = Entry::Opened { table: Box::new(opened), provider: provider.clone() };
                self.remember(table, entry);
                return Ok(Some(provider));
            }
        };
        self.remember(table, Entry::Ready(provider.clone()));
        Ok(Some(provider))
    }

    /// Known without opening anything, so that all tables can be listed while some are not built.
    async fn table_type(&self, table: &str) -> Result<Option<TableType>> {
        let own = self.entry(table).map(|_| TableType::Base);
        Ok(own.or_else(|| self.of_session(table).map(|provider| provider.table_type())))
    }

    fn register_table(
        &self,
        table: String,
        provider: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        self.check_free(&table)?;
        let mut session = self.session.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(session.insert(table, provider))
    }

    fn deregister_table(&self, table: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.check_free(table)?;
        Ok(self.session.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(table))
    }

    fn table_exist(&self, table: &str) -> bool {
        self.entry(table).is_some() || self.of_session(table).is_some()
    }
}
