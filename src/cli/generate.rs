//! `lake generate`: a simulated retailer's exports, and the truth about them.

use std::path::PathBuf;
use std::time::Instant;

use chrono::NaiveDate;
use clap::{Args, Parser};
use lake::error::{Error, Result};
use lake_generate::{Dirt, Parameters, Split, Summary};

use super::{print, progress};

/// Generate dirty retail data, with the truth beside it.
///
/// A simulation: customers buy and drop out by known processes, prices, seasons, returns and wholesale
/// buyers are those of a shop, and faults are planted at known rates. DIR/truth/ names every one of them.
/// The same seed gives the same bytes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake generate
  lake generate --seed 7 --lines 5000000 --split month --out exports
  lake generate --dirt none --split day --from 2011-01-01 --to 2011-03-31")]
pub struct GenerateArgs {
    /// Chooses one of the possible worlds
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Registered customers
    #[arg(long, value_name = "N", default_value_t = 4_000)]
    pub customers: u64,
    /// Lines to aim for
    #[arg(long, value_name = "N", default_value_t = 400_000)]
    pub lines: u64,
    /// First day
    #[arg(long, value_name = "DATE", default_value = "2010-12-01")]
    pub from: NaiveDate,
    /// Last day
    #[arg(long, value_name = "DATE", default_value = "2011-11-30")]
    pub to: NaiveDate,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "landing/online_retail")]
    pub out: PathBuf,
    /// How lines are spread over files: day, month or none
    #[arg(long, value_name = "SPLIT", default_value_t = Split::None)]
    pub split: Split,
    /// How much is wrong: none, low, normal or high
    #[arg(long, value_name = "LEVEL", default_value_t = Dirt::Normal)]
    pub dirt: Dirt,
}

/// The arguments alone, for those who call the command without a command line.
#[derive(Parser)]
struct Usual {
    #[command(flatten)]
    args: GenerateArgs,
}

impl GenerateArgs {
    /// What the command generates when it is given no options.
    pub fn usual() -> Self {
        Usual::parse_from(["generate"]).args
    }
}

/// Generates and says what was generated.
pub fn generate(args: &GenerateArgs) -> Result<()> {
    let clock = Instant::now();
    let summary = write(args)?;
    let seconds = clock.elapsed().as_secs_f64();
    print::line(format!(
        "{} ({}) written to {} in {} s; the truth about them is in {}",
        print::counted(summary.lines, "line", "lines"),
        print::bytes(summary.bytes),
        args.out.display(),
        print::seconds(seconds),
        args.out.join("truth").display(),
    ))
}

/// Writes the files, with progress.
pub fn write(args: &GenerateArgs) -> Result<Summary> {
    let parameters = Parameters {
        seed: args.seed,
        customers: args.customers,
        lines: args.lines,
        from: args.from,
        to: args.to,
        split: args.split,
        dirt: args.dirt,
    };
    let bar = progress::bar("generate", Some(args.lines));
    let written = lake_generate::generate(&parameters, &args.out, &|lines| bar.set_position(lines));
    bar.finish_and_clear();
    written.map_err(|e| match e {
        lake_generate::Error::Parameters(message) => Error::invalid(message),
        other => Error::unavailable(other.to_string()),
    })
}
