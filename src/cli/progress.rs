//! Progress: bars on a terminal, plain lines when piped, JSON lines when asked for. Always standard error.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lake::config::LogFormat;
use lake::run::{Event, Observer};
use tracing::{info, warn};

use super::print;

/// The target of progress and errors among the log's events; it is let through whatever the filter says.
pub const TARGET: &str = "lake::progress";

/// The observer that suits standard error and the log's format.
pub fn observer(format: LogFormat) -> Arc<dyn Observer> {
    match format {
        LogFormat::Json => Arc::new(JsonLines),
        LogFormat::Human if print::on_terminal() => Arc::new(Terminal::default()),
        LogFormat::Human => Arc::new(PlainLines),
    }
}

/// Says that a part of what a command does is done.
pub fn note(format: LogFormat, text: &str) {
    match format {
        LogFormat::Json => info!(target: TARGET, "{text}"),
        // Progress that nobody listens to is no reason to stop.
        LogFormat::Human => _ = std::io::stderr().write_all(format!("{text}\n").as_bytes()),
    }
}

/// A bar of rows named `name`; hidden when standard error is no terminal.
pub fn bar(name: &str, rows: Option<u64>) -> ProgressBar {
    let target =
        if print::on_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(rows, target);
    style(&bar, name);
    bar
}

fn style(bar: &ProgressBar, name: &str) {
    let template = "{spinner} {prefix:32} {human_pos:>12} rows {per_sec:>16} {elapsed:>5}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_string());
    bar.enable_steady_tick(Duration::from_millis(100));
}

/// A bar a table.
#[derive(Default)]
struct Terminal {
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Terminal {
    fn with_bar(&self, name: &str, act: impl FnOnce(&ProgressBar)) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(name.to_string()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new_spinner());
            style(&bar, name);
            bar
        });
        act(bar);
    }
}

impl Observer for Terminal {
    fn event(&self, event: Event) {
        match event {
            Event::Fetched { bytes, .. } => self.with_bar("download (bytes)", |bar| bar.set_position(bytes)),
            Event::Started { table } => self.with_bar(&table.to_string(), |_| ()),
            Event::Read { table, rows } | Event::Wrote { table, rows } => {
                self.with_bar(&table.to_string(), |bar| bar.inc(rows));
            }
            Event::Finished { table, .. } => {
                self.with_bar(&table.to_string(), ProgressBar::finish_and_clear);
            }
            Event::Judging => {}
        }
    }

    fn warning(&self, text: &str) {
        let _ = self.all.println(format!("warning: {text}"));
    }
}

/// A line when a table is done.
struct PlainLines;

impl Observer for PlainLines {
    fn event(&self, event: Event) {
        if let Event::Finished { table, rows, seconds } = event {
            let rows = print::counted(rows, "row", "rows");
            let line = format!("{table}: {rows} in {} s\n", print::seconds(seconds));
            // Progress that nobody listens to is no reason to stop.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn warning(&self, text: &str) {
        let _ = std::io::stderr().write_all(format!("warning: {text}\n").as_bytes());
    }
}

/// What begins and ends, as events of the log.
struct JsonLines;

impl Observer for JsonLines {
    fn event(&self, event: Event) {
        match event {
            Event::Started { table } => info!(target: TARGET, %table, "started"),
            Event::Finished { table, rows, seconds } => {
                info!(target: TARGET, %table, rows, seconds, "finished")
            }
            Event::Judging => info!(target: TARGET, "judging"),
            Event::Read { .. } | Event::Wrote { .. } | Event::Fetched { .. } => {}
        }
    }

    fn warning(&self, text: &str) {
        warn!(target: TARGET, "{text}");
    }
}
