//! The file that an answer goes to: it takes its place when it is whole. A device or a pipe is written as it is.

use std::fs::File;
use std::path::{Path, PathBuf};

use lake::error::{Error, Result, io_error};
use tempfile::NamedTempFile;

/// A file that is being written.
pub enum OutputFile {
    /// A device, a pipe or a socket.
    Direct(File),
    /// What will be the regular file of this path.
    Whole(NamedTempFile, PathBuf),
}

impl OutputFile {
    /// Begins to write what `path` names, or what the link there leads to.
    pub fn open(path: &Path) -> Result<OutputFile> {
        let failed = |e: std::io::Error| io_error("write", path, &e);
        let there = match std::fs::metadata(path) {
            Ok(there) => Some(there),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(failed(e)),
        };
        if there.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            let error = Error::invalid(format!("cannot write `{}`: it is a folder", path.display()));
            return Err(error.hint("name a file in it"));
        }
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return File::options().write(true).open(path).map(OutputFile::Direct).map_err(failed);
        }
        let path = linked(path);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file =
            lake::files::temporary().tempfile_in(folder).map_err(|e| io_error("write to", folder, &e))?;
        if let Some(there) = there {
            file.as_file().set_permissions(there.permissions()).map_err(failed)?;
        }
        Ok(OutputFile::Whole(file, path))
    }

    /// Where the bytes go.
    pub fn file(&mut self) -> &mut File {
        match self {
            OutputFile::Direct(file) => file,
            OutputFile::Whole(file, _) => file.as_file_mut(),
        }
    }

    /// Ends the writing: a regular file is there from now on. Gives whether it is one.
    pub fn close(self) -> Result<bool> {
        match self {
            OutputFile::Direct(_) => Ok(false),
            OutputFile::Whole(file, path) => {
                file.persist(&path).map(|_| true).map_err(|e| io_error("write", &path, &e.error))
            }
        }
    }
}

/// Where the links at `path` lead to, whether there is something or not. They make no circle.
fn linked(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    while let Ok(to) = std::fs::read_link(&path) {
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
}
