//! An export in an object store: whole below a name of its own before the manifest points to it.
//!
//! Objects cannot be renamed, so that readers go by the manifest: it is one object, replaced as a whole.

use std::path::Path;
use std::sync::Arc;

use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use url::Url;

use super::manifest::{MANIFEST, Manifest};
use crate::error::{Error, Result, io_error};
use crate::table::objects_at;

/// Digits of the manifest's hash that are part of a name.
const HASH_DIGITS: usize = 12;

/// A prefix or an object of a store.
pub(super) struct Remote {
    to: String,
    path: ObjectPath,
    objects: Arc<dyn ObjectStore>,
}

impl Remote {
    /// The place that a URL means.
    pub(super) fn new(to: &str, url: &Url) -> Result<Remote> {
        let unknown = || {
            Error::invalid(format!("cannot export to `{to}`: `{}` is not known here", url.scheme()))
                .hint("s3://, gs:// and az:// need a program built with `--features cloud`")
        };
        let objects = objects_at(url)
            .ok_or_else(unknown)?
            .map_err(|e| Error::unavailable(format!("cannot reach `{to}`")).detail(e.to_string()))?;
        let path = ObjectPath::from_url_path(url.path())
            .map_err(|e| Error::invalid(format!("cannot export to `{to}`: {e}")))?;
        Ok(Remote { to: to.into(), path, objects })
    }

    /// An error if there is a manifest that is not of an export of ours.
    pub(super) async fn check(&self) -> Result<()> {
        let there = match self.objects.get(&self.below(MANIFEST)?).await {
            Ok(there) => there.bytes().await.map_err(|e| self.failure(&e))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(e) => return Err(self.failure(&e)),
        };
        match Manifest::parse(&there) {
            Some(_) => Ok(()),
            None => {
                let message = format!("cannot export to `{}`: its `{MANIFEST}` is not of an export", self.to);
                Err(Error::invalid(message).hint("name another prefix"))
            }
        }
    }

    /// Stores the files in `folder` that a manifest names, then the manifest, which says where they are.
    pub(super) async fn put(&self, folder: &Path, mut manifest: Manifest) -> Result<Manifest> {
        let hash: String =
            Sha256::digest(manifest.text()?).iter().map(|byte| format!("{byte:02x}")).collect();
        let prefix = format!("{}-{}", manifest.run_id, &hash[..HASH_DIGITS]);
        for file in manifest.tables.iter_mut().flat_map(|table| &mut table.files) {
            let path = format!("{prefix}/{}", file.path);
            self.upload(&folder.join(&file.path), &self.below(&path)?).await?;
            file.path = path;
        }
        let text = manifest.text()?;
        self.objects.put(&self.below(MANIFEST)?, text.into()).await.map_err(|e| self.failure(&e))?;
        Ok(manifest)
    }

    /// Stores one file under the name of this place; readers see it whole or not at all.
    pub(super) async fn put_file(&self, file: &Path) -> Result<()> {
        self.upload(file, &self.path).await
    }

    async fn upload(&self, file: &Path, path: &ObjectPath) -> Result<()> {
        let mut from = tokio::fs::File::open(file).await.map_err(|e| io_error("read", file, &e))?;
        let mut to = BufWriter::new(self.objects.clone(), path.clone());
        let copied = match tokio::io::copy(&mut from, &mut to).await {
            Ok(_) => to.shutdown().await,
            Err(error) => {
                // What has been stored of it has no name; that it cannot be removed changes nothing.
                let _ = to.abort().await;
                Err(error)
            }
        };
        copied.map_err(|e| self.failure(&e))
    }

    fn below(&self, name: &str) -> Result<ObjectPath> {
        ObjectPath::parse(format!("{}/{name}", self.path))
            .map_err(|e| Error::invalid(format!("cannot export to `{}`: {e}", self.to)))
    }

    fn failure(&self, error: &dyn std::fmt::Display) -> Error {
        Error::unavailable(format!("cannot export to `{}`", self.to)).detail(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    //! Proves that the manifest comes last and points to files that are there.

    use object_store::memory::InMemory;

    use super::super::manifest::{ExportedFile, ExportedTable};
    use super::*;
    use crate::config::ExportFormat;

    fn manifest(path: &str) -> Manifest {
        let mut manifest = Manifest::new("0199c2a4".into(), "2026-01-02".into(), ExportFormat::Csv);
        let file = ExportedFile { path: path.into(), rows: 1, bytes: 2, sha256: String::new() };
        manifest.tables.push(ExportedTable {
            table: "gold.a".into(),
            doc: String::new(),
            grain: String::new(),
            key: Vec::new(),
            partition_by: vec!["country".into()],
            rows: 1,
            columns: Vec::new(),
            files: vec![file],
        });
        manifest
    }

    #[tokio::test]
    async fn the_manifest_points_to_what_is_there() {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let place = Remote { to: "s3://b/bi".into(), path: ObjectPath::from("bi"), objects: objects.clone() };
        place.check().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = "gold/a/country=Côte d%27Ivoire/part-0.csv";
        std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(path), "n\n1\n").unwrap();
        let stored = place.put(folder.path(), manifest(path)).await.unwrap();
        let read = objects.get(&ObjectPath::from("bi/manifest.json")).await.unwrap().bytes().await.unwrap();
        assert_eq!(Manifest::parse(&read), Some(stored.clone()));
        let file = &stored.files().next().unwrap().path;
        assert!(file.starts_with("0199c2a4-") && file.ends_with(path), "{file}");
        let at = ObjectPath::parse(format!("bi/{file}")).unwrap();
        assert_eq!(objects.get(&at).await.unwrap().bytes().await.unwrap().as_ref(), b"n\n1\n");
        place.check().await.unwrap();
        // A file that cannot be read leaves the manifest as it was.
        place.put(folder.path(), manifest("gold/missing.csv")).await.unwrap_err();
        let now = objects.get(&ObjectPath::from("bi/manifest.json")).await.unwrap().bytes().await.unwrap();
        assert_eq!(now, read);
        objects.put(&ObjectPath::from("bi/manifest.json"), "{}".into()).await.unwrap();
        assert!(place.check().await.unwrap_err().message().contains("is not of an export"));
    }
}
