//! The beta-geometric models against their published forms, by mpmath at 60 digits.

use super::*;
use crate::value::Customer;

fn close(got: f64, want: f64, by: f64) {
    assert!((got - want).abs() <= by * want.abs(), "{got} is not {want}");
}

/// Parameters, `early`, x, T, t; the numerator of equation 10 of Fader, Hardie & Lee (2005).
#[rustfmt::skip]
const EQUATION_10: [([f64; 4], u32, u32, f64, f64, f64); 11] = [
        ([0.243, 4.414, 0.793, 2.426], 0, 2, 38.86, 39.0, 1.687399305805313),
        ([0.243, 4.414, 0.793, 2.426], 0, 0, 38.86, 39.0, 0.19509805201126262),
        ([0.243, 4.414, 0.793, 2.426], 0, 0, 0.0, 52.0, 1.4460505953964038),
        ([0.243, 4.414, 1.0, 2.426], 0, 3, 20.0, 39.0, 3.5647626878934155),
        ([0.5, 6.0, 0.3, 0.2], 0, 0, 10.0, 30.0, 0.5842026920802773),
        ([1.2, 0.1, 0.8, 2.0], 0, 1, 0.143, 52.0, 24.746519338085296),
        ([0.525, 6.18, 0.89, 1.61], 1, 5, 30.0, 52.0, 5.594074153165594),
        ([0.525, 6.18, 1.0, 1.61], 1, 0, 30.0, 52.0, 0.5991569521105194),
        ([2.0, 10.0, 3.0, 20.0], 0, 250, 50.0, 52.0, 94.15426179024692),
        ([2.0, 10.0, 0.001, 1000.0], 1, 2000, 60.0, 52.0, 1486.8805821762232),
        ([0.3, 5000.0, 1.7, 2.0], 0, 4, 30.0, 4.3, 0.0036741068160870615),
];

/// Parameters, then `early`, x, t_x, T; log-likelihood and P(alive).
#[allow(clippy::type_complexity)]
#[rustfmt::skip]
const LIKELIHOOD: [([f64; 4], (u32, u32, f64, f64), [f64; 2]); 6] = [
        ([0.243, 4.414, 0.793, 2.426], (0, 2, 30.43, 38.86), [-9.45860630706627, 0.726578570080673]),
        ([0.243, 4.414, 0.793, 2.426], (0, 0, 0.0, 38.86), [-0.5547132764381585, 1.0]),
        ([0.525, 6.18, 0.89, 1.61], (1, 0, 0.0, 38.86), [-0.5395772291670647, 0.38935977251892223]),
        ([0.525, 6.18, 0.89, 1.61], (1, 5, 20.0, 38.86), [-16.703296221477814, 0.2704185363419062]),
        ([2.0, 0.01, 5.0, 0.001], (0, 1, 3.0, 90.0), [-11.823213400222022, 7.479235258014232e-09]),
        ([0.5, 3.0, 10000.0, 20000.0], (0, 2500, 51.0, 90.0), [6120.79405819893, 0.0]),
];

fn model([r, alpha, a, b]: [f64; 4], early: u32) -> BetaGeometric {
    BetaGeometric { r, alpha, a, b, early }
}

#[test]
fn expectations_are_those_of_the_hypergeometric_form() {
    for (v, early, x, age, t, want) in EQUATION_10 {
        close(model(v, early).expected_alive(x, age, &[t])[0], want, 1e-10);
    }
}

#[test]
fn horizons_do_not_disturb_each_other() {
    let m = model([0.243, 4.414, 0.793, 2.426], 0);
    let together = m.expected_alive(7, 20.0, &[52.0, 0.0, 4.3, 900.0]);
    let alone: Vec<f64> =
        [52.0, 0.0, 4.3, 900.0].iter().map(|t| m.expected_alive(7, 20.0, &[*t])[0]).collect();
    assert_eq!(together, alone);
    assert_eq!(together[1], 0.0);
}

#[test]
fn likelihood_and_p_alive_are_those_of_the_papers() {
    for (v, (early, x, t_x, t), [ln, p_alive]) in LIKELIHOOD {
        let data = Summaries::new(&[Customer { x, t_x, t }]).unwrap();
        close(model(v, early).score(&data).value, ln, 1e-10);
        close(model(v, early).p_alive_by_row(&data)[0], p_alive, 1e-10);
    }
}
