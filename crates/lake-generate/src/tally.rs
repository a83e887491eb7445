//! What the lake must find: counts and sums of what was written, exact, in pence.

use crate::faults::{Fate, RULES};
use std::ops::AddAssign;

/// Expected counts and sums over some records.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub transactions: u64,
    pub duplicates: u64,
    pub rejected: [u64; RULES.len()],
    /// Invoices whose first line is among the records.
    pub invoices: u64,
    /// Sums over the transactions: pieces, and pence by the definitions of the gold tables.
    pub quantity: i64,
    pub gross_revenue: i64,
    pub returns_amount: i64,
    pub other_charges: i64,
    pub adjustments: i64,
}

/// Which sum a transaction's amount belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Account {
    ProductSale,
    ProductReturn,
    OtherCharge,
    Adjustment,
}

impl Tally {
    /// Counts a transaction.
    #[inline]
    pub fn book(&mut self, account: Account, quantity: i64, pence: i64) {
        let amount = quantity * pence;
        self.transactions += 1;
        self.quantity += quantity;
        match account {
            Account::ProductSale => self.gross_revenue += amount,
            Account::ProductReturn => self.returns_amount -= amount,
            Account::OtherCharge => self.other_charges += amount,
            Account::Adjustment => self.adjustments += amount,
        }
    }

    /// Counts a record that is no transaction.
    pub fn refuse(&mut self, fate: Fate) {
        match fate {
            Fate::Transactions => {}
            Fate::Duplicate => self.duplicates += 1,
            Fate::Rejected(rule) => self.rejected[rule as usize] += 1,
        }
    }

    pub fn rejected(&self) -> u64 {
        self.rejected.iter().sum()
    }

    pub fn records(&self) -> u64 {
        self.transactions + self.duplicates + self.rejected()
    }

    /// Σ quantity × unit price over the transactions, in pence.
    pub fn amount(&self) -> i64 {
        self.gross_revenue - self.returns_amount + self.other_charges + self.adjustments
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        self.transactions += other.transactions;
        self.duplicates += other.duplicates;
        self.rejected.iter_mut().zip(other.rejected).for_each(|(sum, more)| *sum += more);
        self.invoices += other.invoices;
        self.quantity += other.quantity;
        self.gross_revenue += other.gross_revenue;
        self.returns_amount += other.returns_amount;
        self.other_charges += other.other_charges;
        self.adjustments += other.adjustments;
    }
}
