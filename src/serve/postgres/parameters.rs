//! Values for the placeholders of a statement.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Statement, Value, visit_expressions};
use datafusion_postgres::arrow_pg::datatypes::df::deserialize_parameters;
use datafusion_postgres::arrow_pg::datatypes::{PG_OID_ALIAS_KEY, into_pg_type};
use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::api::stmt::StoredStatement;
use datafusion_postgres::pgwire::error::PgWireResult;

use super::errors;

/// The types that the placeholders of a plan are told to have, `$1` first; text where nothing tells. `ids` are those
/// that are object ids.
pub(super) fn types(plan: &LogicalPlan, ids: &[(String, Type)]) -> Result<Vec<Type>, DataFusionError> {
    let types = inferred(plan)?.into_iter().enumerate().map(|(at, field)| {
        let id = ids.iter().find(|(name, _)| *name == format!("${}", at + 1));
        id.map(|(_, kind)| kind.clone()).or_else(|| wire_type(field.as_ref()?)).unwrap_or(Type::TEXT)
    });
    Ok(types.collect())
}

/// The placeholders that a statement casts to object ids or lists of them. To the engine these are numbers; a client
/// that is told so asks what lists of numbers are, by lists of object ids, and never ends.
pub(super) fn object_ids(statement: &Statement) -> Vec<(String, Type)> {
    let mut ids = Vec::new();
    let _ = visit_expressions(statement, |expression| {
        if let SqlExpr::Cast { expr, data_type, .. } = expression
            && let SqlExpr::Value(value) = expr.as_ref()
            && let Value::Placeholder(name) = &value.value
        {
            match data_type.to_string().to_lowercase().as_str() {
                "oid" => ids.push((name.clone(), Type::OID)),
                "oid[]" => ids.push((name.clone(), Type::OID_ARRAY)),
                _ => {}
            }
        }
        ControlFlow::<()>::Continue(())
    });
    ids
}

/// The values that a client sent for a plan's placeholders. Each has the type the client says, or else the one it
/// was told; the planner brings it together with what it meets.
pub(super) fn values<S: Clone>(plan: &LogicalPlan, portal: &Portal<S>) -> PgWireResult<ParamValues> {
    let count = portal.parameter_len();
    if let Format::Individual(codes) = &portal.parameter_format
        && codes.len() < count
    {
        let formats = codes.len();
        return Err(errors::coded("ERROR", "08P01", format!("{formats} formats for {count} parameters")));
    }
    let inferred = inferred(plan).map_err(|error| errors::coded("ERROR", "42P18", error.to_string()))?;
    if count < inferred.len() {
        let wanted = inferred.len();
        return Err(errors::coded(
            "ERROR",
            "08P01",
            format!("{count} parameters, and the statement has {wanted}"),
        ));
    }
    let values = (0..count).map(|at| value(portal, at, inferred.get(at).and_then(Option::as_ref)));
    Ok(values.collect::<PgWireResult<Vec<_>>>()?.into())
}

/// One value, of the type that the client says or was told.
fn value<S: Clone>(portal: &Portal<S>, at: usize, inferred: Option<&FieldRef>) -> PgWireResult<ScalarValue> {
    let Some(bytes) = &portal.parameters[at] else {
        let null = inferred.and_then(|field| ScalarValue::try_from(field.data_type()).ok());
        return Ok(null.unwrap_or(ScalarValue::Null));
    };
    let said = portal.statement.parameter_types.get(at).cloned().flatten();
    let kind = said.filter(|kind| *kind != Type::UNKNOWN).or_else(|| inferred.and_then(wire_type));
    let kind = match kind.unwrap_or(Type::TEXT) {
        // The same bytes, and the engine knows numbers alone.
        Type::OID_ARRAY => Type::INT4_ARRAY,
        kind => kind,
    };
    if [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME].contains(&kind) {
        let text = std::str::from_utf8(bytes).map_err(|e| errors::coded("ERROR", "22021", e.to_string()))?;
        return Ok(ScalarValue::from(text));
    }
    // The library reads all parameters of a portal at once, and reads some right only where they stand alone.
    let statement = StoredStatement::new(String::new(), (), vec![Some(kind)]);
    let mut alone = Portal::new_cursor(String::new(), Arc::new(statement));
    alone.parameters = vec![Some(bytes.clone())];
    if portal.parameter_format.is_binary(at) {
        alone.parameter_format = Format::UnifiedBinary;
    }
    let value = match deserialize_parameters(&alone, &[])? {
        ParamValues::List(mut values) => values.pop(),
        ParamValues::Map(_) => None,
    };
    value
        .map(|value| exact(value.value))
        .ok_or_else(|| errors::coded("ERROR", "XX000", "a parameter without a value"))
}

/// A decimal number with room for its digits.
fn exact(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Decimal128(Some(digits), _, scale) => {
            let places = u8::try_from(digits.unsigned_abs().max(1).ilog10() + 1).unwrap_or(38);
            let precision = places.max(scale.unsigned_abs()).min(38);
            ScalarValue::Decimal128(Some(digits), precision, scale)
        }
        ScalarValue::Decimal128(None, _, _) => ScalarValue::Decimal128(None, 38, 0),
        other => other,
    }
}

/// What the planner knows of each placeholder, `$1` first.
fn inferred(plan: &LogicalPlan) -> Result<Vec<Option<FieldRef>>, DataFusionError> {
    let placed = placed(plan)?;
    let mut fields: Vec<Option<FieldRef>> = Vec::new();
    for (id, field) in plan.get_parameter_fields()? {
        let place: usize = id.trim_start_matches('$').parse().unwrap_or(0);
        if !(1..=MOST).contains(&place) {
            return Err(DataFusionError::Plan(format!(
                "there is no parameter `{id}`: they are $1 to ${MOST}"
            )));
        }
        if fields.len() < place {
            fields.resize(place, None);
        }
        let told = placed.iter().find(|(told, _)| *told == id).map(|(_, field)| field.clone());
        fields[place - 1] = field.or(told);
    }
    Ok(fields)
}

/// The most parameters that the protocol counts.
const MOST: usize = 65_535;

/// Placeholders of which only the place tells the type: `$1::date`, `limit $1`, `a = any($1)`.
fn placed(plan: &LogicalPlan) -> Result<Vec<(String, FieldRef)>, DataFusionError> {
    let mut placed = Vec::new();
    plan.apply_with_subqueries(|node| {
        let is_limit = matches!(node, LogicalPlan::Limit(_));
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expression| {
            if let Expr::Placeholder(placeholder) = expression
                && is_limit
            {
                placed.push((placeholder.id.clone(), Arc::new(Field::new("", DataType::Int64, true))));
            }
            expression.apply(|expression| {
                match expression {
                    Expr::Cast(cast) => {
                        if let Expr::Placeholder(placeholder) = cast.expr.as_ref() {
                            placed.push((placeholder.id.clone(), cast.field.clone()));
                        }
                    }
                    Expr::ScalarFunction(call) if call.name() == "array_has" => {
                        if let [Expr::Placeholder(placeholder), value] = call.args.as_slice()
                            && let Ok(item) = value.get_type(&schema)
                        {
                            placed.push((
                                placeholder.id.clone(),
                                Arc::new(Field::new_list("", Field::new_list_field(item, true), true)),
                            ));
                        }
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(placed)
}

/// The type in which a client sends a value for this. Columns of object ids are numbers that say so.
fn wire_type(field: &FieldRef) -> Option<Type> {
    let is_oid = field.metadata().get(PG_OID_ALIAS_KEY).is_some_and(|kind| kind == "oid");
    match field.data_type() {
        DataType::Int32 if is_oid => Some(Type::OID),
        data_type => into_pg_type(data_type).ok().filter(|kind| *kind != Type::UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    //! Proves that a decimal number stays what the client sent, and what an object id is.

    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn a_decimal_has_room_for_its_digits() {
        let exact_of = |digits, scale| exact(ScalarValue::Decimal128(Some(digits), 1, scale));
        assert_eq!(exact_of(5, 3), ScalarValue::Decimal128(Some(5), 3, 3));
        assert_eq!(exact_of(-123_456, 2), ScalarValue::Decimal128(Some(-123_456), 6, 2));
        assert_eq!(exact_of(0, 0), ScalarValue::Decimal128(Some(0), 1, 0));
        assert_eq!(exact(ScalarValue::Decimal128(None, 0, 0)), ScalarValue::Decimal128(None, 38, 0));
    }

    #[test]
    fn object_ids_are_told_from_numbers() {
        let text = "select 1 where a = any($1::oid[]) and b = $2::oid and c = $3::bigint and d = $4";
        let statement = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap().remove(0);
        let ids = object_ids(&statement);
        assert_eq!(ids, [("$1".to_string(), Type::OID_ARRAY), ("$2".to_string(), Type::OID)]);
    }
}
