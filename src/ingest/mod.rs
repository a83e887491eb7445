//! Ingestion: files of a source become rows of a bronze table, as received, each with where it came from.
//!
//! Never fixes data. Identity is content: what was loaded once, under whatever name, is not loaded again.

mod archive;
mod arrival;
mod chunk;
#[cfg(feature = "cloud")]
mod cloud;
mod csv;
mod discover;
mod download;
mod header;
mod load;
mod register;
mod source;
mod text;
mod workbook;

pub use arrival::{Arrival, landed, layout, resolve};
pub use header::{Field, Layout};
pub use load::{Ingested, Loading, load};
pub use register::{Register, contract as register_contract, register_name};
pub use source::{Delivery, Source};
