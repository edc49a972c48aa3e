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

/// At most `portions` portions of items that follow each other. A portion is closed when it holds its share of what the
/// portions before it left over. None of the portions is empty.
pub(crate) fn consecutive<T>(items: Vec<T>, portions: usize, load: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let (count, portions) = (items.len(), portions.min(items.len()));
    // From the first item of the last portion on, and within that portion.
    let (mut left, mut filled) = (items.iter().map(&load).sum::<u64>(), 0);
    let mut cut: Vec<Vec<T>> = vec![];
    for (i, item) in items.into_iter().enumerate() {
        let load = load(&item);
        let more = portions - cut.len();
        let is_full = filled + load / 2 > left / (more as u64 + 1);
        match cut.last_mut() {
            Some(last) if more == 0 || (!is_full && count - i > more) => {
                last.push(item);
                filled += load;
            }
            _ => {
                cut.push(vec![item]);
                left -= filled;
                filled = load;
            }
        }
    }
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn consecutive_portions_are_in_order_none_empty_and_none_much_above_its_share(
            loads in prop::collection::vec(0_u64..1_000, 0..200),
            portions in 1_usize..20,
        ) {
            let cut = consecutive(loads.clone(), portions, |load| *load);
            prop_assert_eq!(cut.concat(), loads.clone());
            prop_assert_eq!(cut.len(), portions.min(loads.len()));
            prop_assert!(cut.iter().all(|portion| !portion.is_empty()));
            let (total, largest) = (loads.iter().sum::<u64>(), loads.iter().max().copied().unwrap_or(0));
            let share = total / portions as u64;
            prop_assert!(cut.iter().all(|portion| portion.iter().sum::<u64>() <= share + 2 * largest), "{cut:?}");
        }
    }
}
