//! Times fits, predictions and intervals on 300,000 simulated customers: `cargo run --release --example
//! timing`.

#[allow(dead_code, clippy::unwrap_used)]
#[path = "../tests/it/simulate.rs"]
mod simulate;

use std::time::Instant;

use lake_models::value::*;

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
    let fitted = timed(&format!("{} fit", M::NAME), || FitParams::default().fit::<M>(data)).expect("fits");
    timed(&format!("{} expectations, 15 horizons", M::NAME), || {
        fitted.model.expected_purchases(data, horizons)
    });
    println!("    {:?} log-likelihood {:.2}", fitted.model.values(), fitted.log_likelihood);
    fitted
}

fn all(customers: &[Customer]) {
    let data = timed("collapse", || Summaries::new(customers)).expect("valid");
    println!("    {} customers, {} rows", customers.len(), data.unique());
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
    let fitted = timed("gamma_gamma fit", || GammaGamma::fit(&FitParams::default(), &spend)).expect("fits");
    let value = OrderValue::GammaGamma(fitted);
    let futures = Futures { data: &data, spend: &spend };
    timed("intervals, bg_nbd", || futures.interval(&params, &Purchases::BgNbd(bg), &value)).expect("valid");
    timed("intervals, pareto_nbd", || futures.interval(&params, &Purchases::ParetoNbd(pareto), &value))
        .expect("valid");
}

fn main() {
    use simulate::Dropout;
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
