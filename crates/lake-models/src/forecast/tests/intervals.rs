//! Conformal intervals: ranks, coverage on simulated errors, intermittent series.

use super::super::conformal::{Bands, Outcome, coverage};
use super::Chance;

fn outcome(horizon: usize, actual: f64, forecast: f64) -> Outcome {
    Outcome { horizon, actual, forecast }
}

#[test]
fn ranks_are_those_of_a_finite_sample() {
    // 39 errors −19 … 19: at 95 % the rank is ⌈40 · 0.975⌉ = 39, at 80 % ⌈40 · 0.9⌉ = 36.
    let outcomes: Vec<Outcome> = (0..39).map(|i| outcome(1, f64::from(i) - 19.0, 0.0)).collect();
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
    let draw = |chance: &mut Chance, h: usize| {
        let skewed = -(1.0 - chance.uniform()).ln();
        outcome(h, (1.0 + h as f64 / 10.0) * skewed, 0.9)
    };
    for _ in 0..200 {
        let mut origin = || (1..=28).map(|h| draw(&mut chance, h)).collect::<Vec<_>>();
        let origins: Vec<Vec<Outcome>> = (0..6).map(|_| origin()).collect();
        let fresh = origin();
        let bands = Bands::fit(&origins.concat(), false);
        let covered = coverage(&origins, false);
        for level in 0..2 {
            measured[level] += covered[level].unwrap() / 200.0;
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
    let mut sale = |forecast: f64| {
        let actual = if chance.uniform() < 0.7 { 0.0 } else { 50.0 + 100.0 * chance.uniform() };
        outcome(1, actual, forecast)
    };
    let known: Vec<Outcome> = (0..200).map(|_| sale(30.0)).collect();
    let (lo, hi) = Bands::fit(&known, true).interval(0, 1, 60.0).unwrap();
    assert_eq!(lo, 0.0);
    let covered = (0..2000).map(|_| sale(60.0)).filter(|o| lo <= o.actual && o.actual <= hi).count();
    assert!((0.74..0.86).contains(&(covered as f64 / 2000.0)), "{covered} of 2000");
}

#[test]
fn an_origin_does_not_vouch_for_itself() {
    let origin = |level: f64| (1..=28).map(|h| outcome(h, level, 0.0)).collect::<Vec<_>>();
    assert_eq!(coverage(&[origin(1.0)], false), [None, None], "nothing is left to calibrate on");
    // Of 28 others the 80 % level has its rank, the 95 % level has not.
    assert_eq!(coverage(&[origin(1.0), origin(2.0)], false), [Some(0.5), None]);
}
