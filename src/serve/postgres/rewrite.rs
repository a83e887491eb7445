//! Rewriting what the engine cannot plan, where the library's own rules do not reach.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, Query, Select, SelectItem, Statement, TableFactor, Value, Visit,
    VisitMut, Visitor, VisitorMut, visit_expressions_mut,
};

use super::system::CLASS;

/// `like 'a/_%' escape '/'` with the one escape character that the engine knows.
pub(super) fn escape_with_backslash(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expression| {
        if let Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } = expression
            && let Some(escape) = escape_char.take().and_then(|escape| escape.into_string())
        {
            let _ = visit_expressions_mut(pattern.as_mut(), |part| {
                if let Expr::Value(value) = part
                    && let Value::SingleQuotedString(text) = &mut value.value
                {
                    let literal = text.replace('\\', "\\\\");
                    *text = if escape.is_empty() { literal } else { literal.replace(&escape, "\\") };
                }
                ControlFlow::<()>::Continue(())
            });
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Scalar subqueries about the row at hand become NULL. Only statements to PostgreSQL's catalogue may be rewritten so:
/// their subqueries ask for defaults, sequences and collations of columns, and there are none.
pub(super) fn drop_correlated(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expression| {
        if let Expr::Subquery(query) = expression
            && is_correlated(query)
        {
            *expression = null();
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Arrays made of subqueries become NULL: they list members of roles and options of columns, and there are none.
pub(super) fn drop_arrays(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expression| {
        if let Expr::Function(call) = expression
            && matches!(call.args, FunctionArguments::Subquery(_))
            && last(&call.name).is_some_and(|name| name == "array")
        {
            *expression = null();
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Columns of the catalogue that the library's has as texts or not at all: arrays of numbers, arrays of texts, numbers,
/// texts. They tell of indexes, constraints, privileges and options, and there are none.
const ABSENT: [&[&str]; 4] = [
    &["confkey", "conkey", "indclass", "indcollation", "indkey", "indoption"],
    &[
        "attacl",
        "attoptions",
        "datacl",
        "defaclacl",
        "lomacl",
        "nspacl",
        "paracl",
        "proacl",
        "relacl",
        "reloptions",
        "setconfig",
        "spcacl",
        "spcoptions",
        "typacl",
    ],
    &["tableoid"],
    &["colliculocale"],
];

/// Such columns become NULL of their type, and so do places and fields of what is in them. Only indexes and constraints
/// are asked for fields.
pub(super) fn drop_absent_columns(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Named);
    let _ = visit_expressions_mut(statement, |expression| {
        let dropped = match expression {
            Expr::CompoundIdentifier(parts) => null_column(parts),
            Expr::Identifier(name) => null_column(std::slice::from_ref(name)),
            Expr::CompoundFieldAccess { access_chain, .. } => {
                let is_field = access_chain.iter().any(|access| matches!(access, AccessExpr::Dot(_)));
                is_field.then(null)
            }
            Expr::Function(call) if is_text_of_nothing(call) => Some(null_of(DataType::Text)),
            Expr::Function(call) => {
                count_as_items(call);
                None
            }
            _ => None,
        };
        if let Some(dropped) = dropped {
            *expression = dropped;
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Such a column keeps its name where it is selected by it. NULLs without names get some: the engine wants different
/// ones.
struct Named;

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for (place, item) in select.projection.iter_mut().enumerate() {
            let named = match item {
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                    null_column(parts).zip(parts.last().cloned())
                }
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                    null_column(std::slice::from_ref(name)).zip(Some(name.clone()))
                }
                SelectItem::UnnamedExpr(Expr::Value(value)) if value.value == Value::Null => {
                    Some((null(), Ident::with_quote('"', format!("?column?{place}"))))
                }
                _ => None,
            };
            if let Some((expr, alias)) = named {
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
        }
        ControlFlow::Continue(())
    }
}

/// NULL, where a name is that of such a column.
fn null_column(parts: &[Ident]) -> Option<Expr> {
    let name = parts.last()?.value.to_lowercase();
    let list = |item| DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item), None));
    Some(null_of(match ABSENT.iter().position(|names| names.contains(&name.as_str()))? {
        0 => list(DataType::SmallInt(None)),
        1 => list(DataType::Text),
        2 => DataType::Int(None),
        _ => DataType::Text,
    }))
}

/// NULL of a type.
fn null_of(data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(null()), data_type, array: false, format: None }
}

fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

/// Whether the items of an array that was dropped are to be joined, which the engine refuses.
fn is_text_of_nothing(call: &Function) -> bool {
    let FunctionArguments::List(list) = &call.args else { return false };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(array))) = list.args.first() else { return false };
    let array = if let Expr::Cast { expr, .. } = array { expr.as_ref() } else { array };
    let is_null = matches!(array, Expr::Value(value) if value.value == Value::Null);
    is_null && last(&call.name).is_some_and(|name| name == "array_to_string")
}

/// The places in an array that was dropped are as many as its items.
fn count_as_items(call: &mut Function) {
    if last(&call.name).is_some_and(|name| name == "generate_subscripts")
        && let FunctionArguments::List(list) = &mut call.args
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast { .. }))) = list.args.first()
    {
        call.name = ObjectName::from(vec![Ident::new("unnest")]);
        list.args.truncate(1);
    }
}

/// `'pg_catalog.array_in'::regproc` becomes the function's name, which is what the catalogue holds in its place, and
/// `'pg_class'::regclass` the number by which it says what is described. Gives whether there was such a cast.
pub(super) fn resolve_names(statement: &mut Statement) -> bool {
    let mut changed = false;
    let _ = visit_expressions_mut(statement, |expression| {
        if let Expr::Cast { expr, data_type, .. } = expression
            && let Expr::Value(value) = expr.as_ref()
            && let Value::SingleQuotedString(name) = &value.value
            && let Some(resolved) = resolved(name, data_type)
        {
            *expression = Expr::Value(resolved.with_empty_span());
            changed = true;
        }
        ControlFlow::<()>::Continue(())
    });
    changed
}

fn resolved(name: &str, data_type: &DataType) -> Option<Value> {
    let name = name.rsplit('.').next().unwrap_or(name);
    match data_type.to_string().to_lowercase().trim_start_matches("pg_catalog.") {
        "regproc" => Some(Value::SingleQuotedString(name.into())),
        "regclass" if name == "pg_class" => Some(Value::Number(CLASS.to_string(), false)),
        _ => None,
    }
}

/// Whether a query names a table that it does not read itself.
fn is_correlated(query: &Query) -> bool {
    let mut tables = Tables(Vec::new());
    let _ = query.visit(&mut tables);
    query.visit(&mut Strangers(&tables.0)).is_break()
}

/// The names of the tables that a query reads, or what it calls them.
struct Tables(Vec<String>);

impl Visitor for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        match table {
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. } => {
                self.0.push(alias.name.value.to_lowercase());
            }
            TableFactor::Table { name, .. } => self.0.extend(last(name)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Breaks at a column of a table that is not among these.
struct Strangers<'a>(&'a [String]);

impl Visitor for Strangers<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::CompoundIdentifier(parts) if parts.len() > 1 => {
                let table = parts[parts.len() - 2].value.to_lowercase();
                if self.0.contains(&table) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn last(name: &ObjectName) -> Option<String> {
    Some(name.0.last()?.as_ident()?.value.to_lowercase())
}

#[cfg(test)]
mod tests {
    //! Proves what is rewritten, and what is not.

    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(text: &str, rule: fn(&mut Statement)) -> String {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap().remove(0);
        rule(&mut statement);
        statement.to_string()
    }

    #[test]
    fn an_escape_character_becomes_a_backslash() {
        let text = "SELECT a FROM b WHERE NOT a LIKE 'pg/_' || '%' ESCAPE '/'";
        assert_eq!(rewritten(text, escape_with_backslash), "SELECT a FROM b WHERE NOT a LIKE 'pg\\_' || '%'");
        let text = "SELECT a FROM b WHERE a LIKE 'x\\_'";
        assert_eq!(rewritten(text, escape_with_backslash), text);
    }

    #[test]
    fn functions_are_named_and_arrays_of_subqueries_dropped() {
        let named = |statement: &mut Statement| assert!(resolve_names(statement));
        let text = "SELECT typinput = 'pg_catalog.array_in'::regproc FROM pg_type";
        assert_eq!(rewritten(text, named), "SELECT typinput = 'array_in' FROM pg_type");
        for text in ["SELECT 'pg_class'::regclass", "SELECT 'pg_catalog.pg_class'::pg_catalog.regclass"] {
            assert_eq!(rewritten(text, named), "SELECT 1259");
        }
        let text = "SELECT ARRAY(SELECT b.c FROM b WHERE b.d = a.e) AS f, ARRAY[1] FROM a";
        assert_eq!(rewritten(text, drop_arrays), "SELECT NULL AS f, ARRAY[1] FROM a");
    }

    #[test]
    fn absent_columns_are_null_under_their_names() {
        let text = "SELECT i.indkey, c.relacl AS a FROM pg_index AS i, pg_class AS c WHERE 1 = ANY(i.indkey)";
        assert_eq!(
            rewritten(text, drop_absent_columns),
            "SELECT CAST(NULL AS SMALLINT[]) AS indkey, CAST(NULL AS TEXT[]) AS a FROM pg_index AS i, pg_class AS c \
             WHERE 1 = ANY(CAST(NULL AS SMALLINT[]))"
        );
        let text = "SELECT array_to_string(setconfig, ',') AS a, spcacl FROM c WHERE c.tableoid = d";
        assert_eq!(
            rewritten(text, drop_absent_columns),
            "SELECT CAST(NULL AS TEXT) AS a, CAST(NULL AS TEXT[]) AS spcacl FROM c WHERE CAST(NULL AS INT) = d"
        );
        let text = "SELECT NULL, NULL, NULL AS a";
        assert_eq!(
            rewritten(text, drop_absent_columns),
            "SELECT NULL AS \"?column?0\", NULL AS \"?column?1\", NULL AS a"
        );
        let text = "SELECT unnest(i.indkey) AS a, generate_subscripts(i.indkey, 1) AS b FROM pg_index AS i";
        assert_eq!(
            rewritten(text, drop_absent_columns),
            "SELECT unnest(CAST(NULL AS SMALLINT[])) AS a, unnest(CAST(NULL AS SMALLINT[])) AS b FROM pg_index AS i"
        );
        let text = "SELECT pg_catalog.array_to_string(c.relacl, ',') AS a, array_to_string(x, ',') FROM pg_class AS c";
        assert_eq!(
            rewritten(text, drop_absent_columns),
            "SELECT CAST(NULL AS TEXT) AS a, array_to_string(x, ',') FROM pg_class AS c"
        );
        let text = "SELECT (f(i.x)).n AS n, (g(true))[1] AS m FROM i WHERE i.y = (i.keys).x";
        assert_eq!(
            rewritten(text, drop_absent_columns),
            "SELECT NULL AS n, (g(true))[1] AS m FROM i WHERE i.y = NULL"
        );
    }

    #[test]
    fn only_subqueries_about_the_row_at_hand_are_dropped() {
        let text = "SELECT CASE WHEN a.d THEN (SELECT x.y FROM s.x WHERE s.x.z = a.z) END FROM a";
        assert_eq!(rewritten(text, drop_correlated), "SELECT CASE WHEN a.d THEN NULL END FROM a");
        for text in [
            "SELECT (SELECT s.x.y FROM s.x WHERE x.z = 1) FROM a",
            "SELECT a.b FROM a WHERE EXISTS (SELECT 1 FROM x WHERE x.z = a.z)",
        ] {
            assert_eq!(rewritten(text, drop_correlated), text);
        }
    }
}
