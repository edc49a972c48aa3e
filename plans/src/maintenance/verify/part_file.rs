//! [`PartFile`]: a data file of the current snapshot, and its rows as a table.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use datafusion::datasource::table_schema::TableSchema;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::ParquetMetaData;

use crate::model::field_ids::with_field_ids;
use crate::model::layout;
use crate::runtime::{FilesTable, ScanFile};
use crate::table::location::{to_location, to_url};
use crate::table::{LiveFile, Warehouse};

/// Column with a number of a row's file. No column of Items has a colon.
pub(super) const FILE: &str = "verify:file";

/// A data file of the current snapshot.
#[derive(Debug, Clone)]
pub(super) struct PartFile {
    pub live: LiveFile,
    /// Its place in its manifest.
    pub number: usize,
    /// Whether it is named as we name part files.
    pub is_ours: bool,
    /// `None` until it was read.
    pub footer: Option<Footer>,
}

/// What a file says of itself.
#[derive(Debug, Clone)]
pub(super) struct Footer {
    pub metadata: Arc<ParquetMetaData>,
    pub schema: Schema,
}

impl Footer {
    /// `None` where no reader knows what its columns are.
    pub fn new(metadata: Arc<ParquetMetaData>) -> Option<Self> {
        // A schema of Arrow's that a writer put beside Parquet's own has no field ids.
        let schema = parquet_to_arrow_schema(metadata.file_metadata().schema_descr(), None).ok()?;
        Some(Self { metadata, schema })
    }
}

impl PartFile {
    pub fn new(warehouse: &Warehouse, number: usize, live: LiveFile) -> Self {
        let is_ours = below(warehouse, &live.location).is_some_and(|path| layout::is_part_file(&path));
        Self { live, number, is_ours, footer: None }
    }

    /// The folder in which it lies, and the one in which a file of its bucket lies, where these differ: of a file that we have
    /// named, in a table by bucket.
    pub fn wrong_folder(&self, warehouse: &Warehouse) -> Option<(String, String)> {
        let path = below(warehouse, &self.live.location).filter(|_| self.is_ours)?;
        let (found, _) = path.rsplit_once('/')?;
        let expected = layout::bucket_folder(self.live.cell.as_deref()?, self.live.year);
        (found != expected).then(|| (found.to_owned(), expected))
    }
}

/// The path of a location below the warehouse; `None` if it lies elsewhere.
fn below(warehouse: &Warehouse, location: &str) -> Option<String> {
    let folder = to_location(warehouse.url()).ok()?;
    let location = to_location(&to_url(location).ok()?).ok()?;
    location.strip_prefix(&folder).map(str::to_owned)
}

/// The rows of files in the columns of the table, and behind them [`FILE`] (Int64) with a number of each row's file.
pub(super) fn table(
    warehouse: &Warehouse,
    files: &[PartFile],
    number: impl Fn(&PartFile) -> i64,
) -> Result<Arc<FilesTable>> {
    let fields = warehouse.items().table_schema().fields();
    let in_file = Schema::new(with_field_ids(fields, "", warehouse.field_ids())?);
    let of_file = Arc::new(Field::new(FILE, DataType::Int64, false));
    let schema = TableSchema::builder(Arc::new(in_file)).with_table_partition_cols(vec![of_file]).build();
    let file = |file: &PartFile| {
        let url = to_url(&file.live.location)?;
        Ok(ScanFile { url, bytes: file.live.bytes, sequence: number(file), statistics: None })
    };
    Ok(Arc::new(FilesTable::new(schema, files.iter().map(file).collect::<Result<_>>()?)))
}
