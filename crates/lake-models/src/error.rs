//! What a model says when it cannot be fitted. It never stands in for a number: no result is NaN or infinite.

use std::fmt;

/// Why a model could not be fitted or asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is nothing to fit: names what is missing.
    Empty(String),
    /// An input that no model can take: names the value and its place.
    Invalid(String),
    /// The input is valid, and the named model cannot be fitted to it.
    Unfit {
        /// The model's name, as in `Fitted::name`.
        model: &'static str,
        /// What stood in the way.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty(what) => write!(f, "nothing to fit: {what}"),
            Error::Invalid(what) => write!(f, "invalid input: {what}"),
            Error::Unfit { model, reason } => write!(f, "{model} cannot be fitted: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
