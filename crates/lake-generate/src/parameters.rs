//! What may be asked of the generator, and which requests make no sense.
//! Never reads the clock or the machine: equal parameters mean equal files.

use crate::calendar::Calendar;
use crate::error::Error;
use chrono::{Datelike, NaiveDate};
use std::fmt;
use std::str::FromStr;

/// Everything that determines the generated files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Chooses one of the possible worlds; equal seeds give equal bytes.
    pub seed: u64,
    /// Registered customers; each buys at least once. Guests come on top.
    pub customers: u64,
    /// Wanted number of records, faults included. The outcome is within 2 % from 20,000 lines up.
    pub lines: u64,
    /// First day of the period.
    pub from: NaiveDate,
    /// Last day of the period, included.
    pub to: NaiveDate,
    /// How the records are spread over files.
    pub split: Split,
    /// How much is wrong with them.
    pub dirt: Dirt,
}

/// How the records are spread over files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// A file per trading day, `online_retail-2010-12-01.csv`.
    Day,
    /// A file per month, `online_retail-2010-12.csv`.
    Month,
    /// One file, `online_retail.csv`.
    #[default]
    None,
}

/// How many faults are planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dirt {
    /// None at all.
    None,
    /// A fifth of the normal rates.
    Low,
    /// About three faulty records in a hundred, as in the real data.
    #[default]
    Normal,
    /// Five times the normal rates.
    High,
}

const MAX_CUSTOMERS: u64 = 50_000_000;
const MAX_DAYS: i64 = 36_525;

impl Parameters {
    /// Refuses what cannot be generated, saying what would do.
    ///
    /// Whether `lines` suffices for the customers' purchases depends on the seed too; `generate` says so.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::Parameters(message));
        if self.to < self.from {
            return refuse(format!("the period ends on {} before it starts on {}", self.to, self.from));
        }
        if self.from.year() < 1900 || self.to.year() > 9999 {
            return refuse(format!("{} to {} is outside the years 1900 to 9999", self.from, self.to));
        }
        if (self.to - self.from).num_days() >= MAX_DAYS {
            return refuse(format!("{} to {} is longer than a hundred years", self.from, self.to));
        }
        if self.customers == 0 || self.customers > MAX_CUSTOMERS {
            return refuse(format!(
                "{} customers cannot be simulated; ask for 1 to {MAX_CUSTOMERS}",
                self.customers
            ));
        }
        if self.lines < self.customers.saturating_mul(2) {
            return refuse(format!(
                "{} lines are too few for {} customers; ask for at least {}",
                self.lines,
                self.customers,
                self.customers * 2
            ));
        }
        if Calendar::new(self.from, self.to).days() == 0 {
            return refuse(format!("the shop is closed on every day from {} to {}", self.from, self.to));
        }
        Ok(())
    }
}

impl Dirt {
    /// The multiple of the normal fault rates.
    pub(crate) fn factor(self) -> f64 {
        match self {
            Dirt::None => 0.0,
            Dirt::Low => 0.2,
            Dirt::Normal => 1.0,
            Dirt::High => 5.0,
        }
    }
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "day" => Ok(Split::Day),
            "month" => Ok(Split::Month),
            "none" => Ok(Split::None),
            other => Err(format!("`{other}` is none of day, month, none")),
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Split::Day => "day",
            Split::Month => "month",
            Split::None => "none",
        })
    }
}

impl FromStr for Dirt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Dirt::None),
            "low" => Ok(Dirt::Low),
            "normal" => Ok(Dirt::Normal),
            "high" => Ok(Dirt::High),
            other => Err(format!("`{other}` is none of none, low, normal, high")),
        }
    }
}

impl fmt::Display for Dirt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dirt::None => "none",
            Dirt::Low => "low",
            Dirt::Normal => "normal",
            Dirt::High => "high",
        })
    }
}
