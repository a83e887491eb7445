//! Statistical models of customers and sales: numbers in, numbers out.
//!
//! Nothing here reads a file, asks the clock, prints, or depends on the number of threads: chance comes from
//! a seed in the parameters, and sums are taken over chunks of a fixed size, in order.

pub mod error;
pub mod special;
pub mod optimise;
pub mod value;
pub mod forecast;
pub mod segment;
pub mod recommend;

pub use error::Error;
