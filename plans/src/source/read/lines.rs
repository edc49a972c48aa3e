//! Lines of NDJSON files, and records of GeoJSON text sequences (RFC 8142), each of which begins with [`RECORD`].

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use datafusion::common::{DataFusionError, Result};
use futures::stream::{self, StreamExt};
use memchr::{memchr, memchr_iter};
use url::Url;

use super::pieces::{PieceError, Pieces, inflated, pieces};
use super::raw::{Block, Blocks, ObjectName, Raw};
use super::too_large::too_large;
use crate::model::chunk::RejectKind;
use crate::source::chunk::Lines;
use crate::source::decode::Defect;

/// The byte before each record of a text sequence (RFC 7464, section 2.2).
const RECORD: u8 = 0x1e;

/// What tells the Items of a file apart that starts with these bytes.
pub(in super::super) fn separator_of(start: &[u8]) -> u8 {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    if start.first() == Some(&RECORD) { RECORD } else { b'\n' }
}

/// Whether the text in front of a separator is the first of the file, and was never meant to be an Item.
pub(in super::super) fn is_before_first(separator: u8, offset: u64) -> bool {
    separator == RECORD && offset == 0
}

/// Whether a line holds nothing, and so is no Item.
pub(in super::super) fn is_blank(line: &[u8]) -> bool {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).iter().all(u8::is_ascii_whitespace)
}

/// The Items of a chunk of lines; blank lines are none.
pub(in super::super) async fn lines(file: &Url, lines: &Lines, separator: u8, max_bytes: u64) -> Result<Blocks> {
    let separator = Some(separator);
    match lines {
        Lines::All => all_lines(file, max_bytes).await,
        Lines::Counted { bytes, first } => {
            let pieces = pieces(file, Some(bytes.clone())).await?;
            Ok(split(
                file,
                pieces,
                Splitter { separator, ..Splitter::new(bytes.start, Some(*first), u64::MAX, max_bytes) },
            ))
        }
        Lines::StartingIn { bytes: Range { start: 0, end } } => {
            let pieces = pieces(file, None).await?;
            Ok(split(file, pieces, Splitter { separator, ..Splitter::new(0, Some(0), *end, max_bytes) }))
        }
        Lines::StartingIn { bytes: Range { start, end } } => {
            // The byte before tells whether a line starts at `start`.
            let pieces = pieces(file, Some(start - 1..u64::MAX)).await?;
            let splitter = Splitter { separator, skipping: true, ..Splitter::new(start - 1, None, *end, max_bytes) };
            Ok(split(file, pieces, splitter))
        }
    }
}

/// All lines of a file, which may be compressed.
pub(in super::super) async fn all_lines(file: &Url, max_bytes: u64) -> Result<Blocks> {
    let pieces = inflated(pieces(file, None).await?);
    Ok(split(file, pieces, Splitter::new(0, Some(0), u64::MAX, max_bytes)))
}

fn split(file: &Url, pieces: Pieces, splitter: Splitter) -> Blocks {
    let object = ObjectName::Url(Arc::from(file.as_str()));
    let state = (pieces, splitter, object);
    stream::try_unfold(state, |(mut pieces, mut splitter, object)| async move {
        while !splitter.ended {
            let mut block = vec![];
            match pieces.next().await {
                Some(Ok(piece)) => splitter.push(&piece, &object, &mut block),
                None => splitter.finish(&object, &mut block),
                // The data are bad, not the connection: what could be read stands.
                Some(Err(e @ PieceError::Compressed { .. })) => splitter.fail(&e, &object, &mut block),
                Some(Err(e)) => return Err(DataFusionError::from(e)),
            }
            if !block.is_empty() {
                return Ok(Some((block, (pieces, splitter, object))));
            }
        }
        Ok(None)
    })
    .boxed()
}

/// Cuts pieces of a file into lines.
struct Splitter {
    /// What ends a line; by the first byte of the file, where it is not known.
    separator: Option<u8>,
    /// Start of the line that comes next.
    offset: u64,
    /// Its number, if known.
    line: Option<u64>,
    /// Lines that start here or later are another chunk's.
    end: u64,
    max_bytes: u64,
    /// The start of a line whose end is in a later piece.
    partial: BytesMut,
    /// Bytes of an over-long line that are not in `partial`.
    dropped: u64,
    /// Within a line that started before the chunk.
    skipping: bool,
    ended: bool,
}

impl Splitter {
    fn new(offset: u64, line: Option<u64>, end: u64, max_bytes: u64) -> Self {
        let partial = BytesMut::new();
        Self { separator: None, offset, line, end, max_bytes, partial, dropped: 0, skipping: false, ended: false }
    }

    fn push(&mut self, piece: &Bytes, object: &ObjectName, block: &mut Block) {
        if piece.is_empty() {
            return;
        }
        let separator = *self.separator.get_or_insert_with(|| separator_of(piece));
        let mut start = 0;
        if self.skipping {
            match memchr(separator, piece) {
                Some(newline) => start = newline + 1,
                None => start = piece.len(),
            }
            self.skipping = start == piece.len() && !piece.ends_with(&[separator]);
            self.offset += start as u64;
        }
        let from = start;
        for newline in memchr_iter(separator, &piece[from..]) {
            if self.offset >= self.end {
                self.ended = true;
                return;
            }
            let end = from + newline;
            if self.partial.is_empty() && self.dropped == 0 {
                self.line(piece.slice(start..end), 0, 1, object, block);
            } else {
                self.keep(&piece[start..end]);
                let line = self.partial.split().freeze();
                let dropped = std::mem::take(&mut self.dropped);
                self.line(line, dropped, 1, object, block);
            }
            start = end + 1;
        }
        self.ended = self.offset >= self.end;
        if !self.ended {
            self.keep(&piece[start..]);
        }
    }

    /// Keeps no more of a line than shows that it is too long.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.max_bytes + 1).saturating_sub(self.partial.len() as u64).min(bytes.len() as u64) as usize;
        self.partial.extend_from_slice(&bytes[..room]);
        self.dropped += (bytes.len() - room) as u64;
    }

    fn line(&mut self, line: Bytes, dropped: u64, newline: u64, object: &ObjectName, block: &mut Block) {
        let length = line.len() as u64 + dropped;
        if !is_blank(&line) {
            let body = if length > self.max_bytes { Err(too_large(length, self.max_bytes)) } else { Ok(line) };
            let range = Some(self.offset..self.offset + length);
            block.push(Raw { object: object.clone(), position: self.line, range, body });
        }
        let is_numbered = !is_before_first(self.separator.unwrap_or(b'\n'), self.offset);
        self.offset += length + newline;
        self.line = self.line.map(|line| line + u64::from(is_numbered));
    }

    /// The last line, where no newline follows it.
    fn finish(&mut self, object: &ObjectName, block: &mut Block) {
        self.ended = true;
        let line = self.partial.split().freeze();
        if !line.is_empty() && !self.skipping && self.offset < self.end {
            let dropped = std::mem::take(&mut self.dropped);
            self.line(line, dropped, 0, object, block);
        }
    }

    fn fail(&mut self, error: &PieceError, object: &ObjectName, block: &mut Block) {
        self.ended = true;
        let defect = Defect { kind: RejectKind::Unreadable, message: format!("the rest of the file is {error}") };
        block.push(Raw { object: object.clone(), position: self.line, range: None, body: Err(defect) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Line = (Option<u64>, Range<u64>, Result<String, RejectKind>);

    fn split_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, mut splitter: Splitter) -> Vec<Line> {
        let object = ObjectName::Url("test".into());
        let mut block = vec![];
        for piece in pieces {
            if !splitter.ended {
                splitter.push(&Bytes::copy_from_slice(piece), &object, &mut block);
            }
        }
        if !splitter.ended {
            splitter.finish(&object, &mut block);
        }
        let text = |b: Bytes| String::from_utf8(b.to_vec()).unwrap();
        let line = |raw: Raw| (raw.position, raw.range.unwrap(), raw.body.map(text).map_err(|d| d.kind));
        block.into_iter().map(line).collect()
    }

    fn whole(max_bytes: u64) -> Splitter {
        Splitter::new(0, Some(0), u64::MAX, max_bytes)
    }

    #[test]
    fn lines_are_the_same_however_the_pieces_are_cut() {
        let text = b"{\"a\":1}\r\n\n  \n{}\nlast";
        let expected = split_pieces([&text[..]], whole(100));
        assert_eq!(
            expected,
            [
                (Some(0), 0..8, Ok("{\"a\":1}\r".into())),
                (Some(3), 13..15, Ok("{}".into())),
                (Some(4), 16..20, Ok("last".into()))
            ]
        );
        for size in 1..text.len() {
            assert_eq!(split_pieces(text.chunks(size), whole(100)), expected, "pieces of {size}");
        }
        assert!(split_pieces([&b""[..]], whole(100)).is_empty());
        assert!(split_pieces([&b"\n\r\n"[..]], whole(100)).is_empty());
    }

    #[test]
    fn an_over_long_line_is_rejected_and_the_next_one_read() {
        for size in [1, 3, 100] {
            let lines = split_pieces(b"abcdefgh\nabc\n".chunks(size), whole(3));
            assert_eq!(
                lines,
                [(Some(0), 0..8, Err(RejectKind::TooLarge)), (Some(1), 9..12, Ok("abc".into()))],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn every_line_starts_in_exactly_one_range() {
        let text = b"a\nbb\n\nccc\ndddd";
        let expected = split_pieces([&text[..]], whole(100)).into_iter().map(|(_, range, line)| (range, line));
        let expected = expected.collect::<Vec<_>>();
        for cut in 1..text.len() as u64 {
            for size in [1, 2, 100] {
                let head = split_pieces(text.chunks(size), Splitter::new(0, Some(0), cut, 100));
                let tail = Splitter { skipping: true, ..Splitter::new(cut - 1, None, u64::MAX, 100) };
                let tail = split_pieces(text[cut as usize - 1..].chunks(size), tail);
                let both = head.into_iter().chain(tail).map(|(_, range, line)| (range, line));
                assert_eq!(both.collect::<Vec<_>>(), expected, "cut at {cut}, pieces of {size}");
            }
        }
    }
}
