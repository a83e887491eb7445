//! PostgreSQL's own catalogue: the tables and functions that drivers and tools ask before they ask for data.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, StringArray, StringBuilder,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, SchemaRef};
use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList};
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::datasource::TableType;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::{
    PgCatalogSchemaProvider, PgCatalogStaticTables, setup_pg_catalog,
};

use super::settings::{SERVER_VERSION, default_of};
use super::system::{Looked, System};
use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::serve::{Client, Reader};

/// What the catalogues of all connections share; making it takes some ten milliseconds.
pub(super) struct Catalogue {
    state: SessionState,
    tables: Arc<PgCatalogStaticTables>,
}

impl Catalogue {
    /// Reads the tables that are the same for all, and makes the functions.
    pub(super) async fn new(reader: &Reader) -> Result<Catalogue> {
        let context = reader.client(&BTreeSet::new()).await?.context;
        setup_pg_catalog(&context, CATALOG, EmptyContextProvider).map_err(|error| Error::from(*error))?;
        for function in functions() {
            context.register_udf(function);
        }
        let state = SessionStateBuilder::new_from_existing(context.state())
            .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
            .build();
        Ok(Catalogue { state, tables: Arc::new(PgCatalogStaticTables::try_new()?) })
    }

    /// Gives a client the catalogue of its own tables.
    pub(super) fn install(&self, client: &Client, user: &str) -> Result<Looked> {
        let context = &client.context;
        let own = context.state();
        let state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_catalog_list(own.catalog_list().clone())
            .with_runtime_env(own.runtime_env().clone())
            .build();
        *context.state_ref().write() = state;
        let names = Names(Arc::downgrade(own.catalog_list()));
        let library = PgCatalogSchemaProvider::try_new(names, self.tables.clone(), EmptyContextProvider)?;
        let (user, looked) = (ScalarValue::from(user), Looked::default());
        let tables = System::new(Arc::new(library), self.tables.clone(), looked.clone());
        context
            .catalog(CATALOG)
            .ok_or_else(|| Error::internal(format!("there is no catalogue `{CATALOG}`")))?
            .register_schema("pg_catalog", Arc::new(tables))?;
        context.register_udf(constant("session_user", user));
        context.register_udf(is_visible(looked.clone()));
        context.register_udf(description("obj_description", looked.clone(), |_| Ok(None)));
        context.register_udf(description("col_description", looked.clone(), |args| {
            argument(args, 1, &DataType::Int32)
        }));
        Ok(looked)
    }
}

/// The names of a session. It does not keep them alive: they hold the tables that hold it.
#[derive(Clone, Debug)]
struct Names(Weak<dyn CatalogProviderList>);

#[async_trait]
impl CatalogInfo for Names {
    async fn catalog_names(&self) -> EngineResult<Vec<String>> {
        match self.0.upgrade() {
            Some(list) => CatalogInfo::catalog_names(&list).await,
            None => Ok(Vec::new()),
        }
    }

    async fn schema_names(&self, catalog: &str) -> EngineResult<Option<Vec<String>>> {
        match self.0.upgrade() {
            Some(list) => list.schema_names(catalog).await,
            None => Ok(None),
        }
    }

    async fn table_names(&self, catalog: &str, schema: &str) -> EngineResult<Option<Vec<String>>> {
        match self.0.upgrade() {
            Some(list) => list.table_names(catalog, schema).await,
            None => Ok(None),
        }
    }

    async fn table_schema(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> EngineResult<Option<SchemaRef>> {
        match self.0.upgrade() {
            Some(list) => list.table_schema(catalog, schema, table).await,
            None => Ok(None),
        }
    }

    async fn table_type(&self, catalog: &str, schema: &str, table: &str) -> EngineResult<Option<TableType>> {
        match self.0.upgrade() {
            Some(list) => list.table_type(catalog, schema, table).await,
            None => Ok(None),
        }
    }
}

/// Functions that are the same for all connections, instead of the library's or beside them.
fn functions() -> Vec<ScalarUDF> {
    let number = ScalarValue::Int64(Some(0));
    let (yes, no) = (ScalarValue::Boolean(Some(true)), ScalarValue::Boolean(Some(false)));
    let mut functions = vec![
        constant("version", ScalarValue::from(format!("PostgreSQL {SERVER_VERSION}, DataFusion"))),
        constant("pg_get_userbyid", ScalarValue::from("lake")),
        constant("pg_size_pretty", ScalarValue::from("0 bytes")),
        constant("pg_is_in_recovery", no.clone()),
        constant("pg_is_other_temp_schema", no.clone()),
        constant("pg_column_is_updatable", no),
        constant("pg_relation_is_updatable", ScalarValue::Int32(Some(0))),
        constant("pg_my_temp_schema", ScalarValue::Int32(Some(0))),
        // That of UTF-8.
        constant("pg_char_to_encoding", ScalarValue::Int32(Some(6))),
        constant("getdatabaseencoding", ScalarValue::from("UTF8")),
        function("current_schema", DataType::Utf8, |args| {
            Ok(ColumnarValue::Scalar(ScalarValue::from(args.config_options.catalog.default_schema.as_str())))
        }),
        function("current_schemas", DataType::List(list_item()), current_schemas),
        function("current_setting", DataType::Utf8, current_setting),
        // Settings are told with SET: here it is said what they are, and stay.
        function("set_config", DataType::Utf8, current_setting),
        constant("to_regtype", ScalarValue::Int32(None)),
    ];
    functions.extend(NULLS.map(|name| constant(name, ScalarValue::Utf8(None))));
    functions.extend(SIZES.map(|name| constant(name, number.clone())));
    functions.extend(VISIBLE.map(|name| constant(name, yes.clone())));
    functions.extend(PRIVILEGES.map(|name| function(name, DataType::Boolean, has_privilege)));
    functions
}

/// What is told of things that there are none of.
const NULLS: [&str; 18] = [
    "_pg_expandarray",
    "shobj_description",
    "json_build_object",
    "pg_advisory_unlock_all",
    "pg_describe_object",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "inet_client_addr",
    "inet_server_addr",
];

const SIZES: [&str; 4] = ["pg_database_size", "pg_indexes_size", "pg_table_size", "pg_tablespace_size"];

const VISIBLE: [&str; 12] = [
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_function_is_visible",
    "pg_opclass_is_visible",
    "pg_operator_is_visible",
    "pg_opfamily_is_visible",
    "pg_statistics_obj_is_visible",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
    "pg_type_is_visible",
];

const PRIVILEGES: [&str; 8] = [
    "has_any_column_privilege",
    "has_column_privilege",
    "has_database_privilege",
    "has_function_privilege",
    "has_schema_privilege",
    "has_sequence_privilege",
    "has_table_privilege",
    "pg_has_role",
];

type Call = dyn Fn(&ScalarFunctionArgs) -> EngineResult<ColumnarValue> + Send + Sync;

/// A function that takes anything; its name says which.
struct Function {
    name: &'static str,
    signature: Signature,
    returns: DataType,
    call: Arc<Call>,
}

fn function(
    name: &'static str,
    returns: DataType,
    call: impl Fn(&ScalarFunctionArgs) -> EngineResult<ColumnarValue> + Send + Sync + 'static,
) -> ScalarUDF {
    let anything = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
    let signature = Signature::one_of(anything, Volatility::Stable);
    ScalarUDF::from(Function { name, signature, returns, call: Arc::new(call) })
}

/// A function that always gives the same.
fn constant(name: &'static str, value: ScalarValue) -> ScalarUDF {
    function(name, value.data_type(), move |_| Ok(ColumnarValue::Scalar(value.clone())))
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.call, &other.call)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        (self.call)(&args)
    }
}

fn list_item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Utf8, true))
}

/// The argument at a place as an array, where there is one.
fn argument(args: &ScalarFunctionArgs, at: usize, data_type: &DataType) -> EngineResult<Option<ArrayRef>> {
    let Some(argument) = args.args.get(at) else { return Ok(None) };
    let array = argument.clone().into_array(args.number_rows)?;
    Ok(Some(cast(&array, data_type)?))
}

/// The schemas that are searched, with PostgreSQL's own where the argument says so.
fn current_schemas(args: &ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
    let with_system = match args.args.first() {
        Some(ColumnarValue::Scalar(ScalarValue::Boolean(Some(implicit)))) => *implicit,
        _ => false,
    };
    let system = with_system.then_some("pg_catalog");
    let schemas = system.into_iter().chain([args.config_options.catalog.default_schema.as_str()]);
    let values = StringArray::from_iter_values(schemas);
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let list = ListArray::try_new(list_item(), offsets, Arc::new(values), None)?;
    Ok(ColumnarValue::Scalar(ScalarValue::List(Arc::new(list))))
}

/// What a setting is where nothing was set; the schema that is searched as it is set.
fn current_setting(args: &ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
    let Some(names) = argument(args, 0, &DataType::Utf8)? else {
        return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
    };
    let mut values = StringBuilder::new();
    for name in names.as_string::<i32>() {
        values.append_option(match name.map(str::to_lowercase).as_deref() {
            Some("search_path") => Some(args.config_options.catalog.default_schema.as_str()),
            Some(name) => default_of(name),
            None => None,
        });
    }
    Ok(ColumnarValue::Array(Arc::new(values.finish())))
}

/// Whether something may be done: reading, and what goes with it. The last argument says what.
fn has_privilege(args: &ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
    let Some(privileges) = argument(args, args.args.len().saturating_sub(1), &DataType::Utf8)? else {
        return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
    };
    let allowed = ["select", "usage", "connect", "execute", "member"];
    let is_allowed = |privilege: &str| {
        let mut privileges = privilege.split(',').map(|privilege| privilege.trim().to_lowercase());
        privileges.any(|privilege| allowed.contains(&privilege.as_str()))
    };
    let answers = privileges.as_string::<i32>().iter().map(|privilege| privilege.map(is_allowed));
    Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
}

/// Whether a table needs no schema in front.
fn is_visible(looked: Looked) -> ScalarUDF {
    function("pg_table_is_visible", DataType::Boolean, move |args| {
        let Some(ids) = argument(args, 0, &DataType::Int32)? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let known = looked.read().unwrap_or_else(PoisonError::into_inner);
        let answers =
            ids.as_primitive::<Int32Type>().iter().map(|id| id.map(|id| known.visible.contains(&id)));
        Ok(ColumnarValue::Array(Arc::new(answers.collect::<BooleanArray>())))
    })
}

/// What is said of a table, or of the columns of these numbers.
fn description(
    name: &'static str,
    looked: Looked,
    numbers: fn(&ScalarFunctionArgs) -> EngineResult<Option<ArrayRef>>,
) -> ScalarUDF {
    function(name, DataType::Utf8, move |args| {
        let Some(ids) = argument(args, 0, &DataType::Int32)? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
        };
        let numbers = numbers(args)?;
        let numbers = numbers.as_ref().map(|numbers| numbers.as_primitive::<Int32Type>());
        let known = looked.read().unwrap_or_else(PoisonError::into_inner);
        let of = |(at, id): (usize, Option<i32>)| {
            let number = numbers.map_or(0, |numbers| numbers.value(at));
            known.descriptions.get(&(id?, number)).map(String::as_str)
        };
        let texts = ids.as_primitive::<Int32Type>().iter().enumerate().map(of);
        Ok(ColumnarValue::Array(Arc::new(texts.collect::<StringArray>())))
    })
}
