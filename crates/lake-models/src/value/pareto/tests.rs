//! The Pareto/NBD against its published ₂F₁ form (Fader & Hardie 2005), by mpmath at 60 digits.

use super::*;
use crate::value::Customer;

fn close(got: f64, want: f64, by: f64) {
    assert!((got - want).abs() <= by * want.abs(), "{got} is not {want}");
}

/// Parameters, x, t_x, T; log-likelihood and P(alive).
#[rustfmt::skip]
const PUBLISHED: [([f64; 4], u32, f64, f64, f64, f64); 9] = [
        ([0.553, 10.578, 0.606, 11.669], 26, 30.86, 31.0, -39.131671540302776, 0.9979187310551583),
        ([0.553, 10.578, 0.606, 11.669], 0, 0.0, 38.86, -0.5210462940808904, 0.29528660461689415),
        ([0.553, 10.578, 0.606, 11.669], 2, 30.43, 38.86, -9.554283245150407, 0.8691675591530112),
        ([2.5, 3.0, 1.0, 40.0], 7, 3.0, 52.0, -7.088014453931026, 2.1325151127627555e-08),
        ([0.8, 0.01, 0.7, 200.0], 1, 0.143, 100.0, -7.845389177521481, 0.009704142487811679),
        ([0.3, 20.0, 3.0, 0.05], 5, 10.0, 10.143, -30.518374586296083, 0.9579903784208071),
        ([1.2, 5.0, 0.5, 5.0], 300, 20.0, 21.0, 441.33537292113715, 0.0043626580101798805),
        ([0.5, 0.5, 0.5, 0.5], 1200, 90.0, 150.0, 1889.0363669184069, 1.2421676445818499e-262),
        ([9.0, 1000.0, 4.0, 2000.0], 3, 1.0, 400.0, -15.707740247504583, 0.05586743018254996),
];

#[test]
fn likelihood_and_p_alive_are_those_of_the_hypergeometric_form() {
    for (v, x, t_x, t, ln, p_alive) in PUBLISHED {
        let data = Summaries::new(&[Customer { x, t_x, t }]).unwrap();
        let model = ParetoNbd::from_values(&v);
        close(model.score(&data).value, ln, 1e-10);
        close(model.p_alive_by_row(&data)[0], p_alive, 1e-10);
    }
}

#[test]
fn a_customer_among_others_is_as_likely_as_alone() {
    let v = [0.553, 10.578, 0.606, 11.669];
    let model = ParetoNbd::from_values(&v);
    let customers: Vec<Customer> = (0..400)
        .map(|i| {
            let t = 20.0 + f64::from(i % 90) / 7.0;
            let x = if i % 3 == 0 { 0 } else { i as u32 % 40 + 1 };
            Customer { x, t_x: if x == 0 { 0.0 } else { t * f64::from(1 + i % 7) / 7.0 }, t }
        })
        .collect();
    let together = model.score(&Summaries::new(&customers).unwrap());
    let alone: Vec<Score> = customers.iter().map(|c| model.score(&Summaries::new(&[*c]).unwrap())).collect();
    close(together.value, alone.iter().map(|s| s.value).sum(), 1e-12);
    for i in 0..4 {
        close(together.gradient[i], alone.iter().map(|s| s.gradient[i]).sum(), 1e-10);
    }
}

#[test]
fn expectations_have_no_pole_at_s_1() {
    let at = |s: f64| ParetoNbd { r: 0.5, alpha: 10.0, s, beta: 12.0 }.expected_alive(0, 0.0, &[52.0])[0];
    assert!((at(1.0) - 0.5 / 10.0 * 12.0 * (64.0_f64 / 12.0).ln()).abs() < 1e-12);
    close(at(1.0 + 1e-9), at(1.0), 1e-8);
    close(at(1.0 - 1e-9), at(1.0), 1e-8);
}
