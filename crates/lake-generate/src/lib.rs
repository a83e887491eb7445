//! A simulated retailer that writes dirty "Online Retail" exports and, beside them, the truth about them.
//!
//! Customers buy and drop out by a BG/NBD process and spend by a Gamma–Gamma one; products come in groups
//! bought together; guests, returns, postage, fees and wholesale whales are there as in the real shop.
//! Faults are planted at known rates, mostly as records of their own: who buys, when, and who drops out does not
//! depend on the dirt, and no purchase is lost to it. Every record's fate under the contract of `silver.transactions` is known and written
//! to `truth/`.
//!
//! Equal [`Parameters`] give equal bytes at any number of threads. Memory grows with customers and days, never
//! with lines. Nothing is read but the target folder, which must not hold an export already.
//!
//! # Files
//! `online_retail.csv`, or `online_retail-2010-12.csv`, or `online_retail-2010-12-01.csv`, by [`Split`]. A single
//! file is in dialect 1; otherwise the seed chooses each file's dialect. With any [`Dirt`], one file comes twice,
//! the second time as `…_again.csv`; a single file has a small `online_retail_late.csv` for that, which
//! holds late lines and repeats in dialect 2. Copies count in no expectation.
//!
//! - `truth/parameters.json`: the request, the models' parameters, fault rates, expected counts and sums, files.
//! - `truth/faults.csv`: `file,line,fault,expected` of each planted fault, in the order of the files; `expected` is
//!   `transactions`, `duplicate`, or the first rule by which the record is rejected. Lines are physical, from 1.
//! - `truth/customers.csv`: each customer's group, λ, p, mean spend per purchase day, and whether alive at the end.
//! - `truth/catalogue.csv`: each product's group and prices.
//!
//! # Invoices
//! Numbers run from 536365 and grow a seventh digit after 999999. A large purchase is spread over invoices of at
//! most about 120 lines, all of the same minute. The net spend of a purchase day is what the Gamma–Gamma model
//! says: whatever will be returned is sold on top.

// Bottom first: each module uses only those above it.
mod error;

mod chance;
mod text;

mod calendar;
mod countries;
mod parameters;
mod population;

mod catalogue;
mod deliveries;
mod faults;

mod agenda;
mod job;
mod world;

mod basket;
mod record;
mod tally;

mod block;
mod render;
mod walker;

mod writer;

mod pipeline;
mod truth;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use parameters::{Dirt, Parameters, Split};

use std::fs;
use std::path::Path;
use std::thread;
use world::World;
use writer::Writer;

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Records in the data files, faults included, copies left out.
    pub lines: u64,
    /// Data files, copies included.
    pub files: u64,
    /// Bytes of the data files, copies included.
    pub bytes: u64,
    /// Registered customers; each has bought.
    pub customers: u64,
    /// Invoices with a valid line.
    pub invoices: u64,
    /// Records that must end in `silver.transactions`.
    pub transactions: u64,
    /// Records that must be found to repeat an earlier one.
    pub duplicates: u64,
    /// Records that must be rejected.
    pub rejected: u64,
    /// Planted faults, those included that end in `silver.transactions`.
    pub faults: u64,
}

/// Simulates the retailer and writes its exports to `out`, and the truth to `out/truth`.
///
/// `out` is created if it is missing and must not hold `.csv` files or a `truth` yet. `progress` is told the
/// records written so far, a few thousand at a time. All cores are used.
///
/// # Errors
/// [`Error::Parameters`] for an impossible request or an `out` in use, before anything is written;
/// [`Error::Io`] when the system refuses a file.
pub fn generate(
    parameters: &Parameters,
    out: &Path,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    generate_with(parameters, out, progress, threads)
}

/// [`generate`] with a number of rendering threads, which changes nothing but the time it takes.
fn generate_with(
    parameters: &Parameters,
    out: &Path,
    progress: &(dyn Fn(u64) + Sync),
    threads: usize,
) -> Result<Summary, Error> {
    let world = World::new(parameters, threads)?;
    prepare(out)?;
    let writer = Writer::new(out, &world.deliveries, progress)?;
    let (log, customers) = pipeline::run(&world, writer, threads)?;
    truth::write(out, parameters, &world, &log, &customers)?;
    let bytes = log.files.iter().map(|file| file.bytes).chain(log.copies.iter().map(|copy| copy.bytes));
    Ok(Summary {
        lines: log.total.records(),
        files: (log.files.len() + log.copies.len()) as u64,
        bytes: bytes.sum(),
        customers: parameters.customers,
        invoices: log.total.invoices,
        transactions: log.total.transactions,
        duplicates: log.total.duplicates,
        rejected: log.total.rejected(),
        faults: log.faults,
    })
}

/// Makes the target folder, which must be free of an earlier export: stale files would belie the truth.
fn prepare(out: &Path) -> Result<(), Error> {
    fs::create_dir_all(out).map_err(Error::at(out))?;
    for entry in fs::read_dir(out).map_err(Error::at(out))? {
        let path = entry.map_err(Error::at(out))?.path();
        if path.extension().is_some_and(|extension| extension == "csv") || path.ends_with("truth") {
            return Err(Error::Parameters(format!(
                "`{}` already holds `{}`; name an empty or new folder",
                out.display(),
                path.file_name().unwrap_or_default().to_string_lossy()
            )));
        }
    }
    let truth = out.join("truth");
    fs::create_dir_all(&truth).map_err(Error::at(&truth))
}
