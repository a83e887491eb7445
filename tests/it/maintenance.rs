//! Maintenance: small files become large ones, old runs are forgotten, what nothing needs is removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use lake::clock::FixedClock;
use lake::contract::{Layer, TableName};
use lake::error::Kind;
use lake::run::Request;
use lake::table::{Store, Table};

use crate::faults::{FIRST, SECOND};
use crate::increments::{after_minutes, counted};
use crate::support::{Fresh, HEADER};

const THIRD: &str = "536399,71053,LANTERN,1,12/3/2010 8:26,3.39,17851,France\n";

/// How many files the newest version of each table of the program's own has.
pub async fn files_of_records(store: &Store) -> BTreeMap<&'static str, u64> {
    let mut files = BTreeMap::new();
    for table in ["runs", "table_runs", "expectations", "reconciliation", "publications", "files"] {
        let opened = Table::open(store, &TableName::new(Layer::Ops, table), None).await.unwrap();
        files.insert(table, opened.size().files);
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_compacted_and_the_oldest_runs_forgotten() {
    let fresh = Fresh::new();
    fresh.edit("config/lake.toml", "compact_files = 16", "compact_files = 2");
    fresh.edit("config/lake.toml", "keep_runs = 1000", "keep_runs = 1");
    for (minutes, lines) in [(0, FIRST), (60, SECOND), (120, THIRD)] {
        fresh.land(&format!("{minutes}.csv"), format!("{HEADER}{lines}"));
        after_minutes(&fresh, minutes).run(&Request::default()).await.unwrap();
    }
    let lake = after_minutes(&fresh, 180);
    let files = files_of_records(&lake.store).await;
    assert!(files.values().all(|files| *files == 1), "{files:?}");
    let newest = &lake.publications().await.unwrap()[0].run_id;
    for table in ["runs", "table_runs", "expectations", "reconciliation"] {
        let others = format!("select count(*) from ops.{table} where run_id <> '{newest}'");
        let own = format!("select count(*) from ops.{table} where run_id = '{newest}'");
        assert_eq!(counted(&lake, &others, None).await, 0, "{table}");
        assert!(counted(&lake, &own, None).await > 0, "{table}");
    }
    assert_eq!(counted(&lake, "select count(*) from ops.publications", None).await, 3);
    assert_eq!(counted(&lake, "select count(*) from ops.files", None).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_without_tables_publishes_nothing() {
    let fresh = Fresh::new();
    assert!(fresh.lake(2).unwrap().optimize(None, None).await.unwrap().is_empty());
    fresh.lake(2).unwrap().ingest("online_retail", &[]).await.unwrap();
    assert_eq!(fresh.lake(2).unwrap().publications().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_runs_compact_themselves_is_not_optimized_by_hand() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let lake = fresh.lake(2).unwrap();
    let error = lake.optimize(TableName::parse("ops.runs").as_ref(), None).await.unwrap_err();
    assert_eq!(error.message(), "`ops.runs` is not a published table");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_may_be_longer_than_time() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let removed = fresh.lake(2).unwrap().vacuum(TimeDelta::days(u32::MAX.into()), true).await.unwrap();
    assert!(removed.is_empty());
}

/// Where nothing can lock the lake, files that a run has just written must not look old.
#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_cannot_be_locked_keeps_the_files_of_the_last_day() {
    let fresh = Fresh::new();
    fresh.edit("config/lake.toml", "root = \"lakehouse\"", "root = \"memory:///lake\"");
    let lake = fresh.lake(2).unwrap();
    let error = lake.vacuum(TimeDelta::hours(23), true).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    assert!(lake.vacuum(TimeDelta::hours(23), false).await.unwrap().is_empty());
    assert!(lake.vacuum(TimeDelta::days(1), true).await.unwrap().is_empty());
}

/// How many data files of `gold.rfm` as known on a day there are.
fn files_of_a_day(fresh: &Fresh) -> usize {
    let pattern = fresh.path().join("lakehouse/as_of/*/gold/rfm/*.parquet");
    glob::glob(pattern.to_str().unwrap()).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_covers_what_is_known_on_a_day_and_keeps_what_that_reads() {
    let fresh = Fresh::new();
    let as_of = Some("2010-12-05".parse().unwrap());
    let known = Request { as_of, select: Some("gold.rfm".into()), ..Request::default() };
    for (minutes, lines) in [(0, FIRST), (60, SECOND)] {
        fresh.land(&format!("{minutes}.csv"), format!("{HEADER}{lines}"));
        after_minutes(&fresh, minutes).run(&Request::default()).await.unwrap();
        assert!(after_minutes(&fresh, minutes + 30).run(&known).await.unwrap().judgement.published);
    }
    fresh.land("120.csv", format!("{HEADER}{THIRD}"));
    let mut lake = after_minutes(&fresh, 120);
    lake.run(&Request::default()).await.unwrap();
    let queries = ["select count(*) from gold.rfm", "select count(*) from silver.invoices"];
    let name = Some("as-of-2010-12-05");
    let mut before = Vec::new();
    for query in queries {
        before.push(counted(&lake, query, name).await);
    }
    let files = files_of_a_day(&fresh);
    lake.clock = Arc::new(FixedClock("2100-01-01T00:00:00Z".parse().unwrap()));
    lake.vacuum(TimeDelta::zero(), true).await.unwrap();
    assert!((1..files).contains(&files_of_a_day(&fresh)));
    for (query, before) in queries.into_iter().zip(before) {
        assert_eq!(counted(&lake, query, name).await, before, "{query}");
    }
}
