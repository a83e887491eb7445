//! What holds of every segmentation.

use super::super::SegmentParams;
use super::Shop;

#[test]
fn the_tables_agree_with_each_other() {
    let shop = Shop::new([50, 120, 90], 6);
    let found = shop.fit(&SegmentParams { clusters: Some(4), ..SegmentParams::default() }).unwrap();
    let squares: f64 = found.customers.iter().map(|c| c.distance * c.distance).sum();
    assert!((squares - found.quality.inertia).abs() < 1e-9 * squares, "inertia is that of the distances");
    for segment in &found.segments {
        let members: Vec<usize> = (0..266).filter(|&i| found.customers[i].segment_id == segment.id).collect();
        assert_eq!(members.len(), segment.customers);
        for (difference, scale) in segment.differences.iter().zip(&found.scales) {
            let column = &shop.columns[super::NAMES.iter().position(|n| *n == scale.name).unwrap()];
            let scaled = |&i: &usize| {
                let x = column[i];
                let t = if scale.is_amount { x.signum() * x.abs().ln_1p() } else { x };
                (t - scale.mean) / scale.deviation
            };
            let mean = members.iter().map(scaled).sum::<f64>() / members.len() as f64;
            assert!((mean - difference).abs() < 1e-9, "{} of segment {}", scale.name, segment.id);
        }
    }
    let kept: f64 = found.components[..found.retained].iter().map(|c| c.variance_ratio).sum();
    let all: f64 = found.components.iter().map(|c| c.variance_ratio).sum();
    assert!(kept >= 0.95 && (all - 1.0).abs() < 1e-12);
}

/// No customer that k-means was fitted to, nor an outlier, is nearer to another centre.
#[test]
fn everyone_is_in_the_nearest_segment() {
    let shop = Shop::new([50, 120, 90], 6);
    let params = SegmentParams { clusters: Some(5), variance: 0.5, ..SegmentParams::default() };
    let found = shop.fit(&params).unwrap();
    assert_eq!(found.retained, 1);
    for c in &found.customers {
        let nearest = found.segments.iter().map(|s| (s.centre[0] - c.pc1).abs()).fold(f64::MAX, f64::min);
        assert!((nearest - c.distance).abs() < 1e-9, "{c:?}");
    }
}

#[test]
fn the_gate_asks_for_a_good_silhouette_or_one_that_is_not_much_worse() {
    let mut shop = Shop::new([60, 80, 90], 0);
    let silhouette = shop.fit(&SegmentParams::default()).unwrap().quality.silhouette;
    let mut verdict = |least_silhouette: f64, previous: Option<f64>| {
        shop.previous_silhouette = previous;
        let params = SegmentParams { least_silhouette, ..SegmentParams::default() };
        let verdict = shop.fit(&params).unwrap().verdict;
        (verdict.may_publish, verdict.reason.split_once(" is ").unwrap().1.to_owned())
    };
    assert_eq!(verdict(0.1, Some(0.9)), (true, "at least 0.1".to_owned()));
    assert_eq!(verdict(0.95, None), (true, "below 0.95, but nothing is published yet".to_owned()));
    assert!(verdict(0.95, Some(silhouette + 0.04)).0);
    let (may_publish, reason) = verdict(0.95, Some(silhouette + 0.06));
    assert!(
        !may_publish && reason.starts_with("below 0.95 and more than 0.05 below the published"),
        "{reason}"
    );
}
