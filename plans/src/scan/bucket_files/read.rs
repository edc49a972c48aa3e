//! Reads part files from end to end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::compute::{and, cast, cast_with_options, filter_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::physical_plan::metrics::{Count, Time};
use earthcatalog_small_parquet::{Offered, SmallFileReader};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::schema::types::SchemaDescriptor;
use thiserror::Error;

use super::groups::{BucketFiles, YEAR};
use crate::model::bucket::Bucket;
use crate::model::field_ids::position;
use crate::model::item_key::ItemKey;
use crate::model::promotion::Promotion;
use crate::model::versions::SEQUENCE;
use crate::sink::PartFileFormat;
use crate::stores::{CheckedPages, stores};
use crate::table::LiveFile;
use crate::table::deletes::DeletedRows;
use crate::table::location::to_url;
use crate::table::written_by_any::{self, EXACT};

/// A file of more bytes is read row group by row group, others at once.
const WHOLE_FILE_BYTES: u64 = 1 << 20;

/// Small files that are fetched at once, and how many such fetches go on at a time.
const FETCH: usize = 32;
const FETCHES: usize = 2;

/// Bytes of the batches that are made of small files.
const BATCH_BYTES: usize = 8 << 20;

/// A file, and the bucket that it belongs to.
type BucketFile = (Arc<Of>, LiveFile);

/// What the files of a bucket have in common.
#[derive(Debug)]
struct Of {
    bucket: Bucket,
    /// Items whose rows are left out.
    superseded: BTreeSet<ItemKey>,
    /// Rows that are left out, by file.
    deleted: BTreeMap<String, Arc<DeletedRows>>,
}

/// Reads part files into batches of one schema.
pub(super) struct PartFileReader {
    /// Columns of [`super::BucketsTable`], all or some.
    schema: SchemaRef,
    /// What is read of the files for that, with the field ids of the table.
    in_file: SchemaRef,
    /// All columns of the table, with their field ids.
    in_table: SchemaRef,
    batch_rows: usize,
    metrics: ReadMetrics,
    small_files: SmallFileReader,
    /// The files in `small_files`.
    in_batch: Vec<SmallFile>,
}

/// A file whose rows wait for their batch.
struct SmallFile {
    of: Arc<Of>,
    sequence: i64,
    rows: usize,
    deleted: Option<Arc<DeletedRows>>,
}

/// What reading counts.
#[derive(Debug)]
pub(super) struct ReadMetrics {
    pub files_read: Count,
    pub bytes_read: Count,
    pub decode_time: Time,
}

/// A file that is about to be read.
enum Opened {
    Whole(Bytes),
    InParts(Arc<FileColumns>, BoxStream<'static, Result<RecordBatch>>),
}

/// What is read of a file.
struct FileColumns {
    file: Fields,
    /// Which of its columns, in their order.
    read: Vec<usize>,
    /// Where it has properties in other columns than the table.
    promotion: Option<Promotion>,
}

impl PartFileReader {
    /// A reader of the files of `group` into columns `schema`.
    pub fn try_new(
        format: Arc<PartFileFormat>,
        schema: SchemaRef,
        group: &[BucketFiles],
        batch_rows: usize,
        metrics: ReadMetrics,
    ) -> Result<Self> {
        let in_file = schema.fields().iter().filter(|field| is_in_file(field, &format.arrow));
        let mut in_file: Vec<FieldRef> = in_file.map(without_view).collect();
        if group.iter().any(|of| !of.superseded.is_empty()) {
            let missing = ItemKey::COLUMNS.into_iter().filter(|name| schema.column_with_name(name).is_none());
            in_file.extend(missing.map(|name| Arc::new(Field::new(name, DataType::Utf8, true))));
        }
        let with_id = |field: FieldRef| match format.arrow.field_with_name(field.name()) {
            Ok(of_table) => Arc::new(field.as_ref().clone().with_metadata(of_table.metadata().clone())),
            Err(_) => field,
        };
        let in_file = Arc::new(Schema::new(in_file.into_iter().map(with_id).collect::<Vec<_>>()));
        let small_files =
            SmallFileReader::try_new(Arc::clone(&format.small), Arc::clone(&in_file)).map_err(external)?;
        let in_table = Arc::clone(&format.arrow);
        Ok(Self { schema, in_file, in_table, batch_rows, metrics, small_files, in_batch: vec![] })
    }

    /// The rows of `group`, bucket after bucket and file after file.
    pub fn read(self, group: Vec<BucketFiles>) -> BoxStream<'static, Result<RecordBatch>> {
        let batch_rows = self.batch_rows;
        let (in_file, in_table) = (Arc::clone(&self.in_file), Arc::clone(&self.in_table));
        let columns = move |file: &Schema| FileColumns::new(&in_file, &in_table, file);
        let portions = portions(files_of(group));
        let fetches = stream::iter(portions).map(move |files| open(files, batch_rows, columns.clone()));
        let opened = fetches
            .buffered(FETCHES)
            .map_ok(|opened| stream::iter(opened).map(Ok::<_, DataFusionError>))
            .try_flatten()
            .boxed();
        let state = (Some(self), opened, VecDeque::new(), None);
        let batches = stream::try_unfold(state, |(mut reader, mut opened, mut ready, mut parts)| async move {
            loop {
                if let Some(batch) = ready.pop_front() {
                    return Ok::<_, DataFusionError>(Some((batch, (reader, opened, ready, parts))));
                }
                let Some(this) = &mut reader else { return Ok(None) };
                if let Some((of, file, columns, stream, row)) = &mut parts {
                    let (of, columns): (&Arc<Of>, &Arc<FileColumns>) = (of, columns);
                    let stream: &mut BoxStream<'static, Result<RecordBatch>> = stream;
                    match stream.try_next().await.map_err(|e| unreadable(file, e))? {
                        Some(rows) => {
                            let n = rows.num_rows() as u64;
                            let rows = this.of_file(&rows, *row, columns, of, file).map_err(|e| unreadable(file, e))?;
                            *row += n;
                            ready.push_back(rows);
                        }
                        None => parts = None,
                    }
                    continue;
                }
                match opened.try_next().await? {
                    Some((of, file, Opened::Whole(bytes))) => {
                        this.metrics.files_read.add(1);
                        this.metrics.bytes_read.add(bytes.len());
                        this.decode(&of, &file, bytes, &mut ready).map_err(|e| unreadable(&file, e))?;
                    }
                    Some((of, file, Opened::InParts(columns, stream))) => {
                        this.metrics.files_read.add(1);
                        this.metrics.bytes_read.add(file.bytes as usize);
                        ready.extend(this.take_batch()?);
                        parts = Some((of, file, columns, stream, 0));
                    }
                    None => {
                        ready.extend(this.take_batch()?);
                        reader = None;
                    }
                }
            }
        });
        batches.boxed()
    }

    fn decode(&mut self, of: &Arc<Of>, file: &LiveFile, bytes: Bytes, ready: &mut VecDeque<RecordBatch>) -> Result<()> {
        let decode_time = self.metrics.decode_time.clone();
        let _timer = decode_time.timer();
        match self.small_files.offer(&bytes).map_err(external)? {
            Offered::Read(rows) => {
                let deleted = of.deleted.get(&file.location).cloned();
                self.in_batch.push(SmallFile { of: Arc::clone(of), sequence: file.sequence, rows, deleted });
                if self.small_files.rows() >= self.batch_rows || self.small_files.bytes() >= BATCH_BYTES {
                    ready.extend(self.take_batch()?);
                }
            }
            Offered::OtherFormat => {
                ready.extend(self.take_batch()?);
                let builder =
                    ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), written_by_any::options())?;
                CheckedPages::check_file(&file.location, &bytes, builder.metadata())?;
                let columns = FileColumns::new(&self.in_file, &self.in_table, builder.schema());
                let mask = columns.mask(builder.parquet_schema());
                let mut row = 0;
                for rows in builder.with_projection(mask).with_batch_size(self.batch_rows).build()? {
                    let rows = rows?;
                    ready.push_back(self.of_file(&rows, row, &columns, of, file)?);
                    row += rows.num_rows() as u64;
                }
            }
        }
        Ok(())
    }

    /// The rows of small files so far.
    fn take_batch(&mut self) -> Result<Option<RecordBatch>> {
        let files = std::mem::take(&mut self.in_batch);
        let Some(rows) = self.small_files.take_batch().map_err(external)? else { return Ok(None) };
        let repeated = || files.iter().flat_map(|file| std::iter::repeat_n(file, file.rows));
        let years = repeated().map(|file| file.of.bucket.year).collect();
        let sequences = repeated().map(|file| file.sequence).collect();
        let of_file = |file: &SmallFile| match &file.deleted {
            Some(deleted) => deleted.keeps(0..file.rows as u64).collect(),
            None => vec![true; file.rows],
        };
        let has_deleted = files.iter().any(|file| file.deleted.is_some());
        let left = has_deleted.then(|| files.iter().flat_map(of_file).collect::<Vec<bool>>().into());
        let columns = self.table_columns(&rows, years, sequences)?;
        kept(columns, &rows, repeated().map(|file| file.of.as_ref()), left).map(Some)
    }

    /// The rows of one file from number `start`; it may have other columns than the table, fewer, or of another type.
    fn of_file(
        &self,
        rows: &RecordBatch,
        start: u64,
        columns: &FileColumns,
        of: &Of,
        file: &LiveFile,
    ) -> Result<RecordBatch> {
        let n = rows.num_rows();
        let rows = &columns.as_in_table(rows, &self.in_file)?;
        let years = std::iter::repeat_n(of.bucket.year, n).collect();
        let columns = self.table_columns(rows, years, Int64Array::from_value(file.sequence, n))?;
        let deleted = of.deleted.get(&file.location);
        let left = deleted.map(|deleted| deleted.keeps(start..start + n as u64).collect::<Vec<bool>>().into());
        kept(columns, rows, std::iter::repeat_n(of, n), left)
    }

    fn table_columns(&self, rows: &RecordBatch, years: Int32Array, sequences: Int64Array) -> Result<RecordBatch> {
        let (years, sequences): (ArrayRef, ArrayRef) = (Arc::new(years), Arc::new(sequences));
        let columns = self.schema.fields().iter().map(|field| -> Result<ArrayRef> {
            Ok(match (field.name().as_str(), rows.column_by_name(field.name())) {
                (YEAR, _) if !is_in_file(field, &self.in_table) => Arc::clone(&years),
                (SEQUENCE, _) if !is_in_file(field, &self.in_table) => Arc::clone(&sequences),
                (_, Some(column)) if column.data_type() == field.data_type() => Arc::clone(column),
                // What does not fit is no null: it would be lost.
                (_, Some(column)) => cast_with_options(column, field.data_type(), &EXACT)?,
                (_, None) => new_null_array(field.data_type(), rows.num_rows()),
            })
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let columns = columns.collect::<Result<_>>()?;
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// Whether a column is read of files: `year` and `sequence` are known of them, unless the table has a column of that name.
fn is_in_file(field: &Field, in_table: &Schema) -> bool {
    ![YEAR, SEQUENCE].contains(&field.name().as_str()) || in_table.index_of(field.name()).is_ok()
}

impl FileColumns {
    /// What is read of a file for the columns `wanted`, where the table has `in_table`.
    fn new(wanted: &Schema, in_table: &Schema, file: &Schema) -> Self {
        let promotion = Promotion::between(in_table.fields(), file.fields());
        let promotion = promotion.filter(|promotion| wanted.fields().iter().any(|field| promotion.makes(field.name())));
        let found = wanted.fields().iter().filter_map(|field| position(field, file.fields()));
        let mut read: Vec<usize> = found.chain(promotion.iter().flat_map(Promotion::inputs)).collect();
        read.sort_unstable();
        read.dedup();
        Self { file: file.fields().clone(), read, promotion }
    }

    fn mask(&self, file: &SchemaDescriptor) -> ProjectionMask {
        ProjectionMask::roots(file, self.read.iter().copied())
    }

    /// The columns `wanted` of those that were read, which field ids find, under the names that the table has for them.
    fn as_in_table(&self, rows: &RecordBatch, wanted: &Schema) -> Result<RecordBatch> {
        let read = |i: usize| self.read.binary_search(&i).ok().map(|at| Arc::clone(rows.column(at)));
        let column = |field: &FieldRef| -> Result<Option<(FieldRef, ArrayRef)>> {
            let promotion = self.promotion.as_ref().filter(|promotion| promotion.makes(field.name()));
            let values = match promotion {
                Some(promotion) => {
                    let inputs: Vec<ArrayRef> = promotion.inputs().filter_map(read).collect();
                    Some(promotion.column(field, &inputs, rows.num_rows())?)
                }
                None => position(field, &self.file).and_then(read),
            };
            let as_read = |values: &ArrayRef| field.as_ref().clone().with_data_type(values.data_type().clone());
            Ok(values.map(|values| (Arc::new(as_read(&values).with_nullable(true)), values)))
        };
        let found = wanted.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = found.into_iter().flatten().unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
    }
}

/// Columns as `schema` has them, without views: texts lie one behind the other. Rows that went through a merge would keep whole
/// buffers of others in memory, and a sort that counts its memory would count those for each batch.
pub(crate) fn without_views(schema: &Schema) -> impl Iterator<Item = FieldRef> + '_ {
    schema.fields().iter().map(without_view)
}

fn without_view(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// `columns` without the rows that are superseded, and of those with a list `left` only these; `rows` has their collections and ids,
/// and `of` says which bucket each is of.
fn kept<'a>(
    columns: RecordBatch,
    rows: &RecordBatch,
    of: impl Iterator<Item = &'a Of> + Clone,
    left: Option<BooleanArray>,
) -> Result<RecordBatch> {
    let kept = match (left, newer(rows, of)?) {
        (Some(left), Some(newer)) => and(&left, &newer)?,
        (Some(kept), None) | (None, Some(kept)) => kept,
        (None, None) => return Ok(columns),
    };
    Ok(filter_record_batch(&columns, &kept)?)
}

/// Which rows are not superseded; `None`: all.
fn newer<'a>(rows: &RecordBatch, of: impl Iterator<Item = &'a Of> + Clone) -> Result<Option<BooleanArray>> {
    if of.clone().all(|of| of.superseded.is_empty()) {
        return Ok(None);
    }
    let texts = |name: &str| match rows.column_by_name(name) {
        Some(column) => Ok(cast(column, &DataType::Utf8)?),
        None => exec_err!("it has no column {name}"),
    };
    let [collections, ids] = ItemKey::COLUMNS.map(texts);
    let (collections, ids) = (collections?, ids?);
    let is_newer = |((of, collection), id): ((&Of, Option<&str>), Option<&str>)| {
        Some(id.is_none_or(|id| !of.superseded.contains(&ItemKey::new(collection, id))))
    };
    Ok(Some(of.zip(collections.as_string::<i32>()).zip(ids.as_string::<i32>()).map(is_newer).collect()))
}

/// The files of a group, bucket after bucket.
fn files_of(group: Vec<BucketFiles>) -> Vec<BucketFile> {
    let files = group.into_iter().flat_map(|BucketFiles { bucket, files, superseded, deleted, deletes: _ }| {
        let of = Arc::new(Of { bucket, superseded, deleted });
        files.into_iter().map(move |file| (Arc::clone(&of), file))
    });
    files.collect()
}

/// Files that are opened together: several small ones, or a large one.
fn portions(files: Vec<BucketFile>) -> Vec<Vec<BucketFile>> {
    let mut portions: Vec<Vec<BucketFile>> = vec![];
    for file in files {
        let small = file.1.bytes <= WHOLE_FILE_BYTES;
        match portions.last_mut() {
            Some(last) if small && last.len() < FETCH && last[0].1.bytes <= WHOLE_FILE_BYTES => last.push(file),
            _ => portions.push(vec![file]),
        }
    }
    portions
}

async fn open(
    files: Vec<BucketFile>,
    batch_rows: usize,
    columns: impl FnOnce(&Schema) -> FileColumns,
) -> Result<Vec<(Arc<Of>, LiveFile, Opened)>> {
    if let [(of, file)] = files.as_slice()
        && file.bytes > WHOLE_FILE_BYTES
    {
        let (columns, stream) = open_in_parts(file, batch_rows, columns).await.map_err(|e| unreadable(file, e))?;
        return Ok(vec![(Arc::clone(of), file.clone(), Opened::InParts(Arc::new(columns), stream))]);
    }
    let paths: Option<Vec<PathBuf>> = files.iter().map(|(_, file)| local_path(file)).collect();
    let bodies = match paths {
        Some(paths) => read_local(&files, paths).await?,
        None => {
            let get = |file: LiveFile| async move {
                let (store, path) = stores().locate(&to_url(&file.location)?)?;
                let body = async { store.get(&path).await?.bytes().await };
                body.await.map_err(|e| unreadable(&file, e.into()))
            };
            let files = files.iter().map(|(_, file)| file.clone()).collect::<Vec<_>>();
            stream::iter(files).map(get).buffered(FETCH).try_collect().await?
        }
    };
    Ok(files.into_iter().zip(bodies).map(|((of, file), body)| (of, file, Opened::Whole(body))).collect())
}

async fn open_in_parts(
    file: &LiveFile,
    most_rows: usize,
    columns: impl FnOnce(&Schema) -> FileColumns,
) -> Result<(FileColumns, BoxStream<'static, Result<RecordBatch>>)> {
    let builder = written_by_any::open(&file.location, file.bytes).await?;
    let columns = columns(builder.schema());
    let mask = columns.mask(builder.parquet_schema());
    // Text is compressed to an eighth or so.
    let rows = file.rows as usize * (BATCH_BYTES / 8) / file.bytes.max(1) as usize;
    let batches = builder.with_projection(mask).with_batch_size(rows.clamp(1, most_rows)).build()?;
    Ok((columns, batches.map_err(DataFusionError::from).boxed()))
}

fn local_path(file: &LiveFile) -> Option<PathBuf> {
    let url = to_url(&file.location).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

/// Reads local files one after the other, with one change of thread for all of them: one each costs several times as
/// much as reading a file of a few kilobytes.
async fn read_local(files: &[BucketFile], paths: Vec<PathBuf>) -> Result<Vec<Bytes>> {
    let read = move || paths.into_iter().map(|path| std::fs::read(path).map(Bytes::from)).collect::<Vec<_>>();
    // Cancelled only when the runtime shuts down, and then nobody waits for the answer.
    let bodies = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?;
    let read = bodies.into_iter().zip(files).map(|(body, (_, file))| body.map_err(|e| unreadable(file, e.into())));
    read.collect()
}

/// Why the buckets of a file cannot be read.
#[derive(Debug, Error)]
#[error(
    "part file {location} cannot be read: {source}; start again if another command has replaced it meanwhile, or bring it back from a backup, or read other buckets (--bucket, --since)"
)]
struct UnreadablePartFile {
    location: String,
    source: DataFusionError,
}

fn external(error: earthcatalog_small_parquet::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn unreadable(file: &LiveFile, source: DataFusionError) -> DataFusionError {
    DataFusionError::External(Box::new(UnreadablePartFile { location: file.location.clone(), source }))
}
