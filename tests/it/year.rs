//! A year of daily loads: a day costs a day's work, not the history's.
//!
//! `cargo test -p lake --test it -- --ignored --nocapture year` runs it and prints what it measures.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use lake::clock::FixedClock;
use lake::run::Request;
use lake_generate::{Dirt, Parameters, Split};

use crate::faults::copy_of;
use crate::maintenance::files_of_records;
use crate::support::Fresh;

/// How many days are loaded, one a run.
const DAYS: usize = 365;

/// What is built from what is new, and what is made of that: a model is fitted to all there is, and a backtest
/// begins when there is enough for it.
const TABLES: &str = "silver.customers,gold.daily_sales,gold.country_sales,gold.top_products,gold.rfm,gold.rfm_segments,\
                      gold.cohort_retention";

/// The days around the thirtieth, and as many at the end of the year.
const EARLY: Range<usize> = 25..35;

/// How much longer a run may take at the end of the year than around its thirtieth day.
const LIMIT: f64 = 1.5;

/// The contents of so many daily files, some seven lines each, in order.
fn days(seed: u64) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let day = |text: &str| text.parse().unwrap();
    // The shop is closed on Saturdays and holidays: a year of files takes fifteen months.
    let (from, to) = (day("2011-01-04"), day("2012-04-15"));
    let (split, dirt) = (Split::Day, Dirt::Low);
    let parameters = Parameters { seed, customers: 300, lines: 2_700, from, to, split, dirt };
    lake_generate::generate(&parameters, folder.path(), &|_| ()).unwrap();
    let mut paths: Vec<_> = glob::glob(folder.path().join("*.csv").to_str().unwrap())
        .unwrap()
        .map(Result::unwrap)
        .filter(|path| !path.to_str().unwrap().ends_with("_again.csv"))
        .collect();
    paths.sort();
    paths.truncate(DAYS);
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Lands and loads a day, and gives the seconds of the run.
async fn load(fresh: &Fresh, day: usize, content: &[u8]) -> f64 {
    fresh.land(&format!("day-{:03}.csv", day + 1), content);
    let first: DateTime<Utc> = "2025-01-01T06:00:00Z".parse().unwrap();
    // No thread count is the default one: every core.
    let mut lake = fresh.lake(0).unwrap();
    lake.clock = Arc::new(FixedClock(first + TimeDelta::days(day as i64)));
    let request = Request { select: Some(TABLES.into()), ..Request::default() };
    let clock = Instant::now();
    let summary = lake.run(&request).await.unwrap();
    assert!(summary.judgement.published && summary.ingested[0].files == 1, "day {}", day + 1);
    clock.elapsed().as_secs_f64()
}

fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    (sorted[(sorted.len() - 1) / 2] + sorted[middle]) / 2.0
}

#[ignore = "takes some minutes: cargo test -p lake --test it -- --ignored year"]
#[tokio::test(flavor = "multi_thread")]
async fn the_last_days_of_a_year_take_no_longer_than_those_around_the_thirtieth() {
    let days = days(5);
    assert_eq!(days.len(), DAYS);
    let fresh = Fresh::new();
    let late = DAYS - EARLY.len()..DAYS;
    // The early days are loaded once more, into the lake as it was, in turn with the late ones: the machine is as busy
    // for these as for those.
    let (mut then, mut seconds) = (None, (Vec::new(), Vec::new()));
    for day in 0..DAYS {
        if day == EARLY.start {
            then = Some(copy_of(&fresh));
        }
        if let (true, Some(then)) = (late.contains(&day), &then) {
            let early = EARLY.start + day - late.start;
            seconds.0.push(load(then, early, &days[early]).await);
            seconds.1.push(load(&fresh, day, &days[day]).await);
        } else {
            load(&fresh, day, &days[day]).await;
        }
    }
    let (early, late) = (median(&seconds.0), median(&seconds.1));
    eprintln!("runs 26 to 35 take {early:.3} s, runs 356 to 365 {late:.3} s: {:.2} times", late / early);
    // A table gathers fewer than `compact_files` files of a tier before they become one.
    let files = files_of_records(&fresh.lake(0).unwrap().store).await;
    assert!(files.values().all(|files| *files < 32), "{files:?}");
    for comparison in fresh.lake(0).unwrap().verify(Some(TABLES)).await.unwrap() {
        let sample = comparison.sample.join("\n");
        assert_eq!(comparison.differences, 0, "{} differs\n{sample}", comparison.table);
    }
    assert!(late <= early * LIMIT, "{late:.3} s is more than {LIMIT} times {early:.3} s");
}
