//! What a partition does: the raw bytes of each Item of its chunk, decoded, and every one accounted for.

mod chunk_reader;
mod document;
pub(super) mod features;
mod lines;
mod local_files;
pub(super) mod objects;
pub(super) mod pieces;
mod raw;
pub(super) mod rows;
mod too_large;

pub(super) use chunk_reader::{ChunkReader, ReadMetrics};
pub(super) use document::document;
pub(super) use lines::{all_lines, is_blank, lines};
pub(super) use raw::Block;
