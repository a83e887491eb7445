//! `lake config`: every setting in force and where it came from.

use clap::Args;
use lake::error::Result;

use super::{Global, print};

/// Show every setting, its value and where that came from.
///
/// Later wins: the program's own config/lake.toml, the project's, config/<environment>.toml, variables
/// named LAKE_*, flags.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  lake config\n  lake config --env production\n  LAKE_THREADS=1 lake config"
)]
pub struct ConfigArgs {
    /// Show what each setting means, too
    #[arg(long)]
    pub explain: bool,
}

/// Prints the settings.
pub fn config(global: &Global, args: &ConfigArgs) -> Result<()> {
    let config = global.load(&global.folder())?;
    let header: &[&str] =
        if args.explain { &["setting", "value", "from", "meaning"] } else { &["setting", "value", "from"] };
    let rows = config.effective.iter().map(|setting| {
        let mut row = vec![setting.key.clone(), setting.value.to_string(), setting.origin.clone()];
        row.extend(args.explain.then(|| setting.doc.clone()));
        row
    });
    print::line(print::table(header, &[], rows))
}
