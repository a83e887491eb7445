//! A forecast as a fan: what happened, what is expected, and how sure that is.

use plotters::style::{Color, RGBColor};

use crate::canvas::Canvas;
use crate::canvas::Rect;
use crate::error::{Error, check_days, check_value, check_values};
use crate::frame::{Frame, Key, Picture, Swatch, draw_nothing};
use crate::number::Axis;
use crate::palette::{self, INK};
use crate::plot::{Plot, XAxis, YAxis};
use crate::scale::{extent, reach_zero};

const WIDE: f64 = 0.14;
const NARROW: f64 = 0.24;

/// History, forecast and its 80 % and 95 % intervals over days.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fan {
    /// Title, subtitle.
    pub frame: Frame,
    /// What the values are.
    pub y: Axis,
    /// Days since 1970-01-01, increasing, and values in the axis' unit.
    pub history: Vec<(i32, f64)>,
    /// Expected values, by increasing day; may overlap the history, as in a back-test.
    pub forecast: Vec<Forecast>,
}

/// What is expected of one day, in the axis' unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Days since 1970-01-01.
    pub day: i32,
    /// The point forecast.
    pub mean: f64,
    /// Lower and upper end of the 80 % interval, within the 95 % one.
    pub p80: [f64; 2],
    /// Lower and upper end of the 95 % interval.
    pub p95: [f64; 2],
}

impl Picture for Fan {
    fn svg(&self) -> Result<String, Error> {
        self.check()?;
        self.frame.draw(&self.legend(), |canvas, rect| match self.days() {
            None => draw_nothing(canvas, rect),
            Some(days) => self.paint(canvas, rect, days),
        })
    }
}

impl Fan {
    fn check(&self) -> Result<(), Error> {
        check_days("history", self.history.iter().map(|(day, _)| *day))?;
        check_values("history", self.history.iter().map(|(_, value)| *value))?;
        check_days("forecast", self.forecast.iter().map(|f| f.day))?;
        for (i, forecast) in self.forecast.iter().enumerate() {
            forecast.values().into_iter().try_for_each(|value| check_value("forecast", i + 1, value))?;
            forecast.check_nested(i + 1)?;
        }
        Ok(())
    }

    fn legend(&self) -> Vec<Key> {
        let history = Key::new("Actual", INK, Swatch::Line(1.6));
        let colour = forecast_colour();
        let forecast = [
            Key::new("Forecast", colour, Swatch::Line(2.4)),
            Key::new("80% interval", colour, Swatch::Block(WIDE + NARROW)),
            Key::new("95% interval", colour, Swatch::Block(WIDE)),
        ];
        let shown = if self.forecast.is_empty() { &[][..] } else { &forecast[..] };
        std::iter::once(history).filter(|_| !self.history.is_empty()).chain(shown.iter().cloned()).collect()
    }

    /// First and last day of all.
    fn days(&self) -> Option<(i32, i32)> {
        let days = || self.history.iter().map(|(day, _)| *day).chain(self.forecast.iter().map(|f| f.day));
        Some((days().min()?, days().max()?))
    }

    fn paint(&self, canvas: &Canvas<'_>, rect: Rect, (first, last): (i32, i32)) -> Result<(), Error> {
        let forecasts = self.forecast.iter().flat_map(Forecast::values);
        let values = self.history.iter().map(|(_, value)| *value).chain(forecasts);
        let y = YAxis::new(&self.y, reach_zero(extent(values).unwrap_or((0.0, 1.0)), false), rect);
        let x = XAxis::days(first, last, 0.5, y.beside(rect).width());
        let mut plot = Plot::new(canvas, rect, &y, &x)?;
        self.paint_band(&mut plot, |f| f.p95, WIDE)?;
        self.paint_band(&mut plot, |f| f.p80, NARROW)?;
        plot.line(&self.history_points(), INK.mix(0.85), 1.6)?;
        plot.line(&self.forecast_points(), forecast_colour().mix(1.0), 2.4)
    }

    fn paint_band(
        &self,
        plot: &mut Plot<'_>,
        ends: impl Fn(&Forecast) -> [f64; 2],
        opacity: f64,
    ) -> Result<(), Error> {
        let colour = forecast_colour().mix(opacity);
        if let [only] = &self.forecast[..] {
            let ([low, high], day) = (ends(only), f64::from(only.day));
            return plot.blocks([[(day - 0.4, high), (day + 0.4, low)]], colour);
        }
        let upper = self.forecast.iter().map(|f| (f64::from(f.day), ends(f)[1]));
        let lower = self.forecast.iter().rev().map(|f| (f64::from(f.day), ends(f)[0]));
        let outline: Vec<_> = upper.chain(lower).collect();
        if outline.is_empty() { Ok(()) } else { plot.polygon(outline, colour) }
    }

    fn history_points(&self) -> Vec<(f64, f64)> {
        self.history.iter().map(|(day, value)| (f64::from(*day), *value)).collect()
    }

    /// The forecast, joined to the last day of the history it continues.
    fn forecast_points(&self) -> Vec<(f64, f64)> {
        let first = self.forecast.first().map(|f| f.day);
        let join = self.history.last().filter(|(day, _)| first.is_some_and(|first| first > *day));
        let means = self.forecast.iter().map(|f| (f64::from(f.day), f.mean));
        join.map(|(day, value)| (f64::from(*day), *value)).into_iter().chain(means).collect()
    }
}

impl Forecast {
    fn values(&self) -> [f64; 5] {
        [self.mean, self.p80[0], self.p80[1], self.p95[0], self.p95[1]]
    }

    fn check_nested(&self, position: usize) -> Result<(), Error> {
        let ([low80, high80], [low95, high95]) = (self.p80, self.p95);
        if low95 <= low80 && low80 <= high80 && high80 <= high95 {
            return Ok(());
        }
        Err(Error::Invalid(format!("the intervals of `forecast` at position {position} are not nested")))
    }
}

fn forecast_colour() -> RGBColor {
    palette::series(0)
}
