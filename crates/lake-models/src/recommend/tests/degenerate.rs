//! Input that is empty, tiny or contradictory.

use super::super::Purchases;
use super::{Algorithm, RecommendParams, Row, always, fit, quality};

#[test]
fn refusals() {
    let ok = RecommendParams::default();
    let message = |params: &RecommendParams, rows: &[Row]| fit(params, rows, 10).unwrap_err().to_string();
    assert_eq!(message(&ok, &[]), "nothing to fit: nobody bought anything before day 10");
    assert_eq!(message(&ok, &[(1, "a", 10)]), "nothing to fit: nobody bought anything before day 10");
    let no_count = RecommendParams { count: 0, ..ok.clone() };
    assert_eq!(
        message(&no_count, &[]),
        "invalid input: cannot recommend with `count` = 0: it must be at least 1"
    );
    for ridge in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(message(&RecommendParams { ridge, ..ok.clone() }, &[]).contains("`ridge`"));
    }
    let uneven = Purchases { customer_ids: &[1], stock_codes: &["a", "b"], days: &[0], as_of: 1 };
    assert_eq!(
        ok.fit(&uneven).unwrap_err().to_string(),
        "invalid input: 1 customers, 2 products and 1 days do not make rows"
    );
}

#[test]
fn one_customer_has_bought_it_all() {
    let found = fit(&RecommendParams::default(), &[(1, "a", 0), (1, "b", 3)], 50).unwrap();
    assert!(found.recommendations.is_empty() && found.quality.is_empty());
    assert_eq!(found.chosen, Algorithm::Popularity);
    assert_eq!(
        found.reason,
        "nothing to choose by: no customer from before day 22 has bought a product new to them since"
    );
    assert_eq!(found.figures.density, 1.0);
}

#[test]
fn one_product_leaves_nothing_to_recommend() {
    for algorithm in Algorithm::ALL {
        let found = fit(&always(algorithm), &[(1, "a", 0), (2, "a", 3), (2, "a", 40)], 50).unwrap();
        assert!(found.recommendations.is_empty());
        assert!(found.reason.starts_with(&format!("{} was asked for; no customer", algorithm.name())));
    }
}

#[test]
fn a_judged_customer_with_an_empty_list() {
    let found = fit(&RecommendParams::default(), &[(1, "a", 0), (1, "b", 40)], 50).unwrap();
    let q = quality(&found, Algorithm::Ease);
    let measures = [q.precision, q.recall, q.ndcg, q.map, q.hit_rate, q.coverage, q.novelty];
    assert_eq!((q.customers, measures), (1, [0.0; 7]));
}

#[test]
fn without_company_popularity_stands_for_all() {
    // Everyone bought one product before the holdout, so nothing speaks for anything.
    let rows = [(1, "a", 0), (2, "a", 0), (3, "b", 0), (3, "a", 40), (1, "b", 41)];
    let found = fit(&RecommendParams::default(), &rows, 50).unwrap();
    assert_eq!(found.chosen, Algorithm::Popularity);
    assert_eq!(
        found.reason,
        "neither cosine nor ease beats popularity; NDCG@10 of 2 customers: popularity 1.0000, cosine 1.0000, ease 1.0000"
    );
    let rows: Vec<_> = found.recommendations.iter().map(|r| (r.customer_id, r.stock_code, r.score)).collect();
    assert_eq!(rows, [(2, "b", 2.0 / 3.0)]);
    assert!(found.recommendations.iter().all(|r| r.because_of.is_none()));
}

#[test]
fn the_ends_of_time_and_a_history_shorter_than_the_holdout() {
    let rows = [(1, "a", i32::MIN), (2, "b", i32::MIN), (2, "a", i32::MIN)];
    let found = fit(&RecommendParams::default(), &rows, i32::MIN + 1).unwrap();
    assert_eq!((found.figures.split_day, found.quality.len()), (i32::MIN, 0));
    assert_eq!(found.recommendations.len(), 1);
}
