//! Parameters that made the customers must be found again.

use lake_models::value::*;

use crate::simulate::{Dropout, customers, gamma};

/// Fits simulated customers and holds each parameter to 3.5 standard errors, and P(alive) to its mean.
fn recovers<M: Process>(truth: &M, dropout: &Dropout, seed: u64) {
    let v = truth.values();
    let (customers, later) = customers(6_000, v[0], v[1], dropout, seed, false);
    let data = Summaries::new(&customers).unwrap();
    let fitted = Fitted::<M>::fit(&data).unwrap();
    let errors = fitted.standard_errors.clone().expect("identified");
    for (i, name) in M::PARAMETERS.iter().enumerate() {
        let off = (fitted.model.values()[i] - v[i]) / errors[i];
        assert!(off.abs() < 3.5, "{} seed {seed}: {name} is {off:.1} standard errors off", M::NAME);
    }
    assert!(fitted.converged);
    assert!(fitted.log_likelihood >= truth.score(&data).value);
    let expected: f64 = fitted.model.expected_purchases(&data, &[30.0])[0].iter().sum();
    let came: f64 = later.iter().sum();
    assert!(
        (expected / came - 1.0).abs() < 0.06,
        "{} seed {seed}: {expected} expected, {came} came",
        M::NAME
    );
}

#[test]
fn nbd() {
    (1..=3).for_each(|seed| recovers(&Nbd { r: 0.7, alpha: 9.0 }, &Dropout::Never, seed));
}

#[test]
fn bg_nbd() {
    let truth = BgNbd { r: 0.6, alpha: 5.0, a: 0.8, b: 2.5 };
    (1..=3).for_each(|seed| recovers(&truth, &Dropout::Repeat(0.8, 2.5), seed));
}

#[test]
fn mbg_nbd() {
    let truth = MbgNbd { r: 0.9, alpha: 6.0, a: 0.9, b: 2.0 };
    (1..=3).for_each(|seed| recovers(&truth, &Dropout::Any(0.9, 2.0), seed));
}

#[test]
fn pareto_nbd() {
    let truth = ParetoNbd { r: 0.9, alpha: 6.0, s: 0.8, beta: 12.0 };
    (1..=3).for_each(|seed| recovers(&truth, &Dropout::Rate(0.8, 12.0), seed));
}

#[test]
fn gamma_gamma() {
    use rand::SeedableRng;
    for seed in 1..=3 {
        let (p, q, v) = (4.0, 3.0, 25.0);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let spend: Vec<Spend> = (0..8_000)
            .map(|i| {
                let (x, nu) = (1 + i % 5, gamma(&mut rng, q, v));
                Spend { x, mean: gamma(&mut rng, p * f64::from(x), nu) / f64::from(x) }
            })
            .collect();
        let fitted = GammaGamma::fit(&spend).unwrap();
        for (found, truth) in fitted.parameters().iter().zip([p, q, v]) {
            let off = (found.value - truth) / found.standard_error.expect("identified");
            assert!(off.abs() < 3.5, "seed {seed}: {found:?} is not {truth}");
        }
        assert!(fitted.correlation.unwrap().p_value > 1e-3, "spend and frequency are independent here");
    }
}

/// The interval of the money to come holds nine customers in ten, and somewhat more where money comes in
/// lumps.
#[test]
fn intervals_hold_what_comes() {
    let (customers, later) = customers(4_000, 0.9, 6.0, &Dropout::Rate(0.8, 12.0), 7, false);
    let data = Summaries::new(&customers).unwrap();
    let purchases = Purchases::ParetoNbd(Fitted::fit(&data).unwrap());
    let value = OrderValue::Mean { population: 1.0, reason: "every purchase costs 1".to_owned() };
    let spend: Vec<Spend> = customers.iter().map(|c| Spend { x: c.x, mean: 1.0 }).collect();
    // The 30 weeks of which the simulation tells.
    let params = ClvParams { months: 7, monthly_discount_rate: 0.0, ..ClvParams::default() };
    let intervals = Futures { data: &data, spend: &spend }.interval(&params, &purchases, &value).unwrap();
    let inside =
        intervals.iter().zip(&later).filter(|([low, high], came)| (low..=high).contains(came)).count();
    let share = inside as f64 / 4_000.0;
    assert!((0.9..=0.985).contains(&share), "{share}");
}
