//! [`StacExec`] as a message.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::protobuf;
use url::Url;

use super::items;
use crate::runtime::{Slices, SlicesMessage, only_input};
use crate::source::{StacExec, StacOptions};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StacMessage {
    #[prost(string, tag = "1")]
    location: String,
    #[prost(message, optional, tag = "2")]
    promoted: Option<protobuf::Schema>,
    #[prost(message, optional, tag = "3")]
    chunks: Option<SlicesMessage>,
    #[prost(uint64, tag = "4")]
    fingerprint: u64,
    #[prost(message, optional, tag = "5")]
    projection: Option<Columns>,
    #[prost(uint64, optional, tag = "6")]
    fetch: Option<u64>,
    /// Of the options, those that reading needs; the others have had their effect when the chunks were listed.
    #[prost(uint64, tag = "7")]
    fetch_concurrency: u64,
    #[prost(uint64, tag = "8")]
    max_item_bytes: u64,
    #[prost(uint64, optional, tag = "9")]
    limit: Option<u64>,
    #[prost(bool, tag = "10")]
    validate: bool,
    #[prost(uint64, tag = "11")]
    max_item_cells: u64,
    /// Of the cells to which the rows go.
    #[prost(uint32, optional, tag = "12")]
    h3_resolution: Option<u32>,
}

/// A projection, which may be of no columns.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Columns {
    #[prost(uint64, repeated, tag = "1")]
    columns: Vec<u64>,
}

impl TryFrom<&StacExec> for StacMessage {
    type Error = DataFusionError;

    fn try_from(scan: &StacExec) -> Result<Self> {
        let slices =
            scan.slices().ok_or_else(|| internal_datafusion_err!("chunks are cut into slices before they are sent"));
        let options = scan.stac_options();
        let columns = |columns: &Vec<usize>| Columns { columns: columns.iter().map(|i| *i as u64).collect() };
        Ok(Self {
            location: scan.location().to_string(),
            promoted: Some(items::encode(scan.items())?),
            chunks: Some(slices?.to_message()),
            fingerprint: scan.fingerprint(),
            projection: scan.projection().map(columns),
            fetch: scan.fetch_rows().map(|n| n as u64),
            fetch_concurrency: options.fetch_concurrency as u64,
            max_item_bytes: options.max_item_bytes,
            limit: options.limit,
            validate: options.validate,
            max_item_cells: options.max_item_cells,
            h3_resolution: scan.h3_resolution().map(u32::from),
        })
    }
}

impl StacMessage {
    pub fn into_operator(self, inputs: &[Arc<dyn ExecutionPlan>]) -> Result<StacExec> {
        let numbers = only_input("a scan that is sent", inputs)?;
        let location = Url::parse(&self.location).map_err(|e| DataFusionError::External(Box::new(e)))?;
        let options = StacOptions {
            fetch_concurrency: self.fetch_concurrency as usize,
            max_item_bytes: self.max_item_bytes,
            limit: self.limit,
            validate: self.validate,
            max_item_cells: self.max_item_cells,
            ..StacOptions::default()
        };
        let projection = self.projection.map(|of| of.columns.into_iter().map(|i| i as usize).collect::<Vec<_>>());
        let resolution =
            |r: u32| u8::try_from(r).map_err(|_| internal_datafusion_err!("there is no H3 resolution {r}"));
        let h3_resolution = self.h3_resolution.map(resolution).transpose()?;
        let scan = StacExec::of_slices(
            location,
            items::decode(self.promoted.as_ref())?,
            options,
            Slices::from_message(self.chunks)?,
            Some(numbers),
            self.fingerprint,
            projection.as_ref(),
            self.fetch.map(|n| n as usize),
        )?;
        Ok(scan.with_h3_resolution(h3_resolution))
    }
}
