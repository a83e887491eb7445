//! Shops with a known law, which the forecasts must recover.

use super::super::calendar::iso_weekday;
use super::super::{Input, Kind, Params};
use super::{
    Chance, DECEMBER_2010, accuracy, assert_coherent, assert_sound, chosen, every_day, part, quick, series,
};

/// What a shop of level 100 sells on a weekday, Saturdays not at all.
const WEEK: [f64; 7] = [120.0, 110.0, 100.0, 90.0, 130.0, 0.0, 50.0];

/// Days of the law: weekday × (1 + growth · day) + noise, 0 on Saturdays and on two early holidays.
fn shop(days: i32, growth: f64, noise: f64) -> Input {
    let mut chance = Chance(42);
    let open = |i: i32| iso_weekday(DECEMBER_2010 + i) != 6 && i != 40 && i != 101;
    let values: Vec<f64> = (0..days)
        .map(|i| {
            let mean = WEEK[iso_weekday(DECEMBER_2010 + i) as usize - 1] * (1.0 + growth * f64::from(i));
            if open(i) { mean + noise * chance.normal() } else { 0.0 }
        })
        .collect();
    let traded: Vec<bool> = (0..days).map(open).collect();
    let last_hour = traded.iter().map(|t| t.then_some(17)).collect();
    Input { first_day: DECEMBER_2010, traded, last_hour, series: vec![series("sales", values)] }
}

#[test]
fn a_steady_week_is_recovered_at_the_theoretical_error() {
    let input = shop(300, 0.0, 10.0);
    let forecasts = Params::default().fit(&input).unwrap();
    assert_sound(&forecasts);
    // The error of the mean is σ, that of seasonal naive √2 σ: MASE 0.71 and 1.
    let best = chosen(&forecasts, "sales").mase.unwrap();
    assert!((0.6..0.8).contains(&best), "{best}");
    let naive = accuracy(&forecasts, "sales", "seasonal_naive").mase.unwrap();
    assert!((0.85..1.15).contains(&naive), "{naive}");
    for row in forecasts.forecast.iter().filter(|row| row.kind == Kind::Forecast) {
        let truth = WEEK[iso_weekday(row.day) as usize - 1];
        assert!((row.forecast.unwrap() - truth).abs() < 8.0, "{row:?} is not {truth}");
        assert_eq!(row.hi95 == Some(0.0), truth == 0.0, "{row:?}");
    }
    let found = chosen(&forecasts, "sales");
    assert!((0.7..0.9).contains(&found.coverage80.unwrap()), "{found:?}");
    assert!(found.coverage95.unwrap() > 0.88, "{found:?}");
}

#[test]
fn growth_is_followed() {
    let input = shop(330, 0.004, 3.0);
    let forecasts = Params::default().fit(&input).unwrap();
    let naive = accuracy(&forecasts, "sales", "seasonal_naive").mase.unwrap();
    assert!(chosen(&forecasts, "sales").mase.unwrap() < 0.5 * naive);
    for row in forecasts.forecast.iter().filter(|row| row.kind == Kind::Forecast) {
        let day = f64::from(row.day - DECEMBER_2010);
        let truth = WEEK[iso_weekday(row.day) as usize - 1] * (1.0 + 0.004 * day);
        assert!((row.forecast.unwrap() - truth).abs() < 0.06 * truth + 1.0, "{row:?} is not {truth}");
    }
}

/// A total of three parts of different size and noise.
fn family() -> Input {
    let mut chance = Chance(11);
    let mut one = |level: f64, noise: f64| -> Vec<f64> {
        (0..200).map(|i| level * (1.0 + 0.3 * f64::from(i % 7)) + noise * chance.normal()).collect()
    };
    let parts = [one(100.0, 10.0), one(20.0, 15.0), one(5.0, 1.0)];
    let total = (0..200).map(|i| parts.iter().map(|p| p[i]).sum()).collect();
    let [a, b, c] = parts;
    every_day(vec![series("total", total), part("a", a), part("b", b), part("c", c)])
}

#[test]
fn parts_sum_to_their_total() {
    let input = family();
    let forecasts = quick().fit(&input).unwrap();
    assert_sound(&forecasts);
    assert_coherent(&forecasts, &input, "total");
    assert!(["bottom_up", "mint"].contains(&chosen(&forecasts, "total").model.as_str()));
    for name in ["total", "a", "b", "c"] {
        let naive = accuracy(&forecasts, name, "seasonal_naive").mase;
        assert!(chosen(&forecasts, name).mase <= naive, "{name}");
    }
}

#[test]
fn the_backtest_yields_the_published_accuracy() {
    let forecasts = quick().fit(&family()).unwrap();
    let best = chosen(&forecasts, "total");
    let rows: Vec<_> =
        forecasts.backtest.iter().filter(|r| r.series == "total" && r.model == best.model).collect();
    let bias = rows.iter().map(|r| r.forecast - r.actual).sum::<f64>() / rows.len() as f64;
    assert!((bias - best.bias).abs() < 1e-9, "{bias} {best:?}");
    for row in rows {
        let of_parts = |r: &&super::super::BacktestRow| {
            r.day == row.day && r.series != "total" && chosen(&forecasts, &r.series).model == r.model
        };
        let sum: f64 = forecasts.backtest.iter().filter(of_parts).map(|r| r.forecast).sum();
        assert!((sum - row.forecast).abs() < 1e-9, "{row:?} {sum}");
    }
}

#[test]
fn order_and_threads_do_not_matter() {
    let input = family();
    let forecasts = quick().fit(&input).unwrap();
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(single.install(|| quick().fit(&input)).unwrap(), forecasts);
    let mut reversed = input.clone();
    reversed.series.reverse();
    let other = quick().fit(&reversed).unwrap();
    for row in &forecasts.forecast {
        let same = other.forecast.iter().find(|r| r.series == row.series && r.day == row.day).unwrap();
        assert_eq!(same.model, row.model);
        let (a, b) = (row.forecast.unwrap_or(0.0), same.forecast.unwrap_or(0.0));
        assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs()), "{row:?} {same:?}");
    }
}

#[test]
fn an_origin_does_not_see_past_itself() {
    let input = family();
    let mut changed = input.clone();
    for s in &mut changed.series {
        s.values[186..].iter_mut().for_each(|y| *y = 0.0);
    }
    changed.traded[186..].fill(false);
    let (before, after) = (quick().fit(&input).unwrap(), quick().fit(&changed).unwrap());
    let candidates = |forecasts: &super::super::Forecasts| -> Vec<f64> {
        let rows = forecasts.backtest.iter();
        rows.filter(|r| r.series == "a" && !r.model.contains("mint") && r.origin < DECEMBER_2010 + 186)
            .map(|r| r.forecast)
            .collect()
    };
    assert_eq!(candidates(&before).len(), 3 * 14 * 5);
    assert_eq!(candidates(&before), candidates(&after));
}
