//! Customers simulated from a model's story, event by event, so that a fit can be held to known parameters.

use lake_models::value::Customer;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Exp, Gamma};

/// When a customer leaves.
pub enum Dropout {
    /// Never.
    Never,
    /// After a repeat purchase, with probability p ~ Beta(a, b).
    Repeat(f64, f64),
    /// After any purchase, with probability p ~ Beta(a, b).
    Any(f64, f64),
    /// At a rate μ ~ Gamma(s, β).
    Rate(f64, f64),
}

pub fn gamma(rng: &mut ChaCha8Rng, shape: f64, rate: f64) -> f64 {
    Gamma::new(shape, 1.0 / rate).unwrap().sample(rng)
}

/// `n` customers who joined during the first 40 of 80 weeks, and what each bought in the 30 weeks after.
///
/// With `daily`, times are whole days.
pub fn customers(
    n: usize,
    r: f64,
    alpha: f64,
    dropout: &Dropout,
    seed: u64,
    daily: bool,
) -> (Vec<Customer>, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let round = |t: f64| if daily { (t * 7.0).ceil() / 7.0 } else { t };
    (0..n)
        .map(|_| {
            let t = round(80.0 - 40.0 * rng.random::<f64>());
            let gaps = Exp::new(gamma(&mut rng, r, alpha).max(1e-12)).unwrap();
            let (p, first, end) = match *dropout {
                Dropout::Never => (0.0, false, f64::INFINITY),
                Dropout::Repeat(a, b) => (Beta::new(a, b).unwrap().sample(&mut rng), false, f64::INFINITY),
                Dropout::Any(a, b) => (Beta::new(a, b).unwrap().sample(&mut rng), true, f64::INFINITY),
                Dropout::Rate(s, beta) => {
                    let mu = gamma(&mut rng, s, beta).max(1e-12);
                    (0.0, false, Exp::new(mu).unwrap().sample(&mut rng))
                }
            };
            let mut alive = !(first && rng.random::<f64>() < p);
            let (mut x, mut t_x, mut later, mut now, mut day) = (0, 0.0, 0.0, 0.0, 0.0);
            while alive {
                now += gaps.sample(&mut rng);
                if now > end.min(t + 30.0) {
                    break;
                }
                alive = rng.random::<f64>() >= p;
                if daily && round(now) == day {
                    continue;
                }
                day = round(now);
                if day <= t {
                    (x, t_x) = (x + 1, day);
                } else {
                    later += 1.0;
                }
            }
            (Customer { x, t_x, t }, later)
        })
        .unzip()
}
