//! The embedded font (Noto Sans 1.04, Apache License 2.0) and the room its text takes.

use std::sync::LazyLock;

use ttf_parser::Face;

/// What the SVG asks for: the embedded font first, then what a viewer is likely to have.
pub(crate) const FAMILY: &str = "Noto Sans, Helvetica, Arial, sans-serif";

/// The font files a rasteriser needs.
pub(crate) const FILES: [&[u8]; 2] = [ttf_noto_sans::REGULAR, ttf_noto_sans::BOLD];

/// Viewers without Noto Sans may set text this much wider than it measures here.
const SLACK: f64 = 1.04;

/// The font files as tables of glyphs, read once.
static FACES: LazyLock<[Option<Face<'static>>; 2]> =
    LazyLock::new(|| FILES.map(|file| Face::parse(file, 0).ok()));

/// Width in pixels of `text` set at `size` pixels, with a little slack.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    text.chars().map(|c| advance(c, bold)).sum::<f64>() * size * SLACK
}

/// Advance of one character, in ems; a character the font lacks counts as a wide one.
fn advance(c: char, bold: bool) -> f64 {
    let measured = FACES[usize::from(bold)].as_ref().and_then(|face| {
        let units = face.glyph_hor_advance(face.glyph_index(c)?)?;
        Some(f64::from(units) / f64::from(face.units_per_em()))
    });
    measured.unwrap_or(1.0)
}

/// `text`, or as much of it as fits into `room` pixels followed by an ellipsis.
pub(crate) fn shorten(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_string();
    }
    let mut used = width("…", size, bold);
    let fits = |c: &char| {
        used += advance(*c, bold) * size * SLACK;
        used <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    if kept.is_empty() { kept } else { kept.trim_end().to_string() + "…" }
}

/// `text` broken between words into at most `lines` lines of `room` pixels; the last is shortened.
pub(crate) fn wrap(text: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let mut wrapped: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = wrapped.len() >= lines;
        match wrapped.last_mut() {
            Some(line) if full || width(&format!("{line} {word}"), size, false) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => wrapped.push(word.to_string()),
        }
    }
    wrapped.iter().map(|line| shorten(line, size, false, room)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_holds_the_signs_we_write() {
        for file in FILES {
            let face = Face::parse(file, 0).unwrap();
            assert!("−–…±≥≤×ÅéŒ0123456789".chars().all(|c| face.glyph_index(c).is_some()));
        }
    }

    #[test]
    fn text_is_shortened_to_its_room() {
        assert_eq!(shorten("short", 12.0, false, 100.0), "short");
        let shorter = shorten("white hanging heart t-light holder", 12.0, false, 100.0);
        assert!(shorter.ends_with('…') && width(&shorter, 12.0, false) <= 100.0, "{shorter}");
        assert_eq!(shorten("anything", 12.0, false, 1.0), "");
    }

    #[test]
    fn text_wraps_between_words() {
        let lines = wrap("regency cakestand three tier and a great many further words", 12.0, 120.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('…') && lines.iter().all(|line| width(line, 12.0, false) <= 120.0));
        assert_eq!(wrap("", 12.0, 120.0, 2), Vec::<String>::new());
    }
}
