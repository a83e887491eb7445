//! Days counted from 1970-01-01 as calendar dates, and round dates for an axis. No clock, no time zone.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

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
    let month_number = |day| {
        let (year, month, _) = civil(day);
        year * 12 + month - 1
    };
    let start = month_number(first) - month_number(first).rem_euclid(n);
    let months = (start..=month_number(last)).step_by(n as usize);
    months
        .map(|m| day_number(m.div_euclid(12), m.rem_euclid(12) + 1, 1))
        .filter(|day| (first..=last).contains(day))
        .collect()
}

fn name_ticks(days: Vec<i32>, step: Step) -> Vec<DateTick> {
    let mut known_year = None;
    let mut ticks = Vec::with_capacity(days.len());
    for at in days {
        let (year, month, day) = civil(at);
        let month_name = MONTHS[(month - 1) as usize];
        let name = match step {
            _ if day != 1 => format!("{day} {month_name}"),
            Step::Months(n) if n >= 12 => year.to_string(),
            Step::Months(_) => month_name.to_string(),
            Step::Days(_) | Step::Weeks(_) => format!("{day} {month_name}"),
        };
        let news = known_year != Some(year) && name != year.to_string();
        ticks.push(DateTick { day: at, name, year: news.then(|| year.to_string()) });
        known_year = Some(year);
    }
    ticks
}

/// Year, month and day of the month of a day counted from 1970-01-01, by Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
pub(crate) fn civil(day: i32) -> (i32, i32, i32) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i32::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// The day counted from 1970-01-01 of a calendar date, by Hinnant's `days_from_civil`.
pub(crate) fn day_number(year: i32, month: i32, day: i32) -> i32 {
    let y = year - i32::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doy = (153 * mp + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(14_944), (2010, 12, 1));
        for day in (-719_162..=2_932_896).step_by(97) {
            let (year, month, date) = civil(day);
            assert_eq!(day_number(year, month, date), day);
        }
    }

    #[test]
    fn a_year_of_days_is_ticked_by_month() {
        let ticks = date_ticks(day_number(2010, 12, 1), day_number(2011, 12, 9), 14);
        assert_eq!(ticks.len(), 13);
        assert_eq!((ticks[0].name.as_str(), ticks[0].year.as_deref()), ("Dec", Some("2010")));
        assert_eq!((ticks[1].name.as_str(), ticks[1].year.as_deref()), ("Jan", Some("2011")));
        assert_eq!(ticks[2].year, None);
    }

    #[test]
    fn a_month_is_ticked_on_mondays() {
        let ticks = date_ticks(day_number(2011, 11, 1), day_number(2011, 11, 30), 10);
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
