//! Where results go: the screen, a pager where that cannot hold them, or a file.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::ValueEnum;
use datafusion::execution::SendableRecordBatchStream;
use lake::error::{Error, Kind, Result, io_error};

use crate::cli::output::OutputFile;
use crate::cli::print;
use crate::cli::sql::{self, Format};

/// Where results go, and how.
pub struct Results {
    /// How they are written, where the name of a file does not say it.
    pub format: Format,
    /// Whether those that the screen cannot hold go through a pager.
    pub is_paged: bool,
    /// The columns and the lines of the screen; none where nobody looks at one.
    pub size: Option<(usize, usize)>,
    file: Option<ResultFile>,
    /// How many went to standard output.
    shown: u64,
}

/// A file that takes one result after another; it takes its place when it is closed.
struct ResultFile {
    path: PathBuf,
    output: OutputFile,
    /// How its name says that results are written.
    format: Option<Format>,
    results: u64,
    /// The bytes of its whole results.
    length: u64,
}

impl Results {
    /// Results on standard output in `format`.
    pub fn new(format: Format) -> Results {
        Results { format, is_paged: true, size: None, file: None, shown: 0 }
    }

    /// Results go to the file `path` from now on, or to standard output; the file before is there then, if it has any.
    pub fn redirect(&mut self, path: Option<&str>) -> Result<()> {
        if let Some(file) = self.file.take().filter(|file| file.results > 0) {
            file.output.close()?;
        }
        let Some(path) = path.map(Path::new) else { return Ok(()) };
        let extension = path.extension().and_then(|extension| extension.to_str());
        let format = extension.and_then(|extension| Format::from_str(extension, true).ok());
        let output = OutputFile::open(path)?;
        self.file = Some(ResultFile { path: path.into(), output, format, results: 0, length: 0 });
        Ok(())
    }

    /// Writes rows as they come; says where they went unless that is the screen.
    pub async fn write(&mut self, rows: SendableRecordBatchStream) -> Result<Option<String>> {
        let format = self.file.as_ref().and_then(|file| file.format).unwrap_or(self.format);
        let before = self.file.as_ref().map_or(self.shown, |file| file.results);
        if format == Format::Parquet {
            self.check_parquet(before)?;
        }
        let Some(file) = &mut self.file else {
            let mut screen = self.screen();
            let written = sql::write(rows, format, &mut screen).await.map(|_| ());
            screen.close(written)?;
            self.shown += 1;
            return Ok(None);
        };
        let written = sql::write(rows, format, file.output.file()).await?;
        file.results += 1;
        Ok(Some(format!("{} to {}", print::counted(written, "row", "rows"), file.path.display())))
    }

    /// Ends the writing of a result: what is in a file of one that failed goes.
    pub fn settle(&mut self, is_whole: bool) -> Result<()> {
        let Some(ResultFile { path, output: OutputFile::Whole(file, _), length, .. }) = &mut self.file else {
            return Ok(());
        };
        let file = file.as_file_mut();
        let settled = match is_whole {
            true => file.stream_position().map(|end| *length = end),
            false => file.set_len(*length).and_then(|()| file.seek(SeekFrom::Start(*length)).map(|_| ())),
        };
        settled.map_err(|e| io_error("write", path, &e))
    }

    /// Shows a text for people.
    pub fn show(&self, text: &str) -> Result<()> {
        let mut screen = self.screen();
        let written = writeln!(screen, "{}", text.trim_end()).map_err(print::output_error);
        screen.close(written)
    }

    fn screen(&self) -> Screen {
        Screen::new(self.size.filter(|_| self.is_paged))
    }

    /// A Parquet file is one result, and nothing to look at.
    fn check_parquet(&self, before: u64) -> Result<()> {
        let is_seen = self.file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stdout());
        if !is_seen && before == 0 {
            return Ok(());
        }
        let message = if is_seen {
            "a Parquet file cannot be shown on a terminal"
        } else {
            "a Parquet file holds one result, and this one has it"
        };
        Err(Error::invalid(message).hint("`\\o FILE` names a file for the next result"))
    }
}

/// Standard output, where what is longer or wider than the screen goes through a pager.
struct Screen {
    /// The columns and lines from which on there is a pager; never without.
    size: Option<(usize, usize)>,
    /// What waits until it is known whether that is so.
    held: Vec<u8>,
    lines: usize,
    /// The characters of the last line and of the longest.
    width: usize,
    widest: usize,
    pager: Option<Child>,
}

impl Screen {
    fn new(size: Option<(usize, usize)>) -> Screen {
        Screen { size, held: Vec::new(), lines: 0, width: 0, widest: 0, pager: None }
    }

    /// Holds bytes back; says whether the screen can show all that is held.
    fn holds(&mut self, bytes: &[u8], (columns, lines): (usize, usize)) -> bool {
        self.held.extend_from_slice(bytes);
        for byte in bytes {
            match byte {
                b'\n' => (self.lines, self.width) = (self.lines + 1, 0),
                // A character goes on.
                0x80..0xc0 => {}
                _ => self.width += 1,
            }
            self.widest = self.widest.max(self.width);
        }
        self.lines < lines && self.widest <= columns
    }

    /// Shows what waits; waits until the pager is left, which is no error of the writer's.
    fn close(mut self, written: Result<()>) -> Result<()> {
        match (&self.pager, written) {
            (Some(_), Err(error)) if error.kind() == Kind::ClosedPipe => Ok(()),
            (Some(_), written) => written,
            (None, written) => print::write(&std::mem::take(&mut self.held)).and(written),
        }
    }

    /// Begins to page, or to write on where there is no pager.
    fn page(&mut self) -> std::io::Result<()> {
        self.size = None;
        let held = std::mem::take(&mut self.held);
        self.pager = pager().spawn().ok();
        self.write_all(&held)
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(stdin) = self.pager.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            return stdin.write(bytes);
        }
        let Some(size) = self.size else { return std::io::stdout().write(bytes) };
        if !self.holds(bytes, size) {
            self.page()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.pager.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            Some(stdin) => stdin.flush(),
            None => std::io::stdout().flush(),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(mut pager) = self.pager.take() {
            // The end of what it reads.
            drop(pager.stdin.take());
            let _ = pager.wait();
        }
    }
}

/// The user's pager, or `less`, which leaves long lines on one line.
fn pager() -> Command {
    let named = std::env::var("PAGER").unwrap_or_default();
    let mut words = named.split_whitespace();
    let mut command = match words.next() {
        Some(program) => Command::new(program),
        None => Command::new("less"),
    };
    command.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "SRX");
    }
    command
}

#[cfg(test)]
mod tests {
    //! Proves when results are held back, and that a file holds whole results alone.

    use super::*;

    #[test]
    fn what_fits_on_the_screen_waits_for_no_pager() {
        let size = (4, 3);
        let mut screen = Screen::new(Some(size));
        screen.write_all("öñçé\nb\n".as_bytes()).unwrap();
        assert!(screen.pager.is_none() && screen.held == "öñçé\nb\n".as_bytes());
        assert!(!screen.holds(b"c\n", size));
        assert!(!Screen::new(None).holds(b"a\nabcde", size));
    }

    #[test]
    fn a_file_holds_whole_results() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let mut results = Results::new(Format::Table);
        results.redirect(path.to_str()).unwrap();
        for (text, is_whole) in [("one\n", true), ("tw", false), ("three\n", true)] {
            results.file.as_mut().unwrap().output.file().write_all(text.as_bytes()).unwrap();
            results.settle(is_whole).unwrap();
            results.file.as_mut().unwrap().results += u64::from(is_whole);
        }
        assert_eq!(results.file.as_ref().unwrap().format, Some(Format::Csv));
        assert!(!path.exists());
        results.redirect(None).unwrap();
        results.redirect(path.to_str()).unwrap();
        results.redirect(None).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one\nthree\n");
    }
}
