//! The shop's calendar as its own sales tell it: closed weekdays, closed dates, and a last day cut short.
//!
//! It learns from the days it is given and nothing else, so a backtest that hands it the days before an
//! origin cannot see past the origin. No table of public holidays is consulted.

use std::collections::BTreeSet;

/// A weekday is closed when it traded on at most this share of its days.
const CLOSED_WEEKDAY_SHARE: f64 = 0.02;
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
    closed_dates: BTreeSet<(u32, u32)>,
}

impl Calendar {
    /// Learns the calendar of the days `first_day ..` on which the shop `traded` or did not.
    ///
    /// A weekday is closed if it was seen in at least `min_weeks` weeks and (nearly) never traded. A date
    /// (month, day) is closed if its weekday ordinarily trades but the date never did, in any year seen.
    /// Closed weekdays that lie between closed dates share their fate: Christmas Day is closed between
    /// 24 and 26 December even if the only one seen was a Saturday.
    pub fn learn(first_day: i32, traded: &[bool], min_weeks: usize) -> Self {
        let (seen, open) = count_weekdays(first_day, traded);
        let share = |w: usize| open[w] as f64 / seen[w].max(1) as f64;
        let closed_weekdays =
            std::array::from_fn(|w| seen[w] >= min_weeks.max(1) && share(w) <= CLOSED_WEEKDAY_SHARE);
        let ordinary_weekdays =
            std::array::from_fn(|w| seen[w] >= min_weeks.max(1) && share(w) >= ORDINARY_WEEKDAY_SHARE);
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

    /// The closed dates as (month, day), in the order of the year.
    pub fn closed_dates(&self) -> Vec<(u32, u32)> {
        self.closed_dates.iter().copied().collect()
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

/// The ISO weekday (1 = Monday … 7 = Sunday) of a day counted from 1970-01-01, a Thursday.
pub fn iso_weekday(day: i32) -> u32 {
    (i64::from(day) + 3).rem_euclid(7) as u32 + 1
}

/// The month and the day of the month of a day counted from 1970-01-01 (proleptic Gregorian).
///
/// Days are counted in years that begin in March, so that the leap day comes last
/// (Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
pub fn month_day(day: i32) -> (u32, u32) {
    let of_era = (i64::from(day) + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (month as u32, of_month as u32)
}
