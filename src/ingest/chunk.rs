//! Rows on their way from a source to a table: one chunk is a few thousand records as Arrow arrays.

use datafusion::arrow::array::{Int64Array, StringArray};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};

use crate::error::{Error, Result};

/// The most rows that one chunk holds: as many as the engine works on at a time, so that what is read of a full chunk
/// need not be put together anew.
pub(super) const MAX_ROWS: usize = 8192;

/// With more text than this, a chunk is handed on though it is not full.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// A run of records of one source, in the source's order.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// One array per column of the layout, in its order; NULL where the source's field is empty.
    pub columns: Vec<StringArray>,
    /// The 1-based physical line on which the record starts, or the row number in a worksheet.
    pub source_line: Int64Array,
    /// The whole text of a record that does not fit the header, whose columns are then all NULL; else NULL.
    pub rescued: StringArray,
}

impl Chunk {
    /// The number of records.
    pub fn rows(&self) -> usize {
        self.source_line.len()
    }
}

/// Gathers records column by column.
pub(super) struct Rows {
    columns: Vec<Texts>,
    lines: Vec<i64>,
    rescued: Texts,
}

impl Rows {
    /// An empty gathering of `columns` columns.
    pub fn new(columns: usize) -> Self {
        let columns = std::iter::repeat_with(Texts::new).take(columns).collect();
        Rows { columns, lines: Vec::new(), rescued: Texts::new() }
    }

    /// Sets a column of the row at hand to a text in UTF-8.
    #[inline]
    pub fn put(&mut self, column: usize, text: &[u8]) {
        self.columns[column].push(text);
    }

    /// Ends the row at hand, all of whose columns are set.
    #[inline]
    pub fn end(&mut self, line: i64) {
        self.lines.push(line);
        self.rescued.push(b"");
    }

    /// Adds a row that keeps the whole record because it does not fit the header.
    pub fn rescue(&mut self, line: i64, record: &str) {
        self.columns.iter_mut().for_each(|column| column.push(b""));
        self.lines.push(line);
        self.rescued.push(record.as_bytes());
    }

    /// The number of ended rows.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The bytes of their text.
    pub fn bytes(&self) -> usize {
        self.columns.iter().chain([&self.rescued]).map(|texts| texts.bytes.len()).sum()
    }

    /// Turns the rows into a chunk and starts over.
    pub fn take(&mut self) -> Result<Chunk> {
        let lines = emptied(&mut self.lines);
        Ok(Chunk {
            columns: self.columns.iter_mut().map(Texts::take).collect::<Result<Vec<_>>>()?,
            source_line: Int64Array::from(lines),
            rescued: self.rescued.take()?,
        })
    }
}

/// The texts of a column, one behind the other.
struct Texts {
    bytes: Vec<u8>,
    /// Where each begins, and where the last one ends.
    offsets: Vec<i32>,
}

impl Texts {
    fn new() -> Self {
        Texts { bytes: Vec::new(), offsets: vec![0] }
    }

    #[inline]
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i32);
    }

    /// All texts, empty ones as NULL; then there are none.
    fn take(&mut self) -> Result<StringArray> {
        let (bytes, offsets) = (emptied(&mut self.bytes), emptied(&mut self.offsets));
        self.offsets.push(0);
        let offsets = OffsetBuffer::new(offsets.into());
        let given = BooleanBuffer::collect_bool(offsets.len() - 1, |row| offsets[row] < offsets[row + 1]);
        let nulls = Some(NullBuffer::new(given)).filter(|nulls| nulls.null_count() > 0);
        StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)
            .map_err(|error| Error::internal(format!("a chunk of text is not well formed: {error}")))
    }
}

/// What is in it, in whose place comes an empty one with as much room.
fn emptied<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}
