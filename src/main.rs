//! The program `lake`: reads the command line, runs one command, prints its error, picks the exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Switches transparent huge pages off for the process: clearing two megabytes for each small piece of memory
/// costs a run more than they save it.
fn use_small_pages() {
    // Sound: the call takes no pointers. Where it fails, pages stay as they are.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}

fn main() -> ExitCode {
    use_small_pages();
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report(&error),
    }
}
