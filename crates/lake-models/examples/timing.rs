//! Times
#[path = "../tests/it/simulate.rs"]
mod simulate;
use lake_models::value::*;
use std::time::Instant;
fn cdnow() -> (Vec<Customer>, Vec<Spend>) {
    std::fs::read_to_string("tests/data/cdnow_customers_summary_with_transactions.csv")
        .unwrap()
        .lines()
        .skip(1)
        .map(|l| {
            let v: Vec<&str> = l.split(',').collect();
            let x = v[1].parse().unwrap();
            (
                Customer { x, t_x: v[2].parse().unwrap(), t: v[3].parse().unwrap() },
                Spend { x, mean: v[4].trim().parse().unwrap() },
            )
        })
        .unzip()
}
fn one<M: Process + std::fmt::Debug>(d: &Summaries) {
    let t = Instant::now();
    let f = FitParams::default().fit::<M>(d).unwrap();
    let fit = t.elapsed();
    let h: Vec<f64> = (1..=12).map(|k| k as f64 * 30. / 7.).chain([365. / 7.]).collect();
    let e = f.model.expected_purchases(d, &h);
    println!(
        "{:?}\n   {} fit {:?} predict {:?} {}",
        f,
        M::NAME,
        fit,
        t.elapsed() - fit,
        e[0].iter().sum::<f64>()
    );
}
fn main() {
    let (c, s) = cdnow();
    let d = Summaries::new(&c).unwrap();
    one::<Nbd>(&d);
    one::<BgNbd>(&d);
    one::<MbgNbd>(&d);
    one::<ParetoNbd>(&d);
    println!("{:?}", GammaGamma::fit(&FitParams::default(), &s).unwrap());
    for daily in [true, false] {
        let (c, _) = simulate::customers(300_000, 0.8, 8.0, &simulate::Dropout::Rate(0.7, 12.0), 1, daily);
        let t = Instant::now();
        let d = Summaries::new(&c).unwrap();
        println!("{} {} collapse {:?}", daily, d.unique(), t.elapsed());
        one::<Nbd>(&d);
        one::<BgNbd>(&d);
        one::<MbgNbd>(&d);
        one::<ParetoNbd>(&d);
        for m in 0..2 {
            let t = Instant::now();
            let _ = if m == 0 {
                BgNbd { r: 1., alpha: 8., a: 1., b: 3. }.score(&d)
            } else {
                ParetoNbd { r: 1., alpha: 8., s: 1., beta: 3. }.score(&d)
            };
            println!("score {:?}", t.elapsed());
        }
    }
}
