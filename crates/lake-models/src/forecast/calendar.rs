//! The shop's calendar as its own sales tell it: closed weekdays, closed dates, and a last day cut short.
//!
//! It learns from the days it is given and nothing else, so a backtest that hands it the days before an
//! origin cannot see past the origin. No table of public holidays is consulted.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, TimeDelta};

/// A weekday is closed when it traded on at most this share of its days.
const CLOSED_WEEKDAY_SHARE: f64 = 0.02;
/// A weekday can only be called closed when it was seen in so many weeks.
const MIN_WEEKS: usize = 5;
/// A date can only be called closed when its weekday trades on at least this share of its days.
const ORDINARY_WEEKDAY_SHARE: f64 = 0.8;
/// A last day is cut short when fewer than this share of its peers ended as early.
const EARLY_SHARE: f64 = 0.05;
/// … and when it ended at least so many hours before the median of its peers.
const EARLY_HOURS: i32 = 2;
/// A last day is judged by its weekday's days if there are so many, else by all days if there are.
const MIN_PEERS: usize = 5;

/// Weekdays and dates on which the shop does not trade.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    closed_weekdays: [bool; 7],
    ordinary_weekdays: [bool; 7],
    /// As (month, day).
    pub(super) closed_dates: BTreeSet<(u32, u32)>,
}

impl Calendar {
    /// Learns the calendar of the days `first_day ..` on which the shop `traded` or did not.
    ///
    /// A weekday is closed if it was seen in at least five weeks and (nearly) never traded. A date
    /// (month, day) is closed if its weekday ordinarily trades but the date never did, in any year seen.
    /// Closed weekdays that lie between closed dates share their fate: Christmas Day is closed between
    /// 24 and 26 December even if the only one seen was a Saturday.
    pub fn learn(first_day: i32, traded: &[bool]) -> Self {
        let (seen, open) = count_weekdays(first_day, traded);
        let share = |w: usize| open[w] as f64 / seen[w] as f64;
        let closed_weekdays =
            std::array::from_fn(|w| seen[w] >= MIN_WEEKS && share(w) <= CLOSED_WEEKDAY_SHARE);
        let ordinary_weekdays =
            std::array::from_fn(|w| seen[w] >= MIN_WEEKS && share(w) >= ORDINARY_WEEKDAY_SHARE);
        let mut closed_dates = BTreeSet::new();
        for day in unusual_days(first_day, traded, &closed_weekdays, &ordinary_weekdays) {
            closed_dates.insert(month_day(day));
        }
        for (day, _) in (first_day..).zip(traded).filter(|(_, traded)| **traded) {
            closed_dates.remove(&month_day(day));
        }
        Self { closed_weekdays, ordinary_weekdays, closed_dates }
    }

    /// Says whether the shop is known not to trade on `day`.
    pub fn is_closed(&self, day: i32) -> bool {
        self.is_closed_weekday(day) || self.closed_dates.contains(&month_day(day))
    }

    /// Says whether the shop never trades on the weekday of `day`.
    pub fn is_closed_weekday(&self, day: i32) -> bool {
        self.closed_weekdays[iso_weekday(day) as usize - 1]
    }

    /// Says whether the shop trades on the weekday of `day` as a rule, so that a day without trade is an
    /// exception (a holiday) and not a day without demand.
    pub fn is_ordinary_weekday(&self, day: i32) -> bool {
        self.ordinary_weekdays[iso_weekday(day) as usize - 1]
    }

    /// The closed weekdays, ISO: 1 = Monday … 7 = Sunday.
    pub fn closed_weekdays(&self) -> Vec<u32> {
        (1..=7).filter(|w| self.closed_weekdays[*w as usize - 1]).collect()
    }
}

/// Days without trade that a closed weekday does not explain, and closed weekdays enclosed by such days.
fn unusual_days(first_day: i32, traded: &[bool], closed: &[bool; 7], ordinary: &[bool; 7]) -> Vec<i32> {
    let mut days = Vec::new();
    let mut enclosed = Vec::new();
    let mut in_run = false;
    for (day, traded) in (first_day..).zip(traded) {
        let w = iso_weekday(day) as usize - 1;
        if *traded {
            in_run = false;
        } else if closed[w] && in_run {
            enclosed.push(day);
            continue;
        } else if ordinary[w] {
            if in_run {
                days.append(&mut enclosed);
            }
            days.push(day);
            in_run = true;
        }
        enclosed.clear();
    }
    days
}

/// Days seen and days traded per weekday, Monday first.
fn count_weekdays(first_day: i32, traded: &[bool]) -> ([usize; 7], [usize; 7]) {
    let mut seen = [0; 7];
    let mut open = [0; 7];
    for (day, traded) in (first_day..).zip(traded) {
        let w = iso_weekday(day) as usize - 1;
        seen[w] += 1;
        open[w] += usize::from(*traded);
    }
    (seen, open)
}

/// Says whether the last of these days is only partly covered by the data.
///
/// It is when its last line is earlier than on nearly all earlier trading days of its weekday (fewer than
/// one in twenty ended as early) and at least two hours before their median; with fewer than five such days
/// all trading days stand in for them, and with fewer than five of those nothing is concluded.
pub fn is_last_day_partial(traded: &[bool], last_hour: &[Option<u8>]) -> bool {
    let Some(last) = traded.len().min(last_hour.len()).checked_sub(1) else { return false };
    let Some(hour) = last_hour[last].filter(|_| traded[last]).map(i32::from) else { return false };
    let hours = |same_weekday: bool| -> Vec<i32> {
        (0..last)
            .filter(|i| traded[*i] && (!same_weekday || (last - i) % 7 == 0))
            .filter_map(|i| last_hour[i].map(i32::from))
            .collect()
    };
    let mut peers = hours(true);
    if peers.len() < MIN_PEERS {
        peers = hours(false);
    }
    if peers.len() < MIN_PEERS {
        return false;
    }
    peers.sort_unstable();
    let as_early = peers.iter().filter(|peer| **peer <= hour).count() as f64;
    as_early < EARLY_SHARE * peers.len() as f64 && hour + EARLY_HOURS <= peers[peers.len() / 2]
}

/// The ISO weekday (1 = Monday … 7 = Sunday) of a day counted from 1970-01-01.
pub fn iso_weekday(day: i32) -> u32 {
    date(day).weekday().number_from_monday()
}

/// The month and the day of the month of a day counted from 1970-01-01.
pub fn month_day(day: i32) -> (u32, u32) {
    (date(day).month(), date(day).day())
}

fn date(day: i32) -> NaiveDate {
    NaiveDate::default() + TimeDelta::days(day.into())
}
