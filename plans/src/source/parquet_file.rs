//! A Parquet file, its footer read once.

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use object_store::ObjectStoreExt;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use url::Url;

use crate::stores::{DamagedFile, ParquetObject, stores};

/// Columns that part files of a table of Items have, beside those that other files of Items have, too.
const OF_PART_FILES: [&str; 9] =
    ["grid_partition", "geometry", "xmin", "ymin", "xmax", "ymax", "assets", "properties", "extra"];

/// Whether a file is one that a table of Items consists of, by its columns.
pub(super) fn is_part_file(file: &Schema) -> bool {
    OF_PART_FILES.iter().all(|name| file.index_of(name).is_ok())
        && file
            .field_with_name("extra")
            .is_ok_and(|extra| matches!(extra.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View))
}

/// An opened Parquet file. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ParquetFile {
    pub url: Url,
    reader: ParquetObject,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    pub async fn open(url: &Url) -> Result<Self> {
        let (store, path) = stores().locate(url)?;
        let size = store.head(&path).await?.size;
        let mut reader = ParquetObject::new(store, path, size);
        let metadata = ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new()).await;
        let metadata = metadata.map_err(|error| match &error {
            // It is in no table, and may be sound in another format.
            ParquetError::External(source) if let Some(damaged) = source.downcast_ref::<DamagedFile>() => {
                plan_datafusion_err!("cannot read {url} as Parquet: {}", damaged.what)
            }
            _ => DataFusionError::from(error).context(format!("cannot read {url} as Parquet")),
        })?;
        Ok(Self { url: url.clone(), reader, metadata })
    }

    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Rows of each row group.
    pub fn row_groups(&self) -> impl Iterator<Item = u64> {
        self.metadata.metadata().row_groups().iter().map(|group| group.num_rows().max(0) as u64)
    }

    pub fn builder(&self) -> Result<ParquetRecordBatchStreamBuilder<ParquetObject>> {
        Ok(ParquetRecordBatchStreamBuilder::new_with_metadata(self.reader.clone(), self.metadata.clone()))
    }
}
