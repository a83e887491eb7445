//! Finds the files that a location means.
//!
//! A location is a file, a pattern, a folder, or something inside an archive or a workbook. Folders inside a
//! folder are not entered, and files that are hidden, unfinished or of another kind are passed over, except
//! when one is asked for by its name. No file is opened.

use std::cmp::Ordering;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, glob_with};

use super::archive::Form;
use super::header::listed;
use super::source::Delivery;
use crate::error::{Error, Result, io_error, nearest};

/// The deliveries that `location` means, in natural order of their names: `f2.csv` before `f10.csv`.
///
/// A location is one of
/// - a file, whose name ends in one of the readable endings;
/// - a folder, for the readable files in it; an empty folder gives none;
/// - a pattern with `*`, `?`, `[…]` or `**`, for the readable files that match;
/// - `archive.zip!member.csv`, `book.xlsx!Sheet` or `archive.zip!book.xlsx!Sheet`.
pub fn discover(location: &str) -> Result<Vec<Delivery>> {
    let path = Path::new(location);
    if location.is_empty() {
        return Err(Error::invalid("the location is empty").hint("name a file, a folder or a pattern"));
    }
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => folder(path),
        Ok(_) => Ok(vec![Delivery::file(location, path)?]),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(io_error("read", path, &error)),
        Err(_) => match container(location) {
            Some((outer, inside)) => narrowed(outer, inside),
            None if location.contains(['*', '?', '[']) => pattern(location),
            None => Err(missing(path)),
        },
    }
}

/// Cuts `archive.zip!member` at the first `!` that follows the name of an archive or a workbook.
fn container(location: &str) -> Option<(&str, &str)> {
    let holds = |name: &str| matches!(Form::of(name), Some(Form::Zip | Form::Workbook));
    let (at, _) = location.match_indices('!').find(|(at, _)| holds(&location[..*at]))?;
    Some((&location[..at], &location[at + 1..]))
}

fn narrowed(outer: &str, inside: &str) -> Result<Vec<Delivery>> {
    let path = Path::new(outer);
    if !path.exists() {
        return Err(missing(path));
    }
    if inside.is_empty() {
        return Err(Error::invalid(format!("nothing is named after the `!` of `{outer}!`"))
            .hint(format!("name a member or a sheet, or write `{outer}`")));
    }
    Ok(vec![Delivery::file(outer, path)?.narrowed(inside)])
}

/// The names of the visible files in a folder that are of no readable kind, in order.
pub fn passed_over(folder: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = entries(folder)?
        .into_iter()
        .map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path))
        .filter(|(name, path)| !is_hidden(name) && Form::of(name).is_none() && path.is_file())
        .map(|(name, _)| name)
        .collect();
    names.sort();
    Ok(names)
}

fn folder(path: &Path) -> Result<Vec<Delivery>> {
    deliveries(entries(path)?.into_iter().filter(|path| is_wanted(path)).collect())
}

/// What lies in a folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(|error| io_error("list", folder, &error))?;
    listed
        .map(|entry| {
            let entry = entry.map_err(|error| io_error("list", folder, &error))?;
            Ok(folder.join(entry.file_name()))
        })
        .collect()
}

fn pattern(location: &str) -> Result<Vec<Delivery>> {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = glob_with(location, options).map_err(|error| {
        Error::invalid(format!("`{location}` is not a pattern: {}", error.msg))
            .detail(format!("at character {}", error.pos + 1))
            .hint("a pattern knows `*`, `?`, `[abc]` and `**`")
    })?;
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for path in paths {
        let path = path.map_err(|error| io_error("read", error.path(), error.error()))?;
        let to = if is_wanted(&path) { &mut files } else { &mut others };
        to.push(as_typed(location, path));
    }
    if !files.is_empty() {
        return deliveries(files);
    }
    let error = Error::invalid(format!("no file matches `{location}`"));
    if others.is_empty() {
        return Err(error.hint("the shell expands a pattern that is not in quotes; check the folder's name"));
    }
    let others: Vec<String> = others.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    Err(error
        .detail(format!("passed over: {}", listed(others.iter().map(String::as_str))))
        .hint(format!("a readable file's name ends in {}", Form::ENDINGS)))
}

/// The pattern `./x/*` finds `x/a.csv`; its name is given as the pattern's writer would have written it.
fn as_typed(location: &str, path: PathBuf) -> PathBuf {
    if location.starts_with("./") && !path.starts_with("./") { Path::new("./").join(path) } else { path }
}

/// Whether a file in a folder is one to load: of a readable form, a finished and visible file.
fn is_wanted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A link that leads nowhere is kept, so that it is told of and not passed over in silence.
    !is_hidden(&name) && Form::of(&name).is_some() && !path.is_dir()
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '~'])
}

fn deliveries(mut files: Vec<PathBuf>) -> Result<Vec<Delivery>> {
    files.sort_by_cached_key(|file| Natural(file.to_string_lossy().into_owned()));
    files.dedup();
    files.into_iter().map(|file| Delivery::file(file.to_string_lossy(), &file)).collect()
}

/// A name that orders by its numbers, and by its letters where natural order sees no difference.
#[derive(PartialEq, Eq)]
struct Natural(String);

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        natord::compare(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The error of a path that does not exist, with the nearest one that does.
fn missing(path: &Path) -> Error {
    let error = Error::invalid(format!("there is no file or folder `{}`", path.display()));
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = std::fs::read_dir(parent.unwrap_or(Path::new("."))) else {
        let parent = parent.unwrap_or(Path::new(".")).display();
        return error.detail(format!("the folder `{parent}` does not exist or cannot be read"));
    };
    let names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(meant) => {
            let meant = parent.map_or_else(|| PathBuf::from(meant), |parent| parent.join(meant));
            error.hint(format!("did you mean `{}`?", meant.display()))
        }
        None => error.hint("check the spelling, and the folder the command is run in"),
    }
}

#[cfg(test)]
mod tests;
