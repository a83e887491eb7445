//! Customers that no model can be fitted to: an error that says so, or a simpler model that says why.

use lake_models::Error;
use lake_models::value::*;

fn bought(days: &[(i32, f64)]) -> Vec<PurchaseDay> {
    days.iter().map(|&(day, net_spend)| PurchaseDay { day, net_spend }).collect()
}

fn estimate(days: &[Vec<PurchaseDay>]) -> Result<Estimate, Error> {
    ValueParams::default().estimate(PurchaseDays { days, known_at_cut: None, as_of: 100 })
}

/// Estimates, holds every number to be finite, and returns the names of the two models.
fn names(days: &[Vec<PurchaseDay>]) -> (&'static str, &'static str) {
    let estimate = estimate(days).unwrap();
    for c in estimate.customers.iter().flatten() {
        let numbers =
            [c.clv, c.expected_order_value, c.clv_interval[0], c.clv_interval[1], c.p_alive.unwrap_or(1.0)];
        assert!(numbers.iter().chain(&c.expected_purchases).all(|n| n.is_finite() && *n >= 0.0), "{c:?}");
    }
    assert!(!estimate.choice.reason.is_empty());
    (estimate.choice.purchases.name(), estimate.order_value.name())
}

#[test]
fn nobody() {
    assert_eq!(Summaries::new(&[]).unwrap_err().to_string(), "nothing to fit: there are no customers");
    let message = estimate(&[]).unwrap_err().to_string();
    assert_eq!(message, "nothing to fit: no customer has a purchase day before day 100");
    assert!(estimate(&[bought(&[(100, 5.0)]), bought(&[(3, -5.0)])]).is_err());
}

#[test]
fn one_customer() {
    assert_eq!(names(&[bought(&[(0, 5.0)])]), ("poisson", "mean_spend"));
    let estimate = estimate(&[bought(&[(0, 5.0), (20, 7.0), (60, 6.0)])]).unwrap();
    let OrderValue::Mean { population, reason } = estimate.order_value else { panic!() };
    let want = "gamma_gamma cannot be fitted: only one customer has bought a second time";
    assert_eq!((population, reason.as_str()), (6.0, want));
}

#[test]
fn a_customer_without_purchases_beside_others() {
    let days = [bought(&[(1, -3.0)]), bought(&[(0, 5.0), (20, 7.0)]), bought(&[(5, 2.0)])];
    let estimate = estimate(&days).unwrap();
    assert_eq!(estimate.customers[0], None);
    assert!(estimate.customers[1].is_some() && estimate.customers[2].is_some());
}

#[test]
fn all_buy_once() {
    let days: Vec<_> = (0..50).map(|i| bought(&[(i, 5.0 + f64::from(i))])).collect();
    assert_eq!(names(&days), ("poisson", "mean_spend"));
    let estimate = estimate(&days).unwrap();
    assert_eq!(estimate.choice.reason, "no customer has bought a second time, so the purchase rate is 0");
    assert_eq!(estimate.customers[0].as_ref().unwrap().clv, 0.0);
}

#[test]
fn all_are_the_same() {
    let days = vec![bought(&[(0, 5.0), (30, 5.0), (60, 5.0), (90, 5.0)]); 40];
    assert_eq!(names(&days), ("poisson", "mean_spend"));
}

#[test]
fn all_spend_the_same() {
    let days: Vec<_> =
        (0..60).map(|i| bought(&(0..=i % 5).map(|k| (k * (3 + i % 7), 9.5)).collect::<Vec<_>>())).collect();
    let (_, value) = names(&days);
    assert_eq!(value, "mean_spend");
    let OrderValue::Mean { population, reason } = estimate(&days).unwrap().order_value else { panic!() };
    assert_eq!(
        (population, reason.as_str()),
        (9.5, "gamma_gamma cannot be fitted: all customers spend the same")
    );
}

#[test]
fn only_yesterday() {
    let days: Vec<_> = (0..20).map(|_| bought(&[(99, 4.0)])).collect();
    assert_eq!(names(&days), ("poisson", "mean_spend"));
}

#[test]
fn no_time_at_all() {
    let data = Summaries::new(&[Customer { x: 0, t_x: 0.0, t: 0.0 }; 3]).unwrap();
    let message = Fitted::<BgNbd>::fit(&data).unwrap_err().to_string();
    assert_eq!(
        message,
        "bg_nbd cannot be fitted: no customer was observed for any time after the first purchase"
    );
    assert!(ModelChoice::Auto.fit(&data, None).is_err());
}

#[test]
fn times_that_make_no_sense() {
    let message = |c: Customer| Summaries::new(&[c]).unwrap_err().to_string();
    assert!(message(Customer { x: 1, t_x: 9.0, t: 4.0 }).contains("outside of 0 to T"));
    assert!(message(Customer { x: 0, t_x: 1.0, t: 4.0 }).contains("contradict"));
    assert!(
        message(Customer { x: 1, t_x: f64::NAN, t: 4.0 }).starts_with("invalid input: customer 0: a time")
    );
    assert!(
        estimate(&[bought(&[(5, 1.0), (4, 1.0)])]).unwrap_err().to_string().contains("day 4 follows day 5")
    );
    assert!(estimate(&[bought(&[(5, f64::NAN)])]).is_err());
}

#[test]
fn extreme_customers() {
    let hourly: Vec<_> = (0..99).map(|d| (d, 1e9)).collect();
    let days =
        [bought(&hourly), bought(&[(0, 1e-9)]), bought(&[(98, 3.0), (99, 1e12)]), bought(&[(50, 2.0)])];
    names(&days);
    let data =
        Summaries::new(&[Customer { x: 100_000, t_x: 900.0, t: 900.1 }, Customer { x: 0, t_x: 0.0, t: 0.0 }]);
    let data = data.unwrap();
    let model = BgNbd { r: 0.5, alpha: 1e-3, a: 1.0, b: 2.0 };
    let expected = model.expected_purchases(&data, &[52.0]);
    assert!(expected[0].iter().all(|e| e.is_finite() && *e > 0.0), "{expected:?}");
    assert!(model.score(&data).value.is_finite());
}
