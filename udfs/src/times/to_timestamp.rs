//! `to_timestamp(value, …)`: seconds since 1970, or a text, as a time.

use std::sync::Arc;

use arrow::array::{AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::functions::datetime::to_timestamp::{ToTimestampFunc, ToTimestampMicrosFunc};
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};

use crate::rows::Rows;

use super::micros;

/// `to_timestamp(value[, format, …]) -> Timestamp(µs)`, in the zone of the session.
///
/// A number is seconds since 1970, rounded to microseconds; a text is a time, read by the first of the formats (chrono's
/// `strftime`) that fits where there are some, and then of a year that nanoseconds have; a time or a date is itself.
/// Null for null.
///
/// Errors: a number or a text that is no time.
pub fn to_timestamp_udf() -> ScalarUDF {
    ToTimestamp::new(&ConfigOptions::default()).into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToTimestamp {
    /// With the documentation.
    seconds: ToTimestampFunc,
    /// What reads texts.
    micros: ToTimestampMicrosFunc,
    zone: Option<Arc<str>>,
}

impl ToTimestamp {
    fn new(config: &ConfigOptions) -> Self {
        Self {
            seconds: ToTimestampFunc::new_with_config(config),
            micros: ToTimestampMicrosFunc::new_with_config(config),
            zone: config.execution.time_zone.as_deref().map(Arc::from),
        }
    }
}

impl ScalarUDFImpl for ToTimestamp {
    fn name(&self) -> &str {
        "to_timestamp"
    }

    fn signature(&self) -> &Signature {
        self.seconds.signature()
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(Self::new(config).into())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(micros(self.zone.clone()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.seconds.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.first() else { return Err(exec_datafusion_err!("to_timestamp takes a value")) };
        let data_type = micros(self.zone.clone());
        match value.data_type() {
            text if text.is_string() => self.micros.invoke_with_args(args),
            number if number.is_integer() => value
                .cast_to(&DataType::Timestamp(TimeUnit::Second, self.zone.clone()), None)?
                .cast_to(&data_type, None),
            number if number.is_floating() => {
                let seconds = value.cast_to(&DataType::Float64, None)?.into_array(args.number_rows)?;
                let micros: TimestampMicrosecondArray = seconds.as_primitive::<Float64Type>().try_unary(rounded)?;
                self.answer(micros, value)
            }
            number if number.is_decimal() => {
                let seconds = value.cast_to(&DataType::Decimal128(38, 6), None)?.into_array(args.number_rows)?;
                let micros: TimestampMicrosecondArray = seconds
                    .as_primitive::<Decimal128Type>()
                    .try_unary(|micros| i64::try_from(micros).map_err(|_| out_of_range(&format!("{micros} µs"))))?;
                self.answer(micros, value)
            }
            _ => value.cast_to(&data_type, None),
        }
    }
}

impl ToTimestamp {
    fn answer(&self, micros: TimestampMicrosecondArray, of: &ColumnarValue) -> Result<ColumnarValue> {
        let micros = micros.with_timezone_opt(self.zone.clone());
        Rows::of(std::slice::from_ref(of), micros.len()).answer(Arc::new(micros))
    }
}

fn rounded(seconds: f64) -> Result<i64> {
    let micros = (seconds * 1e6).round();
    // 2^63 as a float is the first that does not fit.
    let fits = micros >= i64::MIN as f64 && micros < i64::MAX as f64;
    if fits { Ok(micros as i64) } else { Err(out_of_range(&format!("{seconds} s"))) }
}

fn out_of_range(what: &str) -> DataFusionError {
    exec_datafusion_err!("to_timestamp: {what} since 1970 is not a time")
}
