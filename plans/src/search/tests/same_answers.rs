//! Random searches find what an evaluation over the Items' JSON finds, in three states of the table.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use earthcatalog_stac_rows::footprint::drawn;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::oracle::finds;
use super::table::{Table, ids};
use crate::search::Search;
use crate::search::cql2::instant;

/// Searches that are tried, a third of them in each state of the table.
const SEARCHES: usize = 300;

/// Items of a file that are taken at most, so that there are many kinds.
const OF_A_FILE: usize = 3;

/// The folder with real Items, if it is there.
fn shared() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("EARTHCATALOG_DATA").map_or_else(beside, PathBuf::from).join("real");
    folder.is_dir().then_some(folder)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.extension().and_then(|ending| ending.to_str()) {
            _ if path.ends_with("not_items") => {}
            _ if path.is_dir() => files(&path, found),
            Some("json" | "geojson") => found.push(path),
            _ => {}
        }
    }
}

/// Real Items: of each file some.
fn real() -> Vec<Value> {
    let mut paths = vec![];
    shared().into_iter().for_each(|folder| files(&folder, &mut paths));
    let read = |path: PathBuf| match serde_json::from_str(&fs::read_to_string(path).ok()?).ok()? {
        Value::Object(mut object) => match object.remove("features") {
            Some(Value::Array(features)) => Some(features),
            _ => Some(vec![Value::Object(object)]),
        },
        Value::Array(items) => Some(items),
        _ => None,
    };
    paths.into_iter().filter_map(read).flat_map(|items| items.into_iter().take(OF_A_FILE)).collect()
}

/// Items of all kinds of values.
fn generated() -> Vec<Value> {
    (0..80_u32)
        .map(|i| {
            let (x, y) = (f64::from(i * 37 % 340) - 170.0, f64::from(i * 53 % 160) - 80.0);
            let day = |day: u32| format!("20{:02}-{:02}-01T00:00:00Z", 19 + day % 2, 1 + day % 12);
            let mut properties = match i % 5 {
                0 => json!({"datetime": null, "start_datetime": day(i), "end_datetime": "2021-06-01T00:00:00Z"}),
                _ => json!({"datetime": day(i)}),
            };
            let cloud = [json!(i % 100), json!(f64::from(i) + 0.25), json!(null), json!("cloudy"), json!([i])];
            properties["eo:cloud_cover"] = cloud[i as usize % 5].clone();
            properties["platform"] =
                [json!("S1"), json!("S2A"), json!(null), json!("LANDSAT_8")][i as usize % 4].clone();
            properties["gsd"] = json!(i % 7);
            properties["flag"] = json!(i % 3 == 0);
            let side = f64::from(i % 4) * 2.0;
            let square = json!([[[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]]);
            let geometry = match side == 0.0 {
                true => json!({"type": "Point", "coordinates": [x, y]}),
                false => json!({"type": "Polygon", "coordinates": square}),
            };
            let collection = [json!("one"), json!("two"), json!(null)][i as usize % 3].clone();
            json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("generated-{i}"), "collection": collection,
                "geometry": geometry, "properties": properties, "links": [], "assets": {}})
        })
        .collect()
}

/// Whether source and table say the same of an Item by the reading of the test: footprints on one side of the
/// antimeridian, times in RFC 3339, no texts that are numbers or booleans, or that differ in case beyond what the test
/// folds.
fn is_plain(item: &Value) -> bool {
    let mut longitudes = vec![];
    positions(&item["geometry"]["coordinates"], &mut longitudes);
    let (west, east) = longitudes.iter().fold((f64::MAX, f64::MIN), |(w, e), x| (w.min(*x), e.max(*x)));
    let Some(properties) = item["properties"].as_object() else { return false };
    let footprint = earthcatalog_udfs::parse_geojson(&item["geometry"].to_string()).ok().flatten();
    let in_degrees = footprint.is_none_or(|footprint| drawn(&footprint, None).is_ok());
    let is_plain_text = |text: &str| text.parse::<f64>().is_err() && !matches!(text, "true" | "false");
    item["type"] == "Feature"
        && item["id"].as_str().is_some_and(|id| !id.is_empty())
        && item["geometry"].get("geometries").is_none()
        && in_degrees
        && (longitudes.is_empty() || west >= -180.0 && east <= 180.0 && east - west < 90.0)
        && properties.get("datetime").is_some_and(|time| time.is_null() || time.is_string())
        && properties.values().all(|value| value.as_str().is_none_or(is_plain_text))
        && properties
            .iter()
            .filter(|(name, _)| name.ends_with("datetime") || matches!(name.as_str(), "created" | "updated"))
            .all(|(_, time)| time.is_null() || time.as_str().is_some_and(|time| instant(time).is_some()))
}

fn positions(coordinates: &Value, longitudes: &mut Vec<f64>) {
    match coordinates.as_array().map(Vec::as_slice) {
        Some([Value::Number(x), Value::Number(_), ..]) => longitudes.extend(x.as_f64()),
        Some(inner) => inner.iter().for_each(|inner| positions(inner, longitudes)),
        None => {}
    }
}

/// What searches are made of: values that the Items have.
struct Vocabulary {
    ids: Vec<String>,
    collections: Vec<String>,
    times: Vec<String>,
    positions: Vec<(f64, f64)>,
    properties: Vec<(String, Value)>,
}

impl Vocabulary {
    fn of(items: &[Value]) -> Self {
        let texts = |name: &str| -> Vec<String> {
            let texts = items.iter().filter_map(|item| item[name].as_str().map(str::to_owned));
            texts.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let properties = || items.iter().filter_map(|item| item["properties"].as_object()).flatten();
        let times = properties().filter(|(name, _)| name.ends_with("datetime")).filter_map(|(_, time)| time.as_str());
        let is_scalar = |value: &Value| matches!(value, Value::Number(_) | Value::String(_) | Value::Bool(_));
        let is_time = |name: &str| name.ends_with("datetime") || matches!(name, "created" | "updated");
        Self {
            ids: texts("id"),
            collections: texts("collection"),
            times: times.map(str::to_owned).collect(),
            positions: items.iter().filter_map(|item| first_position(&item["geometry"]["coordinates"])).collect(),
            properties: properties()
                .filter(|(name, value)| is_scalar(value) && !is_time(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }

    fn search(&self) -> impl Strategy<Value = Value> {
        let some = prop::sample::select::<String>;
        let ids = prop::collection::vec(some(self.ids.clone()), 0..40);
        let collections = prop::collection::vec(some(self.collections.clone()), 0..4);
        let parameter = prop_oneof![
            1 => ids.prop_map(|ids| ("ids", json!(ids))),
            1 => collections.prop_map(|collections| ("collections", json!(collections))),
            1 => self.parts().prop_map(|parts| ("q", parts)),
            2 => self.place().prop_map(|place| ("bbox", place)),
            2 => self.place().prop_map(|place| ("intersects", triangle(&place))),
            2 => self.datetime().prop_map(|datetime| ("datetime", datetime)),
            4 => self.filter().prop_map(|filter| ("filter", filter)),
            2 => self.query().prop_map(|query| ("query", query)),
        ];
        prop::collection::vec(parameter, 1..4).prop_map(|parameters| {
            let mut search: serde_json::Map<String, Value> =
                parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            if search.contains_key("bbox") {
                search.remove("intersects");
            }
            Value::Object(search)
        })
    }

    /// Parts of ids, some in another case.
    fn parts(&self) -> impl Strategy<Value = Value> + use<> {
        let part = (prop::sample::select(self.ids.clone()), any::<bool>()).prop_map(|(id, upper)| {
            let part: String = id.chars().skip(2).take(4).filter(|c| *c != ',').collect();
            if upper { part.to_uppercase() } else { part }
        });
        prop::collection::vec(part.prop_filter("a text", |part| !part.is_empty()), 0..3).prop_map(|parts| json!(parts))
    }

    /// A box around a position of an Item, at times over the antimeridian.
    fn place(&self) -> impl Strategy<Value = Value> + use<> {
        let size = prop_oneof![Just(0.0), 0.1..5.0, 5.0..80.0];
        (prop::sample::select(self.positions.clone()), size).prop_map(|((x, y), size)| {
            let (south, north) = ((y - size).max(-90.0), (y + size).min(90.0));
            let around = |x: f64| (x + 180.0).rem_euclid(360.0) - 180.0;
            json!([around(x - size), south, if size == 0.0 { around(x) } else { around(x + size) }, north])
        })
    }

    fn datetime(&self) -> impl Strategy<Value = Value> + use<> {
        let time = || prop::sample::select(self.times.clone());
        prop_oneof![
            time().prop_map(|time| json!(time)),
            time().prop_map(|time| json!(format!("{time}/.."))),
            time().prop_map(|time| json!(format!("../{time}"))),
            (time(), time()).prop_map(|(a, b)| {
                let at = |time: &str| chrono::DateTime::parse_from_rfc3339(time).unwrap();
                if at(&a) <= at(&b) { json!(format!("{a}/{b}")) } else { json!(format!("{b}/{a}")) }
            }),
        ]
    }

    fn query(&self) -> impl Strategy<Value = Value> + use<> {
        let operator = prop::sample::select(vec!["eq", "neq", "lt", "lte", "gt", "gte"]);
        let property = prop::sample::select(self.properties.clone());
        (property, operator).prop_map(|((name, value), operator)| json!({name: {operator: value}}))
    }

    fn filter(&self) -> impl Strategy<Value = Value> + use<> {
        let property = || prop::sample::select(self.properties.clone());
        let name = |name: String, prefixed: bool| json!({"property": if prefixed { format!("properties.{name}") } else { name }});
        let operator = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
        let time = prop::sample::select(self.times.clone());
        let leaf = prop_oneof![
            4 => (property(), operator, any::<bool>())
                .prop_map(move |((p, value), op, prefixed)| json!({"op": op, "args": [name(p, prefixed), value]})),
            1 => (property(), property()).prop_map(|((p, a), (_, b))| {
                json!({"op": "in", "args": [{"property": p}, [a, b]]})
            }),
            1 => property().prop_map(|(p, _)| json!({"op": "isNull", "args": [{"property": p}]})),
            1 => property().prop_filter("a number", |(_, value)| value.is_number())
                .prop_map(|(p, value)| json!({"op": "between", "args": [{"op": "+", "args": [{"property": p}, 1]}, 0, value]})),
            1 => property().prop_filter("a text", |(_, value)| value.as_str().is_some_and(|text| text.is_ascii() && text.len() > 1))
                .prop_map(|(p, value)| {
                    let start: String = value.as_str().unwrap().chars().take(2).filter(|c| c.is_alphanumeric()).collect();
                    json!({"op": "like", "args": [{"property": p}, format!("{start}%")]})
                }),
            1 => (prop::sample::select(vec!["t_after", "t_before"]), prop::sample::select(vec!["created", "updated", "start_datetime"]), time)
                .prop_map(|(op, p, time)| json!({"op": op, "args": [{"property": p}, {"timestamp": time}]})),
            1 => (prop::sample::select(vec!["s_intersects", "s_within", "s_disjoint"]), self.place())
                .prop_map(|(op, place)| json!({"op": op, "args": [{"property": "geometry"}, {"bbox": place}]})),
            1 => prop::sample::select(self.collections.clone())
                .prop_map(|c| json!({"op": "=", "args": [{"op": "casei", "args": [{"property": "collection"}]}, c.to_lowercase()]})),
        ];
        leaf.prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..3).prop_map(|args| json!({"op": "and", "args": args})),
                prop::collection::vec(inner.clone(), 1..3).prop_map(|args| json!({"op": "or", "args": args})),
                inner.prop_map(|arg| json!({"op": "not", "args": [arg]})),
            ]
        })
    }
}

fn first_position(coordinates: &Value) -> Option<(f64, f64)> {
    match coordinates.as_array()?.as_slice() {
        [Value::Number(x), Value::Number(y), ..] => Some((x.as_f64()?, y.as_f64()?)),
        [first, ..] => first_position(first),
        [] => None,
    }
}

/// A triangle, or a point, in a box that does not cross the antimeridian; otherwise the corner of it.
fn triangle(place: &Value) -> Value {
    let side = |i: usize| place[i].as_f64().unwrap();
    let (west, south, east, north) = (side(0), side(1), side(2), side(3));
    match west < east && south < north {
        true => {
            json!({"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, south]]]})
        }
        false => json!({"type": "Point", "coordinates": [west, south]}),
    }
}

/// A newer version of an Item.
fn newer(item: &Value) -> Value {
    let mut newer = item.clone();
    newer["properties"]["updated"] = json!("2030-01-01T00:00:00Z");
    newer["properties"]["eo:cloud_cover"] = json!(42);
    newer
}

fn expected(search: &Search, items: &[Value]) -> Vec<String> {
    let found = items.iter().filter(|item| finds(search, item));
    let mut ids: Vec<String> = found.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn random_searches_find_what_the_source_says_in_every_state_of_the_table() {
    let mut seen = BTreeSet::new();
    let mut items: Vec<Value> = real().into_iter().filter(is_plain).chain(generated()).collect();
    items.retain(|item| seen.insert((item["collection"].to_string(), item["id"].to_string())));
    let vocabulary = Vocabulary::of(&items);
    let mut runner = TestRunner::deterministic();
    let searches: Vec<Value> =
        (0..SEARCHES).map(|_| vocabulary.search().new_tree(&mut runner).unwrap().current()).collect();

    let mut table = Table::new("\"eo:cloud_cover\" INT, platform VARCHAR, gsd DOUBLE, flag BOOLEAN").await;
    table.ingest(&items).await;
    let delivered: Vec<Value> =
        items.iter().enumerate().map(|(i, item)| if i % 4 == 1 { newer(item) } else { item.clone() }).collect();
    let (mut found_any, mut wrong) = (0, vec![]);
    for (third, state) in ["fresh", "half delivered again", "compacted"].into_iter().enumerate() {
        let items = match state {
            "fresh" => &items,
            "half delivered again" => {
                let again: Vec<Value> = delivered.iter().skip(1).step_by(2).cloned().collect();
                table.ingest(&again).await;
                &delivered
            }
            _ => {
                table.compact().await;
                &delivered
            }
        };
        let session = table.reading().await;
        assert_eq!(ids(&session, &json!({})).await, expected(&Search::default(), items), "{state}: all");
        for search in searches.iter().skip(third).step_by(3) {
            let expected = expected(&search.to_string().parse().unwrap(), items);
            let found = ids(&session, search).await;
            if found != expected {
                let only = |a: &[String], b: &[String]| -> Vec<String> {
                    a.iter().filter(|id| !b.contains(id)).take(5).cloned().collect()
                };
                let (more, less) = (only(&found, &expected), only(&expected, &found));
                wrong.push(format!("{state}: {search}: found {more:?} wrongly, and not {less:?}"));
            }
            found_any += usize::from(!expected.is_empty());
        }
    }
    assert!(wrong.is_empty(), "{} searches: {}", wrong.len(), wrong.join("\n"));
    assert!(found_any > SEARCHES / 3, "many searches find something, and {found_any} of {SEARCHES} did");
}
