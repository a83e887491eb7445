//! The integral against itself over halves, and where it is hardest.

use super::*;
use crate::value::Customer;

/// The integral over `(from, to]` in halves of halves, each short enough for the longest rule.
fn finely(f: Integrand, from: f64, to: f64, depth: u32) -> f64 {
    if depth == 0 {
        let sums = f.over(from, to);
        return sums[0] * f.ln(from).exp();
    }
    let middle = 0.5 * (from + to);
    finely(f, from, middle, depth - 1) + finely(f, middle, to, depth - 1)
}

#[test]
fn one_stretch_is_the_sum_of_many() {
    for (alpha, beta, k, m) in
        [(10.0, 12.0, 3.0, 1.6), (1e-3, 5.0, 1.5, 3.0), (4.0, 1e-2, 30.0, 2.0), (50.0, 9.0, 90.0, 1.1)]
    {
        let f = Integrand { alpha, beta, k, m };
        for (from, to) in [(0.0, 40.0), (3.0, 3.143), (10.0, 100.0)] {
            let (once, often) = (finely(f, from, to, 0), finely(f, from, to, 9));
            assert!(
                (once - often).abs() < 1e-12 * often,
                "{once} is not {often} for {f:?} from {from} to {to}"
            );
        }
    }
}

#[test]
fn a_short_stretch_keeps_its_digits_beside_a_long_one() {
    let short = Customer { x: 1, t_x: 0.143, t: 0.286 };
    let long = Customer { x: 1, t_x: 5.0, t: 700.0 };
    let of = |customers: &[Customer]| {
        let data = Summaries::new(customers).unwrap();
        data.grid().integrate(0.3, 400.0, 0.2, 900.0).of_row(0).unwrap().ln
    };
    assert!((of(&[short]) - of(&[short, long])).abs() < 1e-11);
}

#[test]
fn no_time_is_no_integral() {
    let data = Summaries::new(&[Customer { x: 2, t_x: 3.0, t: 3.0 }]).unwrap();
    assert!(data.grid().integrate(0.3, 4.0, 0.2, 9.0).of_row(0).is_none());
}
