//! `lake verify` and `lake test`: proofs about what is published.

use clap::Args;
use lake::error::{Error, Result};
use lake::run::Lake;

use super::{print, run::print_balances};

/// Build everything anew beside the lake and compare it, row by row, with what is published.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake verify                           every table above bronze
  lake verify --select 'gold.rfm'       one table; what it is made from is built as well")]
pub struct VerifyArgs {
    /// Compare these tables: names or patterns joined by commas; `+` behind one adds what is made from it
    #[arg(long, value_name = "SEL")]
    pub select: Option<String>,
}

/// Verifies and prints the comparison; differences are an error.
pub async fn verify(lake: Lake, args: VerifyArgs) -> Result<()> {
    let compared = lake.verify(args.select.as_deref()).await?;
    if compared.is_empty() {
        return print::line("nothing to verify: the selection holds bronze alone, which is kept as received");
    }
    let rows = compared.iter().map(|comparison| {
        vec![
            comparison.table.to_string(),
            print::count(comparison.rows),
            print::count(comparison.differences),
        ]
    });
    print::line(print::table(&["table", "rows", "differences"], &[1, 2], rows))?;
    let Some(worst) = compared.iter().find(|comparison| comparison.differences > 0) else {
        let tables = print::counted(compared.len() as u64, "table equals", "tables equal");
        return print::line(format!("{tables} a full rebuild, row by row"));
    };
    let rows = print::counted(worst.differences, "row", "rows");
    let error = Error::data(format!("`{}` differs from a full rebuild in {rows}", worst.table));
    let sample = worst.sample.iter().map(|row| format!("for example {row}"));
    Err(sample
        .fold(error, Error::detail)
        .hint(format!("`lake run --select {}+ --full-refresh` builds it whole", worst.table)))
}

/// Hold what is published against its contracts, its books and the audits, reading the stored rows.
///
/// Books, audits and expectations that look at several tables are asked when one of them is selected.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake test
  lake test --select silver.transactions")]
pub struct TestArgs {
    /// Test these tables: names or patterns joined by commas; `+` behind one adds what is made from it
    #[arg(long, value_name = "SEL")]
    pub select: Option<String>,
}

/// Tests and prints the verdicts; a violation that would publish nothing is an error.
pub async fn test(lake: Lake, args: TestArgs) -> Result<()> {
    let judgement = lake.test(args.select.as_deref()).await?;
    if judgement.verdicts.is_empty() {
        print::line("nothing to test: no expectation and no audit is about the selection")?;
        print_balances(&judgement.balances)?;
        return judgement.check();
    }
    let rows = judgement.verdicts.iter().map(|verdict| {
        vec![
            verdict.table.clone(),
            verdict.name.clone(),
            match verdict.failed {
                0 => "holds".to_string(),
                _ => verdict.severity.as_str().to_string(),
            },
            print::count(verdict.failed),
            verdict.sample.first().cloned().unwrap_or_default(),
        ]
    });
    print::line(print::table(&["table", "expectation", "", "violations", "for example"], &[3], rows))?;
    print_balances(&judgement.balances)?;
    judgement.check()
}
