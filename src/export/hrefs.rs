//! [`HrefsWriter`]: the addresses of assets, one a line.

use std::io::Write;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use serde_json::{Map, Value};

use crate::output::{OutputError, RowWriter};

/// Writes column `assets`, the first of each batch, as the `href` of each asset, or of the one called `asset`, in the
/// order in which the Item has them. An asset without one is left out.
pub struct HrefsWriter<'a> {
    pub asset: Option<&'a str>,
}

impl RowWriter for HrefsWriter<'_> {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let texts = cast(batch.column(0), &DataType::Utf8View).map_err(DataFusionError::from)?;
        for text in texts.as_string_view().iter().flatten() {
            let assets: Map<String, Value> =
                serde_json::from_str(text).map_err(|e| exec_datafusion_err!("column assets is no JSON object: {e}"))?;
            let wanted = assets.iter().filter(|(name, _)| self.asset.is_none_or(|asset| asset == *name));
            for href in wanted.filter_map(|(_, asset)| asset["href"].as_str()) {
                writeln!(out, "{href}")?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Write) -> Result<(), OutputError> {
        Ok(())
    }
}
