//! [`WarehouseTable`]: the Iceberg table in SQL. Files are chosen from manifests, and read by DataFusion.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::BooleanArray;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Constraints, DFSchema, Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, dml::InsertOp};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use iceberg::spec::{ManifestFile, SnapshotRef};

use super::bucket_files::{BucketFiles, BucketScanExec, groups};
use super::described::describe;
use super::ids_of::ids_of;
use super::pruned_by::{ByCell, PrunedBy};
use super::scan_metrics;
use super::settles::Settles;
use super::statistics::{self, Chosen};
use crate::model::bucket::Bucket;
use crate::model::field_ids::with_field_ids;
use crate::model::versions::SEQUENCE;
use crate::runtime::{ScanFile, parquet_scan};
use crate::table::deletes::{DeleteFile, Deletes};
use crate::table::file_cache::{Contents, FileCache};
use crate::table::item_index::{ItemIndex, MOST_IDS, OpenIndex};
use crate::table::known_ids::{KnownIds, Repeated};
use crate::table::location::to_url;
use crate::table::manifests::files::{Buckets, LiveFiles, ManifestSummaries};
use crate::table::{AsOf, LiveFile, TableState, Warehouse, WarehouseError, manifests};

/// Up to so many files are read without a look at the index by id.
const FEW_FILES: usize = 4;

/// Up to so many files, a scan carries the statistics of each (about 12 kB of memory per file).
const FILES_WITH_STATISTICS: usize = 1_000;

/// Table `items`: one row per Item and cell, in the schema of [`ItemSchema`](crate::model::items::ItemSchema).
///
/// Each statement sees the newest snapshot as of its start, and the same one wherever it names a table of the warehouse.
#[derive(Debug)]
pub struct WarehouseTable {
    warehouse: Warehouse,
    schema: SchemaRef,
    /// `None` reads the newest.
    pinned: Option<AsOf>,
    /// `None` asks the catalog, once a statement.
    state: Option<Arc<TableState>>,
    /// Which files it is, if it is not all of them.
    part: Option<TablePart>,
    cache: Arc<FileCache>,
    /// By the snapshot of which they are.
    repeated: Mutex<Option<(i64, Option<Arc<Repeated>>)>>,
    index: Arc<OpenIndex>,
}

impl WarehouseTable {
    pub fn new(warehouse: Warehouse) -> Self {
        let schema = Arc::clone(warehouse.items().table_schema());
        Self {
            warehouse,
            schema,
            pinned: None,
            state: None,
            part: None,
            cache: Arc::default(),
            repeated: Mutex::new(None),
            index: Arc::default(),
        }
    }

    /// The table as of one of its retained snapshots; it cannot be written to.
    pub fn at_snapshot(warehouse: Warehouse, snapshot: i64) -> Self {
        Self { pinned: Some(AsOf::Snapshot(snapshot)), ..Self::new(warehouse) }
    }

    /// This table, with the columns that it has, as it was; it cannot be written to.
    pub fn as_of(&self, as_of: AsOf) -> Self {
        Self { pinned: Some(as_of), schema: Arc::clone(&self.schema), ..Self::new(self.warehouse.clone()) }
    }

    /// This table in a state of it that was loaded, as of `snapshot`, or the newest then: nobody asks the catalog again, and
    /// what was read of manifests is shared. It cannot be written to.
    pub fn in_state(&self, state: Arc<TableState>, snapshot: Option<i64>) -> Self {
        let newest = state.metadata.current_snapshot_id();
        Self {
            pinned: snapshot.or(newest).map(AsOf::Snapshot),
            state: Some(state),
            schema: Arc::clone(&self.schema),
            cache: Arc::clone(&self.cache),
            index: Arc::clone(&self.index),
            ..Self::new(self.warehouse.clone())
        }
    }

    /// Those files of this table alone.
    pub(crate) fn part(&self, part: TablePart) -> Self {
        Self {
            pinned: self.pinned.clone(),
            state: self.state.clone(),
            schema: Arc::clone(&self.schema),
            part: Some(part),
            cache: Arc::clone(&self.cache),
            index: Arc::clone(&self.index),
            ..Self::new(self.warehouse.clone())
        }
    }

    /// The files that `other`, which is another state of this table, does not have; and those that it alone has. Manifests
    /// that both have are not read. Where another engine has deleted rows of files, all files of both.
    pub(crate) async fn parts_apart(&self, other: &Self, session: &dyn Session) -> Result<[TablePart; 2]> {
        let (state, of_other) = (self.state(session).await?, other.state(session).await?);
        let here = self.manifests(&state).await?;
        let there = other.manifests(&of_other).await?;
        let deletes = [self.contents(&state).await?, other.contents(&of_other).await?];
        if deletes.iter().any(|contents| !contents.deletes.is_empty()) {
            // A file that both have has other rows, once some are deleted.
            return Ok([self.part_of(&here, &[]).await?, other.part_of(&there, &[]).await?]);
        }
        let (here, there) = (self.part_of(&here, &there).await?, self.part_of(&there, &here).await?);
        Ok([here.without(&there), there.without(&here)])
    }

    /// The files of those of `manifests` that are not in `others`.
    async fn part_of(&self, manifests: &[ManifestFile], others: &[ManifestFile]) -> Result<TablePart> {
        let others: HashSet<&str> = others.iter().map(|manifest| manifest.manifest_path.as_str()).collect();
        let apart = manifests.iter().filter(|manifest| !others.contains(manifest.manifest_path.as_str()));
        let apart: Vec<ManifestFile> = apart.cloned().collect();
        let read = manifests::list(self.warehouse.io(), apart).await?;
        let (manifests, files): (HashSet<_>, Vec<_>) =
            read.into_iter().map(|(m, files)| (m.manifest_path, files)).unzip();
        let files = files.into_iter().flatten().map(|file| file.location).collect();
        Ok(TablePart { manifests, files: Arc::new(files) })
    }

    /// The table of `warehouse`, which is this one opened again: what was read of manifests is shared, where it means the same.
    pub fn opened_again(&self, warehouse: Warehouse) -> Self {
        let is_same = warehouse.columns() == self.warehouse.columns();
        let cache = if is_same { Arc::clone(&self.cache) } else { Arc::default() };
        Self { cache, index: Arc::clone(&self.index), ..Self::with_sequence(warehouse) }
    }

    /// The table with one more column, `SEQUENCE`, behind the others.
    pub fn with_sequence(warehouse: Warehouse) -> Self {
        let fields = warehouse.items().table_schema().fields().iter().cloned();
        let sequence = Arc::new(Field::new(SEQUENCE, DataType::Int64, false));
        let schema = Arc::new(Schema::new(fields.chain([sequence]).collect::<Vec<_>>()));
        Self { schema, ..Self::new(warehouse) }
    }

    pub fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// The state as of the statement's start.
    async fn state(&self, session: &dyn Session) -> Result<Arc<TableState>> {
        if let Some(state) = &self.state {
            return Ok(Arc::clone(state));
        }
        Ok(self.warehouse.load_for(session).await?)
    }

    /// The snapshot that a statement sees, if there is one.
    fn snapshot<'a>(&self, state: &'a TableState) -> Result<Option<&'a SnapshotRef>> {
        match &self.pinned {
            Some(as_of) => Ok(Some(as_of.find(&state.metadata)?)),
            None => Ok(state.metadata.current_snapshot()),
        }
    }

    /// The snapshot that a statement sees, if there is one, and when it was committed, in milliseconds since 1970 UTC.
    pub(crate) async fn seen(&self, session: &dyn Session) -> Result<Option<(i64, i64)>> {
        let state = self.state(session).await?;
        Ok(self.snapshot(&state)?.map(|snapshot| (snapshot.snapshot_id(), snapshot.timestamp_ms())))
    }

    /// The ids of which the snapshot that a statement sees may hold more than one version; `None` if that is not known, or
    /// they are too many.
    pub(crate) async fn repeated_ids(&self, session: &dyn Session) -> Result<Option<Arc<Repeated>>> {
        let state = self.state(session).await?;
        let Some(snapshot) = self.snapshot(&state)? else { return Ok(Some(Arc::default())) };
        let known = self.repeated.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, repeated)) = known.filter(|(of, _)| *of == snapshot.snapshot_id()) {
            return Ok(repeated);
        }
        let repeated = KnownIds::repeated_in(self.warehouse.io(), snapshot).await?.map(Arc::new);
        let known = Some((snapshot.snapshot_id(), repeated.clone()));
        *self.repeated.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(repeated)
    }

    /// The snapshot that a statement sees, if there is one, and of what a compaction of all of it may say that it is settled.
    pub(crate) async fn settles(&self, session: &dyn Session) -> Result<Option<(i64, Settles)>> {
        let state = self.state(session).await?;
        let Some(snapshot) = self.snapshot(&state)? else { return Ok(None) };
        let id = snapshot.snapshot_id();
        let document = snapshot.summary().additional_properties.get(KnownIds::PROPERTY);
        Ok(Some((id, document.map_or(Settles::Unlisted(id), |document| Settles::Listed(document.clone())))))
    }

    /// Bytes of all files, if the snapshot tells.
    fn bytes(&self, state: &TableState) -> Option<u64> {
        self.snapshot(state).ok()??.summary().additional_properties.get("total-files-size")?.parse().ok()
    }

    async fn contents(&self, state: &TableState) -> Result<Arc<Contents>> {
        let Some(snapshot) = self.snapshot(state)? else { return Ok(Arc::default()) };
        Ok(self.cache.contents(self.warehouse.io(), &state.metadata, snapshot).await?)
    }

    async fn manifests(&self, state: &TableState) -> Result<Arc<[ManifestFile]>> {
        let all = Arc::clone(&self.contents(state).await?.manifests);
        let Some(part) = &self.part else { return Ok(all) };
        Ok(all.iter().filter(|manifest| part.manifests.contains(&manifest.manifest_path)).cloned().collect())
    }

    async fn deletes(&self, session: &dyn Session) -> Result<Arc<Deletes>> {
        let state = self.state(session).await?;
        Ok(Arc::clone(&self.contents(&state).await?.deletes))
    }

    /// Buckets of the snapshot that a statement sees, with what other engines have deleted of them.
    pub(crate) async fn without_deleted(
        &self,
        session: &dyn Session,
        mut buckets: Vec<BucketFiles>,
    ) -> Result<Vec<BucketFiles>> {
        let deletes = self.deletes(session).await?;
        if !deletes.is_empty() {
            leave_out_deleted(&deletes, &mut buckets).await?;
        }
        Ok(buckets)
    }

    /// Files by which other engines have deleted rows of the snapshot that a statement sees.
    pub async fn delete_files(&self, session: &dyn Session) -> Result<u64> {
        Ok(self.deletes(session).await?.files().len() as u64)
    }

    /// How many rows other engines have deleted of files of the snapshot that a statement sees, by location.
    pub(crate) async fn deleted_rows(&self, session: &dyn Session, files: &[LiveFile]) -> Result<HashMap<String, u64>> {
        let rows = self.deletes(session).await?.rows_of(files).await?;
        Ok(rows.into_iter().map(|(location, rows)| (location, rows.count())).collect())
    }

    /// The files of the snapshot that a statement sees.
    pub(crate) async fn live_files(&self, session: &dyn Session) -> Result<Vec<LiveFile>> {
        let state = self.state(session).await?;
        let manifests = self.manifests(&state).await?;
        let read = manifests::list(self.warehouse.io(), manifests.iter().cloned()).await?;
        Ok(read.into_iter().flat_map(|(_, files)| files).collect())
    }

    /// The same with the statistics of their columns, by manifest.
    pub(crate) async fn live_files_with_bounds(&self, session: &dyn Session) -> Result<Vec<Arc<LiveFiles>>> {
        let state = self.state(session).await?;
        let manifests = self.manifests(&state).await?;
        Ok(self.cache.load(self.warehouse.io(), &manifests, self.warehouse.columns()).await?)
    }

    /// The files that may hold rows for which all `filters` are true.
    pub async fn files_for(&self, session: &dyn Session, filters: &[Expr]) -> Result<ChosenFiles> {
        let Choice { chosen, of, pruned, deletes, .. } = self.choose(session, filters).await?;
        let files: Vec<_> = chosen.iter().flat_map(|c| c.indices().map(|i| c.of.files[i].clone())).collect();
        let with_deleted = files.iter().filter(|file| deletes.about(file).next().is_some()).count();
        Ok(ChosenFiles { files, of, pruned, with_deleted })
    }

    async fn choose(&self, session: &dyn Session, filters: &[Expr]) -> Result<Choice> {
        let state = self.state(session).await?;
        let manifests = self.manifests(&state).await?;
        let predicates = pruning_predicates(session, &self.schema(), filters)?;
        let live = |m: &ManifestFile| u64::from(m.added_files_count.unwrap_or(0) + m.existing_files_count.unwrap_or(0));
        let mut pruned = PrunedBy::default();

        let summaries = ManifestSummaries(&manifests);
        let kept = matches(&predicates, &summaries);
        let by_cell = matches(&predicates, &ByCell(&summaries));
        for i in (0..manifests.len()).filter(|i| !kept.value(*i)) {
            let reason = if by_cell.value(i) { &mut pruned.year } else { &mut pruned.cell };
            *reason += live(&manifests[i]);
        }
        let kept: Vec<_> = kept.values().set_indices().map(|i| manifests[i].clone()).collect();
        let read = self.cache.load(self.warehouse.io(), &kept, self.warehouse.columns()).await?;
        let mut choose = |of: Arc<LiveFiles>| {
            let chosen = matches(&predicates, &*of);
            if chosen.false_count() > 0 {
                let (by_cell, by_bucket) = (matches(&predicates, &ByCell(&*of)), matches(&predicates, &Buckets(&of)));
                for i in (0..chosen.len()).filter(|i| !chosen.value(*i)) {
                    *match (by_cell.value(i), by_bucket.value(i)) {
                        (false, _) => &mut pruned.cell,
                        (true, false) => &mut pruned.year,
                        (true, true) => &mut pruned.bounds,
                    } += 1;
                }
            }
            match &self.part {
                Some(part) => Chosen { chosen: part.kept(&of, &chosen), of },
                None => Chosen { chosen, of },
            }
        };
        let mut chosen: Vec<_> = read.into_iter().map(&mut choose).collect();
        pruned.index = self.leave_out_other_ids(&state, filters, &mut chosen).await?;
        Ok(Choice {
            chosen,
            of: manifests.iter().map(live).sum(),
            bytes_of: self.bytes(&state).unwrap_or_default(),
            pruned,
            manifests: format!("{}/{}", kept.len(), manifests.len()),
            deletes: Arc::clone(&self.contents(&state).await?.deletes),
        })
    }
}

impl WarehouseTable {
    /// Leaves out files that have none of the ids that `filters` ask for, as the index by id tells; how many they are.
    async fn leave_out_other_ids(&self, state: &TableState, filters: &[Expr], chosen: &mut [Chosen]) -> Result<u64> {
        let files: usize = chosen.iter().map(|chosen| chosen.chosen.true_count()).sum();
        let Some(ids) = ids_of(filters).filter(|ids| ids.len() <= MOST_IDS && files > FEW_FILES) else { return Ok(0) };
        let snapshot = self.snapshot(state)?;
        let Some(index) = snapshot.and_then(|snapshot| ItemIndex::for_snapshot(state, snapshot)) else { return Ok(0) };
        let Some(buckets) = index.buckets(&ids, &self.index).await? else { return Ok(0) };
        let mut left_out = 0;
        for Chosen { of, chosen } in chosen {
            let keep = |i: usize| chosen.value(i) && index.may_hold(&buckets, &of.files[i]);
            let kept: BooleanArray = (0..chosen.len()).map(|i| Some(keep(i))).collect();
            left_out += chosen.true_count() - kept.true_count();
            *chosen = kept;
        }
        Ok(left_out as u64)
    }
}

/// Some files of a table, and the manifests that list them.
#[derive(Debug, Clone, Default)]
pub(crate) struct TablePart {
    manifests: HashSet<String>,
    files: Arc<HashSet<String>>,
}

impl TablePart {
    fn without(&self, other: &Self) -> Self {
        let files = self.files.difference(&other.files).cloned().collect();
        Self { manifests: self.manifests.clone(), files: Arc::new(files) }
    }

    /// Which of the chosen files of a manifest are of this part.
    fn kept(&self, manifest: &LiveFiles, chosen: &BooleanArray) -> BooleanArray {
        let files = manifest.files.iter().zip(chosen.values());
        files.map(|(file, chosen)| Some(chosen && self.files.contains(&file.location))).collect()
    }
}

/// The files of a snapshot that a question needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenFiles {
    pub files: Vec<LiveFile>,
    /// How many the snapshot has.
    pub of: u64,
    pub pruned: PrunedBy,
    /// Files that delete files may be about: rows that another engine has deleted are still in them.
    pub with_deleted: usize,
}

/// Chosen files by manifest, and what there was to choose from.
struct Choice {
    chosen: Vec<Chosen>,
    of: u64,
    /// Of all files; 0 where the snapshot does not tell.
    bytes_of: u64,
    pruned: PrunedBy,
    /// Read, of total.
    manifests: String,
    deletes: Arc<Deletes>,
}

impl Choice {
    fn files(&self) -> usize {
        self.chosen.iter().map(|c| c.chosen.true_count()).sum()
    }
}

/// What `filters` say of containers of rows, filter by filter.
fn pruning_predicates(session: &dyn Session, schema: &SchemaRef, filters: &[Expr]) -> Result<Vec<PruningPredicate>> {
    let columns = DFSchema::try_from(Arc::clone(schema))?;
    let predicate = |filter: &Expr| {
        let filter = session.create_physical_expr(filter.clone(), &columns)?;
        PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).try_build(filter)
    };
    filters.iter().map(predicate).filter(|p| !p.as_ref().is_ok_and(PruningPredicate::always_true)).collect()
}

/// Whether each container may hold a row for which all predicates are true.
fn matches(predicates: &[PruningPredicate], containers: &dyn PruningStatistics) -> BooleanArray {
    let mut matches = vec![true; containers.num_containers()];
    for predicate in predicates {
        // A predicate that cannot be evaluated over bounds prunes nothing; the rows are filtered all the same.
        let Ok(of_this) = predicate.prune(containers) else { continue };
        matches.iter_mut().zip(of_this).for_each(|(matches, of_this)| *matches &= of_this);
    }
    matches.into()
}

#[async_trait]
impl TableProvider for WarehouseTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        None
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Files are chosen, but rows are not filtered.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let choice = self.choose(session, filters).await?;
        let (files, of, bytes_of, pruned) = (choice.files(), choice.of, choice.bytes_of, choice.pruned);
        let note = format!("files={files}/{of}, pruned={pruned}, manifests={}", choice.manifests);
        let mut chosen = choice.chosen;
        let with_deleted = take_files(&mut chosen, |file| choice.deletes.about(file).next().is_some());
        if let (Some(limit), [], true) = (limit, filters, with_deleted.is_empty()) {
            keep_first(&mut chosen, limit as u64);
        }
        let schema = self.schema();
        let statistics = statistics::of_all(&chosen, &schema)?;
        let count: usize = chosen.iter().map(|c| c.chosen.true_count()).sum();
        let mut files = Vec::with_capacity(count);
        for Chosen { of, chosen } in &chosen {
            for i in chosen.values().set_indices() {
                let few = count <= FILES_WITH_STATISTICS;
                let statistics = few.then(|| statistics::of_file(of, i, &schema)).transpose()?.map(Arc::new);
                let file = &of.files[i];
                let sequence = file.sequence;
                files.push(ScanFile { url: to_url(&file.location)?, bytes: file.bytes, sequence, statistics });
            }
        }
        let left = match with_deleted.is_empty() {
            true => None,
            false => Some(self.scan_without_deleted(session, with_deleted, &choice.deletes, projection).await?),
        };
        if let Some(left) = left.as_ref().filter(|_| count == 0) {
            scan_metrics::note(left, of, bytes_of, pruned);
            return Ok(Arc::clone(left));
        }
        let plan = parquet_scan(session, self.table_schema(&schema)?, files, statistics, projection, limit).await?;
        scan_metrics::note(&plan, of, bytes_of, pruned);
        let plan = describe(plan, note);
        match left {
            Some(left) => UnionExec::try_new(vec![plan, left]),
            None => Ok(plan),
        }
    }

    async fn insert_into(
        &self,
        _: &dyn Session,
        _: Arc<dyn ExecutionPlan>,
        _: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!("this session does not know how to write to a warehouse; make it with earthcatalog_plans::session")
    }
}

/// Says in `buckets` which rows of their files are deleted, and by which delete files.
async fn leave_out_deleted(deletes: &Deletes, buckets: &mut [BucketFiles]) -> Result<()> {
    let files: Vec<LiveFile> = buckets.iter().flat_map(|bucket| bucket.files.iter().cloned()).collect();
    let mut deleted = deletes.rows_of(&files).await?;
    for bucket in buckets {
        let of_file = |file: &LiveFile| Some((file.location.clone(), deleted.remove(&file.location)?));
        bucket.deleted = bucket.files.iter().filter_map(of_file).collect();
        let about = bucket.files.iter().flat_map(|file| deletes.about(file));
        let about: BTreeMap<&str, &DeleteFile> = about.map(|of| (of.location.as_str(), of)).collect();
        bucket.deletes = about.into_values().cloned().collect();
    }
    Ok(())
}

/// Takes files out of those that were chosen.
fn take_files(chosen: &mut [Chosen], is_taken: impl Fn(&LiveFile) -> bool) -> Vec<LiveFile> {
    let mut taken = vec![];
    for Chosen { of, chosen } in chosen {
        let files: Vec<usize> = chosen.values().set_indices().filter(|i| is_taken(&of.files[*i])).collect();
        if let [_, ..] = files.as_slice() {
            *chosen = (0..chosen.len()).map(|i| Some(chosen.value(i) && files.binary_search(&i).is_err())).collect();
            taken.extend(files.iter().map(|i| of.files[*i].clone()));
        }
    }
    taken
}

/// Leaves out files beyond the first that together have `limit` rows.
fn keep_first(chosen: &mut Vec<Chosen>, limit: u64) {
    let mut rows = 0;
    for Chosen { of, chosen } in chosen {
        let mut keep = |i: usize| {
            let keep = chosen.value(i) && rows < limit;
            rows += if keep { of.files[i].rows } else { 0 };
            keep
        };
        *chosen = BooleanArray::from((0..of.files.len()).map(&mut keep).collect::<Vec<_>>());
    }
}

impl WarehouseTable {
    /// Where each column comes from: `sequence` is known of a file, the others are in it; under which names, field ids tell
    /// where another engine has changed the schema.
    fn table_schema(&self, schema: &SchemaRef) -> Result<TableSchema> {
        let (of_file, in_file): (Vec<_>, Vec<_>) = schema.fields().iter().cloned().partition(|f| f.name() == SEQUENCE);
        let in_file = match self.warehouse.has_first_schema() {
            true => Schema::new(in_file),
            false => {
                let with_ids = with_field_ids(&in_file, "", self.warehouse.field_ids())?;
                // Ids of elements and members would make another type of the column.
                let as_declared = |(field, of): (Field, &FieldRef)| field.with_data_type(of.data_type().clone());
                Schema::new(with_ids.into_iter().zip(&in_file).map(as_declared).collect::<Vec<_>>())
            }
        };
        Ok(TableSchema::builder(Arc::new(in_file)).with_table_partition_cols(of_file).build())
    }

    /// The rows of files that another engine has not deleted. Each file is read from end to end.
    async fn scan_without_deleted(
        &self,
        session: &dyn Session,
        files: Vec<LiveFile>,
        deletes: &Deletes,
        projection: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // One of a file alone, so that workers share them; what is in no bucket is read as if it were in one.
        let bucket = |file: LiveFile| {
            let bucket = Bucket { cell: file.cell.clone().unwrap_or_default(), year: file.year };
            BucketFiles::new(bucket, vec![file])
        };
        let mut buckets: Vec<BucketFiles> = files.into_iter().map(bucket).collect();
        leave_out_deleted(deletes, &mut buckets).await?;
        let groups = groups(buckets, session.config().target_partitions());
        Ok(Arc::new(BucketScanExec::try_new(&self.warehouse, &self.schema(), projection, groups, None)?))
    }

    /// Why nothing can be written to this table, if nothing can.
    pub(crate) fn refuses_rows(&self) -> Option<WarehouseError> {
        let pinned = self.pinned.as_ref()?;
        Some(WarehouseError::InvalidLocation {
            location: self.warehouse.url().to_string(),
            reason: format!("the table is fixed to {pinned} and cannot be written to"),
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::physical_plan::{StatisticsArgs, StatisticsContext};
    use datafusion::prelude::SessionContext;
    use proptest::prelude::*;

    use super::*;
    use crate::model::part_file::PartFile;
    use crate::table::testing::{Row, batch, warehouse, write_part};
    use crate::table::{Change, Committer};

    async fn commit(warehouse: &Warehouse, add: Vec<PartFile>) -> i64 {
        let change = Change { add, ..Change::default() };
        Committer::new(warehouse.clone()).commit(change).await.unwrap().snapshot
    }

    fn session(warehouse: &Warehouse) -> SessionContext {
        let context = crate::session::session(2).unwrap();
        context.register_table("items", Arc::new(WarehouseTable::new(warehouse.clone()))).unwrap();
        context
    }

    async fn text(context: &SessionContext, sql: &str) -> String {
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    /// The scan's line of the physical plan.
    async fn explained(context: &SessionContext, sql: &str) -> String {
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
        plan.lines().map(str::trim).collect::<Vec<_>>().join("\n")
    }

    fn row(id: &str, date: Option<(i32, u32, u32)>, platform: Option<&str>, latitude: Option<f64>) -> Row {
        Row { platform: platform.map(str::to_owned), latitude, ..Row::new(id, date) }
    }

    /// Four files: 81a in 2019 and 2020, 81b in 2020, `__none__` without a date.
    async fn small(folder: &tempfile::TempDir) -> Warehouse {
        let warehouse = warehouse(folder).await;
        let parts = vec![
            write_part(&warehouse, "81a", "1", &[row("a1", Some((2019, 5, 1)), Some("L8"), Some(10.0))]),
            write_part(
                &warehouse,
                "81a",
                "2",
                &[
                    row("a2", Some((2020, 1, 1)), Some("L8"), Some(20.0)),
                    row("a3", Some((2020, 12, 31)), Some("S1"), Some(-30.0)),
                ],
            ),
            write_part(&warehouse, "81b", "3", &[row("b1", Some((2020, 6, 1)), None, Some(0.0))]),
            write_part(&warehouse, "__none__", "4", &[row("n1", None, Some("S1"), None)]),
        ];
        commit(&warehouse, parts).await;
        warehouse
    }

    #[tokio::test]
    async fn an_empty_table_has_no_rows_and_all_columns() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&warehouse(&folder).await);
        assert!(text(&context, "SELECT count(*) AS n FROM items").await.contains("| 0 |"));
        let batches = context.sql("SELECT * FROM items WHERE id = 'x'").await.unwrap();
        assert_eq!(batches.schema().fields().len(), crate::table::testing::items().table_schema().fields().len());
        assert!(batches.collect().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_scan_has_the_table_schema_with_its_field_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = small(&folder).await;
        let context = session(&warehouse);
        let batches = context.sql("SELECT * FROM items").await.unwrap().collect().await.unwrap();
        assert_eq!(batches[0].schema().as_ref(), warehouse.items().table_schema().as_ref());
        assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 5);
    }

    #[tokio::test]
    async fn predicates_choose_files_by_partition_and_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&small(&folder).await);
        for (predicate, files) in [
            ("true", 4),
            ("grid_partition = '81a'", 2),
            ("grid_partition IN ('81b', '__none__')", 2),
            ("grid_partition NOT IN ('81a', '81b')", 1),
            ("grid_partition > '81a'", 2),
            ("grid_partition LIKE '81%'", 3),
            ("datetime >= '2020-01-01'", 2),
            ("datetime >= '2020-01-01T00:00:00Z' AND datetime < '2020-02-01T00:00:00Z'", 1),
            ("datetime < TIMESTAMP '2019-06-01'", 1),
            ("datetime >= DATE '2020-02-01' AND grid_partition = '81b'", 1),
            ("datetime IS NULL", 1),
            ("datetime IS NOT NULL", 3),
            ("NOT (datetime >= '2020-01-01')", 1),
            ("date_part('year', datetime) = 2019", 1),
            ("id = 'b1'", 1),
            ("id IN ('a1', 'n1')", 2),
            ("'a2' = id", 1),
            ("latitude > 15", 1),
            ("latitude BETWEEN -1 AND 10", 3),
            ("CAST(latitude AS FLOAT) > 15", 1),
            ("latitude IS NULL OR id = 'a1'", 2),
            ("platform = 'S1'", 2),
            ("platform IS NULL", 1),
            ("platform = 'L8' OR datetime IS NULL", 3),
            ("grid_partition = 'nowhere'", 0),
            ("length(id) = 2", 4),
            ("latitude > xmin", 4),
        ] {
            let plan = explained(&context, &format!("SELECT id FROM items WHERE {predicate}")).await;
            let expected = if files == 0 { "EmptyExec".to_owned() } else { format!("files={files}/4") };
            assert!(plan.contains(&expected), "{predicate}: expected {expected}\n{plan}");
        }
    }

    #[tokio::test]
    async fn a_long_list_of_cells_prunes_as_a_short_one() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&small(&folder).await);
        let cells: Vec<_> = (0..200).map(|n| format!("'82{n:03}'")).chain(["'81b'".to_owned()]).collect();
        let plan =
            explained(&context, &format!("SELECT id FROM items WHERE grid_partition IN ({})", cells.join(","))).await;
        assert!(plan.contains("files=1/4"), "{plan}");
    }

    #[tokio::test]
    async fn manifests_of_other_cells_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = small(&folder).await;
        commit(&warehouse, vec![write_part(&warehouse, "7ff", "5", &[row("f1", Some((1999, 1, 1)), None, None)])])
            .await;
        let context = session(&warehouse);
        for (predicate, manifests) in [
            ("grid_partition = '7ff'", "1/2"),
            ("datetime < '2000-01-01'", "1/2"),
            ("grid_partition IN ('81b')", "1/2"),
        ] {
            let plan = explained(&context, &format!("SELECT id FROM items WHERE {predicate}")).await;
            assert!(plan.contains(&format!("manifests={manifests}")), "{predicate}: {plan}");
        }
    }

    #[tokio::test]
    async fn counts_and_extremes_of_the_whole_table_come_from_statistics() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&small(&folder).await);
        let sql = "SELECT count(*) AS n, count(datetime) AS d, min(latitude) AS s, max(latitude) AS m, max(datetime) AS t, min(grid_partition) AS c FROM items";
        let plan = explained(&context, sql).await;
        assert!(plan.contains("PlaceholderRowExec") && !plan.contains("DataSourceExec"), "{plan}");
        let found = text(&context, sql).await;
        assert!(found.contains("| 5 | 4 | -30.0 | 20.0 | 2020-12-31T00:00:00Z | 81a |"), "{found}");
        // Strings may be shortened by other writers, and with a filter the count is not that of the files.
        for sql in ["SELECT max(id) FROM items", "SELECT count(*) FROM items WHERE latitude > 0"] {
            let plan = explained(&context, sql).await;
            assert!(plan.contains("DataSourceExec"), "{sql}: {plan}");
        }
        assert!(text(&context, "SELECT count(*) AS n FROM items WHERE latitude > 0").await.contains("| 2 |"));
    }

    #[tokio::test]
    async fn a_limit_alone_reads_no_more_files_than_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&small(&folder).await);
        let plan = explained(&context, "SELECT id FROM items LIMIT 2").await;
        assert!(plan.contains("file_groups={2 groups") && plan.contains("limit=2"), "{plan}");
        let batches = context.sql("SELECT id FROM items LIMIT 2").await.unwrap().collect().await.unwrap();
        assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 2);
    }

    #[tokio::test]
    async fn a_statement_sees_the_newest_snapshot_and_a_pinned_table_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let context = session(&warehouse);
        let first = commit(&warehouse, vec![write_part(&warehouse, "81a", "1", &[row("a1", None, None, None)])]).await;
        assert!(text(&context, "SELECT count(*) FROM items").await.contains("| 1 "));
        // Another process commits; a statement that was planned before still reads what it saw.
        let planned = context.sql("SELECT id FROM items").await.unwrap().create_physical_plan().await.unwrap();
        let other = Warehouse::open(&warehouse.catalog().to_string()).await.unwrap();
        commit(&other, vec![write_part(&other, "81a", "2", &[row("a2", None, None, None)])]).await;
        let rows = datafusion::physical_plan::collect(planned, context.task_ctx()).await.unwrap();
        assert_eq!(rows.iter().map(|b| b.num_rows()).sum::<usize>(), 1);
        assert!(text(&context, "SELECT count(*) FROM items").await.contains("| 2 "));

        context.register_table("old", Arc::new(WarehouseTable::at_snapshot(warehouse.clone(), first))).unwrap();
        assert!(text(&context, "SELECT count(*) FROM old").await.contains("| 1 "));
        context.register_table("never", Arc::new(WarehouseTable::at_snapshot(warehouse, 42))).unwrap();
        let error = context.sql("SELECT * FROM never").await.unwrap().collect().await.unwrap_err().to_string();
        assert!(error.contains("no snapshot 42"), "{error}");
    }

    #[tokio::test]
    async fn a_table_in_a_state_asks_the_catalog_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = small(&folder).await;
        let context = session(&warehouse);
        let table = WarehouseTable::new(warehouse.clone());
        let state = warehouse.load().await.unwrap();
        let before = state.metadata.current_snapshot_id();
        context.register_table("then", Arc::new(table.in_state(state, None))).unwrap();
        commit(&warehouse, vec![write_part(&warehouse, "81a", "9", &[row("z", None, None, None)])]).await;
        let state = warehouse.load().await.unwrap();
        context.register_table("before", Arc::new(table.in_state(Arc::clone(&state), before))).unwrap();
        context.register_table("now", Arc::new(table.in_state(state, None))).unwrap();
        std::fs::remove_file(warehouse.catalog().to_string()).unwrap();
        for (name, rows) in [("then", 5), ("before", 5), ("now", 6)] {
            let found = text(&context, &format!("SELECT count(*) AS n FROM \"{name}\"")).await;
            assert!(found.contains(&format!("| {rows} |")), "{name}: {found}");
        }
    }

    #[tokio::test]
    async fn one_statement_reads_one_snapshot_however_often_it_names_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = small(&folder).await;
        let table = WarehouseTable::new(warehouse.clone());
        let context = session(&warehouse);
        let statement = context.state();
        let first = table.scan(&statement, None, &[], None).await.unwrap();
        commit(&warehouse, vec![write_part(&warehouse, "81a", "9", &[row("z", None, None, None)])]).await;
        let second = table.scan(&statement, None, &[], None).await.unwrap();
        let rows = |plan: &Arc<dyn ExecutionPlan>| {
            StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).unwrap().num_rows
        };
        assert_eq!(rows(&first), rows(&second));
        let next = table.scan(&context.state(), None, &[], None).await.unwrap();
        assert_eq!(rows(&next).get_value(), Some(&6));
    }

    fn any_row() -> impl Strategy<Value = (usize, Row)> {
        let date = prop::option::of((2018i32..2021, 1u32..13, 1u32..28));
        let platform = prop::option::of(prop::sample::select(vec!["L8", "S1", "S2"]));
        let latitude = prop::option::of(-3i32..4);
        (0usize..3, 0u32..12, date, platform, latitude).prop_map(|(cell, id, date, platform, latitude)| {
            (cell, row(&format!("i{id}"), date, platform, latitude.map(f64::from)))
        })
    }

    fn any_predicate() -> impl Strategy<Value = String> {
        let operator = || prop::sample::select(vec!["=", "<", "<=", ">", ">=", "<>"]);
        let leaf = prop_oneof![
            (operator(), 0u32..12).prop_map(|(op, n)| format!("id {op} 'i{n}'")),
            (operator(), 0usize..4).prop_map(|(op, n)| format!("grid_partition {op} '{}'", CELLS[n])),
            (operator(), 2018i32..2022, 1u32..13).prop_map(|(op, y, m)| format!("datetime {op} '{y}-{m:02}-01'")),
            (operator(), -3i32..4).prop_map(|(op, n)| format!("latitude {op} {n}")),
            (operator(), -3i32..4).prop_map(|(op, n)| format!("CAST(latitude AS INT) {op} {n}")),
            prop::sample::select(vec!["L8", "S1", "L"]).prop_map(|p| format!("platform LIKE '{p}%'")),
            prop::sample::select(vec!["id", "datetime", "platform", "latitude", "updated"])
                .prop_map(|c| format!("{c} IS NULL")),
            prop::collection::vec(0usize..4, 1..4).prop_map(|cells| {
                let cells: Vec<_> = cells.into_iter().map(|n| format!("'{}'", CELLS[n])).collect();
                format!("grid_partition NOT IN ({})", cells.join(", "))
            }),
            prop::collection::vec(2018i32..2021, 1..3).prop_map(|y| format!(
                "date_part('year', datetime) IN ({})",
                y.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
            )),
        ];
        leaf.prop_recursive(3, 8, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
                inner.prop_map(|a| format!("NOT ({a})")),
            ]
        })
    }

    const CELLS: [&str; 4] = ["81a", "81b", "__none__", "zz"];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 50, ..ProptestConfig::default() })]

        #[test]
        fn a_pruned_query_equals_the_same_query_over_all_rows(
            rows in prop::collection::vec(any_row(), 1..40),
            predicates in prop::collection::vec(any_predicate(), 12),
        ) {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let folder = tempfile::tempdir().unwrap();
                let warehouse = warehouse(&folder).await;
                let mut buckets = std::collections::BTreeMap::<_, Vec<Row>>::new();
                for (i, (cell, row)) in rows.into_iter().enumerate() {
                    // Two commits, so that there is more than one manifest and more than one file in a bucket.
                    buckets.entry((i % 2, cell, row.year())).or_default().push(row);
                }
                let mut all = vec![];
                for half in 0..2 {
                    let mine = buckets.iter().filter(|((h, ..), _)| *h == half);
                    let parts = mine.enumerate().map(|(n, ((_, cell, _), rows))| {
                        all.push(batch(warehouse.items(), CELLS[*cell], rows));
                        write_part(&warehouse, CELLS[*cell], &format!("{half}-{n}"), rows)
                    });
                    let parts: Vec<_> = parts.collect();
                    if !parts.is_empty() {
                        commit(&warehouse, parts).await;
                    }
                }
                let context = session(&warehouse);
                let schema = warehouse.items().table_schema().clone();
                context.register_table("truth", Arc::new(MemTable::try_new(schema, vec![all]).unwrap())).unwrap();
                for predicate in predicates {
                    let sql = |table: &str| format!("SELECT id, grid_partition, datetime, latitude, platform FROM {table} WHERE {predicate} ORDER BY 1, 2, 3, 4, 5");
                    let (pruned, truth) = (text(&context, &sql("items")).await, text(&context, &sql("truth")).await);
                    assert_eq!(pruned, truth, "{predicate}");
                    let sql = |table: &str| format!("SELECT count(*) AS a, min(datetime) AS b, max(latitude) AS c, min(grid_partition) AS d, count(platform) AS e FROM {table}");
                    assert_eq!(text(&context, &sql("items")).await, text(&context, &sql("truth")).await);
                }
            });
        }
    }
}
