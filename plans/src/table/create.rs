//! [`Warehouse`]: a folder of part files with the table that a catalog points at; opened, or created if absent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use datafusion::catalog::Session;
use iceberg::io::FileIO;
use iceberg::spec::{FormatVersion, TableMetadata};
use url::Url;

use super::catalog::{CATALOG, Catalog, Current};
use super::error::{Result, WarehouseError};
use super::location::{to_location, to_url};
use super::requirements::Requirements;
use super::schema::{self, Columns};
use super::state::TableState;
use super::storage::file_io;
use crate::model::items::{ItemSchema, Promoted};
use crate::stores::folder_url;

/// Statements of which it is known what they see: those that are planned at the same time.
const STATEMENTS: usize = 256;

/// When a statement began, and what it sees.
type Statement = (DateTime<Utc>, Arc<TableState>);

/// The Iceberg table `items` of a catalog, and the folder or prefix with its files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Warehouse {
    catalog: Arc<Catalog>,
    /// URL of the table's location, ending in `/`.
    url: Url,
    columns: Arc<Columns>,
    has_first_schema: bool,
    /// That of the table, where it is not by cell and year.
    foreign_partitioning: Option<String>,
    h3_resolution: u8,
    io: FileIO,
    /// What the table must still be when something is committed that was planned with this.
    requirements: Requirements,
    latest: Arc<Mutex<Arc<TableState>>>,
    statements: Arc<Mutex<VecDeque<Statement>>>,
    /// Whether it is only what it would be.
    planned: bool,
    /// Whether it was absent, and this created it.
    created: bool,
}

impl Warehouse {
    /// Opens the table of `catalog`.
    ///
    /// Errors: no catalog, no table, a table of something else.
    pub async fn open(catalog: &str) -> Result<Self> {
        let catalog = Catalog::at(catalog)?;
        let current = current_in(&catalog).await?;
        let io = file_io();
        let state = read_latest(&catalog, &io, current).await?;
        Self::of_state(catalog, io, state)
    }

    /// The same, whose files are below `warehouse`, if one is named.
    ///
    /// Errors: as [`Self::open`]; the files are elsewhere.
    pub async fn open_in(catalog: &str, warehouse: Option<&str>) -> Result<Self> {
        let opened = Self::open(catalog).await?;
        opened.check_location(warehouse)?;
        Ok(opened)
    }

    /// The same, which its opener has created.
    pub(super) fn created(self, created: bool) -> Self {
        Self { created, ..self }
    }

    /// A table that does not exist, as `state` says that it would be.
    pub(super) fn planned(catalog: Catalog, state: TableState) -> Result<Self> {
        Ok(Self { planned: true, ..Self::of_state(catalog, file_io(), state)? })
    }

    /// The table that `state` describes.
    pub(super) fn of_state(catalog: Catalog, io: FileIO, state: TableState) -> Result<Self> {
        let metadata = &state.metadata;
        if metadata.format_version() != FormatVersion::V2 {
            let reason = format!("it has Iceberg format version {}, not 2", metadata.format_version());
            return Err(WarehouseError::NotItems { location: metadata.location().to_owned(), reason });
        }
        let mut url = to_url(metadata.location())?;
        url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
        Ok(Self {
            url,
            columns: Arc::new(schema::columns(metadata)?),
            has_first_schema: schema::is_first(metadata),
            foreign_partitioning: schema::foreign_partitioning(metadata),
            h3_resolution: schema::h3_resolution(metadata)?,
            catalog: Arc::new(catalog),
            io,
            requirements: Requirements::new(metadata),
            latest: Arc::new(Mutex::new(Arc::new(state))),
            statements: Arc::default(),
            planned: false,
            created: false,
        })
    }

    /// The table as it is now: one read of the catalog, and of the metadata file if it is a new one.
    pub async fn load(&self) -> Result<Arc<TableState>> {
        if self.planned {
            return Ok(self.loaded());
        }
        let current = current_in(&self.catalog).await?;
        let latest = self.loaded();
        if latest.metadata_location == current.location {
            return Ok(latest);
        }
        let state = Arc::new(read_latest(&self.catalog, &self.io, current).await?);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&state);
        Ok(state)
    }

    /// Whether the table is as it was in `state`. If not, a clean-up may have deleted what that state named.
    pub(crate) async fn is_still(&self, state: &TableState) -> Result<bool> {
        Ok(self.load().await?.metadata_location == state.metadata_location)
    }

    /// The table for the statement of a session: as the first of its tables found it, for all of them. Without a statement,
    /// as it is now.
    pub async fn load_for(&self, session: &dyn Session) -> Result<Arc<TableState>> {
        let Some(start) = session.execution_props().query_execution_start_time else { return self.load().await };
        let statements = || self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            |list: &VecDeque<Statement>| list.iter().find(|(of, _)| *of == start).map(|(_, state)| Arc::clone(state));
        if let Some(state) = known(&statements()) {
            return Ok(state);
        }
        let loaded = self.load().await?;
        let mut statements = statements();
        // Another table of the statement may have been as fast.
        if let Some(state) = known(&statements) {
            return Ok(state);
        }
        if statements.len() == STATEMENTS {
            statements.pop_front();
        }
        statements.push_back((start, Arc::clone(&loaded)));
        Ok(loaded)
    }

    /// The table as it was when it was last loaded.
    pub fn loaded(&self) -> Arc<TableState> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is no such table yet, only a plan of it.
    pub fn is_planned(&self) -> bool {
        self.planned
    }

    /// Whether there was no such table, and opening it created it.
    pub fn is_new(&self) -> bool {
        self.created
    }

    /// URL of the folder or prefix with the files, ending in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Columns of the table.
    pub fn items(&self) -> &ItemSchema {
        &self.columns.items
    }

    /// Columns that another engine has added and no file of ours can hold, each with the reason.
    pub fn unkept_columns(&self) -> &[String] {
        &self.columns.unkept
    }

    /// Errors where another engine has given the table another partitioning: rows are written by cell and year.
    pub fn check_writable(&self) -> Result<()> {
        self.foreign_partitioning.as_ref().map_or(Ok(()), |existing| {
            let way_out = "rows can be read, but not written, until the engine that changed it changes it back";
            let existing = format!("({existing})");
            Err(self.disagrees("the partitioning", &existing, "(grid_partition, year(datetime))", way_out))
        })
    }

    /// Whether all files name columns as the table does, and need not be read by field id.
    pub(crate) fn has_first_schema(&self) -> bool {
        self.has_first_schema
    }

    pub fn h3_resolution(&self) -> u8 {
        self.h3_resolution
    }

    /// Iceberg field ids by dotted column path, for the writer of part files.
    pub fn field_ids(&self) -> &BTreeMap<String, i32> {
        &self.columns.field_ids
    }

    pub(crate) fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    pub(crate) fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    pub fn io(&self) -> &FileIO {
        &self.io
    }

    /// Errors unless the files of the table are below `warehouse`, if one is named.
    pub fn check_location(&self, warehouse: Option<&str>) -> Result<()> {
        let Some(warehouse) = warehouse else { return Ok(()) };
        let wanted = to_location(&folder_url(warehouse)?)?;
        let existing = to_location(&self.url)?;
        let way_out = "name that folder or none, or another catalog";
        if wanted == existing { Ok(()) } else { Err(self.disagrees("its files in", &existing, &wanted, way_out)) }
    }

    /// Errors unless the table promotes exactly these properties, in any order, each in a column of that type or of a wider one,
    /// as another engine may have made it.
    pub fn check_promoted(&self, wanted: &[Promoted]) -> Result<()> {
        let existing = self.items().promoted();
        let is_there = |wanted: &Promoted| {
            let found = existing.iter().find(|p| p.property == wanted.property);
            found.is_some_and(|found| is_or_widened(&wanted.data_type, &found.data_type))
        };
        if wanted.len() == existing.len() && wanted.iter().all(is_there) {
            return Ok(());
        }
        let way_out = "leave out the column list to take the table's own, or write to another catalog and warehouse";
        Err(self.disagrees("the columns", &listed(existing), &listed(wanted), way_out))
    }

    /// Errors unless the table's cells have this H3 resolution.
    pub fn check_resolution(&self, wanted: u8) -> Result<()> {
        let way_out = "use the table's resolution (h3_resolution), or another catalog and warehouse";
        if wanted == self.h3_resolution {
            return Ok(());
        }
        Err(self.disagrees("H3 resolution", &self.h3_resolution.to_string(), &wanted.to_string(), way_out))
    }

    fn disagrees(&self, what: &'static str, existing: &str, wanted: &str, way_out: &'static str) -> WarehouseError {
        let catalog = format!("{CATALOG} catalog {}", self.catalog);
        WarehouseError::Disagrees { catalog, what, existing: existing.into(), wanted: wanted.into(), way_out }
    }
}

/// What the catalog says of its table.
async fn current_in(catalog: &Catalog) -> Result<Current> {
    let no_table = || WarehouseError::NoTable { catalog: catalog.to_string(), table: catalog.table() };
    catalog.load().await?.ok_or_else(no_table)
}

/// The table as the catalog said a moment ago. Of a file with metadata that a clean-up has deleted since, the table as the
/// catalog says now.
async fn read_latest(catalog: &Catalog, io: &FileIO, mut current: Current) -> Result<TableState> {
    loop {
        let Current { location, metadata } = current;
        if let Some(metadata) = metadata {
            return Ok(TableState { metadata, metadata_location: location });
        }
        match read(io, &location).await {
            Ok(state) => return Ok(state),
            Err(e) => {
                let now = current_in(catalog).await?;
                if now.location == location {
                    return Err(e);
                }
                current = now;
            }
        }
    }
}

/// The table as the metadata file at `location` says.
pub(super) async fn read(io: &FileIO, location: &str) -> Result<TableState> {
    let metadata = TableMetadata::read_from(io, location).await.map_err(WarehouseError::metadata(location))?;
    Ok(TableState { metadata: Arc::new(metadata), metadata_location: location.to_owned() })
}

/// Iceberg lets a column become wider.
fn is_or_widened(from: &DataType, to: &DataType) -> bool {
    let widened = [(DataType::Int32, DataType::Int64), (DataType::Float32, DataType::Float64)];
    from == to || widened.iter().any(|(narrow, wide)| (narrow, wide) == (from, to))
}

fn listed(promoted: &[Promoted]) -> String {
    let mut columns: Vec<_> = promoted.iter().map(|p| format!("{:?} {}", p.property, p.data_type)).collect();
    columns.sort();
    format!("({})", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn declared(columns: &[(&str, DataType)]) -> ItemSchema {
        let fields: Vec<_> = columns.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect();
        ItemSchema::from_declared(&Schema::new(fields)).unwrap()
    }

    fn paths(folder: &tempfile::TempDir) -> (String, String) {
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        (path("catalog.db"), path("my warehouse"))
    }

    #[tokio::test]
    async fn a_created_table_is_opened_again_with_the_same_schema() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, warehouse) = paths(&folder);
        let items = declared(&[("platform", DataType::Utf8), ("proj:code", DataType::Utf8)]);

        let created = Warehouse::open_or_create(&catalog, &warehouse, &items, 1).await.unwrap();
        let opened = Warehouse::open(&catalog).await.unwrap();

        assert_eq!((opened.items(), opened.h3_resolution()), (&items, 1));
        assert_eq!(opened.url(), created.url());
        assert!(opened.url().as_str().ends_with("/my%20warehouse/"));
        assert!(opened.load().await.unwrap().metadata.current_snapshot().is_none());
        let reordered = declared(&[("proj:code", DataType::Utf8), ("platform", DataType::Utf8)]);
        Warehouse::open_or_create(&catalog, &warehouse, &reordered, 1).await.unwrap();
    }

    #[tokio::test]
    async fn what_disagrees_with_the_existing_table_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, warehouse) = paths(&folder);
        let items = declared(&[("platform", DataType::Utf8)]);
        Warehouse::open_or_create(&catalog, &warehouse, &items, 1).await.unwrap();

        let other = declared(&[("platform", DataType::Int32)]);
        for (outcome, words) in [
            (
                Warehouse::open_or_create(&catalog, &warehouse, &items, 2).await,
                ["H3 resolution 1, not 2", "h3_resolution"],
            ),
            (Warehouse::open_or_create(&catalog, &warehouse, &other, 1).await, ["\"platform\" Utf8View", "Int32"]),
            (Warehouse::open_or_create(&catalog, "elsewhere", &items, 1).await, ["my warehouse", "elsewhere"]),
        ] {
            let error = outcome.unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }

    #[tokio::test]
    async fn opening_creates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, _) = paths(&folder);
        let error = Warehouse::open(&catalog).await.unwrap_err().to_string();
        assert!(error.contains("no catalog") && error.contains("catalog.db"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        Catalog::at(&catalog).unwrap().initialize().await.unwrap();
        let error = Warehouse::open(&catalog).await.unwrap_err().to_string();
        assert!(error.contains("has no table earthcatalog.items"), "{error}");
    }

    #[tokio::test]
    async fn a_planned_table_is_like_the_one_that_would_be_created_and_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, warehouse) = paths(&folder);
        let items = declared(&[("platform", DataType::Utf8)]);
        let planned = Warehouse::open_or_plan(&catalog, &warehouse, &items, 3).await.unwrap();
        assert!(planned.is_planned() && planned.load().await.unwrap().metadata.current_snapshot().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let created = Warehouse::open_or_create(&catalog, &warehouse, &items, 3).await.unwrap();
        assert_eq!(
            (planned.url(), planned.items(), planned.field_ids()),
            (created.url(), created.items(), created.field_ids())
        );
        assert!(!Warehouse::open_or_plan(&catalog, &warehouse, &items, 3).await.unwrap().is_planned());
        let other = Warehouse::open_or_plan(&catalog, &warehouse, &items, 2).await.unwrap_err().to_string();
        assert!(other.contains("H3 resolution 3, not 2"), "{other}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_that_create_a_table_at_once_one_does_and_all_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, warehouse) = paths(&folder);
        let tasks = (0..6).map(|_| {
            let (catalog, warehouse) = (catalog.clone(), warehouse.clone());
            tokio::spawn(async move {
                let items = declared(&[("platform", DataType::Utf8)]);
                Warehouse::open_or_create(&catalog, &warehouse, &items, 1).await.unwrap().load().await.unwrap()
            })
        });
        let states = futures::future::join_all(tasks).await;
        let uuids: std::collections::BTreeSet<_> = states.iter().map(|s| s.as_ref().unwrap().metadata.uuid()).collect();
        assert_eq!(uuids.len(), 1);
        let files = std::fs::read_dir(folder.path().join("my warehouse/metadata")).unwrap().count();
        assert_eq!(files, 1, "the losers' metadata files are gone");
    }

    #[tokio::test]
    async fn a_table_is_not_created_where_another_one_lies() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, warehouse) = paths(&folder);
        let items = declared(&[("platform", DataType::Utf8)]);
        let first = Warehouse::open_or_create(&catalog, &warehouse, &items, 1).await.unwrap();
        let there = first.load().await.unwrap().metadata_location.clone();
        let typo = catalog.replace("catalog", "catlog");
        for refused in [
            Warehouse::open_or_plan(&typo, &warehouse, &items, 1).await,
            Warehouse::open_or_create(&typo, &warehouse, &items, 1).await,
        ] {
            let error = refused.expect_err("a second table").to_string();
            assert!(error.contains(there.rsplit('/').next().unwrap()), "{error}");
            assert!(error.contains("earthcatalog register") && error.contains("another folder"), "{error}");
        }
        let left = std::fs::read_dir(folder.path().join("my warehouse/metadata")).unwrap().count();
        assert_eq!(left, 1, "the first table's metadata alone");
        assert!(!std::path::Path::new(&typo).exists(), "no catalog was made either");
    }
}
