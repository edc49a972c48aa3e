//! [`Warehouse::relocate`]: a table whose files were copied or moved, made whole where they lie.

use std::collections::{BTreeSet, HashMap};

use apache_avro::types::Value as Avro;
use apache_avro::{Codec, Reader, Writer};
use futures::{StreamExt, TryStreamExt};
use iceberg::io::FileIO;
use iceberg::spec::{ManifestContentType, TableMetadata};
use object_store::path::Path;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::catalog::{Catalog, Proposed, Swap};
use super::create::Warehouse;
use super::error::{Result, WarehouseError};
use super::ingest_record::RecordList;
use super::known_ids::KnownIds;
use super::location::{to_location, to_url};
use super::manifests::MetadataFiles;
use super::register::newest_in;
use super::state::TableState;
use super::storage::file_io;
use crate::model::layout;
use crate::stores::{ObjectError, folder_url, stores};

/// Manifests that are copied at a time.
const CONCURRENCY: usize = 16;

/// Properties of a table that are locations.
const LOCATIONS: [&str; 3] = ["write.data.path", "write.metadata.path", "write.object-storage.path"];

/// What [`Warehouse::relocate`] did.
#[derive(Debug)]
pub struct Relocated {
    pub warehouse: Warehouse,
    /// Where the metadata said that the table is; `None` if it was right.
    pub from: Option<String>,
    /// Manifests that were written again.
    pub manifests: u64,
    /// Data files, which stay as they are.
    pub files: u64,
}

impl Warehouse {
    /// Makes a table whose folder was copied or moved to the folder `warehouse` whole there, and enters it into `catalog`. The
    /// metadata of Iceberg names all files by their whole path: that of the newest state, with all snapshots that it retains, is
    /// written again below the folder; data files stay as they are. Where the table was, nothing is read or changed.
    ///
    /// A catalog that names the table where it was names it where it is then; of any other table, it is left alone. Files that
    /// were never in the table's folder keep their paths. A table that is where it says is entered as
    /// [`Self::register`] does.
    ///
    /// Errors: as of `register`; a file of the table is not in the folder, or has another size; the catalog names another
    /// state than the newest one in the folder; the table has delete files.
    pub async fn relocate(catalog: &str, warehouse: &str) -> Result<Relocated> {
        let file = Catalog::at(catalog)?;
        let folder = folder_url(warehouse)?;
        let newest = newest_in(&folder).await?;
        let named = match file.metadata_location().await {
            Ok(named) => named,
            Err(WarehouseError::NoCatalog { .. }) => None,
            Err(e) => return Err(e),
        };
        let paths = Paths::new(newest.metadata.location(), &folder)?;
        let is_the_newest = |named: &String| paths.moved(named).as_ref().unwrap_or(named) == &newest.metadata_location;
        if let Some(named) = named.as_ref().filter(|named| !is_the_newest(named)) {
            let (catalog, newest) = (file.to_string(), newest.metadata_location.clone());
            return Err(WarehouseError::NamesAnother { catalog, named: named.clone(), newest });
        }
        if named.is_some() && paths.is_elsewhere() && file.writes_metadata() {
            return Err(WarehouseError::Pinned {
                catalog: file.to_string(),
                table: file.table(),
                folder: folder.to_string(),
            });
        }
        let (state, files) = match paths.is_elsewhere() {
            true => Relocation::run(&newest, &paths, &folder).await?,
            false => (newest, Counts::default()),
        };
        // Errors here, and nothing was entered.
        Self::of_state(file.clone(), file_io(), state.clone())?;
        let location = &state.metadata_location;
        let next = Proposed { metadata: state.metadata.clone(), location: Some(location.clone()) };
        match named {
            None => {
                file.initialize().await?;
                if !file.register(location).await? {
                    return Err(WarehouseError::HasTable { catalog: file.to_string() });
                }
            }
            Some(named) if named == *location => {}
            Some(named) => match file.commit(&TableState { metadata_location: named, ..state.clone() }, &next).await {
                Swap::Done(_) => {}
                Swap::Refused(error) => return Err(error),
                Swap::Lost | Swap::Unknown(_) if file.metadata_location().await?.as_ref() == Some(location) => {}
                Swap::Lost => return Err(WarehouseError::Contention { attempts: 1 }),
                Swap::Unknown(error) => return Err(error),
            },
        }
        let from = paths.is_elsewhere().then(|| paths.from.clone());
        let warehouse = Self::open(catalog).await?;
        Ok(Relocated { warehouse, from, manifests: files.manifests, files: files.data })
    }
}

/// Where a table was, and where it is.
struct Paths {
    /// Iceberg locations, without a slash at the end.
    from: String,
    to: String,
    /// The same as pairs, in all forms in which they are written: locations, URLs, and those of other engines.
    pairs: Vec<(String, String)>,
}

impl Paths {
    fn new(from: &str, folder: &Url) -> Result<Self> {
        let from = from.trim_end_matches('/').to_owned();
        let to = to_location(folder)?.trim_end_matches('/').to_owned();
        let [of_from, of_to] = [&from, &to].map(|location| to_url(location));
        let (of_from, of_to) = (of_from?, of_to?);
        let local = of_from.to_file_path().ok().and_then(|path| path.to_str().map(str::to_owned));
        let mut pairs = vec![(from.clone(), to.clone()), (to_location(&of_from)?, to.clone())];
        pairs.extend(local.iter().flat_map(|path| [(path.clone(), to.clone()), (format!("file:{path}"), to.clone())]));
        pairs.push((of_from.to_string(), of_to.to_string()));
        Ok(Self { from, to, pairs })
    }

    fn is_elsewhere(&self) -> bool {
        self.from != self.to
    }

    /// The path of a file that was below the table; `None` of any other text.
    fn moved(&self, path: &str) -> Option<String> {
        self.pairs.iter().find_map(|(from, to)| {
            let rest = path.strip_prefix(from.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
        })
    }

    /// Moves the paths in a document, also in texts that are JSON themselves.
    fn move_in(&self, document: &mut Value) {
        match document {
            Value::String(text) => match self.moved(text) {
                Some(moved) => *text = moved,
                None if text.starts_with('{') => {
                    if let Ok(mut inner) = serde_json::from_str(text) {
                        self.move_in(&mut inner);
                        *text = inner.to_string();
                    }
                }
                None => {}
            },
            Value::Array(values) => values.iter_mut().for_each(|value| self.move_in(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.move_in(value)),
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    manifests: u64,
    data: u64,
}

/// The metadata of a table, on its way to the folder in which its files lie.
struct Relocation<'a> {
    paths: &'a Paths,
    folder: &'a Url,
    io: FileIO,
    files: MetadataFiles,
    /// What was written, by what it was.
    written: HashMap<String, Written>,
}

/// A metadata file that was written again.
#[derive(Debug, Clone)]
struct Written {
    location: String,
    bytes: i64,
}

/// Of a data file: its location, and its bytes.
type DataFile = (String, i64);

impl<'a> Relocation<'a> {
    async fn run(newest: &TableState, paths: &'a Paths, folder: &'a Url) -> Result<(TableState, Counts)> {
        let (io, mut metadata) = (file_io(), to_json(newest)?);
        // In the folder where the table lies now.
        let files = MetadataFiles::at(&io, &paths.to);
        let mut relocation = Self { paths, folder, io, files, written: HashMap::new() };
        let written = relocation.write(newest, &mut metadata).await;
        if written.is_err() {
            relocation.files.delete().await;
        }
        written
    }

    async fn write(&mut self, newest: &TableState, metadata: &mut Value) -> Result<(TableState, Counts)> {
        let locations: BTreeSet<&str> = newest.metadata.snapshots().map(|snapshot| snapshot.manifest_list()).collect();
        let locations: Vec<&str> = locations.into_iter().collect();
        let read = futures::stream::iter(&locations).map(|list| self.read(list)).buffered(CONCURRENCY);
        let lists: Vec<Vec<u8>> = read.try_collect().await?;
        let lists: Vec<(&str, Vec<u8>)> = locations.into_iter().zip(lists).collect();
        let mut manifests = BTreeSet::new();
        for (location, list) in &lists {
            manifests.extend(manifests_of(location, list)?);
        }
        let data = self.write_manifests(manifests).await?;
        let count = self.written.len() as u64;
        self.check_files(&data).await?;
        for (location, list) in &lists {
            let list = self.rewritten(location, list, |path| Some(self.written.get(path)?.clone()))?.0;
            self.write_again(location, &self.files.list_name(), list).await?;
        }
        self.write_documents(newest).await?;
        let next = self.next_metadata(newest, metadata)?;
        let location = self.files.write_metadata(&next, newest).await?;
        self.files.sync().await?;
        let state = TableState { metadata: next.into(), metadata_location: location };
        Ok((state, Counts { manifests: count, data: data.len() as u64 }))
    }

    /// What a file of the table holds, at its new place.
    async fn read(&self, location: &str) -> Result<Vec<u8>> {
        let moved = self.paths.moved(location).unwrap_or_else(|| location.to_owned());
        let read = async { self.io.new_input(&moved)?.read().await };
        match read.await {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(e) => match self.io.exists(&moved).await {
                Ok(false) => Err(self.not_copied(1, moved, "it is not there")),
                _ => Err(WarehouseError::metadata(moved)(e)),
            },
        }
    }

    /// Writes manifests again; the data files in them.
    async fn write_manifests(&mut self, manifests: BTreeSet<String>) -> Result<BTreeSet<DataFile>> {
        let mut data = BTreeSet::new();
        let manifests: Vec<String> = manifests.into_iter().collect();
        // As many as are read at a time are in memory.
        for some in manifests.chunks(CONCURRENCY) {
            let read = futures::stream::iter(some).map(|location| self.read(location)).buffered(CONCURRENCY);
            let read: Vec<Vec<u8>> = read.try_collect().await?;
            for (location, bytes) in some.iter().zip(read) {
                let (bytes, files) = self.rewritten(location, &bytes, |_| None)?;
                data.extend(files);
                let name = self.files.manifest_name();
                self.write_again(location, &name, bytes).await?;
            }
        }
        Ok(data)
    }

    async fn write_again(&mut self, location: &str, name: &str, bytes: Vec<u8>) -> Result<()> {
        let length = bytes.len() as i64;
        let written = Written { location: self.files.write(name, bytes).await?, bytes: length };
        self.written.insert(location.to_owned(), written);
        Ok(())
    }

    /// The records of an Avro file, those of a list of manifests or of a manifest, with the paths of where the files are, and
    /// with its header. Beside it the data files that it says are there.
    fn rewritten(
        &self,
        location: &str,
        bytes: &[u8],
        written: impl Fn(&str) -> Option<Written>,
    ) -> Result<(Vec<u8>, Vec<DataFile>)> {
        let damaged = |reason: String| WarehouseError::Damaged { location: location.to_owned(), reason };
        let reader = Reader::new(bytes).map_err(|e| damaged(e.to_string()))?;
        let schema = reader.writer_schema().clone();
        let mut writer = Writer::with_codec(&schema, vec![], Codec::Null);
        for (name, value) in reader.user_metadata() {
            writer.add_user_metadata(name.clone(), value).map_err(|e| damaged(e.to_string()))?;
        }
        let mut files = vec![];
        for record in reader {
            let mut record = record.map_err(|e| damaged(e.to_string()))?;
            let again = text(&record, "manifest_path").and_then(&written);
            self.move_in(&mut record);
            if let Some(again) = again {
                set(&mut record, "manifest_path", Avro::String(again.location));
                set(&mut record, "manifest_length", Avro::Long(again.bytes));
            }
            if let Some(Avro::Record(_)) = member(&record, "data_file")
                && member(&record, "status") != Some(&Avro::Int(earthcatalog_manifests::DELETED as i32))
            {
                let file = member(&record, "data_file");
                let path = file.and_then(|file| text(file, "file_path"));
                let size = file.and_then(|file| member(file, "file_size_in_bytes"));
                let (Some(path), Some(Avro::Long(size))) = (path, size) else {
                    return Err(damaged("an entry names no file, or not its size".to_owned()));
                };
                files.push((path.to_owned(), *size));
            }
            writer.append_value_ref(&record).map_err(|e| damaged(e.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|e| damaged(e.to_string()))?;
        let sealed = earthcatalog_manifests::seal(bytes);
        Ok((sealed.ok_or_else(|| damaged("it cannot be written again".to_owned()))?, files))
    }

    fn move_in(&self, value: &mut Avro) {
        match value {
            Avro::String(text) => {
                if let Some(moved) = self.paths.moved(text) {
                    *text = moved;
                }
            }
            Avro::Record(fields) => fields.iter_mut().for_each(|(_, value)| self.move_in(value)),
            Avro::Union(_, inner) => self.move_in(inner),
            Avro::Array(values) => values.iter_mut().for_each(|value| self.move_in(value)),
            _ => {}
        }
    }

    /// Errors if a data file is not in the folder, or has another size.
    async fn check_files(&self, data: &BTreeSet<DataFile>) -> Result<()> {
        let (store, root) = stores().locate(self.folder)?;
        let failed = ObjectError::store(self.folder.as_str());
        let there: HashMap<Path, u64> =
            store.list(Some(&root)).map_ok(|meta| (meta.location, meta.size)).try_collect().await.map_err(failed)?;
        let is_below = |path: &&DataFile| path.0.strip_prefix(&self.paths.to).is_some_and(|rest| rest.starts_with('/'));
        let mut missing = vec![];
        for (location, size) in data.iter().filter(is_below) {
            let (_, path) = stores().locate(&to_url(location)?)?;
            match there.get(&path) {
                Some(found) if *found as i64 == *size => {}
                Some(found) => missing.push((location, format!("it has {found} bytes, not {size}"))),
                None => missing.push((location, "it is not there".to_owned())),
            }
        }
        match missing.first() {
            Some((location, reason)) => Err(self.not_copied(missing.len(), (*location).clone(), reason)),
            None => Ok(()),
        }
    }

    fn not_copied(&self, count: usize, path: String, reason: &str) -> WarehouseError {
        let (from, folder) = (self.paths.from.clone(), self.folder.to_string());
        WarehouseError::NotCopied { count, path, reason: reason.to_owned(), from, folder }
    }

    /// Writes the documents that snapshots name again: they name files themselves.
    async fn write_documents(&mut self, newest: &TableState) -> Result<()> {
        type Name = fn(Uuid) -> String;
        let documents: [(&str, Name); 2] =
            [(RecordList::PROPERTY, layout::record_list_name), (KnownIds::PROPERTY, layout::known_ids_name)];
        for (property, name) in documents {
            let of =
                |snapshot: &iceberg::spec::SnapshotRef| snapshot.summary().additional_properties.get(property).cloned();
            let documents: BTreeSet<String> = newest.metadata.snapshots().filter_map(of).collect();
            for location in documents {
                let bytes = match self.read(&location).await {
                    Ok(bytes) => bytes,
                    // As in a table that is where it says: nothing is known then.
                    Err(WarehouseError::NotCopied { .. }) => continue,
                    Err(e) => return Err(e),
                };
                let damaged = |e: serde_json::Error| WarehouseError::Damaged {
                    location: location.clone(),
                    reason: e.to_string(),
                };
                let mut document: Value = serde_json::from_slice(&bytes).map_err(damaged)?;
                self.paths.move_in(&mut document);
                self.write_again(&location, &name(Uuid::new_v4()), document.to_string().into_bytes()).await?;
            }
        }
        Ok(())
    }

    /// The metadata of the table where it is.
    fn next_metadata(&self, newest: &TableState, metadata: &mut Value) -> Result<TableMetadata> {
        let location = |of: &mut Value| {
            if let Some(moved) = of.as_str().and_then(|text| self.located(text)) {
                *of = moved.into();
            }
        };
        metadata["location"] = self.paths.to.clone().into();
        // What was before it is of the table where it was.
        metadata["metadata-log"] = Value::Array(vec![]);
        metadata["last-updated-ms"] =
            chrono::Utc::now().timestamp_millis().max(newest.metadata.last_updated_ms()).into();
        for name in LOCATIONS {
            metadata.get_mut("properties").and_then(|of| of.get_mut(name)).into_iter().for_each(location);
        }
        let snapshots = metadata.get_mut("snapshots").and_then(Value::as_array_mut);
        for snapshot in snapshots.into_iter().flatten() {
            snapshot.get_mut("manifest-list").into_iter().for_each(location);
            let summary = snapshot.get_mut("summary").and_then(Value::as_object_mut);
            for value in summary.into_iter().flat_map(|summary| summary.values_mut()) {
                location(value);
                self.paths.move_in(value);
            }
        }
        for statistics in ["statistics", "partition-statistics"] {
            let files = metadata.get_mut(statistics).and_then(Value::as_array_mut);
            files.into_iter().flatten().filter_map(|file| file.get_mut("statistics-path")).for_each(location);
        }
        let next = serde_json::from_value(metadata.clone());
        next.map_err(|e| WarehouseError::Damaged { location: newest.metadata_location.clone(), reason: e.to_string() })
    }

    /// Where a file is now.
    fn located(&self, location: &str) -> Option<String> {
        let again = self.written.get(location).map(|written| written.location.clone());
        again.or_else(|| self.paths.moved(location))
    }
}

fn to_json(state: &TableState) -> Result<Value> {
    let json = serde_json::to_value(state.metadata.as_ref());
    json.map_err(|e| WarehouseError::Damaged { location: state.metadata_location.clone(), reason: e.to_string() })
}

/// The manifests that a list names.
///
/// Errors: it names delete files, which have paths within.
fn manifests_of(location: &str, list: &[u8]) -> Result<Vec<String>> {
    let damaged = |reason: String| WarehouseError::Damaged { location: location.to_owned(), reason };
    let mut manifests = vec![];
    for record in Reader::new(list).map_err(|e| damaged(e.to_string()))? {
        let record = record.map_err(|e| damaged(e.to_string()))?;
        let path = text(&record, "manifest_path").ok_or_else(|| damaged("it names no manifest".to_owned()))?;
        if member(&record, "content") == Some(&Avro::Int(ManifestContentType::Deletes as i32)) {
            return Err(WarehouseError::DeleteFiles { manifest: path.to_owned() });
        }
        manifests.push(path.to_owned());
    }
    Ok(manifests)
}

/// A field of a record.
fn member<'a>(record: &'a Avro, name: &str) -> Option<&'a Avro> {
    let Avro::Record(fields) = record else { return None };
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
}

fn text<'a>(record: &'a Avro, name: &str) -> Option<&'a str> {
    match member(record, name)? {
        Avro::String(text) => Some(text),
        _ => None,
    }
}

fn set(record: &mut Avro, name: &str, value: Avro) {
    let Avro::Record(fields) = record else { return };
    if let Some((_, field)) = fields.iter_mut().find(|(field, _)| field == name) {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use datafusion::prelude::SessionContext;
    use serde_json::json;

    use super::*;
    use crate::maintenance::{VerifyOptions, verify};
    use crate::session::testing::Table;

    fn item(id: usize, updated: usize) -> Value {
        let x = id as f64 * 7.0;
        json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{id}"), "links": [], "assets": {},
            "geometry": {"type": "LineString", "coordinates": [[x, 10.0], [x + 9.0, 12.0]]},
            "properties": {"datetime": format!("{}-05-01T00:00:00Z", 2018 + id % 3), "platform": format!("v{updated}"),
                "updated": format!("202{updated}-01-01T00:00:00Z")}})
    }

    /// Two versions of some Items, in three snapshots and a tag.
    async fn filled() -> Table {
        let mut table = Table::new("platform VARCHAR").await;
        table.ingest(&(0..12).map(|id| item(id, 0)).collect::<Vec<_>>()).await;
        table.ingest(&(6..14).map(|id| item(id, 1)).collect::<Vec<_>>()).await;
        run(table.writing(), "CALL create_tag(items, 'both')").await;
        run(table.writing(), "DELETE FROM items WHERE id = 'i3'").await;
        table
    }

    async fn run(session: &SessionContext, sql: &str) {
        crate::call::sql(session, sql).await.unwrap().collect().await.unwrap();
    }

    async fn rows(catalog: &str, sql: &str) -> String {
        let session = crate::session::session(2).unwrap();
        crate::query::register_views(&session, catalog, None).await.unwrap();
        let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
        arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to),
                false => _ = fs::copy(entry.path(), to).unwrap(),
            }
        }
    }

    fn folder_of(table: &Table) -> PathBuf {
        Path::new(&table.catalog()).parent().unwrap().join("wh")
    }

    const QUESTIONS: [&str; 4] = [
        "SELECT id, platform, datetime FROM items ORDER BY id",
        "SELECT count(*), count(DISTINCT id) FROM item_cells",
        "SELECT id, platform FROM items_at('both') ORDER BY id",
        "SELECT name, snapshot_id FROM \"items$refs\" ORDER BY name",
    ];

    #[tokio::test]
    async fn a_copy_answers_as_the_table_did_is_whole_and_goes_on_without_it() {
        for with_catalog in [false, true] {
            let table = filled().await;
            let mut expected = vec![];
            for sql in QUESTIONS {
                expected.push(rows(&table.catalog(), sql).await);
            }
            let place = tempfile::tempdir().unwrap();
            let (folder, catalog) = (place.path().join("another place, é"), place.path().join("c.db"));
            copy(&folder_of(&table), &folder);
            let (folder, catalog) = (folder.to_str().unwrap().to_owned(), catalog.to_str().unwrap().to_owned());
            if with_catalog {
                fs::copy(table.catalog(), &catalog).unwrap();
            }
            let was = folder_of(&table).to_str().unwrap().to_owned();
            // Where it was, nothing is left.
            drop(table);
            let relocated = Warehouse::relocate(&catalog, &folder).await.unwrap();
            assert_eq!(relocated.from, Some(format!("file://{was}")));
            for (sql, expected) in QUESTIONS.iter().zip(&expected) {
                assert_eq!(&rows(&catalog, sql).await, expected, "{sql}");
            }
            // Nothing of what it needs says where it was.
            let state = relocated.warehouse.load().await.unwrap();
            assert!(!serde_json::to_string(state.metadata.as_ref()).unwrap().contains(&was));
            let session = crate::session::session(2).unwrap();
            let options = VerifyOptions { deep: true, ..VerifyOptions::default() };
            let verified = verify(&session, &relocated.warehouse, &options).await.unwrap();
            assert_eq!(verified.damage, 0, "{verified:?}");
            // It goes on as any other.
            let create = format!(
                "CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION '{folder}' OPTIONS ('catalog' '{catalog}')"
            );
            run(&session, &create).await;
            run(&session, "DELETE FROM items WHERE id = 'i5'").await;
            run(&session, "CALL expire_snapshots(items, '0s')").await;
            run(&session, "CALL remove_orphan_files(items, '0s')").await;
            let left = rows(&catalog, "SELECT count(*) AS n FROM items").await;
            assert!(left.contains("| 12 |"), "{left}");
            // Where it is where it says, there is nothing to do.
            let again = Warehouse::relocate(&catalog, &folder).await.unwrap();
            assert_eq!((again.from, again.manifests), (None, 0));
        }
    }

    #[tokio::test]
    async fn what_was_not_copied_is_named_and_nothing_is_written() {
        let table = filled().await;
        let files = |of: &Path, ends: &str| -> Vec<PathBuf> {
            let mut found = vec![];
            let mut folders = vec![of.to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    match path.is_dir() {
                        true => folders.push(path),
                        false if path.to_str().unwrap().ends_with(ends) => found.push(path),
                        false => {}
                    }
                }
            }
            found.sort();
            found
        };
        for (ends, damage, words) in [
            ("-m0.avro", "gone", "it is not there"),
            (".parquet", "gone", "it is not there"),
            (".parquet", "cut", "bytes, not"),
            ("-m0.avro", "cut", "is damaged"),
        ] {
            let place = tempfile::tempdir().unwrap();
            let (folder, catalog) = (place.path().join("wh"), place.path().join("c.db"));
            copy(&folder_of(&table), &folder);
            let data =
                files(&folder, ends).into_iter().find(|file| !file.components().any(|c| c.as_os_str() == "_ingested"));
            let file = data.unwrap();
            match damage {
                "gone" => fs::remove_file(&file).unwrap(),
                _ => fs::write(&file, &fs::read(&file).unwrap()[..40]).unwrap(),
            }
            let before = files(&folder, "");
            let folder_text = folder.to_str().unwrap();
            let error = Warehouse::relocate(catalog.to_str().unwrap(), folder_text).await.unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(file.file_name().unwrap().to_str().unwrap()), "{error}");
            assert_eq!(files(&folder, ""), before, "{error}");
            assert!(!catalog.exists());
        }
    }

    #[tokio::test]
    async fn a_catalog_of_another_table_or_of_a_later_state_is_left_alone() {
        let (mut table, other) = (filled().await, filled().await);
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("wh");
        copy(&folder_of(&table), &folder);
        let folder = folder.to_str().unwrap();
        table.ingest(&[item(20, 0)]).await;
        for catalog in [table.catalog(), other.catalog()] {
            let before = fs::read(&catalog).unwrap();
            let error = Warehouse::relocate(&catalog, folder).await.unwrap_err().to_string();
            assert!(error.contains("the newest state in the folder is"), "{error}");
            assert_eq!(fs::read(&catalog).unwrap(), before);
        }
    }
}
