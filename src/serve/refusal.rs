//! Why a statement was refused, in classes that every protocol has a word for.

use std::collections::BTreeSet;
use std::fmt;

use datafusion::error::DataFusionError;

use crate::contract::Layer;
use crate::error::{Error, Kind, nearest};
use crate::run::Lake;

/// A class of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The text is no SQL.
    Syntax,
    /// It names a table that there is not.
    UnknownTable,
    /// It names a column that there is not.
    UnknownColumn,
    /// It calls a function that there is not.
    UnknownFunction,
    /// It means nothing for another reason.
    Invalid,
    /// It would change something.
    ReadOnly,
    /// The client may not read what it asks for.
    Denied,
    /// It fails on a value.
    Value,
    /// It needs more memory than its client has.
    Memory,
    /// It took longer than statements may.
    Timeout,
    /// Its answer has more rows than answers may.
    Rows,
    /// Its client stopped it.
    Cancelled,
    /// The server is stopping.
    Stopping,
    /// The lake cannot be read now.
    Unavailable,
    /// A mistake of the program.
    Internal,
}

impl Cause {
    /// A refusal of this class.
    pub fn of(self, error: Error) -> Refusal {
        Refusal { cause: self, error }
    }
}

/// A refusal: its class, and what it says.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The class.
    pub cause: Cause,
    /// Message, details, hints.
    pub error: Error,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let cause = match error.kind() {
            Kind::Unavailable => Cause::Unavailable,
            Kind::Internal => Cause::Internal,
            _ => Cause::Invalid,
        };
        cause.of(error)
    }
}

impl Refusal {
    /// What an error of the engine means to a client of `lake`.
    pub fn new(lake: &Lake, error: DataFusionError) -> Refusal {
        if let DataFusionError::External(inner) = error.find_root()
            && let Some(refusal) = inner.downcast_ref::<Refusal>()
        {
            return refusal.clone();
        }
        let cause = cause(&error);
        let error = match cause {
            Some(Cause::Memory) => too_much(&error),
            _ => lake.explain(error),
        };
        match cause {
            Some(cause) => cause.of(error),
            None => error.into(),
        }
    }

    /// The same as it is told to who may read these layers alone: it tells nothing of other tables than theirs.
    pub fn within(self, lake: &Lake, layers: &BTreeSet<Layer>) -> Refusal {
        let closed: Vec<&str> =
            Layer::ALL.iter().filter(|layer| !layers.contains(layer)).map(|layer| layer.as_str()).collect();
        let is_open = |text: &&String| !closed.iter().any(|layer| names_table_of(text, layer));
        let told = &self.error;
        if told.details().iter().chain(told.hints()).all(|text| is_open(&text)) {
            return self;
        }
        let mut error = Error::new(told.kind(), told.message());
        error = told.details().iter().filter(is_open).cloned().fold(error, Error::detail);
        error = told.hints().iter().filter(is_open).cloned().fold(error, Error::hint);
        if let Some(place) = told.place() {
            error = error.at(place);
        }
        let named = told.message().split('`').nth(1).unwrap_or_default();
        let known: Vec<String> = lake.project.contracts.keys().map(ToString::to_string).collect();
        let known = known.iter().filter(|name| is_open(name)).map(String::as_str);
        match nearest(named, known).filter(|_| self.cause == Cause::UnknownTable) {
            Some(near) => self.cause.of(error.hint(format!("did you mean `{near}`?"))),
            None => self.cause.of(error),
        }
    }
}

/// Whether a text names a table of a layer, such as `silver.invoices`.
fn names_table_of(text: &str, layer: &str) -> bool {
    let mut places = text.match_indices(layer);
    places.any(|(at, _)| {
        let is_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let mut rest = text[at + layer.len()..].chars();
        !is_word && rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// What is said where memory ran out: a client's bound is a setting of its own.
fn too_much(error: &DataFusionError) -> Error {
    Error::unavailable("the query needs more memory than one client may take")
        .detail(error.find_root().strip_backtrace())
        .hint("ask for less; `serve.query_memory` is the bound, `memory_limit` that of all clients together")
}

/// The class of an error of the engine, where its type or its text tells.
fn cause(error: &DataFusionError) -> Option<Cause> {
    use DataFusionError as E;
    let root = error.find_root();
    match root {
        E::SQL(..) => Some(Cause::Syntax),
        E::ResourcesExhausted(_) => Some(Cause::Memory),
        E::ArrowError(..) | E::Execution(_) => Some(Cause::Value),
        E::SchemaError(..) => Some(Cause::UnknownColumn),
        E::Plan(text) | E::NotImplemented(text) => {
            let is = |part: &str| text.contains(part);
            let class = if is("table '") && is("not found") {
                Cause::UnknownTable
            } else if is("Invalid function") {
                Cause::UnknownFunction
            } else if is("No field named") {
                Cause::UnknownColumn
            } else {
                Cause::Invalid
            };
            Some(class)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    //! Proves what counts as the name of a table.

    use super::*;

    #[test]
    fn a_layer_and_a_table_are_a_name() {
        for text in ["did you mean `ops.runs`?", "made from it: gold.a, ops.b", "ops.x"] {
            assert!(names_table_of(text, "ops"), "{text}");
        }
        for text in ["it stops. Then", "the ops. layer", "shops.a", "ops"] {
            assert!(!names_table_of(text, "ops"), "{text}");
        }
    }
}
