//! The shop's calendar: which days it trades, how busy they are, and the clock by which customers buy.
//!
//! Purchases happen in *operational time*: it runs on trading days only, faster on busy weekdays, and is
//! scaled so that the period's operational weeks are its calendar weeks. Repeat purchases know no month:
//! the year's season lies in the arrival of new customers and in the guests, so that the customers remain a
//! plain BG/NBD population. Never trades on a Saturday, on 24 December to 3 January or on a bank holiday.

use crate::chance::Chance;
use chrono::{Datelike, Days, NaiveDate, Weekday};

/// The trading days of a period, numbered from 0.
#[derive(Debug)]
pub(crate) struct Calendar {
    dates: Vec<NaiveDate>,
    /// Operational week at which each day starts, and at the end the whole period's.
    clock: Vec<f64>,
    /// Cumulative share of new customers by the end of each day.
    arrivals: Vec<f64>,
    /// Cumulative share of guest orders by the end of each day.
    guests: Vec<f64>,
}

/// Demand by month, January first, against the year's mean.
pub(crate) const MONTH_SEASON: [f64; 12] =
    [0.70, 0.72, 0.90, 0.80, 0.95, 0.92, 0.92, 0.88, 1.25, 1.40, 1.75, 1.15];

/// Pace of the operational clock by weekday, Monday first; Saturday is closed.
pub(crate) const WEEKDAY_PACE: [f64; 7] = [1.00, 1.08, 1.05, 1.20, 0.95, 0.0, 0.72];

/// Opening hours and how busy they are; Thursdays are long, Sundays short.
const HOURS: [(u16, u32); 10] =
    [(8, 30), (9, 90), (10, 130), (11, 130), (12, 160), (13, 140), (14, 120), (15, 120), (16, 75), (17, 35)];
const THURSDAY_HOURS: [(u16, u32); 12] = [
    (8, 30),
    (9, 85),
    (10, 120),
    (11, 120),
    (12, 150),
    (13, 130),
    (14, 110),
    (15, 110),
    (16, 75),
    (17, 45),
    (18, 30),
    (19, 25),
];
const SUNDAY_HOURS: [(u16, u32); 6] = [(10, 70), (11, 130), (12, 160), (13, 140), (14, 110), (15, 80)];

/// Weight of customers the shop already had when the period starts: they turn up over the first weeks.
const KNOWN_BEFORE: f64 = 5.0;
const KNOWN_BEFORE_DECAY_DAYS: f64 = 25.0;

impl Calendar {
    /// Lays out the days from `from` to `to`, both included.
    pub fn new(from: NaiveDate, to: NaiveDate) -> Self {
        let dates: Vec<_> = from.iter_days().take_while(|&date| date <= to).filter(|&d| trades(d)).collect();
        let weeks = ((to - from).num_days() + 1) as f64 / 7.0;
        let pace: Vec<_> = dates.iter().map(|&date| pace(date)).collect();
        let season = |date: &NaiveDate| MONTH_SEASON[date.month0() as usize];
        let guests = dates.iter().map(|date| pace_of(date) * season(date));
        let arrivals = dates.iter().map(|date| {
            let age = (*date - from).num_days() as f64;
            pace_of(date) * (season(date) + KNOWN_BEFORE * (-age / KNOWN_BEFORE_DECAY_DAYS).exp())
        });
        let mut clock = cumulate(pace, weeks);
        clock.insert(0, 0.0);
        Calendar {
            clock,
            arrivals: cumulate(arrivals.collect(), 1.0),
            guests: cumulate(guests.collect(), 1.0),
            dates,
        }
    }

    /// Number of trading days.
    pub fn days(&self) -> usize {
        self.dates.len()
    }

    pub fn date(&self, day: u32) -> NaiveDate {
        self.dates[day as usize]
    }

    /// The trading day in which an operational week falls, unless it is past the period.
    pub fn day_at(&self, week: f64) -> Option<u32> {
        let after = self.clock.partition_point(|&start| start <= week);
        (after < self.clock.len()).then(|| after as u32 - 1)
    }

    /// Draws the operational week of a new customer's first purchase.
    pub fn arrival(&self, chance: &mut Chance) -> f64 {
        let share = chance.unit();
        let day = self.arrivals.partition_point(|&sum| sum < share).min(self.days() - 1);
        let (start, end) = (self.clock[day], self.clock[day + 1]);
        start + (end - start) * (1.0 - chance.unit())
    }

    /// Guest orders, of `total`, that belong to the days before and up to `day`.
    pub fn guests_through(&self, day: u32, total: u64) -> u64 {
        match day as usize + 1 == self.days() {
            true => total,
            false => (self.guests[day as usize] * total as f64) as u64,
        }
    }

    /// Draws the minute of the day of an order.
    pub fn minute(&self, day: u32, chance: &mut Chance) -> u16 {
        let hours: &[(u16, u32)] = match self.date(day).weekday() {
            Weekday::Thu => &THURSDAY_HOURS,
            Weekday::Sun => &SUNDAY_HOURS,
            _ => &HOURS,
        };
        let mut left = chance.below(hours.iter().map(|&(_, weight)| weight).sum());
        let mut open = hours[0].0;
        for &(hour, weight) in hours {
            open = hour;
            if left < weight {
                break;
            }
            left -= weight;
        }
        open * 60 + chance.below(60) as u16
    }
}

/// Whether the shop is open on a date.
pub(crate) fn trades(date: NaiveDate) -> bool {
    let christmas = (date.month() == 12 && date.day() >= 24) || (date.month() == 1 && date.day() <= 3);
    date.weekday() != Weekday::Sat && !christmas && !bank_holiday(date)
}

/// Good Friday, Easter Monday, and the English bank holidays of May and August.
fn bank_holiday(date: NaiveDate) -> bool {
    if let Some(easter) = easter(date.year())
        && (Some(date) == easter.checked_sub_days(Days::new(2))
            || Some(date) == easter.checked_add_days(Days::new(1)))
    {
        return true;
    }
    let (first, last) = (date.day() <= 7, date.day() > 24);
    date.weekday() == Weekday::Mon && matches!((date.month(), first, last), (5, true, _) | (5 | 8, _, true))
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876).
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - b / 4 - g + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    NaiveDate::from_ymd_opt(year, (n / 31) as u32, (n % 31 + 1) as u32)
}

fn pace(date: NaiveDate) -> f64 {
    WEEKDAY_PACE[date.weekday().num_days_from_monday() as usize]
}

fn pace_of(date: &NaiveDate) -> f64 {
    pace(*date)
}

/// Running sums, scaled to end in `total`.
fn cumulate(weights: Vec<f64>, total: f64) -> Vec<f64> {
    let scale = total / weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let add = |weight| {
        sum += weight * scale;
        sum
    };
    weights.into_iter().map(add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_falls_on_known_sundays() {
        let days = [(1981, 4, 19), (2011, 4, 24), (2024, 3, 31), (2025, 4, 20), (2038, 4, 25)];
        for (year, month, day) in days {
            assert_eq!(easter(year), NaiveDate::from_ymd_opt(year, month, day));
        }
    }

    #[test]
    fn the_clock_spans_the_calendar_weeks() {
        let from = NaiveDate::from_ymd_opt(2010, 12, 1).unwrap();
        let calendar = Calendar::new(from, NaiveDate::from_ymd_opt(2011, 12, 9).unwrap());
        assert!((300..310).contains(&calendar.days()));
        assert!((calendar.clock[calendar.days()] - 374.0 / 7.0).abs() < 1e-9);
        assert_eq!(calendar.day_at(0.0), Some(0));
        assert_eq!(calendar.day_at(60.0), None);
        assert_eq!(calendar.guests_through(calendar.days() as u32 - 1, 1000), 1000);
    }
}
