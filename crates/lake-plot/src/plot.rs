//! A plane of data between two axes: grid, ticks, labels, and the series drawn on it.

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::canvas::{Anchor, Canvas, Rect, Type, thickness, units};
use crate::date::date_ticks;
use crate::error::{Error, internal};
use crate::font;
use crate::frame::SMALL;
use crate::number::Axis;
use crate::palette::{AXIS, GRID, SOFT_INK};
use crate::scale::Scale;

/// Pixels per line of tick labels.
const LINE: f64 = 17.0;

/// Pixels of the longest label that runs upwards.
const LONGEST_UPWARD: f64 = 130.0;

/// A label below the x axis.
pub(crate) struct Tick {
    /// Where on the axis.
    pub at: f64,
    /// One or two lines.
    pub lines: Vec<String>,
    /// Whether the text runs upwards, as it does where it is too long to lie flat.
    pub upward: bool,
}

/// The x axis: its extent, its labels, its caption.
pub(crate) struct XAxis {
    pub lo: f64,
    pub hi: f64,
    pub ticks: Vec<Tick>,
    pub caption: String,
    /// Whether each label stands at a point, marked by a tick and a grid line, or names a stretch.
    pub points: Option<XGrid>,
}

/// What is drawn at each tick of the x axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum XGrid {
    Tick,
    Line,
}

impl XAxis {
    /// Days from `first` to `last` with `pad` days of air on both sides, `width` pixels wide.
    pub(crate) fn days(first: i32, last: i32, pad: f64, width: f64) -> XAxis {
        let ticks = date_ticks(first, last, (width / 75.0) as usize).into_iter();
        let tick = |tick: crate::date::DateTick| Tick {
            at: f64::from(tick.day),
            lines: std::iter::once(tick.name).chain(tick.year).collect(),
            upward: false,
        };
        let (lo, hi) = (f64::from(first) - pad, f64::from(last) + pad);
        XAxis { lo, hi, ticks: ticks.map(tick).collect(), caption: String::new(), points: Some(XGrid::Tick) }
    }

    /// Round numbers.
    pub(crate) fn numbers(axis: &Axis, scale: Scale) -> XAxis {
        let label = |at| Tick { at, lines: vec![axis.unit.tick(at, scale.step)], upward: false };
        let ticks = scale.ticks().into_iter().map(label).collect();
        XAxis { lo: scale.lo, hi: scale.hi, ticks, caption: axis.caption(), points: Some(XGrid::Line) }
    }

    /// Stretches of length 1 named by `names`, `width` pixels wide in all: flat where every name fits on two
    /// lines, else running upwards, every n-th where even those stand too close.
    pub(crate) fn names(names: &[String], caption: &str, width: f64) -> XAxis {
        let each = width / names.len().max(1) as f64;
        let flat = |name: &String| font::wrap(name, SMALL, each - 8.0, 2);
        let upward =
            names.iter().any(|name| flat(name).iter().any(|line| line.is_empty() || line.ends_with('…')));
        let stride = if upward { (LINE / each).ceil().max(1.0) as usize } else { 1 };
        let label = |(i, name): (usize, &String)| Tick {
            at: i as f64 + 0.5,
            lines: if upward { vec![font::shorten(name, SMALL, false, LONGEST_UPWARD)] } else { flat(name) },
            upward,
        };
        let ticks = names.iter().enumerate().step_by(stride).map(label).collect();
        XAxis { lo: 0.0, hi: names.len() as f64, ticks, caption: caption.to_string(), points: None }
    }

    /// Pixels needed below the axis.
    fn height(&self) -> f64 {
        let text = self.ticks.iter().map(Tick::height).fold(0.0, f64::max);
        let caption = if self.caption.is_empty() { 0.0 } else { LINE + 4.0 };
        10.0 + text + caption
    }
}

impl Tick {
    /// Pixels.
    fn height(&self) -> f64 {
        match &self.lines[..] {
            [line] if self.upward => font::width(line, SMALL, false),
            lines => lines.len() as f64 * LINE,
        }
    }

    fn draw(&self, canvas: &Canvas<'_>, (x, top): (f64, f64)) -> Result<(), Error> {
        let style = Type::new(SMALL, SOFT_INK);
        for (i, line) in self.lines.iter().enumerate() {
            match self.upward {
                true => canvas.text_upward(line, (x, top + 9.0), style)?,
                false => canvas.text(line, (x, top + 20.0 + i as f64 * LINE), style, Anchor::Middle)?,
            }
        }
        Ok(())
    }
}

/// The y axis with its room on the left.
pub(crate) struct YAxis<'a> {
    axis: &'a Axis,
    scale: Scale,
    labels: Vec<String>,
}

impl<'a> YAxis<'a> {
    /// A round axis that holds `extent`, for a picture with `rect` left below its heading.
    pub(crate) fn new(axis: &'a Axis, extent: (f64, f64), rect: Rect) -> Self {
        YAxis::on(axis, Scale::round(extent.0, extent.1, YAxis::target(rect), axis.unit.smallest_step()))
    }

    /// An axis that ends where `extent` does.
    pub(crate) fn close(axis: &'a Axis, extent: (f64, f64), rect: Rect) -> Self {
        YAxis::on(axis, Scale::close(extent.0, extent.1, YAxis::target(rect), axis.unit.smallest_step()))
    }

    /// How many steps the height of `rect` holds.
    fn target(rect: Rect) -> usize {
        ((rect.height() - 60.0) / 60.0).clamp(2.0, 10.0) as usize
    }

    fn on(axis: &'a Axis, scale: Scale) -> Self {
        let labels = scale.ticks().into_iter().map(|tick| axis.unit.tick(tick, scale.step)).collect();
        YAxis { axis, scale, labels }
    }

    /// What `rect` leaves to the right of this axis and its labels.
    pub(crate) fn beside(&self, rect: Rect) -> Rect {
        let widest = self.labels.iter().map(|label| font::width(label, SMALL, false)).fold(0.0, f64::max);
        let caption = if self.axis.label.is_empty() { 0.0 } else { 25.0 };
        Rect { left: rect.left + widest + 8.0, top: rect.top + 10.0 + caption, ..rect }
    }
}

/// The plane; x and y of its methods are data, not pixels.
pub(crate) struct Plot<'b> {
    chart: ChartContext<'b, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    /// Where the plane lies, in pixels.
    pub rect: Rect,
    /// First and last y shown.
    pub y: (f64, f64),
}

impl<'b> Plot<'b> {
    /// Draws grid, axes and labels into `rect`, the pixels below the heading.
    pub(crate) fn new(canvas: &Canvas<'b>, rect: Rect, y: &YAxis<'_>, x: &XAxis) -> Result<Self, Error> {
        let beside = y.beside(rect);
        let plane = Rect { bottom: beside.bottom - x.height(), ..beside };
        let plane = Rect {
            bottom: plane.bottom.max(plane.top + 10.0),
            right: plane.right.max(plane.left + 10.0),
            ..plane
        };
        let chart = ChartBuilder::on(&canvas.area)
            .margin_left(units(plane.left))
            .margin_top(units(plane.top))
            .margin_right(units(canvas.width - plane.right))
            .margin_bottom(units(canvas.height - plane.bottom))
            .build_cartesian_2d(x.lo..x.hi, y.scale.lo..y.scale.hi)
            .map_err(internal)?;
        let plot = Plot { chart, rect: plane, y: (y.scale.lo, y.scale.hi) };
        plot.draw_y_axis(canvas, rect, y)?;
        plot.draw_x_axis(canvas, x)?;
        Ok(plot)
    }

    fn draw_y_axis(&self, canvas: &Canvas<'b>, rect: Rect, y: &YAxis<'_>) -> Result<(), Error> {
        let style = Type::new(SMALL, SOFT_INK);
        for (tick, label) in y.scale.ticks().into_iter().zip(&y.labels) {
            let at = self.y_px(tick);
            canvas.path(&[(self.rect.left, at), (self.rect.right, at)], GRID, 1.0)?;
            canvas.text(label, (self.rect.left - 8.0, at + 4.6), style, Anchor::End)?;
        }
        let caption = font::shorten(&y.axis.caption(), SMALL, false, rect.width());
        canvas.text(&caption, (rect.left, rect.top + 13.0), style, Anchor::Start)
    }

    fn draw_x_axis(&self, canvas: &Canvas<'b>, x: &XAxis) -> Result<(), Error> {
        let style = Type::new(SMALL, SOFT_INK);
        let bottom = self.rect.bottom;
        for tick in &x.ticks {
            let at = self.x_px(tick.at, x);
            match x.points {
                Some(XGrid::Tick) => canvas.path(&[(at, bottom), (at, bottom + 5.0)], AXIS, 1.0)?,
                Some(XGrid::Line) => canvas.path(&[(at, self.rect.top), (at, bottom)], GRID, 1.0)?,
                None => {}
            }
            tick.draw(canvas, (at, bottom))?;
        }
        if x.points == Some(XGrid::Line) && x.lo < 0.0 && x.hi > 0.0 {
            let zero = self.x_px(0.0, x);
            canvas.path(&[(zero, self.rect.top), (zero, bottom)], AXIS, 1.0)?;
        }
        let base = self.y_px(0.0_f64.clamp(self.y.0, self.y.1));
        canvas.path(&[(self.rect.left, base), (self.rect.right, base)], AXIS, 1.0)?;
        let caption = font::shorten(&x.caption, SMALL, false, self.rect.width());
        let middle = (self.rect.left + self.rect.right) / 2.0;
        canvas.text(&caption, (middle, bottom + x.height() + 2.0), style, Anchor::Middle)
    }

    /// The pixel of a value of the y axis.
    pub(crate) fn y_px(&self, value: f64) -> f64 {
        let share = (value - self.y.0) / (self.y.1 - self.y.0);
        self.rect.bottom - share * self.rect.height()
    }

    fn x_px(&self, value: f64, x: &XAxis) -> f64 {
        self.rect.left + (value - x.lo) / (x.hi - x.lo) * self.rect.width()
    }

    /// Draws a line `width` pixels wide through `points`, or a dot where there is but one.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], colour: RGBAColor, width: f64) -> Result<(), Error> {
        if let [point] = points {
            return self.dots([(*point, colour)], width + 1.2);
        }
        let style = colour.stroke_width(thickness(width));
        self.chart.draw_series(LineSeries::new(points.iter().copied(), style)).map_err(internal)?;
        Ok(())
    }

    /// Draws dots of one radius in pixels, in the order given.
    pub(crate) fn dots(
        &mut self,
        dots: impl IntoIterator<Item = ((f64, f64), RGBAColor)>,
        radius: f64,
    ) -> Result<(), Error> {
        let size = thickness(radius);
        let circles = dots.into_iter().map(|(at, colour)| Circle::new(at, size, colour.filled()));
        self.chart.draw_series(circles).map_err(internal)?;
        Ok(())
    }

    /// Fills the polygon through `points`.
    pub(crate) fn polygon(&mut self, points: Vec<(f64, f64)>, colour: RGBAColor) -> Result<(), Error> {
        self.chart.draw_series([Polygon::new(points, colour.filled())]).map_err(internal)?;
        Ok(())
    }

    /// Fills rectangles, each between two opposite corners.
    pub(crate) fn blocks(
        &mut self,
        blocks: impl IntoIterator<Item = [(f64, f64); 2]>,
        colour: RGBAColor,
    ) -> Result<(), Error> {
        let rectangles = blocks.into_iter().map(|corners| Rectangle::new(corners, colour.filled()));
        self.chart.draw_series(rectangles).map_err(internal)?;
        Ok(())
    }
}
