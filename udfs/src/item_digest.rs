//! `item_digest(*)`: a number by which versions of an Item are told apart.

use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use twox_hash::XxHash64;

pub(crate) const NAME: &str = "item_digest";

/// `item_digest(*) -> UInt64`: a digest of the values of a row, the same on every machine.
///
/// The arguments are columns of table `items`; a star stands for all of them but `grid_partition` and `bbox`, and those
/// that `buckets` adds, so that all rows of one version of an Item have the same digest. It breaks ties between versions that no time tells apart.
/// A null is a value of its own.
///
/// Never null. Errors: a column of a type that no column of an Item has. Source: xxHash64, seed 0.
pub fn item_digest_udf() -> ScalarUDF {
    ScalarUDF::from(ItemDigest { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ItemDigest {
    signature: Signature,
}

impl ScalarUDFImpl for ItemDigest {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn is_nullable(&self, _: &[datafusion::logical_expr::Expr], _: &dyn datafusion::common::ExprSchema) -> bool {
        false
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut rows = vec![XxHash64::with_seed(0); args.number_rows];
        for value in &args.args {
            add(&value.to_array(args.number_rows)?, &mut rows)?;
        }
        let digests: UInt64Array = rows.iter().map(|row| row.finish()).collect();
        Ok(ColumnarValue::Array(Arc::new(digests)))
    }
}

/// Adds a value of `column` to the digest of each row.
fn add(column: &ArrayRef, rows: &mut [XxHash64]) -> Result<()> {
    match column.data_type() {
        DataType::Null => rows.iter_mut().for_each(|row| row.write_u8(0)),
        DataType::Boolean => each(column, rows, |i, row| row.write_u8(column.as_boolean().value(i).into())),
        DataType::Int32 => each(column, rows, |i, row| row.write_i32(column.as_primitive::<Int32Type>().value(i))),
        DataType::Int64 => each(column, rows, |i, row| row.write_i64(column.as_primitive::<Int64Type>().value(i))),
        DataType::Float32 => each(column, rows, |i, row| {
            row.write_u32(column.as_primitive::<Float32Type>().value(i).to_bits());
        }),
        DataType::Float64 => each(column, rows, |i, row| {
            row.write_u64(column.as_primitive::<Float64Type>().value(i).to_bits());
        }),
        DataType::Timestamp(..) => each(column, rows, |i, row| {
            row.write_i64(column.as_primitive::<TimestampMicrosecondType>().value(i));
        }),
        DataType::Utf8View => each(column, rows, |i, row| bytes(column.as_string_view().value(i).as_bytes(), row)),
        DataType::Utf8 => each(column, rows, |i, row| bytes(column.as_string::<i32>().value(i).as_bytes(), row)),
        DataType::BinaryView => each(column, rows, |i, row| bytes(column.as_binary_view().value(i), row)),
        DataType::Binary => each(column, rows, |i, row| bytes(column.as_binary::<i32>().value(i), row)),
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            for (i, row) in rows.iter_mut().enumerate() {
                row.write_u8(list.is_valid(i).into());
                if list.is_valid(i) {
                    row.write_i32(list.value_length(i));
                    let elements = list.value(i);
                    (0..elements.len()).try_for_each(|e| add(&elements.slice(e, 1), std::slice::from_mut(row)))?;
                }
            }
        }
        other => return exec_err!("item_digest: no column of an Item has type {other}; leave this one out"),
    }
    Ok(())
}

fn each(column: &ArrayRef, rows: &mut [XxHash64], value: impl Fn(usize, &mut XxHash64)) {
    for (i, row) in rows.iter_mut().enumerate() {
        row.write_u8(column.is_valid(i).into());
        if column.is_valid(i) {
            value(i, row);
        }
    }
}

/// With the length in front, so that values do not run into each other.
fn bytes(value: &[u8], row: &mut XxHash64) {
    row.write_u32(value.len() as u32);
    row.write(value);
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn digests(rows: &str) -> Vec<u64> {
        let session = SessionContext::new();
        crate::register(&session).unwrap();
        session.sql(&format!("CREATE TABLE t AS {rows}")).await.unwrap().collect().await.unwrap();
        let batches = session.sql("SELECT item_digest(*) FROM t ORDER BY n").await.unwrap().collect().await.unwrap();
        batches
            .iter()
            .flat_map(|b| b.column(0).as_primitive::<arrow::datatypes::UInt64Type>().values().to_vec())
            .collect()
    }

    #[tokio::test]
    async fn rows_of_one_version_agree_and_other_rows_do_not() {
        let rows = "SELECT 1 AS n, 'a' AS x, 'bc' AS y, [1, 2] AS z, '811' AS grid_partition
            UNION ALL SELECT 1, 'a', 'bc', [1, 2], '812'
            UNION ALL SELECT 2, 'ab', 'c', [1, 2], '811'
            UNION ALL SELECT 3, NULL, 'bc', [1, 2], '811'
            UNION ALL SELECT 4, '', 'bc', [1, 2], '811'
            UNION ALL SELECT 5, 'a', 'bc', [1], '811'
            UNION ALL SELECT 6, 'a', 'bc', NULL, '811'";
        let mut digests = digests(rows).await;
        assert_eq!(digests[0], digests[1]);
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 6);
    }

    #[tokio::test]
    async fn a_digest_never_changes_from_one_release_to_the_next() {
        assert_eq!(digests("SELECT 1::INT AS n, 'a' AS x, NULL::DOUBLE AS y, true AS z").await, [11441099988255278149]);
    }
}
