//! Axes that begin, end and are ticked at round numbers.

/// An axis from `lo` to `hi`, ticked at the multiples of `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// First value shown.
    pub lo: f64,
    /// Last value shown.
    pub hi: f64,
    /// Distance between two ticks: 1, 2 or 5 times a power of ten.
    pub step: f64,
}

impl Scale {
    /// The round axis that holds `lo..=hi` in about `target` steps of at least `smallest_step`.
    pub(crate) fn round(lo: f64, hi: f64, target: usize, smallest_step: f64) -> Scale {
        let (lo, hi) = widen(lo, hi);
        let step = round_step((hi - lo) / target.max(1) as f64).max(smallest_step);
        // A hair of tolerance, so that 0.3 / 0.1 does not ask for one more step.
        let (first, last) = ((lo / step + 1e-9).floor(), (hi / step - 1e-9).ceil());
        Scale { lo: first * step, hi: last * step, step }
    }

    /// The axis that holds `lo..=hi` with a little air and ends there, round or not, if it has two ticks then.
    pub(crate) fn close(lo: f64, hi: f64, target: usize, smallest_step: f64) -> Scale {
        let round = Scale::round(lo, hi, target, smallest_step);
        let (lo, hi) = widen(lo, hi);
        let air = (hi - lo) * 0.03;
        let close = Scale { lo: lo - air, hi: hi + air, step: round.step };
        if close.count() >= 1.0 { close } else { round }
    }

    /// The values to label, in order.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        (0..=self.count() as usize).map(|i| (self.first() + i as f64) * self.step).collect()
    }

    /// Number of the first tick, counted from zero in steps.
    fn first(&self) -> f64 {
        (self.lo / self.step - 1e-6).ceil()
    }

    /// Steps between the first and the last tick.
    fn count(&self) -> f64 {
        (self.hi / self.step + 1e-6).floor() - self.first()
    }
}

/// The smallest and largest of `values`; `None` when there are none.
pub(crate) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((lo, hi)) => Some((value.min(lo), value.max(hi))),
    })
}

/// Lets an extent reach zero where that costs less than half of the picture, or where `always`.
pub(crate) fn reach_zero((lo, hi): (f64, f64), always: bool) -> (f64, f64) {
    let low = if lo > 0.0 && (always || lo < hi / 2.0) { 0.0 } else { lo };
    let high = if hi < 0.0 && (always || hi > lo / 2.0) { 0.0 } else { hi };
    (low, high)
}

/// Gives a constant, or one that differs by rounding alone, some room on both sides.
fn widen(lo: f64, hi: f64) -> (f64, f64) {
    let size = lo.abs().max(hi.abs());
    if hi - lo > 1e-9 * size.max(1e-3) {
        return (lo, hi);
    }
    let room = if size > 1e-12 { size * 0.1 } else { 1.0 };
    (lo - room, hi + room)
}

/// The first of 1, 2, 5, 10 times a power of ten that is at least `raw`.
fn round_step(raw: f64) -> f64 {
    let power = 10_f64.powi(raw.log10().floor() as i32);
    let factors = [1.0, 2.0, 5.0, 10.0];
    factors.into_iter().map(|factor| factor * power).find(|step| *step >= raw * (1.0 - 1e-9)).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let scale = Scale::round(0.0, 93_400.0, 6, 0.0);
        assert_eq!((scale.lo, scale.hi, scale.step), (0.0, 100_000.0, 20_000.0));
        assert_eq!(scale.ticks(), [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]);
        let scale = Scale::round(-3.2, 7.1, 5, 0.0);
        assert_eq!((scale.lo, scale.hi, scale.step), (-5.0, 10.0, 5.0));
    }

    #[test]
    fn every_extent_gives_few_ticks_that_hold_it() {
        let ends = [-1e15, -123.4, -1e-9, 0.0, 1e-12, 0.7, 1.0, 99.9, 4e8, 1e15];
        for lo in ends {
            for hi in ends.into_iter().filter(|hi| *hi >= lo) {
                let scale = Scale::round(lo, hi, 6, 0.0);
                let slack = scale.step * 1e-6;
                assert!(scale.lo <= lo + slack && scale.hi >= hi - slack, "{lo}..{hi}: {scale:?}");
                assert!((2..=9).contains(&scale.ticks().len()), "{lo}..{hi}: {scale:?}");
                let close = Scale::close(lo, hi, 6, 0.0);
                assert!((2..=9).contains(&close.ticks().len()), "{lo}..{hi}: {close:?}");
            }
        }
    }

    #[test]
    fn counts_are_ticked_at_whole_numbers() {
        assert_eq!(Scale::close(0.2, 0.4, 6, 1.0).ticks(), [0.0, 1.0]);
        assert_eq!(Scale::round(1.0, 3.0, 6, 1.0).ticks(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn zero_is_reached_when_it_is_near() {
        assert_eq!(reach_zero((10.0, 100.0), false), (0.0, 100.0));
        assert_eq!(reach_zero((90.0, 100.0), false), (90.0, 100.0));
        assert_eq!(reach_zero((90.0, 100.0), true), (0.0, 100.0));
        assert_eq!(reach_zero((-100.0, -10.0), false), (-100.0, 0.0));
    }
}
