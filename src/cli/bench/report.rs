//! The figures of all runs, for people and for programs.

use indexmap::IndexMap;
use lake::error::{Error, Result};
use serde::Serialize;

use super::sample::{STAGES, Sample};
use super::split::LastDay;
use super::{JOB, print};

/// What was measured, of what, and how.
#[derive(Serialize)]
pub struct Report {
    /// The program and its version.
    pub program: String,
    /// Threads that worked at once.
    pub threads: usize,
    /// The setting `memory_limit`.
    pub memory_limit: String,
    /// What `lake run` was asked for.
    pub select: String,
    /// What was loaded.
    pub input: Input,
    /// By name: `full`, `cold`, `nothing_new`, `one_more_day`.
    pub phases: IndexMap<&'static str, Phase>,
}

impl Report {
    /// The figures as one object.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| Error::internal(format!("the figures as JSON: {e}")))
    }

    /// Prints the figures as tables.
    pub fn print(&self) -> Result<()> {
        let Input { file, bytes, lines, last_day } = &self.input;
        print::line(format!(
            "retail-etl of {}: {}, {}; {} of them on the last day, {}; {}, memory limit {}",
            file.as_deref().unwrap_or("simulated sales"),
            print::counted(*lines, "line", "lines"),
            print::bytes(*bytes),
            print::count(last_day.lines),
            last_day.date,
            print::counted(self.threads as u64, "thread", "threads"),
            self.memory_limit
        ))?;
        let header =
            ["phase", "runs", "wall s", "from", "to", "CPU s", "peak memory", "data", "log", "lines/s"];
        let rows = self.phases.iter().map(|(name, phase)| phase.figures(name));
        print::line(format!("\n{}", print::table(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9], rows)))?;
        let header = [&["seconds of"][..], &STAGES].concat();
        let rows = self.phases.iter().map(|(name, phase)| phase.stages(name));
        print::line(format!("\n{}", print::table(&header, &[1, 2, 3, 4, 5, 6], rows)))?;
        let Some((full, one_more_day)) = self.phases.get("full").zip(self.phases.get("one_more_day")) else {
            return Ok(());
        };
        let header = ["table", "", "rows", "seconds", "data", "log"];
        let rows = full.tables.iter().map(Table::figures);
        print::line(format!("\n{}", print::table(&header, &[2, 3, 4, 5], rows)))?;
        let share = 100.0 * one_more_day.wall_seconds.median / full.wall_seconds.median;
        print::line(format!("\none more day takes {share:.1} % of the full run"))
    }
}

/// What was loaded.
#[derive(Serialize)]
pub struct Input {
    /// The file as it was named; none where sales were simulated.
    pub file: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Its records: the rows of bronze.
    pub lines: u64,
    /// The day that came later.
    pub last_day: LastDay,
}

/// All runs of one kind.
#[derive(Serialize)]
pub struct Phase {
    runs: usize,
    lines: u64,
    wall_seconds: Spread<f64>,
    user_seconds: Spread<f64>,
    system_seconds: Spread<f64>,
    peak_memory_bytes: Spread<u64>,
    lines_per_second: Spread<f64>,
    data_bytes: Spread<u64>,
    log_bytes: Spread<u64>,
    stages: IndexMap<&'static str, Spread<f64>>,
    tables: Vec<Table>,
}

/// One table in all runs of one kind.
#[derive(Serialize)]
struct Table {
    table: String,
    /// Whether the job names it; if not, it is what others are made from, or a record.
    in_job: bool,
    rows: Option<u64>,
    seconds: Option<Spread<f64>>,
    data_bytes: u64,
    log_bytes: u64,
}

/// A figure over several runs; of two in the middle, the greater is the median.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread<T> {
    median: T,
    min: T,
    max: T,
}

impl<T: Copy + PartialOrd> Spread<T> {
    /// None of nothing.
    fn of(values: impl Iterator<Item = T>) -> Option<Self> {
        let mut values: Vec<T> = values.collect();
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        Some(Spread { median: *values.get(values.len() / 2)?, min: *values.first()?, max: *values.last()? })
    }
}

impl Phase {
    /// The runs of a kind, of which there is one at least.
    pub fn of(samples: &[Sample]) -> Option<Phase> {
        let last = samples.last()?;
        let of = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure));
        let bytes = |figure: fn(&Sample) -> u64| Spread::of(samples.iter().map(figure));
        let stage = |i: usize| Spread::of(samples.iter().map(|sample| sample.stages[i]));
        let mut tables: Vec<Table> = last.tables.keys().map(|name| Table::of(name, last, samples)).collect();
        let place = |name: &str| JOB.iter().position(|table| *table == name).unwrap_or(JOB.len());
        tables.sort_by_key(|table| place(&table.table));
        Some(Phase {
            runs: samples.len(),
            lines: last.lines,
            wall_seconds: of(|sample| sample.wall_seconds)?,
            user_seconds: of(|sample| sample.user_seconds)?,
            system_seconds: of(|sample| sample.system_seconds)?,
            peak_memory_bytes: bytes(|sample| sample.peak_memory_bytes)?,
            lines_per_second: of(|sample| sample.lines as f64 / sample.wall_seconds)?,
            data_bytes: bytes(|sample| sample.size().data)?,
            log_bytes: bytes(|sample| sample.size().log)?,
            stages: STAGES
                .into_iter()
                .enumerate()
                .map(|(i, name)| Some((name, stage(i)?)))
                .collect::<Option<_>>()?,
            tables,
        })
    }

    /// A line of the table of phases.
    fn figures(&self, name: &str) -> Vec<String> {
        let Spread { median, min, max } = self.wall_seconds;
        vec![
            name.replace('_', " "),
            self.runs.to_string(),
            print::seconds(median),
            print::seconds(min),
            print::seconds(max),
            print::seconds(self.user_seconds.median + self.system_seconds.median),
            print::bytes(self.peak_memory_bytes.median),
            print::bytes(self.data_bytes.median),
            print::bytes(self.log_bytes.median),
            print::count(self.lines_per_second.median as u64),
        ]
    }

    /// A line of the table of stages.
    fn stages(&self, name: &str) -> Vec<String> {
        let seconds = self.stages.values().map(|stage| print::seconds(stage.median));
        std::iter::once(name.replace('_', " ")).chain(seconds).collect()
    }
}

impl Table {
    /// A line of the table of tables.
    fn figures(&self) -> Vec<String> {
        vec![
            self.table.clone(),
            if self.in_job { "of the job".into() } else { String::new() },
            self.rows.map(print::count).unwrap_or_default(),
            self.seconds.map(|seconds| print::seconds(seconds.median)).unwrap_or_default(),
            print::bytes(self.data_bytes),
            print::bytes(self.log_bytes),
        ]
    }

    /// A table as the last run wrote it, with its seconds in all runs.
    fn of(name: &str, last: &Sample, samples: &[Sample]) -> Table {
        let written = last.tables.get(name).copied().unwrap_or_default();
        let seconds = samples.iter().filter_map(|sample| sample.tables.get(name)?.seconds);
        Table {
            table: name.into(),
            in_job: JOB.contains(&name),
            rows: written.rows,
            seconds: Spread::of(seconds),
            data_bytes: written.size.data,
            log_bytes: written.size.log,
        }
    }
}
