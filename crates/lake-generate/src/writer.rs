//! Puts rendered blocks into files, in order, and notes where each fault landed.
//! One file is open at a time; nothing is kept of what was written but counts.

use crate::block::Block;
use crate::deliveries::{Deliveries, Delivery, copy_name};
use crate::error::Error;
use crate::tally::Tally;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that was written, and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub name: String,
    pub dialect: &'static str,
    pub bytes: u64,
    pub tally: Tally,
}

/// A file that was delivered twice.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    pub name: String,
    pub of: String,
    pub bytes: u64,
}

/// Everything that was written.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub files: Vec<Written>,
    pub copies: Vec<Copied>,
    pub total: Tally,
    pub faults: u64,
}

/// Writes blocks as they come.
pub(crate) struct Writer<'a> {
    out: &'a Path,
    deliveries: &'a Deliveries,
    progress: &'a (dyn Fn(u64) + Sync),
    file: Option<Open>,
    faults: BufWriter<File>,
    faults_path: PathBuf,
    log: Log,
}

/// The file being written.
struct Open {
    index: u32,
    path: PathBuf,
    file: File,
    /// Physical lines so far, the header included.
    lines: u64,
}

impl<'a> Writer<'a> {
    pub fn new(
        out: &'a Path,
        deliveries: &'a Deliveries,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Self, Error> {
        let faults_path = out.join("truth").join("faults.csv");
        let file = File::create(&faults_path).map_err(Error::at(&faults_path))?;
        let mut faults = BufWriter::with_capacity(1 << 16, file);
        faults.write_all(b"file,line,fault,expected\n").map_err(Error::at(&faults_path))?;
        Ok(Writer { out, deliveries, progress, file: None, faults, faults_path, log: Log::default() })
    }

    /// Appends a block to its file.
    pub fn write(&mut self, block: &Block) -> Result<(), Error> {
        if self.file.as_ref().is_none_or(|open| open.index != block.file) {
            self.open(block.file)?;
        }
        let (Some(open), Some(written)) = (&mut self.file, self.log.files.last_mut()) else { return Ok(()) };
        open.file.write_all(&block.bytes).map_err(Error::at(&open.path))?;
        for &(line, fault) in &block.faults {
            let line = open.lines + u64::from(line) + 1;
            let (fault, fate) = (fault.name(), fault.fate().name());
            writeln!(self.faults, "{},{line},{fault},{fate}", written.name)
                .map_err(Error::at(&self.faults_path))?;
        }
        open.lines += u64::from(block.lines);
        written.bytes += block.bytes.len() as u64;
        written.tally += &block.tally;
        self.log.total += &block.tally;
        self.log.faults += block.faults.len() as u64;
        (self.progress)(self.log.total.records());
        Ok(())
    }

    /// Delivers one file twice, if there is dirt, and says what was written.
    pub fn finish(mut self) -> Result<Log, Error> {
        self.faults.flush().map_err(Error::at(&self.faults_path))?;
        if let Some(index) = self.deliveries.copied(self.log.files.len()) {
            let written = &self.log.files[index];
            let name = written.name.clone();
            let copy = copy_name(&name);
            let path = self.out.join(&copy);
            fs::copy(self.out.join(&name), &path).map_err(Error::at(&path))?;
            self.log.copies.push(Copied { name: copy, of: name, bytes: written.bytes });
        }
        Ok(self.log)
    }

    fn open(&mut self, index: u32) -> Result<(), Error> {
        let Delivery { name, dialect } = &self.deliveries.files[index as usize];
        let path = self.out.join(name);
        let mut file = File::create(&path).map_err(Error::at(&path))?;
        let head = dialect.head();
        file.write_all(&head).map_err(Error::at(&path))?;
        self.file = Some(Open { index, path, file, lines: 1 });
        let bytes = head.len() as u64;
        let (name, dialect) = (name.clone(), dialect.name());
        self.log.files.push(Written { name, dialect, bytes, tally: Tally::default() });
        Ok(())
    }
}
