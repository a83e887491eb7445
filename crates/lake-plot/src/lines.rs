//! One or more series over days, as lines or as pale bars behind them.

use plotters::style::{Color, RGBAColor, RGBColor};

use crate::canvas::{Canvas, Rect};
use crate::error::{Error, check_days, check_value};
use crate::frame::{Frame, Key, Picture, Swatch, draw_nothing};
use crate::number::Axis;
use crate::palette;
use crate::plot::{Plot, XAxis, YAxis};
use crate::scale::{extent, reach_zero};

/// Opacity of bars.
const FAINT: f64 = 0.34;

/// Width of lines, in pixels.
const STRONG: f64 = 2.8;

/// Named series over days.
///
/// Daily sales are two series: the days as [`Mark::Bars`], and their mean over a week as [`Mark::Strong`].
/// Bars take the same colours, in the same order, as the lines before them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lines {
    /// Title, subtitle.
    pub frame: Frame,
    /// What the values are.
    pub y: Axis,
    /// The series; a legend names them where there are two or more.
    pub series: Vec<Series>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// Days since 1970-01-01, increasing, and values in the axis' unit; a line breaks where one is missing.
    pub points: Vec<(i32, Option<f64>)>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Pale bars from zero, behind the lines.
    Bars,
    /// A line that stands out.
    Strong,
}

impl Picture for Lines {
    fn svg(&self) -> Result<String, Error> {
        self.series.iter().try_for_each(Series::check)?;
        self.frame.draw(&self.legend(), |canvas, rect| match self.extents() {
            None => draw_nothing(canvas, rect),
            Some((days, values)) => self.paint(canvas, rect, days, values),
        })
    }
}

impl Lines {
    fn legend(&self) -> Vec<Key> {
        let key = |(i, series): (usize, &Series)| {
            let swatch = match series.mark {
                Mark::Bars => Swatch::Block(FAINT),
                Mark::Strong => Swatch::Line(STRONG),
            };
            Key::new(series.name.as_str(), self.colour(i), swatch)
        };
        if self.series.len() < 2 { Vec::new() } else { self.series.iter().enumerate().map(key).collect() }
    }

    /// The colour of the `i`-th series: bars and lines are counted apart.
    fn colour(&self, i: usize) -> RGBColor {
        palette::series(self.series[..i].iter().filter(|series| series.mark == self.series[i].mark).count())
    }

    /// First and last day that has a value, smallest and largest value.
    fn extents(&self) -> Option<((i32, i32), (f64, f64))> {
        let present = || self.series.iter().flat_map(Series::present);
        let days = || present().map(|(day, _)| day);
        let values = extent(present().map(|(_, value)| value))?;
        Some(((days().min()?, days().max()?), values))
    }

    fn paint(
        &self,
        canvas: &Canvas<'_>,
        rect: Rect,
        days: (i32, i32),
        values: (f64, f64),
    ) -> Result<(), Error> {
        let bars = self.series.iter().any(|series| series.mark == Mark::Bars);
        let y = YAxis::new(&self.y, reach_zero(values, bars), rect);
        let reach = self.series.iter().filter(|series| series.mark == Mark::Bars).map(Series::half_bar);
        let x = XAxis::days(days.0, days.1, reach.fold(0.5, f64::max), y.beside(rect).width());
        let mut plot = Plot::new(canvas, rect, &y, &x)?;
        let mut order: Vec<_> = self.series.iter().enumerate().collect();
        order.sort_by_key(|(_, series)| series.mark == Mark::Strong);
        order.into_iter().try_for_each(|(i, series)| match series.mark {
            Mark::Bars => series.paint_bars(&mut plot, self.colour(i).mix(FAINT)),
            Mark::Strong => series.paint_line(&mut plot, self.colour(i).mix(1.0)),
        })
    }
}

impl Series {
    fn check(&self) -> Result<(), Error> {
        check_days(&self.name, self.points.iter().map(|(day, _)| *day))?;
        let mut numbered = self.points.iter().enumerate();
        numbered.try_for_each(|(i, (_, value))| value.map_or(Ok(()), |v| check_value(&self.name, i + 1, v)))
    }

    fn present(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        self.points.iter().filter_map(|(day, value)| Some((*day, (*value)?)))
    }

    fn paint_bars(&self, plot: &mut Plot<'_>, colour: RGBAColor) -> Result<(), Error> {
        let half = self.half_bar();
        let bar = |(day, value)| [(f64::from(day) - half, value), (f64::from(day) + half, 0.0)];
        plot.blocks(self.present().map(bar), colour)
    }

    /// Half the width of a bar, in days: two fifths of the shortest distance between two points.
    fn half_bar(&self) -> f64 {
        let gaps = self.points.windows(2).map(|pair| pair[1].0 - pair[0].0);
        f64::from(gaps.min().unwrap_or(1)) * 0.4
    }

    /// Draws a line through each run of values.
    fn paint_line(&self, plot: &mut Plot<'_>, colour: RGBAColor) -> Result<(), Error> {
        let runs = self.points.split(|(_, value)| value.is_none()).filter(|run| !run.is_empty());
        for run in runs {
            let points: Vec<_> = run.iter().filter_map(|(day, v)| Some((f64::from(*day), (*v)?))).collect();
            plot.line(&points, colour, STRONG)?;
        }
        Ok(())
    }
}
