//! What can go wrong, said so that a reader knows what to do next.
//!
//! One type for the whole program. A kind names what the caller must do, a message what was tried,
//! hints what to try next. Nothing here prints: only `main` turns an error into lines and an exit code.

mod query;

use std::fmt;

/// A result with the program's own error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller must do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request, the project's text or its configuration must be mended. Exit code 2.
    Invalid,
    /// The data, its books or a `fail` expectation must be looked at. Exit code 3.
    Data,
    /// Somebody else changed the same thing first; the same command may be run again. Exit code 1.
    Conflict,
    /// A file, a store or a network does not answer or does not allow it. Exit code 1.
    Unavailable,
    /// A fault of the program. Exit code 1.
    Internal,
    /// The process was told to end. Exit code 130.
    Interrupted,
    /// The reader of the output has gone: no fault at all. Exit code 0.
    ClosedPipe,
}

impl Kind {
    /// The exit code of a process that ends with this kind of error.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::ClosedPipe => 0,
            Kind::Invalid => 2,
            Kind::Data => 3,
            Kind::Conflict | Kind::Unavailable | Kind::Internal => 1,
            Kind::Interrupted => 130,
        }
    }
}

/// A place in the text of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The character in it, counted from 1.
    pub column: usize,
}

/// One error: a message in lower case without a full stop, names in backticks; then its details and hints.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    message: String,
    details: Vec<String>,
    hints: Vec<String>,
    place: Option<Place>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (message, details, hints) = (message.into(), Vec::new(), Vec::new());
        Error(Box::new(Inner { kind, message, details, hints, place: None }))
    }

    /// The request, the project's text or its configuration is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// The data or its books are wrong.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// Somebody else was first.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// A file, a store or a network failed.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    /// The program is at fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Adds a line of detail: where it happened, what was found.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.details.push(detail.into());
        self
    }

    /// Adds a hint: what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Says where in the text of a statement it is.
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    /// What the caller must do.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What was tried and failed, on one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Lines of detail, in the order they were added.
    pub fn details(&self) -> &[String] {
        &self.0.details
    }

    /// What to do next, in the order the hints were added.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Where in the text of a statement it is, if that is known.
    pub fn place(&self) -> Option<Place> {
        self.0.place
    }
}

/// The message, then each detail and each hint on a line of its own.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for detail in &self.0.details {
            write!(f, "\n  {}", detail.replace('\n', "\n  "))?;
        }
        for hint in &self.0.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Turns a failed file operation into an error that names the file and says what the system answered.
pub fn io_error(what: &str, path: &std::path::Path, error: &std::io::Error) -> Error {
    let message = format!("cannot {what} `{}`", path.display());
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::invalid(format!("{message}: there is no such file or folder")),
        std::io::ErrorKind::PermissionDenied => Error::unavailable(format!("{message}: permission denied"))
            .hint("check the owner and the mode of the path, or run as a user who may use it"),
        std::io::ErrorKind::StorageFull => Error::unavailable(format!("{message}: the disk is full"))
            .hint("free some space and run the same command again; what was published before is untouched"),
        std::io::ErrorKind::IsADirectory => Error::invalid(format!("{message}: it is a folder")),
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
            Error::invalid(format!("{message}: there is a file where a folder is wanted"))
        }
        _ => Error::unavailable(format!("{message}: {error}")),
    }
}

/// The candidate nearest to `name` in spelling, when one is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let similarity = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // A layer that both names begin with says nothing about the rest.
        let (name, candidate) = match (name.rsplit_once('.'), candidate.rsplit_once('.')) {
            (Some((a, name)), Some((b, candidate))) if a == b => (name.to_string(), candidate.to_string()),
            _ => (name.clone(), candidate),
        };
        // A shared beginning counts for long names, a swapped letter for short ones.
        strsim::jaro_winkler(&name, &candidate)
            .max(strsim::normalized_damerau_levenshtein(&name, &candidate) + 0.2)
    };
    candidates
        .into_iter()
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    //! Proves which spellings are near, and how an error reads.

    use super::*;

    #[test]
    fn slips_of_the_pen_are_near_and_other_words_are_not() {
        assert_eq!(nearest("kye", ["doc", "grain", "key"]), Some("key"));
        assert_eq!(nearest("gold.rmf", ["gold.daily_sales", "gold.rfm"]), Some("gold.rfm"));
        assert_eq!(nearest("Invoice Num", ["InvoiceNo", "Country"]), Some("InvoiceNo"));
        assert_eq!(nearest("weather", ["doc", "grain", "key"]), None);
        assert_eq!(nearest("gold.nope", ["gold.country_sales", "gold.rfm"]), None);
    }

    #[test]
    fn an_error_reads_message_details_hints() {
        let error = Error::data("it failed").detail("at x:1\nhere").hint("try y");
        assert_eq!(error.to_string(), "it failed\n  at x:1\n  here\nhint: try y");
        assert_eq!(error.kind().exit_code(), 3);
    }

    #[test]
    fn what_the_system_refuses_is_named() {
        let path = std::path::Path::new("a/b");
        let said = |kind| io_error("read", path, &std::io::Error::from(kind)).to_string();
        assert!(
            said(std::io::ErrorKind::PermissionDenied).starts_with("cannot read `a/b`: permission denied")
        );
        assert!(said(std::io::ErrorKind::StorageFull).starts_with("cannot read `a/b`: the disk is full"));
        assert!(said(std::io::ErrorKind::NotFound).ends_with("there is no such file or folder"));
        assert!(said(std::io::ErrorKind::IsADirectory).ends_with("it is a folder"));
        assert!(
            said(std::io::ErrorKind::NotADirectory).ends_with("there is a file where a folder is wanted")
        );
    }
}
