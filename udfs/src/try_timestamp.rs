//! `try_timestamp(text)`: a text as a time, where it is one.

use std::sync::Arc;

use arrow::array::{AsArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use earthcatalog_stac_rows::{time, timestamp};

/// `try_timestamp(text) -> Timestamp(µs, UTC)`: a time as the columns of Items read it: RFC 3339, and the forms close
/// to it (a date alone is its midnight, no zone is UTC); what is finer than microseconds is cut off.
///
/// Null for null, and for any other text.
pub fn try_timestamp_udf() -> ScalarUDF {
    TryTimestamp { signature: Signature::uniform(1, vec![DataType::Utf8View], Volatility::Immutable) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TryTimestamp {
    signature: Signature,
}

impl ScalarUDFImpl for TryTimestamp {
    fn name(&self) -> &str {
        "try_timestamp"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(timestamp())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let time = |text| Some(time::parse(text)?.micros);
        let times: TimestampMicrosecondArray = texts.as_string_view().iter().map(|text| time(text?)).collect();
        Ok(ColumnarValue::Array(Arc::new(times.with_timezone("UTC"))))
    }
}
