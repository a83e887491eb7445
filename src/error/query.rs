//! What errors of the query engine mean to a user.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use super::{Error, Place};

/// One of our own errors that passed through the query engine comes out as it was; others are the query's
/// fault, the store's, or the data's.
impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        let told = told(&error);
        match place(&error) {
            Some(place) => told.at(place),
            None => told,
        }
    }
}

/// Where in a statement the parser or the planner noticed it; the planner knows when the session collects spans.
fn place(error: &DataFusionError) -> Option<Place> {
    if let Some(span) = error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        let [line, column] = [span.start.line, span.start.column].map(usize::try_from);
        return Some(Place { line: line.ok()?, column: column.ok()? });
    }
    let DataFusionError::SQL(parser, _) = error.find_root() else { return None };
    let text = parser.to_string();
    let (line, column) = text.rsplit_once(" at Line: ")?.1.split_once(", Column: ")?;
    let column = column.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(Place { line: line.parse().ok()?, column: column.parse().ok()? })
}

fn told(error: &DataFusionError) -> Error {
    use DataFusionError as E;
    // What stands around the root says which part of the engine noticed it.
    let root = error.find_root();
    let text = root.strip_backtrace();
    match root {
        E::External(inner) if inner.is::<Error>() => {
            inner.downcast_ref::<Error>().cloned().unwrap_or_else(|| Error::internal(text))
        }
        E::SQL(parser, _) => Error::invalid(format!("the SQL cannot be read: {}", parser_message(parser))),
        E::Plan(_) | E::SchemaError(..) | E::NotImplemented(_) => plan_error(&text),
        E::Configuration(message) => plan_error(message),
        E::ResourcesExhausted(_) => {
            Error::unavailable("the query needs more memory than `memory_limit` allows")
                .detail(text)
                .hint("raise `memory_limit`, or lower `threads`")
        }
        E::ArrowError(arrow, _) => value_error(&arrow.to_string()),
        E::Execution(message) => value_error(message),
        E::ObjectStore(_) | E::IoError(_) | E::External(_) | E::ParquetError(_) => outer_error(&text),
        _ => Error::internal(text),
    }
}

/// What the SQL parser has to say, without the name of its type.
fn parser_message(error: &ParserError) -> String {
    match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message
            .replace(" at Line: ", " at line ")
            .replace(", Column: ", ", column ")
            .replace("Expected", "expected"),
        ParserError::RecursionLimitExceeded => "it is nested too deeply".into(),
    }
}

/// An error of the planner: its first sentence, and the name it proposes as a hint, or else all that it knows.
fn plan_error(text: &str) -> Error {
    let prefixes = ["Error during planning: ", "Internal error: ", "Schema error: "];
    let text = prefixes.iter().fold(text, |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    let text = text.strip_prefix("This feature is not implemented: ").unwrap_or(text);
    if text.starts_with("No SQL statements were provided") {
        return Error::invalid("the query is empty")
            .hint("ask something, as in `select * from gold.daily_sales limit 5`");
    }
    if text.contains("only supports a single SQL statement") {
        return Error::invalid("there is more than one statement").hint("leave one of them");
    }
    if let Some(error) = text.lines().next().and_then(call_error) {
        return error;
    }
    let (message, proposed) = match text.split_once("Did you mean '") {
        Some((message, rest)) => (message, rest.split('\'').next()),
        None => (text, None),
    };
    let message = lowered(message.lines().next().unwrap_or(message).trim_end_matches(['.', ' ']));
    let known = text.split_once("Valid fields are ").map(|(_, known)| known.trim_end_matches('.'));
    let hint = proposed.map(|name| format!("did you mean `{name}`?"));
    let hint = hint.or_else(|| known.map(|known| format!("known are: {known}")));
    hint.into_iter().fold(Error::invalid(message), Error::hint)
}

/// A call of a function with what it does not take: what that is, and what it takes instead.
fn call_error(text: &str) -> Option<Error> {
    let (call, reasons) = text.split_once("' failed to match any signature, errors: ")?;
    let name = call.strip_prefix("Function '")?;
    let (mut given, mut taken) = ("this", Vec::new());
    for reason in reasons.split("Error during planning: ") {
        let Some((takes, got)) = reason.split_once(" but received ") else { continue };
        given = got.split(['(', ',']).next().unwrap_or(got).trim_end_matches(['.', ' ']);
        let takes = takes.rsplit_once("' ").map_or(takes, |(_, takes)| takes);
        let takes =
            takes.trim_start_matches("requires ").trim_start_matches("expects ").trim_end_matches(',');
        if !taken.contains(&takes) {
            taken.push(takes);
        }
    }
    let unit = if given.bytes().all(|byte| byte.is_ascii_digit()) { " arguments" } else { "" };
    let error = Error::invalid(format!("`{name}` does not take {given}{unit}"));
    Some(if taken.is_empty() { error } else { error.hint(format!("it takes {}", taken.join(" or "))) })
}

/// A query that can be planned and fails on what it meets with.
fn value_error(text: &str) -> Error {
    // So files are written that answers are copied to.
    if text.contains("No space left on device") {
        return Error::unavailable("the disk is full").hint("free some space and ask again");
    }
    let prefixes = ["Cast error: ", "Parser error: ", "Compute error: ", "Invalid argument error: "];
    let text = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let text = lowered(text.trim_end_matches('.'));
    Error::invalid(format!("the query fails on its values: {text}"))
}

/// An error of what the engine stands on: the files of the lake, mostly.
fn outer_error(text: &str) -> Error {
    if let Some((_, cause)) = text.split_once("regex parse error:") {
        return Error::invalid("a regular expression cannot be read").detail(cause.trim_matches('\n'));
    }
    let lost = text.split_once("Object at location ").and_then(|(_, rest)| rest.split_once(" not found"));
    if let Some((file, _)) = lost.filter(|(file, _)| file.ends_with(".parquet")) {
        return Error::unavailable("a file of a table is not there any more").detail(file).hint(
            "`lake vacuum` removes what no kept publication needs: ask a newer one of `lake publications`",
        );
    }
    Error::unavailable("cannot read or write the lake").detail(text)
}

/// A text that goes on in a sentence: its first letter is small, unless it begins an abbreviation.
fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    //! Proves that the engine's errors are said in words of a user, and that data in them stays as it is.

    use datafusion::arrow::error::ArrowError;
    use datafusion::common::{Diagnostic, Location, Span};

    use super::*;

    fn plan(text: &str) -> String {
        Error::from(DataFusionError::Plan(text.into())).to_string()
    }

    #[test]
    fn data_in_a_message_stays_as_it_is() {
        let cast = ArrowError::CastError("Cannot cast string 'Germany' to value of Int32 type".into());
        let error = Error::from(DataFusionError::ArrowError(Box::new(cast), None));
        assert_eq!(
            error.message(),
            "the query fails on its values: cannot cast string 'Germany' to value of Int32 type"
        );
        let error =
            Error::from(DataFusionError::Execution("Scalar subquery returned more than one row".into()));
        assert!(error.message().ends_with("values: scalar subquery returned more than one row"));
        assert_eq!(plan("LIMIT must be >= 0, '-1' was provided"), "LIMIT must be >= 0, '-1' was provided");
    }

    #[test]
    fn a_full_disk_is_no_fault_of_a_query() {
        let full = "error writing to object store: Generic LocalFileSystem error: Unable to copy data to file: \
                    No space left on device (os error 28)";
        let error = Error::from(DataFusionError::Execution(full.into()));
        assert_eq!((error.message(), error.kind().exit_code()), ("the disk is full", 1));
    }

    #[test]
    fn a_proposal_is_a_hint() {
        assert_eq!(
            plan("No field named x. Did you mean 't.y'?."),
            "no field named x\nhint: did you mean `t.y`?"
        );
        assert_eq!(
            plan("Invalid function 'summ'.\nDid you mean 'sum'?"),
            "invalid function 'summ'\nhint: did you mean `sum`?"
        );
        assert_eq!(
            plan("No field named x.\nValid fields are t.y, t.z."),
            "no field named x\nhint: known are: t.y, t.z"
        );
    }

    #[test]
    fn the_place_that_the_engine_names_is_kept() {
        let of_parser = ParserError::ParserError("Expected: x, found: y at Line: 3, Column: 12".into());
        let error = Error::from(DataFusionError::SQL(Box::new(of_parser), None));
        assert_eq!(error.place(), Some(Place { line: 3, column: 12 }));
        let start = Location { line: 2, column: 5 };
        let span = Span::new(start, Location { line: 2, column: 9 });
        let planned = DataFusionError::Plan("No field named x".into());
        let placed = planned.with_diagnostic(Diagnostic::new_error("column 'x' not found", Some(span)));
        assert_eq!(Error::from(placed).place(), Some(Place { line: 2, column: 5 }));
        assert_eq!(Error::from(DataFusionError::Plan("No field named x".into())).place(), None);
    }

    #[test]
    fn a_wrong_call_says_what_the_function_takes() {
        let types = "Internal error: Function 'sum' failed to match any signature, errors: \
                     Error during planning: Function 'sum' requires Decimal, but received String (DataType: Utf8).,\
                     Error during planning: Function 'sum' requires Int64, but received String (DataType: Utf8)";
        assert_eq!(plan(types), "`sum` does not take String\nhint: it takes Decimal or Int64");
        let number = "Internal error: Function 'substr' failed to match any signature, errors: \
                      Error during planning: Function 'substr' expects 2 arguments but received 4,\
                      Error during planning: Function 'substr' expects 3 arguments but received 4";
        assert_eq!(
            plan(number),
            "`substr` does not take 4 arguments\nhint: it takes 2 arguments or 3 arguments"
        );
    }

    #[test]
    fn what_is_missing_or_broken_is_named() {
        let outer = |text: &str| Error::from(DataFusionError::External(text.into())).to_string();
        let lost =
            outer("Parquet error: Object at location /lake/gold/rfm/a.parquet not found: No such file");
        assert!(lost.starts_with("a file of a table is not there any more\n  /lake/gold/rfm/a.parquet\n"));
        assert!(
            outer("regex parse error:\n    (\n    ^\nerror: unclosed group")
                .contains("error: unclosed group")
        );
        assert_eq!(
            outer("no route to host"),
            "cannot read or write the lake\n  External error: no route to host"
        );
    }
}
