//! The last day of a file, split off: two files, every line of the one in either of them, as it is.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use lake::error::{Error, Result, io_error};
use serde::{Deserialize, Serialize};

use super::process;
use crate::cli::Global;

/// The records of the last day, by the lines on which they and the next ones start, as the lake reads them.
const QUERY: &str = "
with
records as (
    select
        _source_line as line,
        cast(parse_instant(invoice_date) as date) as day
    from bronze.online_retail
),

ends as (
    select
        max(day) as last_day,
        min(line) as first_line
    from records
),

days as (
    select
        day as known_day,
        min(line) as since_line
    from records
    group by day
),

-- From the first line of the last day on; before it no next line is asked for.
followed as (
    select
        line,
        day,
        last_day,
        first_line,
        lead(line) over (order by line) as next_line
    from records
    cross join ends
    inner join days on last_day = known_day
    where line >= since_line
)
select
    cast(last_day as text) as day,
    first_line as first_line,
    line as line,
    next_line as next_line
from followed
where day = last_day
order by line";

/// The day that was split off.
#[derive(Serialize)]
pub struct LastDay {
    /// The day.
    pub date: String,
    /// Its records.
    pub lines: u64,
}

/// A record of the last day.
#[derive(Deserialize)]
struct Record {
    day: String,
    /// The line on which the first record of all starts: what stands before it is the header.
    first_line: u64,
    line: u64,
    /// None after the last record of all.
    next_line: Option<u64>,
}

/// Splits `file`, which the lake of `project` has loaded as `lines` records, into what comes before its last day
/// and that day; both begin with the file's header.
pub fn split(
    global: &Global,
    project: &Path,
    file: &Path,
    lines: u64,
    parts: &[PathBuf; 2],
) -> Result<LastDay> {
    let mut command = process::lake(global, project)?;
    command.args(["sql", QUERY, "--format", "json"]);
    let records: Vec<Record> = serde_json::from_slice(&process::answer(command)?)
        .map_err(|e| Error::internal(format!("the records of the last day: {e}")))?;
    let of_last_day = records.len() as u64;
    let shown = file.display();
    let Some(first) = records.first() else {
        return Err(Error::invalid(format!("no line of `{shown}` has a date that can be read")));
    };
    if of_last_day == lines {
        return Err(Error::invalid(format!("`{shown}` holds a single day, {}", first.day))
            .hint("name a file of several days: the last one is loaded by itself"));
    }
    write(file, &records, first.first_line, parts).map_err(|e| io_error("split", file, &e))?;
    Ok(LastDay { date: first.day.clone(), lines: of_last_day })
}

/// Copies the header to both parts and every other line to its own.
fn write(file: &Path, of_last_day: &[Record], first_line: u64, parts: &[PathBuf; 2]) -> std::io::Result<()> {
    let mut text = BufReader::new(File::open(file)?);
    let [mut before, mut last_day] =
        [BufWriter::new(File::create(&parts[0])?), BufWriter::new(File::create(&parts[1])?)];
    let mut of_last_day = of_last_day.iter().peekable();
    let (mut line, mut number) = (Vec::new(), 0);
    while text.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        while of_last_day.next_if(|record| record.next_line.is_some_and(|next| next <= number)).is_some() {}
        let is_header = number < first_line;
        let is_of_last_day = of_last_day.peek().is_some_and(|record| record.line <= number);
        if is_header || is_of_last_day {
            last_day.write_all(&line)?;
        }
        if is_header || !is_of_last_day {
            before.write_all(&line)?;
        }
        line.clear();
    }
    before.flush()?;
    last_day.flush()
}
