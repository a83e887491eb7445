//! One or more series over days, some emphasised, some faint behind them.

use plotters::style::{Color, RGBAColor};

use crate::canvas::{Canvas, Rect};
use crate::error::{Error, check_days, check_value};
use crate::frame::{Frame, Key, Picture, Swatch, draw_nothing};
use crate::number::Axis;
use crate::palette;
use crate::plot::{Plot, XAxis, YAxis};
use crate::scale::{extent, reach_zero};

/// Opacity of what stands behind.
const FAINT: f64 = 0.34;

/// Named series over days.
///
/// Daily sales are two series: the days as [`Mark::Bars`] or [`Mark::Faint`], and their [`trailing_mean`]
/// as [`Mark::Strong`]. Faint marks take the same colours, in the same order, as the lines before them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lines {
    /// Title, subtitle, size.
    pub frame: Frame,
    /// What the values are.
    pub y: Axis,
    /// The series; a legend names them where there are two or more.
    pub series: Vec<Series>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// Days since 1970-01-01, increasing, and values in the axis' unit; a line breaks where one is missing.
    pub points: Vec<(i32, Option<f64>)>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// A line.
    #[default]
    Line,
    /// A line that stands out.
    Strong,
    /// A pale thin line, behind the others.
    Faint,
    /// Pale bars from zero, behind the others.
    Bars,
}

/// The mean of the values of each point's day and the `days - 1` days before it, missing ones left out.
///
/// `points` are days and values by increasing day; a point is missing where its whole window is.
pub fn trailing_mean(points: &[(i32, Option<f64>)], days: u16) -> Vec<(i32, Option<f64>)> {
    let window = i64::from(days.max(1));
    let mean = |i: usize| {
        let day = points[i].0;
        let recent = points[..=i].iter().rev().take_while(|(d, _)| i64::from(day) - i64::from(*d) < window);
        let values: Vec<f64> = recent.filter_map(|(_, value)| *value).collect();
        (day, (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64))
    };
    (0..points.len()).map(mean).collect()
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
        let key = |(series, place): (&Series, usize)| {
            let swatch = match series.mark {
                Mark::Bars => Swatch::Block(FAINT),
                mark => Swatch::Line(mark.width()),
            };
            let colour = palette::series(place);
            Key::new(
                series.name.as_str(),
                if series.mark == Mark::Faint { pale(colour) } else { colour },
                swatch,
            )
        };
        if self.series.len() < 2 {
            Vec::new()
        } else {
            self.series.iter().zip(self.places()).map(key).collect()
        }
    }

    /// The place of each series in the palette: faint ones and full ones are counted apart.
    fn places(&self) -> Vec<usize> {
        let mut next = [0, 0];
        let place = |series: &Series| {
            let counter = &mut next[usize::from(series.mark.is_behind())];
            *counter += 1;
            *counter - 1
        };
        self.series.iter().map(place).collect()
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
        let mut order: Vec<_> = self.series.iter().zip(self.places()).collect();
        order.sort_by_key(|(series, _)| series.mark.layer());
        order.into_iter().try_for_each(|(series, place)| series.paint(&mut plot, place))
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

    fn paint(&self, plot: &mut Plot<'_>, place: usize) -> Result<(), Error> {
        let colour = palette::series(place);
        match self.mark {
            Mark::Bars => self.paint_bars(plot, colour.mix(FAINT)),
            Mark::Faint => self.paint_line(plot, pale(colour).mix(1.0)),
            Mark::Line | Mark::Strong => self.paint_line(plot, colour.mix(1.0)),
        }
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
            plot.line(&points, colour, self.mark.width())?;
        }
        Ok(())
    }
}

impl Mark {
    fn is_behind(self) -> bool {
        matches!(self, Mark::Faint | Mark::Bars)
    }

    fn layer(self) -> u8 {
        match self {
            Mark::Bars => 0,
            Mark::Faint => 1,
            Mark::Line => 2,
            Mark::Strong => 3,
        }
    }

    /// Pixels.
    fn width(self) -> f64 {
        match self {
            Mark::Strong => 2.8,
            Mark::Line => 1.8,
            Mark::Faint | Mark::Bars => 1.2,
        }
    }
}

/// The colour as it looks at [`FAINT`] opacity on white, so that crossing lines do not add up.
fn pale(colour: plotters::style::RGBColor) -> plotters::style::RGBColor {
    let fade = |c: u8| (255.0 - (255.0 - f64::from(c)) * (FAINT + 0.1)).round() as u8;
    plotters::style::RGBColor(fade(colour.0), fade(colour.1), fade(colour.2))
}
