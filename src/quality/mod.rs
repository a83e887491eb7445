//! Judgements about data: expectations, keys, books. Compiled to queries, judged to verdicts; commits nothing.

mod books;
mod expectations;

pub use books::{Balance, Entry, balance, decimal};
pub use expectations::{Finding, audit};
