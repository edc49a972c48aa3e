//! Cell and year of a file, in the partition tuple that Iceberg keeps of it.

use iceberg::spec::{DataFile, Literal, PrimitiveLiteral};

/// Iceberg counts years from this one.
pub(crate) const EPOCH_YEAR: i32 = 1970;

/// Cell and year of the partition tuple of a file; `None` where it has none, or another partitioning.
pub(crate) fn bucket_of(file: &DataFile) -> (Option<&str>, Option<i32>) {
    let value = |i: usize| match file.partition().fields().get(i) {
        Some(Some(Literal::Primitive(value))) => Some(value),
        _ => None,
    };
    let cell = value(0).and_then(|v| if let PrimitiveLiteral::String(cell) = v { Some(cell.as_str()) } else { None });
    let year =
        value(1).and_then(|v| if let PrimitiveLiteral::Int(year) = v { year.checked_add(EPOCH_YEAR) } else { None });
    (cell, year)
}
