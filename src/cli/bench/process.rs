//! Processes of this same program: what they take, by the system's account, and what they tell.
//!
//! This process stays small: on Linux the peak memory of a new one begins with that of the one that starts it.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use chrono::{DateTime, Utc};
use lake::clock::{Clock, SystemClock};
use lake::error::{Error, Kind, Result};
use serde::Deserialize;

use crate::cli::Global;
use crate::cli::progress::TARGET;

/// Where the tables lie, in the folder of a project.
pub const ROOT: &str = "lakehouse";

/// What a process took, and what it told.
pub struct Taken {
    /// When it was started.
    pub begun_at: DateTime<Utc>,
    /// Seconds from its start to its end.
    pub wall_seconds: f64,
    /// Seconds of all cores in the program.
    pub user_seconds: f64,
    /// Seconds of all cores in the system, for the program.
    pub system_seconds: f64,
    /// The most memory that it held.
    pub peak_memory_bytes: u64,
    /// Its progress, as it came.
    pub events: Vec<Event>,
}

/// A line of the log that is progress, or an error.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// When.
    pub timestamp: String,
    /// What happened.
    pub message: String,
    /// The table that it happened to.
    pub table: Option<String>,
    /// Rows that were written.
    pub rows: Option<u64>,
    /// Seconds that the table took.
    pub seconds: Option<f64>,
    level: String,
    target: String,
    #[serde(default)]
    details: Vec<String>,
    #[serde(default)]
    hints: Vec<String>,
}

/// A command of this same program in a project, with the options that this process was given.
pub fn lake(global: &Global, project: &Path) -> Result<Command> {
    let program = std::env::current_exe()
        .map_err(|e| Error::unavailable(format!("cannot tell where the program itself lies: {e}")))?;
    let mut command = Command::new(program);
    command.arg("--project").arg(project).args(["--root", ROOT, "--log-format", "json"]);
    let options = [
        ("--env", global.env.clone()),
        ("--threads", global.threads.map(|threads| threads.to_string())),
        ("--memory-limit", global.memory_limit.clone()),
    ];
    for (option, value) in options {
        command.args(value.into_iter().flat_map(|value| [option.to_string(), value]));
    }
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// Runs a command to its end; what it prints is passed over.
pub fn measure(mut command: Command) -> Result<Taken> {
    command.stdout(Stdio::null());
    let (begun_at, clock) = (SystemClock.now(), Instant::now());
    let mut child = command.spawn().map_err(|e| not_started(&e))?;
    let _deaf = Deaf::new();
    // It tells things until it ends.
    let told = child.stderr.take().map_or(Ok(String::new()), std::io::read_to_string);
    let (status, usage) = wait(&child)?;
    let wall_seconds = clock.elapsed().as_secs_f64();
    let told = told.map_err(|e| Error::unavailable(format!("cannot hear the program: {e}")))?;
    if !status.success() {
        return Err(failure(status, &told));
    }
    // macOS counts in bytes, others in kilobytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok(Taken {
        begun_at,
        wall_seconds,
        user_seconds: seconds(usage.ru_utime),
        system_seconds: seconds(usage.ru_stime),
        peak_memory_bytes: u64::try_from(usage.ru_maxrss).unwrap_or_default() * unit,
        events: events(&told),
    })
}

/// What a command prints; it is not measured.
pub fn answer(mut command: Command) -> Result<Vec<u8>> {
    let child = command.stdout(Stdio::piped()).spawn().map_err(|e| not_started(&e))?;
    let _deaf = Deaf::new();
    let output = child.wait_with_output();
    let output = output.map_err(|e| Error::unavailable(format!("cannot hear the program: {e}")))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(failure(output.status, &String::from_utf8_lossy(&output.stderr))),
    }
}

/// While this lives, an interruption at the terminal is left to the child, which hears it too: it ends, and what
/// was made for it is removed.
struct Deaf(libc::sighandler_t);

impl Deaf {
    fn new() -> Self {
        // Sound: what the signal means from now on is no code of this program.
        Deaf(unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) })
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // Sound: it means again what it meant.
        unsafe { libc::signal(libc::SIGINT, self.0) };
    }
}

/// Waits for the end of a child; gives what it used.
fn wait(child: &Child) -> Result<(ExitStatus, libc::rusage)> {
    let mut status = 0;
    // Sound: it holds numbers only, which may all be 0.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // Sound: both places outlive the call, and nobody else waits for the child.
        let ended = unsafe { libc::wait4(child.id().cast_signed(), &raw mut status, 0, &raw mut usage) };
        if ended >= 0 {
            return Ok((ExitStatus::from_raw(status), usage));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(Error::unavailable(format!("cannot wait for the program: {error}")));
        }
    }
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

/// The progress and the errors among what was told.
fn events(told: &str) -> Vec<Event> {
    let events = told.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
    events.filter(|event| event.target == TARGET).collect()
}

fn not_started(error: &std::io::Error) -> Error {
    Error::unavailable(format!("cannot start the program once more: {error}"))
}

/// The error of a command that failed: its own, as far as it told one.
fn failure(status: ExitStatus, told: &str) -> Error {
    let is_code = |kind: &Kind| status.code() == Some(i32::from(kind.exit_code()));
    if status.signal() == Some(libc::SIGINT) || is_code(&Kind::Interrupted) {
        return Error::new(Kind::Interrupted, "interrupted: nothing has been measured to the end");
    }
    let kind = [Kind::Invalid, Kind::Data].into_iter().find(is_code).unwrap_or(Kind::Unavailable);
    match events(told).into_iter().rfind(|event| event.level == "ERROR") {
        Some(event) => {
            let error = event.details.into_iter().fold(Error::new(kind, event.message), Error::detail);
            event.hints.into_iter().fold(error, Error::hint)
        }
        None => Error::new(kind, format!("what should be measured ended with {status}")).detail(told.trim()),
    }
}
