//! What there is to be asked: schemas, tables, keys, types, and what the server can do.

use std::sync::Arc;

use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::sql::{
    Command, CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables,
    UpdateDeleteRules,
};
use datafusion::arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, UInt8Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::CatalogProvider;
use tonic::Status;

use super::info::{sql_info, types};
use super::rows::plain;
use super::service::not_taken;
use super::status::{failed, mistaken, status};
use crate::contract::{Check, Contract, TableName};
use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::serve::{Reader, Refusal, Role};

/// What all tables are.
const TABLE: &str = "TABLE";

/// Answers questions about the lake.
pub struct Metadata {
    reader: Arc<Reader>,
    info: SqlInfoData,
    types: XdbcTypeInfoData,
}

impl Metadata {
    /// Answers from what a reader sees.
    pub fn new(reader: Arc<Reader>) -> Result<Metadata> {
        let wrong = |e: FlightError| Error::internal(e.to_string());
        let (info, types) = (sql_info(&reader).map_err(wrong)?, types().map_err(wrong)?);
        Ok(Metadata { reader, info, types })
    }

    /// The answer to a command.
    pub async fn answer(&self, role: &Role, command: Command) -> Result<RecordBatch, Status> {
        let batch = match command {
            Command::CommandGetCatalogs(command) => catalogs(command),
            Command::CommandGetDbSchemas(command) => schemas(&*self.names(role).await?, command),
            Command::CommandGetTables(command) => {
                return self.tables(&*self.names(role).await?, command).await;
            }
            Command::CommandGetTableTypes(command) => table_types(command),
            Command::CommandGetSqlInfo(command) => command.into_builder(&self.info).build(),
            Command::CommandGetXdbcTypeInfo(command) => command.into_builder(&self.types).build(),
            Command::CommandGetPrimaryKeys(asked) => {
                let asked = Asked(&asked.catalog, &asked.db_schema, &asked.table);
                primary_keys(&self.contracts(role).await?, &asked)
            }
            Command::CommandGetExportedKeys(asked) => {
                let to = Asked(&asked.catalog, &asked.db_schema, &asked.table);
                foreign_keys(&self.contracts(role).await?, Some(&to), None)
            }
            Command::CommandGetImportedKeys(asked) => {
                let from = Asked(&asked.catalog, &asked.db_schema, &asked.table);
                foreign_keys(&self.contracts(role).await?, None, Some(&from))
            }
            Command::CommandGetCrossReference(asked) => {
                let to = Asked(&asked.pk_catalog, &asked.pk_db_schema, &asked.pk_table);
                let from = Asked(&asked.fk_catalog, &asked.fk_db_schema, &asked.fk_table);
                foreign_keys(&self.contracts(role).await?, Some(&to), Some(&from))
            }
            other => return Err(not_taken(other.type_url())),
        };
        batch.map_err(mistaken)
    }

    /// The schemas and tables that a role may read.
    async fn names(&self, role: &Role) -> Result<Arc<dyn CatalogProvider>, Status> {
        let client = self.reader.client(&role.layers).await.map_err(failed)?;
        client.context.catalog(CATALOG).ok_or_else(|| mistaken("a session without names"))
    }

    /// The contracts of the tables that a role may read.
    async fn contracts(&self, role: &Role) -> Result<Vec<&Contract>, Status> {
        let names = self.names(role).await?;
        // A layer that the role may not read is a schema without tables.
        let is_there = |name: &TableName| {
            let tables = names.schema(name.layer.as_str());
            tables.is_some_and(|tables| tables.table_names().contains(&name.table))
        };
        let contracts = self.reader.lake.project.contracts.values();
        Ok(contracts.filter(|contract| is_there(&contract.name)).collect())
    }

    async fn tables(
        &self,
        names: &dyn CatalogProvider,
        command: CommandGetTables,
    ) -> Result<RecordBatch, Status> {
        let mut tables = command.into_builder();
        for schema in names.schema_names() {
            let Some(provider) = names.schema(&schema) else { continue };
            for table in provider.table_names() {
                let columns = match tables.include_schema() {
                    false => Schema::empty(),
                    true => {
                        let opened = provider.table(&table).await;
                        let opened = opened.map_err(|e| status(Refusal::new(&self.reader.lake, e)))?;
                        opened.map_or(Schema::empty(), |t| described(&schema, &table, &t.schema()))
                    }
                };
                tables.append(CATALOG, &schema, &table, TABLE, &columns).map_err(mistaken)?;
            }
        }
        tables.build().map_err(mistaken)
    }
}

fn catalogs(command: CommandGetCatalogs) -> Result<RecordBatch, FlightError> {
    let mut catalogs = command.into_builder();
    catalogs.append(CATALOG);
    catalogs.build()
}

fn schemas(names: &dyn CatalogProvider, command: CommandGetDbSchemas) -> Result<RecordBatch, FlightError> {
    let mut schemas = command.into_builder();
    names.schema_names().iter().for_each(|schema| schemas.append(CATALOG, schema));
    schemas.build()
}

fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch, FlightError> {
    let mut types = command.into_builder();
    types.append(TABLE);
    types.build()
}

/// The columns of a table in types that clients know, each with what Flight SQL says of columns.
fn described(schema: &str, table: &str, columns: &Schema) -> Schema {
    let described = columns.fields().iter().map(|field| {
        let say = |key: &str, value: &str| (format!("ARROW:FLIGHT:SQL:{key}"), value.to_string());
        let mut said = vec![
            say("CATALOG_NAME", CATALOG),
            say("SCHEMA_NAME", schema),
            say("TABLE_NAME", table),
            say("TYPE_NAME", &Contract::type_name(field.data_type())),
            say("IS_READ_ONLY", "1"),
            say("IS_SEARCHABLE", "1"),
        ];
        said.extend(field.metadata().get("comment").map(|comment| say("REMARKS", comment)));
        if let DataType::Decimal128(precision, scale) = field.data_type() {
            said.extend([say("PRECISION", &precision.to_string()), say("SCALE", &scale.to_string())]);
        }
        Field::new(field.name(), plain(field.data_type()), field.is_nullable())
            .with_metadata(said.into_iter().collect())
    });
    Schema::new(described.collect::<Vec<_>>())
}

/// A table that a command names: catalogue, schema, table. Where the first two are not said, any will do.
struct Asked<'a>(&'a Option<String>, &'a Option<String>, &'a str);

impl Asked<'_> {
    fn is(&self, name: &TableName) -> bool {
        self.0.as_ref().is_none_or(|catalog| catalog == CATALOG)
            && self.1.as_ref().is_none_or(|schema| schema == name.layer.as_str())
            && self.2 == name.table
    }
}

/// The columns of the keys that contracts promise, as the protocol lays them out.
fn primary_keys(contracts: &[&Contract], asked: &Asked) -> Result<RecordBatch, FlightError> {
    let keys = contracts.iter().filter(|contract| asked.is(&contract.name)).flat_map(|contract| {
        (1..).zip(&contract.key).map(move |(place, column)| (&contract.name, column.as_str(), place))
    });
    let keys: Vec<(&TableName, &str, i32)> = keys.collect();
    let text = |of: &dyn Fn(&TableName, &str) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(keys.iter().map(|(name, column, _)| of(name, column))))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|_, _| CATALOG.into()),
        text(&|name, _| name.layer.as_str().into()),
        text(&|name, _| name.table.clone()),
        text(&|_, column| column.into()),
        text(&|name, _| key_name(name)),
        Arc::new(Int32Array::from_iter_values(keys.iter().map(|(_, _, place)| *place))),
    ];
    let schema = Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]);
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

fn key_name(name: &TableName) -> String {
    format!("{}_key", name.table)
}

/// A column whose values a contract expects to be keys of another table.
struct Foreign<'a> {
    to: &'a TableName,
    to_column: &'a str,
    from: &'a TableName,
    from_column: &'a str,
    /// The name of the expectation.
    name: &'a str,
}

/// What contracts expect to be keys of other tables, `to` one table and `from` one where these are asked for. As in
/// SQL, only the whole key of a table is referred to.
fn foreign_keys(
    contracts: &[&Contract],
    to: Option<&Asked>,
    from: Option<&Asked>,
) -> Result<RecordBatch, FlightError> {
    let all = contracts.iter().flat_map(|contract| {
        contract.expectations.iter().filter_map(move |(name, expectation)| {
            let Check::References(references) = &expectation.check else { return None };
            let from_column = references.column.as_str();
            let to_column = references.to.as_deref().unwrap_or(from_column);
            let (to, from) = (&references.table, &contract.name);
            Some(Foreign { to, to_column, from, from_column, name: name.as_str() })
        })
    });
    let mut found: Vec<Foreign> = all
        .filter(|key| to.is_none_or(|to| to.is(key.to)) && from.is_none_or(|from| from.is(key.from)))
        .filter(|key| contracts.iter().any(|c| c.name == *key.to && c.key == [key.to_column]))
        .collect();
    found.sort_by_key(|key| (key.to, key.from, key.from_column));
    foreign_batch(&found)
}

/// Foreign keys, as the protocol lays them out.
fn foreign_batch(found: &[Foreign]) -> Result<RecordBatch, FlightError> {
    let text = |of: &dyn Fn(&Foreign) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(found.iter().map(of)))
    };
    let rule = || -> ArrayRef {
        let rules = found.iter().map(|_| UpdateDeleteRules::NoAction as u8);
        Arc::new(UInt8Array::from_iter_values(rules))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|_| CATALOG.into()),
        text(&|key| key.to.layer.as_str().into()),
        text(&|key| key.to.table.clone()),
        text(&|key| key.to_column.into()),
        text(&|_| CATALOG.into()),
        text(&|key| key.from.layer.as_str().into()),
        text(&|key| key.from.table.clone()),
        text(&|key| key.from_column.into()),
        Arc::new(Int32Array::from_iter_values(found.iter().map(|_| 1))),
        text(&|key| key.name.into()),
        text(&|key| key_name(key.to)),
        rule(),
        rule(),
    ];
    let schema = Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]);
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}
