//! `lake user`: who may come in at the doors of `lake serve`.

use std::collections::BTreeSet;
use std::io::{IsTerminal, stdin};

use clap::{Args, Subcommand};
use lake::contract::Layer;
use lake::error::{Error, Result};
use lake::serve::{Users, layer_of};

use super::{Global, print};

/// Add, remove and list the users of `lake serve`.
///
/// They stand in the file that the setting serve.users names, with hashed passwords; a running server reads it anew
/// when it changes. Once there is a user, nobody comes in without being one.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake user add ann
  lake user add metabase --layers gold,ops --password-stdin < secret.txt
  lake user list")]
pub struct UserArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(AddArgs),
    Remove(RemoveArgs),
    /// List the users and what they may read
    List,
}

/// Add a user; the password is asked for twice, or read from standard input.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake user add ann
  lake user add metabase --layers gold,ops --password-stdin < secret.txt")]
struct AddArgs {
    /// Letters, digits, `_` and `-`
    #[arg(value_name = "NAME")]
    name: String,
    /// What the user may read, of bronze, silver, gold and ops; all where nothing is named
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', value_parser = layer)]
    layers: Option<Vec<Layer>>,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Remove a user.
#[derive(Args, Debug)]
struct RemoveArgs {
    #[arg(value_name = "NAME")]
    name: String,
}

fn layer(name: &str) -> std::result::Result<Layer, String> {
    layer_of(name).map_err(|error| error.to_string().replace('\n', "; "))
}

/// Changes or lists the users.
pub fn user(global: &Global, args: &UserArgs) -> Result<()> {
    let folder = global.folder();
    let path = folder.join(global.load(&folder)?.settings.serve.users);
    let users = Users::load(&path)?;
    match &args.command {
        Command::Add(args) => {
            let layers: Option<BTreeSet<Layer>> =
                args.layers.as_ref().map(|layers| layers.iter().copied().collect());
            users.add(&args.name, &password(args.password_stdin)?, layers.as_ref())?;
            print::line(format!("user `{}` may come in: {}", args.name, path.display()))
        }
        Command::Remove(args) => {
            users.remove(&args.name)?;
            print::line(format!("user `{}` may not come in any more", args.name))
        }
        Command::List => {
            let rows = users.roles().into_iter().map(|role| {
                let layers: Vec<&str> = role.layers.iter().map(|layer| layer.as_str()).collect();
                vec![role.name, layers.join(", ")]
            });
            print::line(print::table(&["user", "reads"], &[], rows))
        }
    }
}

fn password(from_stdin: bool) -> Result<String> {
    let unread = |e: std::io::Error| Error::unavailable(format!("cannot read the password: {e}"));
    if from_stdin || !stdin().is_terminal() {
        let mut line = String::new();
        stdin().read_line(&mut line).map_err(unread)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_string());
    }
    let password = rpassword::prompt_password("password: ").map_err(unread)?;
    let again = rpassword::prompt_password("once more: ").map_err(unread)?;
    match password == again {
        true => Ok(password),
        false => Err(Error::invalid("the two passwords differ").hint("ask again, and write the same twice")),
    }
}
