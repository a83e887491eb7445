//! `lake shell`: statement after statement to the published tables, typed, piped in or read from files.

mod complete;
mod describe;
mod edit;
pub(super) mod guard;
mod highlight;
mod interactive;
mod meta;
mod place;
mod results;
mod split;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use futures::StreamExt;
use lake::error::{Error, Kind, Result, io_error, nearest};
use lake::run::{Lake, Session};
use tokio::sync::Notify;

use self::meta::Command;
use self::place::{Origin, located, place_at};
use self::results::Results;
use self::split::{Piece, pieces};
use super::sql::Format;
use super::{names, print};

/// Ask the published tables one question after another.
///
/// On a terminal with a history, completion and colours; otherwise what is piped in is done up to the first error.
/// Nothing in the lake can be changed: views, tables of files and settings are those of the shell alone, and
/// `copy (...) to` writes files outside of the lake. `\?` tells the commands of the shell.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake shell
  lake shell --as-of 2026-01-31
  lake shell --file monthly.sql
  lake shell --command '\\d gold.rfm'
  echo 'select count(*) from gold.rfm; select count(*) from gold.cltv' | lake shell --format csv")]
pub struct ShellArgs {
    /// See the lake as readers saw it then: a run's id or the beginning of it, a day, or an instant
    #[arg(long, value_name = "RUN|DATE", value_parser = names::publication)]
    pub as_of: Option<String>,
    /// Do these statements and commands instead of what standard input says
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    pub command: Option<String>,
    /// Do what stands in a file instead of what standard input says
    #[arg(long, value_name = "F")]
    pub file: Option<PathBuf>,
    /// How results are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Does what is asked, up to its end or to the first error that nobody sees happen.
pub async fn shell(lake: Lake, args: ShellArgs) -> Result<()> {
    let mut shell = Shell::open(&lake, args.as_of, args.format).await?;
    match (args.command, args.file) {
        (Some(text), _) => shell.run(&text, &Origin::Typed, &[]).await?,
        (None, Some(path)) => shell.run_file(&path, &[]).await?,
        (None, None) if std::io::stdin().is_terminal() => interactive::converse(&mut shell).await?,
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|e| match e.kind() {
                std::io::ErrorKind::InvalidData => Error::invalid("standard input is not UTF-8"),
                _ => Error::unavailable(format!("cannot read standard input: {e}")),
            })?;
            shell.run(&text, &Origin::Input, &[]).await?;
        }
    }
    shell.results.redirect(None)
}

/// A session and how its answers are shown.
struct Shell<'a> {
    lake: &'a Lake,
    session: Session<'a>,
    /// The time that the session sees, if it is not now.
    as_of: Option<String>,
    /// The statements that named something for the session or set it, which another session begins with.
    kept: Vec<String>,
    results: Results,
    is_timed: bool,
    is_interactive: bool,
    /// Told when what is being done is to stop.
    interrupt: Arc<Notify>,
}

/// What follows a piece of a text.
#[derive(PartialEq, Eq)]
enum Next {
    Piece,
    End,
}

impl<'a> Shell<'a> {
    async fn open(lake: &'a Lake, as_of: Option<String>, format: Format) -> Result<Shell<'a>> {
        let session = session(lake, as_of.as_deref()).await?;
        Ok(Shell {
            lake,
            session,
            as_of,
            kept: Vec::new(),
            results: Results::new(format),
            is_timed: false,
            is_interactive: false,
            interrupt: Arc::new(Notify::new()),
        })
    }

    /// Does what stands in a text, up to the first error. `files` are those that are being read.
    async fn run(&mut self, text: &str, origin: &Origin<'_>, files: &[PathBuf]) -> Result<()> {
        // Editors of Windows put a mark before a text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (start, piece) in pieces(text) {
            let done = self.obey(piece, files).await;
            if done.map_err(|error| located(error, origin, text, start, piece))? == Next::End {
                break;
            }
        }
        Ok(())
    }

    async fn run_file(&mut self, path: &Path, files: &[PathBuf]) -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(|e| io_error("read", path, &e))?;
        let file = path.canonicalize().map_err(|e| io_error("read", path, &e))?;
        if files.contains(&file) {
            return Err(Error::invalid(format!("`{}` is being read already", path.display()))
                .hint("a file cannot contain itself"));
        }
        let files = [files, &[file]].concat();
        Box::pin(self.run(&text, &Origin::File(path), &files)).await
    }

    async fn obey(&mut self, piece: Piece<'_>, files: &[PathBuf]) -> Result<Next> {
        match piece {
            Piece::Statement(text) | Piece::Begun(text, None) => self.statement(text.trim_end()).await?,
            Piece::Begun(text, Some(open)) => {
                return Err(
                    Error::invalid(format!("a {} is not closed", open.what)).at(place_at(text, open.at))
                );
            }
            Piece::Command(line) => return self.command(meta::parse(line)?, files).await,
        }
        Ok(Next::Piece)
    }

    /// Does a statement, unless it is interrupted, and tells how long it took.
    async fn statement(&mut self, text: &str) -> Result<()> {
        let (clock, interrupt) = (Instant::now(), self.interrupt.clone());
        let done = unless_interrupted(&interrupt, self.answer(text)).await;
        self.results.settle(done.is_ok())?;
        if let Some(told) = done? {
            self.note(&told)?;
        }
        match self.is_timed {
            true => self.note(&format!("time: {:.3} s", clock.elapsed().as_secs_f64())),
            false => Ok(()),
        }
    }

    /// Does a statement; says what it did unless that can be seen.
    async fn answer(&mut self, text: &str) -> Result<Option<String>> {
        let plan = self.session.plan(text).await?;
        guard::check(self.lake, &self.session.catalogue, &plan)?;
        let change = guard::change(&plan);
        let frame = self.session.execute(plan).await?;
        if change.is_some() {
            self.kept.push(text.into());
            return Ok(change);
        }
        self.results.write(apart(frame.execute_stream().await?)).await
    }

    async fn command(&mut self, command: Command<'_>, files: &[PathBuf]) -> Result<Next> {
        match command {
            Command::List(pattern) => {
                let listed = describe::list(self.lake, &self.session, pattern);
                let text = unless_interrupted(&self.interrupt, listed).await?;
                self.results.show(&text)?;
            }
            Command::Describe(name) => {
                let described = describe::table(self.lake, &self.session, name);
                let text = unless_interrupted(&self.interrupt, described).await?;
                self.results.show(&text)?;
            }
            Command::History(name) => self.statement(&format!("describe history {name}")).await?,
            Command::Include(name) => self.include(name, files).await?,
            Command::Output(path) => {
                path.map_or(Ok(()), |path| guard::check_outside(self.lake, path))?;
                self.results.redirect(path)?;
            }
            Command::Format(Some(format)) => self.results.format = format,
            Command::Format(None) => {
                self.note(&format!("format: {:?}", self.results.format).to_lowercase())?
            }
            Command::Timing(timed) => {
                self.is_timed = timed.unwrap_or(!self.is_timed);
                self.note(&format!("timing is {}", on_or_off(self.is_timed)))?;
            }
            Command::Pager(paged) => {
                self.results.is_paged = paged.unwrap_or(!self.results.is_paged);
                self.note(&format!("pager is {}", on_or_off(self.results.is_paged)))?;
            }
            Command::AsOf(as_of) => self.renew(as_of.map(Into::into)).await?,
            Command::Refresh => self.renew(self.as_of.clone()).await?,
            Command::Help => self.results.show(&meta::help())?,
            Command::Quit => return Ok(Next::End),
        }
        Ok(Next::Piece)
    }

    /// Does what stands in a file, or asks the question of `sql/analyses` that has this name.
    async fn include(&mut self, name: &str, files: &[PathBuf]) -> Result<()> {
        let lake = self.lake;
        let analyses = &lake.project.analyses;
        let path = match analyses.get(name) {
            Some(query) if !Path::new(name).exists() => query.path.as_path(),
            _ => Path::new(name),
        };
        if !path.exists() {
            let error = Error::invalid(format!("there is no file `{name}`, and no analysis of that name"));
            let near = nearest(name, analyses.keys().map(String::as_str));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            return Err(hint.into_iter().fold(error, Error::hint));
        }
        self.run_file(path, files).await
    }

    /// Another session, which sees the lake as of a time or as it is now, and begins with what this one was told.
    async fn renew(&mut self, as_of: Option<String>) -> Result<()> {
        let session = session(self.lake, as_of.as_deref()).await?;
        let mut lost = Vec::new();
        for text in &self.kept {
            let again = async { session.execute(session.plan(text).await?).await };
            lost.extend(
                again.await.err().map(|error| format!("not in this session: {text}\n  {}", error.message())),
            );
        }
        (self.session, self.as_of) = (session, as_of);
        lost.iter().try_for_each(|text| self.note(text))
    }

    /// Tells people something that is no result: where results are for programs, nobody.
    fn note(&self, text: &str) -> Result<()> {
        match self.is_interactive || self.results.format == Format::Table {
            true => print::line(text),
            false => Ok(()),
        }
    }
}

/// A session of the engine that knows places in statements.
async fn session<'a>(lake: &'a Lake, as_of: Option<&str>) -> Result<Session<'a>> {
    let session = lake.session(as_of).await?;
    session.context.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
    Ok(session)
}

/// What some work gives, unless it is interrupted; it is then given up where it stands.
async fn unless_interrupted<T>(interrupt: &Notify, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = interrupt.notified() => Err(Error::new(Kind::Interrupted, "stopped")),
    }
}

/// The same rows, made by a task of their own, which ends when they are dropped: who waits for them can stop waiting
/// however long the next one takes.
fn apart(mut rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut apart = RecordBatchReceiverStreamBuilder::new(rows.schema(), 1);
    let sender = apart.tx();
    apart.spawn(async move {
        while let Some(batch) = rows.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    apart.build()
}

fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}
