//! What another engine deletes by position or by value is gone, whoever asks, and a compaction takes the deletions in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::prelude::SessionContext;
use iceberg::spec::{
    DataContentType, DataFileBuilder, DataFileFormat, Literal, MAIN_BRANCH, ManifestWriterBuilder, Operation, Snapshot,
    SnapshotReference, SnapshotRetention, Struct, Summary,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::testing::Table;
use crate::maintenance::{ExpireOptions, VerifyOptions, clean, verify};
use crate::model::part_file::{ColumnStatistics, PartFile};
use crate::scan::{WarehouseTable, rows_to_read, scan_metrics};
use crate::table::catalog::{Proposed, Swap};
use crate::table::commit::snapshot_id;
use crate::table::manifests::partition::EPOCH_YEAR;
use crate::table::manifests::{MetadataFiles, all_manifests, apart, live_manifests};
use crate::table::{Change, Committer, LiveFile, Warehouse};

/// A row as this test knows it: of which Item, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    id: String,
    cell: String,
    platform: Option<String>,
    level: Option<i64>,
}

struct World {
    table: Table,
    random: StdRng,
    made: usize,
    /// What must be there.
    rows: BTreeSet<Row>,
    reading: SessionContext,
}

/// Rows that another engine deletes of the files of one bucket.
enum Deletion {
    /// Location, and number of the row.
    Positions(Vec<(String, i64)>),
    /// Columns, and values of them.
    Values { columns: Vec<&'static str>, rows: Vec<(Option<String>, Option<i64>)> },
}

const COLUMNS: [&str; 2] = ["platform", "level"];

impl World {
    async fn new(seed: u64) -> Self {
        let table = Table::new("platform VARCHAR, level BIGINT").await;
        let reading = table.reading().await;
        Self { table, random: StdRng::seed_from_u64(seed), made: 0, rows: BTreeSet::new(), reading }
    }

    async fn warehouse(&self) -> Warehouse {
        Warehouse::open(&self.table.catalog()).await.unwrap()
    }

    async fn ask(&self, sql: &str) -> Vec<RecordBatch> {
        self.reading.sql(sql).await.unwrap().collect().await.unwrap()
    }

    fn item(&mut self) -> Value {
        self.made += 1;
        let place = *[[10.0, 50.0], [10.1, 50.1], [-100.0, 40.0]].choose(&mut self.random).unwrap();
        let time = *["2020-01-01T00:00:00Z", "2021-05-01T00:00:00Z"].choose(&mut self.random).unwrap();
        let platform = [json!("a"), json!("b"), Value::Null].choose(&mut self.random).unwrap().clone();
        let level = [json!(1), json!(2), Value::Null].choose(&mut self.random).unwrap().clone();
        json!({
            "type": "Feature", "stac_version": "1.0.0", "id": format!("i{}", self.made), "collection": "c",
            "geometry": {"type": "Point", "coordinates": place}, "bbox": [place[0], place[1], place[0], place[1]],
            "properties": {"datetime": time, "platform": platform, "level": level, "n": "x".repeat(self.made % 7)},
            "links": [], "assets": {}
        })
    }

    async fn ingest(&mut self) {
        let items: Vec<Value> = (0..self.random.random_range(1..9)).map(|_| self.item()).collect();
        self.table.ingest(&items).await;
        let ids: BTreeSet<String> = items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
        let found = self.read("item_cells").await;
        self.rows.extend(found.into_iter().filter(|row| ids.contains(&row.id)));
    }

    async fn read(&self, table: &str) -> Vec<Row> {
        let cell = if table == "items" { "''" } else { "grid_partition" };
        let batches = self.ask(&format!("SELECT id, {cell}, platform, level FROM {table}")).await;
        batches.iter().flat_map(rows).collect()
    }

    async fn files(&self) -> Vec<LiveFile> {
        let table = WarehouseTable::new(self.warehouse().await);
        table.live_files(&self.reading.state()).await.unwrap()
    }

    /// Has another engine write a file again without field ids, as one is that was added as it lay there.
    async fn strip(&mut self) {
        let files = self.files().await;
        let Some(file) = files.choose(&mut self.random) else { return };
        let path = file.location.strip_prefix("file://").unwrap();
        let batches = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
        let plain = |field: &Field| Field::new(field.name(), field.data_type().clone(), field.is_nullable());
        let batches: Vec<RecordBatch> = batches.build().unwrap().map(|batch| batch.unwrap()).collect();
        // Columns of columns would keep their ids.
        let fields = batches[0]
            .schema()
            .fields()
            .iter()
            .filter(|field| !field.data_type().is_nested())
            .map(|f| plain(f))
            .collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        let stripped = format!("{path}.stripped.parquet");
        let mut writer =
            ArrowWriter::try_new(std::fs::File::create(&stripped).unwrap(), Arc::clone(&schema), None).unwrap();
        for batch in batches {
            let columns = schema.fields().iter().map(|field| batch.column_by_name(field.name()).unwrap().clone());
            writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()).unwrap();
        }
        writer.close().unwrap();
        let part = PartFile {
            path: format!("file://{stripped}"),
            cell: file.cell.clone().unwrap(),
            year: file.year,
            rows: file.rows,
            bytes: std::fs::metadata(&stripped).unwrap().len(),
            sequence: Some(file.sequence),
            columns: std::iter::empty::<ColumnStatistics>().collect(),
        };
        let change = Change { add: vec![part], remove: vec![format!("file://{path}")], ..Change::default() };
        Committer::new(self.warehouse().await).commit(change).await.unwrap();
    }

    /// Has another engine delete rows of some bucket.
    async fn delete(&mut self) {
        let files = self.files().await;
        let Some(LiveFile { cell, year, .. }) = files.choose(&mut self.random).cloned() else { return };
        let of_bucket: Vec<_> = files.into_iter().filter(|file| file.cell == cell && file.year == year).collect();
        let lying: Vec<(&LiveFile, Vec<Row>)> = of_bucket.iter().map(|file| (file, rows_of_file(file))).collect();
        let deletion = if self.random.random() {
            let all = lying.iter().flat_map(|(file, rows)| (0..rows.len()).map(|i| (file.location.clone(), i as i64)));
            let mut chosen: Vec<_> = all.collect();
            chosen.shuffle(&mut self.random);
            chosen.truncate(self.random.random_range(1..4));
            let twice = chosen[0].clone();
            chosen.push(twice);
            for (location, i) in &chosen {
                let (_, rows) = lying.iter().find(|(file, _)| file.location == *location).unwrap();
                self.rows.remove(&rows[*i as usize]);
            }
            Deletion::Positions(chosen)
        } else {
            let columns = COLUMNS.choose_multiple(&mut self.random, 2).copied().collect::<Vec<_>>();
            let columns = if self.random.random() { columns } else { columns[..1].to_vec() };
            let value = |row: &Row| (row.platform.clone(), row.level);
            let chosen = value(lying.choose(&mut self.random).unwrap().1.choose(&mut self.random).unwrap());
            let gone = |row: &Row| {
                columns.iter().all(|column| match *column {
                    "platform" => row.platform == chosen.0,
                    _ => row.level == chosen.1,
                })
            };
            for row in lying.iter().flat_map(|(_, rows)| rows).filter(|row| gone(row)) {
                self.rows.remove(row);
            }
            Deletion::Values { columns, rows: vec![chosen] }
        };
        commit(&self.warehouse().await, &deletion, cell.as_deref().unwrap(), year).await;
    }

    async fn check(&self, what: &str) {
        let mut found = self.read("item_cells").await;
        found.sort();
        assert_eq!(found, self.rows.iter().cloned().collect::<Vec<_>>(), "{what}: item_cells");
        let mut items: Vec<String> = self.read("items").await.into_iter().map(|row| row.id).collect();
        items.sort();
        let expected: BTreeSet<String> = self.rows.iter().map(|row| row.id.clone()).collect();
        assert_eq!(items, expected.into_iter().collect::<Vec<_>>(), "{what}: items");
        for (condition, is_true) in [
            ("true", (|_| true) as fn(&Row) -> bool),
            ("platform = 'a'", |row| row.platform.as_deref() == Some("a")),
            ("platform IS NULL OR level > 1", |row| row.platform.is_none() || row.level > Some(1)),
        ] {
            let counted = self.ask(&format!("SELECT count(*) FROM item_cells WHERE {condition}")).await;
            let counted = counted[0].column(0).as_primitive::<Int64Type>().value(0);
            assert_eq!(counted, self.rows.iter().filter(|row| is_true(row)).count() as i64, "{what}: {condition}");
        }
        // What a question has to read, and has read, is known as it is of files without deletions.
        let frame = self.reading.sql("SELECT id FROM item_cells").await.unwrap();
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.unwrap();
        assert_eq!(rows_to_read(&plan).unwrap(), Some(self.rows.len() as u64), "{what}");
        datafusion::physical_plan::collect(Arc::clone(&plan), context).await.unwrap();
        assert!(scan_metrics(&plan).iter().map(|scan| scan.files_of).sum::<u64>() > 0, "{what}");
        let limited = self.ask("SELECT id FROM item_cells LIMIT 3").await;
        let limited: usize = limited.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(limited, self.rows.len().min(3), "{what}: limit");
    }

    async fn delete_files(&self) -> usize {
        let warehouse = self.warehouse().await;
        let state = warehouse.load().await.unwrap();
        let Some(current) = state.metadata.current_snapshot() else { return 0 };
        apart(live_manifests(warehouse.io(), &state.metadata, current).await.unwrap()).0.len()
    }
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let text = |i: usize| cast(batch.column(i), &DataType::Utf8).unwrap();
    let [ids, cells, platforms] = [0, 1, 2].map(text);
    let levels = cast(batch.column(3), &DataType::Int64).unwrap();
    let row = |i: usize| Row {
        id: ids.as_string::<i32>().value(i).to_owned(),
        cell: cells.as_string::<i32>().value(i).to_owned(),
        platform: platforms.as_string::<i32>().iter().nth(i).unwrap().map(str::to_owned),
        level: levels.as_primitive::<Int64Type>().iter().nth(i).unwrap(),
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The rows that lie in a file, in their order.
fn rows_of_file(file: &LiveFile) -> Vec<Row> {
    let opened = std::fs::File::open(file.location.strip_prefix("file://").unwrap()).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap().build().unwrap();
    let all = batches.flat_map(|batch| {
        let batch = batch.unwrap();
        let columns = ["id", "grid_partition", "platform", "level"].map(|name| batch.schema().index_of(name).unwrap());
        rows(&batch.project(&columns).unwrap())
    });
    all.collect()
}

/// Commits a file of deletions in a bucket, as another engine does: it knows nothing of our properties.
async fn commit(warehouse: &Warehouse, deletion: &Deletion, cell: &str, year: Option<i32>) {
    let state = warehouse.load().await.unwrap();
    let (metadata, io) = (&state.metadata, warehouse.io());
    let column = |name: &str, values: ArrayRef, id: i32| {
        let id = [(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())].into();
        (Field::new(name, values.data_type().clone(), true).with_metadata(id), values)
    };
    let (columns, content, ids): (Vec<(Field, ArrayRef)>, _, _) = match deletion {
        Deletion::Positions(rows) => {
            let paths = StringArray::from_iter_values(rows.iter().map(|(location, _)| location));
            let positions = Int64Array::from_iter_values(rows.iter().map(|(_, row)| *row));
            let columns = vec![
                column("file_path", Arc::new(paths), 2_147_483_546),
                column("pos", Arc::new(positions), 2_147_483_545),
            ];
            (columns, DataContentType::PositionDeletes, None)
        }
        Deletion::Values { columns, rows } => {
            let ids: Vec<i32> = columns.iter().map(|name| warehouse.field_ids()[*name]).collect();
            let values = |name: &str| -> ArrayRef {
                match name {
                    "platform" => Arc::new(rows.iter().map(|(platform, _)| platform.clone()).collect::<StringArray>()),
                    _ => Arc::new(rows.iter().map(|(_, level)| *level).collect::<Int64Array>()),
                }
            };
            let columns = columns.iter().zip(&ids).map(|(name, id)| column(name, values(name), *id)).collect();
            (columns, DataContentType::EqualityDeletes, Some(ids))
        }
    };
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let id = snapshot_id();
    let mut bytes = vec![];
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let year = year.map(|year| Literal::int(year - EPOCH_YEAR));
    let file = DataFileBuilder::default()
        .content(content)
        .file_path(format!("{}/deletes-{id}.parquet", metadata.location()))
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::from_iter([Some(Literal::string(cell)), year]))
        .record_count(batch.num_rows() as u64)
        .file_size_in_bytes(bytes.len() as u64)
        .equality_ids(ids)
        .partition_spec_id(metadata.default_partition_spec_id())
        .build()
        .unwrap();
    io.new_output(file.file_path()).unwrap().write(bytes.into()).await.unwrap();

    let output = io.new_output(format!("{}/metadata/deletes-{id}.avro", metadata.location())).unwrap();
    let spec = metadata.default_partition_spec().as_ref().clone();
    let builder = ManifestWriterBuilder::new(output, Some(id), metadata.current_schema().clone(), spec);
    let mut writer = builder.build_v2_deletes();
    let sequence = metadata.next_sequence_number();
    writer.add_file(file, sequence).unwrap();
    let mut manifests = match metadata.current_snapshot() {
        Some(current) => all_manifests(io, metadata, current).await.unwrap(),
        None => vec![],
    };
    manifests.push(writer.write_manifest_file().await.unwrap());

    let mut files = MetadataFiles::new(io, metadata, id);
    let list = files.write_list(manifests, metadata).await.unwrap();
    let snapshot = Snapshot::builder()
        .with_snapshot_id(id)
        .with_parent_snapshot_id(metadata.current_snapshot_id())
        .with_sequence_number(sequence)
        .with_timestamp_ms(metadata.last_updated_ms() + 1)
        .with_schema_id(metadata.current_schema_id())
        .with_summary(Summary { operation: Operation::Delete, additional_properties: Default::default() })
        .with_manifest_list(list)
        .build();
    let next = state.next().set_branch_snapshot(snapshot, MAIN_BRANCH).unwrap().build().unwrap().metadata;
    let next: Proposed = files.propose(next, &state, warehouse.catalog()).await.unwrap();
    assert!(matches!(warehouse.catalog().commit(&state, &next).await, Swap::Done(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_another_engine_deletes_are_gone_and_a_compaction_takes_the_deletions_in() {
    for seed in 0..6 {
        let mut world = World::new(seed).await;
        world.ingest().await;
        let mut done = BTreeMap::<&str, usize>::new();
        for n in 0..14 {
            let step = *["ingest", "delete", "delete", "compact", "strip"].choose(&mut world.random).unwrap();
            match step {
                // Positions name the file that would go.
                "strip" if world.delete_files().await > 0 => {}
                "strip" => world.strip().await,
                "ingest" => world.ingest().await,
                "delete" => world.delete().await,
                _ => {
                    world.table.compact().await;
                    assert_eq!(world.delete_files().await, 0, "seed {seed}, step {n}");
                }
            }
            *done.entry(step).or_default() += 1;
            world.check(&format!("seed {seed}, step {n}, {step}")).await;
        }
        assert!(done["delete"] > 1, "{done:?}");
    }
}

/// Deletions of a part of the buckets go with these, and `verify` finds that the summaries are right.
#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_of_some_buckets_leaves_the_deletions_of_others() {
    let mut world = World::new(7).await;
    for _ in 0..6 {
        world.ingest().await;
    }
    for _ in 0..8 {
        world.delete().await;
    }
    let before = world.delete_files().await;
    world.table.compact_from("buckets(items, 2) WHERE year = 2020").await;
    world.check("half").await;
    let half = world.delete_files().await;
    assert!(half > 0 && half < before, "{half} of {before}");
    world.table.compact().await;
    world.check("all").await;
    assert_eq!(world.delete_files().await, 0);
    let warehouse = world.warehouse().await;
    let deep = VerifyOptions { deep: true, ..VerifyOptions::default() };
    let findings = verify(&world.reading, &warehouse, &deep).await.unwrap().findings;
    assert!(findings.iter().all(|finding| finding.check != crate::maintenance::Check::Totals), "{findings:#?}");
    // Nobody needs the files of deletions any more.
    let at_once = ExpireOptions { retain: Some(std::time::Duration::ZERO), dry_run: false };
    clean(&warehouse, &at_once).await.unwrap();
    let left = std::fs::read_dir(warehouse.url().to_file_path().unwrap()).unwrap();
    let left: Vec<String> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.starts_with("deletes-")), "{left:?}");
    world.check("cleaned").await;
}

/// A compaction that has read rows before they were deleted does not bring them back.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_deleted_while_their_bucket_is_written_again_do_not_come_back() {
    let mut world = World::new(9).await;
    world.ingest().await;
    world.ingest().await;
    let writing = world.table.writing().clone();
    let insert = "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence) FROM buckets(items, 1)";
    let planned = writing.sql(insert).await.unwrap().create_physical_plan().await.unwrap();
    world.delete().await;
    let outcome = datafusion::physical_plan::collect(planned, writing.task_ctx()).await;
    world.check(&format!("{outcome:?}")).await;
}

const COMPACT: &str = "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence, digest, age_rank) FROM (
    SELECT *, row_number() OVER (PARTITION BY grid_partition, year, collection, id
        ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC, digest DESC) AS age_rank
    FROM (SELECT *, item_digest(*) AS digest FROM buckets(items, 1))) WHERE age_rank = 1";

/// What is deleted by value during a compaction is deleted of the files that it writes, too: it need not begin again.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_deleted_during_a_compaction_are_no_conflict() {
    let mut world = World::new(5).await;
    world.ingest().await;
    world.ingest().await;
    let before: BTreeSet<String> = world.files().await.into_iter().map(|file| file.location).collect();
    let writing = world.table.writing().clone();
    let planned = writing.sql(COMPACT).await.unwrap().create_physical_plan().await.unwrap();
    let file = world.files().await.swap_remove(0);
    let row = rows_of_file(&file).swap_remove(0);
    let of_file: Vec<Row> = world
        .files()
        .await
        .iter()
        .filter(|of| of.cell == file.cell && of.year == file.year)
        .flat_map(rows_of_file)
        .collect();
    world.rows.retain(|of| !of_file.contains(of) || of.platform != row.platform);
    let deletion = Deletion::Values { columns: vec!["platform"], rows: vec![(row.platform, row.level)] };
    commit(&world.warehouse().await, &deletion, file.cell.as_deref().unwrap(), file.year).await;
    datafusion::physical_plan::collect(planned, writing.task_ctx()).await.unwrap();
    world.check("while it ran").await;
    assert!(world.files().await.iter().all(|file| !before.contains(&file.location)), "every bucket is written again");
    assert_eq!(world.delete_files().await, 1);
    world.table.compact().await;
    world.check("and after another one").await;
    assert_eq!(world.delete_files().await, 0);
}

/// Rows that a compaction has read as deleted, and that are back when it commits, stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_rolled_back_during_a_compaction_keeps_its_rows() {
    let mut world = World::new(6).await;
    world.ingest().await;
    world.ingest().await;
    let (rows, before) = (world.rows.clone(), world.warehouse().await.load().await.unwrap());
    // Also of a file all of whose rows are gone, in whose place nothing comes.
    world.delete().await;
    let file = world.files().await.swap_remove(0);
    let all = (0..file.rows as i64).map(|row| (file.location.clone(), row)).collect();
    let deletion = Deletion::Positions(all);
    commit(&world.warehouse().await, &deletion, file.cell.as_deref().unwrap(), file.year).await;
    let writing = world.table.writing().clone();
    let planned = writing.sql(COMPACT).await.unwrap().create_physical_plan().await.unwrap();
    let warehouse = world.warehouse().await;
    let state = warehouse.load().await.unwrap();
    let newest = before.metadata.snapshot_for_ref(MAIN_BRANCH).unwrap().snapshot_id();
    let reference = SnapshotReference::new(newest, SnapshotRetention::branch(None, None, None));
    let next = state.next().set_ref(MAIN_BRANCH, reference).unwrap().build().unwrap().metadata;
    let mut files = MetadataFiles::new(warehouse.io(), &state.metadata, 0);
    let next = files.propose(next, &state, warehouse.catalog()).await.unwrap();
    assert!(matches!(warehouse.catalog().commit(&state, &next).await, Swap::Done(_)));
    let outcome = datafusion::physical_plan::collect(planned, writing.task_ctx()).await;
    world.rows = rows;
    world.check(&format!("{outcome:?}")).await;
}

/// What cannot be read is refused, by name, and only where it is needed.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_deletions_that_is_gone_is_named() {
    let mut world = World::new(3).await;
    world.ingest().await;
    world.delete().await;
    let warehouse = world.warehouse().await;
    let folder = warehouse.url().to_file_path().unwrap();
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.to_string_lossy().contains("deletes-")).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let damaged = [&whole[..4], &[0xff; 60], &whole[64..]].concat();
    for (deep, bytes) in [(false, None), (true, None), (true, Some(damaged))] {
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => drop(std::fs::remove_file(&file)),
        }
        let reading = world.table.reading().await;
        if deep {
            let error = reading.sql("SELECT * FROM items").await.unwrap().collect().await.unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("another engine"), "{error}");
        }
        let options = VerifyOptions { deep, ..VerifyOptions::default() };
        let found = verify(&reading, &world.warehouse().await, &options).await.unwrap().findings;
        let of_file =
            found.iter().find(|finding| finding.object.contains(name)).unwrap_or_else(|| panic!("{found:#?}"));
        let way_out = of_file.way_out;
        assert!(way_out.contains("rollback") && !way_out.contains("--repair"), "{of_file:?}");
    }
}

/// A file that is read in parts, of which each begins at another row.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_read_without_them() {
    let mut world = World::new(11).await;
    let mut items: Vec<Value> = (0..3_000).map(|_| world.item()).collect();
    for item in &mut items {
        item["geometry"]["coordinates"] = json!([10.0, 50.0]);
        item["properties"]["datetime"] = json!("2020-01-01T00:00:00Z");
        let noise: String = (0..600).map(|_| char::from(world.random.random_range(b'a'..=b'z'))).collect();
        item["properties"]["noise"] = json!(noise);
    }
    world.table.ingest(&items).await;
    world.rows = world.read("item_cells").await.into_iter().collect();
    let [file] = world.files().await.try_into().unwrap();
    assert!(file.bytes > 1 << 20, "{file:?}");
    for _ in 0..6 {
        world.delete().await;
    }
    world.check("read in parts").await;
    world.table.compact().await;
    world.check("compacted").await;
}
