//! Data files that no commit names yet: written while the rows are computed, several at once.

use std::num::NonZeroU64;
use std::sync::Arc;

use buoyant_kernel::table_properties::DataSkippingNumIndexedCols;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::Add;
use deltalake::parquet::basic::{Compression, Encoding, ZstdLevel};
use deltalake::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use deltalake::parquet::schema::types::ColumnPath;
use serde::Serialize;

use super::{Table, failure};
use crate::config;
use crate::contract::Contract;
use crate::error::{Error, Result};

/// How many rows are handed to the Parquet encoder at a time.
const ENCODE_ROWS: usize = 8192;

/// How data files are written.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    properties: WriterProperties,
    target_file_bytes: Option<NonZeroU64>,
}

impl WriteOptions {
    /// The options that the settings ask for.
    pub fn new(settings: &config::Write) -> Result<Self> {
        let level = ZstdLevel::try_new(settings.compression_level)
            .map_err(|e| Error::invalid(format!("setting `write.compression_level`: {e}")))?;
        // Hashes never repeat, and lines of a file follow each other: a dictionary would hold each value once. Extremes of
        // hashes would be rounded in the log, and files passed over that have the row.
        let (hash, line) = (ColumnPath::from("_row_hash"), ColumnPath::from("_source_line"));
        let properties = WriterProperties::builder()
            .set_column_dictionary_enabled(hash.clone(), false)
            .set_column_statistics_enabled(hash, EnabledStatistics::None)
            .set_column_dictionary_enabled(line.clone(), false)
            .set_column_encoding(line, Encoding::DELTA_BINARY_PACKED)
            .set_compression(Compression::ZSTD(level))
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_max_row_group_row_count(Some(settings.row_group_rows))
            .set_created_by(format!("lake {}", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(WriteOptions { properties, target_file_bytes: NonZeroU64::new(settings.target_file_mb << 20) })
    }

    /// The same for files with the columns of `schema`. Small numbers, days and instants are often those of the row before,
    /// and fractions hardly ever come again: they take less room and time without a dictionary.
    fn properties_of(&self, schema: &Schema) -> WriterProperties {
        let plain = |data_type: &DataType| {
            use DataType::{Date32, Float64, Int32, Timestamp};
            matches!(data_type, Int32 | Float64 | Date32 | Timestamp(..))
        };
        let fields = schema.fields().iter().filter(|field| plain(field.data_type()));
        let properties = fields.fold(self.properties.clone().into_builder(), |properties, field| {
            properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false)
        });
        properties.build()
    }
}

/// Files written for a table and not yet part of it.
#[derive(Debug, Default)]
pub struct Draft {
    pub(super) files: Vec<Add>,
    /// Rows in the files.
    pub rows: u64,
}

impl Draft {
    /// The bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| u64::try_from(file.size).unwrap_or_default()).sum()
    }

    /// The draft with the files of `other` added.
    pub fn merge(mut self, other: Draft) -> Draft {
        self.files.extend(other.files);
        self.rows += other.rows;
        self
    }
}

/// One writer of a table's files. Several may write the same draft at once, each its own files.
pub struct FileWriter {
    writer: DeltaWriter,
    schema: SchemaRef,
    what: String,
    rows: u64,
}

impl Table {
    /// A writer of files with the columns of `schema`.
    pub fn file_writer(&self, schema: &SchemaRef, options: &WriteOptions) -> FileWriter {
        let schema = stored_schema(schema);
        let config = WriterConfig::new(
            schema.clone(),
            Vec::new(),
            Some(options.properties_of(&schema)),
            options.target_file_bytes,
            Some(ENCODE_ROWS),
            DataSkippingNumIndexedCols::AllColumns,
            None,
        );
        let writer = DeltaWriter::new(self.log_store.object_store(None), config);
        FileWriter { writer, schema, what: format!("write `{}`", self.name), rows: 0 }
    }
}

impl Table {
    /// A file of rows that are given as values, whose fields are named as the columns of the contract.
    pub async fn draft<T: Serialize>(
        &self,
        contract: &Contract,
        values: &[T],
        options: &WriteOptions,
    ) -> Result<Draft> {
        let wrong = |e| Error::internal(format!("rows of `{}`: {e}", contract.name));
        let mut decoder = ReaderBuilder::new(contract.schema()).build_decoder().map_err(wrong)?;
        decoder.serialize(values).map_err(wrong)?;
        let Some(batch) = decoder.flush().map_err(wrong)? else { return Ok(Draft::default()) };
        let mut writer = self.file_writer(&contract.schema(), options);
        writer.write(&batch).await?;
        writer.close().await
    }
}

impl FileWriter {
    /// Writes the rows of a batch, which has the columns of the writer's schema.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let batch =
            stored(batch, &self.schema).map_err(|e| Error::internal(format!("cannot {}: {e}", self.what)))?;
        self.writer.write(&batch).await.map_err(|e| failure(&self.what, e))
    }

    /// Ends the files and hands them over. The files must hold the rows that were given.
    pub async fn close(self) -> Result<Draft> {
        let files = self.writer.close().await.map_err(|e| failure(&self.what, e))?;
        let stored: u64 = files.iter().filter_map(rows_in).sum();
        if stored != self.rows {
            return Err(Error::internal(format!(
                "cannot {}: {} rows were given and {stored} stored",
                self.what, self.rows
            )));
        }
        Ok(Draft { files, rows: self.rows })
    }
}

/// The rows of a file by its statistics.
fn rows_in(file: &Add) -> Option<u64> {
    let stats: serde_json::Value = serde_json::from_str(file.stats.as_deref()?).ok()?;
    stats["numRecords"].as_u64()
}

/// The schema as files keep it: texts as plain ones. Parquet files name their Arrow types, and readers that
/// believe them cannot filter views.
pub fn stored_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(stored_field);
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn stored_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::List(element) => DataType::List(stored_field(element)),
        DataType::Map(entries, sorted) => DataType::Map(stored_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(stored_field).collect()),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn stored(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns =
        columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}
