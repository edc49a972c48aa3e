//! CSV inventories, parsed in pieces as they arrive.

use std::borrow::Cow;
use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader};
use datafusion::common::Result;
use futures::StreamExt;
use percent_encoding::percent_decode_str;
use url::Url;

use super::check_since;
use super::columns::{Columns, parse_bool};
use crate::model::time::parse_millis;
use crate::source::keys::KeyBase;
use crate::source::planner::{Listed, Planner};
use crate::source::read::pieces::{inflated, pieces};

/// Plans a data file; `columns` as its manifest names them.
pub(super) async fn plan(
    file: &Url,
    columns: Option<&Columns>,
    planner: &mut Planner<'_>,
    keys: &Arc<KeyBase>,
) -> Result<()> {
    if let Some(columns) = columns {
        check_since(file, columns, planner)?;
    }
    planner.start_file(file, Arc::clone(keys), false);
    let mut rows = Rows { form: columns.map(|columns| Form { columns: columns.clone(), encoded: true }) };
    let mut records = Records::default();
    let mut pieces = inflated(pieces(file, None).await?);
    while let Some(piece) = pieces.next().await.transpose()? {
        records.feed(&piece, |record| rows.push(file, record, planner))?;
        if planner.is_full() {
            break;
        }
    }
    if !planner.is_full() {
        records.finish(|record| rows.push(file, record, planner))?;
    }
    planner.end_file();
    Ok(())
}

/// What the rows of a file look like.
struct Form {
    columns: Columns,
    /// Keys are URL-encoded.
    encoded: bool,
}

struct Rows {
    /// Unknown before the first row of a file without manifest.
    form: Option<Form>,
}

impl Rows {
    /// Takes a record; false if no more are wanted.
    fn push(&mut self, file: &Url, record: Record<'_>, planner: &mut Planner<'_>) -> Result<bool> {
        if self.form.is_none() {
            let (form, is_header) = form_of(&record);
            check_since(file, &form.columns, planner)?;
            self.form = Some(form);
            if is_header {
                return Ok(true);
            }
        }
        let Some(Form { columns, encoded }) = &self.form else { return Ok(true) };
        let bucket = columns.bucket.map_or(Cow::Borrowed(""), |i| record.field(i));
        let key = record.field(columns.key);
        let key = if *encoded && !bucket.is_empty() { url_decoded(key) } else { key };
        let boolean = |i: Option<usize>| i.and_then(|i| parse_bool(&record.field(i)));
        let e_tag = columns.e_tag.map_or(Cow::Borrowed(""), |i| record.field(i));
        let listed = Listed {
            bucket: &bucket,
            key: &key,
            is_latest: boolean(columns.is_latest),
            is_delete_marker: boolean(columns.is_delete_marker),
            last_modified: columns.last_modified.and_then(|i| parse_millis(&record.field(i))),
            e_tag: &e_tag,
        };
        planner.push(&listed, 1)?;
        Ok(!planner.is_full())
    }
}

/// The form of a file without manifest, and whether its first row is a header.
fn form_of(first: &Record<'_>) -> (Form, bool) {
    let fields = (0..first.ends.len()).map(|i| first.field(i)).collect::<Vec<_>>();
    let fields = fields.iter().map(|f| f.as_ref()).collect::<Vec<_>>();
    match Columns::by_name(fields.iter().copied()) {
        // Written by a tool that is not S3 Inventory: S3 writes no header, and only S3 encodes keys.
        Some(columns) => (Form { columns, encoded: false }, true),
        None => (Form { columns: Columns::by_first_row(&fields), encoded: true }, false),
    }
}

fn url_decoded(key: Cow<'_, str>) -> Cow<'_, str> {
    if !key.contains(['%', '+']) {
        return key;
    }
    let spaced = key.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// One row of a CSV file.
struct Record<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl Record<'_> {
    /// The field at `i`, empty if the row is shorter.
    fn field(&self, i: usize) -> Cow<'_, str> {
        let Some(&end) = self.ends.get(i) else { return Cow::Borrowed("") };
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        String::from_utf8_lossy(&self.text[start..end])
    }
}

/// Puts records together from pieces of a file (RFC 4180; rows end in LF or CRLF).
struct Records {
    reader: Reader,
    text: Vec<u8>,
    text_length: usize,
    ends: Vec<usize>,
    ends_length: usize,
}

impl Default for Records {
    fn default() -> Self {
        Self { reader: Reader::new(), text: vec![0; 4096], text_length: 0, ends: vec![0; 32], ends_length: 0 }
    }
}

impl Records {
    fn feed(&mut self, mut piece: &[u8], mut take: impl FnMut(Record<'_>) -> Result<bool>) -> Result<()> {
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
    fn finish(&mut self, mut take: impl FnMut(Record<'_>) -> Result<bool>) -> Result<()> {
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

/// The rows of a file that comes in pieces; for [`crate::source::fuzzing`].
pub(in crate::source) fn rows_of_pieces(pieces: &[&[u8]]) -> Vec<Vec<String>> {
    let mut rows = vec![];
    let mut records = Records::default();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pieces: &[&str]) -> Vec<Vec<String>> {
        rows_of_pieces(&pieces.iter().map(|piece| piece.as_bytes()).collect::<Vec<_>>())
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
    fn keys_are_decoded_as_s3_encodes_them() {
        let decoded = |key: &str| url_decoded(Cow::Borrowed(key)).into_owned();
        assert_eq!(decoded("dir+with+space/a%2Bb/year%3D2019/caf%C3%A9"), "dir with space/a+b/year=2019/café");
        assert_eq!(decoded("100%2525"), "100%25");
        assert_eq!(decoded("plain"), "plain");
    }
}
