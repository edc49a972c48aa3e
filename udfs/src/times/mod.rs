//! Times in microseconds, as the columns of Items have them.
//!
//! DataFusion takes constants, and what several functions work with, for nanoseconds, of which 64 bits end in the years
//! 1677 and 2262.
//!
//! - [`Microseconds`]: constants and casts of SQL.
//! - The functions that err beyond those years, each as DataFusion documents it: `date_trunc`, `date_bin`, `to_char`,
//!   `to_timestamp`, `now`.

mod date_bin;
mod date_trunc;
mod microseconds;
mod now;
mod spans;
mod to_char;
mod to_timestamp;

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::ScalarUDF;

pub use microseconds::Microseconds;

/// The functions of this module.
pub fn time_functions() -> Vec<ScalarUDF> {
    vec![
        date_bin::date_bin_udf(),
        date_trunc::date_trunc_udf(),
        now::now_udf(),
        to_char::to_char_udf(),
        to_timestamp::to_timestamp_udf(),
    ]
}

fn micros(zone: Option<Arc<str>>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

/// The type in which a function takes a time: its own, where it is one; microseconds for texts, dates and null.
fn as_time(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Null | DataType::Date32 | DataType::Date64 => micros(None),
        text if text.is_string() => micros(None),
        other => other.clone(),
    }
}
