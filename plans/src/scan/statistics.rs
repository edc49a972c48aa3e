//! Statistics of chosen files, as the optimizer wants them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::filter;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use earthcatalog_manifests::Bounds;

use crate::model::items::GRID_PARTITION;
use crate::table::manifests::files::LiveFiles;

/// The chosen files of one manifest.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub of: Arc<LiveFiles>,
    /// An element per file.
    pub chosen: BooleanArray,
}

impl Chosen {
    pub fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        self.chosen.values().set_indices()
    }

    pub fn rows(&self) -> u64 {
        self.indices().map(|i| self.of.files[i].rows).sum()
    }
}

/// Statistics of all rows in the chosen files. Row and null counts are exact, and so are bounds where every file
/// has them, but of strings: other writers shorten those.
pub(super) fn of_all(chosen: &[Chosen], schema: &SchemaRef) -> Result<Statistics> {
    let bytes: u64 = chosen.iter().flat_map(|c| c.indices().map(|i| c.of.files[i].bytes)).sum();
    let columns = schema.fields().iter().map(|field| of_column(chosen, field.name(), field.data_type()));
    Ok(Statistics {
        num_rows: Precision::Exact(chosen.iter().map(Chosen::rows).sum::<u64>() as usize),
        total_byte_size: Precision::Inexact(bytes as usize),
        column_statistics: columns.collect::<Result<_>>()?,
    })
}

fn of_column(chosen: &[Chosen], column: &str, data_type: &DataType) -> Result<ColumnStatistics> {
    let unknown = ColumnStatistics::new_unknown();
    let (mut nulls, mut bounded) = (Some(0), true);
    if data_type.is_nested() || chosen.iter().any(|c| c.of.bounds(column).is_none()) {
        return Ok(unknown);
    }
    let (mut min, mut max) = (MinAccumulator::try_new(data_type)?, MaxAccumulator::try_new(data_type)?);
    for chosen in chosen {
        let Some(bounds) = chosen.of.bounds(column) else { return Ok(unknown) };
        for i in chosen.indices() {
            let of_file = bounds.nulls.is_valid(i).then(|| bounds.nulls.value(i));
            nulls = nulls.zip(of_file).map(|(sum, n)| sum + n);
            let all_null = of_file == Some(chosen.of.files[i].rows);
            bounded &= all_null || (bounds.min.is_valid(i) && bounds.max.is_valid(i));
        }
        let only = |array: &ArrayRef| filter(array, &chosen.chosen);
        min.update_batch(&[only(&bounds.min)?])?;
        max.update_batch(&[only(&bounds.max)?])?;
    }
    let exact = matches!(data_type, DataType::Utf8View).then_some(column == GRID_PARTITION).unwrap_or(true);
    let precision = |value: ScalarValue| match (bounded && !value.is_null(), exact) {
        (false, _) => Precision::Absent,
        (true, true) => Precision::Exact(value),
        (true, false) => Precision::Inexact(value),
    };
    Ok(ColumnStatistics {
        null_count: nulls.map_or(Precision::Absent, |n| Precision::Exact(n as usize)),
        min_value: precision(min.evaluate()?),
        max_value: precision(max.evaluate()?),
        ..unknown
    })
}

/// Statistics of one file, by which a scan can still skip it when a filter becomes known while it runs.
pub(super) fn of_file(files: &LiveFiles, i: usize, schema: &SchemaRef) -> Result<Statistics> {
    let value = |array: &ArrayRef| -> Result<Precision<ScalarValue>> {
        if array.is_null(i) {
            return Ok(Precision::Absent);
        }
        Ok(Precision::Inexact(ScalarValue::try_from_array(array, i)?))
    };
    let column = |bounds: &Bounds| -> Result<ColumnStatistics> {
        let nulls = bounds.nulls.is_valid(i).then(|| Precision::Exact(bounds.nulls.value(i) as usize));
        Ok(ColumnStatistics {
            null_count: nulls.unwrap_or(Precision::Absent),
            min_value: value(&bounds.min)?,
            max_value: value(&bounds.max)?,
            ..ColumnStatistics::new_unknown()
        })
    };
    let columns = schema.fields().iter().map(|field| match files.bounds(field.name()) {
        Some(bounds) => column(bounds),
        None => Ok(ColumnStatistics::new_unknown()),
    });
    Ok(Statistics {
        num_rows: Precision::Exact(files.files[i].rows as usize),
        total_byte_size: Precision::Inexact(files.files[i].bytes as usize),
        column_statistics: columns.collect::<Result<_>>()?,
    })
}
