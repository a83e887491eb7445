//! Tallies: counts and exact sums over the rows of a table, taken while the rows pass by.
//!
//! A measure is an SQL aggregate, and its text is its name: what a pass over the rows did not take can be
//! asked of the stored table with the same words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{filter, prep_null_mask_filter, sum_checked};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::SessionContext;

use crate::contract::Contract;
use crate::engine::FUNCTIONS_VERSION;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::table::Table;

/// Decimals of sums: every amount is added up as `DECIMAL(38,4)`.
const SCALE: i8 = 4;

/// One, in the ten-thousandths of sums.
const ONE: i128 = 10_i128.pow(SCALE as u32);

/// A count of rows, or the sum of an amount, in ten-thousandths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measure {
    /// The expression that is summed; rows are counted when there is none.
    amount: Option<String>,
    /// Which rows take part.
    filter: Option<String>,
}

impl Measure {
    /// The rows for which `filter` is true.
    pub fn rows(filter: Option<&str>) -> Measure {
        Measure { amount: None, filter: filter.map(Into::into) }
    }

    /// The sum of `amount` over the rows for which `filter` is true.
    pub fn sum(amount: &str, filter: Option<&str>) -> Measure {
        Measure { amount: Some(amount.into()), filter: filter.map(Into::into) }
    }

    /// The measure as an SQL aggregate.
    pub fn sql(&self) -> String {
        let aggregate = match &self.amount {
            None => "count(*)".to_string(),
            Some(amount) => format!("sum({})", exact(amount)),
        };
        match &self.filter {
            None => aggregate,
            Some(filter) => format!("{aggregate} filter (where {filter})"),
        }
    }
}

fn exact(amount: &str) -> String {
    format!("cast(({amount}) as decimal(38, {SCALE}))")
}

/// Everything that contracts want counted or summed of the table of `contract`: its rows, those that violate
/// its expectations, and the amounts that it is reconciled by.
pub fn measures_of(project: &Project, contract: &Contract) -> BTreeSet<Measure> {
    let violations = contract.expectations.values().filter_map(|expectation| expectation.violation());
    let mut measures: BTreeSet<Measure> =
        violations.map(|violation| Measure::rows(Some(&violation))).collect();
    measures.insert(Measure::rows(None));
    let is_here =
        |other: &&Contract| other.name == contract.name || other.quarantine.as_ref() == Some(&contract.name);
    let here = project.contracts.values().filter(is_here).flat_map(|other| other.reconcile.values());
    for amount in here.flat_map(|reconcile| reconcile.amounts.values()) {
        measures.insert(Measure::sum(&amount.here, None));
    }
    for reconcile in project.contracts.values().flat_map(|other| other.reconcile.values()) {
        if reconcile.against == contract.name || reconcile.with.contains(&contract.name) {
            let filter = reconcile.filter.as_deref();
            measures.insert(Measure::rows(filter));
            measures.extend(reconcile.amounts.values().map(|amount| Measure::sum(&amount.there, filter)));
        }
    }
    measures
}

/// The entry of a commit's record that says by which of our functions its values were taken.
const FUNCTIONS: &str = "functions";

/// The value of each measure by its SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, i128>);

impl Tally {
    /// The tally that the newest commit of a table keeps; empty when our functions have changed since.
    pub fn of_record(table: &Table) -> Tally {
        let kept = table.record().map(|record| &record.tally);
        let kept = kept.filter(|kept| kept.get(FUNCTIONS) == Some(&FUNCTIONS_VERSION.to_string()));
        let values = kept.into_iter().flatten().filter(|(sql, _)| *sql != FUNCTIONS);
        Tally(values.filter_map(|(sql, value)| Some((sql.clone(), value.parse().ok()?))).collect())
    }

    /// The values of `measures` of all rows of a table: from its record where that has them, else asked of its
    /// rows, as the session sees them.
    pub async fn of_table(
        session: &SessionContext,
        table: &Table,
        measures: impl IntoIterator<Item = &Measure>,
    ) -> Result<Tally> {
        let mut known = Tally::of_record(table);
        let unknown: BTreeSet<&Measure> =
            measures.into_iter().filter(|measure| known.get(measure).is_none()).collect();
        if !unknown.is_empty() {
            let unknown: Vec<Measure> = unknown.into_iter().cloned().collect();
            let counted = count(session, &table.name().to_string(), &unknown).await?;
            known.0.extend(unknown.iter().map(Measure::sql).zip(counted));
        }
        Ok(known)
    }

    /// As a commit's record keeps it.
    pub fn to_record(&self) -> BTreeMap<String, String> {
        let functions = (FUNCTIONS.to_string(), FUNCTIONS_VERSION.to_string());
        self.0.iter().map(|(sql, value)| (sql.clone(), value.to_string())).chain([functions]).collect()
    }

    /// The value of a measure, if it was taken.
    pub fn get(&self, measure: &Measure) -> Option<i128> {
        self.0.get(&measure.sql()).copied()
    }

    /// The tally of the rows of both; of measures that both took.
    pub fn plus(&self, other: &Tally) -> Tally {
        let both = self.0.iter().filter_map(|(sql, value)| Some((sql.clone(), value + other.0.get(sql)?)));
        Tally(both.collect())
    }

    /// What this has more than `other`, of measures that both took.
    pub fn minus(&self, other: &Tally) -> Tally {
        let both = self.0.iter().filter_map(|(sql, value)| Some((sql.clone(), value - other.0.get(sql)?)));
        Tally(both.collect())
    }
}

/// Takes measures of batches.
#[derive(Clone)]
pub struct Tallier {
    taken: Arc<Vec<Taken>>,
    /// What measures are taken of, each looked at once.
    filters: Arc<Vec<Arc<dyn PhysicalExpr>>>,
}

/// When there are more keys than this, they are not looked at while they pass by; a query of the stored table finds
/// repeated ones.
const MOST_KEYS: u64 = 1 << 26;

/// The keys of the rows that pass by, as 64-bit hashes: when they all differ, so do the keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    hashes: Vec<u64>,
    rows: u64,
}

impl Keys {
    /// Takes the keys of a batch, which are in the columns of these positions.
    pub fn take(&mut self, batch: &RecordBatch, columns: &[usize]) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        if self.rows > MOST_KEYS {
            self.hashes = Vec::new();
            return Ok(());
        }
        let columns: Vec<ArrayRef> = columns.iter().map(|i| batch.column(*i).clone()).collect();
        let begun = self.hashes.len();
        self.hashes.resize(begun + batch.num_rows(), 0);
        create_hashes(&columns, &QualityRandomState::with_seed(1), &mut self.hashes[begun..])?;
        Ok(())
    }

    /// The keys of both.
    pub fn plus(mut self, other: Keys) -> Keys {
        self.rows += other.rows;
        self.hashes.extend(other.hashes);
        self
    }

    /// Whether every row is known to have a key of its own. Two keys may share a hash, though hardly ever do; then it
    /// is not known.
    pub fn are_unique(mut self) -> bool {
        self.hashes.sort_unstable();
        self.hashes.len() as u64 == self.rows && self.hashes.windows(2).all(|pair| pair[0] != pair[1])
    }
}

struct Taken {
    sql: String,
    amount: Option<Arc<dyn PhysicalExpr>>,
    /// Its place among the filters.
    filter: Option<usize>,
}

impl Tallier {
    /// Prepares `measures` of rows of `schema`. A measure that cannot be taken of single rows is an error.
    pub fn new(
        session: &SessionContext,
        schema: &SchemaRef,
        measures: &BTreeSet<Measure>,
    ) -> Result<Tallier> {
        let schema = DFSchema::try_from(schema.as_ref().clone())?;
        let context = SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build();
        let simplifier = ExprSimplifier::new(context);
        let physical = |sql: &str| -> Result<Arc<dyn PhysicalExpr>> {
            let unusable = |e: datafusion::error::DataFusionError| {
                Error::from(e).detail(format!("in `{sql}`")).hint("it may use the columns of its row only")
            };
            let expression = session.parse_sql_expr(sql, &schema).map_err(unusable)?;
            // Some functions, such as `coalesce`, can run only as what they are simplified to.
            let coerced =
                simplifier.coerce(expression, &schema).and_then(|coerced| simplifier.simplify(coerced));
            session.create_physical_expr(coerced.map_err(unusable)?, &schema).map_err(unusable)
        };
        let exact_amount = |amount: &str| -> Result<Arc<dyn PhysicalExpr>> {
            let given = physical(amount)?;
            match given.data_type(schema.as_arrow())? {
                DataType::Decimal128(_, SCALE) | DataType::Int64 => Ok(given),
                DataType::Decimal128(_, scale) if scale < SCALE => physical(&exact(amount)),
                DataType::Int8 | DataType::Int16 | DataType::Int32 => {
                    physical(&format!("cast(({amount}) as bigint)"))
                }
                other if other.is_integer() => physical(&exact(amount)),
                _ => Err(Error::invalid(format!("the amount `{amount}` cannot be added up exactly"))
                    .hint("amounts are integers or decimals of at most four places")),
            }
        };
        let filters: BTreeSet<&str> =
            measures.iter().filter_map(|measure| measure.filter.as_deref()).collect();
        let filters: Vec<&str> = filters.into_iter().collect();
        let taken = measures.iter().map(|measure| {
            Ok(Taken {
                sql: measure.sql(),
                amount: measure.amount.as_deref().map(exact_amount).transpose()?,
                filter: measure.filter.as_deref().and_then(|filter| filters.binary_search(&filter).ok()),
            })
        });
        let taken = Arc::new(taken.collect::<Result<_>>()?);
        let filters = filters.into_iter().map(physical).collect::<Result<_>>()?;
        Ok(Tallier { taken, filters: Arc::new(filters) })
    }

    /// The tally of no rows.
    pub fn nothing(&self) -> Tally {
        Tally(self.taken.iter().map(|taken| (taken.sql.clone(), 0)).collect())
    }

    /// The tally of the rows of a batch.
    pub fn take(&self, batch: &RecordBatch) -> Result<Tally> {
        let masks = self.filters.iter().map(|filter| mask(filter, batch)).collect::<Result<Vec<_>>>()?;
        self.taken
            .iter()
            .map(|taken| Ok((taken.sql.clone(), taken.value(batch, taken.filter.map(|i| &masks[i]))?)))
            .collect::<Result<_>>()
            .map(Tally)
    }
}

impl Taken {
    fn value(&self, batch: &RecordBatch, mask: Option<&BooleanArray>) -> Result<i128> {
        let Some(amount) = &self.amount else {
            let rows = mask.map_or(batch.num_rows(), BooleanArray::true_count);
            return Ok(rows as i128);
        };
        let values = amount.evaluate(batch)?.into_array(batch.num_rows())?;
        let wrong = |e| Error::data(format!("`{}` cannot be taken: {e}", self.sql));
        let values = match mask {
            Some(mask) => filter(&values, mask).map_err(wrong)?,
            None => values,
        };
        if let Some(integers) = values.as_primitive_opt::<Int64Type>() {
            return Ok(integers.iter().flatten().map(i128::from).sum::<i128>() * ONE);
        }
        Ok(sum_checked(values.as_primitive::<Decimal128Type>()).map_err(wrong)?.unwrap_or_default())
    }
}

/// The rows for which a condition is true, NULL being not true.
fn mask(condition: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let mask = condition.evaluate(batch)?.into_array(batch.num_rows())?;
    let mask = mask.as_boolean();
    Ok(if mask.null_count() > 0 { prep_null_mask_filter(mask) } else { mask.clone() })
}

/// The values of `measures` over the rows that `table` means in SQL.
pub async fn count(session: &SessionContext, table: &str, measures: &[Measure]) -> Result<Vec<i128>> {
    let columns: Vec<String> =
        measures.iter().enumerate().map(|(i, m)| format!("{} as m{i}", m.sql())).collect();
    let query = format!("select {} from {table}", columns.join(", "));
    let batches = session.sql(&query).await?.collect().await?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    let columns = row.map(|row| row.columns()).unwrap_or_default().iter();
    columns
        .map(|column| {
            Ok(match column.data_type() {
                DataType::Int64 => i128::from(column.as_primitive::<Int64Type>().value(0)),
                _ if column.is_null(0) => 0,
                _ => column.as_primitive::<Decimal128Type>().value(0),
            })
        })
        .collect()
}
