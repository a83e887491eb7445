//! One run as it was measured: the process, its stages, and its tables in the file system.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use lake::error::{Error, Result, io_error};

use super::JOB;
use super::process::{Event, Taken};

/// The stages of a run: to the first table; each layer, while a table of it is built, which may be beside others;
/// from the judgement to the end; and `others`, while tables are built and none of the job is among them.
pub const STAGES: [&str; 6] = ["start", "bronze", "silver", "gold", "publish", "others"];

/// What a run took.
pub struct Sample {
    /// Seconds from start to end of the process.
    pub wall_seconds: f64,
    /// Seconds of all cores in the program.
    pub user_seconds: f64,
    /// Seconds of all cores in the system, for the program.
    pub system_seconds: f64,
    /// The most memory that the process held.
    pub peak_memory_bytes: u64,
    /// Lines that came to bronze.
    pub lines: u64,
    /// Seconds of each of [`STAGES`].
    pub stages: [f64; STAGES.len()],
    /// What was written of each table, by its name.
    pub tables: BTreeMap<String, Written>,
}

/// What was written of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Rows; none where the run does not tell, as of its own records.
    pub rows: Option<u64>,
    /// Seconds from the start of its building to its commit.
    pub seconds: Option<f64>,
    /// Bytes in its folder and in the log.
    pub size: Size,
}

/// Bytes of a table's folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Of all files but the log's.
    pub data: u64,
    /// Of the log.
    pub log: u64,
}

/// A table that was built, from one second of the run to another.
struct Built {
    table: String,
    rows: u64,
    from: f64,
    to: f64,
}

impl Sample {
    /// A run, with the sizes of all tables before and after it.
    pub fn new(
        taken: &Taken,
        before: &BTreeMap<String, Size>,
        after: BTreeMap<String, Size>,
    ) -> Result<Self> {
        let mut built = Vec::new();
        let mut judged_at = None;
        for event in &taken.events {
            let at = second(event, taken.begun_at)?;
            match (event.message.as_str(), &event.table) {
                ("finished", Some(table)) => built.push(Built {
                    table: table.clone(),
                    rows: event.rows.unwrap_or_default(),
                    from: at - event.seconds.unwrap_or_default(),
                    to: at,
                }),
                ("judging", _) => judged_at = Some(at),
                _ => {}
            }
        }
        Ok(Sample {
            wall_seconds: taken.wall_seconds,
            user_seconds: taken.user_seconds,
            system_seconds: taken.system_seconds,
            peak_memory_bytes: taken.peak_memory_bytes,
            lines: built.iter().filter(|built| built.table == JOB[0]).map(|built| built.rows).sum(),
            stages: stages(&built, judged_at, taken.wall_seconds),
            tables: written(built, before, after),
        })
    }

    /// All bytes that were written.
    pub fn size(&self) -> Size {
        let add = |a: Size, b: &Written| Size { data: a.data + b.size.data, log: a.log + b.size.log };
        self.tables.values().fold(Size::default(), add)
    }
}

/// The second of a run at which something happened.
fn second(event: &Event, begun_at: DateTime<Utc>) -> Result<f64> {
    let at = event.timestamp.parse::<DateTime<Utc>>();
    let at = at.map_err(|e| Error::internal(format!("the time of an event, `{}`: {e}", event.timestamp)))?;
    Ok((at - begun_at).as_seconds_f64())
}

fn stages(built: &[Built], judged_at: Option<f64>, wall_seconds: f64) -> [f64; STAGES.len()] {
    let start = built.iter().map(|built| built.from).chain(judged_at).fold(wall_seconds, f64::min);
    let [bronze, silver, gold] =
        ["bronze.", "silver.", "gold."].map(|layer| while_built(built, |table| table.starts_with(layer)));
    let publish = judged_at.map_or(0.0, |at| wall_seconds - at);
    let others = while_built(built, |_| true) - while_built(built, |table| JOB.contains(&table));
    [start, bronze, silver, gold, publish, others]
}

/// The seconds in which at least one of the tables that are meant was built.
fn while_built(built: &[Built], is_meant: impl Fn(&str) -> bool) -> f64 {
    let meant = built.iter().filter(|built| is_meant(&built.table));
    let mut intervals: Vec<(f64, f64)> = meant.map(|built| (built.from, built.to)).collect();
    intervals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut covered, mut until) = (0.0, f64::NEG_INFINITY);
    for (from, to) in intervals {
        covered += (to - from.max(until)).max(0.0);
        until = to.max(until);
    }
    covered
}

/// What was written of each table of which something was.
fn written(
    built: Vec<Built>,
    before: &BTreeMap<String, Size>,
    after: BTreeMap<String, Size>,
) -> BTreeMap<String, Written> {
    let mut tables: BTreeMap<String, Written> = BTreeMap::new();
    for (name, is) in after {
        let was = before.get(&name).copied().unwrap_or_default();
        if is != was {
            let size = Size { data: is.data.saturating_sub(was.data), log: is.log.saturating_sub(was.log) };
            tables.insert(name, Written { size, ..Written::default() });
        }
    }
    for built in built {
        let table = tables.entry(built.table).or_default();
        (table.rows, table.seconds) = (Some(built.rows), Some(built.to - built.from));
    }
    tables
}

/// The sizes of the folders of all tables below a root, which is a full path; none where there is no root.
pub fn sizes(root: &Path) -> Result<BTreeMap<String, Size>> {
    let mut sizes: BTreeMap<String, Size> = BTreeMap::new();
    let pattern = format!("{}/*/*/**/*", glob::Pattern::escape(&root.display().to_string()));
    let paths = glob::glob(&pattern).map_err(|e| Error::internal(format!("the pattern of tables: {e}")))?;
    for path in paths {
        let path = path.map_err(|e| io_error("read", e.path(), e.error()))?;
        let metadata = std::fs::metadata(&path).map_err(|e| io_error("read", &path, &e))?;
        let inside = path.strip_prefix(root).unwrap_or(&path);
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        if let [layer, table, rest @ ..] = parts.as_slice()
            && metadata.is_file()
        {
            let size = sizes.entry(format!("{layer}.{table}")).or_default();
            let is_log = rest.iter().any(|part| part == "_delta_log");
            match is_log {
                true => size.log += metadata.len(),
                false => size.data += metadata.len(),
            }
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    //! Proves what counts as a stage.

    use super::*;

    fn built(table: &str, from: f64, to: f64) -> Built {
        Built { table: table.into(), rows: 1, from, to }
    }

    #[test]
    fn seconds_that_tables_share_count_once_and_others_are_those_without_the_job() {
        let run = [
            built("bronze.online_retail", 1.0, 2.0),
            built("silver.transactions", 2.0, 5.0),
            built("silver.transactions_rejected", 2.0, 5.5),
            built("silver.returns", 6.0, 9.0),
            built("gold.rfm", 7.0, 8.0),
        ];
        assert_eq!(stages(&run, Some(10.0), 12.0), [1.0, 1.0, 6.5, 1.0, 2.0, 2.0]);
        assert_eq!(stages(&[], None, 0.5), [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
