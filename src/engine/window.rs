//! Windows over rows that already come in their order: a number kept for each group instead of a sort.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use datafusion::arrow::compute::{partition, take};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Int64Type, Schema, SchemaRef,
};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::WindowFrameBound;
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr,
};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    Partitioning, PlanProperties, apply_expression_roots,
};
use futures::StreamExt;

use super::firsts::{self, Firsts};

/// What is kept of a row by all windows, but for the newest first values: one of ten rows begins a group.
const ROW_BYTES: u64 = 8;

/// The memory that windows over so many rows take, about.
pub(super) fn memory_bytes(rows: u64) -> u64 {
    let recent = rows.min(firsts::RECENT as u64) * firsts::RECENT_BYTES;
    rows.saturating_mul(ROW_BYTES).saturating_add(recent)
}

/// Takes the place of a window operator whose rows come in its order, and whose functions need no more than a number a
/// group: `row_number()` and `first_value` of a BIGINT that is never NULL. Must be looked for before rules that sort.
pub(super) fn streamed(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (expressions, input) = match node.downcast_ref::<WindowAggExec>() {
        Some(window) => (window.window_expr(), window.input()),
        None => match node.downcast_ref::<BoundedWindowAggExec>() {
            Some(window) => (window.window_expr(), window.input()),
            None => return Ok(None),
        },
    };
    let windows = expressions.iter().map(|expression| Window::of(expression, &input.schema()));
    let Some(windows) = windows.collect::<Option<Vec<_>>>() else { return Ok(None) };
    let Some(order) = LexOrdering::new(expressions[0].order_by().to_vec()) else { return Ok(None) };
    let is_one_order = expressions.iter().all(|expression| *expression.order_by() == order[..]);
    let comes_in_it = input.output_partitioning().partition_count() == 1
        && input.equivalence_properties().ordering_satisfy(order.clone())?;
    if !is_one_order || !comes_in_it {
        return Ok(None);
    }
    Ok(Some(Arc::new(StreamedWindowExec::new(input.clone(), windows, order, node.schema()))))
}

/// A window function.
#[derive(Clone, Debug)]
struct Window {
    function: Function,
    partition_by: Vec<Arc<dyn PhysicalExpr>>,
}

#[derive(Clone, Debug)]
enum Function {
    RowNumber,
    FirstValue(Arc<dyn PhysicalExpr>),
}

impl Window {
    /// What a window expression says, if a number a group is enough for it.
    fn of(expression: &Arc<dyn WindowExpr>, input: &SchemaRef) -> Option<Window> {
        let standard = expression.as_any().downcast_ref::<StandardWindowExpr>()?;
        let called = standard.get_standard_func_expr().as_any().downcast_ref::<WindowUDFExpr>()?;
        let frame = expression.get_window_frame();
        let function = match (called.fun().name(), called.args()) {
            ("row_number", []) => Function::RowNumber,
            ("first_value", [value])
                if frame.start_bound.is_unbounded()
                    && !matches!(frame.end_bound, WindowFrameBound::Preceding(_))
                    && value.data_type(input).ok()? == DataType::Int64
                    && !value.nullable(input).ok()? =>
            {
                Function::FirstValue(value.clone())
            }
            _ => return None,
        };
        let partition_by = expression.partition_by().to_vec();
        (!partition_by.is_empty()).then_some(Window { function, partition_by })
    }
}

/// Adds the columns of windows to rows that come in their order.
#[derive(Clone, Debug)]
struct StreamedWindowExec {
    input: Arc<dyn ExecutionPlan>,
    windows: Vec<Window>,
    order: LexOrdering,
    properties: Arc<PlanProperties>,
}

impl StreamedWindowExec {
    fn new(
        input: Arc<dyn ExecutionPlan>,
        windows: Vec<Window>,
        order: LexOrdering,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, [order.clone()]),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        StreamedWindowExec { input, windows, order, properties: Arc::new(properties) }
    }
}

impl DisplayAs for StreamedWindowExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows = self.windows.iter().map(|window| match window.function {
            Function::RowNumber => "row_number".to_string(),
            Function::FirstValue(ref value) => format!("first_value({value})"),
        });
        write!(f, "StreamedWindowExec: {}", windows.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for StreamedWindowExec {
    fn name(&self) -> &'static str {
        "StreamedWindowExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(self.order.clone().into())]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let expressions = self.windows.iter().flat_map(|window| {
            let value = match &window.function {
                Function::FirstValue(value) => Some(value),
                Function::RowNumber => None,
            };
            window.partition_by.iter().chain(value)
        });
        apply_expression_roots(expressions, f)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(StreamedWindowExec { input: children.swap_remove(0), ..Self::clone(&self) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input_schema = self.input.schema();
        let groups = self.windows.iter().map(|window| Groups::new(window.clone(), &input_schema));
        let mut groups = groups.collect::<Result<Vec<_>>>()?;
        let reservation = MemoryConsumer::new("StreamedWindowExec").register(context.memory_pool());
        let (rows, schema) = (self.input.execute(partition, context)?, self.schema());
        let with_windows = rows.map(move |batch| {
            let batch = batch?;
            let mut columns = batch.columns().to_vec();
            for group in &mut groups {
                columns.push(group.next(&batch)?);
            }
            reservation.resize(groups.iter().map(Groups::size_bytes).sum());
            Ok(RecordBatch::try_new(schema.clone(), columns)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), with_windows)))
    }
}

/// The number of each group of a window.
struct Groups {
    window: Window,
    kept: Kept,
}

/// Where the numbers are.
enum Kept {
    /// By the place of the group's key among all.
    Places { keys: Box<dyn GroupValues>, numbers: Vec<i64> },
    /// The first values by a key of one DECIMAL, or by a day and such a key: there may be one for each row.
    Firsts(Firsts),
}

impl Groups {
    fn new(window: Window, input: &SchemaRef) -> Result<Groups> {
        let fields = window.partition_by.iter().enumerate();
        let fields = fields.map(|(i, key)| Ok(Field::new(format!("k{i}"), key.data_type(input)?, true)));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        let types: Vec<&DataType> = fields.iter().map(Field::data_type).collect();
        let kept = match (&window.function, &types[..]) {
            (Function::FirstValue(_), [DataType::Date32, DataType::Decimal128(..)])
            | (Function::FirstValue(_), [DataType::Decimal128(..)]) => Kept::Firsts(Firsts::new()),
            _ => Kept::Places {
                keys: new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None)?,
                numbers: Vec::new(),
            },
        };
        Ok(Groups { window, kept })
    }

    /// The column of the window for the next rows.
    fn next(&mut self, batch: &RecordBatch) -> Result<ArrayRef> {
        let of_batch = |value: &Arc<dyn PhysicalExpr>| value.evaluate(batch)?.into_array(batch.num_rows());
        let columns = self.window.partition_by.iter().map(of_batch).collect::<Result<Vec<_>>>()?;
        let values = match &self.window.function {
            Function::FirstValue(value) => Some(of_batch(value)?),
            Function::RowNumber => None,
        };
        let values = values.as_ref().map(|values| values.as_primitive::<Int64Type>());
        match (&mut self.kept, values) {
            (Kept::Places { keys, numbers }, values) => {
                let of_rows = places(keys.as_mut(), &columns)?;
                let known = numbers.len();
                numbers.resize(keys.len(), 0);
                let Some(values) = values else {
                    let numbers = of_rows.iter().map(|group| {
                        numbers[*group] += 1;
                        numbers[*group].unsigned_abs()
                    });
                    return Ok(Arc::new(numbers.collect::<UInt64Array>()));
                };
                // From the last row to the first, so that the first one of a new group stays.
                for (row, group) in of_rows.iter().enumerate().rev().filter(|(_, group)| **group >= known) {
                    numbers[*group] = values.value(row);
                }
                Ok(Arc::new(of_rows.iter().map(|group| numbers[*group]).collect::<Int64Array>()))
            }
            (Kept::Firsts(firsts), values) => {
                let (days, keys) = match &columns[..] {
                    [days, keys] => (days.as_primitive::<Date32Type>().iter().collect(), keys),
                    _ => (vec![None; batch.num_rows()], &columns[0]),
                };
                let keys = keys.as_primitive::<Decimal128Type>().iter();
                // No DECIMAL is as small as what stands for NULL.
                let keys: Vec<i128> = keys.map(|key| key.unwrap_or(i128::MIN)).collect();
                let values = values.map_or(&[][..], |values| values.values());
                Ok(Arc::new(Int64Array::from(firsts.of(&days, &keys, values)?)))
            }
        }
    }

    fn size_bytes(&self) -> usize {
        match &self.kept {
            Kept::Places { keys, numbers } => keys.size() + numbers.capacity() * size_of::<i64>(),
            Kept::Firsts(firsts) => firsts.size_bytes(),
        }
    }
}

/// The place of each row's key among all. Rows of a group mostly follow each other: of these, one is looked for.
fn places(keys: &mut dyn GroupValues, columns: &[ArrayRef]) -> Result<Vec<usize>> {
    let stretches = partition(columns)?.ranges();
    let heads: UInt32Array = stretches.iter().map(|stretch| stretch.start as u32).collect();
    let heads = columns.iter().map(|column| take(column, &heads, None)).collect::<Result<Vec<_>, _>>()?;
    let mut of_stretches = Vec::with_capacity(stretches.len());
    keys.intern(&heads, &mut of_stretches)?;
    let of_rows = stretches.iter().zip(of_stretches);
    Ok(of_rows.flat_map(|(stretch, place)| std::iter::repeat_n(place, stretch.len())).collect())
}
