//! A daily series as the models see it: the open weekdays only, the days without trade missing.
//!
//! Closed weekdays are taken out, so a season is the number of weekdays that trade (six in a shop closed on
//! Saturdays) and no zero of a locked door is mistaken for demand. A holiday on an open weekday stays as a
//! missing value rather than being cut out: cutting it would shift the weekdays against the season. Where a
//! weekday does not trade as a rule, a day without trade is a zero like any other: nobody came.

use super::calendar::Calendar;

/// A regular grid of open weekdays, from the first day of training to the origin.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Open weekdays per week; the length of the season.
    pub season: usize,
    /// One value per open weekday; `None` on holidays. Empty if the shop never traded.
    pub values: Vec<Option<f64>>,
    origin: i32,
}

impl Grid {
    /// Lays `values` of the days `first_day ..` on the grid of the weekdays that `calendar` leaves open.
    pub fn new(first_day: i32, traded: &[bool], values: &[f64], calendar: &Calendar) -> Self {
        let season = 7 - calendar.closed_weekdays().len();
        let ever = traded.contains(&true);
        let on_grid = (first_day..)
            .zip(traded.iter().zip(values))
            .filter(|(day, _)| ever && !calendar.is_closed_weekday(*day))
            .map(|(day, (traded, value))| (*traded || !calendar.is_ordinary_weekday(day)).then_some(*value))
            .collect();
        Self { season, values: on_grid, origin: first_day + traded.len() as i32 - 1 }
    }

    /// The values that are not missing.
    pub fn observed(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().flatten().copied()
    }

    /// Their mean, if there are any.
    pub fn mean(&self) -> Option<f64> {
        let n = self.observed().count();
        (n > 0).then(|| self.observed().sum::<f64>() / n as f64)
    }

    /// Says whether all observed values are equal.
    pub fn is_constant(&self) -> bool {
        let mut observed = self.observed();
        let first = observed.next();
        observed.all(|y| Some(y) == first)
    }

    /// Steps ahead on the grid for each of the `horizon` days after the origin; `None` on closed days.
    pub fn steps(&self, horizon: usize, calendar: &Calendar) -> Vec<Option<usize>> {
        let mut step = 0;
        (1..=horizon as i32)
            .map(|h| {
                let day = self.origin + h;
                step += usize::from(!calendar.is_closed_weekday(day));
                (!calendar.is_closed(day)).then_some(step)
            })
            .collect()
    }

    /// Differences of each observed value from the last one observed a whole number of seasons before.
    pub fn seasonal_differences(&self) -> Vec<f64> {
        let mut last = vec![None; self.season.max(1)];
        let mut differences = Vec::new();
        for (t, y) in self.values.iter().enumerate() {
            let Some(y) = y else { continue };
            let slot = &mut last[t % self.season.max(1)];
            if let Some(before) = *slot {
                differences.push(y - before);
            }
            *slot = Some(*y);
        }
        differences
    }

    /// The values with the missing ones filled in, on a line between their weekday's neighbours in time.
    ///
    /// A weekday that never traded gets the mean of all observed values. `None` if nothing was observed.
    pub fn filled(&self) -> Option<Vec<f64>> {
        let mean = self.mean()?;
        let mut filled = vec![mean; self.values.len()];
        for phase in 0..self.season.max(1) {
            let at: Vec<usize> = (phase..self.values.len()).step_by(self.season.max(1)).collect();
            let weekday: Vec<Option<f64>> = at.iter().map(|t| self.values[*t]).collect();
            for (t, y) in at.iter().zip(interpolate(&weekday, mean)) {
                filled[*t] = y;
            }
        }
        Some(filled)
    }
}

/// Fills gaps on the line between their neighbours, ends with the nearest value, all-missing with `default`.
fn interpolate(values: &[Option<f64>], default: f64) -> Vec<f64> {
    let known: Vec<(usize, f64)> = values.iter().enumerate().filter_map(|(i, y)| y.map(|y| (i, y))).collect();
    (0..values.len())
        .map(|i| {
            let next = known.partition_point(|(k, _)| *k < i);
            match (next.checked_sub(1).map(|k| known[k]), known.get(next)) {
                (_, Some((k, y))) if *k == i => *y,
                (Some((a, ya)), Some((b, yb))) => ya + (yb - ya) * (i - a) as f64 / (b - a) as f64,
                (Some((_, y)), None) => y,
                (None, Some((_, y))) => *y,
                (None, None) => default,
            }
        })
        .collect()
}

#[cfg(test)]
impl Grid {
    /// A grid of known values.
    pub fn of(season: usize, values: &[f64]) -> Self {
        Self { season, values: values.iter().map(|y| Some(*y)).collect(), origin: values.len() as i32 - 1 }
    }
}
