//! Times segments, fits, predictions and intervals of 300,000 simulated customers: `cargo run --release
//! --example timing`.

#[allow(dead_code, clippy::unwrap_used)]
#[path = "../tests/it/simulate.rs"]
mod simulate;

use std::time::Instant;

use lake_models::segment::*;
use lake_models::value::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Seconds of processor time of this process: what counts on a machine that others use, too.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.split_whitespace().skip(13).take(2).filter_map(|t| t.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let (start, before) = (Instant::now(), processor_seconds());
    let result = run();
    let processor = processor_seconds() - before;
    println!("{what:<40} {:>8.3} s, {processor:>6.2} s of processors", start.elapsed().as_secs_f64());
    result
}

fn one<M: Process>(data: &Summaries, horizons: &[f64]) -> Fitted<M> {
    let fitted = timed(&format!("{} fit", M::NAME), || Fitted::<M>::fit(data)).expect("fits");
    timed(&format!("{} expectations, 15 horizons", M::NAME), || {
        fitted.model.expected_purchases(data, horizons)
    });
    println!("    {:?} log-likelihood {:.2}", fitted.model.values(), fitted.log_likelihood);
    fitted
}

fn all(customers: &[Customer]) {
    let data = timed("collapse", || Summaries::new(customers)).expect("valid");
    println!("    {} customers", customers.len());
    let params = ClvParams::default();
    let mut horizons = params.month_ends();
    horizons.extend([30, 90, 365].map(|d| f64::from(d) / DAYS_PER_WEEK));
    one::<Nbd>(&data, &horizons);
    let bg = one::<BgNbd>(&data, &horizons);
    one::<MbgNbd>(&data, &horizons);
    let pareto = one::<ParetoNbd>(&data, &horizons);
    let spend: Vec<Spend> = (0_u32..)
        .zip(customers)
        .map(|(i, c)| Spend { x: c.x, mean: if c.x == 0 { 0.0 } else { f64::from(i % 997 + 3) * 0.37 } })
        .collect();
    let fitted = timed("gamma_gamma fit", || GammaGamma::fit(&spend)).expect("fits");
    let value = OrderValue::GammaGamma(fitted);
    let futures = Futures { data: &data, spend: &spend };
    timed("intervals, bg_nbd", || futures.interval(&params, &Purchases::BgNbd(bg), &value)).expect("valid");
    timed("intervals, pareto_nbd", || futures.interval(&params, &Purchases::ParetoNbd(pareto), &value))
        .expect("valid");
}

/// Most memory held so far, as the system counts it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned()
}

/// Segments of customers with 14 features, which come from six groups that overlap.
fn segments(n: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let names: Vec<String> = (0..14).map(|f| format!("feature_{f}")).collect();
    let mut columns = vec![vec![0.0; n]; names.len()];
    for i in 0..n {
        let size = (i % 6) as f64 / 2.0 + rng.random_range(0.0..2.0);
        for (f, column) in columns.iter_mut().enumerate() {
            let group = ((i % 6 * (f + 1)) % 5) as f64 / 3.0;
            column[i] = (size + group + rng.random_range(0.0_f64..3.0)).exp();
        }
    }
    let feature = |(name, values)| Feature { name, values, is_amount: true };
    let named = names.iter().map(String::as_str).zip(columns.iter().map(Vec::as_slice));
    let features: Vec<Feature> = named.map(feature).collect();
    let ids: Vec<i64> = (0..n as i64).collect();
    let customers = Customers {
        ids: &ids,
        features: &features,
        value: "feature_0",
        previous: &vec![None; n],
        previous_silhouette: None,
    };
    for algorithm in [Algorithm::KMeans, Algorithm::GaussianMixture] {
        let params = SegmentParams { algorithm, ..SegmentParams::default() };
        let what = format!("segments of {n} by {}", algorithm.name());
        let found = timed(&what, || params.fit(&customers)).expect("fits");
        println!("    {} segments, {:?}", found.segments.len(), found.quality);
        println!("    peak memory {}", peak_memory());
    }
}

fn main() {
    use simulate::Dropout;
    segments(4_000);
    segments(300_000);
    let cases = [
        ("times in days", Dropout::Rate(0.7, 12.0), true),
        ("times in days, nobody leaves", Dropout::Never, true),
        ("continuous times, no two the same", Dropout::Rate(0.7, 12.0), false),
    ];
    for (what, dropout, daily) in cases {
        println!("{what}");
        all(&simulate::customers(300_000, 0.8, 8.0, &dropout, 1, daily).0);
    }
}
