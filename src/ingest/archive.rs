//! Opens the bytes of a table wherever they are: in a file, compressed, or inside a zip archive.
//!
//! What a file holds is told by its name alone. Bytes are streamed, except that a workbook inside an archive
//! is unpacked to a temporary file because it has to be read out of order. Nothing is ever unpacked next to
//! the archive.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use super::header::listed;
use crate::error::{Error, Result, io_error, nearest};

const BUFFER_BYTES: usize = 256 << 10;

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Delimited text, `.csv`.
    Csv,
    /// Delimited text packed with gzip, `.csv.gz`.
    Gzip,
    /// Delimited text packed with zstd, `.csv.zst`.
    Zstd,
    /// A workbook, `.xlsx`.
    Workbook,
    /// An archive that holds one of the others, `.zip`.
    Zip,
}

impl Form {
    /// The readable endings, for messages.
    pub const ENDINGS: &str = "`.csv`, `.csv.gz`, `.csv.zst`, `.xlsx` or `.zip`";

    /// The form of a file called `name`, by its ending in any case. `None` when it is not a readable one.
    pub fn of(name: &str) -> Option<Form> {
        let name = name.to_ascii_lowercase();
        [
            (".csv", Form::Csv),
            (".csv.gz", Form::Gzip),
            (".csv.zst", Form::Zstd),
            (".xlsx", Form::Workbook),
            (".zip", Form::Zip),
        ]
        .into_iter()
        .find(|(ending, _)| name.ends_with(ending))
        .map(|(_, form)| form)
    }
}

/// Where the bytes of a table are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// How messages call it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The member of the archive that the file is.
    pub member: Option<String>,
    /// What the file, or its member, is; never [`Form::Zip`].
    pub form: Form,
}

impl Packed {
    /// Lets `then` read the bytes, unpacked.
    pub fn open<T>(&self, then: impl FnOnce(&mut dyn Read) -> Result<T>) -> Result<T> {
        let file = File::open(&self.path).map_err(|error| io_error("open", &self.path, &error))?;
        match &self.member {
            None => self.unpack(file, then),
            Some(member) => {
                let mut archive = archive(&self.name, file)?;
                let member = archive.by_name(member).map_err(|error| refused(&self.name, &error))?;
                self.unpack(member, then)
            }
        }
    }

    fn unpack<T>(&self, mut raw: impl Read, then: impl FnOnce(&mut dyn Read) -> Result<T>) -> Result<T> {
        match self.form {
            Form::Csv | Form::Workbook | Form::Zip => then(&mut raw),
            Form::Gzip => then(&mut MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, raw))),
            Form::Zstd => {
                let raw = BufReader::with_capacity(BUFFER_BYTES, raw);
                let unpacked = zstd::Decoder::with_buffer(raw).map_err(|error| self.failed(&error))?;
                then(&mut { unpacked })
            }
        }
    }

    /// Lets `then` use the bytes as a file of their own, which is gone afterwards if it was unpacked.
    pub fn as_file<T>(&self, then: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        if self.member.is_none() {
            return then(&self.path);
        }
        let mut file = tempfile::NamedTempFile::new().map_err(|error| {
            io_error("make a temporary file in", &std::env::temp_dir(), &error)
                .hint("free some space there or set `TMPDIR` to another folder")
        })?;
        self.open(|bytes| std::io::copy(bytes, &mut file).map_err(|error| self.failed(&error)))?;
        then(file.path())
    }

    /// What it means that reading the bytes failed.
    pub fn failed(&self, error: &std::io::Error) -> Error {
        let name = &self.name;
        if error.raw_os_error().is_some() {
            return io_error("read", &self.path, error);
        }
        match error.kind() {
            ErrorKind::UnexpectedEof => ends_early(name),
            _ => Error::unavailable(format!("`{name}` is damaged: {error}"))
                .hint("copy or download the file again and check its size against the original"),
        }
    }
}

/// The error of a file that stops before what it holds does.
pub(super) fn ends_early(name: &str) -> Error {
    Error::unavailable(format!("`{name}` ends early: a part of it is missing"))
        .hint("copy or download the file again; the copy may have been broken off or may still be running")
}

/// The members of a zip archive that could be a table, in the archive's order.
pub(super) fn candidates(name: &str, path: &Path) -> Result<Vec<String>> {
    let file = File::open(path).map_err(|error| io_error("open", path, &error))?;
    let archive = archive(name, file)?;
    Ok(archive.file_names().filter(|member| is_candidate(member)).map(str::to_owned).collect())
}

fn is_candidate(member: &str) -> bool {
    let hidden = |part: &str| part.starts_with('.') || part == "__MACOSX";
    !member.split(['/', '\\']).any(hidden) && Form::of(member).is_some_and(|form| form != Form::Zip)
}

/// The only table of an archive.
pub(super) fn only(name: &str, path: &Path) -> Result<String> {
    let mut members = candidates(name, path)?;
    match members.len() {
        1 => Ok(members.remove(0)),
        0 => Err(Error::invalid(format!("`{name}` holds no file that can be read"))
            .hint("an archive must hold a file ending in `.csv`, `.csv.gz`, `.csv.zst` or `.xlsx`")),
        count => Err(Error::invalid(format!("`{name}` holds {count} files that could be meant"))
            .detail(listed(members.iter().map(String::as_str)))
            .hint(format!("name one of them, as in `{name}!{}`", members[0]))),
    }
}

/// The member of an archive called `wanted`: by its whole name or, if only one has it, by its last part.
pub(super) fn member(name: &str, path: &Path, wanted: &str) -> Result<String> {
    let members = candidates(name, path)?;
    let last_part = |member: &str| member.rsplit(['/', '\\']).next() == Some(wanted);
    let mut alike = members.iter().filter(|member| last_part(member));
    let found = match (members.iter().find(|member| *member == wanted), alike.next(), alike.next()) {
        (Some(member), ..) | (None, Some(member), None) => Some(member),
        _ => None,
    };
    found.cloned().ok_or_else(|| {
        let error = Error::invalid(format!("`{name}` holds no `{wanted}` that can be read"))
            .detail(format!("it holds {}", listed(members.iter().map(String::as_str))));
        match nearest(wanted, members.iter().map(String::as_str)) {
            Some(meant) => error.hint(format!("did you mean `{name}!{meant}`?")),
            None => error,
        }
    })
}

fn archive(name: &str, mut file: File) -> Result<ZipArchive<BufReader<File>>> {
    let begins = begins_as_zip(&mut file);
    ZipArchive::new(BufReader::with_capacity(BUFFER_BYTES, file)).map_err(|error| match error {
        ZipError::InvalidArchive(_) if begins => ends_early(name),
        ZipError::InvalidArchive(_) => Error::invalid(format!("`{name}` is not a zip archive"))
            .hint("was the file renamed, or is it the error page of a download?"),
        other => refused(name, &other),
    })
}

/// Whether a file has the first bytes of a zip archive, which every workbook has too.
pub(super) fn begins_as_zip(file: &mut File) -> bool {
    use std::io::Seek;
    let mut magic = [0; 4];
    let begins = file.read_exact(&mut magic).is_ok() && magic == *b"PK\x03\x04";
    begins & file.rewind().is_ok()
}

fn refused(name: &str, error: &ZipError) -> Error {
    match error {
        ZipError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => ends_early(name),
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            Error::invalid(format!("`{name}` is locked with a password"))
                .hint("unpack it by hand and load the file that it holds")
        }
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            Error::invalid(format!("`{name}` is packed in a way that cannot be read: {error}"))
                .hint("unpack it by hand, or pack it again with the method `deflate`")
        }
        _ => Error::unavailable(format!("`{name}` is damaged: {error}"))
            .hint("copy or download the file again and check its size against the original"),
    }
}

#[cfg(test)]
mod tests;
