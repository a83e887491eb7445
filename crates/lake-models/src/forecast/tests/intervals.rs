//! Conformal intervals: ranks, coverage on simulated errors, intermittent series.

use super::super::conformal::{Bands, Outcome, coverage};
use super::Chance;

fn outcome(day: i32, horizon: usize, actual: f64, forecast: f64) -> Outcome {
    Outcome { day, horizon, actual, forecast }
}

#[test]
fn ranks_are_those_of_a_finite_sample() {
    // 39 errors −19 … 19: at 95 % the rank is ⌈40 · 0.975⌉ = 39, at 80 % ⌈40 · 0.9⌉ = 36.
    let outcomes: Vec<Outcome> = (0..39).map(|i| outcome(i, 1, f64::from(i) - 19.0, 0.0)).collect();
    let bands = Bands::fit(&outcomes, false);
    let near = |found: Option<(f64, f64)>, end: f64| {
        let (lo, hi) = found.unwrap();
        (lo + end - 100.0).abs() < 1e-9 && (hi - end - 100.0).abs() < 1e-9
            || (lo, hi) == (100.0 - end, 100.0 + end)
    };
    assert!(near(bands.interval(1, 1, 100.0), 19.0), "{bands:?}");
    assert!(near(bands.interval(0, 1, 100.0), 16.0), "{bands:?}");
    assert_eq!(Bands::fit(&outcomes[1..], false).interval(1, 1, 0.0), None, "38 are too few for 95 %");
    assert_eq!(Bands::fit(&[], false).interval(0, 1, 0.0), None);
}

#[test]
fn coverage_is_nominal_when_errors_grow_with_the_horizon() {
    let mut chance = Chance(7);
    let (mut inside, mut days, mut measured) = ([0, 0], 0, [0.0, 0.0]);
    let draw = |chance: &mut Chance, day: i32, h: usize| {
        let skewed = -(1.0 - chance.uniform()).ln();
        outcome(day, h, (1.0 + h as f64 / 10.0) * skewed, 0.9)
    };
    for _ in 0..200 {
        let mut origin =
            |o: i32| (1..=28).map(|h| draw(&mut chance, o * 28 + h as i32, h)).collect::<Vec<_>>();
        let origins: Vec<Vec<Outcome>> = (0..6).map(&mut origin).collect();
        let fresh = origin(6);
        let bands = Bands::fit(&origins.concat(), false);
        for level in 0..2 {
            measured[level] += coverage(&origins, false, level).unwrap() / 200.0;
            for o in &fresh {
                let (lo, hi) = bands.interval(level, o.horizon, o.forecast).unwrap();
                inside[level] += usize::from(lo <= o.actual && o.actual <= hi);
            }
        }
        days += fresh.len();
    }
    for (level, nominal) in [(0, 0.80), (1, 0.95)] {
        let fresh = inside[level] as f64 / days as f64;
        assert!((fresh - nominal).abs() < 0.02, "{fresh} for {nominal}");
        assert!((measured[level] - nominal).abs() < 0.02, "{} measured for {nominal}", measured[level]);
    }
}

#[test]
fn zeros_stay_inside_when_the_level_of_an_intermittent_series_moves() {
    let mut chance = Chance(3);
    let mut sale = |day: i32, forecast: f64| {
        let actual = if chance.uniform() < 0.7 { 0.0 } else { 50.0 + 100.0 * chance.uniform() };
        outcome(day, 1, actual, forecast)
    };
    let known: Vec<Outcome> = (0..200).map(|day| sale(day, 30.0)).collect();
    let (lo, hi) = Bands::fit(&known, true).interval(0, 1, 60.0).unwrap();
    assert_eq!(lo, 0.0);
    let covered = (0..2000).map(|day| sale(day, 60.0)).filter(|o| lo <= o.actual && o.actual <= hi).count();
    assert!((0.74..0.86).contains(&(covered as f64 / 2000.0)), "{covered} of 2000");
}

#[test]
fn overlapping_periods_do_not_vouch_for_themselves() {
    // Two origins on the same days: nothing is left to calibrate on.
    let origin: Vec<Outcome> = (1..=28).map(|h| outcome(h, h as usize, f64::from(h), 0.0)).collect();
    assert_eq!(coverage(&[origin.clone(), origin], false, 0), None);
}
