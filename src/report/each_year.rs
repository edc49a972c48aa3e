//! [`each_year`]: numbers of years without gaps.

/// The first year, and a number for each from then to the last, 0 where there is none; `None` of no years. Years are in order.
pub fn each_year(numbers: impl Iterator<Item = (i32, u64)>) -> Option<(i32, Vec<u64>)> {
    let mut numbers = numbers.peekable();
    let (first, _) = *numbers.peek()?;
    let mut each = vec![];
    for (year, number) in numbers {
        each.resize(year.abs_diff(first) as usize, 0);
        each.push(number);
    }
    Some((first, each))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_without_a_number_have_none() {
        let numbers = [(-2, 1), (0, 5), (1, 7)];
        assert_eq!(each_year(numbers.into_iter()), Some((-2, vec![1, 0, 5, 7])));
        assert_eq!(each_year([].into_iter()), None);
    }
}
