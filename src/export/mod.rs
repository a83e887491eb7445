//! Exports: published tables as files for other programs, of one publication, whole or not at all.
//!
//! Reads what readers see and writes beside the lake, never into it. Knows no clock: what an export holds depends
//! on the publication alone.

mod choose;
mod columns;
mod folder;
mod local;
mod manifest;
mod remote;
mod rows;
mod workbook;

use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use tempfile::TempDir;
use url::Url;

use crate::config::{Export, ExportFormat};
use crate::error::{Error, Result, io_error};
use crate::run::{Lake, Observer};
use local::{Draft, Local};
use manifest::MANIFEST;
pub use manifest::{ExportedColumn, ExportedFile, ExportedTable, Manifest};
use remote::Remote;
pub use rows::{Form, Output, write_rows};

/// Exports what is published, or was at `as_of`. What was exported there before is replaced when all is written.
///
/// Fails without a trace: where something is in the way, where a table is not published, where the disk is full.
pub async fn export(
    lake: &Lake,
    export: &Export,
    as_of: Option<&str>,
    observer: &dyn Observer,
) -> Result<Manifest> {
    let place = Place::find(lake, export).await?;
    let (published, session) = lake.publication_session(as_of).await?;
    let tables = choose::tables(&lake.project, &published, &export.tables)?;
    let sources = choose::sources(lake, &session, tables, export).await?;
    let published_at = published.published_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut manifest = Manifest::new(published.run_id.clone(), published_at, export.format);
    // What was known on a day is published by a name; other texts mean a publication of the lake itself.
    manifest.as_of = as_of.filter(|text| text.starts_with("as-of-")).map(Into::into);
    let draft = place.local.begin(&published.run_id)?;
    if export.format == ExportFormat::Xlsx {
        manifest = workbook::write(&draft.path, manifest, sources, observer).await?;
    } else {
        manifest.tables = folder::write(&draft.path, sources, export.format, observer).await?;
    }
    place.finish(&draft, manifest).await
}

/// Where an export goes.
struct Place {
    /// Where it is written.
    local: Local,
    /// Where it is stored when it is whole, and the folder that it waits in.
    remote: Option<(Remote, TempDir)>,
}

impl Place {
    /// The place of an export. An error if it lies in the lake, or something else is there.
    async fn find(lake: &Lake, export: &Export) -> Result<Place> {
        let to = &export.to;
        let is_workbook = export.format == ExportFormat::Xlsx;
        let url = match to.contains("://") {
            true => Some(Url::parse(to).map_err(|e| refusal(to, &format!("it is not a URL: {e}")))?),
            false => None,
        };
        let path = match &url {
            Some(url) if url.scheme() == "file" => url.to_file_path().ok(),
            Some(_) => None,
            None => Some(PathBuf::from(to)),
        };
        let place = match (path, &url) {
            (None, Some(url)) => Place::remote(Remote::new(to, url)?, is_workbook)?,
            (path, _) => Place { local: Local::new(&path.unwrap_or_default(), is_workbook)?, remote: None },
        };
        let whole = match (&place.remote, url) {
            (Some(_), Some(url)) => url,
            _ => Url::from_file_path(place.local.path()).map_err(|()| refusal(to, "it is no path"))?,
        };
        if lake.store.encloses(&whole) {
            return Err(refusal(to, "it lies in the lake").hint("name a place beside the lake"));
        }
        match &place.remote {
            None => place.local.check()?,
            // A workbook is one object, which takes the place of the one before it.
            Some(_) if is_workbook => {}
            Some((remote, _)) => remote.check().await?,
        }
        Ok(place)
    }

    fn remote(remote: Remote, is_workbook: bool) -> Result<Place> {
        let temporary = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(|e| io_error("make a folder in", &temporary, &e))?;
        let local = Local::new(&folder.path().join("export"), is_workbook)?;
        Ok(Place { local, remote: Some((remote, folder)) })
    }

    /// Puts what is whole into its place. Gives the manifest that is there.
    async fn finish(&self, draft: &Draft, manifest: Manifest) -> Result<Manifest> {
        let is_workbook = manifest.format == ExportFormat::Xlsx;
        match &self.remote {
            None => {
                if !is_workbook {
                    write_manifest(&draft.path, &manifest)?;
                }
                self.local.put(draft)?;
                Ok(manifest)
            }
            Some((remote, _)) if is_workbook => remote.put_file(&draft.path).await.map(|()| manifest),
            Some((remote, _)) => remote.put(&draft.path, manifest).await,
        }
    }
}

fn refusal(to: &str, why: &str) -> Error {
    Error::invalid(format!("cannot export to `{to}`: {why}"))
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<()> {
    let path = folder.join(MANIFEST);
    let failed = |e: std::io::Error| io_error("write", &path, &e);
    std::fs::write(&path, manifest.text()?).map_err(failed)?;
    std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(failed)
}
