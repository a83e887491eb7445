//! How answers look: tables, numbers, and a standard output that may be closed.

use std::io::{ErrorKind, IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use lake::error::{Error, Kind, Result};

/// Writes a text and a line end to standard output.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    write(format!("{}\n", text.as_ref()).as_bytes())
}

/// Writes bytes to standard output.
pub fn write(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(output_error)
}

/// The error of an output: a closed pipe, or one that cannot be written.
pub fn output_error(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::new(Kind::ClosedPipe, "the reader of the output is gone"),
        _ => Error::unavailable(format!("cannot write the output: {error}")),
    }
}

/// Whether standard error is a terminal that knows colours and can write over a line.
pub fn on_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether standard error is such a terminal and `NO_COLOR` does not forbid colours.
pub fn colours_wanted() -> bool {
    on_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Bold, red, cyan and reset for standard error; empty when no colours are wanted.
pub fn colours() -> (&'static str, &'static str, &'static str, &'static str) {
    if colours_wanted() { ("\x1b[1m", "\x1b[31m", "\x1b[36m", "\x1b[0m") } else { ("", "", "", "") }
}

/// Columns of a terminal below which nothing is fitted into them: some terminals have 0 of them.
const NARROWEST: u16 = 40;

/// A table with a header; the columns named in `numbers` are aligned to the right.
pub fn table(header: &[&str], numbers: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    let is_narrow = table.width().is_some_and(|width| width < NARROWEST);
    let arrangement = if is_narrow { ContentArrangement::Disabled } else { ContentArrangement::Dynamic };
    table.load_preset(presets::NOTHING).set_content_arrangement(arrangement);
    table
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_header(header);
    table.add_rows(rows);
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// So many of a thing: `1 file`, `541,909 files`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A count in groups of three digits: `541,909`.
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A decimal number with its whole part in groups of three digits: `-11,062.06`.
pub fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, String::new()), |(w, f)| (w, format!(".{f}")));
    let mut text = sign.to_string();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + &fraction
}

/// Bytes in the unit that suits them: `3.4 MB`.
pub fn bytes(number: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let power = (number.max(1).ilog10() / 3).min(4);
    match power {
        0 => format!("{number} B"),
        _ => format!("{:.1} {}", number as f64 / 1000_f64.powi(power as i32), units[power as usize]),
    }
}

/// Seconds with as many digits as matter.
pub fn seconds(seconds: f64) -> String {
    format!("{seconds:.2}")
}

#[cfg(test)]
mod tests {
    //! Proves how numbers look.

    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            ["0", "999", "541909", "-11062.06", "9747747.934"].map(grouped),
            ["0", "999", "541,909", "-11,062.06", "9,747,747.934"]
        );
        let files = [0, 1, 2_000].map(|number| counted(number, "file", "files"));
        assert_eq!(files, ["0 files", "1 file", "2,000 files"]);
        assert_eq!([0, 999, 1_500, 3_400_000].map(bytes), ["0 B", "999 B", "1.5 kB", "3.4 MB"]);
    }
}
