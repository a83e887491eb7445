//! The line editor: completion, colours and hints while a line is typed, and the history of what was typed.

use std::borrow::Cow;
use std::path::PathBuf;

use lake::error::{Error, Result};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::{FileHistory, SearchDirection};
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Helper};

use super::complete::Words;
use super::highlight::highlight;

/// So many bytes of a statement are coloured and remembered.
const LONGEST: usize = 64 << 10;

/// So many statements are remembered.
const REMEMBERED: usize = 10_000;

/// What a person types.
pub enum Typed {
    /// A line.
    Line(String),
    /// Ctrl-C: the statement is given up.
    Dropped,
    /// Ctrl-D: there is no more.
    End,
}

/// An editor of lines.
pub struct Editor {
    inner: rustyline::Editor<Assistant, FileHistory>,
    /// Where the history is kept; none where there is no place for it.
    history: Option<PathBuf>,
}

/// What helps with a line.
struct Assistant {
    words: Words,
    /// The lines of the statement before this one.
    before: String,
    files: FilenameCompleter,
    /// Hints are told from what is typed by their colour.
    has_colours: bool,
}

impl Editor {
    /// An editor on this terminal, with what was typed in earlier shells of this user.
    pub fn open() -> Result<Editor> {
        let config = Config::builder().max_history_size(REMEMBERED).map_err(unreadable)?;
        let config = config.completion_type(CompletionType::List).build();
        let mut inner = rustyline::Editor::with_config(config).map_err(unreadable)?;
        let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let files = FilenameCompleter::new();
        inner.set_helper(Some(Assistant {
            words: Words::default(),
            before: String::new(),
            files,
            has_colours,
        }));
        let history = history_file();
        if let Some(path) = &history {
            // There is none before the first shell.
            let _ = inner.load_history(path);
        }
        Ok(Editor { inner, history })
    }

    /// Completion offers these words from now on.
    pub fn learn(&mut self, words: Words) {
        if let Some(assistant) = self.inner.helper_mut() {
            assistant.words = words;
        }
    }

    /// Reads a line behind `prompt`; `before` is what was typed of the statement in the lines before it.
    pub fn read(&mut self, prompt: &str, before: &str) -> Result<Typed> {
        if let Some(assistant) = self.inner.helper_mut() {
            before.clone_into(&mut assistant.before);
        }
        let coloured = format!("\x1b[1;36m{prompt}\x1b[0m");
        match self.inner.readline(&(prompt, coloured.as_str())) {
            Ok(line) => Ok(Typed::Line(line)),
            Err(ReadlineError::Interrupted) => Ok(Typed::Dropped),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Remembers what was typed, here and for later shells, where that is possible.
    pub fn remember(&mut self, typed: &str) {
        let is_new = typed.len() <= LONGEST && self.inner.add_history_entry(typed).is_ok_and(|added| added);
        if let (true, Some(path)) = (is_new, &self.history) {
            let _ = self.inner.append_history(path);
        }
    }

    /// The columns and the lines of the screen; none where results go elsewhere.
    pub fn size(&mut self) -> Option<(usize, usize)> {
        self.inner.dimensions().map(|(columns, lines)| (columns.into(), lines.into()))
    }
}

/// The file of the history in the user's own folder for such things, which is made if it is not there.
fn history_file() -> Option<PathBuf> {
    let folder = dirs::state_dir().or_else(dirs::data_local_dir)?.join("lake");
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).ok()?;
    Some(folder.join("shell_history"))
}

fn unreadable(error: ReadlineError) -> Error {
    Error::unavailable(format!("cannot read from the terminal: {error}"))
}

impl Helper for Assistant {}

/// Lines end where they end; what belongs together is put together by who reads them.
impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = self.words.complete(&self.before, line, at);
        let pair = |word: String| Pair { display: word.clone(), replacement: word };
        let mut found: Vec<Pair> = words.into_iter().map(pair).collect();
        let command = line.split_whitespace().next().unwrap_or_default();
        if !self.before.is_empty() || !["\\i", "\\o"].contains(&command) || command.len() >= at {
            return Ok((start, found));
        }
        let (start_of_path, files) = self.files.complete_path(line, at)?;
        if start_of_path == start {
            found.extend(files);
            return Ok((start, found));
        }
        Ok((start_of_path, files))
    }
}

impl Hinter for Assistant {
    type Hint = String;

    /// The rest of the newest statement that begins like this one.
    fn hint(&self, line: &str, at: usize, context: &Context<'_>) -> Option<String> {
        if line.is_empty() || at < line.len() || !self.has_colours {
            return None;
        }
        let typed = format!("{}{line}", self.before);
        let newest = context.history().len().checked_sub(1)?;
        let found = context.history().starts_with(&typed, newest, SearchDirection::Reverse).ok()??;
        Some(found.entry[typed.len()..].to_string()).filter(|rest| !rest.is_empty())
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let is_command = self.before.is_empty() && line.trim_start().starts_with('\\');
        match is_command || self.before.len() + line.len() > LONGEST {
            true => Cow::Borrowed(line),
            false => Cow::Owned(highlight(&self.before, line)),
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[90m{hint}\x1b[0m"))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}
