//! Points coloured by group, thinned where there are more than an eye or a file can hold.

use plotters::style::{Color, RGBAColor};

use crate::canvas::{Canvas, Rect};
use crate::error::{Error, check_values};
use crate::frame::{Frame, Key, Picture, Swatch, draw_nothing};
use crate::number::{Axis, Unit};
use crate::palette;
use crate::plot::{Plot, XAxis, YAxis};
use crate::scale::{Scale, extent};

/// A small group keeps this many points, lest thinning make it vanish.
const FEWEST: usize = 50;

/// Points of several groups on two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// Title, subtitle; how many points are drawn is added to the subtitle.
    pub frame: Frame,
    /// What is shown from left to right.
    pub x: Axis,
    /// What is shown from bottom to top.
    pub y: Axis,
    /// The groups; a legend names them where there are two or more.
    pub groups: Vec<Cloud>,
    /// About how many points to draw at most; each takes some 95 bytes of SVG.
    pub at_most: usize,
}

/// The points of one group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cloud {
    /// Its name in the legend.
    pub name: String,
    /// x and y, in the units of their axes.
    pub points: Vec<(f64, f64)>,
}

impl Default for Scatter {
    fn default() -> Self {
        let (frame, x, y) = (Frame::default(), Axis::default(), Axis::default());
        Scatter { frame, x, y, groups: Vec::new(), at_most: 5_000 }
    }
}

/// A point that is drawn, and its place in the order of drawing.
struct Drawn {
    order: u64,
    at: (f64, f64),
    colour: RGBAColor,
}

impl Picture for Scatter {
    fn svg(&self) -> Result<String, Error> {
        for group in &self.groups {
            check_values(&group.name, group.points.iter().map(|(x, _)| *x))?;
            check_values(&group.name, group.points.iter().map(|(_, y)| *y))?;
        }
        let drawn = self.thin();
        let frame = Frame { subtitle: self.subtitle(drawn.len()), ..self.frame.clone() };
        let points = || self.groups.iter().flat_map(|group| &group.points);
        let extents = extent(points().map(|(x, _)| *x)).zip(extent(points().map(|(_, y)| *y)));
        frame.draw(&self.legend(), |canvas, rect| match extents {
            None => draw_nothing(canvas, rect),
            Some((x, y)) => self.paint(canvas, rect, (x, y), drawn),
        })
    }
}

impl Scatter {
    fn total(&self) -> usize {
        self.groups.iter().map(|group| group.points.len()).sum()
    }

    fn subtitle(&self, drawn: usize) -> String {
        let count = |n: usize| Unit::Count.format(n as f64, 0);
        let told = match self.total() {
            0 => return self.frame.subtitle.clone(),
            1 => "1 point".to_string(),
            total if total == drawn => format!("{} points", count(total)),
            total => format!("{} of {} points drawn", count(drawn), count(total)),
        };
        if self.frame.subtitle.is_empty() { told } else { format!("{} · {told}", self.frame.subtitle) }
    }

    fn legend(&self) -> Vec<Key> {
        let names = self.groups.iter().map(|group| group.name.as_str()).enumerate();
        let keys = names.map(|(i, name)| Key::new(name, palette::series(i), Swatch::Dot));
        if self.groups.len() < 2 { Vec::new() } else { keys.collect() }
    }

    /// The points to draw: of each group its share of `at_most`, rounded up, and at least [`FEWEST`] where it
    /// has them, picked by a hash of the point's number; in the order of that hash, so that no group covers another.
    fn thin(&self) -> Vec<Drawn> {
        let total = self.total().max(1);
        let colour = |group| palette::series(group).mix(opacity(total.min(self.at_most)));
        let mut all = Vec::with_capacity(total.min(self.at_most) + self.groups.len());
        let mut number = 0;
        for (i, group) in self.groups.iter().enumerate() {
            let mut points = Vec::with_capacity(group.points.len());
            for at in &group.points {
                points.push(Drawn { order: scramble(number), at: *at, colour: colour(i) });
                number += 1;
            }
            points.sort_unstable_by_key(|point| point.order);
            points.truncate(group.points.len().saturating_mul(self.at_most).div_ceil(total).max(FEWEST));
            all.append(&mut points);
        }
        all.sort_unstable_by_key(|point| point.order);
        all
    }

    fn paint(
        &self,
        canvas: &Canvas<'_>,
        rect: Rect,
        (x, y): ((f64, f64), (f64, f64)),
        drawn: Vec<Drawn>,
    ) -> Result<(), Error> {
        let y = YAxis::close(&self.y, y, rect);
        let target = ((rect.width() / 110.0) as usize).clamp(2, 12);
        let x = XAxis::numbers(&self.x, Scale::close(x.0, x.1, target, self.x.unit.smallest_step()));
        let mut plot = Plot::new(canvas, rect, &y, &x)?;
        let radius = if drawn.len() > 2_000 { 2.2 } else { 3.2 };
        plot.dots(drawn.into_iter().map(|point| (point.at, point.colour)), radius)
    }
}

/// The more points, the more of each other they must let through.
fn opacity(points: usize) -> f64 {
    match points {
        0..=500 => 0.85,
        501..=2_000 => 0.7,
        _ => 0.55,
    }
}

/// A bijective scramble of `number`: the output function of SplitMix64 (Steele, Lea and Flood 2014).
fn scramble(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
