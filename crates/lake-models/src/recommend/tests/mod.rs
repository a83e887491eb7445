//! Tests of the recommendations, and the shops they are tried on.

mod by_hand;
mod degenerate;
mod laws;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Algorithm, Choice, Purchases, Quality, RecommendParams, Recommendation, Recommendations};
use crate::Error;

type Row = (i64, &'static str, i32);

/// What is made of rows of (customer, product, day).
fn fit(params: &RecommendParams, rows: &[Row], as_of: i32) -> Result<Recommendations<'static>, Error> {
    let customer_ids = rows.iter().map(|row| row.0).collect::<Vec<_>>().leak();
    let stock_codes = rows.iter().map(|row| row.1).collect::<Vec<_>>().leak();
    let days = rows.iter().map(|row| row.2).collect::<Vec<_>>().leak();
    params.fit(&Purchases { customer_ids, stock_codes, days, as_of })
}

fn always(algorithm: Algorithm) -> RecommendParams {
    RecommendParams { algorithm: Choice::Always(algorithm), ..RecommendParams::default() }
}

fn quality(found: &Recommendations, algorithm: Algorithm) -> Quality {
    *found.quality.iter().find(|q| q.algorithm == algorithm).unwrap()
}

/// 300 customers of 3 tastes: of 90 products each buys 5 to 14 among the 30 of their taste, over 200 days.
fn tastes() -> Vec<Row> {
    let codes: Vec<&'static str> = (0..90).map(|i| &*format!("{:02}", i * 7 % 90).leak()).collect();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut rows = Vec::new();
    for customer in 0..300 {
        for _ in 0..random.random_range(5..15) {
            let product = (customer % 3) * 30 + (30.0 * random.random::<f64>().powi(2)) as i64;
            rows.push((customer, codes[product as usize], random.random_range(0..200)));
        }
    }
    rows
}
