//! The rolling-origin backtest: what each candidate would have forecast, knowing only the days before.

use rayon::prelude::*;

use super::accuracy::{Accuracy, Scored, mean};
use super::calendar::Calendar;
use super::candidates::{Model, forecast_all};
use super::grid::Grid;
use super::{Input, Params, Series};

/// Days that an origin must leave for training.
pub const MIN_TRAINING: usize = 56;

/// One origin: the days before it are known.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The number of days known.
    pub known: usize,
    /// The calendar as learned from them.
    pub calendar: Calendar,
}

impl Origin {
    /// The origin after the first `known` days.
    pub fn after(input: &Input, known: usize) -> Self {
        Self { known, calendar: Calendar::learn(input.first_day, &input.traded[..known]) }
    }
}

/// Origins of the backtest in time, a horizon apart and from the end of the `days` to be trained on.
///
/// As many as were asked for if the first leaves enough to train on, else fewer, down to none.
pub fn origins(params: &Params, input: &Input, days: usize) -> Vec<Origin> {
    let last = days.checked_sub(params.horizon);
    let mut known: Vec<usize> = (0..params.origins)
        .filter_map(|i| last?.checked_sub(i * params.horizon))
        .filter(|known| *known >= MIN_TRAINING && input.traded[..*known].contains(&true))
        .collect();
    known.reverse();
    known.into_iter().map(|known| Origin::after(input, known)).collect()
}

/// Forecasts of one series by one model: after each origin, and after the last day.
#[derive(Debug, Clone)]
pub struct Track {
    /// What the tables call the model.
    pub model: String,
    /// One forecast per origin, of `horizon` days.
    pub folds: Vec<Vec<f64>>,
    /// The forecast to publish.
    pub future: Vec<f64>,
}

/// Everything known of one series.
#[derive(Debug, Clone)]
pub struct Study {
    /// The candidates that could be fitted at every origin; seasonal naive, if any, is the first.
    pub tracks: Vec<Track>,
    /// Mean absolute and mean squared seasonal difference before each origin, where there is a scale.
    pub scales: Vec<(Option<f64>, Option<f64>)>,
}

/// Fits every candidate to every series at every origin and at the end (the last of `origins`), in parallel.
pub fn study(params: &Params, input: &Input, origins: &[Origin]) -> Vec<Study> {
    let tasks: Vec<(&Series, &Origin)> =
        input.series.iter().flat_map(|s| origins.iter().map(move |o| (s, o))).collect();
    let fits: Vec<_> = tasks.par_iter().map(|(series, origin)| fit(params, input, series, origin)).collect();
    fits.chunks(origins.len().max(1)).map(collect).collect()
}

/// What the fits of one series at one origin yield.
struct Fits {
    forecasts: Vec<Option<Vec<f64>>>,
    scales: (Option<f64>, Option<f64>),
}

fn fit(params: &Params, input: &Input, series: &Series, origin: &Origin) -> Fits {
    let known = origin.known;
    let grid = Grid::new(input.first_day, &input.traded[..known], &series.values[..known], &origin.calendar);
    let mut forecasts = forecast_all(&grid, params.horizon, &origin.calendar);
    if series.non_negative {
        forecasts.iter_mut().flatten().flatten().for_each(|f| *f = f.max(0.0));
    }
    let differences = grid.seasonal_differences();
    let scale = |power: i32| {
        mean(&differences.iter().map(|d| d.abs().powi(power)).collect::<Vec<_>>()).filter(|q| *q > 0.0)
    };
    Fits { forecasts, scales: (scale(1), scale(2)) }
}

/// Gathers the fits of one series, those of the end last.
fn collect(fits: &[Fits]) -> Study {
    let track = |(i, model): (usize, &Model)| {
        let mut folds = fits.iter().map(|f| f.forecasts[i].clone()).collect::<Option<Vec<_>>>()?;
        let future = folds.pop()?;
        Some(Track { model: model.name().to_owned(), folds, future })
    };
    let tracks = Model::ALL.iter().enumerate().filter_map(track).collect();
    Study { tracks, scales: fits[..fits.len() - 1].iter().map(|f| f.scales).collect() }
}

/// Compares a track with what came, leaving out the days that were known to be closed and were.
pub fn score(input: &Input, series: usize, origins: &[Origin], study: &Study, track: &Track) -> Vec<Scored> {
    let of_origin = |i: usize| {
        let origin = &origins[i];
        let days = (0..track.folds[i].len())
            .filter(|h| is_scored(input, origin, *h))
            .map(|h| (h + 1, input.series[series].values[origin.known + h], track.folds[i][h]))
            .collect();
        Scored { days, mae_naive: study.scales[i].0, mse_naive: study.scales[i].1 }
    };
    (0..track.folds.len()).map(of_origin).collect()
}

/// Says whether the day `h` + 1 days after the origin counts.
pub fn is_scored(input: &Input, origin: &Origin, h: usize) -> bool {
    let i = origin.known + h;
    input.traded[i] || !origin.calendar.is_closed(input.first_day + i as i32)
}

/// The candidate of lowest loss, the earlier one on a tie: one that does not beat seasonal naive never wins.
pub fn best(accuracies: &[Option<Accuracy>]) -> usize {
    let loss = |i: usize| accuracies[i].map_or(f64::INFINITY, |a| a.loss());
    (1..accuracies.len()).fold(0, |best, i| if loss(i) < loss(best) { i } else { best })
}
