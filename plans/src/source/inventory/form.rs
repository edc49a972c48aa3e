//! [`Form`]: what the lines of a text inventory look like, by the first of them.

use super::columns::{Columns, no_key};
use super::listing::Lister;
use super::records::fields;
use crate::source::format::without_compression;

/// How lines are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    /// What stands between two fields. `None`: a line is one field, and quotes are characters.
    pub delimiter: Option<u8>,
    pub rows: Rows,
    /// The first line names columns.
    pub has_header: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rows {
    Table {
        columns: Columns,
        /// Keys are URL-encoded.
        encoded: bool,
        /// Spaces follow the delimiters.
        padded: bool,
    },
    /// Each is a key or a URL.
    Keys,
    Listing(Lister),
}

/// What may stand between fields, the more likely first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

impl Form {
    /// Of S3 Inventory's data files, whose columns the manifest names.
    pub fn of_s3(columns: Columns) -> Self {
        let rows = Rows::Table { columns, encoded: true, padded: false };
        Self { delimiter: Some(b','), rows, has_header: false }
    }

    /// By the first line that is not blank, and the name of the file.
    ///
    /// Errors: it names columns, and none of keys.
    pub fn by_first_line(line: &str, name: &str) -> Result<Self, String> {
        let line = line.trim_start_matches('\u{feff}');
        if let Some(lister) = Lister::of(line) {
            return Ok(Self { delimiter: None, rows: Rows::Listing(lister), has_header: false });
        }
        for delimiter in DELIMITERS {
            let names = fields(line, delimiter);
            if let Some(columns) = Columns::by_name(names.iter().map(String::as_str)) {
                let padded = names.iter().skip(1).any(|name| name.starts_with(' '));
                // Written by a tool that is not S3 Inventory: S3 writes no header, and only S3 encodes keys.
                let rows = Rows::Table { columns, encoded: false, padded };
                return Ok(Self { delimiter: Some(delimiter), rows, has_header: true });
            }
        }
        let keys = Self { delimiter: None, rows: Rows::Keys, has_header: false };
        let is_list = is_list(name) && !line.starts_with('"') && !line.contains('\t');
        if is_list && (is_url(line) || !looks_like_names(&fields(line, b','))) {
            return Ok(keys);
        }
        let delimiter = delimiter_of(line);
        let row = fields(line, delimiter);
        let row: Vec<_> = row.iter().map(String::as_str).collect();
        if row.len() > 1 && looks_like_names(&row) {
            return Err(no_key(&row.iter().map(|name| name.trim()).collect::<Vec<_>>()));
        }
        // S3 writes commas.
        let encoded = delimiter == b',';
        let rows = Rows::Table { columns: Columns::by_first_row(&row), encoded, padded: false };
        Ok(Self { delimiter: Some(delimiter), rows, has_header: false })
    }
}

/// Whether a file of this name is a list, a key or a URL a line, rather than a table.
fn is_list(name: &str) -> bool {
    let name = without_compression(name);
    [".txt", ".lst", ".list"].iter().any(|end| name.ends_with(end))
}

fn is_url(line: &str) -> bool {
    let scheme = line.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// What stands between the fields of a line without a header.
fn delimiter_of(line: &str) -> u8 {
    // A key may have these, the name of a bucket may not.
    let is_bucket = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let follows_bucket = |delimiter: &u8| {
        let bucket = line.split_once(char::from(*delimiter)).map(|(bucket, _)| bucket.trim_matches('"'));
        bucket.is_some_and(|bucket| is_bucket(bucket) && !bucket.ends_with(".json"))
    };
    match line {
        line if line.contains(',') => b',',
        line if line.contains('\t') => b'\t',
        _ => [b';', b'|'].into_iter().find(follows_bucket).unwrap_or(b','),
    }
}

/// Whether all fields are words, as names of columns are, and keys, sizes and times are not.
fn looks_like_names<T: AsRef<str>>(row: &[T]) -> bool {
    let is_name = |field: &T| {
        let field = field.as_ref().trim();
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b"_- ".contains(&b);
        field.starts_with(|c: char| c.is_ascii_alphabetic()) && field.bytes().all(is_word)
    };
    row.len() > 1 && row.iter().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delimiter, positions of bucket and key, and whether there is a header.
    fn table(line: &str) -> Option<(char, Option<usize>, usize, bool)> {
        let form = Form::by_first_line(line, "list.csv").unwrap();
        let Rows::Table { columns, .. } = form.rows else { return None };
        Some((char::from(form.delimiter.unwrap()), columns.bucket, columns.key, form.has_header))
    }

    #[test]
    fn tables_are_told_by_their_first_line() {
        for (line, expected) in [
            ("bucket,key", (',', Some(0), 1, true)),
            ("\u{feff}\"Bucket\",\"Key\"", (',', Some(0), 1, true)),
            ("Bucket;Last Modified;Object Key;Key", (';', Some(0), 3, true)),
            ("key\tsize", ('\t', None, 0, true)),
            ("project,bucket,name,size", (',', Some(1), 2, true)),
            ("Name|Content-Length", ('|', None, 0, true)),
            ("\"b\",\"a%20b.json\",\"12\"", (',', Some(0), 1, false)),
            ("b\ta.json\t12", ('\t', Some(0), 1, false)),
            ("b;a,b;12", (',', Some(0), 1, false)),
            ("b;a.json;12", (';', Some(0), 1, false)),
            (",a.json", (',', Some(0), 1, false)),
            ("https://host/a.json,12", (',', None, 0, false)),
        ] {
            assert_eq!(table(line), Some(expected), "{line}");
        }
        for line in ["a.json", "x/a;b.json", "a b.json", "a.json|b"] {
            assert_eq!(table(line), Some((',', None, 0, false)), "{line}");
        }
    }

    #[test]
    fn lists_are_of_whole_lines() {
        let rows = |line: &str| Form::by_first_line(line, "list.txt.gz").unwrap().rows;
        for line in ["https://host/a,b.json", "a,b.json", "x/a|b.json", "/x/a.json"] {
            assert_eq!(rows(line), Rows::Keys, "{line}");
        }
        assert!(matches!(rows("bucket,key"), Rows::Table { .. }));
        assert!(matches!(rows("\"bucket\",\"a.json\""), Rows::Table { .. }));
        assert_eq!(rows("2025-06-30 06:07:23   12 a,b.json"), Rows::Listing(Lister::Aws));
    }

    #[test]
    fn names_of_columns_without_one_of_keys_are_listed() {
        for name in ["list.csv", "list.txt"] {
            let error = Form::by_first_line("project, size;x, storage class", name);
            assert!(error.is_ok(), "a semicolon is in no name");
            let error = Form::by_first_line("project, size, storage class", name).unwrap_err();
            assert!(
                error.starts_with("it has no column with the keys of the objects, but project, size, storage class; ")
            );
        }
    }
}
