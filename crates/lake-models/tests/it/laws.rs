//! What must hold whatever the data: slopes are slopes, and neither order nor threads matter.

use lake_models::value::*;

use crate::cdnow::purchase_days;
use crate::simulate::{Dropout, customers};

fn sample(seed: u64) -> Vec<Customer> {
    customers(3_000, 0.8, 5.0, &Dropout::Any(0.7, 2.0), seed, true).0
}

fn gradient_is_slope<M: Process>(values: &[f64]) {
    let data = Summaries::new(&sample(5)).unwrap();
    let score = M::from_values(values).score(&data);
    for i in 0..values.len() {
        let at = |by: f64| {
            let mut values = values.to_vec();
            values[i] *= f64::exp(by);
            M::from_values(&values).score(&data).value
        };
        let slope = (8.0 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3;
        let off = (slope - score.gradient[i]).abs() / score.gradient[i].abs().max(1.0);
        assert!(off < 1e-6, "{} {}: {slope} is not {}", M::NAME, M::PARAMETERS[i], score.gradient[i]);
    }
}

#[test]
fn gradients_are_slopes() {
    gradient_is_slope::<Nbd>(&[0.5, 7.0]);
    gradient_is_slope::<BgNbd>(&[0.3, 4.0, 0.8, 2.4]);
    gradient_is_slope::<MbgNbd>(&[0.5, 6.0, 0.9, 1.6]);
    gradient_is_slope::<ParetoNbd>(&[0.6, 10.0, 0.6, 12.0]);
    gradient_is_slope::<ParetoNbd>(&[3.0, 0.1, 2.0, 300.0]);
}

/// Everything there is to know of the CDNOW customers, with `as_of` in mid 1998.
fn estimate(order: &[usize]) -> Estimate {
    let all = purchase_days();
    let days: Vec<&[PurchaseDay]> = order.iter().map(|&i| all[i].as_slice()).collect();
    let input = PurchaseDays { days: &days, known_at_cut: None, as_of: 547 };
    ValueParams::default().estimate(input).unwrap()
}

#[test]
fn threads_do_not_matter() {
    let order: Vec<usize> = (0..2357).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| estimate(&order))
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(8));
}

#[test]
fn the_order_of_customers_does_not_matter() {
    let order: Vec<usize> = (0..2357).collect();
    let shuffled: Vec<usize> = (0..2357).map(|i| i * 1000 % 2357).collect();
    let (straight, other) = (estimate(&order), estimate(&shuffled));
    assert_eq!(straight.choice, other.choice);
    assert_eq!(straight.order_value, other.order_value);
    for (place, &customer) in shuffled.iter().enumerate() {
        assert_eq!(other.customers[place], straight.customers[customer]);
    }
}

#[test]
fn values_of_the_cdnow_customers() {
    let estimate = estimate(&(0..2357).collect::<Vec<_>>());
    let validation = estimate.validation.as_ref().unwrap();
    let (mut clv, mut top) = (0.0, 0.0);
    for customer in estimate.customers.iter().flatten() {
        let [low, high] = customer.clv_interval;
        assert!((0.0..=high).contains(&low) && high.is_finite());
        assert!((0.0..=1.0).contains(&customer.p_alive.unwrap()));
        assert!(customer.expected_purchases.is_sorted(), "more time, more purchases");
        clv += customer.clv;
        top += high;
    }
    assert!(clv > 0.0 && clv < top, "{clv} {top}");
    // On this shop the simple rule orders customers as well as the models do; it says nothing of the amounts.
    assert!(validation.spend.mae < 0.6 * validation.clv_naive.mae.min(validation.clv_simple.mae));
    assert!(validation.spend.total_error_pct.unwrap().abs() < 5.0);
    assert!(validation.purchases.top_decile_lift.unwrap() > 3.0);
}

/// Draws average to the expectation that they are draws of.
#[test]
fn the_mean_of_the_futures_is_the_expectation() {
    let all = purchase_days();
    let as_of = 547;
    let histories: Vec<History> = all.iter().filter_map(|d| History::as_of(d, as_of).unwrap()).collect();
    let regular = histories.iter().max_by_key(|h| h.frequency).unwrap();
    let data = Summaries::new(&[regular.customer()]).unwrap();
    let model = BgNbd { r: 0.25, alpha: 4.0, a: 0.8, b: 2.5 };
    let fitted = Fitted {
        model,
        log_likelihood: 0.0,
        standard_errors: None,
        covariance: None,
        converged: true,
        at_bound: None,
    };
    let value = OrderValue::Mean { population: 1.0, reason: String::new() };
    let spend = [Spend { x: regular.frequency, mean: 1.0 }];
    let params = ClvParams { draws: 1, ..ClvParams::default() };
    let draw = |seed: u64| {
        let params = ClvParams { seed, ..params };
        let futures = Futures { data: &data, spend: &spend };
        futures.interval(&params, &Purchases::BgNbd(fitted.clone()), &value).unwrap()[0][1]
    };
    let mean = (0..20_000).map(draw).sum::<f64>() / 20_000.0;
    let want = params.discounted_purchases(&model.expected_purchases(&data, &params.month_ends()))[0];
    assert!((mean / want - 1.0).abs() < 0.03, "{mean} is not {want}");
}
