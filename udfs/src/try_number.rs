//! `try_number(text)`: a text as a number, where it is one.

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// `try_number(text) -> Float64`: the nearest double of a number as JSON writes it (`7`, `-0.5`, `1e3`); -0 is 0.
///
/// Null for null, and for any other text, such as `NaN`, or a number beyond all doubles.
pub fn try_number_udf() -> ScalarUDF {
    TryNumber { signature: Signature::uniform(1, vec![DataType::Utf8View], Volatility::Immutable) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TryNumber {
    signature: Signature,
}

impl ScalarUDFImpl for TryNumber {
    fn name(&self) -> &str {
        "try_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let numbers: Float64Array = texts.as_string_view().iter().map(|text| number(text?)).collect();
        Ok(ColumnarValue::Array(Arc::new(numbers)))
    }
}

fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_json = match digits {
        [b'0'] | [b'0', b'.' | b'e' | b'E', ..] | [b'1'..=b'9', ..] => {
            let points = digits.iter().position(|byte| *byte == b'.');
            digits.last().is_some_and(u8::is_ascii_digit)
                && points.is_none_or(|at| digits.get(at + 1).is_some_and(u8::is_ascii_digit))
        }
        _ => false,
    };
    // Rust's syntax of floats includes JSON's; what it has beyond begins or ends with something else.
    let number = text.parse::<f64>().ok().filter(|number| is_json && number.is_finite())?;
    Some(number + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_json_are_read_and_nothing_else() {
        for (text, expected) in [
            ("7", Some(7.0)),
            ("-0.5", Some(-0.5)),
            ("1e3", Some(1000.0)),
            ("0E-2", Some(0.0)),
            ("1.5E+2", Some(150.0)),
            ("12345678901234567890", Some(12345678901234567890.0)),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert!(number("-0").is_some_and(|zero| zero.is_sign_positive()));
        for text in
            ["", "-", "+1", "01", ".5", "1.", "1.e3", "1e", "NaN", "inf", "infinity", "1e999", " 1", "0x1", "1_0"]
        {
            assert_eq!(number(text), None, "{text}");
            assert_eq!(
                serde_json::from_str::<f64>(text.trim_start_matches(' ')).ok().filter(|_| !text.starts_with(' ')),
                None
            );
        }
    }
}
