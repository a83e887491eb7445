//! What every picture has: a title, a subtitle, a legend, and a way to become bytes.

use plotters::style::{Color, RGBColor};

use crate::canvas::{Anchor, Canvas, Rect, Type, sheet};
use crate::error::Error;
use crate::palette::{INK, SOFT_INK};
use crate::{font, raster};

/// White border around everything, in pixels.
pub(crate) const MARGIN: f64 = 32.0;

/// Pixels of legend and axis text.
pub(crate) const SMALL: f64 = 13.0;

const TITLE: f64 = 22.0;
const SUBTITLE: f64 = 14.0;
const LINE: f64 = 20.0;
const LEGEND_ROWS: usize = 3;
/// Between a swatch and its name.
const GAP: f64 = 7.0;
const LONGEST_NAME: f64 = 240.0;

/// Every picture's size, in pixels.
const SIZE: (u32, u32) = (1200, 600);

/// Title and subtitle of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// One line, shortened where it does not fit.
    pub title: String,
    /// At most two lines; may be empty.
    pub subtitle: String,
}

impl Frame {
    /// The frame with this title and subtitle.
    pub fn new(title: impl Into<String>, subtitle: impl Into<String>) -> Self {
        Frame { title: title.into(), subtitle: subtitle.into() }
    }

    /// Draws the heading, then the rest by `paint`, which is given the pixels left below the heading.
    pub(crate) fn draw(
        &self,
        legend: &[Key],
        paint: impl FnOnce(&Canvas<'_>, Rect) -> Result<(), Error>,
    ) -> Result<String, Error> {
        sheet(SIZE, |canvas| {
            let top = self.heading(canvas, legend)?;
            let (right, bottom) = (canvas.width - MARGIN, canvas.height - MARGIN);
            paint(canvas, Rect { left: MARGIN, top, right, bottom })
        })
    }

    /// Draws title, subtitle and legend; returns the first free y.
    fn heading(&self, canvas: &Canvas<'_>, legend: &[Key]) -> Result<f64, Error> {
        let room = canvas.width - 2.0 * MARGIN;
        let mut y = MARGIN;
        if !self.title.is_empty() {
            let title = font::shorten(&self.title, TITLE, true, room);
            canvas.text(&title, (MARGIN, y + 14.0), Type::new(TITLE, INK).bold(), Anchor::Start)?;
            y += 24.0;
        }
        for line in font::wrap(&self.subtitle, SUBTITLE, room, 2) {
            canvas.text(&line, (MARGIN, y + 14.0), Type::new(SUBTITLE, SOFT_INK), Anchor::Start)?;
            y += LINE;
        }
        draw_legend(canvas, legend, y + 6.0)
    }
}

/// A picture that can be drawn.
pub trait Picture {
    /// The picture as SVG 1.1 text, well-formed XML; text stays text, in Noto Sans where the viewer has it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the data cannot be drawn, as with NaN or rows of different lengths.
    fn svg(&self) -> Result<String, Error>;

    /// The picture as the bytes of a PNG file of 1200 × 600 pixels.
    ///
    /// # Errors
    /// As [`Picture::svg`].
    fn png(&self) -> Result<Vec<u8>, Error> {
        raster::png(&self.svg()?)
    }
}

/// How a legend shows a series.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Swatch {
    Line(f64),
    Block(f64),
    Dot,
}

/// One entry of a legend.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub name: String,
    pub colour: RGBColor,
    pub swatch: Swatch,
}

impl Key {
    pub(crate) fn new(name: impl Into<String>, colour: RGBColor, swatch: Swatch) -> Self {
        Key { name: name.into(), colour, swatch }
    }
}

/// Says in the middle of `rect` that there is nothing to see.
pub(crate) fn draw_nothing(canvas: &Canvas<'_>, rect: Rect) -> Result<(), Error> {
    let middle = ((rect.left + rect.right) / 2.0, (rect.top + rect.bottom) / 2.0);
    canvas.text("No data to draw", middle, Type::new(16.0, SOFT_INK), Anchor::Middle)
}

/// Draws the legend in rows from `y` down; returns the first free y.
fn draw_legend(canvas: &Canvas<'_>, legend: &[Key], y: f64) -> Result<f64, Error> {
    let right = canvas.width - MARGIN;
    let (mut x, mut row) = (MARGIN, 0);
    for (i, key) in legend.iter().enumerate() {
        let name = font::shorten(&key.name, SMALL, false, LONGEST_NAME.min(right - MARGIN - 30.0));
        let width = key.swatch.width() + GAP + font::width(&name, SMALL, false);
        // The last row keeps room for the count of those that found none.
        let reserve = if row + 1 == LEGEND_ROWS && i + 1 < legend.len() { 80.0 } else { 0.0 };
        if x > MARGIN && x + width + reserve > right {
            if row + 1 == LEGEND_ROWS {
                let more = format!("and {} more", legend.len() - i);
                canvas.text(
                    &more,
                    (x, y + 13.0 + row as f64 * LINE),
                    Type::new(SMALL, SOFT_INK),
                    Anchor::Start,
                )?;
                break;
            }
            (x, row) = (MARGIN, row + 1);
        }
        draw_key(canvas, key, &name, (x, y + 13.0 + row as f64 * LINE))?;
        x += width + 24.0;
    }
    Ok(y + if legend.is_empty() { 0.0 } else { (row + 1) as f64 * LINE + 4.0 })
}

fn draw_key(canvas: &Canvas<'_>, key: &Key, name: &str, (x, y): (f64, f64)) -> Result<(), Error> {
    let middle = y - 4.5;
    let right = x + key.swatch.width();
    match key.swatch {
        Swatch::Line(width) => canvas.path(&[(x, middle), (right, middle)], key.colour, width)?,
        Swatch::Dot => canvas.dot(((x + right) / 2.0, middle), 5.0, key.colour)?,
        Swatch::Block(opacity) => {
            let block = Rect { left: x, top: middle - 6.0, right, bottom: middle + 6.0 };
            canvas.rect(block, key.colour.mix(opacity))?;
        }
    }
    canvas.text(name, (right + GAP, y), Type::new(SMALL, SOFT_INK), Anchor::Start)
}

impl Swatch {
    /// Pixels.
    fn width(self) -> f64 {
        match self {
            Swatch::Line(_) => 22.0,
            Swatch::Block(_) => 16.0,
            Swatch::Dot => 10.0,
        }
    }
}
