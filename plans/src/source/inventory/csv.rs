//! Inventories of lines: CSV and what is like it, lists, and what listing tools print, parsed in pieces as they arrive.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use datafusion::common::{Result, plan_err};
use futures::StreamExt;
use percent_encoding::percent_decode_str;
use url::Url;

use super::check_since;
use super::columns::{Columns, parse_bool};
use super::form::{Form, Rows};
use super::listing::{Line, Lister};
use super::records::{Record, Records};
use crate::model::time::parse_modified;
use crate::source::keys::KeyBase;
use crate::source::planner::{Listed, Planner};
use crate::source::read::pieces::{Pieces, inflated, pieces};

/// No first line is longer.
const LONGEST_FIRST_LINE: usize = 1 << 20;

/// Plans a data file; `columns` as its manifest names them.
pub(super) async fn plan(
    file: &Url,
    columns: Option<&Columns>,
    planner: &mut Planner<'_>,
    keys: &Arc<KeyBase>,
) -> Result<()> {
    let mut pieces = inflated(pieces(file, None).await?);
    let (start, form) = match columns {
        Some(columns) => (Bytes::new(), Some(Form::of_s3(columns.clone()))),
        None => {
            let start = up_to_first_line(&mut pieces).await?;
            let form = form_of(file, &start)?;
            (start, form)
        }
    };
    // Nothing but blank lines.
    let Some(form) = form else { return Ok(()) };
    check_form(file, &form, planner)?;
    planner.start_file(file, Arc::clone(keys), false);
    let mut records = Records::new(form.delimiter);
    let mut rows = FileRows { file, rows: &form.rows, header: form.has_header };
    records.feed(&start, |record| rows.push(record, planner))?;
    while !planner.is_full()
        && let Some(piece) = pieces.next().await.transpose()?
    {
        records.feed(&piece, |record| rows.push(record, planner))?;
    }
    if !planner.is_full() {
        records.finish(|record| rows.push(record, planner))?;
    }
    planner.end_file();
    Ok(())
}

/// The file up to the end of its first line that is not blank, at least.
async fn up_to_first_line(pieces: &mut Pieces) -> Result<Bytes> {
    let mut start = BytesMut::new();
    while start.len() < LONGEST_FIRST_LINE && !has_line(&start) {
        match pieces.next().await.transpose()? {
            Some(piece) => start.extend_from_slice(&piece),
            None => break,
        }
    }
    Ok(start.freeze())
}

fn has_line(start: &[u8]) -> bool {
    let text = start.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(start.len());
    start[text..].iter().any(|b| matches!(b, b'\n' | b'\r'))
}

/// How a file that starts so is read; `None` if nothing is in it.
fn form_of(file: &Url, start: &[u8]) -> Result<Option<Form>> {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return plan_err!("{file} is UTF-16; save it as UTF-8");
    }
    let text = String::from_utf8_lossy(start);
    let Some(line) = text.split(['\n', '\r']).find(|line| !line.trim().is_empty()) else { return Ok(None) };
    let name = file.path().rsplit('/').next().unwrap_or_default();
    match Form::by_first_line(line, name) {
        Ok(form) => Ok(Some(form)),
        Err(message) => plan_err!("{file} is not an inventory: {message}"),
    }
}

/// Whether the options give what the form needs.
fn check_form(file: &Url, form: &Form, planner: &Planner<'_>) -> Result<()> {
    match &form.rows {
        Rows::Table { columns, .. } => check_since(file, columns.last_modified.is_some(), planner),
        Rows::Keys => check_since(file, false, planner),
        Rows::Listing(Lister::Aws) if planner.options.base.is_none() => plan_err!(
            "{file} is the output of `aws s3 ls`, which does not name the bucket; name it with option 'base' (--base s3://BUCKET/)"
        ),
        Rows::Listing(_) => Ok(()),
    }
}

/// The rows of one file.
struct FileRows<'a> {
    file: &'a Url,
    rows: &'a Rows,
    /// The next record is a header.
    header: bool,
}

impl FileRows<'_> {
    /// Takes a record; false if no more are wanted.
    fn push(&mut self, record: Record<'_>, planner: &mut Planner<'_>) -> Result<bool> {
        if std::mem::take(&mut self.header) {
            return Ok(true);
        }
        match self.rows {
            Rows::Table { columns, encoded, padded } => {
                let field = |i: usize| if *padded { unpadded(record.field(i)) } else { record.field(i) };
                push_row(self.file, columns, *encoded, field, planner)?;
            }
            Rows::Keys => {
                let line = record.field(0);
                if !line.trim().is_empty() {
                    planner.push(&Listed { key: line.trim(), ..Listed::default() }, 1)?;
                }
            }
            Rows::Listing(lister) => self.push_listed(*lister, &record.field(0), planner)?,
        }
        Ok(!planner.is_full())
    }

    fn push_listed(&self, lister: Lister, line: &str, planner: &mut Planner<'_>) -> Result<()> {
        let file = self.file;
        match lister.read(line) {
            Line::Object { key, last_modified } => planner.push(&Listed { key, last_modified, ..Listed::default() }, 1),
            Line::Other => Ok(()),
            Line::Folder => {
                plan_err!("{file} lists a folder and not what is in it ({}); list with --recursive", line.trim())
            }
            Line::Unknown => plan_err!("{file} has a line that lists no object, as others do: {line:?}"),
        }
    }
}

fn push_row<'a>(
    file: &Url,
    columns: &Columns,
    encoded: bool,
    field: impl Fn(usize) -> Cow<'a, str>,
    planner: &mut Planner<'_>,
) -> Result<()> {
    let bucket = columns.bucket.map_or(Cow::Borrowed(""), &field);
    let key = field(columns.key);
    let key = if encoded && !bucket.is_empty() { url_decoded(key) } else { key };
    let (bucket, key) = columns.store.place(bucket, key);
    let boolean = |i: Option<usize>| i.and_then(|i| parse_bool(&field(i)));
    let is_replaced = columns.replaced.is_some_and(|i| !field(i).is_empty());
    let e_tag = columns.e_tag.map_or(Cow::Borrowed(""), &field);
    let modified = columns.last_modified.map_or(Cow::Borrowed(""), &field);
    let last_modified = parse_modified(&modified);
    // Without its time, a new version would be taken for the one that is known.
    if last_modified.is_none() && !modified.trim().is_empty() {
        return plan_err!(
            "{file}: when {key} was modified cannot be read: {modified:?}; times are such as 2025-01-10T01:02:03Z, Fri, 10 Jan 2025 01:02:03 GMT, or seconds since 1970"
        );
    }
    let listed = Listed {
        bucket: &bucket,
        key: &key,
        is_latest: if is_replaced { Some(false) } else { boolean(columns.is_latest) },
        is_delete_marker: boolean(columns.is_delete_marker),
        last_modified,
        e_tag: &e_tag,
    };
    planner.push(&listed, 1)
}

/// A field behind a delimiter and a space, which a CSV reader takes for a part of it.
fn unpadded(field: Cow<'_, str>) -> Cow<'_, str> {
    let trimmed = field.trim();
    match trimmed.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) => Cow::Owned(inner.replace("\"\"", "\"")),
        None if trimmed.len() == field.len() => field,
        None => Cow::Owned(trimmed.to_owned()),
    }
}

fn url_decoded(key: Cow<'_, str>) -> Cow<'_, str> {
    if !key.contains(['%', '+']) {
        return key;
    }
    let spaced = key.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_behind_delimiters_are_no_part_of_a_field() {
        let unpadded = |field: &'static str| unpadded(Cow::Borrowed(field)).into_owned();
        assert_eq!([" a b ", "a", " \"x\"\"y\""].map(unpadded), ["a b", "a", "x\"y"]);
    }

    #[test]
    fn keys_are_decoded_as_s3_encodes_them() {
        let decoded = |key: &str| url_decoded(Cow::Borrowed(key)).into_owned();
        assert_eq!(decoded("dir+with+space/a%2Bb/year%3D2019/caf%C3%A9"), "dir with space/a+b/year=2019/café");
        assert_eq!(decoded("100%2525"), "100%25");
        assert_eq!(decoded("plain"), "plain");
    }
}
