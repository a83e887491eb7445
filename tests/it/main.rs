//! What the program promises, tried from outside: one binary, a module a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod bad;
mod commands;
mod crash;
mod damage;
mod expectations;
mod faults;
mod increments;
mod ingestion;
mod interruption;
mod learned_columns;
mod maintenance;
mod models;
mod mutation;
mod segments;
mod slt;
mod support;
mod tidy;
mod truth;
mod uci;
mod year;
