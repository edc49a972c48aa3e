//! What a partition does: the raw bytes of each Item of its chunk, decoded, and every one accounted for.

mod cells;
mod chunk_reader;
mod document;
pub(super) mod features;
pub(super) mod geometries;
mod lines;
mod local_files;
pub(super) mod objects;
pub(super) mod pieces;
mod raw;
pub(super) mod rows;
mod too_large;

pub(super) use chunk_reader::{ChunkReader, ReadMetrics};
pub(super) use document::document;
pub(super) use lines::{all_lines, is_before_first, is_blank, lines, separator_of};
pub(super) use raw::Block;
