//! Days counted from 1970-01-01 as calendar dates, and round dates for an axis. No clock, no time zone.

use chrono::{Datelike, NaiveDate, TimeDelta};

/// A round date on an axis, with the year only where it is news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateTick {
    /// Days since 1970-01-01.
    pub day: i32,
    /// `5 Dec`, `Dec` or `2010`.
    pub name: String,
    /// The year, on the first tick and on the first one of each further year.
    pub year: Option<String>,
}

/// The distance between two ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Days(i32),
    Weeks(i32),
    Months(i32),
}

const STEPS: [Step; 18] = [
    Step::Days(1),
    Step::Days(2),
    Step::Weeks(1),
    Step::Weeks(2),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(240),
    Step::Months(600),
    Step::Months(1_200),
    Step::Months(2_400),
    Step::Months(6_000),
    Step::Months(12_000),
];

/// Round dates within `first..=last`, at most `at_most` of them where that is possible.
pub(crate) fn date_ticks(first: i32, last: i32, at_most: usize) -> Vec<DateTick> {
    let fits = |step: &Step| f64::from(last - first) / step.days() <= at_most.max(1) as f64;
    let step = STEPS.into_iter().find(fits).unwrap_or(Step::Months(12_000));
    let days = match step {
        Step::Days(n) => multiples(first, last, n, 0),
        // Day 4 of the epoch, 1970-01-05, is a Monday.
        Step::Weeks(n) => multiples(first, last, 7 * n, 4),
        Step::Months(n) => month_starts(first, last, n),
    };
    // A range too short to hold a round date still deserves one label.
    name_ticks(if days.is_empty() { vec![first] } else { days }, step)
}

impl Step {
    fn days(self) -> f64 {
        match self {
            Step::Days(n) => f64::from(n),
            Step::Weeks(n) => f64::from(7 * n),
            Step::Months(n) => 30.4 * f64::from(n),
        }
    }
}

fn multiples(first: i32, last: i32, n: i32, offset: i32) -> Vec<i32> {
    let start = first + (offset - first).rem_euclid(n);
    (start..=last).step_by(n as usize).collect()
}

fn month_starts(first: i32, last: i32, n: i32) -> Vec<i32> {
    let month_number = |day| date(day).year() * 12 + date(day).month0() as i32;
    let start = month_number(first) - month_number(first).rem_euclid(n);
    let months = (start..=month_number(last)).step_by(n as usize);
    months
        .filter_map(|m| NaiveDate::from_ymd_opt(m.div_euclid(12), m.rem_euclid(12) as u32 + 1, 1))
        .map(day_number)
        .filter(|day| (first..=last).contains(day))
        .collect()
}

fn name_ticks(days: Vec<i32>, step: Step) -> Vec<DateTick> {
    let mut known_year = None;
    let mut ticks = Vec::with_capacity(days.len());
    for at in days {
        let date = date(at);
        let year = date.year();
        let name = match step {
            Step::Months(n) if n >= 12 && date.day() == 1 => year.to_string(),
            Step::Months(_) if date.day() == 1 => date.format("%b").to_string(),
            _ => date.format("%-d %b").to_string(),
        };
        let news = known_year != Some(year) && name != year.to_string();
        ticks.push(DateTick { day: at, name, year: news.then(|| year.to_string()) });
        known_year = Some(year);
    }
    ticks
}

fn date(day: i32) -> NaiveDate {
    NaiveDate::default() + TimeDelta::days(day.into())
}

fn day_number(date: NaiveDate) -> i32 {
    (date - NaiveDate::default()).num_days() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> i32 {
        day_number(NaiveDate::from_ymd_opt(year, month, day).unwrap())
    }

    #[test]
    fn a_year_of_days_is_ticked_by_month() {
        let ticks = date_ticks(day(2010, 12, 1), day(2011, 12, 9), 14);
        assert_eq!(ticks.len(), 13);
        assert_eq!((ticks[0].name.as_str(), ticks[0].year.as_deref()), ("Dec", Some("2010")));
        assert_eq!((ticks[1].name.as_str(), ticks[1].year.as_deref()), ("Jan", Some("2011")));
        assert_eq!(ticks[2].year, None);
    }

    #[test]
    fn a_month_is_ticked_on_mondays() {
        let ticks = date_ticks(day(2011, 11, 1), day(2011, 11, 30), 10);
        let names: Vec<_> = ticks.iter().map(|tick| tick.name.as_str()).collect();
        assert_eq!(names, ["7 Nov", "14 Nov", "21 Nov", "28 Nov"]);
    }

    #[test]
    fn every_range_has_a_tick_and_few_enough() {
        for span in [0, 1, 3, 20, 45, 200, 1_000, 5_000, 40_000, 3_000_000] {
            let ticks = date_ticks(-719_162, (-719_162 + span).min(2_932_896), 10);
            assert!((1..=12).contains(&ticks.len()), "{span} days: {} ticks", ticks.len());
        }
    }
}
