//! PostgreSQL's own tables as one session sees them: the library's, and in the place of some of these our own. What
//! they tell of tables is what contracts say.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, StringArray, new_null_array,
};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int16Type, Int32Type, Schema, SchemaRef};
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::Result as EngineResult;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::PgCatalogStaticTables;

use super::settings::DEFAULTS;
use crate::contract::TableName;
use crate::run::Lake;

/// What is known of tables by the ids that they have in a session.
#[derive(Default)]
pub(super) struct Known {
    /// Those that need no schema in front.
    pub(super) visible: HashSet<i32>,
    /// What is said of a table, or of a column by its number; 0 is the table itself.
    pub(super) descriptions: BTreeMap<(i32, i32), String>,
}

/// What a session knows, since it looked last.
pub(super) type Looked = Arc<RwLock<Known>>;

/// Whether a statement asks for what has to be looked up first.
pub(super) fn asks_for_known(statement: &str) -> bool {
    const ASKED: [&str; 4] = ["pg_table_is_visible", "obj_description", "col_description", "pg_description"];
    ASKED.iter().any(|name| statement.contains(name))
}

/// Looks which ids tables have, and what there is to say of them.
pub(super) async fn look(
    lake: &Lake,
    context: &SessionContext,
    looked: &Looked,
) -> Result<(), DataFusionError> {
    let schema = context.state().config().options().catalog.default_schema.clone();
    let query = "select c.oid, n.nspname, c.relname from pg_catalog.pg_class as c \
                 join pg_catalog.pg_namespace as n on n.oid = c.relnamespace";
    let mut known = Known::default();
    let mut tables = BTreeMap::new();
    for batch in &context.sql(query).await?.collect().await? {
        let (ids, [layers, names]) = (ids(batch), texts(batch, [1, 2])?);
        for (at, id) in ids.into_iter().enumerate() {
            let (layer, name) = (layers.as_string::<i32>().value(at), names.as_string::<i32>().value(at));
            if layer == schema || layer == "pg_catalog" {
                known.visible.insert(id);
            }
            let name = TableName::parse(&format!("{layer}.{name}"));
            if let Some(contract) = name.and_then(|name| lake.contract_of(&name).ok()) {
                known.descriptions.insert((id, 0), contract.doc.clone());
                tables.insert(id, contract);
            }
        }
    }
    let query = "select attrelid, attname, attnum from pg_catalog.pg_attribute where attnum > 0";
    for batch in &context.sql(query).await?.collect().await? {
        let (ids, [names]) = (ids(batch), texts(batch, [1])?);
        let numbers = cast(batch.column(2), &DataType::Int16)?;
        for (at, id) in ids.into_iter().enumerate() {
            let (name, number) =
                (names.as_string::<i32>().value(at), numbers.as_primitive::<Int16Type>().value(at));
            let columns = tables.get(&id).map(|contract| contract.columns.as_slice()).unwrap_or_default();
            if let Some(column) = columns.iter().find(|column| column.name == name) {
                known.descriptions.insert((id, number.into()), column.doc.clone());
            }
        }
    }
    *looked.write().unwrap_or_else(PoisonError::into_inner) = known;
    Ok(())
}

fn ids(batch: &RecordBatch) -> Vec<i32> {
    batch.column(0).as_primitive::<Int32Type>().values().to_vec()
}

fn texts<const N: usize>(batch: &RecordBatch, columns: [usize; N]) -> Result<[ArrayRef; N], DataFusionError> {
    let mut texts = columns.map(|column| batch.column(column).clone());
    for text in &mut texts {
        *text = cast(text, &DataType::Utf8)?;
    }
    Ok(texts)
}

/// The schema `pg_catalog` of one session.
pub(super) struct System {
    library: Arc<dyn SchemaProvider>,
    fixed: Arc<PgCatalogStaticTables>,
    looked: Looked,
}

impl System {
    /// The library's tables, and our own over what was looked up.
    pub(super) fn new(
        library: Arc<dyn SchemaProvider>,
        fixed: Arc<PgCatalogStaticTables>,
        looked: Looked,
    ) -> System {
        System { library, fixed, looked }
    }

    /// What is said of PostgreSQL's own things, and of the tables here.
    fn descriptions(&self) -> EngineResult<MemTable> {
        let fixed = &self.fixed.pg_description;
        let known = self.looked.read().unwrap_or_else(PoisonError::into_inner);
        let (places, texts): (Vec<_>, Vec<_>) = known.descriptions.iter().unzip();
        let numbers = |of: fn(&(i32, i32)) -> i32| -> ArrayRef {
            Arc::new(Int32Array::from_iter_values(places.iter().map(&of)))
        };
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let columns = [
            ("objoid", numbers(|place| place.0)),
            ("classoid", numbers(|_| CLASS)),
            ("objsubid", numbers(|place| place.1)),
            ("description", texts),
        ];
        let own = of_columns(fixed.schema(), places.len(), columns)?;
        let all = fixed.data().iter().chain([&own]);
        MemTable::try_new(fixed.schema(), vec![vec![concat_batches(&fixed.schema(), all)?]])
    }

    /// What settings are where nothing was set.
    async fn settings(&self) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        let Some(library) = self.library.table("pg_settings").await? else { return Ok(None) };
        let of = |value: fn(&(&'static str, &'static str)) -> &'static str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(DEFAULTS.iter().map(value)))
        };
        let (names, values) = (of(|setting| setting.0), of(|setting| setting.1));
        let fixed: ArrayRef = Arc::new(BooleanArray::from(vec![false; DEFAULTS.len()]));
        let columns = [
            ("name", names),
            ("setting", values.clone()),
            ("category", of(|_| "Lake")),
            ("context", of(|_| "user")),
            ("vartype", of(|_| "string")),
            ("source", of(|_| "default")),
            ("boot_val", values.clone()),
            ("reset_val", values),
            ("pending_restart", fixed),
        ];
        // The library misspells one of its columns.
        let known = library.schema();
        let fields = known.fields().iter().map(|field| match field.name().as_str() {
            "bool_val" => Arc::new(field.as_ref().clone().with_name("boot_val")),
            _ => field.clone(),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let rows = of_columns(schema.clone(), DEFAULTS.len(), columns)?;
        Ok(Some(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?)))
    }
}

/// Tables that the library does not have, and that have no rows here: their columns, of numbers and of texts.
const EMPTY: [(&str, &[&str], &[&str]); 3] = [
    ("pg_parameter_acl", &["oid"], &["parname", "paracl"]),
    ("pg_ts_config_map", &["mapcfg", "maptokentype", "mapseqno", "mapdict"], &[]),
    ("pg_user_mappings", &["umid", "srvid", "umuser"], &["srvname", "usename", "umoptions"]),
];

/// A table without rows; none if the library knows it, or nobody does.
fn empty(name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
    let Some((_, numbers, texts)) = EMPTY.iter().find(|table| table.0 == name) else { return Ok(None) };
    let of = |names: &[&str], data_type: DataType| -> Vec<Field> {
        names.iter().map(|name| Field::new(*name, data_type.clone(), true)).collect()
    };
    let fields = [of(numbers, DataType::Int32), of(texts, DataType::Utf8)].concat();
    let schema = Arc::new(Schema::new(fields));
    Ok(Some(Arc::new(MemTable::try_new(schema, vec![Vec::new()])?)))
}

/// The id of `pg_class`, as the catalogues that the library ships tell it.
pub(super) const CLASS: i32 = 1259;

/// Rows of some columns; the others are NULL.
fn of_columns<const N: usize>(
    schema: SchemaRef,
    rows: usize,
    columns: [(&str, ArrayRef); N],
) -> EngineResult<RecordBatch> {
    let column = |field: &FieldRef| match columns.iter().find(|(name, _)| name == field.name()) {
        Some((_, values)) => cast(values, field.data_type()),
        None => Ok(new_null_array(field.data_type(), rows)),
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pg_catalog")
    }
}

#[async_trait]
impl SchemaProvider for System {
    fn table_names(&self) -> Vec<String> {
        self.library.table_names()
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        match name {
            "pg_description" => Ok(Some(Arc::new(self.descriptions()?))),
            "pg_settings" => self.settings().await,
            name => match empty(name)? {
                Some(table) => Ok(Some(table)),
                None => self.library.table(name).await,
            },
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.library.table_exist(name) || EMPTY.iter().any(|table| table.0 == name)
    }
}
