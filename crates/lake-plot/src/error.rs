//! What can go wrong between numbers and a picture, and the checks every chart makes first.

use std::fmt;

/// Largest magnitude a picture accepts; beyond it `f64` no longer tells neighbouring whole numbers apart.
const LARGEST: f64 = 1e15;

/// First and last day a picture accepts: 0001-01-01 and 9999-12-31, counted from 1970-01-01.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// A refusal to draw, named by what the caller must do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The data or the settings cannot be drawn: mend them.
    Invalid(String),
    /// The drawing libraries failed: a fault of this crate.
    Internal(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid(message) => write!(f, "{message}"),
            Error::Internal(message) => write!(f, "the picture could not be drawn: {message}"),
        }
    }
}

impl std::error::Error for Error {}

/// Wraps a failure of a drawing library.
pub(crate) fn internal(source: impl fmt::Display) -> Error {
    Error::Internal(source.to_string())
}

/// Refuses a value that has no place on an axis; `position` counts from 1.
pub(crate) fn check_value(what: &str, position: usize, value: f64) -> Result<(), Error> {
    if value.is_finite() && value.abs() <= LARGEST {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "`{what}` holds {value} at position {position}; a picture needs finite numbers within ±1e15"
    )))
}

/// Refuses any value of `values` that has no place on an axis.
pub(crate) fn check_values(what: &str, values: impl IntoIterator<Item = f64>) -> Result<(), Error> {
    values.into_iter().enumerate().try_for_each(|(i, value)| check_value(what, i + 1, value))
}

/// Refuses days that do not increase, or lie outside the years 1 to 9999.
pub(crate) fn check_days(what: &str, days: impl IntoIterator<Item = i32>) -> Result<(), Error> {
    let mut before = None;
    for (i, day) in days.into_iter().enumerate() {
        if !DAYS.contains(&day) {
            return Err(Error::Invalid(format!("`{what}` holds day {day}, outside the years 1 to 9999")));
        }
        if before.is_some_and(|before| before >= day) {
            let position = i + 1;
            return Err(Error::Invalid(format!(
                "the days of `{what}` do not increase at position {position}"
            )));
        }
        before = Some(day);
    }
    Ok(())
}

/// Refuses a list whose length is not the one its labels promise.
pub(crate) fn check_length(what: &str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Invalid(format!("`{what}` holds {found} values, expected {expected}")))
}
