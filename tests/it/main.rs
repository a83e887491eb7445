//! What the program promises, tried from outside: one binary, a module a subject.

mod bad;
mod commands;
mod crash;
mod ingestion;
mod slt;
mod support;
mod tidy;
mod truth;
mod uci;
