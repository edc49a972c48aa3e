//! Lines of fields, put together from the pieces of a file.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use datafusion::common::Result;

/// One row of a CSV file.
pub(super) struct Record<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl Record<'_> {
    /// The field at `i`, empty if the row is shorter.
    pub fn field(&self, i: usize) -> Cow<'_, str> {
        let Some(&end) = self.ends.get(i) else { return Cow::Borrowed("") };
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        String::from_utf8_lossy(&self.text[start..end])
    }
}

/// Puts records together from pieces of a file (RFC 4180; rows end in LF or CRLF).
pub(super) struct Records {
    reader: Reader,
    text: Vec<u8>,
    text_length: usize,
    ends: Vec<usize>,
    ends_length: usize,
}

impl Records {
    /// Fields are told apart by `delimiter`; without any, a line is one field.
    pub fn new(delimiter: Option<u8>) -> Self {
        let mut builder = ReaderBuilder::new();
        match delimiter {
            Some(delimiter) => builder.delimiter(delimiter),
            // No name of an object has it.
            None => builder.delimiter(0).quoting(false),
        };
        Self { reader: builder.build(), text: vec![0; 4096], text_length: 0, ends: vec![0; 32], ends_length: 0 }
    }

    pub fn feed(&mut self, mut piece: &[u8], mut take: impl FnMut(Record<'_>) -> Result<bool>) -> Result<()> {
        while !piece.is_empty() {
            let (result, read) = self.step(piece);
            piece = &piece[read..];
            if matches!(result, ReadRecordResult::Record) && !self.take(&mut take)? {
                break;
            }
        }
        Ok(())
    }

    /// The last row, where no line end follows it.
    pub fn finish(&mut self, mut take: impl FnMut(Record<'_>) -> Result<bool>) -> Result<()> {
        loop {
            match self.step(&[]).0 {
                ReadRecordResult::Record => self.take(&mut take).map(drop)?,
                ReadRecordResult::End => return Ok(()),
                _ => {}
            }
        }
    }

    fn step(&mut self, input: &[u8]) -> (ReadRecordResult, usize) {
        let (text, ends) = (&mut self.text[self.text_length..], &mut self.ends[self.ends_length..]);
        let (result, read, written, fields) = self.reader.read_record(input, text, ends);
        self.text_length += written;
        self.ends_length += fields;
        match result {
            ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            _ => {}
        }
        (result, read)
    }

    fn take(&mut self, take: &mut impl FnMut(Record<'_>) -> Result<bool>) -> Result<bool> {
        let record = Record { text: &self.text[..self.text_length], ends: &self.ends[..self.ends_length] };
        (self.text_length, self.ends_length) = (0, 0);
        take(record)
    }
}

/// The rows of a file that comes in pieces.
pub(in super::super) fn rows_of_pieces(pieces: &[&[u8]], delimiter: Option<u8>) -> Vec<Vec<String>> {
    let mut rows = vec![];
    let mut records = Records::new(delimiter);
    let mut take = |record: Record<'_>| {
        rows.push((0..record.ends.len()).map(|i| record.field(i).into_owned()).collect());
        Ok(true)
    };
    for piece in pieces {
        // It is `take` that could refuse, and it does not.
        let _ = records.feed(piece, &mut take);
    }
    let _ = records.finish(&mut take);
    rows
}

/// The fields of one line.
pub(super) fn fields(line: &str, delimiter: u8) -> Vec<String> {
    rows_of_pieces(&[line.as_bytes()], Some(delimiter)).into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pieces: &[&str]) -> Vec<Vec<String>> {
        rows_of_pieces(&pieces.iter().map(|piece| piece.as_bytes()).collect::<Vec<_>>(), Some(b','))
    }

    #[test]
    fn rows_are_the_same_however_the_pieces_are_cut() {
        let text = "\u{feff}\"b\",\"k \"\"1\"\", é\"\r\n\nb,k2,\r\n\"b\",\"line\nbreak\"";
        let expected = rows(&[text]);
        assert_eq!(expected, [vec!["b", "k \"1\", é"], vec!["b", "k2", ""], vec!["b", "line\nbreak"]]);
        for cut in 3..text.len() {
            if text.is_char_boundary(cut) {
                assert_eq!(rows(&[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
            }
        }
        assert!(rows(&[""]).is_empty());
    }

    #[test]
    fn a_row_longer_than_the_buffer_is_kept_whole() {
        let long = "k".repeat(10_000);
        let fields = vec!["x"; 100].join(",");
        assert_eq!(rows(&[&format!("b,{long}\n{fields}\n")])[0][1], long);
        assert_eq!(rows(&[&fields])[0].len(), 100);
    }

    #[test]
    fn without_a_delimiter_a_line_is_one_field_whatever_is_in_it() {
        let lines = rows_of_pieces(&[b"a,\"b\".json\r\n", b"\n\"c\td\n"], None);
        assert_eq!(lines, [["a,\"b\".json"], ["\"c\td"]]);
    }
}
