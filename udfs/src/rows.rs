//! [`Rows`]: for how many rows a function answers.

use arrow::array::ArrayRef;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;

/// The rows that a function answers for: where its arguments are constants, one stands for all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    pub count: usize,
    is_constant: bool,
}

impl Rows {
    /// Those of `arguments` that decide, in a batch of `rows`.
    pub fn of(arguments: &[ColumnarValue], rows: usize) -> Self {
        let is_constant = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        Self { count: if is_constant { 1 } else { rows }, is_constant }
    }

    /// What the function gives, of an answer for each of these rows.
    pub fn answer(self, answers: ArrayRef) -> Result<ColumnarValue> {
        Ok(match self.is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&answers, 0)?),
            false => ColumnarValue::Array(answers),
        })
    }
}
