//! Measures on predictions small enough to work out by hand.

use super::*;

#[test]
fn accuracy_by_hand() {
    let a = Accuracy::of(&[1.0, 2.0, 3.0, 4.0], &[2.0, 2.0, 2.0, 2.0]).unwrap();
    assert_eq!((a.mae, a.rmse), (1.0, 1.5_f64.sqrt()));
    assert_eq!(a.total_error_pct, Some(25.0));
    assert_eq!(a.gini, None, "equal customers have no order");
    assert_eq!(a.top_decile_lift, Some(1.0));
}

#[test]
fn gini_of_the_perfect_order_its_reverse_and_none() {
    let actual = [0.0, 1.0, 5.0, 2.0];
    let close = |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 1e-12, "{got:?}");
    close(gini(&[0.0, 1.0, 5.0, 2.0], &actual), 1.0);
    close(gini(&[0.0, -1.0, -5.0, -2.0], &actual), -1.0);
    close(gini(&[3.0; 4], &actual), 0.0);
    assert_eq!(gini(&[1.0, 2.0], &[0.0, 0.0]), None);
}

#[test]
fn the_top_decile_shares_ties() {
    let mut actual = vec![0.0; 20];
    actual[0] = 6.0;
    actual[1] = 2.0;
    let mut predicted = vec![0.0; 20];
    predicted[0] = 9.0;
    assert_eq!(top_decile_lift(&predicted, &actual), Some((6.0 + 2.0 / 19.0) / 8.0 / 0.1));
    assert_eq!(top_decile_lift(&[1.0; 20], &actual), Some(1.0));
}

#[test]
fn refusals() {
    let message = |p: &[f64], a: &[f64]| Accuracy::of(p, a).unwrap_err().to_string();
    assert_eq!(message(&[], &[]), "nothing to fit: there are no customers to validate on");
    assert_eq!(message(&[1.0], &[1.0, 2.0]), "invalid input: 1 predictions for 2 customers");
    assert_eq!(message(&[f64::NAN], &[1.0]), "invalid input: customer 0: predicted NaN, actual 1");
}

#[test]
fn buckets_take_seven_and_more_together() {
    let buckets = by_frequency(&[0, 7, 30], &[0.5, 2.0, 9.0], &[1.0, 3.0, 8.0]);
    assert_eq!(buckets.len(), 8);
    assert_eq!(buckets[0], Bucket { frequency: 0, customers: 1, expected: 0.5, actual: 1.0 });
    assert_eq!(buckets[7], Bucket { frequency: 7, customers: 2, expected: 11.0, actual: 11.0 });
}

#[test]
fn later_returns_do_not_reach_into_calibration() {
    let day = |day, net_spend| PurchaseDay { day, net_spend };
    let then = [vec![day(0, 10.0), day(5, 8.0)], vec![day(12, 1.0)]];
    let now = [vec![day(0, 10.0), day(5, -1.0), day(12, 4.0)], vec![day(12, 1.0)]];
    let split = Split::new(&then, &now, 10, 20).unwrap();
    assert_eq!(split.calibration.len(), 1, "the second customer came in the holdout");
    assert_eq!((split.actual_purchases(), split.actual_spend()), (vec![1.0], vec![4.0]));
    assert_eq!(split.naive_rule(), vec![18.0]);
    assert_eq!(split.simple_rule(), vec![2.0 * 18.0 / 6.0]);
}
