//! Failing stores and crashes: what was published stays readable, and the next run takes up what was left.

use lake::error::Kind;
use lake::run::Request;

use crate::faults::{At, Cases, Fault, copy_of, faulty, mended, shown, waiting};
use crate::support::{Fresh, HEADER};

const FIRST: &str = "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n";
const SECOND: &str = "536366,71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n";

async fn days(fresh: &Fresh) -> String {
    fresh.table("select sale_date, net_revenue, customers from gold.daily_sales order by sale_date").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_at_any_write_loses_nothing() {
    let waiting = waiting().await;
    let mut failures = 0;
    for writes in (0..60).step_by(Cases::asked().of(12, 3)) {
        let what = format!("after {writes} writes");
        let fresh = copy_of(&waiting.fresh);
        let (lake, _) = faulty(&fresh, At::WritesAfter(writes), Fault::Full);
        let ended = lake.run(&Request::default()).await;
        drop(lake);
        if let Err(error) = &ended {
            failures += 1;
            assert_eq!(error.kind(), Kind::Unavailable, "{what}: {error}");
            assert!(error.message().ends_with("the disk is full"), "{what}: {error}");
        }
        let seen = if ended.is_ok() { &waiting.after } else { &waiting.before };
        assert!(shown(&fresh).await == *seen, "{what}");
        mended(&waiting, &fresh, &what).await;
    }
    assert!(failures > Cases::asked().of(2, 5), "the disk filled up in {failures} runs only");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_do_not_meet() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    let lake = fresh.lake(2).unwrap();
    let _held = lake.store.lock("another").unwrap();
    let error = lake.run(&Request::default()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.message().starts_with("another run is at work on the lake"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_do_not_balance_publish_nothing() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let before = days(&fresh).await;
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    fresh.edit(
        "sql/silver/transactions.sql",
        "where fate = 'transaction'",
        "where fate = 'transaction' and quantity <> 2",
    );
    let error = fresh.run().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Data, "the books of bronze.online_retail → silver.transactions (received) do not balance")
    );
    assert_eq!(error.details().last().unwrap(), "in less out: lines 1, quantity 2, amount 6.78");
    assert_eq!(days(&fresh).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_not_published_by_another_command() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let rows = "select count(*) as n from silver.transactions";
    let before = fresh.table(rows).await;
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    let job = "where fate = 'transaction'";
    fresh.edit("sql/silver/transactions.sql", job, "where fate = 'transaction' and quantity <> 2");
    fresh.run().await.unwrap_err();
    assert!(fresh.lake(2).unwrap().ingest("online_retail", &[]).await.is_err());
    fresh.land("3.csv", format!("{HEADER}536399,71053,LANTERN,1,12/3/2010 8:26,3.39,17851,France\n"));
    fresh.lake(2).unwrap().ingest("online_retail", &[]).await.unwrap();
    assert_eq!(fresh.table(rows).await, before);
    fresh.edit("sql/silver/transactions.sql", " and quantity <> 2", "");
    fresh.run().await.unwrap();
    assert!(fresh.table(rows).await.contains("| 3 |"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_expectation_on_bronze_is_looked_at_without_new_data() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let contract = std::fs::read_to_string(fresh.path().join("bronze/online_retail.toml")).unwrap();
    fresh.write(
        "bronze/online_retail.toml",
        contract + "\n[expect.empty]\nwhere = \"quantity is null\"\nelse = \"fail\"\n",
    );
    let error = fresh.run().await.unwrap_err();
    assert_eq!(error.message(), "`bronze.online_retail` fails `empty` in 1 row");
}
