//! Ingestion: the same content is loaded once, in whatever form; forms and dialects do not matter.

use std::io::Write;

use lake::run::{Action, Request};

use crate::support::{Fresh, HEADER};

const LINES: &str = "536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                     536365,71053,\"LANTERN, \"\"METAL\"\"\",6,12/1/2010 8:26,3.39,17850,United Kingdom\n\
                     C536379,85123A,WHITE HEART,-1,12/1/2010 9:41,2.55,17850,United Kingdom\n";

fn csv() -> String {
    format!("{HEADER}{LINES}")
}

async fn bronze_rows(fresh: &Fresh) -> String {
    fresh.table("select count(*) as n from bronze.online_retail").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_loaded_once_under_any_name_and_in_any_packing() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    assert_eq!(fresh.run().await.unwrap().ingested[0].rows, 3);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(csv().as_bytes()).unwrap();
    fresh.land("b.csv.gz", gz.finish().unwrap());
    fresh.land("c.csv.zst", zstd::encode_all(csv().as_bytes(), 1).unwrap());
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("inside.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(csv().as_bytes()).unwrap();
    fresh.land("d.zip", zip.finish().unwrap().into_inner());
    fresh.land("e.csv", csv());
    let summary = fresh.run().await.unwrap();
    assert_eq!((summary.ingested[0].files, summary.ingested[0].rows, summary.ingested[0].known), (0, 0, 5));
    assert!(bronze_rows(&fresh).await.contains("| 3 |"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_nothing_new_commits_nothing() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    fresh.run().await.unwrap();
    let before = commits(&fresh);
    let summary = fresh.run().await.unwrap();
    assert!(
        !summary.judgement.published && summary.tables.iter().all(|table| table.action == Action::Skipped)
    );
    assert_eq!(commits(&fresh), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_back_is_known_again() {
    let fresh = Fresh::new();
    for content in
        [csv(), format!("{HEADER}536381,71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n"), csv()]
    {
        let path = fresh.land("a.csv", content);
        fresh.run().await.unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        // Another time, so that its content is looked at.
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    fresh.run().await.unwrap();
    let before = commits(&fresh);
    fresh.run().await.unwrap();
    assert_eq!(commits(&fresh), before);
    assert!(bronze_rows(&fresh).await.contains("| 4 |"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_only_touched_publishes_nothing_and_is_known_by_sight_again() {
    let fresh = Fresh::new();
    let path = fresh.land("a.csv", csv());
    fresh.run().await.unwrap();
    let touched = std::fs::File::options().write(true).open(path).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let summary = fresh.run().await.unwrap();
    assert_eq!((summary.ingested[0].known, summary.judgement.published), (1, false));
    assert_eq!(fresh.lake(2).unwrap().publications().await.unwrap().len(), 1);
    assert!(fresh.table("select count(*) as n from ops.runs").await.contains("| 1 |"));
    let before = commits(&fresh);
    fresh.run().await.unwrap();
    assert_eq!(commits(&fresh), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_comes_again_with_other_content_is_loaded_and_told_of() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    assert!(fresh.run().await.unwrap().ingested[0].warnings.is_empty());
    fresh.land("a.csv", format!("{HEADER}536381,71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n"));
    let warnings = fresh.run().await.unwrap().ingested.remove(0).warnings;
    assert_eq!(warnings.len(), 1);
    let told =
        "`landing/online_retail/a.csv` was loaded before with other content, and the rows of both count";
    assert!(warnings[0].starts_with(told) && warnings[0].contains("`lake rollback`"), "{warnings:?}");
    assert!(bronze_rows(&fresh).await.contains("| 4 |"));
    assert!(fresh.run().await.unwrap().ingested[0].warnings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_landing_folder_that_is_gone_is_an_error_once_files_were_loaded_from_it() {
    let fresh = Fresh::new();
    let nowhere = ["the landing folder `landing/online_retail` does not exist"];
    let lake = fresh.lake(2).unwrap();
    assert_eq!(lake.ingest("online_retail", &[]).await.unwrap().warnings, nowhere);
    let elsewhere = fresh.write("elsewhere/a.csv", csv()).display().to_string();
    assert!(lake.ingest("online_retail", &[elsewhere]).await.unwrap().warnings.is_empty());
    drop(lake);
    assert_eq!(fresh.run().await.unwrap().ingested[0].warnings, nowhere);
    fresh.land("b.csv", format!("{HEADER}536381,71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n"));
    fresh.run().await.unwrap();
    let landing = fresh.path().join("landing/online_retail");
    std::fs::remove_dir_all(&landing).unwrap();
    let error = fresh.run().await.unwrap_err();
    assert_eq!(error.message(), "the landing folder `landing/online_retail` is not there");
    assert_eq!(error.details(), ["files were loaded from it before"]);
    std::fs::create_dir(&landing).unwrap();
    assert!(fresh.run().await.unwrap().ingested[0].warnings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_kinds_are_told_of_in_one_line() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    for (name, told) in [
        (
            "notes.txt",
            "`notes.txt` in `landing/online_retail` is of a kind that cannot be read, and is passed over",
        ),
        (
            "a.parquet",
            "2 files in `landing/online_retail` are of kinds that cannot be read, and are passed over: \
             `a.parquet`, for one",
        ),
    ] {
        fresh.land(name, "x");
        assert_eq!(fresh.run().await.unwrap().ingested[0].warnings, [told]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_that_cannot_be_read_is_found_in_its_mapping() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    let text = std::fs::read_to_string(fresh.path().join("silver/stock_code_classes.csv")).unwrap();
    let line = text.lines().count() + 1;
    fresh.write("silver/stock_code_classes.csv", text + "900,^(,test,Torn.\n");
    let error = fresh.run().await.unwrap_err();
    assert_eq!(
        error.message(),
        "a pattern of `silver.stock_code_classes` cannot be read: unclosed group",
        "{error}"
    );
    assert!(error.details()[0].ends_with(&format!("silver/stock_code_classes.csv:{line}")), "{error}");
    assert!(error.details()[1].ends_with("| 900,^(,test,Torn."), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_of_an_archive_is_loaded_when_it_is_named() {
    let fresh = Fresh::new();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, lines) in
        [("a.csv", LINES), ("b.csv", "536382,71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n")]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(format!("{HEADER}{lines}").as_bytes()).unwrap();
    }
    let path = fresh.write("two.zip", zip.finish().unwrap().into_inner());
    for (member, rows) in [("a.csv", 3), ("b.csv", 1), ("b.csv", 0)] {
        let location = format!("{}!{member}", path.display());
        let ingested = fresh.lake(2).unwrap().ingest("online_retail", &[location]).await.unwrap();
        assert_eq!(ingested.rows, rows, "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_records_is_registered_and_rebuilds_nothing() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    fresh.run().await.unwrap();
    fresh.land("b.csv", HEADER);
    let summary = fresh.run().await.unwrap();
    assert_eq!((summary.ingested[0].files, summary.ingested[0].rows), (1, 0));
    assert!(summary.tables.iter().all(|table| table.action == Action::Skipped));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_drops_the_view_it_names_does_not_hold_up_the_others() {
    let fresh = Fresh::new();
    let mut lines = String::from(HEADER);
    for n in 0..200_000 {
        lines += &format!("{},71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n", 536_400 + n);
    }
    fresh.land("a.csv", lines);
    fresh.write("gold/none.toml", "doc = \"None.\"\ngrain = \"none\"\nkey = [\"invoice_no\"]\n[columns]\ninvoice_no = { type = \"text\", doc = \"N.\" }\n");
    fresh.write(
        "sql/gold/none.sql",
        "-- None.\n--\n-- writes: full\nselect invoice_no from silver.transactions_judged where false\n",
    );
    let run = tokio::time::timeout(std::time::Duration::from_secs(60), fresh.run());
    run.await.expect("the run ends").unwrap();
}

/// How many commits all tables of a lake have.
fn commits(fresh: &Fresh) -> usize {
    let pattern = fresh.path().join("lakehouse/*/*/_delta_log/*.json");
    glob::glob(pattern.to_str().unwrap()).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_built_and_the_reason_is_said() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    fresh.run().await.unwrap();
    fresh.edit("sql/gold/rfm_segments.sql", "-- writes: full", "-- A new remark.\n-- writes: full");
    fresh.edit("silver/customers.toml", "doc", "doc = \"In other words.\"\n# was");
    assert!(fresh.run().await.unwrap().tables.iter().all(|table| table.action == Action::Skipped));
    let text = std::fs::read_to_string(fresh.path().join("silver/stock_code_classes.csv")).unwrap();
    fresh.write("silver/stock_code_classes.csv", text + "900,^ZZZ,test,A new class of codes.\n");
    let summary = fresh.run().await.unwrap();
    let transactions = summary.tables.iter().find(|t| t.table.to_string() == "silver.transactions").unwrap();
    assert_eq!(transactions.reason, "mapping silver.stock_code_classes changed");
    let daily = summary.tables.iter().find(|t| t.table.to_string() == "gold.daily_sales").unwrap();
    assert_eq!(daily.reason, "silver.invoices and silver.transactions change");
    assert_eq!(daily.action, Action::Whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_may_be_built_ahead_of_the_layers_above_it() {
    let fresh = Fresh::new();
    fresh.land("a.csv", csv());
    fresh.run().await.unwrap();
    fresh.land("b.csv", format!("{HEADER}536380,71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n"));
    let silver = Request { layer: Some(lake::contract::Layer::Silver), ..Request::default() };
    let summary = fresh.lake(2).unwrap().run(&silver).await.unwrap();
    assert!(summary.judgement.published);
    assert_eq!(
        summary.judgement.balances.iter().map(|book| book.name.as_str()).collect::<Vec<_>>(),
        [
            "files → bronze.online_retail",
            "silver.transactions → silver.invoices (lines)",
            "silver.transactions → silver.net_sales (sold)",
            "silver.returns → silver.net_sales (returned)",
            "silver.transactions → silver.price_points (lines)",
            "silver.transactions → silver.returns (returned)",
            "bronze.online_retail → silver.transactions (received)",
        ]
    );
    assert_eq!(fresh.run().await.unwrap().judgement.balances.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_header_and_dialect_give_the_same_values() {
    let (one, two) = (Fresh::new(), Fresh::new());
    one.land("a.csv", csv());
    let other = "\u{feff}Invoice;StockCode;Description;Quantity;InvoiceDate;Price;Customer ID;Country\r\n\
        536365;85123A;WHITE HEART;6;2010-12-01 08:26:00;2.55;17850.0;United Kingdom\r\n\
        536365;71053;\"LANTERN, \"\"METAL\"\"\";6;2010-12-01 08:26:00;3.39;17850.0;United Kingdom\r\n\
        C536379;85123A;WHITE HEART;-1;2010-12-01 09:41:00;2.55;17850.0;United Kingdom\r\n";
    two.land("a.csv", other);
    one.run().await.unwrap();
    two.run().await.unwrap();
    let query = "select * from silver.transactions order by invoice_no, line_no";
    assert_eq!(one.table(query).await, two.table(query).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_repeated_in_a_later_file_is_a_duplicate_of_the_first() {
    let fresh = Fresh::new();
    fresh.land("f2.csv", csv());
    fresh.land(
        "f10.csv",
        format!(
            "{HEADER}536365,85123a , WHITE  heart,6.0,2010-12-01 08:26:00,2.5500,17850.0,United Kingdom\n"
        ),
    );
    fresh.run().await.unwrap();
    insta::assert_snapshot!(
        fresh.table("select stock_code, _source_file, kept_source_file, kept_source_line from silver.transactions_duplicates").await,
        @r"
    +------------+-------------------------------+------------------------------+------------------+
    | stock_code | _source_file                  | kept_source_file             | kept_source_line |
    +------------+-------------------------------+------------------------------+------------------+
    | 85123a     | landing/online_retail/f10.csv | landing/online_retail/f2.csv | 2                |
    +------------+-------------------------------+------------------------------+------------------+
    "
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_records_are_kept_whole_and_rejected() {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{}too,few\n1,2,3,4,5,6,7,8,9\n", csv()));
    fresh.run().await.unwrap();
    insta::assert_snapshot!(
        fresh.table("select _source_line, _rescued, failed_rules from silver.transactions_rejected order by _source_line").await,
        @r"
    +--------------+-------------------+--------------------+
    | _source_line | _rescued          | failed_rules       |
    +--------------+-------------------+--------------------+
    | 5            | too,few           | [malformed_record] |
    | 6            | 1,2,3,4,5,6,7,8,9 | [malformed_record] |
    +--------------+-------------------+--------------------+
    "
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rows_come_out_at_any_thread_count() {
    let landed = |fresh: &Fresh| {
        let parameters = lake_generate::Parameters {
            seed: 11,
            customers: 200,
            lines: 8_000,
            from: "2011-01-03".parse().unwrap(),
            to: "2011-03-31".parse().unwrap(),
            split: lake_generate::Split::Month,
            dirt: lake_generate::Dirt::High,
        };
        lake_generate::generate(&parameters, &fresh.path().join("landing/online_retail"), &|_| ()).unwrap();
    };
    let mut answers = Vec::new();
    for threads in [1, 2, 8] {
        let fresh = Fresh::new();
        landed(&fresh);
        fresh.lake(threads).unwrap().run(&Request::default()).await.unwrap();
        let mut answer = String::new();
        for (table, key) in [
            ("silver.transactions", "invoice_no, line_no"),
            ("silver.transactions_duplicates", "_source_file, _source_line"),
            ("gold.rfm", "customer_id"),
            ("gold.top_products", "stock_code"),
            ("gold.cohort_retention", "cohort_month, months_since"),
        ] {
            let hidden = if table.ends_with("duplicates") { " except (_ingest_run_id)" } else { "" };
            answer += &fresh.table(&format!("select *{hidden} from {table} order by {key}")).await;
        }
        answers.push(answer);
    }
    assert!(answers[0] == answers[1] && answers[1] == answers[2], "tables differ between thread counts");
}
