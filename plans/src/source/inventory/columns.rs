//! Which column of an inventory is which.

use std::borrow::Cow;

use crate::model::time::parse_millis;

/// Positions of the columns that matter; the others are not read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Columns {
    pub store: Store,
    pub bucket: Option<usize>,
    pub key: usize,
    pub is_latest: Option<usize>,
    pub is_delete_marker: Option<usize>,
    pub last_modified: Option<usize>,
    pub e_tag: Option<usize>,
    /// Something stands there where another object has taken the name since.
    pub replaced: Option<usize>,
}

/// Whose inventory it is, which tells where its objects are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) enum Store {
    /// S3, or any list of keys, paths or URLs.
    #[default]
    Any,
    /// Storage Insights: columns `bucket` and `name`.
    Google,
    /// Blob inventory: column `Name` is the container and the name in it.
    Azure,
}

impl Store {
    /// The bucket and the key of an object. The bucket of another store than S3 is a URL.
    pub fn place<'a>(self, bucket: Cow<'a, str>, key: Cow<'a, str>) -> (Cow<'a, str>, Cow<'a, str>) {
        match self {
            Self::Any => (bucket, key),
            Self::Google if bucket.is_empty() => (bucket, key),
            Self::Google => (format!("gs://{bucket}").into(), key),
            Self::Azure => match key.split_once('/') {
                Some((container, name)) => (format!("az://{container}").into(), name.to_owned().into()),
                None => (bucket, key),
            },
        }
    }
}

/// Names of the column of keys, the better ones first.
const KEYS: [&str; 8] = ["key", "url", "uri", "href", "object", "objectname", "path", "name"];

/// Those of them whose values are where an object is, whatever its bucket.
const WHOLE: [&str; 4] = ["url", "uri", "href", "object"];

/// Columns that Azure's inventories have, and other lists of names do not.
const OF_AZURE: [&str; 6] = ["blobtype", "accesstier", "contentlength", "contentmd5", "creationtime", "hdiisfolder"];

impl Columns {
    /// By name, in any spelling: `last_modified_date` in data files, `LastModifiedDate` in a manifest, `Last-Modified`.
    /// `None` without a column of keys.
    pub fn by_name<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let names: Vec<_> = names.into_iter().map(|name| plain(name).to_ascii_lowercase()).collect();
        let at = |name: &str| names.iter().position(|n| n == name);
        let (named, key) = KEYS.into_iter().find_map(|name| Some((name, at(name)?)))?;
        let bucket = at("bucket").filter(|_| !WHOLE.contains(&named));
        let store = match (named, bucket) {
            ("name", Some(_)) => Store::Google,
            ("name", None) if OF_AZURE.iter().any(|name| at(name).is_some()) => Store::Azure,
            _ => Store::Any,
        };
        let replaced = match store {
            Store::Any => None,
            Store::Google => at("timedeleted"),
            Store::Azure => at("snapshot"),
        };
        Some(Self {
            store,
            bucket,
            key,
            is_latest: at("islatest").or_else(|| at("iscurrentversion")),
            is_delete_marker: at("isdeletemarker").or_else(|| at("deleted").filter(|_| store == Store::Azure)),
            last_modified: at("lastmodifieddate")
                .or_else(|| at("lastmodified"))
                .or_else(|| at("updated").filter(|_| store == Store::Google)),
            e_tag: at("etag"),
            replaced,
        })
    }

    /// By the first row of a headerless file: bucket, key, [version_id, is_latest, is_delete_marker], [size],
    /// [last_modified_date], [e_tag], … as S3 Inventory orders them; or a key alone; or a URL, and whatever else.
    pub fn by_first_row(row: &[&str]) -> Self {
        if row.len() == 1 || row[0].contains("://") {
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
            ..Self::default()
        }
    }

    /// The same columns where only those are read that are wanted.
    pub fn projected(&self) -> Self {
        let mut wanted: Vec<_> = self.wanted().collect();
        wanted.sort_unstable();
        let at = |i: usize| wanted.partition_point(|other| *other < i);
        Self {
            store: self.store,
            bucket: self.bucket.map(at),
            key: at(self.key),
            is_latest: self.is_latest.map(at),
            is_delete_marker: self.is_delete_marker.map(at),
            last_modified: self.last_modified.map(at),
            e_tag: self.e_tag.map(at),
            replaced: self.replaced.map(at),
        }
    }

    /// The columns to read.
    pub fn wanted(&self) -> impl Iterator<Item = usize> {
        let Self { store: _, bucket, key, is_latest, is_delete_marker, last_modified, e_tag, replaced } = self;
        [*bucket, Some(*key), *is_latest, *is_delete_marker, *last_modified, *e_tag, *replaced].into_iter().flatten()
    }
}

/// What is said of columns among which there is none of keys.
pub(in super::super) fn no_key(names: &[&str]) -> String {
    format!(
        "it has no column with the keys of the objects, but {}; call one key (or url, path, name), or leave a header out",
        names.join(", ")
    )
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
            ..Columns::default()
        };
        assert_eq!(Columns::by_name(manifest.split(',')), Some(expected.clone()));
        assert_eq!(Columns::by_name(data.split(',')), Some(expected));
        assert_eq!(Columns::by_name(["bucket", "size"]), None);
    }

    #[test]
    fn inventories_of_other_clouds_are_recognised_and_say_where_their_objects_are() {
        let google = Columns::by_name("project,bucket,name,size,updated,timeDeleted,etag".split(',')).unwrap();
        let expected = Columns {
            store: Store::Google,
            bucket: Some(1),
            key: 2,
            last_modified: Some(4),
            replaced: Some(5),
            e_tag: Some(6),
            ..Columns::default()
        };
        assert_eq!(google, expected);
        let azure = "Name,Creation-Time,Last-Modified,Etag,BlobType,Snapshot,IsCurrentVersion,Deleted";
        let expected = Columns {
            store: Store::Azure,
            key: 0,
            last_modified: Some(2),
            e_tag: Some(3),
            replaced: Some(5),
            is_latest: Some(6),
            is_delete_marker: Some(7),
            ..Columns::default()
        };
        assert_eq!(Columns::by_name(azure.split(',')), Some(expected));
        let place = |store: Store, bucket, key| {
            let (bucket, key) = store.place(Cow::Borrowed(bucket), Cow::Borrowed(key));
            format!("{bucket} {key}")
        };
        assert_eq!(place(Store::Any, "b", "x/y.json"), "b x/y.json");
        assert_eq!(place(Store::Google, "b", "x/y.json"), "gs://b x/y.json");
        assert_eq!(place(Store::Azure, "", "container/x/y.json"), "az://container x/y.json");
    }

    #[test]
    fn of_several_columns_that_could_be_keys_the_best_one_is() {
        for (names, bucket, key) in [
            ("name,bucket,key", Some(1), 2),
            ("name,URL", None, 1),
            ("bucket,object,key", Some(0), 2),
            ("bucket,object", None, 1),
            ("size,path", None, 1),
            ("id,name", None, 1),
        ] {
            let columns = Columns::by_name(names.split(',')).unwrap();
            assert_eq!((columns.store, columns.bucket, columns.key), (Store::Any, bucket, key), "{names}");
        }
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
                ..Columns::default()
            }
        );
        assert_eq!(Columns::by_first_row(&["k.json"]), Columns::default());
        assert_eq!(Columns::by_first_row(&["https://host/k.json", "3545"]), Columns::default());
    }
}
