//! Scores and measures small enough to work out by hand.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::quality::Judged;
use super::super::sweep::negative_inverse;
use super::{Algorithm, RecommendParams, Row, always, fit, quality};

/// Purchase days of a, b, c: customer 1 has (2, 1, 0), customer 2 (1, 1, 0), customer 3 (1, 0, 1).
const ROWS: [Row; 7] =
    [(1, "a", 0), (1, "a", 1), (1, "b", 0), (2, "a", 0), (2, "b", 5), (3, "a", 0), (3, "c", 0)];

/// The score and the reason that a customer's first recommendation has.
fn first(params: &RecommendParams, customer: i64) -> (&'static str, f64, Option<&'static str>) {
    let found = fit(params, &ROWS, 10).unwrap();
    let row = found.recommendations.iter().find(|r| (r.customer_id, r.rank) == (customer, 1)).unwrap();
    (row.stock_code, row.score, row.because_of)
}

fn assert_first(params: &RecommendParams, customer: i64, code: &str, score: f64) {
    let found = first(params, customer);
    assert_eq!((found.0, found.2), (code, Some("a")), "customer {customer}");
    assert!((found.1 - score).abs() < 1e-7, "customer {customer}: {} for {score}", found.1);
}

#[test]
fn cosine_of_purchase_days() {
    let params = always(Algorithm::Cosine);
    // cos(a, b) = 3 / (√6 √2), cos(a, c) = 1 / √6, cos(b, c) = 0.
    assert_first(&params, 1, "c", 2.0 / 6_f64.sqrt());
    assert_first(&params, 2, "c", 1.0 / 6_f64.sqrt());
    assert_first(&params, 3, "b", 3.0 / 12_f64.sqrt());
}

#[test]
fn ease_is_its_closed_form() {
    let params = RecommendParams { ridge: 1.0, ..always(Algorithm::Ease) };
    // XᵀX + I = [4 2 1; 2 3 0; 1 0 2], P = [6 −4 −3; −4 7 2; −3 2 8] / 13.
    assert_first(&params, 1, "c", 3.0 / 8.0 - 2.0 / 8.0);
    assert_first(&params, 3, "b", 4.0 / 7.0 - 2.0 / 7.0);
}

#[test]
fn the_inverse_of_several_blocks() {
    let n = 600;
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let x = Array2::from_shape_fn((n, n), |_| f64::from(random.random_range(0..2_u8)));
    let a = x.t().dot(&x) + Array2::<f64>::eye(n) * 50.0;
    let mut swept = a.clone();
    negative_inverse(&mut swept);
    let inverse = Array2::from_shape_fn((n, n), |(i, j)| -swept[[i.max(j), i.min(j)]]);
    let error = (a.dot(&inverse) - Array2::<f64>::eye(n)).mapv(f64::abs).sum();
    assert!(error < 1e-6, "{error}");
}

#[test]
fn measures_of_one_list() {
    let third = 1.0 / 3_f64.log2();
    let list = |hits: &[bool], relevant| Judged { hits: hits.to_vec(), relevant }.measures(3);
    let close = |got: [f64; 5], want: [f64; 5]| {
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12), "{got:?} for {want:?}");
    };
    let [p, r, n] = [2.0 / 3.0, 2.0 / 4.0, 1.5 / (1.5 + third)];
    close(list(&[true, false, true], 4), [p, r, n, (1.0 + 2.0 / 3.0) / 3.0, 1.0]);
    close(list(&[false, true], 1), [1.0 / 3.0, 1.0, third, 0.5, 1.0]);
    close(list(&[false, false, false], 2), [0.0; 5]);
    close(list(&[], 2), [0.0; 5]);
    close(list(&[true, true, true], 3), [1.0; 5]);
}

#[test]
fn quality_of_popularity() {
    // Before day 2, of four customers three bought a, two b, one c. Then 1 takes to b and the new z, 4 to a;
    // 5 is new, and 2 buys a once more: they are not judged.
    let rows = [
        (1, "a", 0),
        (2, "a", 0),
        (3, "a", 1),
        (2, "b", 0),
        (4, "b", 0),
        (4, "c", 1),
        (1, "b", 2),
        (1, "z", 3),
        (4, "a", 29),
        (5, "a", 3),
        (2, "a", 4),
    ];
    let found = fit(&RecommendParams { count: 2, ..always(Algorithm::Popularity) }, &rows, 30).unwrap();
    assert_eq!(found.figures.split_day, 2);
    let q = quality(&found, Algorithm::Popularity);
    // The lists are (b, c) for 1 and (a) for 4.
    assert_eq!((q.customers, q.precision, q.recall, q.hit_rate), (2, 0.5, 0.75, 1.0));
    let of_first = [1.0 / (1.0 + 1.0 / 3_f64.log2()), 0.5];
    assert!((q.ndcg - f64::midpoint(of_first[0], 1.0)).abs() < 1e-12);
    assert!((q.map - f64::midpoint(of_first[1], 1.0)).abs() < 1e-12);
    assert_eq!(q.coverage, 1.0);
    let bits = [1.0, 2.0, (4.0_f64 / 3.0).log2()];
    assert!((q.novelty - bits.iter().sum::<f64>() / 3.0).abs() < 1e-12);
    assert!(q.chosen);
}
