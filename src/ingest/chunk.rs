//! Rows on their way from a source to a table: one chunk is a few thousand records as Arrow arrays.
//!
//! Text is viewed where it was read and copied only when it had to be changed. A chunk owns the bytes its
//! views look at and nothing else; it never holds on to bytes of another chunk.

use std::sync::Arc;

use datafusion::arrow::array::builder::make_view;
use datafusion::arrow::array::{Int64Array, StringViewArray};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

use crate::error::{Error, Result};

/// The most rows that one chunk holds.
pub(super) const MAX_ROWS: usize = 1 << 15;

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

/// The block of a view into the text that was read, and of a view into text that had to be rewritten.
const READ: u32 = 0;
const REWRITTEN: u32 = 1;

/// Gathers records column by column. A view of zero is the empty text, which is NULL.
pub(super) struct Rows {
    read: Buffer,
    rewritten: Vec<u8>,
    columns: Vec<Vec<u128>>,
    lines: Vec<i64>,
    rescued: Vec<u128>,
}

impl Rows {
    /// An empty gathering of `columns` columns whose text lies in `read`.
    pub fn new(columns: usize, read: Buffer) -> Self {
        Rows {
            read,
            rewritten: Vec::new(),
            columns: vec![Vec::new(); columns],
            lines: Vec::new(),
            rescued: Vec::new(),
        }
    }

    /// Makes room for `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.reserve(rows));
        self.lines.reserve(rows);
        self.rescued.reserve(rows);
    }

    /// Sets a column of the row at hand to the bytes `start..end` of the text that was read.
    #[inline]
    pub fn view(&mut self, column: usize, start: usize, end: usize) {
        let view = make_view(&self.read[start..end], READ, start as u32);
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

    /// Turns the rows into a chunk and starts over with the same text.
    pub fn take(&mut self) -> Result<Chunk> {
        let rows = self.len();
        let buffers: Arc<[Buffer]> = if self.rewritten.is_empty() {
            Arc::new([self.read.clone()])
        } else {
            Arc::new([self.read.clone(), Buffer::from_vec(std::mem::take(&mut self.rewritten))])
        };
        let columns = self
            .columns
            .iter_mut()
            .map(|views| texts(std::mem::replace(views, Vec::with_capacity(rows)), &buffers))
            .collect::<Result<Vec<_>>>()?;
        Ok(Chunk {
            columns,
            source_line: Int64Array::from(std::mem::take(&mut self.lines)),
            rescued: texts(std::mem::take(&mut self.rescued), &buffers)?,
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
