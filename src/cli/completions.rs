//! `lake completions SHELL`: completion of commands and options for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use lake::error::Result;

use super::{Cli, print};

/// Print the completion script of a shell.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake completions bash > ~/.local/share/bash-completion/completions/lake
  lake completions zsh > ~/.zfunc/_lake
  lake completions fish > ~/.config/fish/completions/lake.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lake", &mut script);
    print::write(&script)
}
