//! Items as a stac-geoparquet file: each member and property a column, of the type that all Items share.
//!
//! Source: stac-geoparquet specification 1.1. The types of a file come before its first row, and only all Items together
//! tell them; so the Items go to a file on disk first, and memory stays bounded.

mod encoder;
mod item;
mod shape;

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray, RecordBatch, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::json::ReaderBuilder;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, internal_err, plan_datafusion_err};
use datafusion::execution::SpillFile;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::model::items::{RowItems, wkb_of};
use futures::TryStreamExt;

pub use encoder::Encoding;

use crate::output::{Output, OutputError};
use encoder::Encoder;
use item::Columns;

/// Items that are turned into rows at once.
const BATCH: usize = 1_024;

/// Where the coordinates of GeoJSON are, as GeoArrow says it.
const CRS84: &str = r#"{"crs":"OGC:CRS84","crs_type":"authority_code"}"#;

/// Writes the Items of `rows`; how many there are, and how many of them the columns cannot hold exactly.
pub async fn write(
    rows: SendableRecordBatchStream,
    session: &SessionContext,
    encoding: Encoding,
    out: &mut impl Output,
) -> Result<(u64, u64), OutputError> {
    let spooled = spool(rows, session).await?;
    let schema = spooled.columns.schema();
    let mut encoder = Encoder::new(encoding, &with_geometry(&schema)?)?;
    let path = spooled.file.path();
    let path = path.ok_or_else(|| exec_datafusion_err!("an export needs temporary files on a local disk"))?;
    let file = File::open(path)?;
    let (mut items, mut inexact) = (0, 0);
    for batch in StreamReader::try_new(BufReader::new(file), None).map_err(DataFusionError::from)? {
        let batch = batch.map_err(DataFusionError::from)?;
        for start in (0..batch.num_rows()).step_by(BATCH) {
            let part = batch.slice(start, BATCH.min(batch.num_rows() - start));
            items += part.num_rows() as u64;
            inexact += write_part(&part, &spooled.columns, &schema, &mut encoder)?;
            out.buffer().append(&mut encoder.take_bytes());
            out.flush_if_full().await?;
        }
    }
    out.buffer().append(&mut encoder.finish()?);
    Ok((items, inexact))
}

/// Items on disk, and the columns that they need.
struct Spooled {
    file: Arc<dyn SpillFile>,
    columns: Columns,
}

async fn spool(mut rows: SendableRecordBatchStream, session: &SessionContext) -> Result<Spooled, OutputError> {
    let file = session.runtime_env().disk_manager.create_tmp_file("the export of Items")?;
    let schema = Arc::new(Schema::new(vec![
        Field::new("item", DataType::Utf8View, false),
        Field::new("geometry", DataType::BinaryView, true),
    ]));
    let out = BufWriter::new(file.open_writer()?);
    let mut writer = StreamWriter::try_new(out, &schema).map_err(DataFusionError::from)?;
    let mut columns = Columns::default();
    while let Some(batch) = rows.try_next().await? {
        let items = RowItems::try_new(&batch)?;
        let (mut texts, mut text) = (StringViewBuilder::with_capacity(batch.num_rows()), vec![]);
        for row in 0..batch.num_rows() {
            text.clear();
            items.write(row, &mut text)?;
            columns.observe(&text)?;
            texts.append_value(str::from_utf8(&text).map_err(|e| DataFusionError::External(Box::new(e)))?);
        }
        let index = batch.schema().index_of("geometry").map_err(DataFusionError::from)?;
        let geometries: BinaryViewArray = wkb_of(batch.column(index), batch.schema().field(index))?;
        let arrays: Vec<ArrayRef> = vec![Arc::new(texts.finish()), Arc::new(geometries)];
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(DataFusionError::from)?;
        writer.write(&batch).map_err(DataFusionError::from)?;
    }
    let out = writer.into_inner().map_err(DataFusionError::from)?;
    let mut out = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    out.finish()?;
    Ok(Spooled { file, columns })
}

/// The columns of the file: `geometry` is not of the JSON.
fn with_geometry(schema: &SchemaRef) -> Result<SchemaRef> {
    let metadata = [("ARROW:extension:name", "geoarrow.wkb"), ("ARROW:extension:metadata", CRS84)];
    let geometry = Field::new("geometry", DataType::BinaryView, true);
    let geometry = geometry.with_metadata(metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let mut fields = schema.fields().to_vec();
    fields.insert(geometry_index(schema)?, Arc::new(geometry));
    Ok(Arc::new(Schema::new(fields)))
}

fn geometry_index(schema: &Schema) -> Result<usize> {
    schema.index_of("id").map(|id| id + 1).map_err(|_| plan_datafusion_err!("the Items have no id"))
}

/// Writes some Items; how many of them are not exact.
fn write_part(part: &RecordBatch, columns: &Columns, schema: &SchemaRef, encoder: &mut Encoder) -> Result<u64> {
    let mut decoder =
        ReaderBuilder::new(Arc::clone(schema)).with_batch_size(BATCH).with_strict_mode(true).build_decoder()?;
    let (mut text, mut inexact) = (vec![], 0);
    for item in part.column(0).as_string_view().iter().flatten() {
        let is_exact = columns.write(item.as_bytes(), &mut text)?;
        inexact += u64::from(!is_exact);
    }
    let read = decoder.decode(&text)?;
    let Some(batch) = decoder.flush()?.filter(|batch| batch.num_rows() == part.num_rows() && read == text.len()) else {
        return internal_err!("{} Items became another number of rows", part.num_rows());
    };
    let mut arrays = batch.columns().to_vec();
    arrays.insert(geometry_index(schema)?, Arc::clone(part.column(1)));
    encoder.write(&RecordBatch::try_new(with_geometry(schema)?, arrays)?)?;
    Ok(inexact)
}
