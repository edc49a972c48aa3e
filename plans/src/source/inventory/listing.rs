//! What the tools of object stores print of an object, a line each.
//!
//! | tool | line |
//! |---|---|
//! | `aws s3 ls --recursive s3://bucket` | `2025-06-30 06:07:23       3545 path/a b.json`: no bucket, and the time of whoever listed |
//! | `gcloud storage ls -l`, `gsutil ls -l` | `      3545  2025-06-30T06:07:23Z  gs://bucket/path/a.json` |

use crate::model::time::parse_millis;

/// Who printed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lister {
    Aws,
    Google,
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A key, or a URL; milliseconds since 1970, UTC.
    Object {
        key: &'a str,
        last_modified: Option<i64>,
    },
    /// A sum, or nothing.
    Other,
    /// Folders are listed, and not what is in them.
    Folder,
    Unknown,
}

impl Lister {
    /// Who printed this line, if it is an object's or a folder's.
    pub fn of(line: &str) -> Option<Self> {
        let lists = |lister: &Self| matches!(lister.read(line), Line::Object { .. } | Line::Folder);
        [Self::Aws, Self::Google].into_iter().find(lists)
    }

    pub fn read(self, line: &str) -> Line<'_> {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            return Line::Other;
        }
        match self {
            Self::Aws if trimmed.starts_with("Total Objects:") || trimmed.starts_with("Total Size:") => Line::Other,
            Self::Aws if trimmed.starts_with("PRE ") && trimmed.ends_with('/') => Line::Folder,
            Self::Aws => of_aws(line).unwrap_or(Line::Unknown),
            Self::Google if trimmed.starts_with("TOTAL:") => Line::Other,
            Self::Google => of_google(trimmed).unwrap_or(Line::Unknown),
        }
    }
}

fn of_aws(line: &str) -> Option<Line<'_>> {
    let (time, rest) = line.trim_start().split_at_checked("2025-06-30 06:07:23".len())?;
    let last_modified = Some(parse_millis(time).filter(|_| time.as_bytes()[10] == b' ')?);
    let (size, rest) = rest.strip_prefix(' ')?.trim_start().split_once(' ')?;
    if size.is_empty() || !size.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    // With --human-readable, a unit follows.
    let units = ["Bytes", "Byte", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = units.into_iter().find_map(|unit| rest.strip_prefix(unit)?.strip_prefix(' '));
    let key = unit.unwrap_or(rest).trim_end_matches(['\r', '\n']);
    (!key.is_empty()).then_some(Line::Object { key, last_modified })
}

fn of_google(line: &str) -> Option<Line<'_>> {
    let (size, rest) = line.split_once(' ')?;
    let (time, url) = rest.trim_start().split_once(' ')?;
    let url = url.trim_start();
    if !size.bytes().all(|b| b.is_ascii_digit()) || !url.starts_with("gs://") {
        return None;
    }
    Some(Line::Object { key: url, last_modified: Some(parse_millis(time)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_what_they_list() {
        let object = |key, last_modified| Line::Object { key, last_modified: Some(last_modified) };
        for (line, lister, expected) in [
            ("1970-01-02 00:00:01       3545 a/b  c.json", Lister::Aws, object("a/b  c.json", 86_401_000)),
            ("1970-01-02 00:00:01    3.5 KiB a.json\r", Lister::Aws, object("a.json", 86_401_000)),
            ("1970-01-02 00:00:01    0 Bytes a.json", Lister::Aws, object("a.json", 86_401_000)),
            ("                           PRE folder/", Lister::Aws, Line::Folder),
            ("   Total Size: 7090", Lister::Aws, Line::Other),
            ("a.json", Lister::Aws, Line::Unknown),
            ("  3545  1970-01-02T00:00:01Z  gs://b/a b.json", Lister::Google, object("gs://b/a b.json", 86_401_000)),
            ("TOTAL: 2 objects, 7090 bytes (6.92 KiB)", Lister::Google, Line::Other),
            ("", Lister::Google, Line::Other),
        ] {
            assert_eq!(lister.read(line), expected, "{line}");
        }
        for line in ["a.json", "bucket,a.json", "2025-06-30,3545,a.json", "2025-06-30 06:07:23", "3545 x gs://b/a", ""]
        {
            assert_eq!(Lister::of(line), None, "{line}");
        }
        assert_eq!(Lister::of("  PRE a/"), Some(Lister::Aws));
    }
}
