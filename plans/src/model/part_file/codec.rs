//! Sink records as record batches of [`SINK_SCHEMA`], and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Int32Array, Int32Builder, ListArray, RecordBatch, StringArray,
    StringBuilder, StructArray, UInt64Array, UInt64Builder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Int32Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};

use serde::{Deserialize, Serialize};

use super::{ChunkRecord, ColumnStatistics, PackedColumns, PartFile, SINK_SCHEMA, STATISTICS, SinkRecord};
use crate::model::task_files::IdFile;

/// Column `of_task`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OfTask {
    Chunk(Box<ChunkRecord>),
    Ids(IdFile),
}

/// The records as one batch of [`SINK_SCHEMA`], in order.
pub fn encode(records: &[SinkRecord]) -> Result<RecordBatch> {
    let mut of_task = StringBuilder::new();
    let mut path = StringBuilder::new();
    let mut cell = StringBuilder::new();
    let mut year = Int32Builder::with_capacity(records.len());
    let mut rows = UInt64Builder::with_capacity(records.len());
    let mut bytes = UInt64Builder::with_capacity(records.len());
    for record in records {
        let (task, file) = match record {
            SinkRecord::Data(file) => (None, Some(file)),
            SinkRecord::Chunk(chunk) => (Some(OfTask::Chunk(Box::new(chunk.clone()))), None),
            SinkRecord::Ids(ids) => (Some(OfTask::Ids(ids.clone())), None),
        };
        let json = task.map(|task| serde_json::to_string(&task)).transpose();
        of_task.append_option(json.map_err(|e| DataFusionError::External(Box::new(e)))?);
        path.append_option(file.map(|f| &f.path));
        cell.append_option(file.map(|f| &f.cell));
        year.append_option(file.and_then(|f| f.year));
        rows.append_option(file.map(|f| f.rows));
        bytes.append_option(file.map(|f| f.bytes));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(of_task.finish()),
        Arc::new(path.finish()),
        Arc::new(cell.finish()),
        Arc::new(year.finish()),
        Arc::new(rows.finish()),
        Arc::new(bytes.finish()),
        Arc::new(encode_statistics(records)?),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&SINK_SCHEMA), columns)?)
}

fn encode_statistics(records: &[SinkRecord]) -> Result<ListArray> {
    let of = |record: &SinkRecord| match record {
        SinkRecord::Data(file) => file.columns.iter().count(),
        SinkRecord::Chunk(_) | SinkRecord::Ids(_) => 0,
    };
    let offsets = OffsetBuffer::from_lengths(records.iter().map(of));
    let present = NullBuffer::from_iter(records.iter().map(|r| matches!(r, SinkRecord::Data(_))));

    let mut field_id = Int32Builder::new();
    let [mut values, mut nulls] = [(); 2].map(|()| UInt64Builder::new());
    let [mut lower, mut upper] = [(); 2].map(|()| BinaryBuilder::new());
    for record in records {
        let SinkRecord::Data(file) = record else { continue };
        for column in &file.columns {
            field_id.append_value(column.field_id);
            values.append_value(column.values);
            nulls.append_value(column.nulls);
            lower.append_option(column.lower);
            upper.append_option(column.upper);
        }
    }
    let children: Vec<ArrayRef> = vec![
        Arc::new(field_id.finish()),
        Arc::new(values.finish()),
        Arc::new(nulls.finish()),
        Arc::new(lower.finish()),
        Arc::new(upper.finish()),
    ];
    let elements = StructArray::try_new(STATISTICS.clone(), children, None)?;
    let DataType::List(element) = SINK_SCHEMA.field(6).data_type() else {
        return exec_err!("column `columns` of the sink's schema is no list");
    };
    Ok(ListArray::try_new(Arc::clone(element), offsets, Arc::new(elements), Some(present))?)
}

/// The records of a batch of [`SINK_SCHEMA`]. An error if the batch has another schema, or a record lacks a field.
pub fn decode(batch: &RecordBatch) -> Result<Vec<SinkRecord>> {
    let types = |schema: &arrow::datatypes::Schema| {
        schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect::<Vec<_>>()
    };
    if types(&batch.schema()) != types(&SINK_SCHEMA) {
        return exec_err!("a batch with schema {:?} holds no sink records", batch.schema());
    }
    let columns = Columns {
        of_task: batch.column(0).as_string(),
        path: batch.column(1).as_string(),
        cell: batch.column(2).as_string(),
        year: batch.column(3).as_primitive(),
        rows: batch.column(4).as_primitive(),
        bytes: batch.column(5).as_primitive(),
        statistics: batch.column(6).as_list(),
    };
    (0..batch.num_rows()).map(|row| columns.record(row)).collect()
}

struct Columns<'a> {
    of_task: &'a StringArray,
    path: &'a StringArray,
    cell: &'a StringArray,
    year: &'a Int32Array,
    rows: &'a UInt64Array,
    bytes: &'a UInt64Array,
    statistics: &'a ListArray,
}

impl Columns<'_> {
    fn record(&self, row: usize) -> Result<SinkRecord> {
        if self.of_task.is_valid(row) {
            let of_task = serde_json::from_str(self.of_task.value(row));
            return Ok(match of_task.map_err(|e| DataFusionError::External(Box::new(e)))? {
                OfTask::Chunk(chunk) => SinkRecord::Chunk(*chunk),
                OfTask::Ids(ids) => SinkRecord::Ids(ids),
            });
        }
        let needed: [(&str, &dyn Array); 5] = [
            ("path", self.path),
            ("grid_partition", self.cell),
            ("rows", self.rows),
            ("bytes", self.bytes),
            ("columns", self.statistics),
        ];
        if let Some((name, _)) = needed.iter().find(|(_, column)| column.is_null(row)) {
            return Err(exec_datafusion_err!("sink record {row} is neither of a task nor has a {name}"));
        }
        Ok(SinkRecord::Data(PartFile {
            path: self.path.value(row).to_owned(),
            cell: self.cell.value(row).to_owned(),
            year: self.year.is_valid(row).then(|| self.year.value(row)),
            rows: self.rows.value(row),
            bytes: self.bytes.value(row),
            sequence: None,
            columns: decode_statistics(self.statistics.value(row).as_struct()),
        }))
    }
}

fn decode_statistics(elements: &StructArray) -> PackedColumns {
    let field_id = elements.column(0).as_primitive::<Int32Type>();
    let [values, nulls] = [1, 2].map(|i| elements.column(i).as_primitive::<UInt64Type>());
    let [lower, upper] = [3, 4].map(|i| elements.column(i).as_binary::<i32>());
    (0..elements.len())
        .map(|i| ColumnStatistics {
            field_id: field_id.value(i),
            values: values.value(i),
            nulls: nulls.value(i),
            lower: lower.is_valid(i).then(|| lower.value(i).to_vec()),
            upper: upper.is_valid(i).then(|| upper.value(i).to_vec()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::chunk::{ChunkCounts, ChunkId};

    fn data(cell: &str, year: Option<i32>, columns: Vec<ColumnStatistics>) -> SinkRecord {
        let path = format!("memory://warehouse/grid_partition={cell}/x.parquet");
        SinkRecord::Data(PartFile {
            path,
            cell: cell.into(),
            year,
            rows: 6,
            bytes: 7_000,
            sequence: None,
            columns: columns.into_iter().collect(),
        })
    }

    fn column(field_id: i32, bounds: Option<(&[u8], &[u8])>) -> ColumnStatistics {
        let (lower, upper) = bounds.map(|(l, u)| (l.to_vec(), u.to_vec())).unzip();
        ColumnStatistics { field_id, values: 6, nulls: 1, lower, upper }
    }

    fn chunk() -> SinkRecord {
        let counts = ChunkCounts {
            listed: 5,
            items: 3,
            superseded: 1,
            guessed_footprints: 2,
            skipped: BTreeMap::new(),
            rejected: BTreeMap::from([("invalid_id".into(), 1)]),
            max_last_modified: Some(1_737_331_200_000),
        };
        let chunk = ChunkId { file: "s3://bucket/inventory.csv".into(), rows: 10..15 };
        let rejects = Some("s3://bucket/r.parquet".into());
        let fan_out = [(1, 2), (700, 1)].into();
        SinkRecord::Chunk(ChunkRecord { chunk, counts, committed: 3, rejects, ingested: None, fan_out, resumed: true })
    }

    #[test]
    fn every_record_survives_the_round_trip_in_order() {
        let records = vec![
            data("8128fffffffffff", Some(2020), vec![column(1, Some((b"", b"z"))), column(2, None)]),
            chunk(),
            SinkRecord::Ids(IdFile { path: "s3://bucket/ids.parquet".into(), ids: 3, bytes: 400 }),
            data("__none__", None, vec![]),
        ];
        assert_eq!(decode(&encode(&records).unwrap()).unwrap(), records);
    }

    #[test]
    fn a_slice_of_a_batch_holds_its_own_records() {
        let records = vec![
            data("a", None, vec![column(1, None)]),
            data("b", Some(-1), vec![column(2, None), column(3, None)]),
            chunk(),
        ];
        let batch = encode(&records).unwrap().slice(1, 2);
        assert_eq!(decode(&batch).unwrap(), records[1..]);
    }

    #[test]
    fn no_records_are_an_empty_batch() {
        assert_eq!(decode(&encode(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn a_batch_of_something_else_is_refused() {
        let other = RecordBatch::try_from_iter([("path", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
        assert!(decode(&other).unwrap_err().to_string().contains("holds no sink records"));
    }
}
