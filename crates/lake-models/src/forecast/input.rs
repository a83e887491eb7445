//! The series to forecast, and the rules they keep.

use crate::error::Error;

/// More days than this (over 2,700 years) are a mistake.
pub const MAX_DAYS: usize = 1_000_000;

/// A daily series; its values lie on the days of its [`Input`].
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name, unique.
    pub name: String,
    /// The series it is a part of, whose values its siblings and it sum to.
    pub parent: Option<String>,
    /// One value per calendar day; those of days without trade are not trained on.
    pub values: Vec<f64>,
    /// Whether it cannot be negative: then neither can its forecast nor its intervals.
    pub non_negative: bool,
}

/// Daily series of one shop, over the same calendar days without a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The first day, counted from 1970-01-01.
    pub first_day: i32,
    /// Whether the shop traded, per day.
    pub traded: Vec<bool>,
    /// The hour (0–23) of the day's last line, per day, where known.
    pub last_hour: Vec<Option<u8>>,
    /// The series.
    pub series: Vec<Series>,
}

impl Series {
    /// Every value is a number of a sane size, and not negative where none can be.
    fn check_values(&self, first_day: i32) -> Result<(), Error> {
        let refuse = |wrong: &dyn Fn(f64) -> bool, why: &str| match self.values.iter().position(|y| wrong(*y))
        {
            None => Ok(()),
            Some(i) => Err(Error::Invalid(format!(
                "series `{}` is {} on day {}{why}",
                self.name,
                self.values[i],
                first_day + i as i32
            ))),
        };
        refuse(&|y| !y.is_finite(), "")?;
        refuse(&|y| y.abs() > 1e100, ", beyond 1e100")?;
        refuse(&|y| self.non_negative && y < 0.0, ", although it cannot be negative")
    }
}

impl Input {
    /// Checks that lengths agree, values are finite, names are unique, and parts sum to their total.
    ///
    /// # Errors
    ///
    /// Names the first series, and day, that breaks a rule.
    pub fn check(&self) -> Result<(), Error> {
        let days = self.traded.len();
        let refuse = |reason: String| Err(Error::Invalid(reason));
        if self.last_hour.len() != days {
            return refuse(format!("{} last hours for {days} days", self.last_hour.len()));
        }
        if days > MAX_DAYS || self.first_day.unsigned_abs() > 90_000_000 {
            return refuse(format!("{days} days from day {} are out of range", self.first_day));
        }
        for (s, series) in self.series.iter().enumerate() {
            let name = &series.name;
            if self.series[..s].iter().any(|other| other.name == *name) {
                return refuse(format!("two series are named `{name}`"));
            }
            if series.values.len() != days {
                return refuse(format!("series `{name}` has {} values for {days} days", series.values.len()));
            }
            series.check_values(self.first_day)?;
            self.check_parent(s)?;
            self.check_sum(s)?;
        }
        Ok(())
    }

    /// The parent exists and is no part itself.
    fn check_parent(&self, s: usize) -> Result<(), Error> {
        let Series { name, parent, non_negative, .. } = &self.series[s];
        let Some(parent) = parent else { return Ok(()) };
        match self.series.iter().find(|other| other.name == *parent) {
            None => Err(Error::Invalid(format!("`{name}` is a part of `{parent}`, which is missing"))),
            Some(total) if total.parent.is_some() => {
                Err(Error::Invalid(format!("`{name}` is a part of `{parent}`, which is a part itself")))
            }
            Some(total) if total.non_negative && !non_negative => {
                Err(Error::Invalid(format!("`{parent}` cannot be negative, but its part `{name}` can")))
            }
            Some(_) => Ok(()),
        }
    }

    /// The parts of a total sum to it on every day, up to rounding.
    fn check_sum(&self, total: usize) -> Result<(), Error> {
        let parts = self.parts_of(total);
        let Series { name, values, .. } = &self.series[total];
        for (i, y) in values.iter().enumerate().filter(|_| !parts.is_empty()) {
            let of_day = || parts.iter().filter_map(|p| self.series[*p].values.get(i));
            let (sum, size): (f64, f64) = (of_day().sum(), of_day().map(|v| v.abs()).sum());
            if (sum - y).abs() > 1e-6 * (1.0 + size) {
                let day = self.first_day + i as i32;
                return Err(Error::Invalid(format!(
                    "`{name}` is {y} on day {day}, but its parts sum to {sum}"
                )));
            }
        }
        Ok(())
    }

    /// Says whether a series is 0 on more than half of the trading days among the first `known` days.
    pub(super) fn is_intermittent(&self, s: usize, known: usize) -> bool {
        let on = |i: &usize| self.traded[*i];
        let zeros = (0..known).filter(on).filter(|i| self.series[s].values[*i] == 0.0).count();
        2 * zeros > (0..known).filter(on).count()
    }

    /// The positions of the parts of a series.
    pub(super) fn parts_of(&self, total: usize) -> Vec<usize> {
        let name = &self.series[total].name;
        (0..self.series.len()).filter(|s| self.series[*s].parent.as_ref() == Some(name)).collect()
    }
}
