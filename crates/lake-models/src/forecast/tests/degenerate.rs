//! Input that is short, empty, constant or contradictory.

use super::super::{Input, Kind, Params};
use super::{Chance, assert_coherent, assert_sound, every_day, part, quick, series};

fn published(input: &Input, params: &Params) -> Vec<f64> {
    let forecasts = params.fit(input).unwrap();
    assert_sound(&forecasts);
    forecasts.forecast.iter().filter(|r| r.kind == Kind::Forecast).map(|r| r.forecast.unwrap()).collect()
}

#[test]
fn nothing_gives_nothing_and_says_why() {
    let forecasts = Params::default().fit(&every_day(vec![series("s", Vec::new())])).unwrap();
    assert!(forecasts.forecast.is_empty() && forecasts.accuracy.is_empty());
    assert_eq!(forecasts.trained_through, None);
    assert!(forecasts.notes[0].reason.starts_with("no forecast"), "{:?}", forecasts.notes);
    let mut never = every_day(vec![series("s", vec![0.0; 90])]);
    never.traded.fill(false);
    assert!(published(&never, &quick()).is_empty());
}

#[test]
fn the_means_get_simpler_as_the_series_gets_shorter() {
    let input = |days: i32| every_day(vec![series("s", (0..days).map(|i| f64::from(i % 7)).collect())]);
    let note = |days: i32| quick().fit(&input(days)).unwrap().notes.first().map(|n| n.reason.clone());
    assert_eq!(note(120), None);
    assert_eq!(note(90).unwrap(), "backtest of 2 origins instead of 3: 90 days");
    assert!(note(60).unwrap().starts_with("forecast by seasonal_naive without a backtest: 60 days"));
    assert!(note(3).unwrap().starts_with("forecast by the mean of its days: 3 days"));
    assert_eq!(published(&input(3), &quick()), vec![1.0; 14]);
    assert_eq!(published(&input(14), &quick())[..7], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn constants_are_continued() {
    for constant in [0.0, 5.0, -3.0] {
        let input = every_day(vec![series("s", vec![constant; 150])]);
        assert_eq!(published(&input, &quick()), vec![constant; 14]);
        let forecasts = quick().fit(&input).unwrap();
        assert!(forecasts.accuracy.iter().all(|a| a.mase.is_none() && a.bias == 0.0));
        assert!(forecasts.accuracy.iter().filter(|a| a.chosen).all(|a| a.model == "seasonal_naive"));
    }
}

#[test]
fn two_sales_are_a_country() {
    let mut rare = vec![0.0; 150];
    (rare[3], rare[140]) = (40.0, 70.0);
    let home: Vec<f64> = (0..150).map(|i| 100.0 + f64::from(i % 7)).collect();
    let total = home.iter().zip(&rare).map(|(a, b)| a + b).collect();
    let input = every_day(vec![series("total", total), part("home", home), part("rare", rare)]);
    let forecasts = quick().fit(&input).unwrap();
    assert_sound(&forecasts);
    assert_coherent(&forecasts, &input, "total");
}

#[test]
fn what_cannot_be_negative_is_not() {
    let mut chance = Chance(5);
    let falling: Vec<f64> =
        (0..150).map(|i| (60.0 - 0.5 * f64::from(i) + 5.0 * chance.normal()).max(0.0)).collect();
    let mut input = every_day(vec![series("s", falling)]);
    input.series[0].non_negative = true;
    let forecasts = quick().fit(&input).unwrap();
    assert_sound(&forecasts);
    assert!(forecasts.forecast.iter().all(|r| r.lo95.is_none_or(|lo| lo >= 0.0)));
    assert!(forecasts.backtest.iter().all(|r| r.forecast >= 0.0));
}

#[test]
fn any_input_gives_numbers() {
    let mut chance = Chance(99);
    let shapes: [fn(i32, f64) -> f64; 10] = [
        |_, _| 0.0,
        |i, _| if i % 50 == 7 { 1e9 } else { 0.0 },
        |i, u| if i > 70 { u } else { 0.0 },
        |i, _| f64::from(i),
        |i, u| (f64::from(i) / 9.0).exp().min(1e90) * u,
        |i, _| if i % 2 == 0 { -1.0 } else { 1.0 },
        |_, u| 1e-300 * u,
        |_, u| 1e99 * (u - 0.5),
        |i, _| f64::from((i % 7 == 2) as i32),
        |_, u| (u * 3.0).floor(),
    ];
    for days in [1, 2, 6, 7, 8, 13, 20, 22, 35, 57, 71, 84, 100] {
        let made = shapes.iter().enumerate().map(|(k, shape)| {
            series(&k.to_string(), (0..days).map(|i| shape(i, chance.uniform())).collect())
        });
        let mut input = every_day(made.collect());
        for closed in [7, 3, 2] {
            (0..days as usize).for_each(|i| input.traded[i] = closed == 7 || i % closed != 0);
            for s in &mut input.series {
                (0..days as usize).filter(|i| !input.traded[*i]).for_each(|i| s.values[i] = 0.0);
            }
            let few = Params { horizon: 9, origins: 2 };
            assert_sound(&few.fit(&input).unwrap());
        }
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let refused = |input: &Input| Params::default().fit(input).unwrap_err().to_string();
    let sum = every_day(vec![series("total", vec![3.0, 3.0]), part("a", vec![3.0, 2.0])]);
    assert_eq!(refused(&sum), "invalid input: `total` is 3 on day 14945, but its parts sum to 2");
    let orphan = every_day(vec![part("a", vec![1.0])]);
    assert_eq!(refused(&orphan), "invalid input: `a` is a part of `total`, which is missing");
    let nan = every_day(vec![series("a", vec![1.0, f64::NAN])]);
    assert_eq!(refused(&nan), "invalid input: series `a` is NaN on day 14945");
    let mut below = every_day(vec![series("a", vec![1.0, -2.0])]);
    below.series[0].non_negative = true;
    let reason = "invalid input: series `a` is -2 on day 14945, although it cannot be negative";
    assert_eq!(refused(&below), reason);
    let short = Input { last_hour: vec![None], ..every_day(vec![series("a", vec![1.0, 2.0])]) };
    assert_eq!(refused(&short), "invalid input: 1 last hours for 2 days");
    let twice = every_day(vec![series("a", vec![1.0]), series("a", vec![1.0])]);
    assert_eq!(refused(&twice), "invalid input: two series are named `a`");
    let none = Params { horizon: 0, ..Params::default() }.fit(&nan).unwrap_err().to_string();
    assert_eq!(none, "invalid input: cannot forecast with `horizon` = 0: it must be at least 1");
}
