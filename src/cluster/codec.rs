//! Our codecs over Ballista's.

use std::sync::Arc;

use ballista_core::serde::{BallistaCodec, BallistaPhysicalExtensionCodec};
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::PhysicalExtensionCodec;
use earthcatalog_plans::wire::{PlanCodec, PlannedCodec};

/// Encodes operators.
pub fn physical() -> Arc<dyn PhysicalExtensionCodec> {
    Arc::new(PlanCodec::new(Arc::new(BallistaPhysicalExtensionCodec::default())))
}

/// Encodes what is submitted.
pub fn logical() -> Arc<dyn LogicalExtensionCodec> {
    Arc::new(PlannedCodec::new(physical()))
}

/// Both.
pub fn codec() -> BallistaCodec {
    BallistaCodec::new(logical(), physical())
}
