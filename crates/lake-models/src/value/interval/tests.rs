//! Quantiles and discounting.

use super::*;

#[test]
fn quantiles_lie_between_order_statistics() {
    let draws: Vec<f64> = (0..=100).rev().map(f64::from).collect();
    assert_eq!(quantiles(draws), [5.0, 95.0]);
    assert_eq!(quantiles(vec![3.0]), [3.0, 3.0]);
    assert_eq!(quantiles(vec![0.0; 7]), [0.0, 0.0]);
}

#[test]
fn money_is_worth_the_mean_of_its_months() {
    let discounting = Discounting::new(&ClvParams::default());
    let all = (1..=12).map(|k| 1.01_f64.powi(-k)).sum::<f64>() / 12.0;
    assert!((discounting.mean_until(discounting.weeks) - all).abs() < 1e-12);
    assert_eq!(discounting.mean_until(0.0), 1.01_f64.powi(-1));
    let half = (1.5 / 1.01 - 0.5 / 1.01 + 0.5 * 1.01_f64.powi(-2)) / 1.5;
    assert!((discounting.mean_until(1.5 * MONTH_WEEKS) - half).abs() < 1e-12);
}
