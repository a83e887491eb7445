//! What can go wrong while generating: impossible parameters, and files that cannot be written.
//! Never a panic for either.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing, or not everything, was generated.
#[derive(Debug)]
pub enum Error {
    /// The parameters cannot be met; the text says which and what would do.
    Parameters(String),
    /// A file or folder could not be read or written.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Returns a closure that names `path` as the place of an input/output error.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Parameters(message) => f.write_str(message),
            Error::Io { path, source } => write!(f, "cannot write to `{}`: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Parameters(_) => None,
            Error::Io { source, .. } => Some(source),
        }
    }
}
