//! SQL logic tests: hand-made lakes (`tests/fixtures`) and what their tables must hold (`tests/slt`).

use std::path::Path;

use async_trait::async_trait;
use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use lake::error::Error;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::support::Fresh;

/// The published tables of the fixtures' lake.
struct Published(SessionContext);

#[async_trait]
impl AsyncDB for Published {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let frame = self.0.sql(sql).await?;
        let types = frame.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                DefaultColumnType::Integer
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                DefaultColumnType::Integer
            }
            DataType::Decimal128(..) | DataType::Float64 => DefaultColumnType::FloatingPoint,
            _ => DefaultColumnType::Text,
        });
        let types = types.collect();
        let mut rows = Vec::new();
        for batch in frame.collect().await? {
            let formatters: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().zip(&formatters).map(|(column, formatter)| {
                    match (column.is_null(row), formatter.value(row).to_string()) {
                        (true, _) => "NULL".to_string(),
                        (false, text) if text.is_empty() => "(empty)".to_string(),
                        (false, text) => text.replace('\n', "\\n"),
                    }
                });
                rows.push(cells.collect());
            }
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

/// Holds the lake of a folder of fixtures against what is said in folders of `tests/slt`, in so many files at least.
async fn holds(fixtures: &str, folders: &[&str], least: usize) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files =
        |pattern: String| glob::glob(tests.join(pattern).to_str().unwrap()).unwrap().map(Result::unwrap);
    let fresh = Fresh::new();
    for path in files(format!("fixtures/{fixtures}/*.csv")) {
        fresh.land(path.file_name().unwrap().to_str().unwrap(), std::fs::read(&path).unwrap());
    }
    fresh.run().await.unwrap();
    let lake = fresh.lake(2).unwrap();
    let catalogue = lake.published().await.unwrap();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for path in folders.iter().flat_map(|folder| files(format!("slt/{folder}/*.slt"))) {
        let mut runner = Runner::new(async || Ok(Published(lake.engine.session(catalogue.clone()))));
        if let Err(error) = runner.run_file_async(&path).await {
            wrong.push(error.to_string());
        }
        asked += 1;
    }
    assert!(asked >= least, "only {asked} files were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_holds_what_its_contract_says() {
    holds("retail", &["bronze", "silver", "gold"], 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bought_together_is_counted_to_its_limits() {
    holds("baskets", &["baskets"], 2).await;
}
