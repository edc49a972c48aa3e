//! The bytes of a file as a stream of pieces, decompressed if need be.

use std::io::Write;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use datafusion::common::DataFusionError;
use flate2::write::MultiGzDecoder;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::{GetOptions, GetRange, ObjectStoreExt};
use thiserror::Error;
use url::Url;

use crate::stores::{StoreError, stores};

/// Bytes of a local file read at once.
const PIECE: u64 = 4 << 20;

/// Compressed bytes inflated at once: at deflate's limit of about 1000 to 1 they become 64 MiB.
const COMPRESSED_PIECE: usize = 64 << 10;

/// Why a file cannot be read on.
#[derive(Debug, Error)]
pub(in super::super) enum PieceError {
    #[error(transparent)]
    Location(#[from] StoreError),
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error("not valid gzip: {0}")]
    Gzip(std::io::Error),
}

impl From<PieceError> for DataFusionError {
    fn from(error: PieceError) -> Self {
        match error {
            PieceError::Location(e) => e.into(),
            PieceError::Store(e) => e.into(),
            e @ PieceError::Gzip(_) => DataFusionError::Execution(e.to_string()),
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

/// The same bytes, decompressed if they start as gzip does. Several gzip members in a row are one stream.
pub(in super::super) fn inflated(pieces: Pieces) -> Pieces {
    let inflater = Inflater { pieces, compressed: Bytes::new(), state: State::Start };
    stream::try_unfold(
        inflater,
        |mut inflater| async move { Ok(inflater.next().await?.map(|piece| (piece, inflater))) },
    )
    .boxed()
}

/// Whether a file that starts with these bytes is gzip.
pub(in super::super) fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

struct Inflater {
    pieces: Pieces,
    compressed: Bytes,
    state: State,
}

enum State {
    Start,
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
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
                State::Gzip(decoder) => {
                    if self.compressed.is_empty() {
                        match self.pieces.next().await.transpose()? {
                            Some(piece) => self.compressed = piece,
                            None => {
                                decoder.try_finish().map_err(PieceError::Gzip)?;
                                let rest = std::mem::take(decoder.get_mut());
                                self.state = State::End;
                                return Ok((!rest.is_empty()).then(|| rest.into()));
                            }
                        }
                    }
                    let some = self.compressed.split_to(self.compressed.len().min(COMPRESSED_PIECE));
                    let written = decoder.write_all(&some);
                    let inflated = std::mem::take(decoder.get_mut());
                    match written {
                        Ok(()) if inflated.is_empty() => {}
                        Ok(()) => return Ok(Some(inflated.into())),
                        Err(e) => return Err(PieceError::Gzip(e)),
                    }
                }
            }
        }
    }

    /// The first two bytes tell, and may come in two pieces.
    async fn start(&mut self) -> Result<(), PieceError> {
        let mut start = BytesMut::new();
        while start.len() < 2 {
            match self.pieces.next().await.transpose()? {
                Some(piece) if start.is_empty() && piece.len() > 1 => {
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
        let gzip = is_gzip(&self.compressed);
        self.state = if gzip { State::Gzip(Box::new(MultiGzDecoder::new(vec![]))) } else { State::Plain };
        Ok(())
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

    #[tokio::test]
    async fn gzip_that_ends_early_or_goes_wrong_is_an_error() {
        let mut gzipped = gzip(&b"one\ntwo\n".repeat(1000));
        assert!(inflate(&gzipped[..gzipped.len() - 9], 64).await.is_err());
        gzipped[20] ^= 0xff;
        assert!(inflate(&gzipped, 64).await.is_err());
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
