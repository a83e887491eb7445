//! The search on functions whose maximum is known.

use super::*;

const SEARCH: Search = Search { bound: 12.0, max_iterations: 200, tolerance: 1e-7 };

/// A bowl upside down with its top at (1, −2), of known curvature.
fn bowl(theta: &[f64]) -> Score {
    let (x, y) = (theta[0] - 1.0, theta[1] + 2.0);
    Score { value: -2.0 * x * x - x * y - y * y, gradient: vec![-4.0 * x - y, -x - 2.0 * y] }
}

#[test]
fn finds_the_top_and_its_curvature() {
    let end = SEARCH.climb(bowl, &[5.0, 5.0], 1.0).unwrap();
    let top = SEARCH.sharpen(bowl, end);
    assert!((top.point.theta[0] - 1.0).abs() < 1e-4 && (top.point.theta[1] + 2.0).abs() < 1e-4);
    let covariance = top.covariance.unwrap();
    let want = [[2.0 / 7.0, -1.0 / 7.0], [-1.0 / 7.0, 4.0 / 7.0]];
    (0..4).for_each(|i| assert!((covariance[i / 2][i % 2] - want[i / 2][i % 2]).abs() < 1e-9));
    assert!(top.promise <= 1e-9);
}

#[test]
fn a_rise_without_end_ends_at_the_bound() {
    let rise = |theta: &[f64]| Score { value: -(-theta[0]).exp(), gradient: vec![(-theta[0]).exp()] };
    let slope = |theta: &[f64]| Score { value: theta[0], gradient: vec![1.0] };
    assert!(SEARCH.climb(rise, &[0.0], 1.0).unwrap().theta[0] > 5.0);
    let end = SEARCH.climb(slope, &[0.0], 1.0).unwrap();
    assert!(SEARCH.at_bound(end.theta[0]) && end.theta[0] <= 12.0);
    assert!(SEARCH.sharpen(slope, end).covariance.is_none());
}

#[test]
fn a_bent_ridge_that_rises_beyond_the_bound_is_left_when_the_bound_is_reached() {
    let calls_at_bound = Cell::new(0);
    // Ever flatter, as the likelihood of a model towards a simpler one.
    let ridge = |theta: &[f64]| {
        let is_at_bound = SEARCH.at_bound(theta[0]);
        calls_at_bound.set(calls_at_bound.get() + u32::from(is_at_bound));
        let (below, beside) = (1e3 * (-theta[0]).exp(), theta[1] - theta[0] - theta[0].sin());
        let bend = 1.0 + theta[0].cos();
        Score {
            value: -below - 50.0 * beside * beside,
            gradient: vec![below + 100.0 * beside * bend, -100.0 * beside],
        }
    };
    let end = SEARCH.climb(ridge, &[0.0, 0.0], 1e3).unwrap();
    assert!(SEARCH.at_bound(end.theta[0]), "{end:?}");
    assert!(calls_at_bound.get() < 30, "{} calls", calls_at_bound.get());
}

#[test]
fn nowhere_finite_is_nowhere() {
    let nan = |_: &[f64]| Score { value: f64::NAN, gradient: vec![f64::NAN] };
    assert_eq!(SEARCH.climb(nan, &[0.0], 1.0), None);
}

#[test]
fn only_positive_definite_matrices_have_a_root() {
    assert!(cholesky(&vec![vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
    assert!(cholesky(&vec![vec![f64::NAN]]).is_none());
    assert_eq!(cholesky(&vec![vec![4.0, 2.0], vec![2.0, 5.0]]), Some(vec![vec![2.0, 0.0], vec![1.0, 2.0]]));
}
