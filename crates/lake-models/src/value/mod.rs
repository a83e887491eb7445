//! Customer lifetime value: who is still a customer, how often they will buy, and what that is worth.
//!
//! [`ValueParams::estimate`] goes the whole way from purchase days to values; the parts stand alone as well.
//! Modules stand in the order of the data: histories become [`Summaries`], a purchase [`Process`] is fitted
//! to them and chosen by [`ModelChoice`], [`OrderValue`] says what a purchase costs, [`ClvParams`] and
//! [`Futures`] put both together, and [`Validation`] holds them against what came. Time is in weeks, money in
//! the unit of the input. Nothing here returns NaN: what cannot be fitted is an [`crate::Error`] or a simpler
//! model with a reason.

mod chunks;
mod summary;
mod process;
mod nbd;
mod bgnbd;
mod grid;
mod pareto;
mod gamma_gamma;
mod choose;
mod spend;
mod clv;
mod interval;
mod validate;
mod estimate;

pub use bgnbd::{BgNbd, MbgNbd};
pub use choose::{Candidate, Choice, Holdout, ModelChoice, Parameter, Purchases};
pub use clv::ClvParams;
pub use estimate::{CustomerValue, Estimate, PurchaseDays, ValueParams};
pub use gamma_gamma::{Correlation, FittedSpend, GammaGamma, Spend};
pub use interval::Futures;
pub use nbd::{Nbd, Poisson};
pub use pareto::ParetoNbd;
pub use process::{Fitted, Process};
pub use spend::OrderValue;
pub use summary::{Customer, DAYS_PER_WEEK, History, PurchaseDay, Summaries};
pub use validate::{Accuracy, Bucket, Validation, calibration_end};
