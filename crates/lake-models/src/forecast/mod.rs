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
mod input;
mod mstl;
mod publish;
mod reconcile;
mod season;
mod simplex;
mod tables;
mod theta;

#[cfg(test)]
mod tests;

pub use input::{Input, Series};
pub use tables::{AccuracyRow, BacktestRow, ForecastRow, Kind};

use crate::error::Error;
use backtest::Origin;
use calendar::is_last_day_partial;
use input::MAX_DAYS;

/// What the forecast may be asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// Calendar days to forecast.
    pub horizon: usize,
    /// Origins of the backtest, a horizon apart; those that leave under eight weeks for training are dropped.
    pub origins: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { horizon: 28, origins: 4 }
    }
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
    /// If the horizon is 0, or a value too large for a day number.
    pub fn check(&self) -> Result<(), Error> {
        let Self { horizon, origins } = *self;
        if horizon == 0 {
            let what = "cannot forecast with `horizon` = 0: it must be at least 1";
            return Err(Error::Invalid(what.to_owned()));
        }
        for (name, value) in [("horizon", horizon), ("origins", origins)] {
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
        let end = Origin::after(input, days);
        let mut origins = backtest::origins(self, input, days);
        origins.push(end.clone());
        let studies = backtest::study(self, input, &origins);
        origins.pop();
        let choices = publish::choose(input, &origins, &end, self.horizon, studies);
        let each = || choices.iter().enumerate();
        Ok(Forecasts {
            forecast: each().flat_map(|(s, c)| tables::forecast_rows(self, input, s, &end, c)).collect(),
            backtest: each().flat_map(|(s, c)| tables::backtest_rows(input, s, &origins, c)).collect(),
            accuracy: each().flat_map(|(s, c)| tables::accuracy_rows(input, s, &end, c)).collect(),
            notes: each().filter_map(|(s, c)| self.note(input, s, &origins, c)).collect(),
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
                p.track.model,
                backtest::MIN_TRAINING,
                self.horizon
            ),
            Some(_) if origins.len() < self.origins => {
                format!("backtest of {} origins instead of {}: {days} days", origins.len(), self.origins)
            }
            Some(_) => return None,
        };
        Some(Note { series: input.series[s].name.clone(), reason })
    }
}
