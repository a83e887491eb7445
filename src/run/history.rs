//! Publications past and present: their list, a lake as it was, and the way back.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};

use super::{Journal, Lake, Request};
use crate::contract::TableName;
use crate::engine::Catalogue;
use crate::error::{Error, Result};
use crate::table::{Publication, Publications, Version};

/// A publication and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The run that published it.
    pub run_id: String,
    /// When.
    pub published_at: DateTime<Utc>,
    /// The version of each table.
    pub tables: BTreeMap<TableName, Version>,
    /// The run whose publication it brought back, if it did.
    pub restores: Option<String>,
}

impl Lake {
    /// Every publication, newest first.
    pub async fn publications(&self) -> Result<Vec<Published>> {
        self.store.check_format().await?;
        self.published_by(&Publications::open(&self.store).await?).await
    }

    async fn published_by(&self, publications: &Publications) -> Result<Vec<Published>> {
        if publications.table().version().is_none() {
            return Ok(Vec::new());
        }
        let catalogue = Catalogue::new();
        catalogue.open(publications.table());
        let query = "select run_id, published_at, tables, restores from ops.publications \
                     order by publication_no desc nulls last, published_at desc";
        let batches = self.engine.session(catalogue).sql(query).await?.collect().await?;
        let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
        rows.map(|(batch, row)| published(batch, row)).collect()
    }

    /// The publication that `as_of` means: a run by its id or the beginning of it, a day, at whose end it was
    /// the newest, or an instant.
    pub async fn publication_as_of(&self, as_of: &str) -> Result<Published> {
        find(self.publications().await?, as_of)
    }

    /// The tables that readers saw when this was published.
    pub(super) async fn published_then(&self, then: &Published) -> Result<Arc<Catalogue>> {
        let catalogue = self.published().await?;
        for name in self.project.contracts.keys() {
            catalogue.promise(name);
        }
        self.pin(&catalogue, &then.tables);
        Ok(catalogue)
    }

    /// Publishes again what the run `run` published, or what was published before the newest; in one commit.
    pub async fn rollback(&self, run: Option<&str>) -> Result<Published> {
        let mut this = self.start(&Request::default())?;
        this.command = "rollback";
        self.store.check_format().await?;
        let _lock = self.store.lock(&this.id)?;
        let publications = Publications::open(&self.store).await?;
        let mut all = self.published_by(&publications).await?;
        let newest = all.first().map(|published| published.tables.clone()).unwrap_or_default();
        let target = match run {
            Some(run) => find(all, run)?,
            None => {
                all.retain(|published| published.tables != newest);
                all.into_iter().next().ok_or_else(|| {
                    Error::invalid("there is no earlier publication to go back to")
                        .hint("`lake publications` lists them; each run that changes something adds one")
                })?
            }
        };
        if target.tables == newest {
            return Err(Error::invalid(format!("what run {} published is what readers see", target.run_id)));
        }
        self.check_there(&target).await?;
        let publication = Publication {
            run_id: this.id.clone(),
            tables: target.tables.clone(),
            judged_by: BTreeMap::new(),
            restores: Some(target.run_id.clone()),
        };
        let published_at = self.clock.now();
        publications.publish(&publication, published_at, &this.options).await?;
        let mut journal = Journal::default();
        journal.judgement.published = true;
        self.record(&this, &journal, None).await;
        let Publication { run_id, tables, restores, .. } = publication;
        Ok(Published { run_id, published_at, tables, restores })
    }

    /// The versions that a publication names can still be read.
    async fn check_there(&self, target: &Published) -> Result<()> {
        for (name, version) in &target.tables {
            let table = crate::table::Table::open(&self.store, name, Some(*version)).await.map_err(|e| {
                e.detail(format!("run {} published version {version} of `{name}`", target.run_id))
            })?;
            table.check_files().await?;
        }
        Ok(())
    }
}

fn published(batch: &RecordBatch, row: usize) -> Result<Published> {
    let text = |column: usize| {
        let column = cast(batch.column(column), &DataType::Utf8).ok()?;
        column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_string())
    };
    let entries = batch.column(2).as_map().value(row);
    let names = cast(entries.column(0), &DataType::Utf8).map_err(|e| Error::internal(e.to_string()))?;
    let versions = entries.column(1).as_primitive::<Int64Type>();
    let tables = names.as_string::<i32>().iter().zip(versions).map(|(name, version)| {
        let name = name.unwrap_or_default();
        let table = TableName::parse(name)
            .ok_or_else(|| Error::unavailable(format!("`ops.publications` names a table `{name}`")))?;
        Ok((table, version.unwrap_or_default().unsigned_abs()))
    });
    let published_at = batch.column(1).as_primitive::<TimestampMicrosecondType>().value(row);
    Ok(Published {
        run_id: text(0).unwrap_or_default(),
        published_at: DateTime::from_timestamp_micros(published_at).unwrap_or_default(),
        tables: tables.collect::<Result<_>>()?,
        restores: text(3),
    })
}

/// The publication, of those newest first, that a text means.
fn find(all: Vec<Published>, as_of: &str) -> Result<Published> {
    let hint = "`lake publications` lists them";
    if let Some(instant) = instant(as_of) {
        return all
            .into_iter()
            .find(|published| published.published_at <= instant)
            .ok_or_else(|| Error::invalid(format!("nothing had been published by {as_of}")).hint(hint));
    }
    let matching: Vec<Published> = all.into_iter().filter(|p| p.run_id.starts_with(as_of)).collect();
    match <[Published; 1]>::try_from(matching) {
        Ok([published]) => Ok(published),
        Err(none) if none.is_empty() => Err(Error::invalid(format!(
            "`{as_of}` is no day or instant, and no run of such an id has published anything"
        ))
        .hint(hint)),
        Err(several) => {
            Err(Error::invalid(format!("`{as_of}` is the beginning of {} runs", several.len())).hint(hint))
        }
    }
}

/// An instant as RFC 3339 writes it, or as SQL does; a day means its end, so that what was published during it
/// counts.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return day.and_hms_micro_opt(23, 59, 59, 999_999).map(|end| end.and_utc());
    }
    let sql = |format| chrono::NaiveDateTime::parse_from_str(text, format).ok().map(|naive| naive.and_utc());
    let rfc = || DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc());
    rfc().or_else(|| sql("%Y-%m-%d %H:%M:%S%.f")).or_else(|| sql("%Y-%m-%d %H:%M"))
}

#[cfg(test)]
mod tests {
    //! Proves which publication a run, a day or an instant means.

    use super::*;

    fn at(run_id: &str, instant: &str) -> Published {
        let published_at = instant.parse().unwrap();
        Published { run_id: run_id.into(), published_at, tables: BTreeMap::new(), restores: None }
    }

    #[test]
    fn runs_days_and_instants_are_found() {
        let all = vec![
            at("0199c", "2026-01-03T09:00:00Z"),
            at("0199b", "2026-01-02T23:59:59.999999Z"),
            at("0188a", "2026-01-01T00:00:00Z"),
        ];
        let found = |text: &str| find(all.clone(), text).map(|published| published.run_id);
        assert_eq!(found("0188").unwrap(), "0188a");
        assert_eq!(found("2026-01-02").unwrap(), "0199b");
        assert_eq!(found("2026-01-03 08:59").unwrap(), "0199b");
        assert_eq!(found("2026-01-03T09:00:00Z").unwrap(), "0199c");
        assert_eq!(found("0199").unwrap_err().message(), "`0199` is the beginning of 2 runs");
        assert_eq!(found("2025-12-31").unwrap_err().message(), "nothing had been published by 2025-12-31");
        assert_eq!(
            found("x").unwrap_err().message(),
            "`x` is no day or instant, and no run of such an id has published anything"
        );
    }
}
