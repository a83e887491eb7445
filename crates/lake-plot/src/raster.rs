//! An SVG as PNG bytes, with the embedded font and no other.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::error::{Error, internal};
use crate::font;

/// Rasterises `svg` at its own width and height in pixels.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>, Error> {
    let mut options = Options::default();
    for file in font::FILES {
        options.fontdb_mut().load_font_data(file.to_vec());
    }
    let tree = Tree::from_str(svg, &options).map_err(internal)?;
    let size = tree.size().to_int_size();
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or_else(|| internal("no pixels"))?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(internal)
}
