//! Work cut into portions of about the same size.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// At most `portions` portions: item by item, each into the portion with the least load so far. The largest items come
/// first, or the portions differ much. None of the portions is empty.
pub(crate) fn balanced<T>(items: Vec<T>, portions: usize, load: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut filled: Vec<Vec<T>> = vec![];
    filled.resize_with(portions.min(items.len()), Vec::new);
    let mut least: BinaryHeap<_> = (0..filled.len()).map(|portion| Reverse((0, portion))).collect();
    for item in items {
        if let Some(mut first) = least.peek_mut() {
            let Reverse((total, portion)) = &mut *first;
            *total += load(&item);
            filled[*portion].push(item);
        }
    }
    filled
}
