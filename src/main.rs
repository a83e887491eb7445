//! The program `lake`: reads the command line, runs one command, prints its error, picks the exit code.

mod cli;

use std::ffi::{c_int, c_long};
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

unsafe extern "C" {
    /// Of mimalloc: the value of an option that no variable of the environment has set.
    fn mi_option_set_default(option: c_int, value: c_long);
}

/// `mi_option_purge_delay` of mimalloc 3: after how many milliseconds unused memory is given back to the system.
const PURGE_DELAY: c_int = 15;

/// Gives memory back sooner than after a second, mimalloc's own delay: a run holds a fifth less and takes no longer.
/// The variable MIMALLOC_PURGE_DELAY says otherwise.
fn give_memory_back() {
    // Sound: the call takes no pointers, and other threads are not there yet.
    unsafe {
        mi_option_set_default(PURGE_DELAY, 100);
    }
}

fn main() -> ExitCode {
    use_small_pages();
    give_memory_back();
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report(&error),
    }
}

#[cfg(test)]
mod tests {
    //! Proves that the option is the one that is meant.

    use super::*;

    unsafe extern "C" {
        fn mi_option_get(option: c_int) -> c_long;
    }

    #[test]
    fn unused_memory_is_given_back_sooner_than_the_allocator_would() {
        // Sound: as in `give_memory_back`.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert!(delay() == 1000 || std::env::var_os("MIMALLOC_PURGE_DELAY").is_some());
        give_memory_back();
        assert!(delay() == 100 || std::env::var_os("MIMALLOC_PURGE_DELAY").is_some());
    }
}
