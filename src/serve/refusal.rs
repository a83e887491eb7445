//! Why a statement was refused, in classes that every protocol has a word for.

use std::fmt;

use datafusion::error::DataFusionError;

use crate::error::{Error, Kind};
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
