//! CQL2 (OGC 21-065r2): filters as text and as JSON, read into one tree.
//!
//! Written here because the `cql2` crate (0.6) cannot be used as it is: a text with a thousand parentheses overflows
//! its stack and ends the process, its JSON reader refuses `0.10` and `1e5` where `serde_json` keeps numbers as they
//! are written (which Items need), and it brings 37 crates, among them a validator of JSON schemas and a second WKT
//! reader.

mod call;
mod json;
mod text;
mod wkt;

use chrono::{DateTime, NaiveDate, Utc};
use geo::Geometry;

pub(super) use call::instant;
pub use call::{Function, MOST_NESTED};

/// An expression of CQL2.
#[derive(Debug, Clone, PartialEq)]
pub enum Cql2 {
    /// The name as it is written: `eo:cloud_cover`, `properties.eo:cloud_cover`.
    Property(String),
    Number(f64),
    Text(String),
    Boolean(bool),
    Null,
    Timestamp(DateTime<Utc>),
    Date(NaiveDate),
    /// Start and end; `None` is an open one.
    Interval(Bound, Bound),
    Geometry(Geometry),
    Array(Vec<Cql2>),
    Call(Function, Vec<Cql2>),
}

/// An end of an interval: a time, a property, or `None` where it is open.
pub type Bound = Option<Box<Cql2>>;

impl Cql2 {
    /// Reads `cql2-text`.
    ///
    /// Errors: what is wrong, and behind which text.
    pub fn from_text(text: &str) -> Result<Self, String> {
        text::parse(text)
    }

    /// Reads `cql2-json`.
    ///
    /// Errors: what is wrong, with the part of the JSON that is.
    pub fn from_json(json: &serde_json::Value) -> Result<Self, String> {
        json::parse(json)
    }

    /// How many operators and functions it has.
    pub fn operators(&self) -> usize {
        match self {
            Self::Call(_, operands) => 1 + operands.iter().map(Self::operators).sum::<usize>(),
            Self::Array(elements) => elements.iter().map(Self::operators).sum(),
            _ => 0,
        }
    }
}
