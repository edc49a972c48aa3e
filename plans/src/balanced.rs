//! Work cut into portions of about the same size.

/// At most `portions` portions: item by item, each into the portion with the least load so far. The largest items come
/// first, or the portions differ much. None of the portions is empty.
pub(crate) fn balanced<T>(items: Vec<T>, portions: usize, load: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut loads: Vec<(u64, Vec<T>)> = vec![];
    loads.resize_with(portions.min(items.len()), Default::default);
    for item in items {
        if let Some((total, portion)) = loads.iter_mut().min_by_key(|(total, _)| *total) {
            *total += load(&item);
            portion.push(item);
        }
    }
    loads.into_iter().map(|(_, portion)| portion).collect()
}
