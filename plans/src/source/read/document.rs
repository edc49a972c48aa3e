//! A JSON document as a stream: the features of an ItemCollection, or a single Item.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use futures::stream::{self, StreamExt};
use url::Url;

use super::features::{FeatureScanner, Found};
use super::pieces::{PieceError, inflated, pieces};
use super::raw::{Blocks, ObjectName, Raw};
use super::too_large::too_large;
use crate::model::chunk::RejectKind;
use crate::source::decode::Defect;

pub(in super::super) async fn document(file: &Url, max_bytes: u64) -> Result<Blocks> {
    let pieces = inflated(pieces(file, None).await?);
    let object = ObjectName::Url(Arc::from(file.as_str()));
    let state = (pieces, Some(FeatureScanner::new(max_bytes)), object);
    let blocks = stream::try_unfold(state, move |(mut pieces, mut scanner, object)| async move {
        while let Some(mut open) = scanner.take() {
            let mut found = vec![];
            let mut defect = None;
            match pieces.next().await {
                Some(Ok(piece)) => {
                    open.push(&piece, &mut found);
                    scanner = Some(open);
                }
                None => {
                    let end = open.finish(&mut found);
                    defect = end.err().map(|m| Defect { kind: RejectKind::MalformedJson, message: m.into() });
                }
                // The data are bad, not the connection: what could be read stands.
                Some(Err(e @ PieceError::Compressed { .. })) => {
                    let message = format!("the rest of the file is {e}");
                    defect = Some(Defect { kind: RejectKind::Unreadable, message });
                }
                Some(Err(e)) => return Err(DataFusionError::from(e)),
            }
            let mut block = found.into_iter().map(|found| raw(&object, found, max_bytes)).collect::<Vec<_>>();
            block.extend(defect.map(|d| Raw { object: object.clone(), position: None, range: None, body: Err(d) }));
            if !block.is_empty() {
                return Ok(Some((block, (pieces, scanner, object))));
            }
        }
        Ok(None)
    });
    Ok(blocks.boxed())
}

pub(super) fn raw(object: &ObjectName, found: Found, max_bytes: u64) -> Raw {
    let Found { index, range, text } = found;
    let body = text.ok_or_else(|| too_large(range.end - range.start, max_bytes));
    Raw { object: object.clone(), position: index, range: index.map(|_| range), body }
}
