//! Texts made comparable: codes and wordings. A text that is so already is viewed where it lies, not copied.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::builder::make_view;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ByteView, StringViewArray, UInt32Array};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use datafusion::arrow::compute::take;
use datafusion::common::Result;

/// The blanks that may stand around a code.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The longest text that a view holds within itself.
const INLINE: usize = 12;

/// A code: without blanks around it, upper case. Nothing is left of blanks.
pub(super) fn code(text: &str) -> Cow<'_, str> {
    upper(text.trim_matches(BLANKS))
}

/// A wording: without blanks around it, single blanks within it, upper case.
pub(super) fn wording(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let is_plain = |text: &str| text.is_ascii() && !text.bytes().any(|b| matches!(b, 9..=13));
    if is_plain(text) && !text.contains("  ") {
        return upper(text);
    }
    let mut words = text.split_whitespace();
    let mut collapsed = String::with_capacity(text.len());
    collapsed.extend(words.next());
    words.for_each(|word| collapsed.extend([" ", word]));
    Cow::Owned(collapsed.to_uppercase())
}

fn upper(text: &str) -> Cow<'_, str> {
    let is_upper = text.bytes().all(|b| b.is_ascii() && !b.is_ascii_lowercase());
    if is_upper { Cow::Borrowed(text) } else { Cow::Owned(text.to_uppercase()) }
}

/// Each text as `normal` makes it, which takes nothing but a part of the text or makes a new one; NULL where nothing
/// is left.
pub(super) fn normalised(texts: &ArrayRef, normal: impl Fn(&str) -> Cow<'_, str>) -> Result<ArrayRef> {
    let texts = texts.as_string_view();
    let own = texts.data_buffers().len() as u32;
    let (mut rewritten, mut made, mut seen) = (Vec::new(), Vec::new(), Seen::new(0_u32));
    let mut is_changed = false;
    let mut make = |row: usize, view: u128| {
        let text = texts.value(row);
        let normal = match normal(text) {
            Cow::Borrowed(part) if part.len() == text.len() => view,
            Cow::Borrowed(part) => {
                let start = part.as_ptr() as usize - text.as_ptr() as usize;
                let lies = ByteView::from(view);
                make_view(part.as_bytes(), lies.buffer_index, lies.offset + start as u32)
            }
            Cow::Owned(new) => {
                let start = rewritten.len() as u32;
                if new.len() > INLINE {
                    rewritten.extend_from_slice(new.as_bytes());
                }
                make_view(new.as_bytes(), own, start)
            }
        };
        // The view of the empty text is zero.
        is_changed |= normal != view || normal == 0;
        made.push(normal);
        made.len() as u32 - 1
    };
    let views = texts.views().iter().enumerate();
    let numbers =
        views.map(|(row, view)| if texts.is_null(row) { 0 } else { seen.of(*view, || make(row, *view)) });
    let numbers: Vec<u32> = numbers.collect();
    if !is_changed {
        return Ok(Arc::new(texts.clone()));
    }
    let is_left = |row: usize| texts.is_valid(row) && made[numbers[row] as usize] != 0;
    let left = NullBuffer::new(BooleanBuffer::collect_bool(numbers.len(), is_left));
    let numbers = UInt32Array::new(numbers.into(), Some(left));
    let mut buffers = texts.data_buffers().to_vec();
    if !rewritten.is_empty() {
        buffers.push(Buffer::from_vec(rewritten));
    }
    Ok(take(&StringViewArray::try_new(made.into(), buffers, None)?, &numbers, None)?)
}

/// What was made of the texts of an array, found again by their views: what repeats is not read again. A view that
/// another one has displaced is.
pub(super) struct Seen<T>(Vec<(u128, T)>);

/// How many views are kept.
const SEEN_BITS: u32 = 11;

impl<T: Copy> Seen<T> {
    /// No text yet; `nothing` fills what is empty.
    pub(super) fn new(nothing: T) -> Self {
        // No text is as long as this view would say.
        Seen(vec![(u128::MAX, nothing); 1 << SEEN_BITS])
    }

    /// What was made of the text of this view; else what `make` makes.
    pub(super) fn of(&mut self, view: u128, make: impl FnOnce() -> T) -> T {
        let folded = (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = &mut self.0[(folded >> (u64::BITS - SEEN_BITS)) as usize];
        if place.0 != view {
            *place = (view, make());
        }
        place.1
    }
}

#[cfg(test)]
mod tests {
    //! Proves what codes and wordings are compared by, and that views stay within their text.

    use super::*;

    #[test]
    fn codes_keep_blanks_within_them() {
        assert_eq!(code(" 85123a\r\n"), "85123A");
        assert_eq!(code("bank  charges"), "BANK  CHARGES");
        assert_eq!(code("\u{a0}ß "), "\u{a0}SS");
        assert_eq!(code(" \t "), "");
    }

    #[test]
    fn blanks_within_wordings_collapse() {
        assert_eq!(wording("  white \t HANGING\u{a0} heart "), "WHITE HANGING HEART");
        assert_eq!(wording("WHITE  HEART"), "WHITE HEART");
        assert_eq!(wording("caf\u{e9} AU lait"), "CAF\u{c9} AU LAIT");
        assert_eq!(wording(" \t "), "");
    }

    #[test]
    fn views_are_parts_of_the_text_or_new_ones() {
        let long = "A WORDING THAT IS TOO LONG FOR A VIEW";
        let texts: Vec<Option<String>> = vec![
            Some(long.into()),
            Some(format!("  {long}\t")),
            Some(long.to_lowercase()),
            Some("  SHORT".into()),
            Some("short".into()),
            Some(format!("      {}", &long[..11])),
            Some("   ".into()),
            None,
        ];
        let expected =
            [Some(long), Some(long), Some(long), Some("SHORT"), Some("SHORT"), Some(&long[..11]), None, None];
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter(texts));
        let found = normalised(&texts, wording).unwrap();
        assert_eq!(found.as_string_view().iter().collect::<Vec<_>>(), expected);
        let sliced = normalised(&texts.slice(1, 3), wording).unwrap();
        assert_eq!(sliced.len(), 3);
        // One view again and again, as readers of dictionaries make them: taken over, changed, NULL and rewritten.
        let again = UInt32Array::from(vec![0, 0, 1, 1, 7, 1, 2, 2, 3, 6, 6, 4, 4]);
        let texts = take(&texts, &again, None).unwrap();
        let expected = again.values().iter().map(|row| expected[*row as usize]).collect::<Vec<_>>();
        let found = normalised(&texts, wording).unwrap();
        assert_eq!(found.as_string_view().iter().collect::<Vec<_>>(), expected);
    }
}
