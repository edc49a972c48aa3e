//! Items as a stac-geoparquet file: each member and property a column, of the type that all Items share.
//!
//! Source: stac-geoparquet specification 1.1. The types of a file come before its first row, and only all Items together
//! tell them; so the Items go to a file on disk first, and memory stays bounded.
//!
//! Column `bbox` has the Items' own boxes. Where one of them does not cover its geometry, a column [`COVERING`] has the
//! bounds of the geometries, and is what the file says readers may choose rows by.

mod encoder;
mod item;
mod shape;
mod tame;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanBuilder, Float64Builder, RecordBatch, StringViewBuilder,
    StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::json::ReaderBuilder;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, internal_err, plan_datafusion_err};
use datafusion::execution::SpillFile;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::collections::{Extent, whole};
use earthcatalog_plans::model::items::{BOUNDS_COLUMNS, RowItems, bounds_of, wkb_of};
use earthcatalog_plans::sink::COVERING;
use earthcatalog_plans::table::CollectionDocument;
use futures::TryStreamExt;

pub use encoder::Encoding;

use crate::output::{Output, OutputError};
use encoder::Encoder;
use item::{Columns, Lost};
use tame::tame;

/// Items that are turned into rows at once.
const BATCH: usize = 1_024;

/// Where the coordinates of GeoJSON are, as GeoArrow says it.
const CRS84: &str = r#"{"crs":"OGC:CRS84","crs_type":"authority_code"}"#;

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    pub items: u64,
    pub(super) lost: Lost,
    /// Columns, and members of columns, that are JSON text because their values are of several types.
    pub mixed: Vec<String>,
}

/// Writes the Items of `rows`; what the file cannot hold exactly is told. Of `documents`, the file gets those of the
/// collections of these Items.
pub async fn write(
    rows: SendableRecordBatchStream,
    session: &SessionContext,
    encoding: Encoding,
    documents: &[CollectionDocument],
    out: &mut impl Output,
) -> Result<Written, OutputError> {
    let spooled = spool(rows, session).await?;
    let layout = Layout::try_new(&spooled.columns)?;
    let documents = documents.iter().filter(|document| spooled.collections.contains(document.id()));
    let documents = documents.map(|document| {
        let whole = whole(document.id(), document.members().clone(), Extent::default());
        (document.id().to_owned(), whole.into())
    });
    let mut encoder = Encoder::new(encoding, &layout.file, documents.collect())?;
    let path = spooled.file.path();
    let path = path.ok_or_else(|| exec_datafusion_err!("an export needs temporary files on a local disk"))?;
    let file = File::open(path)?;
    let mut written = Written { mixed: spooled.columns.mixed(), ..Written::default() };
    for batch in StreamReader::try_new(BufReader::new(file), None).map_err(DataFusionError::from)? {
        let batch = batch.map_err(DataFusionError::from)?;
        for start in (0..batch.num_rows()).step_by(BATCH) {
            let part = batch.slice(start, BATCH.min(batch.num_rows() - start));
            written.items += part.num_rows() as u64;
            encoder.write(&layout.rows(&part, &spooled.columns, &mut written.lost)?)?;
            out.buffer().append(&mut encoder.take_bytes()?);
            out.flush_if_full().await?;
        }
    }
    out.buffer().append(&mut encoder.finish()?);
    Ok(written)
}

/// Items on disk, and the columns that they need.
struct Spooled {
    file: Arc<dyn SpillFile>,
    columns: Columns,
    /// Ids of the collections of the Items.
    collections: BTreeSet<String>,
}

/// Whether the columns of a row do not give the Item's own geometry; then `extra` has it.
fn has_other_geometry(extra: Option<&str>) -> bool {
    extra.is_some_and(|extra| extra.contains("\"geometry\""))
}

async fn spool(mut rows: SendableRecordBatchStream, session: &SessionContext) -> Result<Spooled, OutputError> {
    let file = session.runtime_env().disk_manager.create_tmp_file("the export of Items")?;
    let schema = Arc::new(Schema::new(vec![
        Field::new("item", DataType::Utf8View, false),
        Field::new("geometry", DataType::BinaryView, true),
        // Nothing was changed before the Item came here.
        Field::new("is_exact", DataType::Boolean, false),
    ]));
    let out = BufWriter::new(file.open_writer()?);
    let mut writer = StreamWriter::try_new(out, &schema).map_err(DataFusionError::from)?;
    let (mut columns, mut collections) = (Columns::default(), BTreeSet::new());
    while let Some(batch) = rows.try_next().await? {
        let items = RowItems::try_new(&batch)?;
        let index = batch.schema().index_of("geometry").map_err(DataFusionError::from)?;
        let geometries: BinaryViewArray = wkb_of(batch.column(index), batch.schema().field(index))?;
        let extra = batch.column_by_name("extra").map(|extra| cast(extra, &DataType::Utf8View)).transpose();
        let extra = extra.map_err(DataFusionError::from)?;
        let extra = extra.as_ref().map(|extra| extra.as_string_view());
        if let Some(ids) = batch.column_by_name("collection") {
            let ids = cast(ids, &DataType::Utf8View).map_err(DataFusionError::from)?;
            for id in ids.as_string_view().iter().flatten() {
                if !collections.contains(id) {
                    collections.insert(id.to_owned());
                }
            }
        }
        let (mut texts, mut text) = (StringViewBuilder::with_capacity(batch.num_rows()), vec![]);
        let mut exact = BooleanBuilder::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            text.clear();
            items.write(row, &mut text)?;
            let item = str::from_utf8(&text).map_err(|e| DataFusionError::External(Box::new(e)))?;
            let tamed = tame(item);
            let bounds = if geometries.is_valid(row) { bounds_of(geometries.value(row))? } else { None };
            columns.observe(tamed.as_bytes(), bounds)?;
            let own = extra.filter(|extra| extra.is_valid(row)).map(|extra| extra.value(row));
            exact.append_value(matches!(tamed, Cow::Borrowed(_)) && !has_other_geometry(own));
            texts.append_value(tamed);
        }
        let arrays: Vec<ArrayRef> = vec![Arc::new(texts.finish()), Arc::new(geometries), Arc::new(exact.finish())];
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(DataFusionError::from)?;
        writer.write(&batch).map_err(DataFusionError::from)?;
    }
    let out = writer.into_inner().map_err(DataFusionError::from)?;
    let mut out = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    out.finish()?;
    Ok(Spooled { file, columns, collections })
}

/// The columns of the file.
struct Layout {
    /// Those that come from the JSON of an Item.
    json: SchemaRef,
    file: SchemaRef,
    /// Where `geometry` is, and behind it the covering.
    geometry: usize,
    has_covering: bool,
}

impl Layout {
    fn try_new(columns: &Columns) -> Result<Self> {
        let json = columns.schema();
        let id = json.index_of("id").map_err(|_| plan_datafusion_err!("the Items have no id"))?;
        let (geometry, has_covering) = (id + 1, columns.needs_covering());
        let mut fields = json.fields().to_vec();
        let metadata = [("ARROW:extension:name", "geoarrow.wkb"), ("ARROW:extension:metadata", CRS84)];
        let wkb = Field::new("geometry", DataType::BinaryView, true);
        let wkb = wkb.with_metadata(metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        fields.insert(geometry, Arc::new(wkb));
        if has_covering {
            fields.insert(geometry + 1, Arc::new(Field::new(COVERING, DataType::Struct(sides()), true)));
        }
        Ok(Self { json, file: Arc::new(Schema::new(fields)), geometry, has_covering })
    }

    /// The rows of some Items.
    fn rows(&self, part: &RecordBatch, columns: &Columns, lost: &mut Lost) -> Result<RecordBatch> {
        let mut decoder =
            ReaderBuilder::new(Arc::clone(&self.json)).with_batch_size(BATCH).with_strict_mode(true).build_decoder()?;
        let mut text = vec![];
        let exact = part.column(2).as_boolean();
        for (item, is_exact) in part.column(0).as_string_view().iter().zip(exact) {
            columns.write(item.unwrap_or_default().as_bytes(), is_exact == Some(true), &mut text, lost)?;
        }
        let read = decoder.decode(&text)?;
        let Some(batch) = decoder.flush()?.filter(|batch| batch.num_rows() == part.num_rows() && read == text.len())
        else {
            return internal_err!("{} Items became another number of rows", part.num_rows());
        };
        let mut arrays = batch.columns().to_vec();
        arrays.insert(self.geometry, Arc::clone(part.column(1)));
        if self.has_covering {
            arrays.insert(self.geometry + 1, Arc::new(covering(part.column(1).as_binary_view())?));
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.file), arrays)?)
    }
}

fn sides() -> Fields {
    BOUNDS_COLUMNS.map(|side| Field::new(side, DataType::Float64, true)).into_iter().collect()
}

/// The bounds of geometries.
fn covering(geometries: &BinaryViewArray) -> Result<StructArray> {
    let mut builders: [Float64Builder; 4] = Default::default();
    let mut valid = vec![];
    for wkb in geometries {
        let bounds = wkb.map(bounds_of).transpose()?.flatten();
        valid.push(bounds.is_some());
        for (i, builder) in builders.iter_mut().enumerate() {
            builder.append_option(bounds.map(|bounds| bounds[i]));
        }
    }
    let columns = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
    Ok(StructArray::try_new(sides(), columns, Some(NullBuffer::from(valid)))?)
}
