//! Answers of the lake to questions that commands ask themselves, as texts.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use lake::error::{Error, Result};
use lake::run::Lake;

/// The rows of the answer to `query`, each cell as a text; NULL is empty.
pub async fn cells(lake: &Lake, query: &str, as_of: Option<&str>) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for batch in lake.ask(query, as_of).await?.collect().await? {
        rows.extend(texts(batch.columns(), batch.num_rows())?);
    }
    Ok(rows)
}

/// The keys and values of the maps that `query` answers with, as texts in the order of the keys.
pub async fn entries(lake: &Lake, query: &str) -> Result<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for batch in lake.ask(query, None).await?.collect().await? {
        let maps = batch.column(0).as_map();
        for row in (0..maps.len()).filter(|row| maps.is_valid(*row)) {
            let entries = maps.value(row);
            all.extend(texts(entries.columns(), entries.len())?);
        }
    }
    all.sort();
    Ok(all)
}

/// The first `rows` rows of some columns.
fn texts(columns: &[ArrayRef], rows: usize) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default();
    let columns = columns.iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>();
    let columns = columns.map_err(|e| Error::internal(e.to_string()))?;
    let row = |row: usize| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>();
    Ok((0..rows).map(row).collect())
}
