//! Rows on their way from a source to a table: one chunk is a few thousand records as Arrow arrays.
//!
//! Text is viewed where it was read and copied only when it had to be changed. A chunk owns the bytes its
//! views look at and nothing else; it never holds on to bytes of another chunk.

use std::sync::Arc;

use datafusion::arrow::array::builder::make_view;
use datafusion::arrow::array::{Int64Array, StringViewArray};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

use crate::error::{Error, Result};

/// The most rows that one chunk holds: as many as the engine works on at a time, so that what is read of a full chunk
/// need not be put together anew.
pub(super) const MAX_ROWS: usize = 8192;

/// A run of records of one source, in the source's order.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// One array per column of the layout, in its order; NULL where the source's field is empty.
    pub columns: Vec<StringViewArray>,
    /// The 1-based physical line on which the record starts, or the row number in a worksheet.
    pub source_line: Int64Array,
    /// The whole text of a record that does not fit the header, whose columns are then all NULL; else NULL.
    pub rescued: StringViewArray,
}

impl Chunk {
    /// The number of records.
    pub fn rows(&self) -> usize {
        self.source_line.len()
    }
}

/// The block of a view into text that had to be rewritten; those of the pieces that were read follow it.
const REWRITTEN: u32 = 0;

/// Gathers records column by column. A view of zero is the empty text, which is NULL.
pub(super) struct Rows {
    rewritten: Vec<u8>,
    /// Pieces of text that rows at hand look at, before the one that is being read.
    earlier: Vec<Buffer>,
    read: Buffer,
    columns: Vec<Vec<u128>>,
    lines: Vec<i64>,
    rescued: Vec<u128>,
}

impl Rows {
    /// An empty gathering of `columns` columns.
    pub fn new(columns: usize) -> Self {
        Rows {
            rewritten: Vec::new(),
            earlier: Vec::new(),
            read: Buffer::from(&[]),
            columns: vec![Vec::new(); columns],
            lines: Vec::new(),
            rescued: Vec::new(),
        }
    }

    /// Turns to the next piece of text: views are into it from now on.
    pub fn turn_to(&mut self, piece: Buffer) {
        let read = std::mem::replace(&mut self.read, piece);
        if self.len() > 0 {
            self.earlier.push(read);
        }
    }

    /// Sets a column of the row at hand to the bytes `start..end` of the text that was read.
    #[inline]
    pub fn view(&mut self, column: usize, start: usize, end: usize) {
        let block = REWRITTEN + 1 + self.earlier.len() as u32;
        let view = make_view(&self.read[start..end], block, start as u32);
        self.columns[column].push(view);
    }

    /// Sets a column of the row at hand to a copy of `text`.
    pub fn copy(&mut self, column: usize, text: &str) {
        let view = self.rewrite(text);
        self.columns[column].push(view);
    }

    /// Ends the row at hand, all of whose columns are set.
    #[inline]
    pub fn end(&mut self, line: i64) {
        self.lines.push(line);
        self.rescued.push(0);
    }

    /// Adds a row that keeps a copy of the whole record because it does not fit the header.
    pub fn rescue(&mut self, line: i64, record: &str) {
        let view = self.rewrite(record);
        self.columns.iter_mut().for_each(|column| column.push(0));
        self.lines.push(line);
        self.rescued.push(view);
    }

    /// The number of ended rows.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The bytes of text that was copied.
    pub fn copied_bytes(&self) -> usize {
        self.rewritten.len()
    }

    /// The bytes of all text that rows at hand may look at.
    pub fn held_bytes(&self) -> usize {
        self.rewritten.len() + self.earlier.iter().chain([&self.read]).map(Buffer::len).sum::<usize>()
    }

    /// Turns the rows into a chunk and starts over with the piece that is being read.
    pub fn take(&mut self) -> Result<Chunk> {
        let rows = self.len();
        let rewritten = Buffer::from_vec(std::mem::take(&mut self.rewritten));
        let pieces = self.earlier.drain(..).chain([self.read.clone()]);
        let buffers: Arc<[Buffer]> = [rewritten].into_iter().chain(pieces).collect();
        let replaced = |views: &mut Vec<u128>| std::mem::replace(views, Vec::with_capacity(rows));
        let columns = self.columns.iter_mut().map(|views| texts(replaced(views), &buffers));
        Ok(Chunk {
            columns: columns.collect::<Result<Vec<_>>>()?,
            source_line: Int64Array::from(std::mem::replace(&mut self.lines, Vec::with_capacity(rows))),
            rescued: texts(replaced(&mut self.rescued), &buffers)?,
        })
    }

    fn rewrite(&mut self, text: &str) -> u128 {
        let start = self.rewritten.len();
        if text.len() > 12 {
            self.rewritten.extend_from_slice(text.as_bytes());
        }
        make_view(text.as_bytes(), REWRITTEN, start as u32)
    }
}

fn texts(views: Vec<u128>, buffers: &Arc<[Buffer]>) -> Result<StringViewArray> {
    let given = BooleanBuffer::collect_bool(views.len(), |row| views[row] != 0);
    let nulls = Some(NullBuffer::new(given)).filter(|nulls| nulls.null_count() > 0);
    StringViewArray::try_new(ScalarBuffer::from(views), Arc::clone(buffers), nulls)
        .map_err(|error| Error::internal(format!("a chunk of text is not well formed: {error}")))
}
