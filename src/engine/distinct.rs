//! `count(distinct x)` by groups: the values of a group are kept as numbers in a list, not each pair in a hash table.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};

/// Takes the place of both passes of an aggregation in groups that has `count(distinct x)`: they would hand on all values
/// between them. Values are kept in `memory`. Must be looked for before rules that distribute rows.
pub(super) fn counted(
    node: &Arc<dyn ExecutionPlan>,
    memory: &Arc<dyn MemoryPool>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(last) = node.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(first) = last.input().downcast_ref::<AggregateExec>() else { return Ok(None) };
    let is_pair = matches!(last.mode(), AggregateMode::Final | AggregateMode::FinalPartitioned)
        && *first.mode() == AggregateMode::Partial
        && !first.group_expr().is_empty();
    if !is_pair || !first.aggr_expr().iter().any(is_distinct_count) {
        return Ok(None);
    }
    let aggregates = first.aggr_expr().iter().map(|function| match is_distinct_count(function) {
        true => distinct_count(function, first, memory),
        false => Ok(function.clone()),
    });
    let counted = AggregateExec::try_new(
        AggregateMode::Single,
        first.group_expr().clone(),
        aggregates.collect::<Result<Vec<_>>>()?,
        first.filter_expr().to_vec(),
        first.input().clone(),
        first.input_schema(),
    )?;
    Ok(Some(Arc::new(counted)))
}

fn is_distinct_count(function: &Arc<AggregateFunctionExpr>) -> bool {
    function.fun().name() == "count" && function.is_distinct() && function.expressions().len() == 1
}

fn distinct_count(
    function: &AggregateFunctionExpr,
    of: &AggregateExec,
    memory: &Arc<dyn MemoryPool>,
) -> Result<Arc<AggregateFunctionExpr>> {
    let count =
        DistinctCount { signature: Signature::any(1, Volatility::Immutable), memory: Memory(memory.clone()) };
    AggregateExprBuilder::new(Arc::new(AggregateUDF::from(count)), function.expressions())
        .schema(of.input_schema())
        .alias(function.name())
        .build()
        .map(Arc::new)
}

/// How many distinct values a group has; NULL is none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DistinctCount {
    signature: Signature,
    memory: Memory,
}

/// Where memory comes from; all of it is alike.
#[derive(Debug)]
struct Memory(Arc<dyn MemoryPool>);

impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memory {}

impl Hash for Memory {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl AggregateUDFImpl for DistinctCount {
    fn name(&self) -> &str {
        "distinct_count"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let values = element(args.input_fields[0].data_type());
        Ok(vec![Arc::new(Field::new(args.name, DataType::List(values), false))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        internal_err!("{} counts in groups only", self.name())
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(DistinctValues::new(args.expr_fields[0].data_type(), &self.memory.0)?))
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }
}

fn element(of: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(of.clone(), true))
}

/// The distinct values of each group, as numbers of the values of all.
struct DistinctValues {
    numbers: Box<dyn GroupValues>,
    of_groups: Vec<Numbers>,
    /// The room of all lists together, counted along: there may be very many.
    room: usize,
    /// The number of each row of a batch.
    of_rows: Vec<usize>,
    /// What the numbers take. They are not spilled: read back, the lists of many groups would have to be held at once.
    memory: MemoryReservation,
}

impl DistinctValues {
    fn new(of: &DataType, memory: &Arc<dyn MemoryPool>) -> Result<DistinctValues> {
        let schema = Arc::new(Schema::new([Arc::new(Field::new("value", of.clone(), true))]));
        let numbers = new_group_values(schema, &GroupOrdering::None)?;
        let memory = MemoryConsumer::new("distinct values").register(memory);
        Ok(DistinctValues { numbers, of_groups: Vec::new(), room: 0, of_rows: Vec::new(), memory })
    }

    fn number(&mut self, values: &ArrayRef) -> Result<()> {
        self.of_rows.clear();
        self.numbers.intern(std::slice::from_ref(values), &mut self.of_rows)
    }

    /// Adds the value of a row, which has its number, to a group.
    fn add(&mut self, row: usize, group: usize) -> Result<()> {
        let number = u32::try_from(self.of_rows[row])
            .map_err(|_| exec_datafusion_err!("more than 4,294,967,296 distinct values"))?;
        self.room += self.of_groups[group].add(number);
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.numbers.size() + self.room * size_of::<u32>()
    }

    /// The numbers of the first groups, each once.
    fn take(&mut self, emit: EmitTo) -> Vec<Vec<u32>> {
        let taken = emit.take_needed(&mut self.of_groups);
        self.room -= taken.iter().map(|group| group.0.capacity()).sum::<usize>();
        taken.into_iter().map(Numbers::distinct).collect()
    }
}

impl GroupsAccumulator for DistinctValues {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        all_groups: usize,
    ) -> Result<()> {
        self.of_groups.resize_with(all_groups, Numbers::default);
        self.number(&values[0])?;
        let known = values[0].logical_nulls();
        for (row, group) in groups.iter().enumerate() {
            let is_taken = known.as_ref().is_none_or(|known| known.is_valid(row))
                && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if is_taken {
                self.add(row, *group)?;
            }
        }
        self.memory.try_resize(self.size_bytes())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let counts = self.take(emit).into_iter().map(|group| group.len() as i64);
        Ok(Arc::new(counts.collect::<Int64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.take(emit);
        let all = self.numbers.emit(EmitTo::All)?.swap_remove(0);
        let lengths = OffsetBuffer::from_lengths(groups.iter().map(Vec::len));
        let values = take(&all, &UInt32Array::from(groups.concat()), None)?;
        if !self.of_groups.is_empty() {
            // In the order of their numbers, they get the same ones.
            self.number(&all)?;
        }
        self.memory.resize(self.size_bytes());
        Ok(vec![Arc::new(ListArray::try_new(element(all.data_type()), lengths, values, None)?)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], all_groups: usize) -> Result<()> {
        self.of_groups.resize_with(all_groups, Numbers::default);
        let lists = states[0].as_list::<i32>();
        self.number(lists.values())?;
        for (ends, group) in lists.value_offsets().windows(2).zip(groups) {
            for row in ends[0]..ends[1] {
                self.add(row as usize, *group)?;
            }
        }
        self.memory.try_resize(self.size_bytes())
    }

    fn convert_to_state(&self, _: &[ArrayRef], _: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        internal_err!("values are counted in one pass")
    }

    /// What is given free when groups are spilled.
    fn size(&self) -> usize {
        self.of_groups.capacity() * size_of::<Numbers>()
    }
}

/// Numbers, some of them more than once: repeats are taken out when the list would grow.
#[derive(Clone, Debug, Default)]
struct Numbers(Vec<u32>);

impl Numbers {
    /// Adds a number and says by how many the list has room for more than before.
    fn add(&mut self, number: u32) -> usize {
        if self.0.last() == Some(&number) {
            return 0;
        }
        let room = self.0.capacity();
        if self.0.len() == room {
            self.keep_distinct();
            // Where not even half of them stay the room is enough.
            if self.0.len() >= room / 2 {
                self.0.reserve(room.max(4));
            }
        }
        self.0.push(number);
        self.0.capacity() - room
    }

    fn keep_distinct(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Each number once, in their order.
    fn distinct(mut self) -> Vec<u32> {
        self.keep_distinct();
        self.0
    }
}
