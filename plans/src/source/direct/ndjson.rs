//! NDJSON files, and GeoJSON text sequences, cut into chunks of whole lines or records.
//!
//! | file | chunk | its rows |
//! |---|---|---|
//! | local | `chunk_size` lines that are not blank, found by going over the file once | lines |
//! | remote | about as many, in bytes by the average of the first lines; lines are found when the chunk is read, so that the data do not pass through the head | bytes |
//! | remote, under a limit | as local, as far as the limit needs | lines |
//! | gzip, or of a server without ranges | the file | all |

use std::ops::Range;

use bytes::Bytes;
use datafusion::common::Result;
use futures::TryStreamExt;
use memchr::memchr_iter;
use object_store::ObjectStoreExt;
use url::Url;

use super::document::count;
use super::refuse_since;
use crate::source::chunk::{Content, Lines};
use crate::source::planner::Planner;
use crate::source::read::pieces::{is_compressed, pieces};
use crate::source::read::{all_lines, is_before_first, is_blank, separator_of};
use crate::stores::stores;

/// Start of a remote file that shows how long its lines are.
const SAMPLE: u64 = 1 << 20;

pub(in super::super) async fn plan(file: &Url, planner: &mut Planner<'_>) -> Result<()> {
    refuse_since(file, planner.options)?;
    plan_file(file, planner).await
}

pub(super) async fn plan_file(file: &Url, planner: &mut Planner<'_>) -> Result<()> {
    let sample = sample(file).await?;
    if !sample.is_seekable || is_compressed(&sample.start) {
        let items = match planner.left() {
            Some(left) => Some(count(all_lines(file, planner.options.max_item_bytes).await?, left).await?),
            None => None,
        };
        let separator = separator_of(&sample.start);
        let content = Content::Lines { file: file.clone(), lines: Lines::All, separator };
        planner.push_direct(file, 0..u64::MAX, content, items);
        return Ok(());
    }
    if file.scheme() == "file" || planner.left().is_some() {
        plan_counted(file, separator_of(&sample.start), planner).await
    } else {
        plan_sampled(file, &sample, planner);
        Ok(())
    }
}

struct Sample {
    start: Bytes,
    size: u64,
    /// Ranges of the file can be read.
    is_seekable: bool,
}

async fn sample(file: &Url) -> Result<Sample> {
    let (store, path) = stores().locate(file)?;
    let size = store.head(&path).await?.size;
    // Local files are gone over as a whole anyway.
    let length = size.min(if file.scheme() == "file" { 4 } else { SAMPLE });
    if length == 0 {
        return Ok(Sample { start: Bytes::new(), size, is_seekable: true });
    }
    match store.get_range(&path, 0..length).await {
        Ok(start) => Ok(Sample { start, size, is_seekable: true }),
        Err(object_store::Error::NotSupported { .. }) => Ok(Sample { start: Bytes::new(), size, is_seekable: false }),
        Err(e) => Err(e.into()),
    }
}

fn plan_sampled(file: &Url, sample: &Sample, planner: &mut Planner<'_>) {
    let separator = separator_of(&sample.start);
    let lines = (memchr_iter(separator, &sample.start).count() as u64).max(1);
    let step = (sample.start.len() as u64).div_ceil(lines).saturating_mul(planner.options.chunk_size).max(1);
    let mut start = 0;
    while start < sample.size {
        let bytes = start..sample.size.min(start.saturating_add(step));
        start = bytes.end;
        let lines = Lines::StartingIn { bytes: bytes.clone() };
        let content = Content::Lines { file: file.clone(), lines, separator };
        planner.push_direct(file, bytes, content, None);
    }
}

async fn plan_counted(file: &Url, separator: u8, planner: &mut Planner<'_>) -> Result<()> {
    let mut pieces = pieces(file, None).await?;
    let mut cutter = Cutter { separator, ..Cutter::new(planner.options.chunk_size, planner.left()) };
    let mut cuts = vec![];
    while !cutter.is_full()
        && let Some(piece) = pieces.try_next().await?
    {
        cutter.push(&piece, &mut cuts);
    }
    cutter.finish(&mut cuts);
    for Cut { bytes, lines, items } in cuts {
        let first = lines.start;
        let content = Content::Lines { file: file.clone(), lines: Lines::Counted { bytes, first }, separator };
        planner.push_direct(file, lines, content, Some(items));
    }
    Ok(())
}

/// A chunk of lines.
#[derive(Debug, PartialEq)]
struct Cut {
    bytes: Range<u64>,
    lines: Range<u64>,
    items: u64,
}

/// Cuts a file into chunks of `chunk_size` lines that are not blank, as far as `left` reaches.
struct Cutter {
    separator: u8,
    chunk_size: u64,
    left: Option<u64>,
    /// Position of the next byte.
    at: u64,
    /// The number of the line under way.
    line: u64,
    /// Something stands on the line under way.
    is_item: bool,
    chunk: Cut,
}

impl Cutter {
    fn new(chunk_size: u64, left: Option<u64>) -> Self {
        let chunk = Cut { bytes: 0..0, lines: 0..0, items: 0 };
        Self { separator: b'\n', chunk_size, left, at: 0, line: 0, is_item: false, chunk }
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    fn push(&mut self, piece: &[u8], cuts: &mut Vec<Cut>) {
        let mut start = 0;
        for newline in memchr_iter(self.separator, piece) {
            self.is_item = self.is_item || !is_blank(&piece[start..newline]);
            self.end_line(self.at + newline as u64 + 1, cuts);
            start = newline + 1;
            if self.is_full() {
                return;
            }
        }
        self.is_item = self.is_item || !is_blank(&piece[start..]);
        self.at += piece.len() as u64;
    }

    fn end_line(&mut self, end: u64, cuts: &mut Vec<Cut>) {
        self.line += u64::from(!is_before_first(self.separator, self.chunk.bytes.end));
        self.chunk.bytes.end = end;
        self.chunk.lines.end = self.line;
        if std::mem::take(&mut self.is_item) {
            self.chunk.items += 1;
            self.left = self.left.map(|left| left - 1);
        }
        if self.chunk.items == self.chunk_size || self.is_full() {
            self.cut(cuts);
        }
    }

    fn cut(&mut self, cuts: &mut Vec<Cut>) {
        let (byte, line) = (self.chunk.bytes.end, self.chunk.lines.end);
        let next = Cut { bytes: byte..byte, lines: line..line, items: 0 };
        cuts.push(std::mem::replace(&mut self.chunk, next));
    }

    fn finish(mut self, cuts: &mut Vec<Cut>) {
        if self.is_item && !self.is_full() {
            self.end_line(self.at, cuts);
        }
        if self.chunk.items > 0 {
            self.cut(cuts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(text: &[u8], piece: usize, chunk_size: u64, left: Option<u64>) -> Vec<Cut> {
        let mut cutter = Cutter::new(chunk_size, left);
        let mut cuts = vec![];
        for piece in text.chunks(piece) {
            if !cutter.is_full() {
                cutter.push(piece, &mut cuts);
            }
        }
        cutter.finish(&mut cuts);
        cuts
    }

    #[test]
    fn chunks_have_whole_lines_and_blank_ones_do_not_count() {
        let text = b"aa\r\n\n  \nbb\ncc\n\ndd";
        for piece in 1..text.len() {
            assert_eq!(
                cuts(text, piece, 2, None),
                [Cut { bytes: 0..11, lines: 0..4, items: 2 }, Cut { bytes: 11..17, lines: 4..7, items: 2 }],
                "pieces of {piece}"
            );
        }
        assert!(cuts(b"", 1, 2, None).is_empty());
        assert!(cuts(b"\n \r\n", 1, 2, None).is_empty());
    }

    #[test]
    fn a_limit_ends_within_a_chunk() {
        assert_eq!(cuts(b"a\nb\nc\n", 6, 2, Some(1)), [Cut { bytes: 0..2, lines: 0..1, items: 1 }]);
        let lines = cuts(b"a\nb\nc\nd", 2, 2, Some(3)).into_iter().map(|cut| cut.lines).collect::<Vec<_>>();
        assert_eq!(lines, [0..2, 2..3]);
    }
}
