//! The page index of a small file: the bounds and the place of the one page of each column.
//!
//! It repeats the column's statistics and offset, for readers that look nowhere else.
//!
//! Source: Apache Parquet's `PageIndex.md` and `parquet.thrift` (ColumnIndex, OffsetIndex).

use parquet::basic::BoundaryOrder;

use super::footer::ColumnChunk;
use super::thrift::{BINARY, BOOL, I64, STRUCT, Writer};

/// Appends the page index to a file, and notes in `columns` where it is.
///
/// A column without bounds has no column index, unless it is all null: bounds are required there.
pub fn write_page_index(file: &mut Vec<u8>, columns: &mut [ColumnChunk]) {
    let mut out = Writer::appending(std::mem::take(file));
    for column in columns.iter_mut() {
        let start = out.bytes.len();
        if write_column_index(&mut out, column) {
            column.column_index = Some(start..out.bytes.len());
        }
    }
    for column in columns {
        let start = out.bytes.len();
        write_offset_index(&mut out, column);
        column.offset_index = start..out.bytes.len();
    }
    *file = out.bytes;
}

/// False if there is nothing to write.
fn write_column_index(out: &mut Writer, column: &ColumnChunk) -> bool {
    let statistics = &column.statistics;
    let nulls = statistics.null_count_opt().unwrap_or_default();
    let is_null = nulls == column.values as u64;
    let (min, max) = match (statistics.min_bytes_opt(), statistics.max_bytes_opt()) {
        _ if !column.bounded => return false,
        (Some(min), Some(max)) => (min, max),
        _ if is_null => (&[][..], &[][..]),
        _ => return false,
    };
    out.begin_element();
    out.list(1, BOOL, 1);
    out.bool_element(is_null);
    for (id, bound) in [(2, min), (3, max)] {
        out.list(id, BINARY, 1);
        out.binary_element(bound);
    }
    out.i32(4, BoundaryOrder::ASCENDING as i32);
    out.list(5, I64, 1);
    out.i64_element(nulls as i64);
    out.end();
    true
}

fn write_offset_index(out: &mut Writer, column: &ColumnChunk) {
    out.begin_element();
    out.list(1, STRUCT, 1);
    out.begin_element();
    out.i64(1, column.offset);
    out.i32(2, column.compressed_size as i32);
    // The row that the page starts with.
    out.i64(3, 0);
    out.end();
    out.end();
}
