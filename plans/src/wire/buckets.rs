//! [`BucketScanExec`] as a message.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::protobuf;
use url::Url;

use super::items;
use crate::checkpoint::Totals;
use crate::model::bucket::Bucket;
use crate::runtime::{Slices, SlicesMessage, only_input};
use crate::scan::bucket_files::{BucketScanExec, SentGroups};
use crate::sink::WriteTarget;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BucketScanMessage {
    #[prost(string, tag = "1")]
    warehouse: String,
    #[prost(message, optional, tag = "2")]
    promoted: Option<protobuf::Schema>,
    #[prost(btree_map = "string, int32", tag = "3")]
    field_ids: std::collections::BTreeMap<String, i32>,
    #[prost(uint32, tag = "4")]
    h3_resolution: u32,
    /// Of the rows.
    #[prost(message, optional, tag = "5")]
    columns: Option<protobuf::Schema>,
    #[prost(message, optional, tag = "6")]
    groups: Option<SlicesMessage>,
    /// By group.
    #[prost(fixed64, repeated, tag = "7")]
    fingerprints: Vec<u64>,
    /// By group.
    #[prost(message, repeated, tag = "10")]
    starts: Vec<BucketMessage>,
    #[prost(message, optional, tag = "8")]
    scanned: Option<TotalsMessage>,
    #[prost(message, optional, tag = "9")]
    chosen: Option<TotalsMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BucketMessage {
    #[prost(string, tag = "1")]
    cell: String,
    #[prost(int32, optional, tag = "2")]
    year: Option<i32>,
}

impl From<Bucket> for BucketMessage {
    fn from(Bucket { cell, year }: Bucket) -> Self {
        Self { cell, year }
    }
}

impl From<BucketMessage> for Bucket {
    fn from(BucketMessage { cell, year }: BucketMessage) -> Self {
        Self { cell, year }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TotalsMessage {
    #[prost(uint64, tag = "1")]
    buckets: u64,
    #[prost(uint64, tag = "2")]
    files: u64,
    #[prost(uint64, tag = "3")]
    rows: u64,
    #[prost(uint64, tag = "4")]
    bytes: u64,
}

impl From<Totals> for TotalsMessage {
    fn from(Totals { buckets, files, rows, bytes }: Totals) -> Self {
        Self { buckets, files, rows, bytes }
    }
}

impl From<TotalsMessage> for Totals {
    fn from(TotalsMessage { buckets, files, rows, bytes }: TotalsMessage) -> Self {
        Self { buckets, files, rows, bytes }
    }
}

impl TryFrom<&BucketScanExec> for BucketScanMessage {
    type Error = DataFusionError;

    fn try_from(scan: &BucketScanExec) -> Result<Self> {
        let sent =
            scan.sent().ok_or_else(|| internal_datafusion_err!("groups are cut into slices before they are sent"))?;
        let target = scan.target();
        Ok(Self {
            warehouse: target.warehouse.to_string(),
            promoted: Some(items::encode(&target.schema)?),
            field_ids: target.field_ids.clone(),
            h3_resolution: target.h3_resolution.into(),
            columns: Some(scan.columns().as_ref().try_into()?),
            groups: Some(sent.slices.to_message()),
            fingerprints: sent.fingerprints.clone(),
            starts: sent.starts.iter().cloned().map(Into::into).collect(),
            scanned: scan.scanned().map(Into::into),
            chosen: Some(sent.chosen.into()),
        })
    }
}

impl BucketScanMessage {
    pub fn into_operator(self, inputs: &[Arc<dyn ExecutionPlan>]) -> Result<BucketScanExec> {
        let numbers = only_input("a scan that is sent", inputs)?;
        let target = WriteTarget {
            warehouse: Url::parse(&self.warehouse).map_err(|e| DataFusionError::External(Box::new(e)))?,
            run: String::new(),
            schema: items::decode(self.promoted.as_ref())?,
            field_ids: self.field_ids,
            // A resolution is at most 15.
            h3_resolution: self.h3_resolution as u8,
            max_file_bytes: crate::sink::MAX_FILE_BYTES,
            checkpoints: None,
            lists_ids: false,
            by_cell: false,
        };
        let sent = SentGroups {
            slices: Slices::from_message(self.groups)?,
            numbers: Arc::clone(numbers),
            fingerprints: self.fingerprints,
            starts: self.starts.into_iter().map(Into::into).collect(),
            chosen: self.chosen.unwrap_or_default().into(),
        };
        let columns = Arc::new(items::schema(self.columns.as_ref())?);
        BucketScanExec::of_slices(target, columns, sent, self.scanned.map(Into::into))
    }
}
