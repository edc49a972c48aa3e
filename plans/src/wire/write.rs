//! [`WriteGeoParquetExec`] as a message.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::protobuf;
use url::Url;

use super::items;
use crate::checkpoint::Checkpoints;
use crate::runtime::only_input;
use crate::scan::bucket_files::BucketScanExec;
use crate::sink::{WriteGeoParquetExec, WriteTarget};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteMessage {
    #[prost(string, tag = "1")]
    warehouse: String,
    #[prost(string, tag = "2")]
    run: String,
    #[prost(message, optional, tag = "3")]
    promoted: Option<protobuf::Schema>,
    #[prost(btree_map = "string, int32", tag = "4")]
    field_ids: BTreeMap<String, i32>,
    #[prost(uint32, tag = "5")]
    h3_resolution: u32,
    #[prost(uint64, tag = "6")]
    max_file_bytes: u64,
    #[prost(message, optional, tag = "7")]
    checkpoints: Option<CheckpointsMessage>,
    #[prost(bool, tag = "8")]
    lists_ids: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckpointsMessage {
    #[prost(string, tag = "1")]
    folder: String,
    #[prost(bool, tag = "2")]
    staged: bool,
    #[prost(bool, tag = "3")]
    of_job: bool,
}

impl TryFrom<&WriteGeoParquetExec> for WriteMessage {
    type Error = DataFusionError;

    fn try_from(write: &WriteGeoParquetExec) -> Result<Self> {
        let WriteTarget { warehouse, run, schema, field_ids, .. } = write.target().as_ref();
        let WriteTarget { h3_resolution, max_file_bytes, checkpoints, lists_ids, by_cell: _, .. } =
            write.target().as_ref();
        Ok(Self {
            warehouse: warehouse.to_string(),
            run: run.clone(),
            promoted: Some(items::encode(schema)?),
            field_ids: field_ids.clone(),
            h3_resolution: u32::from(*h3_resolution),
            max_file_bytes: *max_file_bytes,
            checkpoints: checkpoints.as_ref().map(|Checkpoints { folder, staged, of_job }| CheckpointsMessage {
                folder: folder.to_string(),
                staged: *staged,
                of_job: *of_job,
            }),
            lists_ids: *lists_ids,
        })
    }
}

impl WriteMessage {
    pub fn into_operator(self, inputs: &[Arc<dyn ExecutionPlan>]) -> Result<WriteGeoParquetExec> {
        let input = only_input("WriteGeoParquetExec", inputs)?;
        let url = |text: &str| Url::parse(text).map_err(|e| DataFusionError::External(Box::new(e)));
        let checkpoints = self.checkpoints.map(|message| {
            let CheckpointsMessage { folder, staged, of_job } = message;
            Ok::<_, DataFusionError>(Checkpoints { folder: url(&folder)?, staged, of_job })
        });
        let target = WriteTarget {
            warehouse: url(&self.warehouse)?,
            run: self.run,
            schema: items::decode(self.promoted.as_ref())?,
            field_ids: self.field_ids,
            // A resolution is at most 15.
            h3_resolution: self.h3_resolution as u8,
            max_file_bytes: self.max_file_bytes,
            checkpoints: checkpoints.transpose()?,
            lists_ids: self.lists_ids,
            by_cell: false,
        };
        let write = WriteGeoParquetExec::try_new(Arc::clone(input), Arc::new(target))?;
        Ok(write.with_task_of(BucketScanExec::task))
    }
}
