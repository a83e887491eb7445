//! The ledger: what goes into a table and what comes out agree to the last digit.

use std::collections::BTreeMap;

use datafusion::prelude::SessionContext;

use super::tally::{Measure, Tally};
use crate::contract::{Contract, TableName};
use crate::error::{Error, Result};
use crate::table::Table;

/// Both sides of one crossing from a table into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The crossing's name, the book's in brackets: `bronze.online_retail → silver.transactions (received)`.
    pub name: String,
    /// The names of the amounts.
    pub amounts: Vec<String>,
    /// What went in, then what came out.
    pub entries: Vec<Entry>,
}

/// One side of a crossing, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether it went in; otherwise it came out.
    pub is_in: bool,
    /// The table whose rows are added up.
    pub account: String,
    /// Its rows that take part.
    pub rows: i128,
    /// The amounts, in ten-thousandths.
    pub amounts: Vec<i128>,
}

impl Balance {
    /// What went in less what came out, for each amount, in ten-thousandths.
    pub fn differences(&self) -> Vec<i128> {
        let mut differences = vec![0; self.amounts.len()];
        for entry in &self.entries {
            for (difference, amount) in differences.iter_mut().zip(&entry.amounts) {
                *difference += if entry.is_in { *amount } else { -amount };
            }
        }
        differences
    }

    /// An error that names the crossing, its entries and the differences, if it does not balance.
    pub fn check(&self) -> Result<()> {
        let differences = self.differences();
        if differences.iter().all(|difference| *difference == 0) {
            return Ok(());
        }
        let named = |amounts: &[i128]| {
            let named =
                self.amounts.iter().zip(amounts).map(|(name, amount)| format!("{name} {}", decimal(*amount)));
            named.collect::<Vec<_>>().join(", ")
        };
        let mut error = Error::data(format!("the books of {} do not balance", self.name));
        for entry in &self.entries {
            let side = if entry.is_in { "in " } else { "out" };
            error = error.detail(format!(
                "{side} {}: rows {}, {}",
                entry.account,
                entry.rows,
                named(&entry.amounts)
            ));
        }
        Err(error.detail(format!("in less out: {}", named(&differences))))
    }
}

/// Ten-thousandths as a decimal number without needless zeros.
pub fn decimal(amount: i128) -> String {
    let (whole, fraction) = (amount.abs() / 10_000, amount.abs() % 10_000);
    let sign = if amount < 0 { "-" } else { "" };
    match fraction {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", format!("{fraction:04}").trim_end_matches('0')),
    }
}

/// Adds up both sides of what a contract reconciles under the name `book`. `session` sees the tables, which `tables` has opened.
pub async fn balance(
    session: &SessionContext,
    tables: &BTreeMap<TableName, Table>,
    contract: &Contract,
    book: &str,
) -> Result<Balance> {
    let reconcile = &contract.reconcile[book];
    let filter = reconcile.filter.as_deref();
    let amounts = reconcile.amounts.values();
    let here = amounts.clone().map(|amount| Measure::sum(&amount.here, None)).collect::<Vec<_>>();
    let there = amounts.map(|amount| Measure::sum(&amount.there, filter)).collect::<Vec<_>>();
    let mut entries = vec![
        entry(session, tables, true, &reconcile.against, filter, &there).await?,
        entry(session, tables, false, &contract.name, None, &here).await?,
    ];
    if let Some(quarantine) = &contract.quarantine {
        entries.push(entry(session, tables, false, quarantine, None, &here).await?);
    }
    for aside in &reconcile.with {
        entries.push(entry(session, tables, false, aside, filter, &there).await?);
    }
    let name = format!("{} → {} ({book})", reconcile.against, contract.name);
    Ok(Balance { name, amounts: reconcile.amounts.keys().cloned().collect(), entries })
}

async fn entry(
    session: &SessionContext,
    tables: &BTreeMap<TableName, Table>,
    is_in: bool,
    account: &TableName,
    filter: Option<&str>,
    amounts: &[Measure],
) -> Result<Entry> {
    let table =
        tables.get(account).ok_or_else(|| Error::internal(format!("`{account}` is not in the books")))?;
    let measures: Vec<Measure> = [Measure::rows(filter)].into_iter().chain(amounts.iter().cloned()).collect();
    let tally = Tally::of_table(session, table, &measures).await?;
    let mut values = measures.iter().map(|measure| tally.get(measure).unwrap_or_default());
    let rows = values.next().unwrap_or_default();
    Ok(Entry { is_in, account: account.to_string(), rows, amounts: values.collect() })
}

#[cfg(test)]
mod tests {
    //! Proves that a penny or a row on either side is noticed and named.

    use super::*;

    fn book(entries: &[(bool, &str, [i128; 2])]) -> Balance {
        let entry = |(is_in, account, amounts): &(bool, &str, [i128; 2])| Entry {
            is_in: *is_in,
            account: account.to_string(),
            rows: 1,
            amounts: amounts.to_vec(),
        };
        Balance {
            name: "bronze → silver".into(),
            amounts: vec!["lines".into(), "amount".into()],
            entries: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn equal_sides_balance() {
        book(&[
            (true, "bronze", [30_000, 15]),
            (false, "kept", [20_000, 20]),
            (false, "set aside", [10_000, -5]),
        ])
        .check()
        .unwrap();
    }

    #[test]
    fn a_penny_is_missed() {
        let error =
            book(&[(true, "bronze", [10_000, 100]), (false, "kept", [10_000, 0])]).check().unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Data);
        assert_eq!(error.details().last().unwrap(), "in less out: lines 0, amount 0.01");
    }

    #[test]
    fn amounts_read_as_decimals() {
        assert_eq!([-110_620_600, 5, 0, 20_000].map(decimal), ["-11062.06", "0.0005", "0", "2"]);
    }
}
