//! Daily sales forecasts: a learned calendar, competing models, conformal intervals, coherent hierarchies.
//!
//! [`Params::fit`] takes daily series and gives the rows of three tables: forecast, backtest, accuracy. Each
//! series is forecast by the candidate of lowest mean MASE in a rolling-origin backtest, seasonal naive
//! unless one beats it; parts are made to sum to their total; intervals come from backtest residuals, and
//! their coverage is measured on origins that did not calibrate them. The same input gives the same rows at
//! any number of threads, in any order of the series, and never a value that is not finite.
//!
//! A last day that is only partly covered is not trained on. No model works on months, so a month in
//! progress needs no such care: its complete days are as good as any.

mod accuracy;
mod backtest;
mod calendar;
mod candidates;
mod conformal;
mod ets;
mod grid;
mod mstl;
mod publish;
mod reconcile;
mod season;
mod simplex;
mod tables;
mod theta;

#[cfg(test)]
mod tests;

pub use calendar::{Calendar, is_last_day_partial, iso_weekday, month_day};
pub use candidates::Model;
pub use conformal::LEVELS;
pub use reconcile::Reconciliation;
pub use tables::{AccuracyRow, BacktestRow, ForecastRow, Kind};

use crate::error::Error;
use backtest::Origin;

/// What the forecast may be asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// Calendar days to forecast.
    pub horizon: usize,
    /// Origins of the backtest, each followed by a full horizon.
    pub origins: usize,
    /// Calendar days between origins; the horizon for periods that do not overlap.
    pub step: usize,
    /// Calendar days the first origin must leave for training; origins that leave fewer are dropped.
    pub min_training: usize,
    /// Weeks in which a weekday must have been seen before it can be called closed.
    pub min_weeks: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { horizon: 28, origins: 6, step: 28, min_training: 56, min_weeks: 5 }
    }
}

/// A daily series; its values lie on the days of its [`Input`].
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name, unique.
    pub name: String,
    /// The series it is a part of, whose values its siblings and it sum to.
    pub parent: Option<String>,
    /// One value per calendar day.
    pub values: Vec<f64>,
    /// Whether it cannot be negative: then neither can its forecast nor its intervals.
    pub non_negative: bool,
}

/// Daily series of one shop, over the same calendar days without a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The first day, counted from 1970-01-01.
    pub first_day: i32,
    /// Whether the shop traded, per day.
    pub traded: Vec<bool>,
    /// The hour (0–23) of the day's last line, per day, where known.
    pub last_hour: Vec<Option<u8>>,
    /// The series.
    pub series: Vec<Series>,
}

/// Why a series has no forecast, or a lesser one than asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The series.
    pub series: String,
    /// The reason.
    pub reason: String,
}

/// The published tables and what was learned on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecasts {
    /// History and forecast, by series in the order of the input, then day.
    pub forecast: Vec<ForecastRow>,
    /// The scored days of the backtest, by series, model, origin, horizon.
    pub backtest: Vec<BacktestRow>,
    /// Accuracy by series and model.
    pub accuracy: Vec<AccuracyRow>,
    /// What fell short, and why.
    pub notes: Vec<Note>,
    /// The calendar that the forecast follows.
    pub calendar: Calendar,
    /// The last day trained on; `None` without any day.
    pub trained_through: Option<i32>,
    /// Whether the last day of the input was found to be partly covered.
    pub last_day_partial: bool,
}

impl Params {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If a length is 0, or too long for a day number.
    pub fn check(&self) -> Result<(), Error> {
        let Self { horizon, step, min_training, min_weeks, origins } = *self;
        for (name, value) in
            [("horizon", horizon), ("step", step), ("min_training", min_training), ("min_weeks", min_weeks)]
        {
            if value == 0 {
                return Err(Error::Invalid(format!(
                    "cannot forecast with `{name}` = 0: it must be at least 1"
                )));
            }
        }
        for (name, value) in [("horizon", horizon), ("step", step), ("origins", origins)] {
            if value > MAX_DAYS {
                return Err(Error::Invalid(format!(
                    "cannot forecast with `{name}` = {value}: the most is {MAX_DAYS}"
                )));
            }
        }
        Ok(())
    }

    /// Forecasts every series of `input`.
    ///
    /// Input too short for the backtest gets fewer origins, then seasonal naive without a backtest, then the
    /// mean of its days; a shop that never traded gets no rows. [`Forecasts::notes`] tells.
    ///
    /// # Errors
    ///
    /// If the parameters or the input contradict themselves: see [`Params::check`] and [`Input::check`].
    pub fn fit(&self, input: &Input) -> Result<Forecasts, Error> {
        self.check()?;
        input.check()?;
        let last_day_partial = is_last_day_partial(&input.traded, &input.last_hour);
        let days = input.traded.len() - usize::from(last_day_partial);
        let end = Origin::after(input, days, self.min_weeks);
        let mut origins = backtest::origins(self, input, days);
        origins.push(end.clone());
        let studies = backtest::study(self, input, &origins);
        origins.pop();
        let choices = publish::choose(input, &origins, &end, self.horizon, studies);
        let each = || choices.iter().enumerate();
        Ok(Forecasts {
            forecast: each()
                .flat_map(|(s, c)| tables::forecast_rows(self, input, s, (&origins, &end), c))
                .collect(),
            backtest: each().flat_map(|(s, c)| tables::backtest_rows(input, s, &origins, c)).collect(),
            accuracy: each()
                .flat_map(|(s, c)| tables::accuracy_rows(input, s, (&origins, &end), c))
                .collect(),
            notes: each().filter_map(|(s, c)| self.note(input, s, &origins, c)).collect(),
            calendar: end.calendar,
            trained_through: (days > 0).then(|| input.first_day + days as i32 - 1),
            last_day_partial,
        })
    }

    /// Says what a series had to do without.
    fn note(&self, input: &Input, s: usize, origins: &[Origin], choice: &publish::Choice) -> Option<Note> {
        let days = input.traded.len();
        let reason = match choice.published() {
            None => "no forecast: the shop did not trade on any day trained on".to_owned(),
            Some(p) if p.track.model == publish::HISTORICAL_MEAN => {
                format!("forecast by the mean of its days: {days} days are less than a week of trade")
            }
            Some(p) if origins.is_empty() => format!(
                "forecast by {} without a backtest: {days} days are fewer than {} of training and {} of horizon",
                p.track.model, self.min_training, self.horizon
            ),
            Some(_) if origins.len() < self.origins => {
                format!("backtest of {} origins instead of {}: {days} days", origins.len(), self.origins)
            }
            Some(_) => return None,
        };
        Some(Note { series: input.series[s].name.clone(), reason })
    }
}

/// More days than this (over 2,700 years) are a mistake.
const MAX_DAYS: usize = 1_000_000;

impl Input {
    /// Checks that lengths agree, values are finite, names are unique, and parts sum to their total.
    ///
    /// # Errors
    ///
    /// Names the first series, and day, that breaks a rule.
    pub fn check(&self) -> Result<(), Error> {
        let days = self.traded.len();
        let refuse = |reason: String| Err(Error::Invalid(format!("cannot forecast: {reason}")));
        if self.last_hour.len() != days {
            return refuse(format!("{} last hours for {days} days", self.last_hour.len()));
        }
        if days > MAX_DAYS || i64::from(self.first_day).abs() > 1_000_000_000 {
            return refuse(format!("{days} days from day {} are out of range", self.first_day));
        }
        for (s, series) in self.series.iter().enumerate() {
            let name = &series.name;
            if self.series[..s].iter().any(|other| other.name == *name) {
                return refuse(format!("two series are named `{name}`"));
            }
            if series.values.len() != days {
                return refuse(format!("series `{name}` has {} values for {days} days", series.values.len()));
            }
            if let Some(i) = series.values.iter().position(|y| !y.is_finite() || y.abs() > 1e100) {
                return refuse(format!(
                    "series `{name}` is {} on day {}",
                    series.values[i],
                    self.first_day + i as i32
                ));
            }
            self.check_parent(s)?;
            self.check_sum(s)?;
        }
        Ok(())
    }

    /// The parent exists and is no part itself.
    fn check_parent(&self, s: usize) -> Result<(), Error> {
        let Series { name, parent, non_negative, .. } = &self.series[s];
        let Some(parent) = parent else { return Ok(()) };
        match self.series.iter().find(|other| other.name == *parent) {
            None => Err(Error::Invalid(format!(
                "cannot forecast: `{name}` is a part of `{parent}`, which is missing"
            ))),
            Some(total) if total.parent.is_some() => Err(Error::Invalid(format!(
                "cannot forecast: `{name}` is a part of `{parent}`, which is a part itself"
            ))),
            Some(total) if total.non_negative && !non_negative => Err(Error::Invalid(format!(
                "cannot forecast: `{parent}` cannot be negative, but its part `{name}` can"
            ))),
            Some(_) => Ok(()),
        }
    }

    /// The parts of a total sum to it on every day, up to rounding.
    fn check_sum(&self, total: usize) -> Result<(), Error> {
        let parts = self.parts_of(total);
        let Series { name, values, .. } = &self.series[total];
        for (i, y) in values.iter().enumerate().filter(|_| !parts.is_empty()) {
            let of_day = || parts.iter().filter_map(|p| self.series[*p].values.get(i));
            let (sum, size): (f64, f64) = (of_day().sum(), of_day().map(|v| v.abs()).sum());
            if (sum - y).abs() > 1e-6 * (1.0 + size) {
                let day = self.first_day + i as i32;
                return Err(Error::Invalid(format!(
                    "cannot forecast: `{name}` is {y} on day {day}, but its parts sum to {sum}"
                )));
            }
        }
        Ok(())
    }

    /// Says whether a series is 0 on more than half of the trading days among the first `known` days.
    fn is_intermittent(&self, s: usize, known: usize) -> bool {
        let on = |i: &usize| self.traded[*i];
        let zeros = (0..known).filter(on).filter(|i| self.series[s].values[*i] == 0.0).count();
        2 * zeros > (0..known).filter(on).count()
    }

    /// The positions of the parts of a series.
    fn parts_of(&self, total: usize) -> Vec<usize> {
        let name = &self.series[total].name;
        (0..self.series.len()).filter(|s| self.series[*s].parent.as_ref() == Some(name)).collect()
    }
}
