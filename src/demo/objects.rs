//! A folder that stands for a bucket: objects with Items, good, odd and bad, and the inventory that lists them.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::scene::{self, Pair};

/// Name of the inventory in the folder.
pub const INVENTORY: &str = "inventory.csv";

/// What an object of the bucket is; most are [`Kind::Plain`].
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    /// An earlier pair again, processed anew, at another key.
    Duplicate,
    /// Not an Item by its name: the velocity grid beside one.
    Sibling,
    /// An older version of an object, which a versioned bucket lists too.
    OldVersion,
    NullGeometry,
    /// `datetime` is null; `start_datetime` and `end_datetime` say when.
    NullDatetime,
    /// Encloses the South Pole.
    Pole,
    /// Members that no column has.
    Extra,
    /// Cut off in the middle.
    Truncated,
    /// Listed, but gone.
    Missing,
    NoId,
    /// What a server says in place of an Item.
    Answer,
    BadGeometry,
    BadDatetime,
}

/// The odd ones, by turns.
const ODD: [Kind; 14] = [
    Kind::Duplicate,
    Kind::Sibling,
    Kind::NullDatetime,
    Kind::Truncated,
    Kind::Duplicate,
    Kind::Extra,
    Kind::Missing,
    Kind::OldVersion,
    Kind::NoId,
    Kind::NullGeometry,
    Kind::Answer,
    Kind::Pole,
    Kind::BadGeometry,
    Kind::BadDatetime,
];

/// `updated` of pairs that were processed anew: later than that of any other.
const REPROCESSED: &str = "2025-09-01T00:00:00Z";

/// One object in so many is odd.
const ODD_EVERY: u64 = 7;

impl Kind {
    fn at(index: u64) -> Self {
        match index % ODD_EVERY {
            rest if rest + 1 == ODD_EVERY => ODD[(index / ODD_EVERY) as usize % ODD.len()],
            _ => Self::Plain,
        }
    }
}

/// Writes `objects` objects and their inventory below `folder`; the same seed makes the same bytes.
pub fn write(folder: &Path, seed: u64, objects: u64) -> io::Result<()> {
    let mut inventory = BufWriter::new(fs::File::create(folder.join(INVENTORY))?);
    writeln!(inventory, "bucket,key,is_latest,is_delete_marker,size,last_modified_date")?;
    for index in 0..objects {
        let kind = Kind::at(index);
        let (key, body) = object(seed, index, kind);
        if kind != Kind::Missing && kind != Kind::OldVersion {
            let path = folder.join(&key);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, &body)?;
        }
        // The bucket is empty: keys are paths relative to the inventory.
        let latest = kind != Kind::OldVersion;
        writeln!(inventory, ",{key},{latest},false,{},{}", body.len(), modified(index))?;
    }
    inventory.flush()
}

/// Key and bytes of the `index`-th object.
fn object(seed: u64, index: u64, kind: Kind) -> (String, String) {
    let Pair { mut key, mut item } = scene::pair(seed, index);
    match kind {
        Kind::Plain | Kind::Missing | Kind::OldVersion | Kind::Truncated => {}
        Kind::Duplicate => {
            let mut earlier = scene::pair(seed, index + 1 - ODD_EVERY);
            earlier.item["properties"]["updated"] = json!(REPROCESSED);
            item = earlier.item;
            key = earlier.key.replace("velocity_image_pair/", "velocity_image_pair/reprocessed/");
        }
        Kind::Sibling => return (key.replace(".stac.json", ".nc"), "a velocity grid".to_owned()),
        Kind::NullGeometry => {
            item["geometry"] = Value::Null;
            remove(&mut item, "bbox");
        }
        Kind::NullDatetime => item["properties"]["datetime"] = Value::Null,
        Kind::Pole => {
            let ring: Vec<_> = (0..=12).map(|n| [-180 + n % 12 * 30, -86]).collect();
            item["geometry"]["coordinates"] = json!([ring]);
            item["bbox"] = json!([-180, -90, 180, -86]);
        }
        Kind::Extra => {
            item["properties"]["processing:software"] = json!({"autoRIFT": "1.5.0"});
            item["published"] = json!(true);
        }
        Kind::NoId => remove(&mut item, "id"),
        Kind::Answer => {
            item = json!({"code": "NotFoundError", "description": "Item not found"});
        }
        Kind::BadGeometry => item["geometry"]["coordinates"] = json!([[["-49.2", "69.1"]]]),
        Kind::BadDatetime => item["properties"]["datetime"] = json!("2020-13-45T00:00:00Z"),
    }
    let mut text = format!("{item:#}");
    if kind == Kind::Truncated {
        text.truncate(text.len() / 2);
    }
    (key, text)
}

fn remove(item: &mut Value, member: &str) {
    if let Value::Object(members) = item {
        members.shift_remove(member);
    }
}

/// One object a minute, from October 2025 on.
fn modified(index: u64) -> String {
    let start = DateTime::<Utc>::from_timestamp(1_759_276_800, 0).unwrap_or_default();
    (start + Duration::minutes(index as i64)).to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_objects() {
        let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        write(one.path(), 5, 200).unwrap();
        write(two.path(), 5, 200).unwrap();
        let inventory = |folder: &Path| fs::read_to_string(folder.join(INVENTORY)).unwrap();
        assert_eq!(inventory(one.path()), inventory(two.path()));
        let key = object(5, 0, Kind::Plain).0;
        assert_eq!(fs::read(one.path().join(&key)).unwrap(), fs::read(two.path().join(&key)).unwrap());
    }

    #[test]
    fn every_kind_is_among_the_first_hundred() {
        let kinds: Vec<_> = (0..100).map(Kind::at).collect();
        assert!(ODD.iter().all(|kind| kinds.contains(kind)));
        assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Plain).count(), 86);
    }

    #[test]
    fn a_duplicate_is_an_earlier_pair_with_a_later_update() {
        let index = (0..100).find(|i| Kind::at(*i) == Kind::Duplicate).unwrap();
        let (key, text) = object(1, index, Kind::Duplicate);
        let earlier = object(1, index - 6, Kind::Plain);
        assert_ne!(key, earlier.0);
        let [new, old]: [Value; 2] = [text, earlier.1].map(|t| serde_json::from_str(&t).unwrap());
        assert_eq!(new["id"], old["id"]);
        assert!(new["properties"]["updated"].as_str() > old["properties"]["updated"].as_str());
    }

    #[test]
    fn bad_objects_are_bad_as_their_kind_says() {
        assert!(serde_json::from_str::<Value>(&object(1, 3, Kind::Truncated).1).is_err());
        assert!(serde_json::from_str::<Value>(&object(1, 3, Kind::NoId).1).unwrap().get("id").is_none());
        assert!(object(1, 3, Kind::Sibling).0.ends_with(".nc"));
    }
}
