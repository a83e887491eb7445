//! A table of numbers as coloured cells, each with its value, as a cohort's retention by month.

use plotters::style::RGBColor;

use crate::canvas::{Anchor, Canvas, Rect, Type};
use crate::error::{Error, check_length, check_value};
use crate::font;
use crate::frame::{Frame, Picture, SMALL, draw_nothing};
use crate::number::Unit;
use crate::palette::{self, SOFT_INK};
use crate::scale::extent;

/// Smallest legible text in a cell, in pixels; where it does not fit, the colour speaks alone.
const TINY: f64 = 7.0;
const WIDEST_ROW_NAME: f64 = 220.0;
const SCALE_WIDTH: f64 = 180.0;
const SCALE_STEPS: usize = 60;

/// Rows × columns of values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatMap {
    /// Title, subtitle.
    pub frame: Frame,
    /// What the rows are, as in `First purchase`.
    pub row_label: String,
    /// What the columns are, as in `Months since`.
    pub column_label: String,
    /// One name per row.
    pub rows: Vec<String>,
    /// One name per column.
    pub columns: Vec<String>,
    /// One list per row, of one value per column; a missing value leaves its cell blank.
    pub values: Vec<Vec<Option<f64>>>,
    /// How the values are written.
    pub unit: Unit,
    /// The values of the palest and the darkest colour; values beyond take the end's colour. By default the
    /// extent of the values, or, where they have both signs, the same distance on both sides of zero.
    pub range: Option<[f64; 2]>,
}

/// From values to colours.
#[derive(Debug, Clone, Copy)]
struct Shades {
    lo: f64,
    hi: f64,
    signed: bool,
}

/// Where the cells lie, in pixels.
#[derive(Debug, Clone, Copy)]
struct Grid {
    cells: Rect,
    width: f64,
    height: f64,
}

impl Picture for HeatMap {
    fn svg(&self) -> Result<String, Error> {
        self.check()?;
        self.frame.draw(&[], |canvas, rect| match extent(self.present()) {
            None => draw_nothing(canvas, rect),
            Some(extent) => self.paint(canvas, rect, extent),
        })
    }
}

impl HeatMap {
    fn check(&self) -> Result<(), Error> {
        check_length("values", self.rows.len(), self.values.len())?;
        for (name, values) in self.rows.iter().zip(&self.values) {
            check_length(name, self.columns.len(), values.len())?;
            let mut numbered = values.iter().enumerate();
            numbered.try_for_each(|(i, value)| value.map_or(Ok(()), |v| check_value(name, i + 1, v)))?;
        }
        match self.range {
            Some([lo, hi]) if !(lo.is_finite() && hi.is_finite() && lo < hi) => {
                Err(Error::Invalid(format!("the range {lo} to {hi} of the colours does not increase")))
            }
            _ => Ok(()),
        }
    }

    fn present(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.values.iter().flatten().filter_map(|value| *value)
    }

    fn paint(&self, canvas: &Canvas<'_>, rect: Rect, extent: (f64, f64)) -> Result<(), Error> {
        let shades = Shades::new(extent, self.range);
        let decimals = self.unit.decimals(self.present());
        let grid = self.grid(rect);
        self.paint_scale(canvas, rect, shades, extent)?;
        self.paint_names(canvas, rect, grid)?;
        self.paint_cells(canvas, grid, shades, decimals)
    }

    fn grid(&self, rect: Rect) -> Grid {
        let names = self.rows.iter().chain([&self.row_label]).map(|name| font::width(name, SMALL, false));
        let widest = names.fold(0.0, f64::max).min(WIDEST_ROW_NAME).min(rect.width() / 3.0);
        let cells =
            Rect { left: (rect.left + widest + 10.0).round(), top: (rect.top + 56.0).round(), ..rect };
        let cells = Rect { bottom: cells.bottom.max(cells.top + 10.0), ..cells };
        let (width, height) =
            (cells.width() / self.columns.len() as f64, cells.height() / self.rows.len() as f64);
        Grid { cells, width, height: height.min(64.0) }
    }

    /// Draws the colour scale with its ends, at the right above the columns.
    fn paint_scale(
        &self,
        canvas: &Canvas<'_>,
        rect: Rect,
        shades: Shades,
        extent: (f64, f64),
    ) -> Result<(), Error> {
        let style = Type::new(SMALL, SOFT_INK);
        let decimals = self.unit.decimals([shades.lo, shades.hi].into_iter());
        let low = prefix(extent.0 < shades.lo, "≤ ") + &self.unit.format(shades.lo, decimals);
        let high = prefix(extent.1 > shades.hi, "≥ ") + &self.unit.format(shades.hi, decimals);
        let right = rect.right - font::width(&high, SMALL, false) - 8.0;
        let left = right - SCALE_WIDTH.min(rect.width() / 4.0);
        self.paint_column_label(canvas, rect, left - font::width(&low, SMALL, false) - 24.0)?;
        let step = (right - left) / SCALE_STEPS as f64;
        for i in 0..SCALE_STEPS {
            let x = left + i as f64 * step;
            let colour = shades.at(i as f64 / (SCALE_STEPS - 1) as f64);
            canvas.path(
                &[(x, rect.top + 18.5), ((x + step + 0.5).min(right), rect.top + 18.5)],
                colour,
                12.0,
            )?;
        }
        canvas.text(&high, (right + 8.0, rect.top + 23.0), style, Anchor::Start)?;
        canvas.text(&low, (left - 8.0, rect.top + 23.0), style, Anchor::End)
    }

    /// Draws the names of rows and columns, every n-th where they stand too close.
    fn paint_names(&self, canvas: &Canvas<'_>, rect: Rect, grid: Grid) -> Result<(), Error> {
        let style = Type::new(SMALL, SOFT_INK);
        let room = grid.cells.left - rect.left - 10.0;
        let stride = (17.0 / grid.height).ceil() as usize;
        for (i, name) in self.rows.iter().enumerate().step_by(stride) {
            let y = grid.cells.top + (i as f64 + 0.5) * grid.height + 4.6;
            let name = font::shorten(name, SMALL, false, room);
            canvas.text(&name, (grid.cells.left - 10.0, y), style, Anchor::End)?;
        }
        let stride = (30.0 / grid.width).ceil() as usize;
        for (i, name) in self.columns.iter().enumerate().step_by(stride) {
            let x = grid.cells.left + (i as f64 + 0.5) * grid.width;
            let name = font::shorten(name, SMALL, false, grid.width * stride as f64 - 4.0);
            canvas.text(&name, (x, grid.cells.top - 9.0), style, Anchor::Middle)?;
        }
        let row_label = font::shorten(&self.row_label, SMALL, false, room);
        canvas.text(&row_label, (grid.cells.left - 10.0, grid.cells.top - 9.0), style, Anchor::End)
    }

    /// Says what the columns are, between the row names and the pixel `right`.
    fn paint_column_label(&self, canvas: &Canvas<'_>, rect: Rect, right: f64) -> Result<(), Error> {
        let cells = self.grid(rect).cells;
        let label = font::shorten(&self.column_label, SMALL, false, right - cells.left);
        canvas.text(&label, (cells.left, cells.top - 33.0), Type::new(SMALL, SOFT_INK), Anchor::Start)
    }

    fn paint_cells(
        &self,
        canvas: &Canvas<'_>,
        grid: Grid,
        shades: Shades,
        decimals: usize,
    ) -> Result<(), Error> {
        let size = self.text_size(grid, decimals);
        for (row, values) in self.values.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let Some(value) = *value else { continue };
                let colour = shades.of(value);
                canvas.rect(grid.cell(row, column), colour)?;
                let Some(size) = size else { continue };
                let text = self.unit.format(value, decimals);
                let style = Type::new(size, palette::ink_on(colour));
                canvas.text(&text, grid.middle(row, column, size), style, Anchor::Middle)?;
            }
        }
        Ok(())
    }

    /// The text size at which every value fits its cell; `None` where that is too small to read.
    fn text_size(&self, grid: Grid, decimals: usize) -> Option<f64> {
        let texts = self.present().map(|value| self.unit.format(value, decimals));
        let ems = texts.map(|text| font::width(&text, 1.0, false)).fold(0.1, f64::max);
        let size = SMALL.min((grid.width - 5.0) / ems).min((grid.height - 3.0) / 1.1);
        (size >= TINY).then_some((size * 10.0).floor() / 10.0)
    }
}

impl Grid {
    /// A cell, with a hair of paper between it and the next where there is room for one.
    fn cell(&self, row: usize, column: usize) -> Rect {
        let gap = if self.width.min(self.height) >= 8.0 { 1.0 } else { 0.0 };
        let left = self.cells.left + column as f64 * self.width;
        let top = self.cells.top + row as f64 * self.height;
        Rect { left, top, right: left + self.width - gap, bottom: top + self.height - gap }
    }

    fn middle(&self, row: usize, column: usize, size: f64) -> (f64, f64) {
        let cell = self.cell(row, column);
        ((cell.left + cell.right) / 2.0, (cell.top + cell.bottom) / 2.0 + size * 0.36)
    }
}

impl Shades {
    fn new((lo, hi): (f64, f64), range: Option<[f64; 2]>) -> Self {
        let (lo, hi) = range.map_or((lo, hi), |[lo, hi]| (lo, hi));
        let signed = lo < 0.0 && hi > 0.0;
        let reach = hi.max(-lo);
        let (lo, hi) = if signed && range.is_none() { (-reach, reach) } else { (lo, hi) };
        Shades { lo, hi, signed }
    }

    fn of(&self, value: f64) -> RGBColor {
        let span = self.hi - self.lo;
        self.at(if span > 0.0 { (value - self.lo) / span } else { 0.5 })
    }

    fn at(&self, share: f64) -> RGBColor {
        if self.signed { palette::diverging(share) } else { palette::sequential(share) }
    }
}

fn prefix(beyond: bool, sign: &str) -> String {
    if beyond { sign.to_string() } else { String::new() }
}
