//! What is recorded of the columns of files, in their manifest and in their own row groups, compared with their rows.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use super::finding::{Check, Finding};
use super::named::count;
use super::part_file::{Footer, PartFile};
use crate::model::field_ids::{position, with_field_ids};
use crate::table::Warehouse;
use crate::table::manifests::files::LiveFiles;

/// What a manifest records of its files.
pub(super) struct Recorded<'a> {
    pub warehouse: &'a Warehouse,
    pub files: &'a LiveFiles,
}

/// What the rows of a file have in one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    /// Null where all values are.
    pub least: ScalarValue,
    pub greatest: ScalarValue,
    pub nulls: u64,
}

impl Recorded<'_> {
    /// The columns of which something is recorded.
    pub fn columns(&self) -> Vec<String> {
        let fields = self.warehouse.items().table_schema().fields();
        let names = fields.iter().map(|field| field.name());
        let is_recorded = |name: &&String| {
            self.files.bounds(name).is_some_and(|bounds| {
                let all = self.files.files.len();
                bounds.min.null_count() < all || bounds.max.null_count() < all || bounds.nulls.null_count() < all
            })
        };
        names.filter(is_recorded).cloned().collect()
    }

    /// What of a column of a file does not hold for its rows.
    pub fn faults(&self, file: &PartFile, column: &str, rows: &Range) -> Result<Vec<Finding>> {
        let location = &file.live.location;
        let mut found = vec![];
        if let Some(bounds) = self.files.bounds(column) {
            let [least, greatest] =
                [&bounds.min, &bounds.max].map(|array| ScalarValue::try_from_array(array, file.number));
            found.extend(outside(Check::Bounds, location, column, rows, &least?, &greatest?));
            if bounds.nulls.is_valid(file.number) && bounds.nulls.value(file.number) != rows.nulls {
                let expected = format!("{} in column {column}", count(bounds.nulls.value(file.number), "null"));
                found.push(Finding::new(Check::Bounds, location, expected, count(rows.nulls, "null")));
            }
        }
        if let Some(footer) = &file.footer
            && let Some((least, greatest)) = self.of_row_groups(footer, column)?
        {
            found.extend(outside(Check::Statistics, location, column, rows, &least, &greatest));
        }
        Ok(found)
    }

    /// Extremes of a column in the statistics of all row groups of a file; `None` where one of them does not say.
    fn of_row_groups(&self, footer: &Footer, column: &str) -> Result<Option<(ScalarValue, ScalarValue)>> {
        let Footer { metadata, schema } = footer;
        let Some((_, field)) = self.warehouse.items().table_schema().fields().find(column) else { return Ok(None) };
        let wanted = with_field_ids([field], "", self.warehouse.field_ids())?;
        let Some(at) = wanted.first().and_then(|wanted| position(wanted, schema.fields())) else { return Ok(None) };
        let descriptor = metadata.file_metadata().schema_descr();
        let Ok(converter) = StatisticsConverter::try_new(schema.field(at).name(), schema, descriptor) else {
            return Ok(None);
        };
        let groups = || metadata.row_groups().iter().filter(|group| group.num_rows() > 0);
        let (Ok(least), Ok(greatest)) = (converter.row_group_mins(groups()), converter.row_group_maxes(groups()))
        else {
            return Ok(None);
        };
        let extreme = |array: &ArrayRef, wanted: Ordering| extreme(array, field.data_type(), wanted);
        Ok(extreme(&least, Ordering::Less)?.zip(extreme(&greatest, Ordering::Greater)?))
    }
}

/// The least or greatest value of an array; `None` where one of them is null, or there is none.
fn extreme(array: &ArrayRef, data_type: &DataType, wanted: Ordering) -> Result<Option<ScalarValue>> {
    if array.is_empty() || array.null_count() > 0 {
        return Ok(None);
    }
    let Ok(array) = cast(array, data_type) else { return Ok(None) };
    let mut extreme = ScalarValue::try_from_array(&array, 0)?;
    for row in 1..array.len() {
        let value = ScalarValue::try_from_array(&array, row)?;
        if value.partial_cmp(&extreme) == Some(wanted) {
            extreme = value;
        }
    }
    Ok(Some(extreme))
}

/// The finding of rows that are not between two bounds. A bound that is null is not known.
fn outside(
    check: Check,
    location: &str,
    column: &str,
    rows: &Range,
    least: &ScalarValue,
    greatest: &ScalarValue,
) -> Option<Finding> {
    let is_below = compare(&rows.least, least) == Some(Ordering::Less);
    let is_above = compare(&rows.greatest, greatest) == Some(Ordering::Greater);
    (is_below || is_above).then(|| {
        let expected = format!("{column} from {least} to {greatest}");
        Finding::new(check, location, expected, format!("{} to {}", rows.least, rows.greatest))
    })
}

/// The order of two values, where both are known. Numbers are compared as numbers: the zeros are one, and what is no number
/// has no order and no bounds.
fn compare(a: &ScalarValue, b: &ScalarValue) -> Option<Ordering> {
    if a.is_null() || b.is_null() {
        return None;
    }
    match (a, b) {
        (ScalarValue::Float64(a), ScalarValue::Float64(b)) => a.partial_cmp(b),
        (ScalarValue::Float32(a), ScalarValue::Float32(b)) => a.partial_cmp(b),
        _ => a.partial_cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_one_and_what_is_no_number_has_no_bounds() {
        let number = |value: f64| ScalarValue::Float64(Some(value));
        let range = |least: f64, greatest: f64| Range { least: number(least), greatest: number(greatest), nulls: 0 };
        let outside = |rows: Range| outside(Check::Bounds, "f", "c", &rows, &number(0.0), &number(1.0)).is_some();
        assert!(!outside(range(-0.0, 1.0)) && !outside(range(0.5, f64::NAN)));
        assert!(outside(range(-0.1, 1.0)) && outside(range(0.0, 1.5)));
        let unknown = ScalarValue::Float64(None);
        assert_eq!(super::outside(Check::Bounds, "f", "c", &range(5.0, 6.0), &unknown, &unknown), None);
    }
}
