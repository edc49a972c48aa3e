//! Rows of a stac-geoparquet file, or of a part file, as the JSON of their Items.

use std::future::ready;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::common::Result;
use earthcatalog_stac_rows::geoparquet::ItemWriter;
use earthcatalog_stac_rows::item::Role;
use futures::stream::{StreamExt, TryStreamExt};

use super::geometries::{covering, with_geometries, with_wkb};
use super::raw::{Blocks, ObjectName, Raw};
use crate::model::chunk::RejectKind;
use crate::model::items::RowItems;
use crate::source::decode::Defect;
use crate::source::parquet_file::{ParquetFile, is_part_file};

/// The bytes of an Item, or why there are none.
type Body = std::result::Result<Bytes, Defect>;

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
    let of_file = RowsOf::new(file.schema());
    let mut position = rows.start;
    let blocks = batches.map_err(Into::into).and_then(move |batch| {
        let block = of_file.items(&batch).map(|bodies| {
            let raw = |(row, body)| Raw { object: object.clone(), position: Some(position + row), range: None, body };
            (0..).zip(bodies).map(raw).collect::<Vec<_>>()
        });
        position += batch.num_rows() as u64;
        ready(block)
    });
    Ok(blocks.boxed())
}

/// What the rows of a file are.
enum RowsOf {
    /// Items as stac-geoparquet has them, with these columns, of which one may be a covering.
    StacGeoparquet(SchemaRef, Option<usize>),
    /// Rows of a table of ours.
    PartFile,
}

impl RowsOf {
    fn new(file: &SchemaRef) -> Self {
        if is_part_file(file) {
            Self::PartFile
        } else {
            Self::StacGeoparquet(Arc::new(with_geometries(file)), covering(file))
        }
    }

    /// The JSON of each row's Item.
    fn items(&self, batch: &RecordBatch) -> Result<Vec<Body>> {
        let defect = |message| Defect { kind: RejectKind::Unreadable, message };
        match self {
            Self::StacGeoparquet(schema, covering) => {
                let batch = with_wkb(batch, schema, *covering)?;
                let writer = ItemWriter::new(&batch);
                Ok((0..batch.num_rows()).map(|row| writer.write(row).map(Bytes::from).map_err(defect)).collect())
            }
            Self::PartFile => {
                let is_of_item = |i: &usize| Role::from_field(batch.schema().field(*i)).is_some();
                let columns: Vec<_> = (0..batch.num_columns()).filter(is_of_item).collect();
                let items = RowItems::try_new(&batch.project(&columns)?)?;
                let item = |row| {
                    let mut text = vec![];
                    let written = items.write(row, &mut text);
                    written.map(|()| Bytes::from(text)).map_err(|e| defect(e.strip_backtrace()))
                };
                Ok((0..batch.num_rows()).map(item).collect())
            }
        }
    }
}
