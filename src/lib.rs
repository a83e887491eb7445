//! `lake`: raw retail exports to a medallion lakehouse on Delta tables, as one program.
//!
//! Rooms, bottom first; imports go down only.

pub mod error;
pub mod clock;
pub mod files;
pub mod config;
pub mod learn;
pub mod contract;
pub mod job;
pub mod project;
pub mod table;
pub mod engine;
pub mod quality;
pub mod ingest;
pub mod run;
pub mod export;
#[cfg(feature = "server")]
pub mod serve;
