//! What a session is told with SET, and tells with SHOW. Nothing of it reaches another session.

use std::collections::HashMap;
use std::time::Duration;

use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Set};
use datafusion_postgres::hooks::HookClient;
use datafusion_postgres::pgwire::error::PgWireResult;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::startup::ParameterStatus;

use super::errors;
use crate::contract::Layer;

/// The version of PostgreSQL that drivers are told: what it can do is asked for by number.
pub(super) const SERVER_VERSION: &str = concat!("16.6 (lake ", env!("CARGO_PKG_VERSION"), ")");

/// The schema whose tables need no schema in front.
pub(super) const DEFAULT_SCHEMA: &str = "gold";

/// What SHOW tells where nothing was set.
pub(super) const DEFAULTS: [(&str, &str); 30] = [
    ("application_name", ""),
    ("block_size", "8192"),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, YMD"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lock_timeout", "0"),
    ("max_function_args", "100"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("search_path", DEFAULT_SCHEMA),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "160006"),
    ("ssl", "off"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
    ("transform_null_equals", "off"),
];

/// Those whose values are kept; of the others it is only said that they are set, since nothing here goes by them.
const KEPT: [&str; 7] = [
    "application_name",
    "bytea_output",
    "datestyle",
    "extra_float_digits",
    "intervalstyle",
    "search_path",
    "statement_timeout",
];

/// What a setting is where nothing was set.
pub(super) fn default_of(name: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// What SHOW tells of a name.
pub(super) fn show(kept: &HashMap<String, String>, words: &[Ident]) -> PgWireResult<(String, String)> {
    let words: Vec<String> = words.iter().map(|word| word.value.to_lowercase()).collect();
    let name = match words.join(" ").as_str() {
        "time zone" => "timezone".to_string(),
        "transaction isolation level" => "transaction_isolation".to_string(),
        name => name.to_string(),
    };
    let value = kept.get(&name).filter(|_| KEPT.contains(&name.as_str())).cloned();
    match value.or_else(|| default_of(&name).map(String::from)) {
        Some(value) => Ok((name, value)),
        None => {
            Err(errors::coded("ERROR", "42704", format!("unrecognized configuration parameter \"{name}\"")))
        }
    }
}

/// Does what a SET says.
pub(super) async fn set(
    client: &mut dyn HookClient,
    context: &SessionContext,
    told: &Set,
) -> PgWireResult<()> {
    match told {
        Set::SingleAssignment { variable, values, .. } => {
            let value = values.iter().map(text).collect::<Vec<_>>().join(", ");
            assign(client, context, &name_of(variable), &value).await
        }
        // Times are UTC, transactions only read, names are UTF-8: what is asked for otherwise changes nothing.
        _ => Ok(()),
    }
}

/// Gives a setting its default back, or all.
pub(super) async fn reset(
    client: &mut dyn HookClient,
    context: &SessionContext,
    name: Option<&ObjectName>,
) -> PgWireResult<()> {
    let name = name.map(name_of);
    for kept in KEPT.into_iter().filter(|kept| name.as_deref().is_none_or(|name| name == *kept)) {
        assign(client, context, kept, "default").await?;
    }
    Ok(())
}

async fn assign(
    client: &mut dyn HookClient,
    context: &SessionContext,
    name: &str,
    value: &str,
) -> PgWireResult<()> {
    if name.starts_with("datafusion.") {
        return Err(errors::coded(
            "ERROR",
            "42501",
            format!("permission denied to set parameter \"{name}\""),
        ));
    }
    if !KEPT.contains(&name) {
        return Ok(());
    }
    let is_default = value.eq_ignore_ascii_case("default");
    let value = if is_default { default_of(name).unwrap_or_default() } else { value };
    match name {
        "statement_timeout" if duration(value).is_none() => {
            let message = format!("invalid value for parameter \"statement_timeout\": \"{value}\"");
            return Err(errors::coded("ERROR", "22023", message));
        }
        "search_path" => search(context, value),
        _ => {}
    }
    client.metadata_mut().insert(name.into(), value.into());
    let reported = match name {
        "application_name" | "search_path" => name,
        "datestyle" => "DateStyle",
        "intervalstyle" => "IntervalStyle",
        _ => return Ok(()),
    };
    let status = ParameterStatus::new(reported.into(), value.into());
    client.send_message(PgWireBackendMessage::ParameterStatus(status)).await
}

/// Tables without a schema are looked for in the first layer of a search path, or else where they are by default.
pub(super) fn search(context: &SessionContext, path: &str) {
    let mut names = path.split(',').map(|name| name.trim().trim_matches(['"', '\'']));
    let layers: Vec<&str> = Layer::ALL.iter().map(|layer| layer.as_str()).collect();
    let first = names.find(|name| layers.contains(name)).unwrap_or(DEFAULT_SCHEMA);
    let state = context.state_ref();
    state.write().config_mut().options_mut().catalog.default_schema = first.into();
}

/// How long the client lets a statement take.
pub(super) fn timeout(kept: &HashMap<String, String>) -> Option<Duration> {
    kept.get("statement_timeout").and_then(|text| duration(text)).filter(|duration| !duration.is_zero())
}

/// The settings in the startup message: those of the `options` are given as `-c name=value`.
pub(super) fn of_startup(parameters: &HashMap<String, String>) -> HashMap<String, String> {
    let mut settings: HashMap<String, String> =
        parameters.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    let options = parameters.get("options").map(String::as_str).unwrap_or_default();
    for option in options.split_whitespace() {
        let option = option.strip_prefix("--").or_else(|| option.strip_prefix("-c")).unwrap_or(option);
        if let Some((name, value)) = option.split_once('=') {
            settings.insert(name.to_lowercase(), value.into());
        }
    }
    settings.retain(|name, _| KEPT.contains(&name.as_str()));
    settings
}

/// Reads `5000`, `5s`, `2min`: milliseconds where there is no unit.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: f64 = text[..text.len() - unit.len()].parse().ok()?;
    let milliseconds = match unit.trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * milliseconds / 1_000.0).ok()
}

fn name_of(name: &ObjectName) -> String {
    name.to_string().to_lowercase()
}

/// A value as it was meant: names and texts without their quotes.
fn text(value: &Expr) -> String {
    match value {
        Expr::Identifier(name) => name.value.clone(),
        Expr::Value(value) => value.clone().into_string().unwrap_or_else(|| value.to_string()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    //! Proves what settings mean.

    use super::*;

    #[test]
    fn durations_have_units() {
        let seconds = |text: &str| duration(text).map(|duration| duration.as_secs_f64());
        assert_eq!(
            ["0", "1500", "5s", "2min", "1.5h", "250ms"].map(seconds),
            [Some(0.0), Some(1.5), Some(5.0), Some(120.0), Some(5400.0), Some(0.25)]
        );
        assert_eq!(["", "x", "5 weeks", "-1"].map(seconds), [None; 4]);
        let kept = |value: &str| HashMap::from([("statement_timeout".to_string(), value.to_string())]);
        assert_eq!(timeout(&kept("0")), None);
        assert_eq!(timeout(&kept("2s")), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_startup_message_holds_settings() {
        let told = HashMap::from([
            ("user".to_string(), "ann".to_string()),
            ("DateStyle".to_string(), "ISO".to_string()),
            ("options".to_string(), "-c statement_timeout=5s -csearch_path=silver --x=1".to_string()),
        ]);
        let settings = of_startup(&told);
        assert_eq!(settings.len(), 3);
        assert_eq!(settings["datestyle"], "ISO");
        assert_eq!(settings["search_path"], "silver");
        assert_eq!(timeout(&settings), Some(Duration::from_secs(5)));
    }

    #[test]
    fn names_are_told_or_unknown() {
        let show = |words: &[&str]| {
            let words: Vec<Ident> = words.iter().map(|word| Ident::new(*word)).collect();
            super::show(&HashMap::from([("user".to_string(), "ann".to_string())]), &words)
        };
        assert_eq!(show(&["TRANSACTION", "ISOLATION", "LEVEL"]).unwrap().1, "read committed");
        assert_eq!(show(&["Search_Path"]).unwrap(), ("search_path".to_string(), "gold".to_string()));
        assert!(show(&["user"]).is_err());
    }
}
