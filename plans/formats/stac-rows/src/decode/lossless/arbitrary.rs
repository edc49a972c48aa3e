//! Arbitrary JSON around the shape of an Item, and arbitrary bytes.

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{assert_lossless, round_trip};
use crate::defect::RejectKind;

/// A number literal; `serde_json` keeps it as it is.
fn number() -> impl Strategy<Value = Value> {
    let literal = prop_oneof![
        any::<i32>().prop_map(|i| i.to_string()),
        any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(|v| format!("{v:e}")),
        "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,20})?([eE][+-]?[0-2])?",
    ];
    literal.prop_map(|literal| serde_json::from_str(&literal).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        "\\PC{0,20}|[\\x00-\\x7f]{0,6}|-?[0-9]{1,3}(\\.[0-9]{1,3})?|true|false".prop_map(Value::from),
        time(),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn time() -> impl Strategy<Value = Value> {
    "(19|20)[0-9]{2}-0[1-9]-[12][0-9]([T ][01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9}|\\.[0-9]{6})?(Z|[+-]0[0-9]:30)?)?"
        .prop_map(Value::from)
}

fn position() -> impl Strategy<Value = Value> {
    prop_oneof![
        // Also over the antimeridian, and beyond.
        6 => (-250i32..250, -90i32..91).prop_map(|(lon, lat)| json!([lon, lat])),
        3 => (-540.0..540.0f64, -90.0..90.0f64).prop_map(|(lon, lat)| json!([lon, lat])),
        1 => prop::collection::vec(number(), 2..5).prop_map(Value::from),
    ]
}

fn geometry() -> impl Strategy<Value = Value> {
    let line = prop::collection::vec(position(), 0..6).prop_map(Value::from).boxed();
    let lines = prop::collection::vec(line.clone(), 0..3).prop_map(Value::from).boxed();
    let areas = prop::collection::vec(lines.clone(), 0..3).prop_map(Value::from).boxed();
    let shapes = [
        ("Point", prop_oneof![position(), Just(json!([]))].boxed()),
        ("LineString", line.clone()),
        ("MultiPoint", line),
        ("Polygon", lines.clone()),
        ("MultiLineString", lines),
        ("MultiPolygon", areas),
    ];
    let simple = proptest::sample::select(shapes.to_vec()).prop_flat_map(|(kind, coordinates)| {
        (coordinates, any::<bool>(), prop::option::of(value())).prop_map(move |(coordinates, first, foreign)| {
            let mut members = Map::new();
            if first {
                members.insert("type".into(), kind.into());
            }
            members.insert("coordinates".into(), coordinates);
            members.insert("type".into(), kind.into());
            foreign.filter(|_| first).map(|foreign| members.insert("bbox".into(), foreign));
            Value::Object(members)
        })
    });
    simple.prop_recursive(2, 6, 3, |inner| {
        prop::collection::vec(inner, 0..3)
            .prop_map(|geometries| json!({"type": "GeometryCollection", "geometries": geometries}))
    })
}

fn properties() -> impl Strategy<Value = Value> {
    let names = [
        "datetime",
        "updated",
        "created",
        "start_datetime",
        "platform",
        "percent_valid_pixels",
        "date_dt",
        "latitude",
        "proj:code",
        "eo:cloud_cover",
        "proj:epsg",
        "deprecated",
        "published",
        "id",
        "geometry",
        "title",
    ];
    let member = (proptest::sample::select(names.to_vec()), prop_oneof![value(), time(), number()]);
    prop::collection::vec(member, 0..12).prop_map(|members| {
        let mut members: Map<String, Value> = members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        // Anything else than a time is a defect there.
        members.retain(|name, value| name != "datetime" || value.is_null() || value.to_string().contains('-'));
        if members.get("datetime").is_some_and(|value| !value.is_null() && value.as_str().is_none_or(|s| s.len() < 10))
        {
            members.remove("datetime");
        }
        Value::Object(members)
    })
}

fn item() -> impl Strategy<Value = Value> {
    let names =
        ["bbox", "properties", "collection", "stac_version", "stac_extensions", "assets", "links", "note", "year"];
    let members = prop::collection::vec((proptest::sample::select(names.to_vec()), value()), 0..5);
    let geometry = prop::option::weighted(0.9, prop_oneof![geometry(), Just(Value::Null)]);
    let usual = (prop::option::of(properties()), prop::option::of("[a-z]{1,3}"), prop::option::of("v[0-9]"));
    ("\\PC{1,20}", geometry, usual, members).prop_map(|(id, geometry, (properties, collection, extension), members)| {
        let mut item = Map::from_iter([("id".to_owned(), id.into()), ("type".to_owned(), "Feature".into())]);
        item.extend(geometry.map(|geometry| ("geometry".to_owned(), geometry)));
        item.extend(members.into_iter().map(|(k, v)| (k.to_owned(), v)));
        item.extend(properties.map(|properties| ("properties".to_owned(), properties)));
        item.extend(collection.map(|collection| ("collection".to_owned(), collection.into())));
        item.extend(extension.map(|e| ("stac_extensions".to_owned(), vec![e].into())));
        Value::Object(item)
    })
}

proptest! {
    #[test]
    fn an_item_comes_back_whatever_its_members_are(item in item(), indented in any::<bool>()) {
        let text = if indented { format!("{item:#}") } else { item.to_string() };
        if let Err(defect) = assert_lossless(text.as_bytes(), "arbitrary") {
            let kept = ["number", "beyond", "not in degrees"].iter().any(|word| defect.message.contains(word));
            prop_assert!(defect.kind == RejectKind::InvalidDatetime || kept, "{defect:?}: {text}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(round_trip(&bytes).is_err());
        let within = [b"{\"id\":".as_slice(), &bytes].concat();
        prop_assert!(round_trip(&within).is_err());
    }

    #[test]
    fn a_damaged_item_is_malformed_exactly_if_it_is_no_json(
        item in item(), at in any::<prop::sample::Index>(), damage in proptest::sample::select(b"{}[]:,\"\\x0e-.\x00\xff".to_vec()),
        cut in any::<bool>(),
    ) {
        let mut text = item.to_string().into_bytes();
        let at = at.index(text.len());
        if cut { text.truncate(at) } else { text[at] = damage }
        let malformed = std::str::from_utf8(&text).ok().and_then(|t| serde_json::from_str::<&RawValue>(t).ok()).is_none();
        let outcome = round_trip(&text);
        prop_assert_eq!(malformed, outcome.is_err_and(|defect| defect.kind == RejectKind::MalformedJson));
    }
}
