//! [`Compression`]: files whose names end with `.gz` or `.zst`.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// The ending of a name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// The compression that a name tells, and the name without its ending.
    pub fn named(name: &str) -> (&str, Option<Self>) {
        let told = |compression: Self| {
            let (stem, ending) = name.split_at_checked(name.len().checked_sub(compression.ending().len())?)?;
            ending.eq_ignore_ascii_case(compression.ending()).then_some((stem, Some(compression)))
        };
        Self::ALL.into_iter().find_map(told).unwrap_or((name, None))
    }
}

/// Compresses bytes piece by piece.
pub(super) enum Compressor {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(GzEncoder::new(vec![], flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(ZstdEncoder::new(vec![], 0)?),
        })
    }

    /// Takes bytes; returns what is compressed by now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes).map(|()| std::mem::take(encoder.get_mut())),
            Self::Zstd(encoder) => encoder.write_all(bytes).map(|()| std::mem::take(encoder.get_mut())),
        }
    }

    /// The rest.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_compression_in_any_case() {
        assert_eq!(Compression::named("s3://b/a.csv.GZ"), ("s3://b/a.csv", Some(Compression::Gzip)));
        assert_eq!(Compression::named("a.zst"), ("a", Some(Compression::Zstd)));
        for plain in ["", "gz", "é", "a.gzip", "a.csv"] {
            assert_eq!(Compression::named(plain), (plain, None));
        }
    }
}
