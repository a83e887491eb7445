//! Days and dates, what a calendar learns, and the last day cut short.

use super::super::calendar::{Calendar, is_last_day_partial, iso_weekday, month_day};
use super::DECEMBER_2010;

/// A year from December 2010, closed on Saturdays and from 24 December to 3 January, as in the UCI data.
fn year() -> Vec<bool> {
    (0..374)
        .map(|i| {
            let date = month_day(DECEMBER_2010 + i);
            let christmas = (date.0 == 12 && date.1 >= 24) || (date.0 == 1 && date.1 <= 3);
            iso_weekday(DECEMBER_2010 + i) != 6 && !(christmas && i < 60)
        })
        .collect()
}

#[test]
fn days_are_those_of_the_gregorian_calendar() {
    assert_eq!((month_day(0), iso_weekday(0)), ((1, 1), 4));
    assert_eq!((month_day(-1), iso_weekday(-1)), ((12, 31), 3));
    assert_eq!((month_day(DECEMBER_2010), iso_weekday(DECEMBER_2010)), ((12, 1), 3));
    assert_eq!((month_day(11_016), iso_weekday(11_016)), ((2, 29), 2), "2000-02-29, a Tuesday");
    assert_eq!(month_day(47_541), (3, 1), "2100 has no 29 February");
}

#[test]
fn closed_weekdays_and_dates_are_learned() {
    let calendar = Calendar::learn(DECEMBER_2010, &year());
    assert_eq!(calendar.closed_weekdays(), [6]);
    let christmas: Vec<(u32, u32)> = (1..=3).map(|d| (1, d)).chain((24..=31).map(|d| (12, d))).collect();
    assert!(calendar.closed_dates.iter().eq(&christmas), "25 December and 1 January were Saturdays");
    assert!(calendar.is_closed(DECEMBER_2010 + 365 + 24), "Christmas Day 2011, a Sunday");
    assert!(!calendar.is_closed(DECEMBER_2010 + 365 + 22), "23 December 2011");
}

#[test]
fn a_few_weeks_close_no_weekday_and_one_trade_reopens_a_date() {
    let mut traded = year();
    assert!(Calendar::learn(DECEMBER_2010, &traded[..28]).closed_weekdays().is_empty());
    assert_eq!(Calendar::learn(DECEMBER_2010, &traded[..60]).closed_weekdays(), [6]);
    traded.extend((374..400).map(|i| iso_weekday(DECEMBER_2010 + i) != 6));
    let calendar = Calendar::learn(DECEMBER_2010, &traded);
    assert!(
        calendar.closed_dates.iter().all(|date| *date == (12, 24) || *date == (12, 31)),
        "Saturdays of 2011"
    );
}

#[test]
fn a_weekday_that_trades_now_and_then_closes_no_dates() {
    let traded: Vec<bool> = (0..370).map(|i| i % 3 == 0).collect();
    let calendar = Calendar::learn(DECEMBER_2010, &traded);
    assert_eq!((calendar.closed_weekdays().len(), calendar.closed_dates.len()), (0, 0));
}

#[test]
fn a_last_day_is_cut_short_if_it_ends_hours_before_its_weekday_does() {
    let traded = vec![true; 70];
    let with_last = |hour: Option<u8>| {
        let mut hours: Vec<Option<u8>> = (0..70).map(|i| Some(15 + (i % 4) as u8)).collect();
        hours[69] = hour;
        hours
    };
    assert!(is_last_day_partial(&traded, &with_last(Some(12))));
    assert!(!is_last_day_partial(&traded, &with_last(Some(15))));
    assert!(!is_last_day_partial(&traded, &with_last(Some(23))));
    assert!(!is_last_day_partial(&traded, &with_last(None)), "unknown");
    assert!(!is_last_day_partial(&traded[..4], &with_last(Some(1))[66..]), "too few days to compare with");
    assert!(!is_last_day_partial(&[], &[]));
    let mut early_friday = with_last(Some(12));
    early_friday[62] = Some(12);
    assert!(!is_last_day_partial(&traded, &early_friday), "its weekday has ended as early before");
}
