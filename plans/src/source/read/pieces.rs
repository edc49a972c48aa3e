//! The bytes of a file as a stream of pieces, decompressed if need be.

use std::io::{ErrorKind, Write};
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use datafusion::common::DataFusionError;
use flate2::write::GzDecoder;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::{GetOptions, GetRange, ObjectStoreExt};
use thiserror::Error;
use url::Url;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::stores::{StoreError, stores};

/// Bytes of a local file read at once.
const PIECE: u64 = 4 << 20;

/// Compressed bytes inflated at once: at deflate's limit of about 1000 to 1 they become 64 MiB.
const COMPRESSED_PIECE: usize = 64 << 10;

/// Bytes that come of zstd at once, a block of it: it has no such limit.
const PLAIN_PIECE: usize = 128 << 10;

/// Why a file cannot be read on.
#[derive(Debug, Error)]
pub(in super::super) enum PieceError {
    #[error(transparent)]
    Location(#[from] StoreError),
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error("not valid {format}: {error}")]
    Compressed { format: &'static str, error: std::io::Error },
}

impl From<PieceError> for DataFusionError {
    fn from(error: PieceError) -> Self {
        match error {
            PieceError::Location(e) => e.into(),
            PieceError::Store(e) => e.into(),
            e @ PieceError::Compressed { .. } => DataFusionError::Execution(e.to_string()),
        }
    }
}

pub(in super::super) type Pieces = BoxStream<'static, Result<Bytes, PieceError>>;

/// The bytes of `file`, or of a range of it; what follows the range's start if its end is `u64::MAX`.
///
/// A remote file is one request, which the store resumes where the connection breaks.
/// A local one is read ahead by one piece: as a stream, its store would hand out 8 KiB per thread switch.
pub(in super::super) async fn pieces(file: &Url, range: Option<Range<u64>>) -> Result<Pieces, PieceError> {
    let (store, path) = stores().locate(file)?;
    if file.scheme() != "file" {
        let range = range.filter(|range| *range != (0..u64::MAX)).map(|range| match range.end {
            u64::MAX => GetRange::Offset(range.start),
            _ => GetRange::Bounded(range),
        });
        let result = store.get_opts(&path, GetOptions { range, ..GetOptions::default() }).await?;
        return Ok(result.into_stream().map(|piece| piece.map_err(PieceError::from)).boxed());
    }
    let size = store.head(&path).await?.size;
    let range = range.unwrap_or(0..size);
    let end = range.end.min(size);
    let starts = (range.start..end).step_by(PIECE as usize);
    let read = move |start: u64| {
        let (store, path) = (store.clone(), path.clone());
        async move { Ok(store.get_range(&path, start..end.min(start + PIECE)).await?) }
    };
    Ok(stream::iter(starts).map(read).buffered(2).boxed())
}

/// The same bytes, decompressed if they start as gzip or zstd does. Several gzip members or zstd frames in a row are one
/// stream, and zeros behind a member are nothing, as to `gzip`. What was inflated before a fault comes before the error.
pub(in super::super) fn inflated(pieces: Pieces) -> Pieces {
    let inflater = Inflater { pieces, compressed: Bytes::new(), state: State::Start };
    stream::try_unfold(
        inflater,
        |mut inflater| async move { Ok(inflater.next().await?.map(|piece| (piece, inflater))) },
    )
    .boxed()
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether a file that starts with these bytes is compressed.
pub(in super::super) fn is_compressed(start: &[u8]) -> bool {
    start.starts_with(&GZIP) || start.starts_with(&ZSTD)
}

struct Inflater {
    pieces: Pieces,
    compressed: Bytes,
    state: State,
}

enum State {
    Start,
    Plain,
    /// Within a member.
    Gzip(Box<GzDecoder<Vec<u8>>>),
    /// Behind a member: another may follow, or zeros that fill a block up.
    Between,
    /// Within a frame, or behind one.
    Zstd {
        decoder: Box<Decoder<'static>>,
        is_within: bool,
    },
    /// What came before the fault has been handed on.
    Faulty {
        format: &'static str,
        error: std::io::Error,
    },
    End,
}

impl Inflater {
    async fn next(&mut self) -> Result<Option<Bytes>, PieceError> {
        loop {
            match &mut self.state {
                State::Start => self.start().await?,
                State::Plain => {
                    if !self.compressed.is_empty() {
                        return Ok(Some(std::mem::take(&mut self.compressed)));
                    }
                    return self.pieces.next().await.transpose();
                }
                State::End => return Ok(None),
                State::Faulty { .. } => {
                    let State::Faulty { format, error } = std::mem::replace(&mut self.state, State::End) else {
                        continue;
                    };
                    return Err(PieceError::Compressed { format, error });
                }
                State::Between => {
                    let zeros = self.compressed.iter().take_while(|byte| **byte == 0).count();
                    self.compressed.advance(zeros);
                    if !self.compressed.is_empty() {
                        self.state = State::member();
                    } else if !self.fill().await? {
                        self.state = State::End;
                    }
                }
                State::Gzip(_) => {
                    let has_more = !self.compressed.is_empty() || self.fill().await?;
                    let inflated = self.inflate(has_more);
                    if !inflated.is_empty() {
                        return Ok(Some(inflated.into()));
                    }
                }
                State::Zstd { .. } => {
                    let has_more = !self.compressed.is_empty() || self.fill().await?;
                    let inflated = self.inflate_frames(has_more);
                    if !inflated.is_empty() {
                        return Ok(Some(inflated.into()));
                    }
                }
            }
        }
    }

    /// Takes the next compressed bytes; false at the end of the file.
    async fn fill(&mut self) -> Result<bool, PieceError> {
        let piece = self.pieces.next().await.transpose()?;
        let has_more = piece.is_some();
        self.compressed = piece.unwrap_or_default();
        Ok(has_more)
    }

    /// Inflates some of the bytes at hand, or what is left at the end of the file.
    fn inflate(&mut self, has_more: bool) -> Vec<u8> {
        let State::Gzip(decoder) = &mut self.state else { return vec![] };
        let some = &self.compressed[..self.compressed.len().min(COMPRESSED_PIECE)];
        let written = match some.is_empty() {
            // An empty piece is no end.
            true if has_more => return vec![],
            true => Ok(0),
            false => decoder.write(some),
        };
        let ended = match written {
            Ok(0) => Some(decoder.try_finish().map(|()| State::Between)),
            Ok(count) => {
                self.compressed.advance(count);
                None
            }
            Err(error) => {
                // Only to get what was inflated before the fault; that there is one is known.
                let _ = decoder.try_finish();
                Some(Err(error))
            }
        };
        let inflated = std::mem::take(decoder.get_mut());
        if let Some(ended) = ended {
            self.state = ended.unwrap_or_else(|error| State::Faulty { format: "gzip", error });
        }
        inflated
    }

    /// The same of zstd.
    fn inflate_frames(&mut self, has_more: bool) -> Vec<u8> {
        let State::Zstd { decoder, is_within } = &mut self.state else { return vec![] };
        let mut inflated = vec![0; PLAIN_PIECE];
        let (mut from, mut to) = (InBuffer::around(&self.compressed), OutBuffer::around(&mut inflated[..]));
        let missing = decoder.run(&mut from, &mut to);
        let (taken, given) = (from.pos(), to.pos());
        self.compressed.advance(taken);
        inflated.truncate(given);
        // Of nothing taken and nothing given, what is missing is the next frame.
        if taken + given > 0 {
            *is_within = !matches!(missing, Ok(0));
        }
        let is_end = !has_more && given == 0;
        let error = match missing {
            Ok(_) if is_end && *is_within => Some(ErrorKind::UnexpectedEof.into()),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            self.state = State::Faulty { format: "zstd", error };
        } else if is_end {
            self.state = State::End;
        }
        inflated
    }

    /// The first four bytes tell, and may come in several pieces.
    async fn start(&mut self) -> Result<(), PieceError> {
        let mut start = BytesMut::new();
        while start.len() < ZSTD.len() {
            match self.pieces.next().await.transpose()? {
                Some(piece) if start.is_empty() && piece.len() >= ZSTD.len() => {
                    self.compressed = piece;
                    break;
                }
                Some(piece) => start.extend_from_slice(&piece),
                None => break,
            }
        }
        if self.compressed.is_empty() {
            self.compressed = start.freeze();
        }
        self.state = if self.compressed.starts_with(&GZIP) {
            State::member()
        } else if self.compressed.starts_with(&ZSTD) {
            let decoder = Decoder::new().map_err(|error| PieceError::Compressed { format: "zstd", error })?;
            State::Zstd { decoder: Box::new(decoder), is_within: true }
        } else {
            State::Plain
        };
        Ok(())
    }
}

impl State {
    fn member() -> Self {
        Self::Gzip(Box::new(GzDecoder::new(vec![])))
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures::TryStreamExt;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    async fn inflate(bytes: &[u8], piece: usize) -> Result<Vec<u8>, PieceError> {
        let pieces = bytes.chunks(piece).map(|p| Ok(Bytes::copy_from_slice(p))).collect::<Vec<_>>();
        Ok(inflated(stream::iter(pieces).boxed()).try_collect::<Vec<_>>().await?.concat())
    }

    #[tokio::test]
    async fn gzip_of_several_members_and_plain_bytes_read_alike() {
        let text = b"one\ntwo\n".repeat(1000);
        let gzipped = [gzip(&text[..100]), gzip(&text[100..])].concat();
        for piece in [1, 7, 1 << 20] {
            assert_eq!(inflate(&gzipped, piece).await.unwrap(), text);
            assert_eq!(inflate(&text, piece).await.unwrap(), text);
        }
        assert!(inflate(b"", 1).await.unwrap().is_empty());
        assert_eq!(inflate(b"x", 1).await.unwrap(), b"x");
    }

    /// As zstd writes it at level 1.
    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(text, 1).unwrap()
    }

    #[tokio::test]
    async fn zstd_of_several_frames_is_one_stream_and_all_before_a_fault_is_handed_on() {
        let text = lines();
        let packed = [zstd(&text[..5000]), zstd(b""), zstd(&text[5000..])].concat();
        let first = zstd(&text[..5000]).len();
        for piece in [1, 7, 1 << 20] {
            assert_eq!(inflate(&packed, piece).await.unwrap(), text);
        }
        // Much of little: more than one piece.
        let zeros = vec![0; PLAIN_PIECE * 3 + 1];
        assert_eq!(inflate(&zstd(&zeros), 1 << 20).await.unwrap(), zeros);
        for cut in [5, 100, first - 1, first + 3, packed.len() - 1] {
            for piece in [1, 1 << 20] {
                let (found, failed) = inflated_until_fault(&packed[..cut], piece).await;
                assert!(failed && text.starts_with(&found), "cut at {cut}, pieces of {piece}");
                assert!(cut < first || found.len() >= 5000, "cut at {cut}: {}", found.len());
            }
        }
        let other = [zstd(&text), b"rest".to_vec()].concat();
        assert_eq!(inflated_until_fault(&other, 1 << 20).await, (text, true));
        let error = inflate(&packed[..first - 1], 9).await.unwrap_err().to_string();
        assert!(error.starts_with("not valid zstd: "), "{error}");
    }

    /// What is handed on, and whether an error follows.
    async fn inflated_until_fault(bytes: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let pieces = bytes.chunks(piece).map(|p| Ok(Bytes::copy_from_slice(p))).collect::<Vec<_>>();
        let mut pieces = inflated(stream::iter(pieces).boxed());
        let mut text = vec![];
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => text.extend_from_slice(&piece),
                Err(_) => return (text, true),
            }
        }
        (text, false)
    }

    /// What a reader that takes byte by byte gets of it.
    fn inflated_byte_by_byte(bytes: &[u8]) -> Vec<u8> {
        let (mut decoder, mut text) = (flate2::bufread::MultiGzDecoder::new(bytes), vec![]);
        let mut byte = [0];
        while let Ok(1) = std::io::Read::read(&mut decoder, &mut byte) {
            text.push(byte[0]);
        }
        text
    }

    fn lines() -> Vec<u8> {
        (0..3000).flat_map(|n| format!("{{\"id\":\"item {n} {}\"}}\n", n * 7919 % 1009).into_bytes()).collect()
    }

    #[tokio::test]
    async fn zeros_behind_gzip_are_nothing() {
        let (text, zeros) = (lines(), [0; 512]);
        let gzipped = [&gzip(&text[..5000])[..], &zeros, &gzip(&text[5000..]), &zeros].concat();
        for piece in [1, 700, 1 << 20] {
            assert_eq!(inflate(&gzipped, piece).await.unwrap(), text);
        }
        let other = [gzip(&text), b"rest".to_vec()].concat();
        for piece in [1, 1 << 20] {
            assert_eq!(inflated_until_fault(&other, piece).await, (text.clone(), true));
        }
    }

    #[tokio::test]
    async fn all_that_comes_before_a_fault_is_handed_on() {
        let text = lines();
        let gzipped = gzip(&text);
        for cut in (20..gzipped.len()).step_by(997).chain([gzipped.len() - 1, gzipped.len() - 8, gzipped.len() - 9]) {
            let expected = inflated_byte_by_byte(&gzipped[..cut]);
            for piece in [100, 1 << 20] {
                let (found, failed) = inflated_until_fault(&gzipped[..cut], piece).await;
                assert!(
                    failed && text.starts_with(&found) && found.len() >= expected.len(),
                    "cut at {cut}, pieces of {piece}: {} of {}",
                    found.len(),
                    expected.len()
                );
            }
        }
        for at in (20..gzipped.len()).step_by(997) {
            let mut broken = gzipped.clone();
            broken[at] ^= 0xff;
            let (found, failed) = inflated_until_fault(&broken, 1 << 20).await;
            let expected = inflated_byte_by_byte(&broken);
            assert!(failed && found.len() >= expected.len(), "broken at {at}: {} of {}", found.len(), expected.len());
        }
    }

    #[tokio::test]
    async fn a_local_file_longer_than_a_piece_is_whole_and_any_range_is_exact() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        let bytes = (0..PIECE as usize * 2 + 3).map(|i| (i % 251) as u8).collect::<Vec<_>>();
        std::fs::write(&path, &bytes).unwrap();
        let url = Url::from_file_path(&path).unwrap();
        let read = async |range| pieces(&url, range).await.unwrap().try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(read(None).await, bytes);
        assert_eq!(read(Some(5..PIECE + 5)).await, bytes[5..PIECE as usize + 5]);
        assert_eq!(read(Some(PIECE..u64::MAX)).await, bytes[PIECE as usize..]);
    }
}
