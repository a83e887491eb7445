//! The Gamma–Gamma likelihood against equation 1a of Fader & Hardie (2013), by mpmath at 60 digits.

use super::*;

#[test]
fn likelihood_of_a_customer() {
    let table = [
        ([6.25, 3.74, 15.44], 2.0, 22.35, -3.5513167597317046),
        ([6.25, 3.74, 15.44], 29.0, 70.1, -5.901148101721757),
        ([0.7, 1.2, 300.0], 1.0, 0.01, -2.825637441192148),
    ];
    for ([p, q, v], x, mean, want) in table {
        let row = Row { level: 0, x, mean, ln_mean: f64::ln(mean) };
        let got = score(&logs(&[p, q - 1.0, v]), &[row], &[x], 1.0).value;
        assert!((got - want).abs() < 1e-10 * want.abs(), "{got} is not {want}");
    }
}

#[test]
fn gradient_is_the_slope_of_the_likelihood() {
    let rows: Vec<Row> = [(1.0, 0.4), (1.0, 1.7), (6.0, 0.9)]
        .iter()
        .map(|&(x, mean)| Row { level: if x > 1.0 { 1 } else { 0 }, x, mean, ln_mean: f64::ln(mean) })
        .collect();
    let at = |theta: &[f64]| score(theta, &rows, &[1.0, 6.0], 2.0);
    let theta = [0.3, -0.4, 0.9];
    for i in 0..3 {
        let moved = |by: f64| {
            let mut theta = theta;
            theta[i] += by;
            at(&theta).value
        };
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((slope - at(&theta).gradient[i]).abs() < 1e-7 * slope.abs().max(1.0));
    }
}

#[test]
fn a_mean_that_diverges_is_refused() {
    // The quantiles of a Pareto distribution of index 1/2, which has no mean: the smaller q, the better the fit.
    let heavy: Vec<Spend> =
        (0..200).map(|i| Spend { x: 1 + i % 3, mean: (f64::from(i) + 0.5).powi(-2) }).collect();
    let error = GammaGamma::fit(&heavy).unwrap_err().to_string();
    assert!(error.contains("mean is not finite"), "{error}");
}
