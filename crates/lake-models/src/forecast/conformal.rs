//! Prediction intervals by split conformal inference (Vovk, Gammerman & Shafer 2005; Lei et al. 2018) from
//! the residuals of the backtest.
//!
//! Residuals of all horizons are pooled after division by a scale that is constant within a week of the
//! horizon and never shrinks with it. Each tail has its own quantile, since sales are skewed; the interval
//! always holds its forecast. Where there are too few residuals for the finite-sample rank of a level, there
//! is no interval rather than one without its guarantee.
//!
//! An intermittent series, 0 on most days, has no errors around its forecast: most are the forecast itself
//! with its sign changed, and zeros would drop out of the interval whenever the level moves. Its intervals
//! are calibrated on the actual values instead.

/// The two published levels.
const LEVELS: [f64; 2] = [0.80, 0.95];

/// A day of a backtest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Days from the origin, from 1.
    pub horizon: usize,
    /// What came.
    pub actual: f64,
    /// What was forecast.
    pub forecast: f64,
}

/// Intervals around point forecasts: a scale per week of the horizon, and offsets per level.
#[derive(Debug, Clone)]
pub struct Bands {
    intermittent: bool,
    scale: Vec<f64>,
    offsets: [Option<(f64, f64)>; 2],
}

impl Bands {
    /// Calibrates on the outcomes of forecasts of a series, which may be intermittent.
    pub fn fit(outcomes: &[Outcome], intermittent: bool) -> Self {
        let scale = if intermittent { Vec::new() } else { scales(outcomes) };
        let centre = |o: &Outcome| if intermittent { 0.0 } else { o.forecast };
        let mut scores: Vec<f64> =
            outcomes.iter().map(|o| (o.actual - centre(o)) / at(&scale, o.horizon)).collect();
        scores.sort_unstable_by(f64::total_cmp);
        Self { intermittent, scale, offsets: LEVELS.map(|level| tails(&scores, level)) }
    }

    /// The interval of the `level`-th of [`LEVELS`] around a forecast `h` days ahead.
    pub fn interval(&self, level: usize, h: usize, forecast: f64) -> Option<(f64, f64)> {
        let centre = if self.intermittent { 0.0 } else { forecast };
        let scale = at(&self.scale, h);
        let (lo, hi) = self.offsets[level]?;
        Some(((centre + lo * scale).min(forecast), (centre + hi * scale).max(forecast)))
    }
}

/// The share of days inside their intervals of each of [`LEVELS`] when each origin, whose days are no other's,
/// is judged by bands of the other origins.
///
/// `None` with fewer than two origins, or where the others are too few for the level.
pub fn coverage(origins: &[Vec<Outcome>], intermittent: bool) -> [Option<f64>; 2] {
    let (mut inside, mut days) = ([Some(0_usize); 2], 0_usize);
    for (i, held_out) in origins.iter().enumerate() {
        let others = [&origins[..i], &origins[i + 1..]].concat().concat();
        let bands = Bands::fit(&others, intermittent);
        for o in held_out {
            for (level, inside) in inside.iter_mut().enumerate() {
                let interval = bands.interval(level, o.horizon, o.forecast);
                let hit = interval.map(|(lo, hi)| usize::from(lo <= o.actual && o.actual <= hi));
                *inside = inside.zip(hit).map(|(inside, hit)| inside + hit);
            }
        }
        days += held_out.len();
    }
    inside.map(|inside| inside.filter(|_| days > 0).map(|inside| inside as f64 / days as f64))
}

/// The score quantiles with (1 − level) / 2 beyond each: of rank ⌈(n+1)(1 − α/2)⌉ from either end.
///
/// What ties at the lower quantile (the zeros of a series) leave unused of its tail goes to the upper tail:
/// at most α is left out in all.
fn tails(sorted: &[f64], level: f64) -> Option<(f64, f64)> {
    let n = sorted.len();
    let rank = ((n + 1) as f64 * (1.0 + level) / 2.0 - 1e-9).ceil() as usize;
    if n == 0 || rank > n {
        return None;
    }
    let lo = sorted[n - rank];
    let unused = n - rank - sorted.partition_point(|s| *s < lo);
    Some((lo, sorted[rank - 1 - unused].max(lo)))
}

/// The mean absolute error per week of the horizon, made non-decreasing by pooling adjacent violators.
fn scales(outcomes: &[Outcome]) -> Vec<f64> {
    let weeks = outcomes.iter().map(|o| week(o.horizon) + 1).max().unwrap_or(0);
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for w in 0..weeks {
        let of_week: Vec<f64> =
            outcomes.iter().filter(|o| week(o.horizon) == w).map(|o| (o.actual - o.forecast).abs()).collect();
        blocks.push((of_week.iter().sum(), of_week.len() as f64, 1));
        while let [.., (sum, n, width), last] = &mut blocks[..] {
            if *n > 0.0 && last.1 > 0.0 && *sum / *n <= last.0 / last.1 {
                break;
            }
            (*sum, *n, *width) = (*sum + last.0, *n + last.1, *width + last.2);
            blocks.pop();
        }
    }
    let largest = blocks.iter().map(|(sum, n, _)| sum / n.max(1.0)).fold(0.0, f64::max);
    let floor = if largest > 0.0 { 1e-9 * largest } else { 1.0 };
    blocks.iter().flat_map(|(sum, n, width)| vec![(sum / n.max(1.0)).max(floor); *width]).collect()
}

/// The scale of horizon `h`, the last known one beyond.
fn at(scale: &[f64], h: usize) -> f64 {
    scale.get(week(h)).or(scale.last()).copied().unwrap_or(1.0)
}

/// The week of the horizon, from 0.
fn week(h: usize) -> usize {
    h.saturating_sub(1) / 7
}
