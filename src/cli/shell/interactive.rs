//! The conversation with a person at a terminal: an error ends a statement, never the shell.

use std::pin::pin;
use std::sync::Arc;

use lake::error::{Error, Kind, Result};
use tokio::sync::Notify;

use super::complete::Words;
use super::edit::{Editor, Typed};
use super::place::{Origin, located};
use super::split::{Piece, pieces};
use super::{Next, Shell};
use crate::cli::{log, print};

/// So many characters of the time that is looked back from stand in the prompt.
const SHOWN: usize = 20;

/// Reads and does line after line until there is no more.
pub(super) async fn converse(shell: &mut Shell<'_>) -> Result<()> {
    shell.is_interactive = true;
    listen(shell.interrupt.clone())?;
    let mut editor = Editor::open()?;
    greet(shell).await?;
    // All that has been typed since the last statement ended, and what is left of it to be done.
    let (mut typed, mut begun) = (String::new(), String::new());
    loop {
        editor.learn(Words::of(shell.lake, &shell.session).await);
        shell.results.size = editor.size();
        let line = match editor.read(&prompt(shell, begun.is_empty()), &typed)? {
            Typed::Line(line) => line,
            Typed::Dropped => {
                typed.clear();
                begun.clear();
                continue;
            }
            Typed::End => return Ok(()),
        };
        if is_aside(&begun, &line) {
            match act(shell, &line).await? {
                Some(_) => continue,
                None => return Ok(()),
            }
        }
        let line = if begun.is_empty() { as_command(&line) } else { &line };
        for text in [&mut typed, &mut begun] {
            text.extend([line, "\n"]);
        }
        match act(shell, &begun).await? {
            Some(rest) => begun = rest,
            None => return Ok(()),
        }
        if begun.is_empty() {
            editor.remember(typed.trim_end());
            typed.clear();
        }
    }
}

/// Does what stands in a text and tells what goes wrong; gives what has begun and not ended, or none when the person
/// leaves.
async fn act(shell: &mut Shell<'_>, text: &str) -> Result<Option<String>> {
    for (start, piece) in pieces(text) {
        if let Piece::Begun(rest, _) = piece {
            return Ok(Some(rest.into()));
        }
        match shell.obey(piece, &[]).await {
            Ok(Next::Piece) => {}
            Ok(Next::End) => return Ok(None),
            Err(error) if error.kind() == Kind::ClosedPipe => return Err(error),
            Err(error) => _ = log::report(&located(error, &Origin::Typed, text, start, piece)),
        }
    }
    Ok(Some(String::new()))
}

/// Whether a line is a command between the lines of a statement, which waits meanwhile.
fn is_aside(begun: &str, line: &str) -> bool {
    let is_open = || matches!(pieces(begun).last(), Some((_, Piece::Begun(_, Some(_)))));
    !begun.is_empty() && line.trim_start().starts_with('\\') && !is_open()
}

/// What a person means who writes these words for themselves.
fn as_command(line: &str) -> &str {
    match line.trim().trim_end_matches(';').trim_end() {
        "exit" | "quit" => "\\quit",
        "help" => "\\help",
        _ => line,
    }
}

fn prompt(shell: &Shell<'_>, is_first: bool) -> String {
    let then = shell.as_of.iter().flat_map(|as_of| "@".chars().chain(as_of.chars().take(SHOWN)));
    let name = format!("lake{}", then.collect::<String>());
    match is_first {
        true => format!("{name}> "),
        false => format!("{:>width$}", "-> ", width = name.len() + 2),
    }
}

/// Ctrl-C interrupts what is being done, and otherwise nothing, for the rest of the process. It is heard by a thread of
/// its own, since those of a query may have no time for it.
fn listen(interrupt: Arc<Notify>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::unavailable(format!("cannot listen for Ctrl-C: {e}")))?;
    let (sender, listens) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let mut pressed = pin!(tokio::signal::ctrl_c());
            let _ = futures::poll!(pressed.as_mut());
            let _ = sender.send(());
            while pressed.as_mut().await.is_ok() {
                interrupt.notify_waiters();
                pressed.set(tokio::signal::ctrl_c());
            }
        });
    });
    // While the editor reads a line it hears the signal itself, and leaves it to who heard it before.
    let _ = listens.recv();
    Ok(())
}

/// Says what the person is about to see.
async fn greet(shell: &Shell<'_>) -> Result<()> {
    let lake = shell.lake;
    let seen = match &shell.as_of {
        Some(as_of) => format!("as of {as_of}"),
        None => match lake.publications().await?.first() {
            Some(newest) => format!("published {} (UTC)", newest.published_at.format("%Y-%m-%d %H:%M:%S")),
            None => "nothing is published yet, `lake run` builds and publishes".into(),
        },
    };
    let tables = print::counted(lake.project.contracts.len() as u64, "table", "tables");
    print::line(format!("lake at {}: {tables}, {seen}", lake.store.location()))?;
    print::line("\\? for help, \\q to leave")
}

#[cfg(test)]
mod tests {
    //! Proves what is a command and what a line of a statement.

    use super::*;

    #[test]
    fn a_command_may_stand_between_the_lines_of_a_statement() {
        assert!(is_aside("select 1\n", " \\d rfm"));
        assert!(!is_aside("", "\\d") && !is_aside("select 'a\n", "\\d") && !is_aside("select 1\n", "+ 1"));
    }

    #[test]
    fn plain_words_leave_and_ask_for_help() {
        assert_eq!(["exit", " quit; ", "help"].map(as_command), ["\\quit", "\\quit", "\\help"]);
        assert_eq!(as_command("select 1"), "select 1");
    }
}
