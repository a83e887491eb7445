//! Expectations: each kind holds or is violated as it says, and quarantine keeps rows out without losing them.

use std::sync::{Arc, Mutex};

use lake::contract::{Layer, Severity};
use lake::error::Kind;
use lake::run::{Event, Observer, Request, Summary};

use crate::support::{Fresh, HEADER, said};

const LINES: &str = "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                     536366,71053,LANTERN,2,12/2/2010 8:28,3.39,17851,France\n";

async fn published() -> Fresh {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    fresh.run().await.unwrap();
    fresh
}

/// How many violations an expectation finds in a published table.
async fn violations(fresh: &Fresh, table: &str, expectation: &str) -> u64 {
    let file = format!("{}.toml", table.replace('.', "/"));
    let text = std::fs::read_to_string(fresh.path().join(&file)).unwrap();
    fresh.write(&file, format!("{text}\n[expect.tried]\n{expectation}\nelse = \"warn\"\n"));
    let judgement = fresh.lake(2).unwrap().test(Some(table)).await.unwrap();
    fresh.write(&file, text);
    judgement.verdicts.iter().find(|verdict| verdict.name == "tried").unwrap().failed
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_expectation_finds_what_violates_it() {
    let fresh = published().await;
    for (table, expectation, failed) in [
        ("gold.country_sales", "where = \"orders > 1\"", 2),
        ("gold.country_sales", "where = \"aov > null\"", 0),
        ("gold.country_sales", "where = \"aov > null\"\nnull_violates = true", 2),
        ("gold.country_sales", "not_null = \"aov\"", 0),
        ("gold.country_sales", "accepted_values = { column = \"country\", values = [\"France\"] }", 1),
        ("gold.country_sales", "accepted_values = { column = \"country\", values = [1, 2] }", 2),
        ("gold.country_sales", "accepted_values = { column = \"orders\", values = [1, 2] }", 0),
        ("gold.country_sales", "accepted_values = { column = \"aov\", values = [15.3] }", 1),
        ("gold.country_sales", "unique = [\"orders\"]", 1),
        ("gold.country_sales", "unique = [\"country\"]", 0),
        ("gold.country_sales", "references = { column = \"country\", table = \"silver.customers\" }", 0),
        (
            "gold.country_sales",
            "references = { column = \"country\", table = \"silver.products\", to = \"description\" }",
            2,
        ),
        ("gold.country_sales", "row_count = { min = 3 }", 1),
        ("gold.country_sales", "row_count = { min = 1, max = 2 }", 0),
        ("silver.invoices", "freshness = { column = \"invoice_date\", within = \"2 days\" }", 1),
        ("silver.invoices", "freshness = { column = \"invoice_date\", within = \"20 years\" }", 0),
        ("gold.country_sales", "sum_equals = { column = \"net_revenue\", table = \"gold.daily_sales\" }", 0),
        (
            "gold.country_sales",
            "sum_equals = { column = \"net_revenue\", table = \"gold.daily_sales\", of = \"net_revenue + 0.01\" }",
            1,
        ),
        (
            "gold.country_sales",
            "sum_equals = { column = \"net_revenue\", table = \"gold.daily_sales\", of = \"net_revenue + 0.01\", tolerance = \"0.02\" }",
            0,
        ),
        (
            "gold.country_sales",
            "sum_equals = { column = \"net_revenue\", table = \"gold.daily_sales\", of = \"net_revenue + 0.01\", tolerance = 1 }",
            0,
        ),
    ] {
        assert_eq!(violations(&fresh, table, expectation).await, failed, "{table}: {expectation}");
    }
}

/// Orders of at least ten pounds; smaller ones are set aside.
fn add_orders(fresh: &Fresh, severity: &str) {
    fresh.write(
        "gold/orders.toml",
        format!(
            "doc = \"Orders.\"\ngrain = \"one row per order\"\nkey = [\"invoice_no\"]\n[columns]\n\
             invoice_no = {{ type = \"text\", doc = \"Order.\" }}\n\
             amount = {{ type = \"decimal(28,4)\", doc = \"Amount.\" }}\n\
             [expect.orders_are_large]\nwhere = \"amount >= 10\"\nelse = \"{severity}\"\n\
             [reconcile.orders]\nagainst = \"silver.invoices\"\n[reconcile.orders.amounts]\n\
             amount = {{ here = \"amount\", there = \"gross_revenue\" }}\n"
        ),
    );
    fresh.write(
        "sql/gold/orders.sql",
        "-- Orders.\n--\n-- writes: full\nselect invoice_no, gross_revenue as amount from silver.invoices\n",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_keeps_rows_out_with_their_reasons_and_the_books_count_them() {
    let fresh = published().await;
    add_orders(&fresh, "quarantine");
    let summary = fresh.run().await.unwrap();
    let book = summary.judgement.balances.iter().find(|b| b.name.ends_with("gold.orders (orders)")).unwrap();
    assert_eq!(book.entries.iter().map(|entry| entry.rows).collect::<Vec<_>>(), [2, 1, 1]);
    let verdict = summary.judgement.verdicts.iter().find(|v| v.name == "orders_are_large").unwrap();
    assert_eq!((verdict.severity, verdict.failed), (Severity::Quarantine, 0));
    insta::assert_snapshot!(
        fresh.table("select invoice_no, amount, failed_rules, first_rule from gold.orders_rejected").await,
        @r"
    +------------+--------+--------------------+------------------+
    | invoice_no | amount | failed_rules       | first_rule       |
    +------------+--------+--------------------+------------------+
    | 536366     | 6.7800 | [orders_are_large] | orders_are_large |
    +------------+--------+--------------------+------------------+
    "
    );
    assert!(fresh.table("select count(*) as n from gold.orders").await.contains("| 1 |"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_names_the_rows_and_a_query_that_can_be_asked() {
    let fresh = published().await;
    add_orders(&fresh, "fail");
    let error = fresh.run().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Data, "`gold.orders` fails `orders_are_large` in 1 row")
    );
    assert_eq!(error.details()[0], "for example invoice_no = 536366");
    let query = error.details()[1].strip_prefix("all of them: ").unwrap();
    let lake = fresh.lake(2).unwrap();
    let rows = lake.ask(query, None).await.unwrap().count().await.unwrap();
    assert_eq!(rows, 1, "{query}");
    let failed = "select status, error from ops.runs where status = 'failed'";
    assert!(fresh.table(failed).await.contains("orders_are_large"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expectation_may_use_functions_that_the_optimizer_rewrites() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}1,85123A,X,6,1/3/2011 9:00,2.00,1,France\n"));
    let contract = std::fs::read_to_string(fresh.path().join("gold/rfm.toml")).unwrap();
    let expectation =
        "[expect.never_zero]\nwhere = \"coalesce(nullif(frequency, 0), -1) > 0\"\nelse = \"fail\"\n";
    fresh.write("gold/rfm.toml", contract + "\n" + expectation);
    assert!(fresh.run().await.unwrap().judgement.published);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_reads_a_mapping_is_asked_when_either_changes() {
    let fresh = Fresh::new();
    fresh.write("gold/known_countries.csv", "country\nUnited Kingdom\nFrance\n");
    fresh.write(
        "sql/audit/known_countries.sql",
        "-- Countries that nobody knows.\nselect country from gold.country_sales\n\
         where country not in (select country from gold.known_countries)\n",
    );
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    let summary = fresh.run().await.unwrap();
    assert!(summary.judgement.verdicts.iter().any(|verdict| verdict.name == "known_countries"));
    fresh.write("gold/known_countries.csv", "country\nFrance\n");
    let error = fresh.run().await.unwrap_err();
    assert_eq!(error.details()[0], "for example country = United Kingdom");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_lake_that_is_built_in_part_what_is_there_is_tested() {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    let silver = Request { layer: Some(Layer::Silver), ..Request::default() };
    fresh.lake(2).unwrap().run(&silver).await.unwrap();
    fresh.lake(2).unwrap().test(None).await.unwrap().check().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_at_another_table_is_asked_when_that_is_built() {
    let fresh = Fresh::new();
    let text = std::fs::read_to_string(fresh.path().join("gold/country_sales.toml")).unwrap();
    let sums = "[expect.days]\nelse = \"fail\"\n\
                sum_equals = { column = \"net_revenue\", table = \"gold.daily_sales\" }\n";
    fresh.write("gold/country_sales.toml", format!("{text}\n{sums}"));
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    let countries = Request { select: Some("gold.country_sales".into()), ..Request::default() };
    let summary = fresh.lake(2).unwrap().run(&countries).await.unwrap();
    let asked = |summary: &Summary| summary.judgement.verdicts.iter().any(|verdict| verdict.name == "days");
    assert!(summary.judgement.published && !asked(&summary));
    assert!(asked(&fresh.run().await.unwrap()));
}

/// What `lake test` finds has been published, so that it cannot say that nothing was.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_fails_says_nothing_about_publishing() {
    let fresh = published().await;
    let text = std::fs::read_to_string(fresh.path().join("gold/country_sales.toml")).unwrap();
    let never = "[expect.never]\nwhere = \"false\"\nelse = \"fail\"\n";
    fresh.write("gold/country_sales.toml", format!("{text}\n{never}"));
    let output = fresh.command(&["test", "--select", "gold.country_sales"]);
    let (_, err) = said(&output);
    assert_eq!(output.status.code(), Some(3));
    assert!(err.contains("`gold.country_sales` fails `never` in 2 rows"), "{err}");
    assert!(err.contains("for example country = France") && !err.contains("nothing was published"), "{err}");
    let error = fresh.run().await.unwrap_err();
    assert!(error.hints()[0].starts_with("nothing was published"), "{error}");
}

/// Keeps what it is warned of.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn event(&self, _: Event) {}

    fn warning(&self, text: &str) {
        self.0.lock().unwrap().push(text.into());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_behind_are_held_against_themselves_only() {
    let fresh = published().await;
    let heard = Arc::new(Heard::default());
    let mut lake = fresh.lake(2).unwrap();
    lake.observer = heard.clone();
    let judgement = lake.test(None).await.unwrap();
    assert!(!judgement.balances.is_empty() && heard.0.lock().unwrap().is_empty());
    fresh.land("b.csv", format!("{HEADER}536367,71053,LANTERN,3,12/3/2010 8:28,3.39,17851,France\n"));
    lake.ingest("online_retail", &[]).await.unwrap();
    let judgement = lake.test(None).await.unwrap();
    judgement.check().unwrap();
    assert!(judgement.balances.is_empty());
    assert!(judgement.verdicts.iter().any(|v| v.table == "gold.rfm" && v.name == "unique_key"));
    let rfm = Request { select: Some("gold.rfm".into()), ..Request::default() };
    lake.run(&rfm).await.unwrap();
    let judgement = lake.test(None).await.unwrap();
    judgement.check().unwrap();
    assert!(judgement.balances.iter().any(|book| book.name.contains("silver.transactions (received)")));
    let heard = heard.0.lock().unwrap();
    let is_named = |text: &String, table: &str| text.contains(&format!(" {table},"));
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(is_named(&heard[0], "gold.daily_sales") && is_named(&heard[0], "gold.rfm"), "{}", heard[0]);
    assert!(is_named(&heard[1], "gold.daily_sales") && !is_named(&heard[1], "gold.rfm"), "{}", heard[1]);
}

/// Whatever else follows from it, the table that the mapping doubles the rows of is named, by its key.
#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_doubles_rows_is_told_of_by_the_key() {
    let fresh = published().await;
    let text = std::fs::read_to_string(fresh.path().join("gold/rfm_segments_map.csv")).unwrap();
    let again: String = text.lines().skip(1).map(|line| format!("{line} again\n")).collect();
    fresh.write("gold/rfm_segments_map.csv", text + &again);
    let error = fresh.run().await.unwrap_err();
    assert!(error.message().starts_with("`gold.rfm` fails `unique_key` in "), "{error}");
}
