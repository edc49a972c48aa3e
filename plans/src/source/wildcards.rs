//! [`Wildcards`]: a location that stands for the files of a folder whose paths match.

use datafusion::common::{Result, plan_err};
use glob::{MatchOptions, Pattern};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::stores::{folder_of, folder_url};

/// `*` and `?` stand for characters of a name, `**` for folders, `[a-z]` for one character.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// The folder of what a location with `*` stands for, and which of its files that is.
#[derive(Debug)]
pub(super) struct Wildcards {
    /// Ends in `/`.
    pub folder: Url,
    pattern: Pattern,
}

impl Wildcards {
    /// `None` where there is no `*`, or a file or folder of that very name.
    pub fn of(location: &Url) -> Result<Option<Self>> {
        let path = percent_decode_str(location.path()).decode_utf8_lossy();
        let is_there = || location.scheme() == "file" && location.to_file_path().is_ok_and(|path| path.exists());
        if !path.contains('*') || is_there() {
            return Ok(None);
        }
        let first = path.find(['*', '?', '[']).unwrap_or(path.len());
        let (folder, pattern) = path.split_at(path[..first].rfind('/').map_or(0, |slash| slash + 1));
        let pattern = match Pattern::new(pattern) {
            Ok(pattern) => pattern,
            Err(e) => return plan_err!("{location}: {pattern} cannot be read as a pattern of names: {e}"),
        };
        let mut of_folder = folder_of(location);
        of_folder.set_path(folder);
        Ok(Some(Self { folder: of_folder, pattern }))
    }

    /// Whether a file is meant, by its path below the folder.
    pub fn match_path(&self, path: &str) -> bool {
        self.pattern.matches_with(path, OPTIONS)
    }
}

/// The folder of a location that is one, or has wildcards.
pub(super) fn folder_at(location: &Url) -> Result<Url> {
    match Wildcards::of(location)? {
        Some(wildcards) => Ok(wildcards.folder),
        None => Ok(folder_url(location.as_str())?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::location_url;

    #[test]
    fn wildcards_begin_below_a_folder_and_end_at_slashes() {
        let read = |location: &str| Wildcards::of(&location_url(location).unwrap()).unwrap();
        let found = read("s3://bucket/a b/2020/x*/[0-9]*.ndjson").unwrap();
        assert_eq!(found.folder.as_str(), "s3://bucket/a%20b/2020/");
        let paths = ["x1/2.ndjson", "x/9-a.ndjson", "x1/a.ndjson", "x1/y/2.ndjson", "y/1.ndjson"];
        assert_eq!(paths.map(|path| found.match_path(path)), [true, true, false, false, false]);
        let deep = read("/data/**/*.json").unwrap();
        assert_eq!((deep.folder.as_str(), deep.match_path("a/b/c.json")), ("file:///data/", true));
        assert!(read("/data/items[1].json").is_none() && read("s3://bucket/items.json").is_none());
        let error = Wildcards::of(&location_url("/data/*[.json").unwrap()).unwrap_err().to_string();
        assert!(error.contains("*[.json cannot be read as a pattern of names"), "{error}");

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a*.json");
        std::fs::write(&file, "").unwrap();
        assert!(read(file.to_str().unwrap()).is_none(), "a file that is called so");
    }
}
