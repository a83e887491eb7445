//! The generator's truth: every planted fault ends where the truth says, and all sums agree.

use datafusion::prelude::CsvReadOptions;
use lake_generate::{Dirt, Parameters, Split};

use crate::support::Fresh;

fn parameters(seed: u64, split: Split, dirt: Dirt) -> Parameters {
    let day = |text: &str| text.parse().unwrap();
    let (from, to) = (day("2011-01-03"), day("2011-04-30"));
    Parameters { seed, customers: 300, lines: 12_000, from, to, split, dirt }
}

/// Generates into the landing folder, runs, and holds what came out against the truth.
async fn check(seed: u64, split: Split, dirt: Dirt) {
    let fresh = Fresh::new();
    let landing = fresh.path().join("landing/online_retail");
    lake_generate::generate(&parameters(seed, split, dirt), &landing, &|_| ()).unwrap();
    let summary = fresh.run().await.unwrap();
    assert!(summary.judgement.published);
    faults_end_as_planted(&fresh, seed).await;
    counts_agree(&fresh, seed).await;
}

async fn faults_end_as_planted(fresh: &Fresh, seed: u64) {
    let lake = fresh.lake(2).unwrap();
    let catalogue = lake.published().await.unwrap();
    let session = lake.engine.session(catalogue.clone());
    let faults = fresh.path().join("landing/online_retail/truth/faults.csv");
    let frame = session.read_csv(faults.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
    catalogue.provide("truth", "faults", frame.into_view());
    let query = "
        with fates as (
            select _source_file, _source_line, 'transactions' as fate from silver.transactions
            union all
            select _source_file, _source_line, 'duplicate' from silver.transactions_duplicates
            union all
            select _source_file, _source_line, first_rule from silver.transactions_rejected
        )
        select f.file, f.line, f.fault, f.expected, fates.fate
        from truth.faults f
        left join fates
            on fates._source_file = 'landing/online_retail/' || f.file and fates._source_line = f.line
        where fates.fate is distinct from f.expected
        order by f.file, f.line limit 20";
    let wrong = session.sql(query).await.unwrap().collect().await.unwrap();
    let rows: usize = wrong.iter().map(|batch| batch.num_rows()).sum();
    let shown = datafusion::arrow::util::pretty::pretty_format_batches(&wrong).unwrap();
    assert_eq!(rows, 0, "seed {seed}: faults that ended elsewhere\n{shown}");
}

async fn counts_agree(fresh: &Fresh, seed: u64) {
    let truth = fresh.path().join("landing/online_retail/truth/parameters.json");
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(truth).unwrap()).unwrap();
    let expected = &truth["expected"];
    let number = |name: &str| expected[name].to_string();
    let money = |name: &str| expected[name].as_str().unwrap().to_string();
    let cases = [
        ("bronze", number("bronze"), "select count(*) from bronze.online_retail"),
        ("transactions", number("transactions"), "select count(*) from silver.transactions"),
        ("duplicates", number("duplicates"), "select count(*) from silver.transactions_duplicates"),
        ("rejected", number("rejected"), "select count(*) from silver.transactions_rejected"),
        ("quantity", number("quantity"), "select sum(quantity) from silver.transactions"),
        ("gross", money("gross_revenue"), "select sum(gross_revenue) from gold.daily_sales"),
        ("returns", money("returns_amount"), "select sum(returns_amount) from gold.country_sales"),
        ("other charges", money("other_charges"), "select sum(other_charges) from gold.daily_sales"),
    ];
    for (what, expected, query) in cases {
        let query =
            format!("select ({query}) = cast('{expected}' as decimal(38, 4)) as agrees, ({query}) as is_now");
        let answer = fresh.table(&query).await;
        assert!(answer.contains("| true "), "seed {seed}: {what} should be {expected}\n{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dirty_file() {
    check(1, Split::None, Dirt::High).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn monthly_files_in_both_dialects() {
    check(2, Split::Month, Dirt::High).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_files() {
    check(3, Split::Day, Dirt::Normal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_files() {
    check(4, Split::Month, Dirt::None).await;
}
