//! Recommends from purchases and times it: `cargo run --release --example recommend -- FILE.csv [RIDGE
//! [DAYS_LEFT_OUT]]`, rows of `customer_id,stock_code,day` under a header; `-` for 300,000 simulated
//! customers of 10,000 products.

use std::time::Instant;

use lake_models::recommend::{Purchases, RecommendParams};
use rand::{RngExt, SeedableRng};

type Rows = (Vec<i64>, Vec<String>, Vec<i32>);

/// The rows of a CSV file without quotes.
fn read(path: &str) -> Rows {
    let text = std::fs::read_to_string(path).expect("a readable file");
    let mut rows = Rows::default();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        rows.0.push(fields[0].parse().expect("a customer id"));
        rows.1.push(fields[1].to_owned());
        rows.2.push(fields[2].parse().expect("a day"));
    }
    rows
}

/// About 50 purchases each in a year, most of them of few products.
fn simulate() -> Rows {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut rows = Rows::default();
    for customer in 0..300_000 {
        let purchases = (10.0 / (random.random::<f64>() + 0.02)) as u32;
        for _ in 0..purchases {
            rows.0.push(customer);
            rows.1.push(format!("{:05}", (10_000.0 * random.random::<f64>().powi(2)) as u32));
            rows.2.push(random.random_range(0..365));
        }
    }
    rows
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (customer_ids, codes, days) = if args[0] == "-" { simulate() } else { read(&args[0]) };
    let mut params = RecommendParams::default();
    if let Some(ridge) = args.get(1) {
        params.ridge = ridge.parse().expect("a number");
    }
    let left_out: i32 = args.get(2).map_or(0, |days| days.parse().expect("days"));
    let as_of = days.iter().max().expect("a row") + 1 - left_out;
    let stock_codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let start = Instant::now();
    let found = params
        .fit(&Purchases { customer_ids: &customer_ids, stock_codes: &stock_codes, days: &days, as_of })
        .expect("a fit");
    println!("{} rows in {:.2} s: {}", days.len(), start.elapsed().as_secs_f64(), found.reason);
    println!("{:?}", found.figures);
    found.quality.iter().for_each(|quality| println!("{quality:?}"));
}
