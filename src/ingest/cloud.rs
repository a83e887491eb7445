//! Sources in object stores: an object, a prefix that ends in `/`, or a glob, fetched to local files.

use std::path::Path;

use deltalake::logstore::ObjectStoreRef;
use futures::StreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use url::Url;

use super::Delivery;
use super::archive::Form;
use crate::error::{Error, Result, io_error};
use crate::table::objects_at;

/// Fetches the readable objects that `location` names into `downloads`, in natural order of their names.
pub(super) async fn fetch(
    location: &str,
    downloads: &Path,
    progress: &(dyn Fn(u64, Option<u64>) + Send + Sync),
) -> Result<Vec<Delivery>> {
    let url = Url::parse(location).map_err(|e| Error::invalid(format!("`{location}` is not a URL: {e}")))?;
    let failed = |e: object_store::Error| {
        Error::unavailable(format!("cannot read `{location}`")).detail(e.to_string())
    };
    let store = store_of(&url)?;
    let mut objects = objects(&store, &url).await.map_err(failed)?;
    objects.sort_by(|a, b| natord::compare(a.location.as_ref(), b.location.as_ref()));
    if objects.is_empty() {
        return Err(Error::invalid(format!("`{location}` holds nothing that can be read"))
            .hint(format!("the name of a source ends in {}", Form::ENDINGS)));
    }
    let mut deliveries = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        let name = object.location.filename().unwrap_or("object");
        let folder = downloads.join(number.to_string());
        std::fs::create_dir_all(&folder).map_err(|e| io_error("create", &folder, &e))?;
        let path = folder.join(name);
        copy(&store, object, &path, progress).await?;
        let named = format!("{}://{}/{}", url.scheme(), url.host_str().unwrap_or_default(), object.location);
        let mut delivery = Delivery::file(named, path)?;
        delivery.modified = object.last_modified.into();
        deliveries.push(delivery);
    }
    Ok(deliveries)
}

fn store_of(url: &Url) -> Result<ObjectStoreRef> {
    let unknown = || Error::invalid(format!("cannot read `{url}`: `{}://` is not known", url.scheme()));
    objects_at(url)
        .ok_or_else(unknown)?
        .map_err(|e| Error::unavailable(format!("cannot reach `{url}`")).detail(e.to_string()))
}

/// The object of a URL, or those that its prefix or pattern matches.
async fn objects(store: &ObjectStoreRef, url: &Url) -> object_store::Result<Vec<ObjectMeta>> {
    let path = url.path().trim_start_matches('/');
    let is_pattern = path.contains(['*', '?']) || !path.ends_with('/') && Form::of(path).is_none();
    if !path.ends_with('/') && !is_pattern {
        return Ok(vec![store.head(&path.into()).await?]);
    }
    let (prefix, pattern) = path.rsplit_once('/').unwrap_or(("", path));
    let pattern = if pattern.is_empty() { "*" } else { pattern };
    let pattern = glob::Pattern::new(pattern).unwrap_or_default();
    let listed = store.list_with_delimiter(Some(&prefix.into())).await?;
    let readable = listed.objects.into_iter().filter(|object| {
        object.location.filename().is_some_and(|name| pattern.matches(name) && Form::of(name).is_some())
    });
    Ok(readable.collect())
}

async fn copy(
    store: &ObjectStoreRef,
    object: &ObjectMeta,
    path: &Path,
    progress: &(dyn Fn(u64, Option<u64>) + Send + Sync),
) -> Result<()> {
    let failed = |e: object_store::Error| {
        Error::unavailable(format!("cannot read `{}`", object.location)).detail(e.to_string())
    };
    let written = |e: std::io::Error| io_error("write", path, &e);
    let mut file = tokio::fs::File::create(path).await.map_err(written)?;
    let mut bytes = store.get(&object.location).await.map_err(failed)?.into_stream();
    let mut done = 0;
    while let Some(part) = bytes.next().await.transpose().map_err(failed)? {
        file.write_all(&part).await.map_err(written)?;
        done += part.len() as u64;
        progress(done, Some(object.size));
    }
    file.flush().await.map_err(written)
}
