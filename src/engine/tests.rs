//! Proves that our functions, mappings and names work in SQL, and that every session resolves them alike.

use std::collections::BTreeMap;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::col;

use super::*;
use crate::config::Config;
use crate::contract::TableName;
use crate::project::Mapping;

fn engine() -> Engine {
    engine_with(&[("threads", "2")])
}

fn engine_with(settings: &[(&'static str, &str)]) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.to_string())).collect();
    let config = Config::load(folder.path(), &BTreeMap::new(), &settings).unwrap();
    Engine::new(&config.settings).unwrap()
}

fn mapping(text: &str) -> Mapping {
    Mapping {
        name: TableName::parse("gold.places").unwrap(),
        path: "gold/places.csv".into(),
        text: text.into(),
    }
}

async fn answer(catalogue: Arc<Catalogue>, query: &str) -> Result<String> {
    let batches = engine().session(catalogue).sql(query).await?.collect().await?;
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

#[tokio::test]
async fn our_functions_take_texts_of_any_form() {
    let query = "select parse_integer('6.0') as i, parse_decimal(arrow_cast('2.55', 'Utf8')) as d, \
                 parse_instant('12/1/2010 8:26') as t, normalise_wording('  a  b ') as b, normalise_code(' ') as n";
    insta::assert_snapshot!(answer(Catalogue::new(), query).await.unwrap(), @"
    +---+--------+----------------------+-----+---+
    | i | d      | t                    | b   | n |
    +---+--------+----------------------+-----+---+
    | 6 | 2.5500 | 2010-12-01T08:26:00Z | A B |   |
    +---+--------+----------------------+-----+---+
    ");
}

#[tokio::test]
async fn a_mapping_is_a_table_with_integers_where_all_are() {
    let catalogue = Catalogue::new();
    catalogue.map(&mapping("place,rank,code\nEIRE,1,01x\n\"Rest, the\",,2\n"));
    let query = "select *, arrow_typeof(rank) as t from gold.places order by place";
    insta::assert_snapshot!(answer(catalogue, query).await.unwrap(), @"
    +-----------+------+------+-------+
    | place     | rank | code | t     |
    +-----------+------+------+-------+
    | EIRE      | 1    | 01x  | Int64 |
    | Rest, the |      | 2    | Int64 |
    +-----------+------+------+-------+
    ");
}

#[tokio::test]
async fn a_mapping_that_is_torn_names_its_file() {
    let catalogue = Catalogue::new();
    catalogue.map(&mapping("place,rank\nEIRE\n"));
    let error = answer(catalogue, "select * from gold.places").await.unwrap_err();
    assert_eq!(error.message(), "mapping `gold.places` cannot be read");
    assert!(error.details()[0].starts_with("in gold/places.csv"));
}

#[tokio::test]
async fn a_promised_table_says_that_it_is_not_built() {
    let catalogue = Catalogue::new();
    catalogue.promise(&TableName::parse("gold.rfm").unwrap());
    let error = answer(catalogue, "select * from gold.rfm").await.unwrap_err();
    assert_eq!(error.message(), "`gold.rfm` has not been built yet");
}

#[tokio::test]
async fn identifiers_are_lower_cased() {
    let catalogue = Catalogue::new();
    catalogue.map(&mapping("place\nEIRE\n"));
    assert!(answer(catalogue, "SELECT PLACE FROM Gold.Places").await.is_ok());
}

#[tokio::test]
async fn what_a_session_names_takes_no_name_of_the_lake() {
    let catalogue = Catalogue::new();
    catalogue.map(&mapping("place\nEIRE\n"));
    let session = engine().session(catalogue.clone());
    session.sql("create view gold.v as select upper(place) as p from gold.places").await.unwrap();
    assert!(answer(catalogue.clone(), "select p from v").await.unwrap().contains("| EIRE |"));
    let replaced = session.sql("create or replace view gold.places as select 1 as a").await.err().unwrap();
    let message = crate::error::Error::from(replaced).message().to_string();
    assert_eq!(message, "`gold.places` is of the lake: no statement replaces or drops it");
    assert!(catalogue.of_session("gold", "v").is_some() && catalogue.of_session("gold", "places").is_none());
    session.sql("drop view gold.v").await.unwrap();
    assert!(catalogue.of_session("gold", "v").is_none());
}

#[tokio::test]
async fn a_join_that_makes_very_many_rows_can_be_given_up() {
    let query = "select sum(a.value * b.value) from generate_series(1, 20000) a cross join generate_series(1, 20000) b";
    let session = engine().session(Catalogue::new());
    // Everything is done where it is asked for.
    session.sql("set datafusion.execution.target_partitions = 1").await.unwrap();
    let rows = session.sql(query).await.unwrap();
    tokio::time::timeout(Duration::from_millis(1), rows.collect()).await.unwrap_err();
}

#[tokio::test]
async fn rows_have_equal_hashes_when_their_values_are_equal() {
    let query = "select row_hash('a', 1, null) = row_hash(arrow_cast('a', 'Utf8View'), 1, null) as same, \
                 row_hash('ab', 'c') = row_hash('a', 'bc') as shifted, row_hash(null, 'a') = row_hash('a', null) as moved, \
                 row_hash(cast(null as text)) = row_hash(null) as nothing";
    insta::assert_snapshot!(answer(Catalogue::new(), query).await.unwrap(), @"
    +------+---------+-------+---------+
    | same | shifted | moved | nothing |
    +------+---------+-------+---------+
    | true | false   | false | true    |
    +------+---------+-------+---------+
    ");
}

/// Tables keep hashes: another one for the same values would make every known line a new one.
#[tokio::test]
async fn hashes_stay_what_they_are() {
    let query = "select row_hash('A', 6, cast(2.55 as decimal(18, 4)), null, \
                 parse_instant('12/1/2010 8:26'), arrow_cast(7, 'Int32')) as hash";
    insta::assert_snapshot!(answer(Catalogue::new(), query).await.unwrap(), @"
    +------------------------------+
    | hash                         |
    +------------------------------+
    | 3601577102097039499790711090 |
    +------------------------------+
    ");
}

/// Rows that come in the order of two columns, in several batches.
fn ordered() -> Arc<Catalogue> {
    let numbers = |of: &dyn Fn(i64) -> i64| {
        let of_batch = |batch: i64| (0..50).map(move |i| batch * 50 + i);
        [0, 1, 2].map(|batch| Arc::new(of_batch(batch).map(of).collect::<Int64Array>()) as ArrayRef)
    };
    let (seq, line) = (numbers(&|i| i / 60), numbers(&|i| i % 60));
    let key = [0, 1, 2].map(|batch| {
        let of_batch = (0..50).map(|i| (batch * 50 + i) % 9).map(|key| (key != 4).then_some(key));
        Arc::new(of_batch.collect::<Int64Array>()) as ArrayRef
    });
    let batches = seq.into_iter().zip(line).zip(key).map(|((seq, line), key)| {
        let columns = [("seq", seq, false), ("line", line, false), ("key", key, true)];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    });
    let batches: Vec<RecordBatch> = batches.collect();
    let order = vec![col("seq").sort(true, false), col("line").sort(true, false)];
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap().with_sort_order(vec![order]);
    let catalogue = Catalogue::new();
    catalogue.provide("gold", "lines", Arc::new(table));
    catalogue
}

#[tokio::test]
async fn windows_over_rows_in_their_order_are_streamed_and_mean_the_same() {
    let query = "select seq, line, row_number() over (partition by key, seq order by seq, line) as n, \
                 first_value(seq * 100 + line) over (partition by key order by seq, line) as first, \
                 first_value(line) over (partition by cast(key - 3 as decimal(28, 0)) order by seq, line) as decimal, \
                 first_value(line) over (partition by arrow_cast(cast(nullif(key % 3, 1) as int), 'Date32'), \
                     cast(key % 5 as decimal(28, 0)) order by seq, line) as of_day \
                 from gold.lines";
    let ask = async |rows: u64, query: &str| {
        let session = engine().job_session(ordered(), &Transition::default(), rows);
        let batches = session.sql(query).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    };
    let sorted = format!("{query} order by seq, line");
    assert_eq!(ask(150, &sorted).await, ask(u64::MAX, &sorted).await);
    let plan = |rows| async move { ask(rows, &format!("explain {query}")).await };
    assert!(plan(150).await.contains("StreamedWindowExec: "));
    assert!(!plan(150).await.contains("SortExec"));
    assert!(!plan(u64::MAX).await.contains("StreamedWindowExec"));
    // Another order than that in which rows come.
    let other = "explain select row_number() over (partition by key order by line, seq) as n from gold.lines";
    assert!(!ask(150, other).await.contains("StreamedWindowExec"));
}

#[tokio::test]
async fn what_several_threads_make_of_rows_in_their_order_comes_together_in_whole_batches() {
    let query =
        "select seq, line, row_number() over (partition by abs(key) order by seq, line) as n from gold.lines";
    let ask = async |rows: u64, query: &str| {
        let session = engine().job_session(ordered(), &Transition::default(), rows);
        session.sql("set datafusion.execution.target_partitions = 3").await.unwrap();
        session.sql("set datafusion.execution.batch_size = 20").await.unwrap();
        let batches = session.sql(query).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    };
    // No order is asked for: the rows of three partitions come in theirs.
    assert_eq!(ask(FEW_ROWS, query).await, ask(u64::MAX, &format!("{query} order by seq, line")).await);
    let plan = ask(FEW_ROWS, &format!("explain {query}")).await;
    assert!(plan.contains(" MergeExec: ") && plan.contains("partitions=3"), "{plan}");
    assert!(!plan.contains("SortPreservingMergeExec"), "{plan}");
}

#[tokio::test]
async fn what_is_distinct_is_counted_in_one_pass_and_means_the_same() {
    let query = "select key, count(distinct line % 7) as numbers, count(distinct line::text) filter (where line > 8) as texts, \
                 count(distinct nullif(seq, 1)) as known, count(*) as lines, sum(distinct line % 5) as sum \
                 from gold.lines group by key order by key";
    let ask = async |session: SessionContext, query: &str| {
        let batches = session.sql(query).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    };
    let job = || engine().job_session(ordered(), &Transition::default(), FEW_ROWS);
    assert_eq!(ask(job(), query).await, ask(engine().session(ordered()), query).await);
    let plan = ask(job(), &format!("explain {query}")).await;
    assert!(plan.contains("mode=Single,") && !plan.contains("mode=Partial"), "{plan}");
}

#[tokio::test]
async fn what_is_distinct_is_counted_on_disk_where_memory_is_short() {
    let query = "select count(*) as groups, sum(n) as pairs from (select value % 400000 as key, \
                 count(distinct (value % 100003)::text) as n from generate_series(1, 800000) group by key)";
    let ask = async |memory: &str, rows: u64, query: &str| {
        let engine = engine_with(&[("threads", "2"), ("memory_limit", memory)]);
        let session = engine.job_session(Catalogue::new(), &Transition::default(), rows);
        session.sql("set datafusion.execution.target_partitions = 2").await.unwrap();
        let batches = session.sql(query).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    };
    let spills = ask("32MB", 1000, &format!("explain analyze {query}")).await;
    assert!(spills.split("spill_count=").skip(1).any(|count| !count.starts_with('0')), "{spills}");
    assert_eq!(ask("32MB", 1000, query).await, ask("none", 1000, query).await);
    // Of many rows, groups are made, which are spilled piece by piece.
    let plan = ask("32MB", 400_000, &format!("explain {query}")).await;
    assert!(plan.contains("mode=FinalPartitioned"), "{plan}");
    assert!(!ask("none", 400_000, &format!("explain {query}")).await.contains("mode=FinalPartitioned"));
}

#[test]
fn steps_take_turns_where_memory_is_short() {
    for (memory, steps) in [("512MB", 1), ("1GB", 1), ("3GB", 3), ("64GB", 4), ("none", 4)] {
        let engine = engine_with(&[("threads", "4"), ("memory_limit", memory)]);
        assert_eq!(engine.steps_at_once(), steps, "{memory}");
    }
}
