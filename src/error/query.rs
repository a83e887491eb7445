//! What errors of the query engine mean to a user.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use super::Error;

/// One of our own errors that passed through the query engine comes out as it was; others are the query's
/// fault, the store's, or the data's.
impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        use DataFusionError as E;
        // What stands around the root says which part of the engine noticed it.
        let root = error.find_root();
        let text = root.strip_backtrace();
        match root {
            E::External(inner) if inner.is::<Error>() => {
                inner.downcast_ref::<Error>().cloned().unwrap_or_else(|| Error::internal(text))
            }
            E::SQL(parser, _) => {
                Error::invalid(format!("the SQL cannot be read: {}", parser_message(parser)))
            }
            E::Plan(_) | E::SchemaError(..) | E::NotImplemented(_) => plan_error(&text),
            E::ResourcesExhausted(_) => {
                Error::unavailable("the query needs more memory than `memory_limit` allows")
                    .detail(text)
                    .hint("raise `memory_limit`, or lower `threads`")
            }
            E::ObjectStore(_) | E::IoError(_) => {
                Error::unavailable("cannot read or write the lake").detail(text)
            }
            E::ArrowError(arrow, _) => {
                Error::invalid(format!("the query fails on its values: {}", arrow.to_string().to_lowercase()))
            }
            E::Execution(message) => Error::invalid(format!("the query fails on its values: {message}")),
            E::External(_) | E::ParquetError(_) => {
                Error::unavailable("cannot read or write the lake").detail(text)
            }
            _ => Error::internal(text),
        }
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

/// An error of the planner: its first sentence, and the name it proposes as a hint.
fn plan_error(text: &str) -> Error {
    let text = ["Error during planning: ", "Schema error: ", "This feature is not implemented: "]
        .iter()
        .fold(text, |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    let first = text.lines().next().unwrap_or(text);
    match first.split_once(". Did you mean '") {
        Some((message, rest)) => Error::invalid(message)
            .hint(format!("did you mean `{}`?", rest.trim_end_matches(['\'', '?', '.']))),
        None => Error::invalid(first.trim_end_matches('.')),
    }
}
