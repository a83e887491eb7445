//! Customers that cannot be segmented: an error that says why, and never a number that is none.

use super::super::{Algorithm, SegmentParams, Segmentation};
use super::{Shop, algorithm};

const ALL: [Algorithm; 3] =
    [Algorithm::KMeans, Algorithm::GaussianMixture, Algorithm::Dbscan { radius: 0.5, min_points: 3 }];

fn message(shop: &Shop) -> String {
    shop.fit(&SegmentParams::default()).unwrap_err().to_string()
}

fn assert_sound(found: &Segmentation) {
    for c in &found.customers {
        let numbers = [c.distance, c.silhouette.unwrap_or(0.0), c.outlier_score, c.pc1, c.pc2];
        assert!(numbers.iter().all(|v| v.is_finite()), "{c:?}");
    }
    let quality = &found.quality;
    let numbers = [quality.silhouette, quality.davies_bouldin, quality.calinski_harabasz, quality.inertia];
    assert!(numbers.iter().all(|v| v.is_finite()), "{quality:?}");
    let of_segments = found.segments.iter().flat_map(|s| s.centre.iter().chain(&s.differences));
    assert!(of_segments.copied().all(f64::is_finite));
}

#[test]
fn too_few_customers() {
    assert_eq!(message(&Shop::new([0, 0, 0], 0)), "nothing to fit: there are no customers");
    let one = message(&Shop::new([1, 0, 0], 0));
    assert_eq!(one, "segments cannot be fitted: 1 customers are fewer than 3");
    let three = Shop::new([1, 1, 1], 0).fit(&SegmentParams::default()).unwrap();
    assert_sound(&three);
    assert_eq!(three.segments.len(), 2);
    let mixture = Shop::new([1, 1, 1], 0).fit(&algorithm(Algorithm::GaussianMixture)).unwrap();
    assert_sound(&mixture);
    let params = SegmentParams { clusters: Some(9), ..SegmentParams::default() };
    let error = Shop::new([3, 2, 2], 0).fit(&params).unwrap_err().to_string();
    assert_eq!(error, "kmeans cannot be fitted: 9 clusters of 7 customers without outliers");
}

#[test]
fn values_that_are_missing_or_make_no_sense() {
    let mut shop = Shop::new([5, 5, 5], 0);
    shop.columns[1][0] = f64::NAN;
    assert_eq!(message(&shop), "invalid input: `orders` of customer 10000 is NaN");
    shop.columns[1][0] = f64::NEG_INFINITY;
    assert_eq!(message(&shop), "invalid input: `orders` of customer 10000 is -inf");
    shop.columns[1].pop();
    assert_eq!(message(&shop), "invalid input: `orders` has 14 values for 15 customers");
    let mut shop = Shop::new([50, 50, 50], 0);
    shop.columns[4] = (0..150).map(|i| 1e-90 * f64::from(i % 2)).collect();
    shop.columns[4][0] = 1e20;
    let reason = message(&shop);
    assert!(reason.starts_with("segments cannot be fitted: `p_alive` has a value 2"), "{reason}");
    let mut shop = Shop::new([5, 5, 5], 0);
    shop.ids[14] = shop.ids[0];
    assert_eq!(message(&shop), "invalid input: customer 10000 occurs twice");
    shop.previous[0] = Some(0);
    assert_eq!(message(&shop), "invalid input: the previous segment of customer 10000 is out of range");
    shop.previous.clear();
    assert_eq!(message(&shop), "invalid input: 0 previous segments for 15 customers");
}

#[test]
fn parameters_out_of_range() {
    let d = SegmentParams::default();
    let wrong = [
        (SegmentParams { clusters: Some(1), ..d.clone() }, "`clusters` = 1: it must be at least 2"),
        (SegmentParams { runs: 0, ..d.clone() }, "`runs` = 0: it must be at least 1"),
        (SegmentParams { subsample: 1, ..d.clone() }, "`subsample` = 1: it must be at least 2"),
        (
            SegmentParams { contamination: 0.6, ..d.clone() },
            "`contamination` = 0.6: it must be from 0 to 0.5",
        ),
        (SegmentParams { variance: f64::NAN, ..d }, "`variance` = NaN: it must be from 0 to 1"),
        (algorithm(Algorithm::Dbscan { radius: 0.0, min_points: 5 }), "`radius` = 0: it must be positive"),
        (
            algorithm(Algorithm::Dbscan { radius: 1.0, min_points: 1 }),
            "`min_points` = 1: it must be at least 2",
        ),
    ];
    for (params, expected) in wrong {
        let message = Shop::new([5, 5, 5], 0).fit(&params).unwrap_err().to_string();
        assert_eq!(message, format!("invalid input: cannot segment with {expected}"));
    }
}

#[test]
fn all_are_the_same() {
    let mut shop = Shop::new([50, 50, 50], 0);
    shop.columns.iter_mut().for_each(|c| c.fill(3.0));
    let expected = "segments cannot be fitted: every feature is the same for all customers but the outliers";
    assert_eq!(message(&shop), expected);
}

/// Two kinds of customers, each many times: two clusters without any spread, and never three.
#[test]
fn two_kinds() {
    let mut shop = Shop::new([500, 0, 500], 0);
    shop.columns.iter_mut().for_each(|c| (0..1000).for_each(|i| c[i] = f64::from(u8::from(i >= 500))));
    for used in ALL {
        let found = shop.fit(&algorithm(used)).unwrap();
        assert_sound(&found);
        assert_eq!(found.segments.iter().map(|s| s.customers).collect::<Vec<_>>(), [500, 500], "{used:?}");
        assert!((found.quality.silhouette - 1.0).abs() < 1e-9 && found.quality.davies_bouldin < 1e-9);
        let three = found.curve.iter().find(|c| c.clusters == 3).map(|c| c.judged.clone());
        let found_three = three.is_some_and(|j| j.is_ok_and(|j| j.smallest_share > 0.0));
        assert!(!found_three, "{used:?} makes three of two");
    }
}

#[test]
fn one_feature_alone_varies() {
    let mut shop = Shop::new([50, 60, 70], 0);
    (1..5).for_each(|f| shop.columns[f].fill(1.0));
    let found = shop.fit(&SegmentParams::default()).unwrap();
    assert_sound(&found);
    assert_eq!((found.components.len(), found.retained, found.scales.len()), (1, 1, 1));
    assert!(found.customers.iter().all(|c| c.pc2 == 0.0));
}

#[test]
fn one_cluster_is_an_error() {
    let shop = Shop::new([40, 40, 40], 0);
    let found = |radius| shop.fit(&algorithm(Algorithm::Dbscan { radius, min_points: 5 }));
    let one = found(1e3).unwrap_err().to_string();
    assert_eq!(one, "dbscan cannot be fitted: it finds 1 clusters among 114 customers");
    let none = found(1e-9).unwrap_err().to_string();
    assert_eq!(none, "dbscan cannot be fitted: it finds 0 clusters among 114 customers");
}

#[test]
fn extreme_amounts() {
    let mut shop = Shop::new([50, 60, 70], 0);
    shop.columns[2][0] = 1e99;
    shop.columns[2][1] = -1e99;
    shop.columns[0][3] = -5.0;
    ALL.iter().for_each(|used| shop.fit(&algorithm(*used)).iter().for_each(assert_sound));
    assert!(shop.fit(&SegmentParams::default()).is_ok());
}

/// Shops of the first days: few customers, features that say the same in other units.
#[test]
fn small_shops() {
    let mut fitted = 0;
    for customers in 3..14 {
        for kinds in 1..=customers {
            let mut shop = Shop::new([customers, 0, 0], 0);
            let kind = |i: usize| (i % kinds) as f64;
            for (f, column) in shop.columns.iter_mut().enumerate() {
                (0..customers).for_each(|i| column[i] = kind(i) * (f + 1) as f64);
            }
            for used in ALL {
                if let Ok(found) = shop.fit(&algorithm(used)) {
                    assert_sound(&found);
                    fitted += 1;
                }
            }
        }
    }
    assert!(fitted > 100, "{fitted} of these can be fitted");
}
