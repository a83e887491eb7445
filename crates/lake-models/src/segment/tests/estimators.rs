//! Each estimator against scikit-learn 1.9.1, or by hand.

use ndarray::{Array2, array};

use super::super::components::Components;
use super::super::forest::{Forest, threshold};
use super::super::input::Feature;
use super::super::quality::{calinski_harabasz, davies_bouldin, silhouettes};
use super::super::scale::Scaler;

/// Points on three grids, and labels of which one stands alone.
fn sixty() -> (Array2<f64>, Vec<usize>) {
    let points = Array2::from_shape_fn((60, 3), |(i, column)| match column {
        0 => (i * 7 % 13) as f64 / 3.0 + 4.0 * (i % 3) as f64,
        1 => (i * 5 % 11) as f64 / 2.0 - 3.0 * (i % 3) as f64,
        _ => (i * i % 17) as f64 / 4.0,
    });
    (points, (0..60).map(|i| if i == 59 { 3 } else { i % 3 }).collect())
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12 * b.abs().max(1.0)
}

#[test]
fn metrics_are_those_of_scikit_learn() {
    let (points, labels) = sixty();
    let found = silhouettes(&points, &[&labels]).concat();
    assert!(near(found.iter().sum::<f64>() / 60.0, 0.230_133_903_899_515_4));
    assert!(near(found[0], 0.339_517_570_393_399_2));
    assert!(near(found[7], 0.124_174_575_558_311_23));
    assert!(near(found[31], 0.144_428_728_246_942_22));
    assert_eq!(found[59], 0.0, "alone in its cluster");
    assert!(near(davies_bouldin(&points, &labels), 0.913_450_482_575_972));
    assert!(near(calinski_harabasz(&points, &labels), 52.873_470_688_669_99));
}

/// As in a sample of customers that misses a small cluster.
#[test]
fn a_cluster_without_points_counts_for_nothing() {
    let points = array![[0.0], [2.0], [7.0], [8.0]];
    let with = silhouettes(&points, &[&[0, 0, 1, 1], &[0, 0, 2, 2], &[1, 1, 1, 1]]);
    assert_eq!(with[0], with[1]);
    assert!(with[0][0] > 0.5);
    assert_eq!(with[2], [0.0; 4]);
}

#[test]
fn equal_points_have_metrics() {
    let points = array![[1.0], [1.0], [1.0], [1.0]];
    assert_eq!(silhouettes(&points, &[&[0, 0, 1, 1]]).concat(), [0.0; 4]);
    assert_eq!(
        (davies_bouldin(&points, &[0, 0, 1, 1]), calinski_harabasz(&points, &[0, 0, 1, 1])),
        (0.0, 1.0)
    );
}

/// Blocks and a shared pass give what pairs taken one by one give.
#[test]
fn one_pass_serves_all_labelings() {
    let points = Array2::from_shape_fn((1100, 2), |(i, c)| ((i * (31 + 6 * c)) % 101) as f64);
    let labelings = [2, 5].map(|k| (0..1100).map(|i| i * i % 7 % k).collect::<Vec<usize>>());
    let found = silhouettes(&points, &[&labelings[0], &labelings[1]]);
    for (labels, found) in labelings.iter().zip(found) {
        for i in [0, 1023, 1024, 1099] {
            let mean = |label: usize| {
                let of = (0..1100).filter(|&j| j != i && labels[j] == label);
                let apart = |j: usize| (&points.row(i) - &points.row(j)).mapv(|d| d * d).sum().sqrt();
                let all: Vec<f64> = of.map(apart).collect();
                all.iter().sum::<f64>() / all.len() as f64
            };
            let a = mean(labels[i]);
            let b = (0..5)
                .filter(|l| *l != labels[i])
                .map(mean)
                .filter(|m| m.is_finite())
                .fold(f64::MAX, f64::min);
            assert!(near(found[i], (b - a) / a.max(b)), "{i}");
        }
    }
}

/// Two hundred points, of which the first eight lie far out.
fn two_hundred() -> Array2<f64> {
    Array2::from_shape_fn((200, 2), |(i, column)| {
        let n = i as f64;
        let ordinary = match column {
            0 => (n * 1.3).sin() * 3.0 + (i % 7) as f64 / 2.0,
            _ => (n * 0.7).cos() * 2.0 + (i % 5) as f64 / 3.0,
        };
        if i < 8 { 4.0 * ordinary + 6.0 } else { ordinary }
    })
}

/// The ranks of these scores, the mean rank where equal.
fn ranks(scores: &[f64]) -> Vec<f64> {
    let below = |s: f64| scores.iter().filter(|other| **other < s).count() as f64;
    let equal = |s: f64| scores.iter().filter(|other| **other == s).count() as f64;
    scores.iter().map(|&s| below(s) + (equal(s) + 1.0) / 2.0).collect()
}

#[test]
fn the_forest_ranks_as_that_of_scikit_learn() {
    // Every fifth score, the mean over 20 seeds of 100 trees of 64 points.
    let expected = [
        0.728, 0.679, 0.429, 0.438, 0.489, 0.464, 0.468, 0.429, 0.578, 0.452, 0.511, 0.477, 0.449, 0.43,
        0.437, 0.454, 0.43, 0.553, 0.429, 0.523, 0.475, 0.55, 0.445, 0.461, 0.537, 0.429, 0.539, 0.436,
        0.515, 0.433, 0.427, 0.429, 0.468, 0.503, 0.433, 0.528, 0.504, 0.51, 0.434, 0.502,
    ];
    let scores = Forest { trees: 100, subsample: 64, seed: 1 }.scores(&two_hundred());
    let some: Vec<f64> = scores.iter().step_by(5).copied().collect();
    let (a, b) = (ranks(&some), ranks(&expected));
    let covariance =
        |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - 20.5) * (y - 20.5)).sum::<f64>();
    let spearman = covariance(&a, &b) / (covariance(&a, &a) * covariance(&b, &b)).sqrt();
    assert!(spearman > 0.95, "{spearman}");
    assert!(some.iter().zip(&expected).all(|(s, e)| (s - e).abs() < 0.05), "{some:?}");
}

#[test]
fn the_forest_finds_what_lies_far_out() {
    let scores = Forest { trees: 100, subsample: 64, seed: 1 }.scores(&two_hundred());
    let flagged = |share| {
        let above = threshold(&scores, share);
        (0..200).filter(|&i| scores[i] > above).collect::<Vec<usize>>()
    };
    assert_eq!(flagged(0.035), [0, 1, 2, 3, 5, 6, 7], "the eighth lies near the others");
    assert!(flagged(0.0).is_empty());
    let same = Forest { trees: 3, subsample: 64, seed: 1 }.scores(&Array2::ones((50, 2)));
    assert!(same.iter().all(|s| *s == 0.5), "nobody stands out among equals: {same:?}");
}

#[test]
fn amounts_are_scaled_by_their_signed_log() {
    let values = array![[-9.0, 2.0, 7.0], [0.0, 4.0, 7.0], [9.0, 6.0, 7.0], [1e9, 60.0, 8.0]];
    let feature = |name, is_amount| Feature { name, values: &[], is_amount };
    let features = [feature("trend", true), feature("rate", false), feature("flag", false)];
    let Scaler { scales, dropped, scaled } = Scaler::fit(&features, &values, &[0, 1, 2]).unwrap();
    let deviation = 10_f64.ln() * (2.0_f64 / 3.0).sqrt();
    assert!(scales[0].mean == 0.0 && near(scales[0].deviation, deviation));
    assert!(scales[1].mean == 4.0 && near(scales[1].deviation, (8.0_f64 / 3.0).sqrt()));
    assert_eq!(dropped, ["flag"], "the same for all but the outlier");
    assert!(near(scaled[[0, 0]], -(1.5_f64.sqrt())) && near(scaled[[3, 0]], 1e9_f64.ln_1p() / deviation));
}

/// Two features of correlation r have the components (1, ±1)/√2 of variance 1 ± r.
#[test]
fn components_are_those_of_theory() {
    let r: f64 = 0.6;
    let across = (1.0 - r * r).sqrt();
    let corners = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [9.0, -9.0]];
    let scaled = Array2::from_shape_fn((5, 2), |(i, c)| match c {
        0 => corners[i][0],
        _ => -r * corners[i][0] + across * corners[i][1],
    });
    let found = Components::fit(&scaled, &[0, 1, 2, 3]);
    let half = 0.5_f64.sqrt();
    assert!(near(found.all[0].variance_ratio, 0.8) && near(found.all[1].variance_ratio, 0.2));
    assert!(
        near(found.all[0].loadings[0].abs(), half)
            && near(found.all[0].loadings[0], -found.all[0].loadings[1])
    );
    let positive = |l: &[f64]| l.iter().fold(0.0_f64, |a, v| if v.abs() > a.abs() { *v } else { a }) > 0.0;
    assert!(found.all.iter().all(|c| positive(&c.loadings)));
    assert_eq!([0.0, 0.79, 0.81, 1.0].map(|share| found.retained(share)), [1, 1, 2, 2]);
    let projected = found.project(&scaled);
    assert!(near(projected[[0, 0]], found.all[0].loadings[0] * (scaled[[0, 0]] - scaled[[0, 1]])));
}
