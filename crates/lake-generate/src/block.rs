//! The bytes of a chunk as they grow, with the line numbers, faults and sums that go with them.
//! Lines are counted from 0 within the block: only the writer knows where in the file it lands.

use crate::deliveries::Dialect;
use crate::faults::Fault;
use crate::record::Record;
use crate::tally::Tally;
use std::ops::Range;

/// A rendered chunk.
#[derive(Debug)]
pub(crate) struct Block {
    pub file: u32,
    pub dialect: Dialect,
    pub bytes: Vec<u8>,
    /// Physical lines so far; more than records when a field holds a newline.
    pub lines: u32,
    pub faults: Vec<(u32, Fault)>,
    pub tally: Tally,
}

/// Where in the block a record stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    bytes: Range<usize>,
    lines: u32,
}

impl Block {
    pub fn new(file: u32, dialect: Dialect, capacity: usize) -> Self {
        Block {
            file,
            dialect,
            bytes: Vec::with_capacity(capacity),
            lines: 0,
            faults: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Notes that the next record has a fault; one that is no transaction is counted too.
    pub fn plant(&mut self, fault: Fault) {
        self.faults.push((self.lines, fault));
        self.tally.refuse(fault.fate());
    }

    /// Appends a record.
    pub fn record(&mut self, record: &Record) -> Place {
        let start = self.bytes.len();
        record.write(&mut self.bytes, self.dialect);
        self.end(start)
    }

    /// Ends the line that began at byte `start`.
    pub fn end(&mut self, start: usize) -> Place {
        let newlines = self.bytes[start..].iter().filter(|&&byte| byte == b'\n').count() as u32;
        self.bytes.extend_from_slice(self.dialect.line_end());
        self.lines += newlines + 1;
        Place { bytes: start..self.bytes.len(), lines: newlines + 1 }
    }

    /// Appends a record of the block once more, byte by byte.
    pub fn again(&mut self, place: &Place, fault: Fault) {
        self.plant(fault);
        self.bytes.extend_from_within(place.bytes.clone());
        self.lines += place.lines;
    }

    /// The place of a plain line, which began at byte `start` and has ended.
    pub fn plain(&mut self, start: usize) -> Place {
        self.lines += 1;
        Place { bytes: start..self.bytes.len(), lines: 1 }
    }
}
