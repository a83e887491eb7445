//! The rows of the three published tables.

use super::accuracy::Accuracy;
use super::backtest::Origin;
use super::conformal::{Bands, Outcome, coverage};
use super::grid::Grid;
use super::publish::{Choice, Judged};
use super::{Input, Params};

/// Whether a row is past or future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A day that was trained on.
    History,
    /// A day after the last one trained on.
    Forecast,
}

impl Kind {
    /// The name in the published table.
    pub fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Forecast => "forecast",
        }
    }
}

/// A day of a series: its actual value, or its forecast with intervals.
///
/// Intervals are absent where the residuals are too few for their level. Days are counted from 1970-01-01.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastRow {
    /// The series.
    pub series: String,
    /// The day.
    pub day: i32,
    /// Past or future.
    pub kind: Kind,
    /// What came; absent in the future, and on a partly covered last day.
    pub actual: Option<f64>,
    /// The point forecast; absent in the past.
    pub forecast: Option<f64>,
    /// The lower end of the 80 % interval.
    pub lo80: Option<f64>,
    /// The upper end of the 80 % interval.
    pub hi80: Option<f64>,
    /// The lower end of the 95 % interval.
    pub lo95: Option<f64>,
    /// The upper end of the 95 % interval.
    pub hi95: Option<f64>,
    /// The published model.
    pub model: String,
    /// The last day trained on.
    pub trained_through: i32,
}

/// A scored day of the backtest; days known to be closed are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestRow {
    /// The series.
    pub series: String,
    /// The model.
    pub model: String,
    /// The last day the model knew.
    pub origin: i32,
    /// Calendar days from the origin.
    pub horizon: i32,
    /// The day forecast.
    pub day: i32,
    /// What came.
    pub actual: f64,
    /// What was forecast.
    pub forecast: f64,
}

/// The accuracy of a model in the backtest.
#[derive(Debug, Clone, PartialEq)]
pub struct AccuracyRow {
    /// The series.
    pub series: String,
    /// The model.
    pub model: String,
    /// Mean absolute scaled error; absent where the training part never varies from week to week.
    pub mase: Option<f64>,
    /// Symmetric mean absolute percentage error.
    pub smape: f64,
    /// Root mean squared scaled error; absent like `mase`.
    pub rmsse: Option<f64>,
    /// Mean of forecast − actual.
    pub bias: f64,
    /// Share of days inside the 80 % intervals of the other origins; absent with fewer than two.
    pub coverage80: Option<f64>,
    /// Share of days inside the 95 % intervals of the other origins; absent with fewer than two.
    pub coverage95: Option<f64>,
    /// Whether this model is the published one.
    pub chosen: bool,
}

/// History and forecast of a series.
pub fn forecast_rows(
    params: &Params,
    input: &Input,
    s: usize,
    end: &Origin,
    choice: &Choice,
) -> Vec<ForecastRow> {
    let Some(published) = choice.published() else { return Vec::new() };
    let series = &input.series[s];
    let trained_through = input.first_day + end.known as i32 - 1;
    let blank = blank_row(&series.name, &published.track.model, trained_through);
    let history = (input.first_day..).zip(&series.values[..end.known]).map(|(day, y)| ForecastRow {
        day,
        actual: Some(*y),
        ..blank.clone()
    });
    let bands = bands(input, s, end, published);
    let future = (1..=params.horizon).zip(&published.track.future).map(|(h, f)| {
        let day = trained_through + h as i32;
        let floor = if series.non_negative { 0.0 } else { f64::NEG_INFINITY };
        let interval = |level| match end.calendar.is_closed(day) {
            true => Some((0.0, 0.0)),
            false => bands.interval(level, h, *f).map(|(lo, hi)| (lo.max(floor), hi)),
        };
        future_row(ForecastRow { day, ..blank.clone() }, *f, [interval(0), interval(1)])
    });
    history.chain(future).collect()
}

/// A row of the last day trained on, without numbers.
fn blank_row(series: &str, model: &str, trained_through: i32) -> ForecastRow {
    ForecastRow {
        series: series.to_owned(),
        day: trained_through,
        kind: Kind::History,
        actual: None,
        forecast: None,
        lo80: None,
        hi80: None,
        lo95: None,
        hi95: None,
        model: model.to_owned(),
        trained_through,
    }
}

/// A row of the future, of a row that knows its series and day.
fn future_row(row: ForecastRow, forecast: f64, [in80, in95]: [Option<(f64, f64)>; 2]) -> ForecastRow {
    ForecastRow {
        kind: Kind::Forecast,
        forecast: Some(forecast),
        lo80: in80.map(|i| i.0),
        hi80: in80.map(|i| i.1),
        lo95: in95.map(|i| i.0),
        hi95: in95.map(|i| i.1),
        ..row
    }
}

/// Bands from the backtest; without one, from the week-ahead errors of seasonal naive in training.
fn bands(input: &Input, s: usize, end: &Origin, published: &Judged) -> Bands {
    let outcomes = outcomes(published).concat();
    if !outcomes.is_empty() {
        return Bands::fit(&outcomes, input.is_intermittent(s, end.known));
    }
    let (traded, values) = (&input.traded[..end.known], &input.series[s].values[..end.known]);
    let grid = Grid::new(input.first_day, traded, values, &end.calendar);
    let in_sample = |d: &f64| Outcome { horizon: 1, actual: *d, forecast: 0.0 };
    Bands::fit(&grid.seasonal_differences().iter().map(in_sample).collect::<Vec<_>>(), false)
}

/// The scored days of every model of a series.
pub fn backtest_rows(input: &Input, s: usize, origins: &[Origin], choice: &Choice) -> Vec<BacktestRow> {
    let mut rows = Vec::new();
    for judged in &choice.judged {
        for (origin, scored) in origins.iter().zip(&judged.scored) {
            let last = input.first_day + origin.known as i32 - 1;
            rows.extend(scored.days.iter().map(|(h, y, f)| BacktestRow {
                series: input.series[s].name.clone(),
                model: judged.track.model.clone(),
                origin: last,
                horizon: *h as i32,
                day: last + *h as i32,
                actual: *y,
                forecast: *f,
            }));
        }
    }
    rows
}

/// The accuracy of every model of a series that was scored.
pub fn accuracy_rows(input: &Input, s: usize, end: &Origin, choice: &Choice) -> Vec<AccuracyRow> {
    let intermittent = input.is_intermittent(s, end.known);
    let row = |(i, judged): (usize, &Judged)| {
        let Accuracy { mase, smape, rmsse, bias, .. } = judged.accuracy?;
        let [coverage80, coverage95] = coverage(&outcomes(judged), intermittent);
        Some(AccuracyRow {
            series: input.series[s].name.clone(),
            model: judged.track.model.clone(),
            mase,
            smape,
            rmsse,
            bias,
            coverage80,
            coverage95,
            chosen: choice.chosen == Some(i),
        })
    };
    choice.judged.iter().enumerate().filter_map(row).collect()
}

/// What was forecast and what came, per origin.
fn outcomes(judged: &Judged) -> Vec<Vec<Outcome>> {
    let outcome = |(h, y, f): &(usize, f64, f64)| Outcome { horizon: *h, actual: *y, forecast: *f };
    judged.scored.iter().map(|scored| scored.days.iter().map(outcome).collect()).collect()
}
