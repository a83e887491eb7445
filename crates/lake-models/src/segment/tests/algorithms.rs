//! What the algorithms find among customers of known groups.

use super::super::{Algorithm, SAMPLE, SegmentParams};
use super::{Shop, adjusted_rand, algorithm, ids};

const DBSCAN: Algorithm = Algorithm::Dbscan { radius: 0.5, min_points: 8 };

#[test]
fn each_algorithm_finds_the_groups_and_their_number() {
    let shop = Shop::new([150, 200, 250], 12);
    for used in [Algorithm::KMeans, Algorithm::GaussianMixture, DBSCAN] {
        // Which half of them is British says nothing of their trade, but would make clusters of its own.
        let mut shop = shop.clone();
        shop.columns[3].fill(1.0);
        let found = shop.fit(&algorithm(used)).unwrap();
        assert_eq!(found.segments.len(), 3, "{used:?}: {:?}", found.curve);
        let agreement = adjusted_rand(&shop.group, &ids(&found));
        assert!(agreement > 0.95, "{used:?}: {agreement}");
        assert!(found.verdict.may_publish && found.quality.silhouette > 0.5, "{used:?}: {:?}", found.quality);
        assert_eq!(found.dropped, ["is_uk", "p_alive"]);
    }
}

#[test]
fn whales_are_flagged_and_assigned_but_move_no_centre() {
    let (without, with) = (Shop::new([150, 200, 250], 0), Shop::new([150, 200, 250], 12));
    let params = SegmentParams { clusters: Some(3), ..SegmentParams::default() };
    let (calm, wild) = (without.fit(&params).unwrap(), with.fit(&params).unwrap());
    let whales = &wild.customers[600..];
    assert!(whales.iter().all(|c| c.is_outlier && c.outlier_score > wild.outlier_threshold));
    assert!(whales.iter().all(|c| c.segment_id == 1), "they belong to the best customers");
    assert_eq!(wild.customers.iter().filter(|c| c.is_outlier).count(), 30, "5 % of 612");
    for (a, b) in calm.scales.iter().zip(&wild.scales) {
        assert!(
            (a.mean - b.mean).abs() < 0.1 && (a.deviation / b.deviation - 1.0).abs() < 0.1,
            "{a:?} {b:?}"
        );
    }
    assert_eq!(wild.segments.iter().map(|s| s.customers).collect::<Vec<_>>(), [162, 200, 250]);
}

#[test]
fn the_number_of_clusters_is_that_of_the_highest_silhouette_with_a_large_enough_smallest() {
    let shop = Shop::new([6, 300, 294], 0);
    let all = SegmentParams { contamination: 0.0, least_share: 0.0, ..SegmentParams::default() };
    let free = shop.fit(&all).unwrap();
    let silhouette = |k: usize| free.curve[k - 2].judged.as_ref().unwrap().silhouette;
    assert_eq!(free.curve.iter().map(|c| c.clusters).collect::<Vec<_>>(), (2..=10).collect::<Vec<_>>());
    let best = free.segments.len();
    assert!((2..=10).all(|k| silhouette(k) <= silhouette(best)));
    assert_eq!(silhouette(best), free.quality.silhouette, "what was judged is what is published");

    let least_share = free.curve[best - 2].judged.as_ref().unwrap().smallest_share + 0.001;
    let bound = shop.fit(&SegmentParams { least_share, ..all.clone() }).unwrap();
    let smallest = bound.segments.iter().map(|s| s.customers).min().unwrap();
    assert!(bound.segments.len() != best && smallest as f64 >= least_share * 600.0);

    let message = shop.fit(&SegmentParams { least_share: 0.5, ..all.clone() }).unwrap_err().to_string();
    assert!(message.starts_with("kmeans cannot be fitted: no number of clusters leaves 50.0 %"), "{message}");
    let fixed = shop.fit(&SegmentParams { clusters: Some(5), least_share: 0.5, ..all }).unwrap();
    assert_eq!(
        (fixed.segments.len(), fixed.curve.len()),
        (5, 1),
        "a fixed number is not judged by its share"
    );
}

#[test]
fn many_customers_are_judged_by_a_sample() {
    let shop = Shop::new([7000, 7000, 7100], 0);
    let found = shop.fit(&SegmentParams { clusters: Some(3), ..SegmentParams::default() }).unwrap();
    assert_eq!(found.sampled, SAMPLE);
    let known: Vec<f64> = found.customers.iter().filter_map(|c| c.silhouette).collect();
    assert_eq!(known.len(), SAMPLE);
    let mean = known.iter().sum::<f64>() / SAMPLE as f64;
    assert!((mean - found.quality.silhouette).abs() < 1e-12);
    assert!(adjusted_rand(&shop.group, &ids(&found)) > 0.95);
    assert_eq!(found.segments.iter().map(|s| s.customers).sum::<usize>(), 21_100);
}

#[test]
fn the_order_of_the_input_and_the_number_of_threads_do_not_matter() {
    let shop = Shop::new([60, 80, 90], 5);
    let order: Vec<usize> = (0..235).map(|i| i * 101 % 235).collect();
    let other = shop.shuffled(&order);
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for used in [Algorithm::KMeans, Algorithm::GaussianMixture, DBSCAN] {
        let params = algorithm(used);
        let (a, b) = (shop.fit(&params), alone.install(|| other.fit(&params)));
        let (a, mut b) = (a.unwrap(), b.unwrap());
        let mut back = b.customers.clone();
        order.iter().zip(&b.customers).for_each(|(&i, c)| back[i] = *c);
        b.customers = back;
        assert_eq!(a, b, "{used:?}");
    }
}
