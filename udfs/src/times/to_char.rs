//! `to_char(time, format)`: a time as text.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::as_time;

/// `to_char(time, format) -> Utf8`, as DataFusion has it, of all years: it cast microseconds to nanoseconds first.
///
/// `time` is a time, a date, a time of day or a duration; `format` is one of chrono's `strftime`. Null for null.
pub fn to_char_udf() -> ScalarUDF {
    ScalarUDF::from(ToChar { inner: datetime::to_char(), signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            // A date is formatted as one.
            [date @ (DataType::Date32 | DataType::Date64), _] => Ok(vec![date.clone(), DataType::Utf8]),
            [time, _] => Ok(vec![as_time(time), DataType::Utf8]),
            other => exec_err!("to_char takes a time and a format, not {} arguments", other.len()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }
}
