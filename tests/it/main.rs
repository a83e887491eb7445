//! What the program promises, tried from outside: one binary, a module a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod bad;
#[cfg(unix)]
mod bench;
mod commands;
mod crash;
mod damage;
mod expectations;
mod export;
mod faults;
mod increments;
mod ingestion;
mod interruption;
mod learned_columns;
mod maintenance;
mod models;
mod mutation;
mod segments;
#[cfg(feature = "server")]
mod serve;
mod shell;
mod slt;
mod support;
mod tidy;
mod truth;
mod uci;
mod year;
