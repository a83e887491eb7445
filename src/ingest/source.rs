//! Deliveries, the files that are found, and sources, the tables inside them.
//!
//! A delivery costs nothing but a look at the file's metadata; what it holds is looked at when its sources
//! are asked for. A source is known by its content: the hash is taken of the unpacked bytes, so that the same
//! table has the same identity under whatever name and however packed it is delivered. Nothing here writes
//! to, moves or deletes what it reads.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::archive::{self, Form, Packed};
use super::chunk::Chunk;
use super::header::Layout;
use super::{text, workbook};
use crate::error::{Error, Result, io_error};

/// How many bytes are hashed at a time.
const HASH_BYTES: usize = 1 << 18;

/// Blocks of so many bytes that are read ahead.
const HASH_AHEAD: usize = 4;

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The file as it was asked for: a relative path stays relative, and a URL stays a URL.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The file's size as it stands on disk.
    pub size_bytes: u64,
    /// When the file was changed last.
    pub modified: SystemTime,
    /// What the file is by its name.
    pub form: Form,
    /// How the file itself is called, without what was asked for inside of it.
    outer: String,
    /// What was asked for inside of it: a member of an archive, a sheet of a workbook or, with a `!` between
    /// them, both.
    inside: Option<String>,
}

impl Delivery {
    /// The file at `path`, called `name` in tables and messages.
    ///
    /// The form is told by the path, so that a download keeps its URL as name.
    pub fn file(name: impl Into<String>, path: impl Into<PathBuf>) -> Result<Self> {
        let (name, path) = (name.into(), path.into());
        let metadata = std::fs::metadata(&path).map_err(|error| io_error("read", &path, &error))?;
        let form = Form::of(&path.to_string_lossy()).filter(|_| metadata.is_file()).ok_or_else(|| {
            Error::invalid(format!("`{name}` is not a file of a kind that can be read"))
                .hint(format!("the name of a source ends in {}", Form::ENDINGS))
        })?;
        let modified = metadata.modified().map_err(|error| io_error("read", &path, &error))?;
        let outer = name.clone();
        Ok(Delivery { name, path, size_bytes: metadata.len(), modified, form, outer, inside: None })
    }

    /// The same delivery, narrowed to a member or a sheet.
    pub(super) fn narrowed(mut self, inside: &str) -> Self {
        self.name = format!("{}!{inside}", self.outer);
        self.inside = Some(inside.to_owned());
        self
    }

    /// The tables of the delivery that have the columns of `layout`: one, or one per sheet of a workbook.
    ///
    /// Looks into archives and workbooks. The headers of text files are looked at only when they are read.
    pub fn sources(&self, layout: &Layout) -> Result<Vec<Source>> {
        let (packed, sheet) = self.packed()?;
        if packed.form != Form::Workbook {
            return Ok(vec![self.source(packed, None, self.name.clone())]);
        }
        let chosen = packed.as_file(|path| workbook::choose(path, &packed.name, layout, sheet.as_deref()))?;
        let several = chosen.sheets.len() > 1;
        let table = |sheet: String| {
            let name = if several { format!("{}!{sheet}", packed.name) } else { self.name.clone() };
            self.source(packed.clone(), Some(Sheet { name: sheet, only: chosen.only }), name)
        };
        Ok(chosen.sheets.into_iter().map(table).collect())
    }

    /// The bytes that were asked for, and the sheet.
    fn packed(&self) -> Result<(Packed, Option<String>)> {
        let (outer, path, form) = (&self.outer, self.path.clone(), self.form);
        if form != Form::Zip {
            return Ok((Packed { name: outer.clone(), path, member: None, form }, self.inside.clone()));
        }
        let (member, sheet) = match &self.inside {
            None => (archive::only(outer, &path)?, None),
            Some(inside) => inner(outer, &path, inside)?,
        };
        let form = Form::of(&member).unwrap_or(Form::Csv);
        let name = format!("{outer}!{member}");
        Ok((Packed { name, path, member: Some(member), form }, sheet))
    }

    fn source(&self, packed: Packed, sheet: Option<Sheet>, name: String) -> Source {
        Source { name, size_bytes: self.size_bytes, modified: self.modified, packed, sheet }
    }
}

/// The member of an archive that `inside` names, and the sheet of it when it is `book.xlsx!Sheet`.
fn inner(outer: &str, path: &Path, inside: &str) -> Result<(String, Option<String>)> {
    let cut = inside.match_indices('!').find(|(at, _)| Form::of(&inside[..*at]) == Some(Form::Workbook));
    match cut {
        Some((at, _)) => {
            Ok((archive::member(outer, path, &inside[..at])?, Some(inside[at + 1..].to_owned())))
        }
        None => Ok((archive::member(outer, path, inside)?, None)),
    }
}

/// One table to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The source's name in tables and messages: the delivery's, with the sheet when it holds several.
    pub name: String,
    /// The delivered file's size as it stands on disk.
    pub size_bytes: u64,
    /// When the delivered file was changed last.
    pub modified: SystemTime,
    packed: Packed,
    sheet: Option<Sheet>,
}

/// A sheet with the expected header.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sheet {
    name: String,
    /// No other sheet of the workbook has it.
    only: bool,
}

impl Source {
    /// Refuses a file that was written to since it was found: what was read may be half of it.
    pub fn check_unchanged(&self) -> Result<()> {
        let path = &self.packed.path;
        let now = std::fs::metadata(path).map_err(|error| io_error("read", path, &error))?;
        if now.len() == self.size_bytes && now.modified().is_ok_and(|modified| modified == self.modified) {
            return Ok(());
        }
        Err(Error::unavailable(format!("`{}` changed while it was read", self.name)).hint(
            "wait until it is written to its end and run the same command again; nothing of it was loaded",
        ))
    }

    /// The source's identity: SHA-256, in lower-case hexadecimal digits, of the unpacked content.
    ///
    /// For a workbook it is that of the workbook's bytes, followed by `!` and the sheet's name when several of
    /// its sheets can be loaded.
    pub fn sha256(&self) -> Result<String> {
        let mut hash = self.packed.open(|bytes| self.hashed(bytes))?;
        if let Some(sheet) = self.sheet.as_ref().filter(|sheet| !sheet.only) {
            hash.update(b"!");
            hash.update(sheet.name.as_bytes());
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The hash of all bytes, which are read and unpacked on one thread and hashed on another.
    fn hashed(&self, mut bytes: &mut dyn Read) -> Result<Sha256> {
        let (blocks, to_hash) = sync_channel::<Vec<u8>>(HASH_AHEAD);
        std::thread::scope(|scope| {
            let hash = scope.spawn(|| to_hash.into_iter().fold(Sha256::new(), Sha256::chain_update));
            loop {
                let mut block = Vec::with_capacity(HASH_BYTES);
                let read = (&mut bytes).take(HASH_BYTES as u64).read_to_end(&mut block);
                let read = read.map_err(|error| self.packed.failed(&error))?;
                if read == 0 || blocks.send(block).is_err() {
                    break;
                }
            }
            drop(blocks);
            hash.join().map_err(|_| Error::internal(format!("the hash of `{}` stopped", self.name)))
        })
    }

    /// Reads all records, hands them to `emit` in the source's order and gives their number.
    ///
    /// A header without records gives none, and no error. An error of `emit` ends the reading and is given
    /// back.
    pub fn read(&self, layout: &Layout, emit: &mut dyn FnMut(Chunk) -> Result<()>) -> Result<u64> {
        if let Some(sheet) = &self.sheet {
            return self
                .packed
                .as_file(|path| workbook::read(path, &self.packed.name, &sheet.name, layout, emit));
        }
        let failed = |error: &std::io::Error| self.packed.failed(error);
        self.packed.open(|bytes| text::read(bytes, &self.name, layout, text::CHUNK_BYTES, &failed, emit))
    }
}

#[cfg(test)]
mod tests;
