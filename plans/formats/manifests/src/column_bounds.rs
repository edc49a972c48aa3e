//! Statistics of columns, an element per file, from what manifests record by field id.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryViewBuilder, BooleanBuilder, Float32Builder, Float64Builder, Int32Builder,
    Int64Builder, StringViewBuilder, TimestampMicrosecondBuilder, UInt64Array, UInt64Builder,
};
use arrow::datatypes::{DataType, Schema, TimeUnit};

/// Statistics of one column: an element per file, null where unknown.
#[derive(Debug)]
pub struct Bounds {
    pub min: ArrayRef,
    pub max: ArrayRef,
    pub nulls: UInt64Array,
}

/// What a manifest records of the columns of one file, by field id: counts, and bounds as single values (Iceberg spec,
/// "Binary single-value serialization").
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Recorded<'a> {
    pub lower: Vec<(i32, &'a [u8])>,
    pub upper: Vec<(i32, &'a [u8])>,
    pub nulls: Vec<(i32, i64)>,
}

/// Builds the statistics of all columns that can have any, file by file.
pub struct BoundsBuilder {
    files: usize,
    columns: Vec<Column>,
    /// Field ids in order, each with the index of its column.
    by_id: Vec<(i32, usize)>,
}

struct Column {
    name: String,
    min: Values,
    max: Values,
    nulls: UInt64Builder,
}

impl BoundsBuilder {
    /// For the columns of `table` that have an id.
    pub fn new(table: &Schema, field_id: impl Fn(&str) -> Option<i32>) -> Self {
        let (mut columns, mut by_id) = (vec![], vec![]);
        for field in table.fields() {
            let values = || Values::new(field.data_type());
            let (Some(min), Some(max), Some(id)) = (values(), values(), field_id(field.name())) else { continue };
            by_id.push((id, columns.len()));
            columns.push(Column { name: field.name().clone(), min, max, nulls: UInt64Builder::new() });
        }
        by_id.sort_unstable();
        Self { files: 0, columns, by_id }
    }

    /// Adds a file. What is malformed is unknown, and of what is recorded twice the first counts.
    pub fn push(&mut self, recorded: &Recorded) {
        let file = self.files;
        for &(id, bytes) in &recorded.lower {
            if let Some(column) = self.column(id).filter(|c| c.min.len() == file) {
                column.min.append(bytes);
            }
        }
        for &(id, bytes) in &recorded.upper {
            if let Some(column) = self.column(id).filter(|c| c.max.len() == file) {
                column.max.append(bytes);
            }
        }
        for &(id, nulls) in &recorded.nulls {
            if let Some(column) = self.column(id).filter(|c| c.nulls.len() == file) {
                column.nulls.append_option(nulls.try_into().ok());
            }
        }
        self.files += 1;
        for column in &mut self.columns {
            for values in [&mut column.min, &mut column.max] {
                if values.len() == file {
                    values.append_null();
                }
            }
            if column.nulls.len() == file {
                column.nulls.append_null();
            }
        }
    }

    fn column(&mut self, id: i32) -> Option<&mut Column> {
        let at = self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.columns.get_mut(self.by_id[at].1)
    }

    /// The statistics of each column, by its name.
    pub fn finish(self) -> HashMap<String, Bounds> {
        let bounds = |mut column: Column| {
            let (min, max) = (column.min.finish(), column.max.finish());
            (column.name, Bounds { min, max, nulls: column.nulls.finish() })
        };
        self.columns.into_iter().map(bounds).collect()
    }
}

/// Builds an array from single values.
enum Values {
    Boolean(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringViewBuilder),
    /// Without bounds.
    Bytes(BinaryViewBuilder),
    Micros(TimestampMicrosecondBuilder),
}

macro_rules! with_builder {
    ($values:expr, $builder:ident => $result:expr) => {
        match $values {
            Values::Boolean($builder) => $result,
            Values::Int32($builder) => $result,
            Values::Int64($builder) => $result,
            Values::Float32($builder) => $result,
            Values::Float64($builder) => $result,
            Values::Text($builder) => $result,
            Values::Bytes($builder) => $result,
            Values::Micros($builder) => $result,
        }
    };
}

impl Values {
    /// `None` for columns without statistics: a struct or list has none of its own.
    fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int32 => Self::Int32(Int32Builder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::Float32 => Self::Float32(Float32Builder::new()),
            DataType::Float64 => Self::Float64(Float64Builder::new()),
            DataType::Utf8View => Self::Text(StringViewBuilder::new()),
            DataType::BinaryView => Self::Bytes(BinaryViewBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Micros(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()))
            }
            _ => return None,
        })
    }

    fn append(&mut self, bytes: &[u8]) {
        fn exactly<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
            bytes.try_into().ok()
        }
        match self {
            Self::Boolean(values) => values.append_option(exactly(bytes).map(|[byte]| byte != 0)),
            Self::Int32(values) => values.append_option(exactly(bytes).map(i32::from_le_bytes)),
            // A column may have been narrower when the file was written.
            Self::Int64(values) => {
                let int = || exactly(bytes).map(i32::from_le_bytes).map(i64::from);
                values.append_option(exactly(bytes).map(i64::from_le_bytes).or_else(int));
            }
            Self::Float32(values) => values.append_option(exactly(bytes).map(f32::from_le_bytes)),
            Self::Float64(values) => {
                let float = || exactly(bytes).map(f32::from_le_bytes).map(f64::from);
                values.append_option(exactly(bytes).map(f64::from_le_bytes).or_else(float));
            }
            Self::Text(values) => values.append_option(str::from_utf8(bytes).ok()),
            Self::Bytes(values) => values.append_null(),
            Self::Micros(values) => values.append_option(exactly(bytes).map(i64::from_le_bytes)),
        }
    }

    fn append_null(&mut self) {
        with_builder!(self, values => values.append_null());
    }

    fn len(&self) -> usize {
        with_builder!(self, values => values.len())
    }

    fn finish(&mut self) -> ArrayRef {
        with_builder!(self, values => Arc::new(values.finish()))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Field, Float64Type};

    use super::*;

    #[test]
    fn each_file_has_an_element_in_each_column_null_where_nothing_is_recorded() {
        let id = |name: &str| ["id", "latitude"].iter().position(|n| *n == name).map(|at| at as i32 + 1);
        let table = Schema::new(vec![
            Field::new("id", DataType::Utf8View, false),
            Field::new("platform", DataType::Utf8View, true),
            Field::new("latitude", DataType::Float64, true),
        ]);
        let mut builder = BoundsBuilder::new(&table, id);
        let (low, high) = (1.5f64.to_le_bytes(), 2.5f64.to_le_bytes());
        builder.push(&Recorded {
            lower: vec![(2, &low), (1, b"a"), (9, b"?"), (2, &high)],
            upper: vec![(2, &high), (1, b"\xff")],
            nulls: vec![(1, 0), (2, -1)],
        });
        builder.push(&Recorded::default());
        builder.push(&Recorded { lower: vec![(2, b"short")], ..Recorded::default() });

        let columns = builder.finish();
        assert_eq!(columns.len(), 2, "columns without an id have no statistics");
        let latitude = &columns["latitude"];
        assert_eq!(latitude.min.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(1.5), None, None]);
        assert_eq!(latitude.max.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(2.5), None, None]);
        assert_eq!(latitude.nulls.null_count(), 3, "a count below nought is none");
        let id = &columns["id"];
        assert_eq!(id.min.as_string_view().iter().collect::<Vec<_>>(), [Some("a"), None, None]);
        assert_eq!(id.max.null_count(), 3, "what is no text is no bound");
        assert_eq!(id.nulls.iter().collect::<Vec<_>>(), [Some(0), None, None]);
    }
}
