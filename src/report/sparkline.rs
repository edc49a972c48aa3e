//! [`sparkline`]: numbers as a row of bars.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar for each number, the largest of them full; a space for zero. Of more numbers than `most`, neighbours share a bar.
pub fn sparkline(numbers: &[u64], most: usize) -> String {
    let share = numbers.len().div_ceil(most.max(1)).max(1);
    let sums: Vec<u64> = numbers.chunks(share).map(|part| part.iter().sum()).collect();
    let largest = sums.iter().max().copied().unwrap_or_default().max(1);
    let bar = |n: &u64| match n {
        0 => ' ',
        n => BARS[(u128::from(*n) * BARS.len() as u128).div_ceil(u128::from(largest)) as usize - 1],
    };
    sums.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_is_a_full_bar_and_zero_is_none() {
        assert_eq!(sparkline(&[0, 1, 4, 8], 10), " ▁▄█");
        assert_eq!(sparkline(&[1, 1_000_000], 10), "▁█");
        assert_eq!(sparkline(&[0, 0], 10), "  ");
        assert_eq!(sparkline(&[1, 1, 2, 2, 0], 3), "▄█ ");
        assert_eq!(sparkline(&[], 3), "");
        assert_eq!(sparkline(&[u64::MAX, 1], 3), "█▁");
    }
}
