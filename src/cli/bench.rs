//! `lake bench`: the job `retail-etl`, measured as a user meets it: every run is a process of its own.

mod process;
mod report;
mod sample;
mod split;

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lake::config::LogFormat;
use lake::error::{Error, Result, io_error};

use super::init::{InitArgs, write_project};
use super::{Global, log, print, progress};
use process::ROOT;
use report::{Input, Phase, Report};
use sample::{Sample, sizes};
use split::{LastDay, split};

/// The tables of the job. What they are made from is built with them: invoices and prices, histories of customers,
/// returns and the value of customers, which `gold.customer_features` reads.
const JOB: [&str; 11] = [
    "bronze.online_retail",
    "silver.transactions",
    "silver.transactions_rejected",
    "silver.transactions_duplicates",
    "silver.products",
    "gold.daily_sales",
    "gold.country_sales",
    "gold.top_products",
    "gold.rfm",
    "gold.cohort_retention",
    "gold.customer_features",
];

/// Runs with nothing new in each round: they are short.
const AGAIN: usize = 3;

/// Where a project looks for files.
const LANDING: &str = "landing/online_retail";

/// Measure the job `retail-etl`: time, processor, memory, bytes written.
///
/// The job is bronze, the transactions and products of silver, and daily and country sales, products, RFM, cohorts
/// and features of customers in gold. It runs in a project of its own, a process a run: `full`, all of FILE into
/// an empty lake; `cold`, all but the last day into an empty lake; `nothing new`; and `one more day`, the last.
/// Files are in the system's cache before the clock starts.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake bench                                      simulated sales
  lake bench exports/online_retail.csv
  lake bench --customers 40000 --lines 5000000 --runs 5 --format json
  lake bench exports/online_retail.csv --memory-limit 1GB --keep bench")]
pub struct BenchArgs {
    /// A plain CSV file of sales; simulated sales when none is named
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Registered customers of the simulated sales [default: as `lake generate`]
    #[arg(long, value_name = "N", conflicts_with = "file")]
    pub customers: Option<u64>,
    /// Lines of the simulated sales to aim for [default: as `lake generate`]
    #[arg(long, value_name = "N", conflicts_with = "file")]
    pub lines: Option<u64>,
    /// How often each part is measured
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// How the figures are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Work in this folder, new or empty, and leave it as it is in the end
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// How the figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables, for people
    Table,
    /// One object, for programs
    Json,
}

/// Measures and prints the figures.
pub fn bench(global: &Global, args: &BenchArgs) -> Result<()> {
    if global.root.is_some() {
        return Err(Error::invalid("`lake bench` makes lakes of its own and takes no `--root`")
            .hint("`--keep DIR` names the folder that it works in"));
    }
    let named = args.file.as_deref().map(csv).transpose()?;
    let temporary =
        tempfile::tempdir().map_err(|e| io_error("make a folder in", &std::env::temp_dir(), &e))?;
    let folder = workplace(args.keep.as_deref().unwrap_or(temporary.path()))?;
    let projects = ["full", "daily"].map(|name| folder.join(name));
    for dir in &projects {
        write_project(&InitArgs { dir: dir.clone() })?;
    }
    let settings = global.load(&projects[0])?.settings;
    log::send_to_stderr(&settings.log)?;
    let bench = Bench { global, runs: args.runs, format: settings.log.format };
    let file = named.map_or_else(|| bench.generate(args, &folder), Ok)?;
    let bytes = land(&file, &projects[0])?;
    let (last_day, phases) = bench.phases(&file, &projects)?;
    let report = Report {
        program: format!("lake {}", env!("CARGO_PKG_VERSION")),
        threads: lake::engine::threads(&settings),
        memory_limit: settings.memory_limit,
        select: JOB.join(","),
        input: Input {
            file: args.file.as_ref().map(|file| file.display().to_string()),
            bytes,
            lines: phases[0].1[0].lines,
            last_day,
        },
        phases: phases.iter().filter_map(|(name, samples)| Some((*name, Phase::of(samples)?))).collect(),
    };
    match args.format {
        Format::Table => report.print(),
        Format::Json => print::line(report.json()?),
    }
}

/// The full path of a file that is named.
fn csv(file: &Path) -> Result<PathBuf> {
    let metadata = std::fs::metadata(file).map_err(|e| io_error("read", file, &e))?;
    let is_csv = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    if !is_csv || !metadata.is_file() {
        return Err(Error::invalid(format!("`{}` is no plain .csv file", file.display()))
            .hint("unpack it first: its last day is split off line by line"));
    }
    std::path::absolute(file).map_err(|e| io_error("read", file, &e))
}

/// The folder that is worked in, by its full path; refused when there is something in it that could be lost.
fn workplace(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|e| io_error("create", folder, &e))?;
    let mut entries = std::fs::read_dir(folder).map_err(|e| io_error("list", folder, &e))?;
    if entries.next().is_some() {
        return Err(Error::invalid(format!("`{}` is not empty", folder.display()))
            .hint("name a new folder: what is measured is made and removed in it again and again"));
    }
    std::fs::canonicalize(folder).map_err(|e| io_error("read", folder, &e))
}

/// Makes a file one that has landed, without a copy of it, and has the system read it once; gives its bytes.
fn land(file: &Path, project: &Path) -> Result<u64> {
    let link = project.join(LANDING).join(file.file_name().unwrap_or_default());
    std::os::unix::fs::symlink(file, &link).map_err(|e| io_error("link", &link, &e))?;
    let read = File::open(file).and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
    read.map_err(|e| io_error("read", file, &e))
}

/// Removes the lake of a project.
fn clear(project: &Path) -> Result<()> {
    let root = project.join(ROOT);
    match std::fs::remove_dir_all(&root) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", &root, &e)),
        _ => Ok(()),
    }
}

/// All runs of one kind.
type Runs = (&'static str, Vec<Sample>);

/// How it is measured.
struct Bench<'a> {
    global: &'a Global,
    runs: u32,
    format: LogFormat,
}

impl Bench<'_> {
    /// Measures all runs, by the names of their kinds, in the projects of the whole file and of its days.
    fn phases(&self, file: &Path, [full, daily]: &[PathBuf; 2]) -> Result<(LastDay, [Runs; 4])> {
        let everything = self.full(full)?;
        let parts = [daily.join(LANDING).join("before.csv"), daily.join("last_day.csv")];
        let last_day = split(self.global, full, file, everything[0].lines, &parts)?;
        let [cold, nothing_new, one_more_day] = self.daily(daily, &parts[1])?;
        if cold[0].lines + one_more_day[0].lines != everything[0].lines {
            return Err(Error::invalid(format!("the last day of `{}` cannot be split off", file.display()))
                .hint("its lines must end in line feeds, and its text must not be UTF-16"));
        }
        let runs = [
            ("full", everything),
            ("cold", cold),
            ("nothing_new", nothing_new),
            ("one_more_day", one_more_day),
        ];
        Ok((last_day, runs))
    }

    /// Simulates sales, in a process of its own: what this one has held counts as held by those that it starts.
    fn generate(&self, args: &BenchArgs, folder: &Path) -> Result<PathBuf> {
        let out = folder.join("generated");
        let mut command = process::lake(self.global, folder)?;
        command.arg("generate").arg("--out").arg(&out);
        for (option, value) in [("--customers", args.customers), ("--lines", args.lines)] {
            command.args(value.into_iter().flat_map(|value| [option.to_string(), value.to_string()]));
        }
        progress::note(self.format, "generating sales");
        process::answer(command)?;
        Ok(out.join("online_retail.csv"))
    }

    /// All of the file into an empty lake, again and again.
    fn full(&self, project: &Path) -> Result<Vec<Sample>> {
        let run = |round| {
            clear(project)?;
            self.run(project, "full", round)
        };
        (1..=self.runs).map(run).collect()
    }

    /// All but the last day into an empty lake, then nothing new, then the last day, again and again.
    fn daily(&self, project: &Path, last_day: &Path) -> Result<[Vec<Sample>; 3]> {
        let landed = project.join(LANDING).join("last_day.csv");
        let rename =
            |from: &Path, to: &Path| std::fs::rename(from, to).map_err(|e| io_error("move", from, &e));
        let (mut cold, mut nothing_new, mut one_more_day) = (vec![], vec![], vec![]);
        for round in 1..=self.runs {
            if round > 1 {
                rename(&landed, last_day)?;
            }
            clear(project)?;
            cold.push(self.run(project, "cold", round)?);
            for _ in 0..AGAIN {
                nothing_new.push(self.run(project, "nothing new", round)?);
            }
            rename(last_day, &landed)?;
            one_more_day.push(self.run(project, "one more day", round)?);
        }
        Ok([cold, nothing_new, one_more_day])
    }

    /// Runs the job in a project, and says on standard error how long it took.
    fn run(&self, project: &Path, phase: &str, round: u32) -> Result<Sample> {
        let root = project.join(ROOT);
        let before = sizes(&root)?;
        let mut command = process::lake(self.global, project)?;
        command.args(["run", "--select"]).arg(JOB.join(","));
        let taken = process::measure(command)?;
        let sample = Sample::new(&taken, &before, sizes(&root)?)?;
        let seconds = print::seconds(sample.wall_seconds);
        progress::note(self.format, &format!("{phase}, round {round} of {}: {seconds} s", self.runs));
        Ok(sample)
    }
}
