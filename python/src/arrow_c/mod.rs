//! Arrow arrays and streams as other libraries take them: the C data interface, in PyCapsules.
//!
//! Source: Arrow C data and C stream interfaces, and the PyCapsule interface of Arrow's format specification. What is
//! given away is read by whoever takes it, without a copy, and freed by us when it is released.
//!
//! Arrow's own `ffi` is a feature of crates below DataFusion. Cargo builds a crate with one set of features for a whole
//! workspace: asking for it here builds DataFusion and Ballista anew in every target folder (half an hour on two cores),
//! and gives the command code that it never runs. This is the half of it that gives arrays away, none of that which takes
//! them; `tests/test_arrow.py` has pyarrow validate every type.

mod array;
mod schema;
mod stream;

pub use array::CArray;
pub use schema::CSchema;
pub use stream::{BatchSource, CStream};

use std::ffi::CStr;

/// Names of the capsules.
pub const SCHEMA: &CStr = c"arrow_schema";
pub const ARRAY: &CStr = c"arrow_array";
pub const STREAM: &CStr = c"arrow_array_stream";
