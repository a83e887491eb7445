//! Refusals in the words of gRPC: the one place where a cause becomes a code.

use std::fmt::Display;

use tonic::{Code, Status};

use crate::error::Error;
use crate::serve::{Cause, Refusal};

/// The longest message, in bytes. It travels in a header, where a byte may take three, and some clients drop what has
/// more than eight kilobytes of these.
const LONGEST: usize = 2_000;

/// A refusal as gRPC says it: a code by its cause, and message, details and hints in one text.
pub fn status(refusal: Refusal) -> Status {
    let code = match refusal.cause {
        Cause::Syntax
        | Cause::UnknownTable
        | Cause::UnknownColumn
        | Cause::UnknownFunction
        | Cause::Invalid
        | Cause::Value => Code::InvalidArgument,
        Cause::ReadOnly => Code::FailedPrecondition,
        Cause::Denied => Code::PermissionDenied,
        Cause::Memory | Cause::Rows => Code::ResourceExhausted,
        Cause::Timeout => Code::DeadlineExceeded,
        Cause::Cancelled => Code::Cancelled,
        Cause::Stopping | Cause::Unavailable => Code::Unavailable,
        Cause::Internal => Code::Internal,
    };
    if refusal.cause == Cause::Internal {
        tracing::error!(error = %refusal, "a request failed");
    }
    let mut text = refusal.to_string();
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    Status::new(code, text)
}

/// An error of the program as gRPC says it.
pub fn failed(error: Error) -> Status {
    status(error.into())
}

/// A fault of the program, noticed by one of its libraries.
pub fn mistaken(error: impl Display) -> Status {
    failed(Error::internal(error.to_string()))
}

/// A message that is not what the protocol says it is.
pub fn garbled(error: impl Display) -> Status {
    Status::invalid_argument(format!("the request cannot be read: {error}"))
}

/// What is said to whoever would change something.
pub fn read_only() -> Status {
    let error = Error::invalid("nothing can be changed here: this server only reads")
        .hint("tables are made by the jobs in sql/ and `lake run`");
    status(Cause::ReadOnly.of(error))
}

#[cfg(test)]
mod tests {
    //! Proves which codes and texts clients get.

    use super::*;

    #[test]
    fn message_details_and_hints_are_one_text() {
        let error = Error::invalid("no table `x`").detail("in gold").hint("try `y`");
        let status = status(Cause::UnknownTable.of(error));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "no table `x`\n  in gold\nhint: try `y`");
        assert_eq!(read_only().code(), Code::FailedPrecondition);
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let status = failed(Error::unavailable("é".repeat(5_000)));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().len() <= LONGEST + '…'.len_utf8() && status.message().ends_with("é…"));
    }
}
