//! Why something is not an Item.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an object is not an Item, or could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectKind {
    /// No such object.
    Missing,
    /// The store refuses to give it, or no store can name it.
    Unreadable,
    /// Larger than the limit for one Item.
    TooLarge,
    /// Not JSON, or not UTF-8.
    MalformedJson,
    /// JSON, but no GeoJSON Feature.
    NotAFeature,
    /// `id` is absent, empty or not a string.
    InvalidId,
    /// `geometry` cannot be read as a GeoJSON geometry.
    InvalidGeometry,
    /// The footprint touches more cells than one Item may have.
    TooManyCells,
    /// `datetime` is present and is no time.
    InvalidDatetime,
    /// A member that must be an object or a list (`properties`, `assets`, `links`) is something else.
    InvalidMember,
    /// It lacks what the STAC specification requires of an Item; only where that is checked.
    InvalidItem,
}

impl RejectKind {
    /// The name in table `rejects` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::MalformedJson => "malformed_json",
            Self::NotAFeature => "not_a_feature",
            Self::InvalidId => "invalid_id",
            Self::InvalidGeometry => "invalid_geometry",
            Self::TooManyCells => "too_many_cells",
            Self::InvalidDatetime => "invalid_datetime",
            Self::InvalidMember => "invalid_member",
            Self::InvalidItem => "invalid_item",
        }
    }
}

/// Why a text is no Item.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Defect {
    pub kind: RejectKind,
    /// One sentence without a full stop: what is wrong, with the value or the byte offset.
    pub message: String,
}

impl Defect {
    pub(crate) fn new(kind: RejectKind, message: String) -> Self {
        Self { kind, message }
    }
}
