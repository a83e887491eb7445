//! Proves that our functions, mappings and names work in SQL, and that every session resolves them alike.

use std::collections::BTreeMap;
use std::time::Duration;

use datafusion::arrow::util::pretty::pretty_format_batches;

use super::*;
use crate::config::Config;
use crate::contract::TableName;
use crate::project::Mapping;

fn engine() -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::load(folder.path(), &BTreeMap::new(), &[("threads", "2".into())]).unwrap();
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
                 parse_instant('12/1/2010 8:26') as t, collapse_blanks('  a  b ') as b, collapse_blanks(' ') as n";
    insta::assert_snapshot!(answer(Catalogue::new(), query).await.unwrap(), @"
    +---+--------+----------------------+-----+---+
    | i | d      | t                    | b   | n |
    +---+--------+----------------------+-----+---+
    | 6 | 2.5500 | 2010-12-01T08:26:00Z | a b |   |
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
