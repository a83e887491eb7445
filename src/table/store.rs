//! The place where a lake's tables lie: a folder or a bucket, its format, and the lock of its writer.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Component, Path, PathBuf};

use deltalake::logstore::{
    LogStoreRef, ObjectStoreRef, StorageConfig, logstore_with, object_store_factories,
};
use deltalake::{DeltaTableError, ObjectStoreError};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use url::Url;

use super::failure;
use crate::contract::TableName;
use crate::error::{Error, Result, io_error};

/// The layout of a lake that this program writes. A lake of a higher format is left alone.
const FORMAT: u32 = 1;

/// Delta's own default is for tables that are written less often than every day.
const CHECKPOINT_COMMITS: u32 = 20;

/// The file at a lake's root that says its format.
const MARKER: &str = "lake.json";

/// The place where a lake's tables lie.
#[derive(Clone)]
pub struct Store {
    root: Url,
    folder: Option<PathBuf>,
    objects: ObjectStoreRef,
    /// How many commits the log of a new table grows by before they are summed up in a checkpoint.
    pub(super) checkpoint_commits: u32,
}

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
    program: String,
}

impl Store {
    /// Opens the store at `root`: a folder relative to `project`, or a URL. Nothing is created.
    pub fn open(project: &Path, root: &str) -> Result<Store> {
        let (url, folder) = locate(project, root)?;
        let unknown = || {
            Error::invalid(format!("cannot use the lake at `{root}`: `{}` is not known here", url.scheme()))
                .hint("lakes on s3://, gs:// and az:// need a program built with `--features cloud`")
        };
        let objects = objects_at(&url)
            .ok_or_else(unknown)?
            .map_err(|e| failure(&format!("use the lake at `{root}`"), e))?;
        Ok(Store { root: url, folder, objects, checkpoint_commits: CHECKPOINT_COMMITS })
    }

    /// The same place, where the logs of new tables are summed up every so many commits.
    pub fn with_checkpoints(self, commits: u32) -> Store {
        Store { checkpoint_commits: commits, ..self }
    }

    /// The place of another lake, in a folder below this one's root.
    pub fn below(&self, folder: &str) -> Result<Store> {
        let root = self
            .root
            .join(&format!("{folder}/"))
            .map_err(|e| Error::internal(format!("`{folder}` is no place below a root: {e}")))?;
        let folder = self.folder.as_ref().map(|own| own.join(folder));
        Ok(Store { root, folder, ..self.clone() })
    }

    /// The names of the folders in a folder below the root, in order.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = self.path_of(folder);
        let listed = self.objects.list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|e| self.store_failure(e))?.common_prefixes;
        let mut names: Vec<String> =
            listed.iter().filter_map(|path| Some(path.filename()?.to_string())).collect();
        names.sort();
        Ok(names)
    }

    /// The same place seen through `wrap`, for tests that make a store fail.
    pub fn wrapped(self, wrap: impl FnOnce(ObjectStoreRef) -> ObjectStoreRef) -> Store {
        Store { objects: wrap(self.objects), ..self }
    }

    /// The root as a person would write it: a folder's path, or the URL.
    pub fn location(&self) -> String {
        self.folder.as_ref().map_or_else(|| self.root.to_string(), |folder| folder.display().to_string())
    }

    /// Whether a place, a file, a folder or an object, lies in this one. Links in a local place are followed before.
    pub fn encloses(&self, place: &Url) -> bool {
        let real = self.folder.as_ref().and_then(|folder| folder.canonicalize().ok());
        let real = real.and_then(|folder| Url::from_directory_path(folder).ok());
        let root = real.as_ref().unwrap_or(&self.root).as_str();
        format!("{}/", place.as_str().trim_end_matches('/')).starts_with(root)
    }

    /// The Delta log of a table.
    pub(super) fn log_store(&self, name: &TableName) -> Result<LogStoreRef> {
        let url = self
            .root
            .join(&format!("{}/{}/", name.layer.as_str(), name.table))
            .map_err(|e| Error::internal(format!("the place of `{name}` is not a URL: {e}")))?;
        logstore_with(self.objects.clone(), &url, StorageConfig::default())
            .map_err(|e| failure(&format!("open `{name}`"), e))
    }

    /// Refuses a lake that a newer program wrote.
    pub async fn check_format(&self) -> Result<()> {
        let Some(marker) = self.read_marker().await? else { return Ok(()) };
        if marker.format > FORMAT {
            return Err(Error::invalid(format!(
                "the lake at `{}` has format {}, and this program knows formats up to {FORMAT}",
                self.location(),
                marker.format
            ))
            .detail(format!("it was written by {}", marker.program))
            .hint("use that version of the program, or a newer one"));
        }
        Ok(())
    }

    /// Writes the format of a new lake; an existing lake is checked and left as it is.
    pub async fn initialise(&self) -> Result<()> {
        self.check_format().await?;
        if self.read_marker().await?.is_some() {
            return Ok(());
        }
        let marker = Marker { format: FORMAT, program: format!("lake {}", env!("CARGO_PKG_VERSION")) };
        let text = serde_json::to_string(&marker).map_err(|e| Error::internal(e.to_string()))?;
        self.objects.put(&self.path_of(MARKER), text.into()).await.map_err(|e| self.store_failure(e))?;
        Ok(())
    }

    /// Takes the lock of the lake's only writer. Another holder is an error that names it.
    ///
    /// Only a local lake is locked; on an object store Delta's own commits decide who was first.
    pub fn lock(&self, run_id: &str) -> Result<Lock> {
        let Some(folder) = &self.folder else { return Ok(Lock(None)) };
        std::fs::create_dir_all(folder).map_err(|e| io_error("create", folder, &e))?;
        let path = folder.join(".lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| io_error("open", &path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path, &error)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: not being able to read it changes nothing.
                let _ = file.read_to_string(&mut holder);
                let message = format!("another run is at work on the lake at `{}`", self.location());
                return Err(Error::conflict(message)
                    .detail(holder.trim().to_string())
                    .hint("wait until it has ended and run the same command again"));
            }
        }
        let holder = format!("run {run_id}, process {}", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(|e| io_error("write", &path, &e))?;
        Ok(Lock(Some(file)))
    }

    /// Whether [`Store::lock`] keeps other writers out.
    pub fn is_lockable(&self) -> bool {
        self.folder.is_some()
    }

    /// Whether there is an object at this path below the root.
    pub(super) async fn holds(&self, below: &str) -> Result<bool> {
        match self.objects.head(&self.path_of(below)).await {
            Ok(_) => Ok(true),
            Err(ObjectStoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.store_failure(error)),
        }
    }

    async fn read_marker(&self) -> Result<Option<Marker>> {
        let bytes = match self.objects.get(&self.path_of(MARKER)).await {
            Ok(object) => object.bytes().await.map_err(|e| self.store_failure(e))?,
            Err(ObjectStoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.store_failure(error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::invalid(format!("`{MARKER}` of the lake at `{}` cannot be read: {e}", self.location()))
        })
    }

    /// Where something below the root lies: the store begins at the top of the file system or bucket.
    fn path_of(&self, below: &str) -> object_store::path::Path {
        object_store::path::Path::from_url_path(format!("{}{below}", self.root.path())).unwrap_or_default()
    }

    fn store_failure(&self, error: ObjectStoreError) -> Error {
        failure(&format!("use the lake at `{}`", self.location()), error.into())
    }
}

/// The lock of a lake's writer, given back when dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] Option<File>);

/// The URL of a root, always with a slash at its end, and its folder when it is local.
fn locate(project: &Path, root: &str) -> Result<(Url, Option<PathBuf>)> {
    if root.contains("://") {
        let slashed = format!("{}/", root.trim_end_matches('/'));
        let url =
            Url::parse(&slashed).map_err(|e| Error::invalid(format!("`root` cannot be `{root}`: {e}")))?;
        let folder = if url.scheme() == "file" { url.to_file_path().ok() } else { None };
        return Ok((url, folder));
    }
    let folder =
        std::path::absolute(project.join(root)).map_err(|e| io_error("find", Path::new(root), &e))?;
    let folder = normalised(&folder);
    let url = Url::from_directory_path(&folder)
        .map_err(|()| Error::invalid(format!("`root` cannot be `{}`", folder.display())))?;
    Ok((url, Some(folder)))
}

/// A path without `.` and `..`, by its text alone: what a link before a `..` leads to is not looked at.
fn normalised(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = whole.pop(),
            part => whole.push(part),
        }
    }
    whole
}

/// The store that a URL lies in, which begins at the top of the file system or bucket; none where no store of that
/// scheme is known.
pub fn objects_at(url: &Url) -> Option<Result<ObjectStoreRef, DeltaTableError>> {
    let scheme = Url::parse(&format!("{}://", url.scheme())).ok()?;
    let factories = object_store_factories();
    let factory = factories.get(&scheme)?;
    let opened = factory.parse_url_opts(url, &StorageConfig::default());
    Some(opened.map(|(objects, _)| objects))
}

/// The stores of cloud providers, made known once at the start of the program.
pub fn register_cloud_stores() {
    #[cfg(feature = "cloud")]
    {
        deltalake::aws::register_handlers(None);
        deltalake::gcp::register_handlers(None);
        deltalake::azure::register_handlers(None);
    }
}
