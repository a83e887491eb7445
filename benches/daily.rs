//! What a day costs: the first run over a year of daily files, one more day, and a run with nothing new.
//!
//! `cargo bench --bench daily` makes the year with the generator (about 540,000 lines in 374 files), runs the
//! program as a user would, and prints the median of each and their ratios. `LAKE_BENCH_FILES=DIR` takes the
//! files of a folder instead: all but the last in the order of their names are the year, the last is the day.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lake_generate::{Dirt, Parameters, Split, generate};

const ROUNDS: usize = 3;
const AGAIN: usize = 7;

fn main() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let files = files(scratch.path());
    let (year, day) = files.split_at(files.len() - 1);
    let (mut first, mut more, mut nothing, mut everything) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let project = scratch.path().join(format!("project{round}"));
        lake(&["init", project.to_str().expect("a plain path")], scratch.path());
        land(year, &project);
        first.push(lake(&["run"], &project));
        for _ in 0..AGAIN {
            nothing.push(lake(&["run"], &project));
        }
        land(day, &project);
        more.push(lake(&["run"], &project));
        lake(&["verify"], &project);
        everything.push(lake(&["run", "--full-refresh"], &project));
        std::fs::remove_dir_all(&project).expect("the project can be removed");
    }
    let [first, more, nothing, everything] = [first, more, nothing, everything].map(median);
    println!("{} files, {ROUNDS} rounds, medians", files.len());
    println!("first run over all but one file  {first:8.3} s");
    println!("one more day                     {more:8.3} s   {:.3} of the first run", more / first);
    println!("nothing new                      {nothing:8.3} s   {:.3} of the first run", nothing / first);
    println!("full refresh of silver and gold  {everything:8.3} s");
}

/// The files to deliver, in order.
fn files(scratch: &Path) -> Vec<PathBuf> {
    let folder = std::env::var_os("LAKE_BENCH_FILES").map_or_else(|| generated(scratch), PathBuf::from);
    let entries = std::fs::read_dir(&folder).expect("the folder of files can be read");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

fn generated(scratch: &Path) -> PathBuf {
    let folder = scratch.join("files");
    let parameters = Parameters {
        seed: 1,
        customers: 4_400,
        lines: 540_000,
        from: "2010-12-01".parse().expect("a date"),
        to: "2011-12-09".parse().expect("a date"),
        split: Split::Day,
        dirt: Dirt::Low,
    };
    generate(&parameters, &folder, &|_| ()).expect("the generator runs");
    folder
}

fn land(files: &[PathBuf], project: &Path) {
    let landing = project.join("landing/online_retail");
    std::fs::create_dir_all(&landing).expect("the landing folder can be made");
    for file in files {
        let name = file.file_name().expect("a file has a name");
        std::fs::copy(file, landing.join(name)).expect("the file can be copied");
    }
}

/// Runs the program in a folder and gives the seconds it took.
fn lake(args: &[&str], folder: &Path) -> f64 {
    let clock = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lake"));
    // The program would take it for a setting.
    let output = command.args(args).env_remove("LAKE_BENCH_FILES").current_dir(folder).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    clock.elapsed().as_secs_f64()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
