//! Charts as SVG, PNG and terminal text: numbers in, picture out.
//!
//! Each chart is a plain struct of data with a [`Frame`] (title, subtitle). [`Picture::svg`] and
//! [`Picture::png`] return the finished picture; the PNG is the SVG rasterised with the embedded font, so
//! the two always show the same thing and no system font is needed. The same data gives the same bytes.
//!
//! This crate never reads a file or a clock, never writes anything, and knows nothing of tables. Days are
//! counted from 1970-01-01, as Arrow's `Date32` does. A value that is missing is `None`; a value that is
//! NaN, infinite or beyond ±10¹⁵ is refused. Data without any value gives a picture that says so.

pub mod error;
pub mod number;

pub(crate) mod date;
pub(crate) mod font;
pub(crate) mod palette;
pub(crate) mod scale;

pub(crate) mod canvas;
pub(crate) mod raster;

pub mod frame;
pub(crate) mod plot;

pub mod bars;
pub mod fan;
pub mod heatmap;
pub mod lines;
pub mod scatter;
pub mod text;

pub use bars::{Bars, Group};
pub use error::Error;
pub use fan::{Fan, Forecast};
pub use frame::{Frame, Picture};
pub use heatmap::HeatMap;
pub use lines::{Lines, Mark, Series};
pub use number::{Axis, Unit};
pub use scatter::{Cloud, Scatter};
