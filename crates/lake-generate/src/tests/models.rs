//! The population is what `truth/parameters.json` says: a score test of each model at its true parameters.
//! Under the model, score' · information⁻¹ · score is χ² with as many degrees of freedom as parameters.

use super::reader::day;
use crate::basket::Basket;
use crate::calendar::Calendar;
use crate::job::Job;
use crate::population::{A, ALPHA, B, P, Population, Progress, Q, R};
use crate::walker::Walker;
use crate::world::World;
use crate::{Dirt, Parameters, Split};

/// ln Γ (Lanczos 1964, g = 7, n = 9).
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let t = x + 7.5;
    let series = COEFFICIENTS.iter().zip(1..).map(|(c, i)| c / (x + f64::from(i))).sum::<f64>();
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + (0.999_999_999_999_809_9 + series).ln()
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// BG/NBD log-likelihood of one customer.
fn bg_nbd([r, alpha, a, b]: [f64; 4], [x, t_x, t]: [f64; 3]) -> f64 {
    let alive = ln_beta(a, b + x) - ln_beta(a, b) - (r + x) * (alpha + t).ln();
    let dropped = match x > 0.0 {
        true => ln_beta(a + 1.0, b + x - 1.0) - ln_beta(a, b) - (r + x) * (alpha + t_x).ln(),
        false => f64::NEG_INFINITY,
    };
    let most = alive.max(dropped);
    ln_gamma(r + x) - ln_gamma(r)
        + r * alpha.ln()
        + most
        + ((alive - most).exp() + (dropped - most).exp()).ln()
}

/// Gamma–Gamma log-likelihood of one customer with `x` days of mean spend `m`.
fn gamma_gamma([p, q, v]: [f64; 3], [x, m]: [f64; 2]) -> f64 {
    ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q) + q * v.ln() + (p * x - 1.0) * m.ln() + p * x * x.ln()
        - (p * x + q) * (x * m + v).ln()
}

/// The score statistic of the parameters over all observations.
fn score<const K: usize, const D: usize>(
    likelihood: fn([f64; K], [f64; D]) -> f64,
    parameters: [f64; K],
    data: &[[f64; D]],
) -> f64 {
    let (mut sum, mut information) = ([0.0; K], [[0.0; K]; K]);
    for &observed in data {
        let gradient: [f64; K] = std::array::from_fn(|k| {
            let step = parameters[k] * 1e-4;
            let moved = |by| std::array::from_fn(|j| parameters[j] + if j == k { by } else { 0.0 });
            (likelihood(moved(step), observed) - likelihood(moved(-step), observed)) / (2.0 * step)
        });
        for i in 0..K {
            sum[i] += gradient[i];
            (0..K).for_each(|j| information[i][j] += gradient[i] * gradient[j]);
        }
    }
    let solved = solve(information, sum);
    (0..K).map(|k| sum[k] * solved[k]).sum()
}

/// Gauss–Jordan elimination of a positive definite system.
fn solve<const K: usize>(mut matrix: [[f64; K]; K], mut right: [f64; K]) -> [f64; K] {
    for pivot in 0..K {
        for row in (0..K).filter(|&row| row != pivot) {
            let times = matrix[row][pivot] / matrix[pivot][pivot];
            let (above, below) = (matrix[pivot], right[pivot]);
            (0..K).for_each(|column| matrix[row][column] -= times * above[column]);
            right[row] -= times * below;
        }
    }
    std::array::from_fn(|k| right[k] / matrix[k][k])
}

/// Summaries (x, t_x, T) in calendar weeks, and (x, m) of the spend, as an analyst would make them.
fn summaries(seed: u64, customers: u64) -> (Vec<[f64; 3]>, Vec<[f64; 2]>) {
    let calendar = Calendar::new(day("2009-12-01"), day("2011-12-09"));
    let population = Population::new(seed, customers, &calendar);
    let end = day("2011-12-10");
    let (mut counts, mut spends) = (Vec::new(), Vec::new());
    for id in 0..customers as u32 {
        let mut progress = Progress::default();
        let mut days = Vec::new();
        while let Some(visit) = population.next_visit(id, &mut progress, &calendar) {
            days.push((calendar.date(visit.day), visit.spend));
        }
        assert!(days.is_sorted_by_key(|&(date, _)| date));
        let (first, x) = (days[0].0, (days.len() - 1) as f64);
        let weeks = |date: chrono::NaiveDate| (date - first).num_days() as f64 / 7.0;
        counts.push([x, weeks(days[days.len() - 1].0), weeks(end)]);
        if x > 0.0 {
            spends.push([x, days[1..].iter().map(|&(_, spend)| spend).sum::<f64>() / x]);
        }
    }
    (counts, spends)
}

/// χ² with 4 and with 3 degrees of freedom exceeds these once in ten thousand.
const FOUR_DEGREES: f64 = 23.5;
const THREE_DEGREES: f64 = 21.1;

#[test]
fn customers_follow_bg_nbd_and_gamma_gamma_at_the_stated_parameters() {
    for seed in [1, 2, 3] {
        let (counts, spends) = summaries(seed, 5_000);
        let bg = score(bg_nbd, [R, ALPHA, A, B], &counts);
        assert!(bg < FOUR_DEGREES, "seed {seed}: {bg}");
        let v = (Q - 1.0) / P;
        let gg = score(gamma_gamma, [P, Q, v], &spends);
        assert!(gg < THREE_DEGREES, "seed {seed}: {gg}");
        let wrong = score(bg_nbd, [R, ALPHA * 1.3, A, B], &counts);
        assert!(wrong > FOUR_DEGREES, "the test would not notice: {wrong}");
    }
}

#[test]
fn moments_are_sane() {
    let (counts, spends) = summaries(4, 5_000);
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let values: Vec<_> = values.collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let repeat = mean(&mut counts.iter().map(|[x, ..]| *x));
    assert!((1.5..8.0).contains(&repeat), "{repeat}");
    let once = mean(&mut counts.iter().map(|[x, ..]| f64::from(u8::from(*x == 0.0))));
    assert!((0.1..0.4).contains(&once), "{once}");
    let spend = mean(&mut spends.iter().map(|[_, m]| *m));
    assert!((0.95..1.05).contains(&spend), "{spend}");
}

#[test]
fn baskets_cost_what_they_are_meant_to() {
    let (from, to) = (day("2010-12-01"), day("2011-12-09"));
    let wanted =
        Parameters { seed: 5, customers: 300, lines: 30_000, from, to, split: Split::None, dirt: Dirt::None };
    let world = World::new(&wanted, 1).unwrap();
    let mut basket = Basket::new();
    let (mut sales, mut far, mut meant, mut made) = (0, 0, 0, 0);
    Walker::new(&world).walk(&mut |chunk| {
        for job in &chunk.jobs {
            let Job::Sale(sale) = job else { continue };
            basket.fill(&world, sale);
            let kept = |line: &crate::basket::Line| i64::from(line.quantity - line.returned);
            let net: i64 = basket.lines.iter().map(|line| kept(line) * i64::from(line.price)).sum();
            let off = (net - sale.pence).abs() as f64 / sale.pence as f64;
            sales += 1;
            far += u32::from(off > 0.05);
            meant += sale.pence;
            made += net;
        }
        true
    });
    assert!(sales > 1_000);
    assert!(f64::from(far) < 0.05 * f64::from(sales), "{far} of {sales} are off");
    assert!((made as f64 / meant as f64 - 1.0).abs() < 0.01, "{made} for {meant}");
}
