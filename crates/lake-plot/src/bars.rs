//! Groups of bars side by side by category, as expected beside actual purchases.

use plotters::style::Color;

use crate::canvas::{Anchor, Canvas, Rect, Type};
use crate::error::{Error, check_length, check_value};
use crate::font;
use crate::frame::{Frame, Key, Picture, Swatch, draw_nothing};
use crate::number::Axis;
use crate::palette::{self, SOFT_INK};
use crate::plot::{Plot, XAxis, YAxis};
use crate::scale::{extent, reach_zero};

/// Share of a category's width that its bars fill.
const FILL: f64 = 0.76;
const NUMBER: f64 = 11.0;

/// Bars by category, one of each group in every category.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Title, subtitle.
    pub frame: Frame,
    /// What the values are.
    pub y: Axis,
    /// What the categories are, as in `Purchases before the holdout`.
    pub category_label: String,
    /// One name per category, in order.
    pub categories: Vec<String>,
    /// The groups; a legend names them where there are two or more.
    pub groups: Vec<Group>,
}

/// One bar for each category.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// Its name in the legend.
    pub name: String,
    /// One value per category, in the axis' unit; a missing one leaves its place empty.
    pub values: Vec<Option<f64>>,
}

impl Picture for Bars {
    fn svg(&self) -> Result<String, Error> {
        self.check()?;
        self.frame.draw(&self.legend(), |canvas, rect| match extent(self.present()) {
            None => draw_nothing(canvas, rect),
            Some(extent) => self.paint(canvas, rect, extent),
        })
    }
}

impl Bars {
    fn check(&self) -> Result<(), Error> {
        for group in &self.groups {
            check_length(&group.name, self.categories.len(), group.values.len())?;
            let mut numbered = group.values.iter().enumerate();
            numbered
                .try_for_each(|(i, value)| value.map_or(Ok(()), |v| check_value(&group.name, i + 1, v)))?;
        }
        Ok(())
    }

    fn legend(&self) -> Vec<Key> {
        let names = self.groups.iter().map(|group| group.name.as_str()).enumerate();
        let keys = names.map(|(i, name)| Key::new(name, palette::series(i), Swatch::Block(1.0)));
        if self.groups.len() < 2 { Vec::new() } else { keys.collect() }
    }

    fn present(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.groups.iter().flat_map(|group| &group.values).filter_map(|value| *value)
    }

    fn paint(&self, canvas: &Canvas<'_>, rect: Rect, extent: (f64, f64)) -> Result<(), Error> {
        let y = YAxis::new(&self.y, reach_zero(extent, true), rect);
        let x = XAxis::names(&self.categories, &self.category_label, y.beside(rect).width());
        let mut plot = Plot::new(canvas, rect, &y, &x)?;
        for (i, group) in self.groups.iter().enumerate() {
            let bars = group.values.iter().enumerate();
            let bars = bars.filter_map(|(category, value)| {
                Some([(self.left(category, i), (*value)?), (self.left(category, i + 1), 0.0)])
            });
            plot.blocks(bars, palette::series(i).mix(1.0))?;
        }
        self.paint_numbers(canvas, &plot)
    }

    /// Left edge of a group's bar, with categories of width 1.
    fn left(&self, category: usize, group: usize) -> f64 {
        category as f64 + (1.0 - FILL) / 2.0 + FILL * group as f64 / self.groups.len() as f64
    }

    /// Writes each value at the end of its bar, where all of them fit.
    fn paint_numbers(&self, canvas: &Canvas<'_>, plot: &Plot<'_>) -> Result<(), Error> {
        let decimals = self.y.unit.decimals(self.present());
        let text = |value| self.y.unit.format(value, decimals);
        let widest = self.present().map(|value| font::width(&text(value), NUMBER, false)).fold(0.0, f64::max);
        let category = plot.rect.width() / self.categories.len() as f64;
        if widest > category * FILL / self.groups.len() as f64 + 2.0 {
            return Ok(());
        }
        for (i, group) in self.groups.iter().enumerate() {
            for (c, value) in group.values.iter().enumerate() {
                let Some(value) = *value else { continue };
                let x = plot.rect.left + (self.left(c, i) + self.left(c, i + 1)) / 2.0 * category;
                let y = plot.y_px(value) + if value < 0.0 { 13.0 } else { -5.0 };
                canvas.text(&text(value), (x, y), Type::new(NUMBER, SOFT_INK), Anchor::Middle)?;
            }
        }
        Ok(())
    }
}
