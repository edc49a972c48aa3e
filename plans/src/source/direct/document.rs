//! A JSON document: one chunk, whose Items are counted when it is read.

use datafusion::common::Result;
use futures::TryStreamExt;
use url::Url;

use super::refuse_since;
use crate::source::chunk::Content;
use crate::source::planner::Planner;
use crate::source::read::{Block, document};

pub(in super::super) async fn plan(file: &Url, planner: &mut Planner<'_>) -> Result<()> {
    refuse_since(file, planner.options)?;
    planner.push_direct(file, 0..u64::MAX, Content::Document { file: file.clone() }, None);
    Ok(())
}

/// As [`plan`], for one of several files: under a limit its Items are counted, so that the next file gets what is left.
pub(super) async fn plan_one_of_many(file: &Url, planner: &mut Planner<'_>) -> Result<()> {
    let items = match planner.left() {
        Some(left) => Some(count(document(file, planner.options.max_item_bytes).await?, left).await?),
        None => None,
    };
    planner.push_direct(file, 0..u64::MAX, Content::Document { file: file.clone() }, items);
    Ok(())
}

/// The number of Items, or `at_most`.
pub(super) async fn count(
    mut blocks: impl TryStreamExt<Ok = Block, Error = datafusion::common::DataFusionError> + Unpin,
    at_most: u64,
) -> Result<u64> {
    let mut items = 0;
    while items < at_most
        && let Some(block) = blocks.try_next().await?
    {
        items += block.len() as u64;
    }
    Ok(items.min(at_most))
}
