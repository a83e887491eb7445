//! The shell's own commands, which begin with a backslash.

use clap::ValueEnum;
use lake::error::{Error, Result, nearest};

use crate::cli::names;
use crate::cli::sql::Format;

/// A command and what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// The tables whose names match a pattern.
    List(Option<&'a str>),
    /// A table, a mapping, or what the session has named.
    Describe(&'a str),
    /// The versions of a table.
    History(&'a str),
    /// What stands in a file, or the analysis of this name.
    Include(&'a str),
    /// Results go to this file, or to standard output again.
    Output(Option<&'a str>),
    /// How results are written; what is in force when nothing is said.
    Format(Option<Format>),
    /// Whether the time is told that a statement takes; the other way when nothing is said.
    Timing(Option<bool>),
    /// Whether long results are paged; the other way when nothing is said.
    Pager(Option<bool>),
    /// The lake as it was, or as it is now.
    AsOf(Option<&'a str>),
    /// What has been published since.
    Refresh,
    /// What there is to know.
    Help,
    /// The end of the file or the shell.
    Quit,
}

/// The commands: name, what they take, what they do.
pub const COMMANDS: [(&str, &str, &str); 14] = [
    ("d", "[TABLE|PATTERN]", "the tables, or one: columns, key, size, version, expectations"),
    ("dt", "[PATTERN]", "the tables whose names match, as in gold.* or *sales*"),
    ("history", "TABLE", "the versions of a table, as `describe history TABLE` gives them"),
    ("as-of", "[RUN|DATE]", "the lake as it was then; as it is now when nothing is named"),
    ("refresh", "", "what has been published since the shell was opened, or last refreshed"),
    ("i", "FILE|ANALYSIS", "do what stands in a file, or ask a question of sql/analyses by its name"),
    ("o", "[FILE]", "results go to a file, in the format of its name; to the screen again without one"),
    ("format", "[FORMAT]", "how results are written: table, csv, json or parquet"),
    ("timing", "[on|off]", "tell the time that each statement takes"),
    ("pager", "[on|off]", "show results that the screen cannot hold through $PAGER, or less"),
    ("help", "", "this text"),
    ("?", "", "this text"),
    ("quit", "", "leave; in a file, leave the file"),
    ("q", "", "the same"),
];

/// Reads a command without its backslash.
pub fn parse(line: &str) -> Result<Command<'_>> {
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let name = name.trim_end_matches(';');
    let argument = unquoted(argument.trim().trim_end_matches(';').trim_end());
    let needed = || {
        argument.ok_or_else(|| {
            let takes = COMMANDS.iter().find(|command| command.0 == name).map_or("", |command| command.1);
            Error::invalid(format!("`\\{name}` takes {takes}"))
        })
    };
    Ok(match name {
        "d" => match argument {
            Some(name) if !name.contains(['*', '?']) => Command::Describe(name),
            pattern => Command::List(pattern),
        },
        "dt" => Command::List(argument),
        "history" => Command::History(needed()?),
        "as-of" => Command::AsOf(argument.map(as_of).transpose()?),
        "refresh" => Command::Refresh,
        "i" => Command::Include(needed()?),
        "o" => Command::Output(argument),
        "format" => Command::Format(argument.map(format_of).transpose()?),
        "timing" => Command::Timing(argument.map(switch).transpose()?),
        "pager" => Command::Pager(argument.map(switch).transpose()?),
        "help" | "?" => Command::Help,
        "quit" | "q" => Command::Quit,
        unknown => return Err(unknown_command(unknown)),
    })
}

/// What can be typed, as `\?` shows it.
pub fn help() -> String {
    let rows =
        COMMANDS.iter().map(|(name, takes, does)| format!("  {:<22} {does}\n", format!("\\{name} {takes}")));
    let rows: String = rows.collect();
    format!(
        "A statement ends with a semicolon and may go over several lines. Beside questions: show tables,
describe TABLE, describe history TABLE, explain [analyze], ... from TABLE version as of N,
... timestamp as of '2026-01-31', copy (...) to 'x.parquet|csv|json'; create view and
create external table name something for this session. Nothing changes the lake.

{rows}
All statements see the same publication until \\refresh or \\as-of; what the session has named is
made again after these. Tab completes, Ctrl-R looks into what was typed before, Ctrl-C stops a
statement, Ctrl-D leaves."
    )
}

/// An argument without the quotes around it; none if there is none.
fn unquoted(argument: &str) -> Option<&str> {
    let inner = ['\'', '"']
        .into_iter()
        .find_map(|quote| argument.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)));
    Some(inner.unwrap_or(argument)).filter(|argument| !argument.is_empty())
}

fn as_of(text: &str) -> Result<&str> {
    names::publication(text).map_err(|why| Error::invalid(format!("`{text}` names no time: {why}")))?;
    Ok(text)
}

fn format_of(text: &str) -> Result<Format> {
    Format::from_str(text, true).map_err(|_| {
        let known = Format::value_variants().iter().filter_map(Format::to_possible_value);
        let known: Vec<String> = known.map(|value| value.get_name().to_string()).collect();
        Error::invalid(format!("unknown format `{text}`")).hint(format!("formats are {}", known.join(", ")))
    })
}

fn switch(text: &str) -> Result<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Error::invalid(format!("expected `on` or `off`, not `{text}`"))),
    }
}

fn unknown_command(name: &str) -> Error {
    let error = Error::invalid(format!("unknown command `\\{name}`"));
    match nearest(name, COMMANDS.map(|command| command.0)) {
        Some(near) => error.hint(format!("did you mean `\\{near}`?")),
        None => error.hint("`\\?` lists them"),
    }
}

#[cfg(test)]
mod tests {
    //! Proves how commands are read.

    use super::*;

    #[test]
    fn commands_are_read_with_what_they_are_given() {
        for (line, command) in [
            ("d", Command::List(None)),
            ("d gold.*", Command::List(Some("gold.*"))),
            ("d gold.rfm;", Command::Describe("gold.rfm")),
            ("o  'a file.csv' ", Command::Output(Some("a file.csv"))),
            ("o", Command::Output(None)),
            ("format CSV", Command::Format(Some(Format::Csv))),
            ("timing", Command::Timing(None)),
            ("pager off", Command::Pager(Some(false))),
            ("as-of 2026-01-31", Command::AsOf(Some("2026-01-31"))),
            ("q;", Command::Quit),
        ] {
            assert_eq!(parse(line).unwrap(), command, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_command_is_told() {
        let said = |line: &str| parse(line).unwrap_err().to_string();
        assert_eq!(said("histroy gold.rfm"), "unknown command `\\histroy`\nhint: did you mean `\\history`?");
        assert_eq!(said("watch"), "unknown command `\\watch`\nhint: `\\?` lists them");
        assert_eq!(said("i"), "`\\i` takes FILE|ANALYSIS");
        assert_eq!(said("timing maybe"), "expected `on` or `off`, not `maybe`");
        assert!(said("format xml").starts_with("unknown format `xml`\nhint: formats are table, csv, json"));
        assert!(said("as-of yesterday").starts_with("`yesterday` names no time: "));
    }

    #[test]
    fn help_names_every_command() {
        let help = help();
        assert!(
            COMMANDS.iter().all(|(name, _, does)| help.contains(&format!("\\{name}")) && help.contains(does))
        );
    }
}
