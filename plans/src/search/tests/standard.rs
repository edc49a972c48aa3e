//! The examples of the CQL2 standard (OGC 21-065r2, `cql2/standard/schema/examples`): text and JSON say the same, and
//! both find what they should.

use serde::Deserialize;
use serde_json::{Value, json};

use super::table::{Table, ids};
use crate::search::cql2::Cql2;

#[derive(Deserialize)]
struct Example {
    name: String,
    text: String,
    json: Value,
}

fn examples() -> Vec<Example> {
    serde_json::from_str(include_str!("ogc_examples.json")).unwrap()
}

/// Functions that the standard makes up to show calls.
const MADE_UP: [&str; 4] = ["avg", "Foo", "Bar", "Buffer"];

#[test]
fn text_and_json_of_the_standards_examples_are_the_same_expression() {
    for Example { name, text, json } in examples() {
        let (of_text, of_json) = (Cql2::from_text(&text), Cql2::from_json(&json));
        match MADE_UP.iter().any(|function| text.contains(&format!("{function}("))) {
            true => assert!(of_text.is_err() && of_json.is_err(), "{name}: {text}"),
            false => {
                assert!(of_text.is_ok(), "{name}: {text}: {of_text:?}");
                assert_eq!(of_text, of_json, "{name}: {text}");
            }
        }
    }
}

/// What the examples are asked of: properties with their names.
fn items() -> Vec<Value> {
    let item = |id: &str, geometry: Value, mut properties: Value| {
        properties["datetime"] = json!("2020-01-01T00:00:00Z");
        json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "geometry": geometry, "properties": properties, "links": [], "assets": {}})
    };
    let square = json!({"type": "Polygon", "coordinates": [[[0, 0], [8, 0], [8, 8], [0, 8], [0, 0]]]});
    vec![
        item(
            "a",
            square,
            json!({
                "floors": 6, "taxes": 400, "owner": "Mike Jones", "swimming_pool": true, "material": "brick wall",
                "built": "2014-05-01T00:00:00Z", "eo:cloud_cover": 0.1, "landsat:wrs_row": 28, "landsat:wrs_path": 203,
                "eo:instrument": "OLI_TIRS", "starts_at": "1991-10-07T08:21:06.393262Z", "ends_at": "2010-02-10T05:29:20.073225Z",
                "updated_at": "2012-08-10T05:30:00Z", "value": 10, "foo": 1, "name": "foobar", "values": ["a", true, 1, 8],
                "road_class": "STRASSE", "etat_vol": "debarquer", "geophys:SURVEY_NAME": "North Calcutta", "category": 7,
                "cityName": "Toronto", "city": "Toronto", "depth": 120.5, "layer:ids": ["layers-ca", "layers-us", "x"], "vehicle_height": 4, "bridge_clearance": 4.5,
            }),
        ),
        item(
            "b",
            json!({"type": "Point", "coordinates": [5, 5]}),
            json!({
                "floors": 3, "taxes": 500, "owner": "mike smith", "swimming_pool": false, "material": "red brick",
                "built": "2012-01-01T00:00:00Z", "eo:cloud_cover": 0.2, "landsat:wrs_row": 28, "landsat:wrs_path": "203",
                "eo:instrument": "TM", "starts_at": "2007-01-01T00:00:00Z", "ends_at": "2008-01-01T00:00:00Z",
                "updated_at": "2009-01-01T00:00:00Z", "value": 20, "foo": 7, "name": "bar", "values": ["c", "b", "a"],
                "road_class": "οδος", "etat_vol": "débarqué", "category": 2, "cityName": "Paris", "depth": 100,
                "layer:ids": ["layers-ca"], "vehicle_height": 4, "bridge_clearance": 5,
            }),
        ),
        // Neither of these names.
        item("c", json!({"type": "Point", "coordinates": [-117.95, 33.9]}), json!({})),
        // Other types than the examples expect.
        item(
            "d",
            Value::Null,
            json!({
                "floors": "many", "owner": 7, "swimming_pool": "true", "value": [1], "name": {"foo": 1}, "values": "a", "updated_at": null,
            }),
        ),
    ]
}

/// The ids that each finds.
const SAID: [(&str, &str); 60] = [
    ("clause6_02a", "a"),
    ("clause6_03", "abc"),
    ("clause7_02", "ab"),
    ("clause7_03a", "a"),
    ("clause7_03b", "a"),
    ("clause7_04", "ab"),
    ("clause7_05", "a"),
    ("clause7_15", "a"),
    ("clause7_19", "a"),
    ("example02", "a"),
    ("example04", ""),
    ("example05a", "ab"),
    ("example05b", "ab"),
    ("example06a", "ab"),
    ("example06b", "ab"),
    ("example09", "a"),
    ("example10", "ab"),
    ("example11", "a"),
    ("example12", "a"),
    ("example13", "bd"),
    ("example14", "ad"),
    ("example15", "a"),
    ("example16", "a"),
    ("example17", "ad"),
    ("example18", "ad"),
    ("example19", "b"),
    ("example20", "ab"),
    ("example21", "a"),
    ("example24", "ab"),
    ("example25", ""),
    ("example26", "ab"),
    ("example27", "a"),
    ("example28", "a"),
    ("example31", ""),
    ("example32", "b"),
    ("example33", "a"),
    ("example34", "ab"),
    ("example35", "a"),
    ("example36", "b"),
    ("example36-alt01", "b"),
    ("example37", "ab"),
    ("example38", ""),
    ("example41", "c"),
    ("example42", "abd"),
    ("example44", "abc"),
    ("example54", "b"),
    ("example55", ""),
    ("example57", "b"),
    ("example59", ""),
    ("example60", "a"),
    ("example61", "ab"),
    ("example67", "a"),
    ("example72", "b"),
    ("example74", "ab"),
    ("example75", ""),
    ("example77", ""),
    ("example79", "b"),
    ("example80", "b"),
    ("example81", "a"),
    ("example86", "a"),
];

#[tokio::test]
async fn the_standards_examples_find_what_they_say() {
    let mut table = Table::new("floors INT, \"eo:cloud_cover\" DOUBLE, owner VARCHAR, built TIMESTAMP").await;
    table.ingest(&items()).await;
    let session = table.reading().await;
    let examples = examples();
    let mut wrong = vec![];
    for (name, expected) in SAID {
        let example = examples.iter().find(|example| example.name == name).unwrap();
        for filter in [Value::from(example.text.as_str()), example.json.clone()] {
            let found = ids(&session, &json!({"filter": filter})).await.concat();
            if found != expected {
                wrong.push(format!("{name}: {filter}: {found}, and not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
