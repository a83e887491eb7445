//! What holds for all recommendations, and that separate tastes are found.

use std::collections::HashSet;

use super::{Algorithm, RecommendParams, Recommendation, Row, always, fit, quality, tastes};

fn bought(rows: &[Row]) -> HashSet<(i64, &'static str)> {
    rows.iter().map(|row| (row.0, row.1)).collect()
}

#[test]
fn separate_tastes_are_found() {
    let found = fit(&RecommendParams::default(), &tastes(), 200).unwrap();
    let ndcg = |algorithm| quality(&found, algorithm).ndcg;
    let popularity = ndcg(Algorithm::Popularity);
    assert!(ndcg(Algorithm::Cosine) > 1.5 * popularity, "{}", found.reason);
    assert!(ndcg(Algorithm::Ease) > 1.5 * popularity, "{}", found.reason);
    assert!(found.reason.starts_with(&format!("{} is best; NDCG@10 of ", found.chosen.name())));
    assert!(found.quality.iter().all(|q| q.chosen == (q.algorithm == found.chosen)));
}

#[test]
fn lists_are_full_dense_in_order_and_of_products_not_bought() {
    let rows = tastes();
    let bought = bought(&rows);
    for algorithm in Algorithm::ALL {
        let found = fit(&always(algorithm), &rows, 200).unwrap();
        assert_eq!((found.chosen, found.recommendations.len()), (algorithm, 3_000));
        for list in found.recommendations.chunk_by(|a, b| a.customer_id == b.customer_id) {
            assert!(list.iter().map(|r| r.rank).eq(1..=10), "{list:?}");
            assert!(list.iter().all(|r| !bought.contains(&(r.customer_id, r.stock_code))));
            assert_eq!(list.iter().map(|r| r.stock_code).collect::<HashSet<_>>().len(), 10);
            let in_order =
                |w: &[Recommendation]| w[0].algorithm != w[1].algorithm || w[0].score >= w[1].score;
            assert!(list.windows(2).all(in_order), "{list:?}");
            for row in list {
                let reason = row.because_of.map(|code| bought.contains(&(row.customer_id, code)));
                assert_eq!(reason, (row.algorithm != Algorithm::Popularity).then_some(true), "{row:?}");
                assert!(row.score > 0.0 && row.score.is_finite());
            }
        }
    }
}

#[test]
fn order_repetition_threads_and_the_future_change_nothing() {
    let rows = tastes();
    let mut other: Vec<Row> = rows.iter().rev().chain(&rows[..50]).copied().collect();
    other.rotate_left(400);
    other.push((1, "from the future", 200));
    for algorithm in Algorithm::ALL {
        let within = |threads, rows: &[Row]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&always(algorithm), rows, 200).unwrap())
        };
        assert_eq!(within(1, &rows), within(3, &other));
    }
}

#[test]
fn equals_stand_in_order_of_stock_code() {
    // b and c are bought by the same customers; so are the three that nobody speaks for.
    let rows = [(1, "a", 0), (1, "c", 0), (1, "b", 0), (2, "a", 0), (3, "z", 0), (3, "x", 0), (3, "y", 0)];
    for algorithm in [Algorithm::Cosine, Algorithm::Ease] {
        let found = fit(&always(algorithm), &rows, 1).unwrap();
        let of_second = found.recommendations.iter().filter(|r| r.customer_id == 2);
        let list: Vec<_> = of_second.map(|r| (r.stock_code, r.algorithm)).collect();
        let fill = Algorithm::Popularity;
        assert_eq!(list, [("b", algorithm), ("c", algorithm), ("x", fill), ("y", fill), ("z", fill)]);
    }
}

#[test]
fn ease_knows_the_most_popular_products_alone_beyond_its_bound() {
    let rows = tastes();
    let params = RecommendParams { largest_dense: 12, ..always(Algorithm::Ease) };
    let found = fit(&params, &rows, 200).unwrap();
    assert_eq!((found.figures.products, found.figures.ease_products), (90, 12));
    let by_ease = found.recommendations.iter().filter(|r| r.algorithm == Algorithm::Ease);
    let known: HashSet<&str> = by_ease.flat_map(|r| [Some(r.stock_code), r.because_of]).flatten().collect();
    assert!((6..=12).contains(&known.len()), "{known:?}");
    assert_eq!(found.recommendations.len(), 3_000, "popularity fills up");
}
