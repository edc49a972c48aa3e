//! [`only_input`]: the input of what has one.

use datafusion::common::{Result, internal_datafusion_err};

/// The one of `inputs`; an internal error that names `of` where there are none or several.
pub fn only_input<'a, T>(of: &str, inputs: &'a [T]) -> Result<&'a T> {
    match inputs {
        [input] => Ok(input),
        _ => Err(internal_datafusion_err!("{of} has one input, not {}", inputs.len())),
    }
}
