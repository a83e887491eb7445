//! Brings a file from a web address to a folder.
//!
//! The bytes go to a `.part` file that becomes the file in one step when it is whole, so that nobody finds half
//! of it under its name. A broken connection is taken up where it broke if the server can tell that the file is
//! still the same one, and from the beginning otherwise; parts of two versions are never joined.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Client, Response, StatusCode};
use tempfile::NamedTempFile;
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufWriter};
use url::Url;

use super::archive::Form;
use crate::error::{Error, Result, io_error};

const BUFFER_BYTES: usize = 1 << 20;

/// Told how many bytes are there, and of how many if that is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// Downloads the file at `url` into `folder` and gives its path.
///
/// The name is the one the server gives, or else the last part of the address; a file that already has it is
/// replaced. The name must end like one of a readable [`Form`], or the server must tell the content's type.
pub async fn download(url: &str, folder: &Path, progress: Progress<'_>) -> Result<PathBuf> {
    let client = Client::builder()
        .user_agent(concat!("lake/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(30))
        .read_timeout(Duration::from_secs(60))
        .build()
        .map_err(|error| Error::internal(format!("cannot set up a web client: {}", reasons(&error))))?;
    let patience = Patience { attempts: 5, first_wait: Duration::from_secs(1) };
    Download::new(client, url, folder, progress)?.run(patience).await
}

/// How often a download is tried; each wait is twice the one before.
struct Patience {
    attempts: u32,
    first_wait: Duration,
}

struct Download<'a> {
    client: Client,
    url: Url,
    folder: &'a Path,
    progress: Progress<'a>,
    part: Option<Part>,
}

/// What has arrived so far.
struct Part {
    file: NamedTempFile,
    name: String,
    done: u64,
    total: Option<u64>,
    /// What the server calls this version of the file, if it can be held to it.
    version: Option<HeaderValue>,
}

/// Why an attempt did not bring the file.
enum Failure {
    /// Another attempt may succeed.
    Broken(String),
    /// It would not.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

impl<'a> Download<'a> {
    fn new(client: Client, url: &str, folder: &'a Path, progress: Progress<'a>) -> Result<Self> {
        let url =
            Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(|| {
                Error::invalid(format!("`{url}` is not a web address"))
                    .hint("an address begins with `https://` or `http://`")
            })?;
        Ok(Download { client, url, folder, progress, part: None })
    }

    async fn run(mut self, patience: Patience) -> Result<PathBuf> {
        let mut wait = patience.first_wait;
        let mut reason = String::new();
        for attempt in 1..=patience.attempts {
            if attempt > 1 {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            match self.attempt().await {
                Ok(()) => return self.finish(),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Broken(why)) => reason = why,
            }
        }
        let error = Error::unavailable(format!("cannot download `{}`: {reason}", self.url))
            .detail(format!("tried {} times", patience.attempts));
        let error = match &self.part {
            Some(Part { done, total: Some(total), .. }) => {
                error.detail(format!("{done} of {total} bytes arrived"))
            }
            _ => error,
        };
        Err(error.hint("check the address and the network, or download the file by hand and load it"))
    }

    /// Asks for what is still missing and takes what comes.
    async fn attempt(&mut self) -> Result<(), Failure> {
        let mut request = self.client.get(self.url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(Part { done, version: Some(version), .. }) = &self.part {
            request = request.header(RANGE, format!("bytes={done}-")).header(IF_RANGE, version.clone());
        }
        let response = request.send().await.map_err(|error| Failure::Broken(reasons(&error)))?;
        let status = response.status();
        let continues = |part: &mut Part| part.continues(response.headers());
        let continued = status == StatusCode::PARTIAL_CONTENT && self.part.as_mut().is_some_and(continues);
        match (status, &mut self.part) {
            (StatusCode::PARTIAL_CONTENT, _) if continued => {}
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, Some(part)) => {
                part.version = None;
                return Err(Failure::Broken(
                    "the server did not send the part that was asked for".to_owned(),
                ));
            }
            (StatusCode::OK, Some(part)) => part.restart(&response)?,
            (StatusCode::OK, part) => *part = Some(Part::new(&response, self.folder)?),
            _ => return Err(refused(&self.url, status)),
        }
        self.take(response).await
    }

    /// Writes the body of a response behind what is there already.
    async fn take(&mut self, mut response: Response) -> Result<(), Failure> {
        let part = self.part.as_mut().ok_or_else(|| Error::internal("a download has no file to write to"))?;
        let file = part.file.reopen().map_err(|error| io_error("open", part.file.path(), &error))?;
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, tokio::fs::File::from_std(file));
        let failed = |error: std::io::Error| io_error("write", part.file.path(), &error);
        file.seek(std::io::SeekFrom::Start(part.done)).await.map_err(failed)?;
        let broken = loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    file.write_all(&bytes).await.map_err(failed)?;
                    part.done += bytes.len() as u64;
                    (self.progress)(part.done, part.total);
                }
                Ok(None) => break None,
                Err(error) => break Some(reasons(&error)),
            }
        };
        file.flush().await.map_err(failed)?;
        file.get_ref().sync_all().await.map_err(failed)?;
        match (broken, part.total) {
            (Some(reason), _) => Err(Failure::Broken(reason)),
            (None, Some(total)) if part.done < total => {
                Err(Failure::Broken("the connection ended early".to_owned()))
            }
            (None, Some(total)) if part.done > total => {
                part.version = None;
                Err(Failure::Broken(format!("{} bytes came where {total} were promised", part.done)))
            }
            (None, _) => Ok(()),
        }
    }

    fn finish(self) -> Result<PathBuf> {
        let part = self.part.ok_or_else(|| Error::internal("a download ended without a file"))?;
        let path = self.folder.join(&part.name);
        part.file.persist(&path).map_err(|error| io_error("write", &path, &error.error))?;
        Ok(path)
    }
}

impl Part {
    fn new(response: &Response, folder: &Path) -> Result<Self> {
        let name = name(response)?;
        let file = crate::files::temporary()
            .prefix(&format!("{name}."))
            .suffix(".part")
            .tempfile_in(folder)
            .map_err(|error| io_error("write a file into", folder, &error))?;
        let (total, version) = (response.content_length(), version(response.headers()));
        Ok(Part { file, name, done: 0, total, version })
    }

    /// Begins anew because the whole file is being sent.
    fn restart(&mut self, response: &Response) -> Result<()> {
        let path = self.file.path().to_owned();
        self.file.as_file().set_len(0).map_err(|error| io_error("write", &path, &error))?;
        (self.done, self.total) = (0, response.content_length());
        self.version = version(response.headers());
        Ok(())
    }

    /// Whether a partial response begins where this part ends, and is of the same whole.
    fn continues(&mut self, headers: &HeaderMap) -> bool {
        let range = text(headers, CONTENT_RANGE).and_then(|range| {
            let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
            Some((range.split_once('-')?.0.parse::<u64>().ok()?, total.parse::<u64>().ok()))
        });
        let Some((start, total)) = range else { return false };
        let same = total.is_none() || self.total.is_none() || total == self.total;
        self.total = self.total.or(total);
        start == self.done && same
    }
}

/// What tells versions of a file apart: a strong entity tag, or else the time of its last change.
fn version(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    tag.or_else(|| headers.get(LAST_MODIFIED)).cloned()
}

fn refused(url: &Url, status: StatusCode) -> Failure {
    let answer = format!("the server answered `{status}`");
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        return Failure::Broken(answer);
    }
    let error = Error::unavailable(format!("cannot download `{url}`: {answer}"));
    Failure::Final(match status.as_u16() {
        401 | 403 | 407 => error.hint("the file is not public; download it by hand and load it from disk"),
        404 | 410 => error.hint("check the address; the file may have been moved"),
        _ => error.hint("open the address in a browser to see what the server says"),
    })
}

/// The name of the file that a response brings, with an ending that tells its form.
fn name(response: &Response) -> Result<String> {
    let headers = response.headers();
    let given = text(headers, CONTENT_DISPOSITION).and_then(disposition_name);
    let named = given.or_else(|| path_name(response.url())).unwrap_or_else(|| "download".to_owned());
    if Form::of(&named).is_some() {
        return Ok(named);
    }
    let kind = text(headers, CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let ending = match kind.as_str() {
        "text/csv" | "application/csv" | "text/tab-separated-values" => ".csv",
        "application/gzip" | "application/x-gzip" => ".csv.gz",
        "application/zstd" => ".csv.zst",
        "application/zip" | "application/x-zip-compressed" => ".zip",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => ".xlsx",
        _ => {
            return Err(Error::invalid(format!("cannot tell what kind of file `{}` is", response.url()))
                .detail(format!("its name is `{named}` and its type `{kind}`"))
                .hint(format!("download it by hand and give it a name that ends in {}", Form::ENDINGS)));
        }
    };
    Ok(format!("{named}{ending}"))
}

/// The file name in a `Content-Disposition` header (RFC 6266), the extended form before the plain one.
fn disposition_name(header: &str) -> Option<String> {
    let value = |wanted: &str| {
        header.split(';').skip(1).find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let extended = value("filename*").and_then(|value| decoded(value.rsplit('\'').next()?));
    extended.or_else(|| value("filename")).and_then(|name| last_part(&name))
}

fn path_name(url: &Url) -> Option<String> {
    decoded(url.path_segments()?.next_back()?).and_then(|name| last_part(&name))
}

/// Undoes percent encoding.
fn decoded(text: &str) -> Option<String> {
    let path = Url::parse("file:///").ok()?.join(&format!("./{text}")).ok()?.to_file_path().ok()?;
    Some(path.to_str()?.trim_start_matches('/').to_owned())
}

/// The last part of a name, so that a server cannot choose a folder; never a hidden file.
fn last_part(name: &str) -> Option<String> {
    let part = name.rsplit(['/', '\\']).next()?.trim().trim_start_matches('.');
    let part: String = part.chars().filter(|letter| !letter.is_control()).collect();
    (!part.is_empty()).then_some(part)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// An error of the web client with all that caused it, on one line.
fn reasons(error: &reqwest::Error) -> String {
    let mut text = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "the server does not answer in time".to_owned(),
        (_, true) => "the server cannot be reached".to_owned(),
        _ => "the connection broke".to_owned(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
