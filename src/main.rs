//! The program `lake`: reads the command line, runs one command, prints its error, picks the exit code.

mod cli;

use std::io::Write;

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

/// Ends the process at once. What was given up, such as a query that nothing stops, may still be at work: at an ordinary
/// end, C libraries would take away from under it what it works with, and the process could end by a crash.
fn leave(code: u8) -> ! {
    // Where nobody takes what is left, nothing can be done about it.
    let _ = std::io::stdout().flush();
    // Sound: the call takes a number and does not come back.
    #[cfg(unix)]
    unsafe {
        libc::_exit(i32::from(code))
    }
    #[cfg(not(unix))]
    std::process::exit(i32::from(code))
}

fn main() {
    use_small_pages();
    let cli = cli::Cli::parse();
    leave(cli.run().map_or_else(|error| cli::report(&error), |()| 0))
}
