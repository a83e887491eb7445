//! Tests of the whole: files are read again by an independent reader, and the population is held against the
//! models it claims to follow.

mod files;
mod models;
mod reader;
