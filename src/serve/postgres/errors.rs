//! Refusals in PostgreSQL's words: the code that drivers go by, the message, details and hints.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError};

use crate::error::Error;
use crate::run::Lake;
use crate::serve::{Cause, Refusal};

/// A refusal as it is told.
pub(super) fn told(refusal: Refusal) -> PgWireError {
    PgWireError::UserError(Box::new(info(&refusal)))
}

/// An error of the program's own as it is told.
pub(super) fn own(error: Error) -> PgWireError {
    told(error.into())
}

/// An error with a code that no class of refusals has.
pub(super) fn coded(severity: &str, code: &str, message: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(coded_info(severity, code, message.into())))
}

/// What the parser refused, with the place in the text.
pub(super) fn syntax(lake: &Lake, text: &str, error: ParserError) -> PgWireError {
    let place = position(text, &error.to_string());
    let mut info = info(&Refusal::new(lake, DataFusionError::SQL(Box::new(error), None)));
    info.position = place.map(|place| place.to_string());
    PgWireError::UserError(Box::new(info))
}

/// An error of the protocol's own in the same form: who failed to come in is named. What has a code already is left
/// as it is.
pub(super) fn finished(error: PgWireError, user: Option<&str>) -> ErrorInfo {
    match error {
        PgWireError::InvalidPassword(_) => {
            let user = user.unwrap_or_default();
            coded_info("FATAL", "28P01", format!("password authentication failed for user \"{user}\""))
        }
        PgWireError::InvalidScramMessage(_) => {
            coded_info("FATAL", "28P01", "the client cannot be verified".into())
        }
        PgWireError::QueryCanceled => {
            coded_info("ERROR", "57014", "canceling statement due to user request".into())
        }
        PgWireError::ApiError(error) => coded_info("ERROR", "XX000", error.to_string()),
        error => error.into(),
    }
}

/// The server takes nothing new any more.
pub(super) fn stopping() -> PgWireError {
    coded("FATAL", "57P01", "terminating connection: the server is stopping")
}

fn info(refusal: &Refusal) -> ErrorInfo {
    let error = &refusal.error;
    let severity = if refusal.cause == Cause::Stopping { "FATAL" } else { "ERROR" };
    let mut info = coded_info(severity, code(refusal), error.message().to_string());
    let lines = |lines: &[String]| (!lines.is_empty()).then(|| clean(&lines.join("\n")));
    (info.detail, info.hint) = (lines(error.details()), lines(error.hints()));
    info
}

fn coded_info(severity: &str, code: &str, message: String) -> ErrorInfo {
    let mut info = ErrorInfo::new(severity.into(), code.into(), clean(&message));
    info.severity_nonlocalized = Some(severity.into());
    info
}

/// A text of the protocol ends at its first zero.
fn clean(text: &str) -> String {
    text.replace('\0', " ")
}

/// The SQLSTATE of a refusal: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn code(refusal: &Refusal) -> &'static str {
    match refusal.cause {
        Cause::Syntax => "42601",
        Cause::UnknownTable => "42P01",
        Cause::UnknownColumn => "42703",
        Cause::UnknownFunction => "42883",
        Cause::Invalid => "42000",
        Cause::ReadOnly => "25006",
        Cause::Denied => "42501",
        Cause::Value => code_of_value(refusal.error.message()),
        Cause::Memory => "53200",
        Cause::Timeout | Cause::Cancelled => "57014",
        Cause::Rows => "53400",
        Cause::Stopping => "57P01",
        Cause::Unavailable => "58030",
        Cause::Internal => "XX000",
    }
}

/// What is wrong with a value, as far as the engine's words tell.
fn code_of_value(message: &str) -> &'static str {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["divide by zero"]) {
        "22012"
    } else if says(&["overflow", "out of range", "too large"]) {
        "22003"
    } else if says(&["cannot cast", "cannot parse", "error parsing", "can't parse"]) {
        "22P02"
    } else {
        "22000"
    }
}

/// The place of an error in a text, in characters from 1, where the parser says `at Line: 1, Column: 8`.
fn position(text: &str, message: &str) -> Option<usize> {
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let column = column.split(|c: char| !c.is_ascii_digit()).next()?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let before: usize =
        text.split_inclusive('\n').take(line.checked_sub(1)?).map(|line| line.chars().count()).sum();
    Some(before + column)
}

#[cfg(test)]
mod tests {
    //! Proves which codes and places refusals have.

    use super::*;

    #[test]
    fn a_place_is_counted_in_characters() {
        let text = "select 'é',\n  fro m";
        assert_eq!(position(text, "Expected: x, found: m at Line: 2, Column: 7"), Some(19));
        assert_eq!(position("selec 1", "Expected: a statement at Line: 1, Column: 1"), Some(1));
        assert_eq!(position("select 1", "recursion limit exceeded"), None);
    }

    #[test]
    fn every_cause_has_its_code() {
        let told = |cause: Cause| code(&cause.of(Error::invalid("x")));
        assert_eq!(told(Cause::UnknownTable), "42P01");
        assert_eq!(told(Cause::ReadOnly), "25006");
        assert_eq!(told(Cause::Rows), "53400");
        let value = |message: &str| code(&Cause::Value.of(Error::invalid(message)));
        assert_eq!(value("the query fails on its values: divide by zero error"), "22012");
        assert_eq!(
            value("the query fails on its values: cannot cast string 'x' to value of Int32 type"),
            "22P02"
        );
        assert_eq!(value("the query fails on its values: arithmetic overflow"), "22003");
        assert_eq!(value("something else"), "22000");
    }

    #[test]
    fn details_and_hints_are_told() {
        let error = Error::invalid("no \0 table").detail("a").detail("b").hint("c");
        let info = info(&Cause::UnknownTable.of(error));
        assert_eq!((info.message.as_str(), info.severity.as_str()), ("no   table", "ERROR"));
        assert_eq!((info.detail.as_deref(), info.hint.as_deref()), (Some("a\nb"), Some("c")));
        assert!(info_is_fatal(Cause::Stopping) && !info_is_fatal(Cause::Timeout));
    }

    fn info_is_fatal(cause: Cause) -> bool {
        info(&cause.of(Error::unavailable("x"))).is_fatal()
    }

    #[test]
    fn who_failed_to_come_in_is_named() {
        let error = finished(PgWireError::InvalidPassword(String::new()), Some("ann"));
        assert_eq!((error.code.as_str(), error.severity.as_str()), ("28P01", "FATAL"));
        assert!(error.message.contains("\"ann\""));
    }
}
