//! Ids that last from publication to publication.

use super::super::SegmentParams;
use super::{Shop, adjusted_rand, ids};

fn fixed(clusters: usize) -> SegmentParams {
    SegmentParams { clusters: Some(clusters), ..SegmentParams::default() }
}

#[test]
fn first_ids_follow_the_mean_of_the_value() {
    let shop = Shop::new([150, 200, 250], 12);
    let found = shop.fit(&fixed(3)).unwrap();
    let expected: Vec<i64> = shop.group.iter().map(|&g| g as i64 + 1).collect();
    assert_eq!(ids(&found), expected, "groups stand in the order of money");
    assert!(found.segments.iter().all(|s| !s.is_known));
}

#[test]
fn published_ids_stay_where_most_of_their_customers_are() {
    let mut shop = Shop::new([150, 200, 250], 12);
    let published = [40, 7, 12];
    // A tenth is new, and another tenth was in the segment of their neighbours.
    let was = |(i, &group): (usize, &usize)| match i % 10 {
        0 => None,
        1 => Some(published[(group + 1) % 3]),
        _ => Some(published[group]),
    };
    shop.previous = shop.group.iter().enumerate().map(was).collect();
    let found = shop.fit(&fixed(3)).unwrap();
    let expected: Vec<i64> = shop.group.iter().map(|&g| published[g]).collect();
    assert_eq!(ids(&found), expected);
    assert!(found.segments.iter().all(|s| s.is_known));
    assert_eq!(found.segments.iter().map(|s| s.id).collect::<Vec<_>>(), [7, 12, 40]);
}

#[test]
fn a_new_segment_gets_an_id_that_was_never_used_and_a_vanished_one_leaves_its_own() {
    let mut shop = Shop::new([150, 200, 250], 0);
    shop.previous = shop.group.iter().map(|&g| [Some(2), Some(5), None][g]).collect();
    let found = shop.fit(&fixed(3)).unwrap();
    let expected: Vec<i64> = shop.group.iter().map(|&g| [2, 5, 6][g]).collect();
    assert_eq!(ids(&found), expected);
    assert_eq!(found.segments.iter().map(|s| s.is_known).collect::<Vec<_>>(), [true, true, false]);

    shop.previous = (0..600).map(|i| Some([3, 1, 2, 9][shop.group[i] + usize::from(i >= 560)])).collect();
    let found = shop.fit(&fixed(3)).unwrap();
    let expected: Vec<i64> = shop.group.iter().map(|&g| [3, 1, 2][g]).collect();
    assert_eq!(ids(&found), expected, "9 was a corner of 2");
}

/// A month later everybody has moved a little: whoever is still in the same group has the same id.
#[test]
fn ids_survive_a_month() {
    let mut shop = Shop::new([150, 200, 250], 12);
    shop.previous = ids(&shop.fit(&fixed(3)).unwrap()).into_iter().map(Some).collect();
    shop.columns[0].iter_mut().enumerate().for_each(|(i, days)| *days += (i * 17 % 29) as f64);
    shop.columns[2].iter_mut().enumerate().for_each(|(i, money)| *money *= 1.0 + (i % 4) as f64 / 10.0);
    let found = shop.fit(&SegmentParams { seed: 77, ..fixed(3) }).unwrap();
    let same = ids(&found).iter().zip(&shop.previous).filter(|(now, then)| Some(**now) == **then).count();
    assert!(same > 590 && adjusted_rand(&shop.group, &ids(&found)) > 0.95, "{same} of 612");
}
