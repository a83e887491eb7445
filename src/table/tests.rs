//! Proves what a commit leaves behind: versions, records, descriptions, protocol, and who wins a race.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::physical_plan::displayable;
use datafusion::prelude::{col, lit};

use super::*;
use crate::config;
use crate::contract::{Contract, Layer};
use crate::error::Kind;

fn contract(column_doc: &str) -> Contract {
    let text = format!(
        "doc = \"Numbers.\"\ngrain = \"one row per number\"\nkey = [\"n\"]\n[columns]\nn = {{ type = \"bigint\", doc = \"{column_doc}\" }}"
    );
    Contract::parse(Path::new("gold/numbers.toml"), TableName::new(Layer::Gold, "numbers"), &text).unwrap()
}

fn options() -> WriteOptions {
    WriteOptions::new(&config::Write { compression_level: 1, row_group_rows: 1000, target_file_mb: 1 })
        .unwrap()
}

async fn write(table: &Table, contract: &Contract, mode: Mode<'_>, numbers: Vec<i64>) -> Result<Table> {
    let mut writer = table.file_writer(&contract.schema(), &options());
    let rows = numbers.len() as u64;
    let batch = RecordBatch::try_new(contract.schema(), vec![Arc::new(Int64Array::from(numbers))]).unwrap();
    writer.write(&batch).await?;
    let record = CommitRecord { run_id: "r1".into(), rows, ..Default::default() };
    table.commit(contract, mode, writer.close().await?, record).await
}

#[tokio::test]
async fn commits_append_replace_and_keep_their_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let contract = contract("The number.");
    let table = Table::open(&store, &contract.name, None).await.unwrap();
    assert_eq!(table.version(), None);
    let table = write(&table, &contract, Mode::Append(&table), vec![1, 2]).await.unwrap();
    let table = write(&table, &contract, Mode::Append(&table), vec![3]).await.unwrap();
    assert_eq!((table.version(), table.size().rows), (Some(1), 3));
    let table = write(&table, &contract, Mode::Replace, vec![4]).await.unwrap();
    assert_eq!((table.version(), table.size().rows), (Some(2), 1));
    assert_eq!(table.record().unwrap().run_id, "r1");
    let before = Table::open(&store, &contract.name, Some(1)).await.unwrap();
    assert_eq!(before.size().rows, 3);
}

#[tokio::test]
async fn every_reader_can_open_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let contract = contract("The number.");
    let table = Table::open(&store, &contract.name, None).await.unwrap();
    write(&table, &contract, Mode::Append(&table), vec![1]).await.unwrap();
    let log = folder.path().join("lake/gold/numbers/_delta_log/00000000000000000000.json");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(r#""minReaderVersion":1,"minWriterVersion":2"#), "{log}");
    assert!(log.contains("The number.") && log.contains("Numbers."));
}

/// Programs that filter a dataset by the log's extremes find nothing by a column that has none.
#[tokio::test]
async fn the_log_says_the_extremes_of_every_column() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let columns = ["n = { type = \"bigint\"", "word = { type = \"text\"", "day = { type = \"date\""];
    let columns = columns.map(|column| format!("{column}, doc = \"It.\" }}\n")).concat();
    let text =
        format!("doc = \"Words.\"\ngrain = \"one row per number\"\nkey = [\"n\"]\n[columns]\n{columns}");
    let name = TableName::new(Layer::Gold, "words");
    let contract = Contract::parse(Path::new("gold/words.toml"), name, &text).unwrap();
    let table = Table::open(&store, &contract.name, None).await.unwrap();
    let row = serde_json::json!({ "n": 1, "word": "one", "day": "2026-01-02" });
    let draft = table.draft(&contract, &[row], &options()).await.unwrap();
    let stats: serde_json::Value = serde_json::from_str(draft.files[0].stats.as_deref().unwrap()).unwrap();
    for extremes in ["minValues", "maxValues"] {
        assert_eq!(stats[extremes], serde_json::json!({ "n": 1, "word": "one", "day": "2026-01-02" }));
    }
}

#[tokio::test]
async fn a_changed_description_reaches_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let table = Table::open(&store, &contract("a").name, None).await.unwrap();
    let table = write(&table, &contract("a"), Mode::Append(&table), vec![1]).await.unwrap();
    let table = write(&table, &contract("b"), Mode::Replace, vec![1]).await.unwrap();
    let schema = table.provider().await.unwrap().schema();
    assert_eq!(schema.field(0).metadata()["comment"], "b");
}

#[tokio::test]
async fn filters_skip_files_for_all_and_rows_for_queries_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let table = Table::open(&store, &contract("a").name, None).await.unwrap();
    let table = write(&table, &contract("a"), Mode::Append(&table), vec![1, 2]).await.unwrap();
    let table = write(&table, &contract("a"), Mode::Append(&table), vec![11, 12]).await.unwrap();
    let state = SessionStateBuilder::new().with_default_features().build();
    let plan = async |rows: Arc<dyn TableProvider>| {
        let plan = rows.scan(&state, None, &[col("n").gt(lit(11_i64))], None).await.unwrap();
        displayable(plan.as_ref()).indent(true).to_string()
    };
    let (of_query, of_job) =
        (plan(table.provider().await.unwrap()).await, plan(table.rows(None).await.unwrap()).await);
    assert!(of_query.contains("predicate=") && !of_job.contains("predicate="), "{of_query}{of_job}");
    assert!([of_query, of_job].iter().all(|plan| plan.matches(".parquet").count() == 1));
}

#[tokio::test]
async fn of_two_writers_from_one_version_the_second_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let contract = contract("a");
    let table = Table::open(&store, &contract.name, None).await.unwrap();
    let table = write(&table, &contract, Mode::Append(&table), vec![1]).await.unwrap();
    write(&table, &contract, Mode::Append(&table), vec![2]).await.unwrap();
    let error = write(&table, &contract, Mode::Append(&table), vec![3]).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
}

#[tokio::test]
async fn of_two_writers_who_create_a_table_the_second_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let contract = contract("a");
    let (one, two) = (
        Table::open(&store, &contract.name, None).await.unwrap(),
        Table::open(&store, &contract.name, None).await.unwrap(),
    );
    write(&one, &contract, Mode::Append(&one), vec![1]).await.unwrap();
    let error = write(&two, &contract, Mode::Append(&two), vec![2]).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert_eq!(Table::open(&store, &contract.name, None).await.unwrap().size().rows, 1);
}

#[tokio::test]
async fn rows_that_stay_keep_their_columns() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let table = Table::open(&store, &contract("a").name, None).await.unwrap();
    let table = write(&table, &contract("a"), Mode::Append(&table), vec![1]).await.unwrap();
    let mut wider = contract("a");
    wider.columns.push(crate::contract::Column { name: "m".into(), ..wider.columns[0].clone() });
    let append = |wider: Contract| {
        let table = table.clone();
        async move { table.commit(&wider, Mode::Append(&table), Draft::default(), CommitRecord::default()).await }
    };
    let error = append(wider.clone()).await.err().unwrap();
    assert_eq!(error.message(), "`gold.numbers` cannot take on its changed contract");
    wider.columns[1].nullable = true;
    append(wider).await.unwrap();
}

#[tokio::test]
async fn what_was_added_between_two_versions_is_known_by_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let contract = contract("a");
    let table = Table::open(&store, &contract.name, None).await.unwrap();
    let first = write(&table, &contract, Mode::Append(&table), vec![1, 2]).await.unwrap();
    let second = write(&first, &contract, Mode::Append(&first), vec![3]).await.unwrap();
    assert_eq!(second.changes_since(1).await.unwrap(), Change::Appended(Default::default()));
    let Change::Appended(files) = second.changes_since(0).await.unwrap() else { panic!("rows went") };
    assert_eq!((files.len(), second.size_of(&files).rows), (1, 1));
    let third = write(&second, &contract, Mode::Replace, vec![4]).await.unwrap();
    assert_eq!(third.changes_since(1).await.unwrap(), Change::Replaced);
}

#[tokio::test]
async fn appending_to_an_older_version_undoes_what_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let contract = contract("a");
    let table = Table::open(&store, &contract.name, None).await.unwrap();
    let base = write(&table, &contract, Mode::Append(&table), vec![1, 2]).await.unwrap();
    let appended = write(&base, &contract, Mode::Append(&base), vec![3, 4, 5]).await.unwrap();
    let replaced = write(&appended, &contract, Mode::Replace, vec![6]).await.unwrap();
    let table = write(&replaced, &contract, Mode::Append(&base), vec![7]).await.unwrap();
    assert_eq!((table.size().rows, table.size().files), (3, 2));
    let Change::Appended(files) = table.changes_since(0).await.unwrap() else { panic!("rows went") };
    assert_eq!(table.size_of(&files).rows, 1);
    let reopened = Table::open(&store, &contract.name, None).await.unwrap();
    assert_eq!((reopened.content(), reopened.size()), (Some(3), table.size()));
}

#[tokio::test]
async fn rearranging_files_changes_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let contract = contract("a");
    let table = Table::open(&store, &contract.name, None).await.unwrap();
    let first = write(&table, &contract, Mode::Append(&table), vec![1]).await.unwrap();
    let second = write(&first, &contract, Mode::Append(&first), vec![2]).await.unwrap();
    let all = second.files().into_keys().collect();
    let table = write(&second, &contract, Mode::Rewrite(&all), vec![1, 2]).await.unwrap();
    assert_eq!((table.version(), table.content(), table.size().files), (Some(2), Some(1), 1));
    assert_eq!(table.changes_since(1).await.unwrap(), Change::Appended(Default::default()));
    assert_eq!(Table::open(&store, &contract.name, None).await.unwrap().content(), Some(1));
}

#[tokio::test]
async fn a_damaged_log_is_told_of_by_what_it_lacks() {
    let contract = contract("a");
    for (commit, text, version, said) in [
        (0, None, None, "commit 0 is missing"),
        (1, None, None, "commit 1 is missing"),
        (1, Some("{\"add\":{\"path\""), Some(2), "commit 1 cannot be read"),
        (2, Some("garbage\n"), None, "commit 2 cannot be read"),
        (2, Some(""), None, "commit 2 cannot be read"),
        (2, None, Some(2), "version 2 is gone, what is left ends with 1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "lake").unwrap();
        let mut table = Table::open(&store, &contract.name, None).await.unwrap();
        for number in 0..3 {
            table = write(&table, &contract, Mode::Append(&table), vec![number]).await.unwrap();
        }
        let log = folder.path().join(format!("lake/gold/numbers/_delta_log/{commit:020}.json"));
        match text {
            Some(text) => std::fs::write(&log, text).unwrap(),
            None => std::fs::remove_file(&log).unwrap(),
        }
        let error = Table::open(&store, &contract.name, version).await.err().unwrap();
        assert_eq!(error.message(), format!("`gold.numbers` cannot be opened: {said}"));
        assert_eq!(error.hints(), ["move that folder away: `lake run` makes the table anew"]);
        assert_eq!(error.details().len(), 1, "{error}");
    }
}

#[test]
fn a_root_may_lead_upwards() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("shop"), "../other/./x/../lake").unwrap();
    assert_eq!(store.location(), folder.path().join("other/lake").display().to_string());
}

#[tokio::test]
async fn a_lake_of_a_newer_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    store.initialise().await.unwrap();
    store.check_format().await.unwrap();
    std::fs::write(folder.path().join("lake/lake.json"), r#"{"format":99,"program":"lake 9.0.0"}"#).unwrap();
    let error = store.check_format().await.unwrap_err();
    assert!(error.message().contains("has format 99"), "{error}");
    assert_eq!(error.details(), ["it was written by lake 9.0.0"]);
}

#[test]
fn the_second_writer_of_a_lake_is_told_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let lock = store.lock("first").unwrap();
    let error = store.lock("second").unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.details()[0].starts_with("run first, process "), "{error}");
    drop(lock);
    store.lock("second").unwrap();
}

#[tokio::test]
async fn the_newest_publication_is_what_readers_see() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "lake").unwrap();
    let publications = Publications::open(&store).await.unwrap();
    assert_eq!(publications.newest(), None);
    let tables = [(TableName::new(Layer::Gold, "rfm"), 7)].into();
    let publication = Publication { run_id: "r1".into(), tables, ..Default::default() };
    let at = chrono::DateTime::UNIX_EPOCH;
    publications.publish(&publication, at, &options()).await.unwrap();
    assert_eq!(Publications::open(&store).await.unwrap().newest(), Some(&publication));
}
