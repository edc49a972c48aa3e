//! [`BucketScanExec`]: the leaf operator that reads buckets, a group of them per partition.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err, project_schema};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr, RangePartitioning, SplitPoint,
};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use twox_hash::XxHash64;
use url::Url;

use super::group_message::GroupMessage;
use super::groups::{BucketFiles, YEAR};
use super::read::{PartFileReader, ReadMetrics};
use crate::checkpoint::Totals;
use crate::model::bucket::Bucket;
use crate::model::item_key::ItemKey;
use crate::model::items::GRID_PARTITION;
use crate::runtime::{Slices, find_operator_where, partition_numbers};
use crate::scan::settles::Settles;
use crate::sink::{PartFileFormat, WriteTarget};
use crate::table::Warehouse;

/// Reads the part files of buckets: one output partition per group, bucket after bucket. Rows of which a newer version is in
/// another bucket are left out.
///
/// The groups are ranges of (`grid_partition`, `year`), and the output says so: what goes by bucket needs no shuffle, and two
/// scans are joined partition by partition where their ranges are the same. With no bucket to read, there is one partition
/// without rows.
#[derive(Debug)]
pub struct BucketScanExec {
    /// The table, as it is written.
    target: Arc<WriteTarget>,
    format: Arc<PartFileFormat>,
    groups: Groups,
    /// Of each partition, the number of its group.
    numbers: Vec<usize>,
    /// Sums over the buckets from which those to read were chosen; `None` of a scan that reads rows of some files, and no whole
    /// buckets.
    scanned: Option<Totals>,
    /// What is known of the ids of the table, if that is settled when these buckets have been compacted.
    settles: Option<Settles>,
    /// The Items that the buckets were chosen for, where that is so.
    items: Option<Arc<BTreeSet<ItemKey>>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The groups, where they were packed, or on a worker in another process.
#[derive(Debug, Clone)]
enum Groups {
    Packed(Arc<Vec<Vec<BucketFiles>>>),
    Sent(SentGroups),
}

/// Groups that travel.
#[derive(Debug, Clone)]
pub(crate) struct SentGroups {
    pub slices: Slices,
    /// Has the number of each partition that this process reads (see [`partition_numbers`]).
    pub numbers: Arc<dyn ExecutionPlan>,
    /// The first bucket of each.
    pub starts: Vec<Bucket>,
    /// As [`BucketScanExec::fingerprint`] tells them.
    pub fingerprints: Vec<u64>,
    /// Sums over their buckets.
    pub chosen: Totals,
}

impl Groups {
    fn count(&self) -> usize {
        match self {
            Self::Packed(groups) => groups.len(),
            Self::Sent(sent) => sent.slices.count(),
        }
    }

    /// The first bucket of each, all being in order.
    fn starts(&self) -> Vec<Bucket> {
        match self {
            Self::Packed(groups) => groups.iter().flat_map(|group| group.first()).map(|f| f.bucket.clone()).collect(),
            Self::Sent(sent) => sent.starts.clone(),
        }
    }

    async fn get(&self, group: usize) -> Result<Vec<BucketFiles>> {
        match self {
            Self::Packed(groups) => Ok(groups.get(group).cloned().unwrap_or_default()),
            Self::Sent(sent) => GroupMessage::decode_group(sent.slices.get(group).await?),
        }
    }
}

impl Totals {
    pub(crate) fn of<'a>(buckets: impl IntoIterator<Item = &'a BucketFiles>) -> Self {
        buckets.into_iter().fold(Self::default(), |sum, bucket| Self {
            buckets: sum.buckets + 1,
            files: sum.files + bucket.files.len() as u64,
            rows: sum.rows + bucket.rows(),
            bytes: sum.bytes + bucket.bytes(),
        })
    }
}

impl BucketScanExec {
    /// A scan of `groups`, which were chosen among buckets with these sums; `None` where they are some files of their buckets.
    pub(crate) fn try_new(
        warehouse: &Warehouse,
        schema: &SchemaRef,
        projection: Option<&Vec<usize>>,
        mut groups: Vec<Vec<BucketFiles>>,
        scanned: Option<Totals>,
    ) -> Result<Self> {
        if groups.is_empty() {
            groups.push(vec![]);
        }
        let schema = project_schema(schema, projection)?;
        Self::of_groups(warehouse.write_target(""), schema, Groups::Packed(Arc::new(groups)), scanned)
    }

    /// A scan whose groups were packed by another process; `schema` is that of its rows.
    pub(crate) fn of_slices(
        target: WriteTarget,
        schema: SchemaRef,
        sent: SentGroups,
        scanned: Option<Totals>,
    ) -> Result<Self> {
        Self::of_groups(target, schema, Groups::Sent(sent), scanned)
    }

    fn of_groups(target: WriteTarget, schema: SchemaRef, groups: Groups, scanned: Option<Totals>) -> Result<Self> {
        let numbers = match &groups {
            Groups::Packed(groups) => (0..groups.len()).collect(),
            Groups::Sent(sent) => partition_numbers::numbers(&sent.numbers)?,
        };
        // Other files of the buckets are read elsewhere.
        let ranges = if scanned.is_some() { ranges(&groups.starts(), &numbers, &schema)? } else { None };
        let partitioning = ranges.map_or(Partitioning::UnknownPartitioning(numbers.len()), Partitioning::Range);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            partitioning,
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self {
            format: Arc::new(PartFileFormat::try_new(&target)?),
            target: Arc::new(target),
            groups,
            numbers,
            scanned,
            settles: None,
            items: None,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The same scan; once its buckets are compacted, each Item has one version.
    pub(crate) fn settling(self, settles: Option<Settles>) -> Self {
        Self { settles, ..self }
    }

    /// The same scan, of buckets that were chosen for these Items.
    pub(crate) fn of_items(self, items: Option<Arc<BTreeSet<ItemKey>>>) -> Self {
        Self { items, ..self }
    }

    /// The Items that the buckets were chosen for: those that are to be removed, or updated; `None` of other scans.
    pub fn items(&self) -> Option<&BTreeSet<ItemKey>> {
        self.items.as_deref()
    }

    /// Whose ids have one version each, once these buckets are compacted.
    pub(crate) fn settles(&self) -> Option<&Settles> {
        self.settles.as_ref()
    }

    /// The same scan, to be sent to another process; many files go to an object in `folder`.
    pub(crate) async fn sliced(&self, folder: Option<&Url>) -> Result<Self> {
        let sent = match &self.groups {
            Groups::Sent(sent) => sent.clone(),
            Groups::Packed(groups) => {
                let of = Arc::clone(groups);
                let slice = move |i: usize| Ok(GroupMessage::new(&of[i]).encode_to_vec().into());
                SentGroups {
                    numbers: partition_numbers::number(groups.len())?,
                    slices: Slices::store(groups.len(), Arc::new(slice), folder).await?,
                    starts: self.groups.starts(),
                    fingerprints: (0..groups.len()).map(|i| self.fingerprint(i)).collect(),
                    chosen: self.chosen(),
                }
            }
        };
        Self::of_slices(self.target.as_ref().clone(), self.schema(), sent, self.scanned)
    }

    /// The groups of a scan that was cut into slices.
    pub(crate) fn sent(&self) -> Option<&SentGroups> {
        match &self.groups {
            Groups::Sent(sent) => Some(sent),
            Groups::Packed(_) => None,
        }
    }

    pub(crate) fn slices(&self) -> Option<&Slices> {
        self.sent().map(|sent| &sent.slices)
    }

    /// What it counts.
    pub(crate) fn counters(&self) -> ExecutionPlanMetricsSet {
        self.metrics.clone()
    }

    /// Where and how its table is written.
    pub(crate) fn target(&self) -> &WriteTarget {
        &self.target
    }

    /// Schema of its rows.
    pub(crate) fn columns(&self) -> SchemaRef {
        self.schema()
    }

    /// The scan of whole buckets in a plan, if there is one.
    pub fn find(plan: &Arc<dyn ExecutionPlan>) -> Option<&Self> {
        find_operator_where(plan, |scan: &Self| scan.scanned.is_some())
    }

    /// The buckets that each partition reads; none where the scan was cut into slices.
    pub(crate) fn groups(&self) -> &[Vec<BucketFiles>] {
        match &self.groups {
            Groups::Packed(groups) => groups,
            Groups::Sent(_) => &[],
        }
    }

    /// Name of the task that a partition of `leaf` is, if that is a scan of buckets: the same for the same files.
    pub fn task(leaf: &Arc<dyn ExecutionPlan>, partition: usize) -> Option<String> {
        let scan = leaf.downcast_ref::<Self>().filter(|scan| scan.scanned.is_some())?;
        Some(format!("buckets-{:016x}", scan.fingerprint(partition)))
    }

    /// Tells the work of a partition from that of others: its buckets and their files.
    pub(crate) fn fingerprint(&self, partition: usize) -> u64 {
        if let Groups::Sent(sent) = &self.groups {
            let group = self.numbers.get(partition).and_then(|group| sent.fingerprints.get(*group));
            return group.copied().unwrap_or_default();
        }
        let mut hash = XxHash64::with_seed(0);
        for bucket in self.groups().get(partition).into_iter().flatten() {
            bucket.bucket.to_string().hash(&mut hash);
            bucket.files.iter().for_each(|file| file.location.hash(&mut hash));
            bucket.superseded.iter().for_each(|id| id.hash(&mut hash));
            bucket.deleted.iter().for_each(|of_file| of_file.hash(&mut hash));
        }
        hash.finish()
    }

    /// The buckets that are read, in no order; none where the scan was cut into slices.
    pub fn buckets(&self) -> impl Iterator<Item = &BucketFiles> {
        self.groups().iter().flatten()
    }

    /// The partitions of `leaf`, if that is a scan of buckets, with those that take longest first.
    pub fn longest_first(leaf: &Arc<dyn ExecutionPlan>) -> Option<Vec<usize>> {
        let groups = leaf.downcast_ref::<Self>()?.groups();
        let load = |group: &[BucketFiles]| group.iter().map(BucketFiles::load).sum::<u64>();
        let mut partitions: Vec<usize> = (0..groups.len()).collect();
        partitions.sort_by_cached_key(|partition| Reverse(load(&groups[*partition])));
        (!partitions.is_empty()).then_some(partitions)
    }

    /// Sums over all buckets from which those to read were chosen by their number of files.
    pub fn scanned(&self) -> Option<Totals> {
        self.scanned
    }

    /// Sums over the buckets that are read.
    pub fn chosen(&self) -> Totals {
        self.sent().map_or_else(|| Totals::of(self.buckets()), |sent| sent.chosen)
    }
}

/// The ranges of buckets that are read, where the rows have both columns: those of the groups with these numbers, each of
/// which goes from its start to that of the next one.
fn ranges(starts: &[Bucket], numbers: &[usize], schema: &SchemaRef) -> Result<Option<RangePartitioning>> {
    let column =
        |name| Some((Column::new_with_schema(name, schema).ok()?, schema.field_with_name(name).ok()?.data_type()));
    let is_in_order = numbers.is_sorted_by(|a, b| a < b);
    let (Some((cell, cell_type)), Some((year, year_type)), true) = (column(GRID_PARTITION), column(YEAR), is_in_order)
    else {
        return Ok(None);
    };
    let in_order = SortOptions { descending: false, nulls_first: false };
    let ordering = [cell, year].map(|column| PhysicalSortExpr::new(Arc::new(column), in_order));
    let Some(ordering) = LexOrdering::new(ordering) else { return Ok(None) };
    let starts = numbers.iter().skip(1).filter_map(|number| starts.get(*number)).map(|start| {
        let cell = ScalarValue::from(start.cell.as_str()).cast_to(cell_type)?;
        let year = ScalarValue::from(start.year).cast_to(year_type)?;
        Ok(SplitPoint::new(vec![cell, year]))
    });
    Ok(Some(RangePartitioning::try_new(ordering, starts.collect::<Result<_>>()?)?))
}

impl DisplayAs for BucketScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match format {
            DisplayFormatType::TreeRender => "\n",
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "BucketScanExec: ")?;
                ", "
            }
        };
        let chosen = self.chosen();
        write!(f, "warehouse={}{separator}", self.target.warehouse)?;
        match self.scanned {
            Some(of) => {
                let of = [of.buckets, of.files];
                write!(
                    f,
                    "buckets={}/{}{separator}files={}/{}{separator}",
                    chosen.buckets, of[0], chosen.files, of[1]
                )?;
            }
            None => write!(f, "files={}{separator}", chosen.files)?,
        }
        write!(f, "groups={}", self.groups.count())?;
        match self.buckets().map(|bucket| bucket.superseded.len()).sum::<usize>() {
            0 => Ok(()),
            ids => write!(f, "{separator}superseded_ids={ids}"),
        }?;
        match self.buckets().flat_map(|bucket| bucket.deleted.values()).map(|rows| rows.count()).sum::<u64>() {
            0 => Ok(()),
            rows => write!(f, "{separator}deleted_rows={rows}"),
        }
    }
}

impl ExecutionPlan for BucketScanExec {
    fn name(&self) -> &str {
        "BucketScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.sent().map(|sent| &sent.numbers).into_iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (self.sent(), children.as_slice()) {
            (_, []) => Ok(self),
            (Some(sent), [numbers]) => {
                let sent = SentGroups { numbers: Arc::clone(numbers), ..sent.clone() };
                let target = self.target.as_ref().clone();
                Ok(Arc::new(Self::of_slices(target, self.schema(), sent, self.scanned)?))
            }
            _ => internal_err!("BucketScanExec is a leaf and takes no children"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(group) = self.numbers.get(partition).copied() else {
            return internal_err!("BucketScanExec has no partition {partition}");
        };
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let batch_rows = context.session_config().batch_size();
        let metrics = ReadMetrics {
            files_read: MetricBuilder::new(&self.metrics).counter("files_read", partition),
            bytes_read: MetricBuilder::new(&self.metrics).counter("bytes_read", partition),
            decode_time: MetricBuilder::new(&self.metrics).subset_time("decode_time", partition),
        };
        let (format, schema) = (Arc::clone(&self.format), self.schema());
        let groups = self.groups.clone();
        let read = async move {
            let group = groups.get(group).await?;
            Ok::<_, DataFusionError>(PartFileReader::try_new(format, schema, &group, batch_rows, metrics)?.read(group))
        };
        let batches = stream::once(read).try_flatten().boxed().map(move |batch| Ok(batch?.record_output(&baseline)));
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), batches))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
