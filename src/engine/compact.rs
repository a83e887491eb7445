//! Texts without the rest of what they were cut from, where the engine sorts in little memory.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::functions::of_text;

/// A sort of rows with copies of their texts. Views refer to the page or to the sorted run that they come from, and a sort
/// counts, and keeps, all of it for each batch.
pub(super) fn compacted(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(sort) = node.downcast_ref::<SortExec>() else { return Ok(None) };
    let schema = sort.input().schema();
    let is_text = |data_type: &DataType| *data_type == DataType::Utf8View;
    if !schema.fields().iter().any(|field| is_text(field.data_type())) {
        return Ok(None);
    }
    let compact =
        Arc::new(of_text("compact", DataType::Utf8View, |texts| Ok(Arc::new(texts.as_string_view().gc()))));
    let options = Arc::new(ConfigOptions::default());
    let columns = schema.fields().iter().enumerate().map(|(position, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), position));
        let value = match is_text(field.data_type()) {
            true => {
                let (name, options) = (compact.name(), options.clone());
                Arc::new(ScalarFunctionExpr::new(name, compact.clone(), vec![column], field.clone(), options))
            }
            false => column,
        };
        (value, field.name().clone())
    });
    let rows = Arc::new(ProjectionExec::try_new(columns, sort.input().clone())?);
    let sort = SortExec::new(sort.expr().clone(), rows)
        .with_fetch(sort.fetch())
        .with_preserve_partitioning(sort.preserve_partitioning());
    Ok(Some(Arc::new(sort)))
}
