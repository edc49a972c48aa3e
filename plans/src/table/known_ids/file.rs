//! A list of ids, as a Parquet file.

use std::hash::Hasher;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterProperties;
use twox_hash::XxHash64;

use crate::model::item_key::ItemKey;
use crate::runtime::ParquetWriter;

/// Name of the one column.
pub(super) const HASH: &str = "id_hash";

/// Columns of a list of ids: `id_hash`, Int64, never null, ascending.
pub(crate) static ID_SCHEMA: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new(HASH, DataType::Int64, false)])));

/// Rows of a batch that is encoded at a time.
const BATCH: usize = 1 << 16;

/// What stands for an Item: xxHash64 (seed 0) of its collection and id. Of n Items, n² / 2⁶⁵ pairs share one by chance: 0.00005
/// of 40 million Items, 0.03 of a billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdHash(pub(super) i64);

impl IdHash {
    pub fn new(collection: Option<&str>, id: &str) -> Self {
        let mut hash = XxHash64::with_seed(0);
        ItemKey::write(collection, id, |part| hash.write(part));
        Self(hash.finish() as i64)
    }

    /// Of what [`bits`](Self::bits) gave.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits as i64)
    }

    pub fn bits(&self) -> u64 {
        self.0 as u64
    }
}

/// Encodes hashes, ascending, as they come.
pub(super) struct IdEncoder {
    writer: ParquetWriter,
    batch: Vec<i64>,
    ids: u64,
}

impl IdEncoder {
    pub fn try_new() -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .set_compression(Compression::UNCOMPRESSED);
        let writer = ParquetWriter::of_rows(Arc::clone(&ID_SCHEMA), Arc::new(properties.build()))?;
        Ok(Self { writer, batch: vec![], ids: 0 })
    }

    pub fn push(&mut self, hash: i64) -> Result<()> {
        self.batch.push(hash);
        self.ids += 1;
        if self.batch.len() == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let hashes: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.batch)));
        self.writer.write(&RecordBatch::try_new(Arc::clone(&ID_SCHEMA), vec![hashes])?)
    }

    /// The file, and how many hashes are in it.
    pub fn finish(mut self) -> Result<(Vec<u8>, u64)> {
        self.flush()?;
        Ok((self.writer.finish()?.0, self.ids))
    }
}

/// The Parquet file of some hashes, ascending.
pub fn encode(hashes: impl IntoIterator<Item = IdHash>) -> Result<Vec<u8>> {
    let mut encoder = IdEncoder::try_new()?;
    hashes.into_iter().try_for_each(|hash| encoder.push(hash.0))?;
    Ok(encoder.finish()?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_takes_less_than_six_bytes_where_there_are_many() {
        let mut hashes: Vec<IdHash> = (0..1_000_000).map(|n| IdHash::new(Some("c"), &format!("item {n}"))).collect();
        hashes.sort_unstable();
        let bytes = encode(hashes).unwrap().len();
        // 44 bits apart, with a million of them.
        assert!((5_400_000..6_100_000).contains(&bytes), "{bytes}");
    }
}
