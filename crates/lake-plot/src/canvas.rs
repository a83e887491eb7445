//! A sheet of white paper measured in pixels, on which `plotters` draws SVG.
//!
//! `plotters` counts whole units, so a sheet is drawn ten times larger than shown and its `viewBox` brings
//! it back: lines and points land on tenths of a pixel.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::{Error, internal};
use crate::font;
use crate::palette::PAPER;

/// Drawing units per pixel.
const UNITS: f64 = 10.0;

/// `plotters-svg` writes font sizes divided by this.
const FONT_FACTOR: f64 = 1.24;

/// `plotters-svg` sets text anchored at its top this many ems above its baseline.
const ASCENT: f64 = 0.76;

/// Half the height of a capital or a digit, in ems.
const MIDDLE: f64 = 0.36;

/// A length in pixels as `plotters` wants it.
pub(crate) fn units(px: f64) -> i32 {
    (px * UNITS).round() as i32
}

/// A thickness or radius in pixels as `plotters` wants it.
pub(crate) fn thickness(px: f64) -> u32 {
    units(px).unsigned_abs()
}

/// A rectangle in pixels, y growing downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// Where a text stands relative to its x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Size in pixels, weight and colour of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Type {
    pub size: f64,
    pub bold: bool,
    pub colour: RGBColor,
}

impl Type {
    pub(crate) fn new(size: f64, colour: RGBColor) -> Self {
        Type { size, bold: false, colour }
    }

    pub(crate) fn bold(self) -> Self {
        Type { bold: true, ..self }
    }

    fn font(self) -> FontDesc<'static> {
        let weight = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        (font::FAMILY, self.size * UNITS * FONT_FACTOR, weight).into_font()
    }
}

/// The sheet under the pen.
pub(crate) struct Canvas<'b> {
    pub area: DrawingArea<SVGBackend<'b>, Shift>,
    pub width: f64,
    pub height: f64,
}

/// Draws a white sheet of `width` × `height` pixels with `paint` and returns it as SVG.
pub(crate) fn sheet(
    (width, height): (u32, u32),
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), Error>,
) -> Result<String, Error> {
    let size = (width * UNITS as u32, height * UNITS as u32);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&PAPER).map_err(internal)?;
        let canvas = Canvas { area, width: f64::from(width), height: f64::from(height) };
        paint(&canvas)?;
        canvas.area.present().map_err(internal)?;
    }
    // Round joins keep the peaks of a jagged series where its values are.
    let drawn = format!(r#"<svg width="{}" height="{}""#, size.0, size.1);
    let shown = format!(r#"<svg width="{width}" height="{height}" stroke-linejoin="round""#);
    Ok(svg.replacen(&drawn, &shown, 1))
}

impl Canvas<'_> {
    /// Sets `text` with its baseline at `y`; control characters, which XML forbids, become blanks.
    pub(crate) fn text(
        &self,
        text: &str,
        (x, y): (f64, f64),
        style: Type,
        anchor: Anchor,
    ) -> Result<(), Error> {
        let h_pos = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        self.draw_text(text, (x, y - ASCENT * style.size), style.font(), style.colour, h_pos)
    }

    /// Sets `text` running upwards, centred on `x`, ending at the top `y`.
    pub(crate) fn text_upward(&self, text: &str, (x, y): (f64, f64), style: Type) -> Result<(), Error> {
        let font = style.font().transform(FontTransform::Rotate270);
        let place = (x + (MIDDLE - ASCENT) * style.size, y);
        self.draw_text(text, place, font, style.colour, HPos::Right)
    }

    fn draw_text(
        &self,
        text: &str,
        (x, y): (f64, f64),
        font: FontDesc<'_>,
        colour: RGBColor,
        h_pos: HPos,
    ) -> Result<(), Error> {
        let clean: String = text.chars().map(|c| if is_xml_char(c) { c } else { ' ' }).collect();
        if clean.trim().is_empty() {
            return Ok(());
        }
        let style = font.color(&colour).pos(Pos::new(h_pos, VPos::Top));
        self.area.draw(&Text::new(clean, (units(x), units(y)), style)).map_err(internal)
    }

    /// Fills a rectangle.
    pub(crate) fn rect(&self, rect: Rect, style: impl Into<ShapeStyle>) -> Result<(), Error> {
        let corners = [(units(rect.left), units(rect.top)), (units(rect.right), units(rect.bottom))];
        self.area.draw(&Rectangle::new(corners, style.into().filled())).map_err(internal)
    }

    /// Draws a line through `points`.
    pub(crate) fn path(&self, points: &[(f64, f64)], colour: RGBColor, width: f64) -> Result<(), Error> {
        let points: Vec<_> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        self.area.draw(&PathElement::new(points, colour.stroke_width(thickness(width)))).map_err(internal)
    }

    /// Fills a circle.
    pub(crate) fn dot(&self, (x, y): (f64, f64), radius: f64, colour: RGBColor) -> Result<(), Error> {
        let dot = Circle::new((units(x), units(y)), thickness(radius), colour.filled());
        self.area.draw(&dot).map_err(internal)
    }
}

/// Whether XML 1.0 allows `c`, less tabs and line ends, which have no place in one line of text.
fn is_xml_char(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
}
