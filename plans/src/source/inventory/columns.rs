//! Which column of an inventory is which.

use crate::model::time::parse_millis;

/// Positions of the columns that matter; the others are not read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Columns {
    pub bucket: Option<usize>,
    pub key: usize,
    pub is_latest: Option<usize>,
    pub is_delete_marker: Option<usize>,
    pub last_modified: Option<usize>,
    pub e_tag: Option<usize>,
}

impl Columns {
    /// By name, in any spelling: `last_modified_date` in data files, `LastModifiedDate` in a manifest.
    /// `None` without a column `key`.
    pub fn by_name<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut columns = Self::default();
        let mut key = None;
        for (i, name) in names.into_iter().enumerate() {
            let plain = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
            match plain.as_str() {
                "bucket" => columns.bucket = Some(i),
                "key" => key = Some(i),
                "islatest" => columns.is_latest = Some(i),
                "isdeletemarker" => columns.is_delete_marker = Some(i),
                "lastmodifieddate" | "lastmodified" => columns.last_modified = Some(i),
                "etag" => columns.e_tag = Some(i),
                _ => {}
            }
        }
        Some(Self { key: key?, ..columns })
    }

    /// By the first row of a headerless file: bucket, key, [version_id, is_latest, is_delete_marker], [size],
    /// [last_modified_date], [e_tag], … as S3 Inventory orders them; or key alone.
    pub fn by_first_row(row: &[&str]) -> Self {
        if row.len() == 1 {
            return Self::default();
        }
        let is_bool = |i: usize| row.get(i).is_some_and(|field| parse_bool(field).is_some());
        let versions = is_bool(3) && is_bool(4);
        let is_time = |field: &&str| field.contains('-') && parse_millis(field).is_some();
        let last_modified = row.iter().skip(2).position(is_time).map(|i| i + 2);
        Self {
            bucket: Some(0),
            key: 1,
            is_latest: versions.then_some(3),
            is_delete_marker: versions.then_some(4),
            last_modified,
            e_tag: last_modified.map(|i| i + 1).filter(|i| row.get(*i).is_some_and(|field| is_e_tag(field))),
        }
    }
}

pub(super) fn parse_bool(field: &str) -> Option<bool> {
    match field {
        "true" | "TRUE" | "True" => Some(true),
        "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// An MD5 in hexadecimal, and the number of parts of an object that was uploaded in parts.
fn is_e_tag(field: &str) -> bool {
    let (digest, parts) = field.split_once('-').unwrap_or((field, "1"));
    digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit()) && parts.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_in_the_spelling_of_the_manifest_and_of_the_data() {
        let manifest = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";
        let data = "bucket,key,version_id,is_latest,is_delete_marker,size,last_modified_date,e_tag";
        let expected = Columns {
            bucket: Some(0),
            key: 1,
            is_latest: Some(3),
            is_delete_marker: Some(4),
            last_modified: Some(6),
            e_tag: Some(7),
        };
        assert_eq!(Columns::by_name(manifest.split(',')), Some(expected.clone()));
        assert_eq!(Columns::by_name(data.split(',')), Some(expected));
        assert_eq!(Columns::by_name(["bucket", "path"]), None);
    }

    #[test]
    fn a_headerless_row_shows_its_columns() {
        for (e_tag, found) in [("d41d8cd98f00b204e9800998ecf8427e-12", Some(4)), ("STANDARD", None)] {
            let current = ["b", "k.json", "3545", "2025-06-30T06:07:23.000Z", e_tag, "STANDARD"];
            assert_eq!(
                Columns::by_first_row(&current),
                Columns { bucket: Some(0), key: 1, last_modified: Some(3), e_tag: found, ..Columns::default() }
            );
        }
        let marker = ["b", "k.json", "V1", "true", "true", "", "2025-06-30T06:07:23.000Z", "", "", ""];
        assert_eq!(
            Columns::by_first_row(&marker),
            Columns {
                bucket: Some(0),
                key: 1,
                is_latest: Some(3),
                is_delete_marker: Some(4),
                last_modified: Some(6),
                e_tag: None
            }
        );
        assert_eq!(Columns::by_first_row(&["k.json"]), Columns::default());
    }
}
