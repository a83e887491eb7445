//! Judgements about data: expectations, keys, the ledger. Compiled to queries and to measures that are taken
//! while rows pass by; judged to verdicts; commits nothing.

mod expectations;
mod ledger;
mod tally;

pub use expectations::{Verdict, audit, audit_query, sample as rows_of, set_queries};
pub use ledger::{Balance, Entry, balance, decimal};
pub use tally::{Keys, Measure, Tallier, Tally, count, measures_of};
