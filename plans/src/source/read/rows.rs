//! Rows of a stac-geoparquet file, as the JSON of their Items.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use earthcatalog_stac_rows::geoparquet::ItemWriter;
use futures::stream::{StreamExt, TryStreamExt};

use super::raw::{Blocks, ObjectName, Raw};
use crate::model::chunk::RejectKind;
use crate::source::decode::Defect;
use crate::source::parquet_file::ParquetFile;

/// Rows turned into JSON at once.
const BATCH: usize = 512;

pub(in super::super) fn rows(file: &ParquetFile, rows: &Range<u64>) -> Result<Blocks> {
    let (mut first, mut groups, mut offset) = (0, vec![], None);
    for (group, count) in file.row_groups().enumerate() {
        if first < rows.end && first + count > rows.start {
            offset.get_or_insert(rows.start.saturating_sub(first) as usize);
            groups.push(group);
        }
        first += count;
    }
    let batches = file
        .builder()?
        .with_row_groups(groups)
        .with_offset(offset.unwrap_or(0))
        .with_limit((rows.end - rows.start) as usize)
        .with_batch_size(BATCH)
        .build()?;
    let object = ObjectName::Url(Arc::from(file.url.as_str()));
    let mut position = rows.start;
    let blocks = batches.map_err(Into::into).map_ok(move |batch| {
        let writer = ItemWriter::new(&batch);
        let raw = |row| {
            let body =
                writer.write(row).map(Bytes::from).map_err(|message| Defect { kind: RejectKind::Unreadable, message });
            Raw { object: object.clone(), position: Some(position + row as u64), range: None, body }
        };
        let block = (0..batch.num_rows()).map(raw).collect::<Vec<_>>();
        position += batch.num_rows() as u64;
        block
    });
    Ok(blocks.boxed())
}
