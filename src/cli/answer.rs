//! Answers of the lake to questions that commands ask themselves, as texts.

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use lake::error::{Error, Result};
use lake::run::Lake;

/// The rows of the answer to `query`, each cell as a text; NULL is empty.
pub async fn cells(lake: &Lake, query: &str, as_of: Option<&str>) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in lake.ask(query, as_of).await?.collect().await? {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>();
        let columns = columns.map_err(|e| Error::internal(e.to_string()))?;
        rows.extend(
            (0..batch.num_rows()).map(|row| {
                columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<String>>()
            }),
        );
    }
    Ok(rows)
}
