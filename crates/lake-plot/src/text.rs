//! Pictures of one line or a few, for terminals. A character is taken to fill one column.

use crate::error::{Error, check_value};
use crate::number::Unit;
use crate::scale::extent;

const EIGHTHS_UP: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const EIGHTHS_RIGHT: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// Narrowest text chart, in columns.
const NARROWEST: usize = 32;

/// The course of `values` in at most `width` block characters, from ▁ (smallest) to █ (largest).
///
/// Missing values are blanks, a constant is ▄. Where there are more values than columns, each column shows
/// the mean of an equal stretch of them.
///
/// # Errors
/// [`Error::Invalid`] for NaN, infinite or huge values.
pub fn sparkline(values: &[Option<f64>], width: usize) -> Result<String, Error> {
    check("sparkline", values)?;
    let columns = shrink(values, width);
    let Some((lo, hi)) = extent(columns.iter().filter_map(|value| *value)) else {
        return Ok(" ".repeat(columns.len()));
    };
    let block = |value: f64| match hi - lo {
        span if span > 0.0 => EIGHTHS_UP[(((value - lo) / span * 8.0) as usize).min(7)],
        _ => EIGHTHS_UP[3],
    };
    Ok(columns.into_iter().map(|value| value.map_or(' ', block)).collect())
}

/// A bar chart of one line per row (label, bar, number), at most `width` columns wide, of which there must
/// be at least 32. Long labels are shortened; bars of negative values grow to the left of a common zero.
///
/// # Errors
/// [`Error::Invalid`] for NaN, infinite or huge values, or too small a width.
pub fn bars<S: AsRef<str>>(rows: &[(S, Option<f64>)], unit: Unit, width: usize) -> Result<String, Error> {
    if width < NARROWEST {
        return Err(Error::Invalid(format!("bars need at least {NARROWEST} columns, got {width}")));
    }
    let values: Vec<Option<f64>> = rows.iter().map(|(_, value)| *value).collect();
    check("bars", &values)?;
    let numbers = write_numbers(&values, unit);
    let number_width = numbers.iter().map(|number| number.chars().count()).max().unwrap_or(0);
    let longest = rows.iter().map(|(label, _)| label.as_ref().chars().count()).max().unwrap_or(0);
    let label_width = longest.min(width / 3).min(width.saturating_sub(number_width + 2));
    let ruler = Ruler::new(&values, width.saturating_sub(label_width + number_width + 2));
    let line = |((label, value), number): (&(S, Option<f64>), &String)| {
        let label = fit(label.as_ref(), label_width);
        format!("{label:<label_width$} {} {number:>number_width$}\n", ruler.bar(*value))
    };
    Ok(rows.iter().zip(&numbers).map(line).collect())
}

fn check(what: &str, values: &[Option<f64>]) -> Result<(), Error> {
    let mut numbered = values.iter().enumerate();
    numbered.try_for_each(|(i, value)| value.map_or(Ok(()), |v| check_value(what, i + 1, v)))
}

/// At most `width` means of equal stretches of `values`.
fn shrink(values: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    if values.len() <= width {
        return values.to_vec();
    }
    let stretch = |i: usize| &values[i * values.len() / width..(i + 1) * values.len() / width];
    (0..width).map(|i| mean(stretch(i))).collect()
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let present: Vec<f64> = values.iter().filter_map(|value| *value).collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

/// The numbers, with a plain hyphen as the minus so that they can be copied; `-` alone where missing.
fn write_numbers(values: &[Option<f64>], unit: Unit) -> Vec<String> {
    let decimals = unit.decimals(values.iter().filter_map(|value| *value));
    let write =
        |value: &Option<f64>| value.map_or("-".to_string(), |v| unit.format(v, decimals).replace('−', "-"));
    values.iter().map(write).collect()
}

/// `label` in at most `width` characters, without characters that would move the cursor.
fn fit(label: &str, width: usize) -> String {
    let clean = label.chars().map(|c| if c.is_control() { ' ' } else { c });
    if label.chars().count() <= width {
        return clean.collect();
    }
    clean.take(width.saturating_sub(1)).chain(['…']).take(width).collect()
}

/// Columns left and right of zero, and what one of them is worth.
struct Ruler {
    left: usize,
    right: usize,
    per_column: f64,
}

impl Ruler {
    fn new(values: &[Option<f64>], width: usize) -> Self {
        let (lo, hi) = extent(values.iter().filter_map(|value| *value)).unwrap_or((0.0, 0.0));
        let (below, above) = ((-lo).max(0.0), hi.max(0.0));
        let span = below + above;
        if span == 0.0 || width == 0 {
            return Ruler { left: 0, right: width, per_column: 1.0 };
        }
        let left = (width as f64 * below / span).round() as usize;
        let right = width - left;
        let worth =
            |reach: f64, columns: usize| if reach > 0.0 { reach / columns.max(1) as f64 } else { 0.0 };
        Ruler { left, right, per_column: worth(below, left).max(worth(above, right)) }
    }

    /// A bar of exactly `left + right` columns.
    fn bar(&self, value: Option<f64>) -> String {
        let length = value.unwrap_or(0.0) / self.per_column;
        let (negative, positive) = (leftward(-length, self.left), rightward(length, self.right));
        format!("{negative:>0$}{positive:<1$}", self.left, self.right)
    }
}

/// A bar to the right in eighths of a column, at least one for any positive length.
fn rightward(length: f64, columns: usize) -> String {
    if length <= 0.0 || columns == 0 {
        return String::new();
    }
    let eighths = ((length * 8.0).round() as usize).clamp(1, columns * 8);
    let mut bar = "█".repeat(eighths / 8);
    bar.extend((!eighths.is_multiple_of(8)).then(|| EIGHTHS_RIGHT[eighths % 8 - 1]));
    bar
}

/// A bar to the left in halves of a column, the finest that fonts offer on that side.
fn leftward(length: f64, columns: usize) -> String {
    if length <= 0.0 || columns == 0 {
        return String::new();
    }
    let halves = ((length * 2.0).round() as usize).clamp(1, columns * 2);
    let half = if halves.is_multiple_of(2) { "" } else { "▐" };
    half.to_string() + &"█".repeat(halves / 2)
}

#[cfg(test)]
mod tests;
