//! Events and errors on standard error, as lines for people or as JSON, one object a line.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::SecondsFormat;
use lake::clock::{Clock, SystemClock};
use lake::config::{Log, LogFormat};
use lake::error::{Error, Kind, Result};
use serde::Serialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::{print, progress};

/// Whether errors are JSON, as the log is.
static JSON: AtomicBool = AtomicBool::new(false);

/// Errors are written in this format from now on.
pub fn write_errors_as(format: LogFormat) {
    JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// Sends events to standard error, those that the settings want and in their format.
pub fn send_to_stderr(log: &Log) -> Result<()> {
    write_errors_as(log.format);
    let filter = EnvFilter::try_new(directives(log))
        .map_err(|e| Error::invalid(format!("setting `log.filter` cannot be `{}`: {e}", log.filter)))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(print::colours_wanted())
        // Events that nobody listens to are no reason to stop.
        .log_internal_errors(false);
    // A second call, as in the demo, keeps the first subscriber.
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Human => builder.try_init(),
    };
    Ok(())
}

/// The filter in full: a level alone is that of the program's own events, and progress always goes into JSON.
fn directives(log: &Log) -> String {
    let filter = match log.filter.trim().parse::<LevelFilter>() {
        Ok(level) => format!("lake={level}"),
        Err(_) => log.filter.clone(),
    };
    match log.format {
        LogFormat::Json => format!("{filter},{}=info", progress::TARGET),
        LogFormat::Human => filter,
    }
}

/// Prints an error to standard error and gives the exit code of its kind; a closed pipe is no error.
pub fn report(error: &Error) -> ExitCode {
    if error.kind() == Kind::ClosedPipe {
        return ExitCode::SUCCESS;
    }
    let text = if JSON.load(Ordering::Relaxed) { as_event(error) } else { as_lines(error) };
    // Where nobody listens, the exit code still says it.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(error.kind().exit_code())
}

fn as_lines(error: &Error) -> String {
    let (bold, red, cyan, reset) = print::colours();
    let mut text = format!("{bold}{red}error:{reset} {}\n", error.message());
    for detail in error.details() {
        text += &format!("  {}\n", detail.replace('\n', "\n  "));
    }
    for hint in error.hints() {
        text += &format!("{bold}{cyan}hint:{reset} {hint}\n");
    }
    text
}

/// An error as an event of the log, with the fields that other events have; these cannot hold lists.
#[derive(Serialize)]
struct Event<'a> {
    timestamp: String,
    level: &'a str,
    message: &'a str,
    details: &'a [String],
    hints: &'a [String],
    target: &'a str,
}

fn as_event(error: &Error) -> String {
    let event = Event {
        timestamp: SystemClock.now().to_rfc3339_opts(SecondsFormat::Micros, true),
        level: "ERROR",
        message: error.message(),
        details: error.details(),
        hints: error.hints(),
        target: progress::TARGET,
    };
    serde_json::to_string(&event).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    //! Proves which events a filter lets through.

    use super::*;

    #[test]
    fn a_level_alone_is_that_of_our_own_events() {
        let of = |filter: &str, format| directives(&Log { filter: filter.into(), format });
        let human = ["info", " WARN ", "off", "info,lake=debug", "deltalake=debug"];
        assert_eq!(
            human.map(|filter| of(filter, LogFormat::Human)),
            ["lake=info", "lake=warn", "lake=off", "info,lake=debug", "deltalake=debug"]
        );
        assert_eq!(of("info", LogFormat::Json), "lake=info,lake::progress=info");
    }
}
