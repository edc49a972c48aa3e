//! [`PlanCodec`]: physical operators as bytes.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use prost::Message;

use super::buckets::BucketScanMessage;
use super::envelope::{Kind, open, seal};
use super::functions;
use super::stac::StacMessage;
use super::write::WriteMessage;
use crate::query::OncePerItemExec;
use crate::runtime::only_input;
use crate::scan::bucket_files::BucketScanExec;
use crate::sink::WriteGeoParquetExec;
use crate::source::StacExec;

/// Encodes our operators, and hands the others to the codec of the cluster. Each message starts with our version, so that
/// no process runs a stage of another version: the first operator of a stage is the cluster's own, and comes by here.
#[derive(Debug)]
pub struct PlanCodec {
    of_cluster: Arc<dyn PhysicalExtensionCodec>,
}

impl PlanCodec {
    pub fn new(of_cluster: Arc<dyn PhysicalExtensionCodec>) -> Self {
        Self { of_cluster }
    }
}

impl PhysicalExtensionCodec for PlanCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (kind, message) = open(bytes)?;
        Ok(match kind {
            Kind::WriteGeoParquet => Arc::new(decode::<WriteMessage>(message)?.into_operator(inputs)?),
            Kind::Stac => Arc::new(decode::<StacMessage>(message)?.into_operator(inputs)?),
            Kind::BucketScan => Arc::new(decode::<BucketScanMessage>(message)?.into_operator(inputs)?),
            Kind::OncePerItem => {
                let apart = message.first().is_some_and(|apart| *apart != 0);
                let input = Arc::clone(only_input("OncePerItemExec", inputs)?);
                Arc::new(OncePerItemExec::try_new(input)?.with_partitions_apart(apart))
            }
            Kind::Foreign | Kind::Planned => self.of_cluster.try_decode(message, inputs, context, converter)?,
        })
    }

    fn try_encode(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let operator = plan.as_ref();
        if let Some(write) = operator.downcast_ref::<WriteGeoParquetExec>() {
            encode(Kind::WriteGeoParquet, &WriteMessage::try_from(write)?, bytes)
        } else if let Some(stac) = operator.downcast_ref::<StacExec>() {
            encode(Kind::Stac, &StacMessage::try_from(stac)?, bytes)
        } else if let Some(scan) = operator.downcast_ref::<BucketScanExec>() {
            encode(Kind::BucketScan, &BucketScanMessage::try_from(scan)?, bytes)
        } else if let Some(once) = operator.downcast_ref::<OncePerItemExec>() {
            seal(Kind::OncePerItem, bytes);
            bytes.push(once.has_partitions_apart().into());
        } else {
            seal(Kind::Foreign, bytes);
            return self.of_cluster.try_encode(plan, bytes, converter);
        }
        Ok(())
    }

    fn try_decode_udf(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        functions::decode(name, bytes)
    }

    fn try_encode_udf(&self, function: &ScalarUDF, bytes: &mut Vec<u8>) -> Result<()> {
        functions::encode(function, bytes);
        Ok(())
    }
}

fn encode(kind: Kind, message: &impl Message, bytes: &mut Vec<u8>) {
    seal(kind, bytes);
    bytes.extend(message.encode_to_vec());
}

fn decode<M: Message + Default>(message: &[u8]) -> Result<M> {
    M::decode(message).map_err(|e| DataFusionError::External(Box::new(e)))
}
