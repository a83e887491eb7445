//! Colours: quiet, distinct to colour-blind eyes, the same for the same place in a list.

use plotters::style::RGBColor;

/// Titles and numbers that must stand out.
pub(crate) const INK: RGBColor = RGBColor(0x22, 0x26, 0x2B);
/// Subtitles, axis labels, legends.
pub(crate) const SOFT_INK: RGBColor = RGBColor(0x58, 0x5F, 0x68);
/// Axis lines.
pub(crate) const AXIS: RGBColor = RGBColor(0x9A, 0xA1, 0xA9);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xE8, 0xEA, 0xED);
/// The paper.
pub(crate) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// Okabe and Ito's colours (without yellow, which vanishes on white), then Tol's muted ones, grey and ink.
const SERIES: [RGBColor; 12] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0x77, 0x77, 0x77),
    RGBColor(0x11, 0x77, 0x33),
    INK,
];

const SEQUENTIAL: [RGBColor; 6] = [
    RGBColor(0xF1, 0xF6, 0xFB),
    RGBColor(0xD3, 0xE3, 0xF1),
    RGBColor(0xA0, 0xC5, 0xE1),
    RGBColor(0x5B, 0x9D, 0xCB),
    RGBColor(0x20, 0x6F, 0xAE),
    RGBColor(0x0A, 0x3F, 0x78),
];

const DIVERGING: [RGBColor; 5] = [
    RGBColor(0xA8, 0x4A, 0x00),
    RGBColor(0xEC, 0xB0, 0x7C),
    RGBColor(0xF6, 0xF6, 0xF6),
    RGBColor(0x8A, 0xB8, 0xDA),
    RGBColor(0x0A, 0x4F, 0x8F),
];

/// The colour of the series at `position`; after twelve the colours begin again.
pub(crate) fn series(position: usize) -> RGBColor {
    SERIES[position % SERIES.len()]
}

/// From almost white (0) to dark blue (1).
pub(crate) fn sequential(share: f64) -> RGBColor {
    blend_along(&SEQUENTIAL, share)
}

/// From orange (0) over white (0.5) to blue (1).
pub(crate) fn diverging(share: f64) -> RGBColor {
    blend_along(&DIVERGING, share)
}

/// Dark or white, whichever reads better on `background`.
pub(crate) fn ink_on(background: RGBColor) -> RGBColor {
    let RGBColor(r, g, b) = background;
    let luma = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if luma > 122.0 { INK } else { PAPER }
}

fn blend_along(stops: &[RGBColor], share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let left = (place as usize).min(stops.len() - 2);
    let (RGBColor(r0, g0, b0), RGBColor(r1, g1, b1)) = (stops[left], stops[left + 1]);
    let mix =
        |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * (place - left as f64)).round() as u8;
    RGBColor(mix(r0, r1), mix(g0, g1), mix(b0, b1))
}
