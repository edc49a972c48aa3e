//! Changes inputs, in the same way for the same seed.

/// Numbers on which lengths and signs turn.
const INTERESTING: [u64; 12] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];

pub struct Mutator {
    state: u64,
}

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A part of some bytes, mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length);
        let most = if self.below(4) == 0 { length - start } else { 16.min(length - start) };
        start..start + self.below(most + 1)
    }

    /// One of the inputs with some changes, of at most so many bytes.
    pub fn changed(&mut self, corpus: &[Vec<u8>], max_bytes: usize) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..1 + self.below(4) {
            self.change(&mut input, corpus);
        }
        input.truncate(max_bytes);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let length = input.len();
        let at = self.below(length);
        match self.below(9) {
            _ if length == 0 => input.push(self.next() as u8),
            0 => input[at] ^= 1 << self.below(8),
            1 => input[at] = self.next() as u8,
            2 => drop(input.drain(self.range(length))),
            3 => input.truncate(at),
            4 => {
                let copy = input[self.range(length)].to_vec();
                let most = if self.below(50) == 0 { 1000 } else { 3 };
                let times = 1 + self.below(most);
                input.splice(at..at, copy.repeat(times));
            }
            5 => {
                let other = &corpus[self.below(corpus.len())];
                let part = other[self.range(other.len())].to_vec();
                let replaced = self.range(length);
                input.splice(replaced, part);
            }
            6 => {
                let number = INTERESTING[self.below(INTERESTING.len())].to_le_bytes();
                let bytes = &number[..1 << self.below(4)];
                let end = (at + bytes.len()).min(length);
                input[at..end].copy_from_slice(&bytes[..end - at]);
            }
            7 => {
                // As LEB128, which Avro and thrift have.
                let mut number = INTERESTING[self.below(INTERESTING.len())];
                let mut bytes = vec![];
                while number >= 0x80 {
                    bytes.push(number as u8 | 0x80);
                    number >>= 7;
                }
                bytes.push(number as u8);
                input.splice(at..at + 1, bytes);
            }
            _ => {
                let (a, b) = (self.below(length), self.below(length));
                input.swap(a, b);
            }
        }
    }
}
