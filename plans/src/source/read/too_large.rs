//! What is said of an Item or a document that is larger than `max_item_bytes`.

use crate::model::chunk::RejectKind;
use crate::source::decode::Defect;

pub(super) fn too_large(size: u64, max_bytes: u64) -> Defect {
    let message = format!("{size} bytes are more than option 'max_item_bytes' allows ({max_bytes})");
    Defect { kind: RejectKind::TooLarge, message }
}
