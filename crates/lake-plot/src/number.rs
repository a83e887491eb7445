//! Numbers as people read them: units, thousands separators, as many decimals as matter.

/// What a number measures, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Things counted: `1,234`; ticks are whole numbers.
    Count,
    /// A fraction of one, written as a percentage: 0.25 is `25%`.
    Share,
    /// A number without a unit.
    #[default]
    Plain,
}

/// An axis: what it shows, and in which unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Axis {
    /// What is measured, as in `Net revenue per day`; the unit's sign is added to it.
    pub label: String,
    /// How its numbers are written.
    pub unit: Unit,
}

impl Axis {
    /// An axis that shows `label` in `unit`.
    pub fn new(label: impl Into<String>, unit: Unit) -> Self {
        Axis { label: label.into(), unit }
    }

    /// The label with its unit, as in `Customers who come back (%)`.
    pub(crate) fn caption(&self) -> String {
        match (self.label.as_str(), self.unit) {
            ("", _) => String::new(),
            (label, Unit::Share) => format!("{label} (%)"),
            (label, Unit::Count | Unit::Plain) => label.to_string(),
        }
    }
}

impl Unit {
    /// Writes `value` with `decimals` decimals: `−1,234.50`, `25%`.
    pub fn format(self, value: f64, decimals: usize) -> String {
        let digits = format!("{:.*}", decimals, self.shown(value).abs());
        let minus = if value < 0.0 && digits.contains(|c| ('1'..='9').contains(&c)) { "−" } else { "" };
        let number = group_thousands(&digits);
        match self {
            Unit::Share => format!("{minus}{number}%"),
            Unit::Count | Unit::Plain => format!("{minus}{number}"),
        }
    }

    /// Writes a tick of an axis whose ticks lie `step` apart.
    pub(crate) fn tick(self, value: f64, step: f64) -> String {
        let magnitude = self.shown(step).log10();
        self.format(value, (-(magnitude + 1e-9).floor()).clamp(0.0, 9.0) as usize)
    }

    /// How many decimals tell `values` apart when they stand side by side.
    pub(crate) fn decimals(self, values: impl Iterator<Item = f64> + Clone) -> usize {
        let whole = values.clone().all(|value| value.fract() == 0.0);
        let largest = values.fold(0.0_f64, |largest, value| largest.max(self.shown(value).abs()));
        match self {
            Unit::Count | Unit::Plain if whole => 0,
            Unit::Share if largest >= 10.0 || largest == 0.0 => 0,
            Unit::Share if largest >= 1.0 => 1,
            _ if largest >= 100.0 => 0,
            _ if largest >= 10.0 => 1,
            _ if largest >= 0.1 => 2,
            _ => 4,
        }
    }

    /// The smallest sensible distance between two ticks.
    pub(crate) fn smallest_step(self) -> f64 {
        if self == Unit::Count { 1.0 } else { 0.0 }
    }

    fn shown(self, value: f64) -> f64 {
        if self == Unit::Share { value * 100.0 } else { value }
    }
}

/// Puts a comma between every three digits of the whole part of an unsigned decimal number.
pub(crate) fn group_thousands(digits: &str) -> String {
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut grouped = String::with_capacity(digits.len() + whole.len() / 3);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_their_unit() {
        assert_eq!(Unit::Plain.format(1_234_567.8, 0), "1,234,568");
        assert_eq!(Unit::Plain.format(-1234.5, 2), "−1,234.50");
        assert_eq!(Unit::Share.format(0.365, 0), "36%");
        assert_eq!(Unit::Count.format(999.0, 0), "999");
        assert_eq!(Unit::Plain.format(-0.001, 1), "0.0");
    }

    #[test]
    fn ticks_show_the_decimals_of_their_step() {
        assert_eq!(Unit::Plain.tick(0.3, 0.1), "0.3");
        assert_eq!(Unit::Plain.tick(1000.0, 500.0), "1,000");
        assert_eq!(Unit::Share.tick(0.05, 0.05), "5%");
        assert_eq!(Unit::Share.tick(0.005, 0.005), "0.5%");
    }

    #[test]
    fn decimals_follow_the_largest_value() {
        assert_eq!(Unit::Share.decimals([0.36, 0.02].into_iter()), 0);
        assert_eq!(Unit::Count.decimals([3.0, 12.0].into_iter()), 0);
        assert_eq!(Unit::Count.decimals([3.5, 12.0].into_iter()), 1);
    }
}
