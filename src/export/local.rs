//! An export on this machine: written beside its place, put there when it is whole.
//!
//! Nothing but an earlier export of ours is ever replaced, and nothing but what an export left that was cut short
//! is removed.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::manifest::{MANIFEST, Manifest};
use super::workbook;
use crate::error::{Error, Result, io_error};

/// Files that systems leave in folders that somebody looked at.
const LEFT_BY_SYSTEMS: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// The end of the name of what is not whole yet.
const UNFINISHED: &str = ".tmp";

/// A folder or a workbook, there or not.
pub(super) struct Local {
    path: PathBuf,
    is_workbook: bool,
}

/// What is being written beside its place. What is left of it goes when it is dropped.
pub(super) struct Draft {
    /// The folder or file.
    pub(super) path: PathBuf,
    /// The folder or file, locked while this process lives; none where folders cannot be opened.
    _lock: Option<File>,
}

impl Local {
    /// The place at `path`, or where the link there leads to.
    pub(super) fn new(path: &Path, is_workbook: bool) -> Result<Local> {
        let path = std::path::absolute(path).map_err(|e| io_error("find", path, &e))?;
        Ok(Local { path: real(&path), is_workbook })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An error if there is something that is not an export of ours, or the place lies in another export.
    pub(super) fn check(&self) -> Result<()> {
        let path = &self.path;
        let around = path.ancestors().skip(1).find(|folder| matches!(Manifest::read(folder), Ok(Some(_))));
        if let Some(around) = around {
            return Err(self
                .refusal(&format!("lies in the export `{}`", around.display()))
                .hint("name a place beside it: an export is replaced as a whole"));
        }
        let there = match std::fs::metadata(path) {
            Ok(there) => there,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(io_error("read", path, &e)),
        };
        match (self.is_workbook, there.is_dir()) {
            (true, true) => Err(self.refusal("is a folder").hint("name a file in it")),
            (true, false) if workbook::is_export(path)? => Ok(()),
            (true, false) => Err(self
                .refusal("is a file that is no export of lake")
                .hint("name another file, or remove this one")),
            (false, true) => self.check_folder(),
            (false, false) => Err(self.refusal("is a file").hint("name a folder")),
        }
    }

    /// An error if the folder holds something beside the files that its manifest names.
    fn check_folder(&self) -> Result<()> {
        let Some(manifest) = Manifest::read(&self.path)? else {
            return match is_empty(&self.path)? {
                true => Ok(()),
                false => Err(self
                    .refusal("holds something and is no export of lake")
                    .hint("name a new folder, or an empty one")),
            };
        };
        let own = |file: &Path| {
            file == Path::new(MANIFEST) || manifest.files().any(|own| file == Path::new(&own.path))
        };
        match files_below(&self.path)?.iter().find(|file| !own(file)) {
            None => Ok(()),
            Some(file) => Err(self
                .refusal(&format!("holds `{}`, which is not of the export there", file.display()))
                .hint("move that file away: the folder is replaced as a whole")),
        }
    }

    fn refusal(&self, why: &str) -> Error {
        Error::invalid(format!("cannot export to `{}`: it {why}", self.path.display()))
    }

    /// Begins an export of what `run_id` published. What died with its process goes first.
    pub(super) fn begin(&self, run_id: &str) -> Result<Draft> {
        let folder = self.folder();
        std::fs::create_dir_all(folder).map_err(|e| io_error("create", folder, &e))?;
        self.clear()?;
        let path = folder.join(format!("{}{run_id}{UNFINISHED}", self.prefix()));
        let lock = match self.is_workbook {
            true => File::options().write(true).create_new(true).open(&path).map(Some),
            false => std::fs::create_dir(&path).map(|()| File::open(&path).ok()),
        };
        let lock = match lock {
            Ok(lock) => lock,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(self.busy()),
            Err(e) => return Err(io_error("write to", folder, &e)),
        };
        if let Some(Err(TryLockError::WouldBlock)) = lock.as_ref().map(File::try_lock) {
            return Err(self.busy());
        }
        Ok(Draft { path, _lock: lock })
    }

    /// Puts what is whole into its place; what was there goes.
    pub(super) fn put(&self, draft: &Draft) -> Result<()> {
        self.check()?;
        let replaces_folder = !self.is_workbook && self.path.exists();
        let put = match replaces_folder {
            true => exchange(&draft.path, &self.path),
            false => std::fs::rename(&draft.path, &self.path),
        };
        put.map_err(|e| io_error("write", &self.path, &e))?;
        // The name is there; that a system cannot be made to keep it through a power cut is no failure.
        let _ = File::open(self.folder()).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Removes what exports of this place left that no process is writing.
    fn clear(&self) -> Result<()> {
        let folder = self.folder();
        let failed = |e: std::io::Error| io_error("read", folder, &e);
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if !self.is_unfinished(&path) {
                continue;
            }
            let Ok(file) = File::open(&path) else { continue };
            match file.try_lock() {
                Ok(()) => remove(&path).map_err(|e| io_error("remove", &path, &e))?,
                Err(TryLockError::WouldBlock) => return Err(self.busy()),
                Err(TryLockError::Error(_)) => {}
            }
        }
        Ok(())
    }

    fn is_unfinished(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        let run = name.and_then(|name| name.strip_prefix(&self.prefix())?.strip_suffix(UNFINISHED));
        run.is_some_and(|run| Uuid::parse_str(run.trim_end_matches(ASIDE)).is_ok())
    }

    fn busy(&self) -> Error {
        Error::conflict(format!("another export to `{}` is at work", self.path.display()))
            .hint("wait until it has ended and run the same command again")
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// What the names of unfinished exports begin with.
    fn prefix(&self) -> String {
        format!(".{}.", self.path.file_name().unwrap_or_default().to_string_lossy())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next export.
        let _ = remove(&self.path);
    }
}

/// The path without links, as far as there is something.
fn real(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.into()
}

/// Whether there is nothing in a folder but what systems leave.
fn is_empty(folder: &Path) -> Result<bool> {
    let failed = |e: std::io::Error| io_error("read", folder, &e);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !LEFT_BY_SYSTEMS.iter().any(|left| name == *left) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files below a folder, by their paths in it, but for those that systems leave.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = folders.pop() {
        let path = folder.join(&below);
        let failed = |e: std::io::Error| io_error("read", &path, &e);
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            match entry.file_type().map_err(failed)?.is_dir() {
                true => folders.push(below.join(name)),
                false if LEFT_BY_SYSTEMS.iter().any(|left| name == *left) => {}
                false => files.push(below.join(name)),
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What is there, a file or a folder, goes; nothing there is no failure.
fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(e) => Err(e),
    };
    removed.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

/// What the name of a folder that makes room has behind the run.
const ASIDE: &str = ".old";

/// Two folders take each other's names: at once where the system can do that, else within a moment in which there
/// is nothing at `place`.
fn exchange(new: &Path, place: &Path) -> std::io::Result<()> {
    if swap(new, place) { Ok(()) } else { exchange_by_steps(new, place) }
}

fn exchange_by_steps(new: &Path, place: &Path) -> std::io::Result<()> {
    let text = new.to_string_lossy();
    let aside = PathBuf::from(format!("{}{ASIDE}{UNFINISHED}", text.trim_end_matches(UNFINISHED)));
    std::fs::rename(place, &aside)?;
    if let Err(error) = std::fs::rename(new, place) {
        std::fs::rename(&aside, place)?;
        return Err(error);
    }
    std::fs::rename(&aside, new)
}

/// Whether the system exchanged the two names.
#[cfg(target_os = "linux")]
fn swap(one: &Path, other: &Path) -> bool {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes());
    let (Ok(one), Ok(other)) = (name(one), name(other)) else { return false };
    // Sound: both names end in a zero byte and outlive the call. Not every C library has a function for it.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    answer == 0
}

/// Whether the system exchanged the two names.
#[cfg(not(target_os = "linux"))]
fn swap(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests;
