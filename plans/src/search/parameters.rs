//! [`Search`]: the parameters of STAC API's Item Search.

use std::str::FromStr;

use earthcatalog_udfs::parse_geojson;
use geo::Geometry;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cql2::Cql2;
use super::error::PARAMETERS;
use super::texts::{text, texts};
use super::{Fields, Interval, SearchError, SortKey, query_extension};
use crate::query::{Frame, box_of};

/// The only system in which coordinates of filters are.
const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// Operators of all filters together, at most: plans are as deep as those are many.
const MOST_OPERATORS: usize = 1_000;

/// Texts that are looked for in ids, at most.
const MOST_PARTS: usize = 100;

/// Which Items are asked for, in which order, and what of them: the parameters of STAC API 1.0 Item Search with its
/// extensions filter (CQL2), query, free-text, sort and fields. All conditions must hold. Read from JSON as in the body of a POST;
/// a list may also be a text with commas, as in a GET.
///
/// | parameter | meaning |
/// |---|---|
/// | `bbox` | degrees: west, south, east, north, or six numbers with heights, which say nothing; west > east goes over the antimeridian |
/// | `intersects` | a GeoJSON geometry that the footprint shares a position with |
/// | `datetime` | RFC 3339, or an interval `start/end`, of which one end may be `..` or empty; see [`Interval`] |
/// | `ids`, `collections` | one of these; an empty list has no Items |
/// | `q` | texts of which the id has one, in any case |
/// | `filter` | CQL2, a text (`cql2-text`) or an object (`cql2-json`); `filter-lang` says which, and need not |
/// | `query` | `{"eo:cloud_cover": {"lt": 10}}`, with `eq neq lt lte gt gte startsWith endsWith contains in` |
/// | `sortby` | `"-datetime,+id"`, or `[{"field": "datetime", "direction": "desc"}]` |
/// | `fields` | `"id,-links"`, or `{"include": […], "exclude": […]}` |
/// | `limit` | the most Items to return, from 1 |
///
/// `null` is the same as leaving a parameter out. Errors name the parameter: one that is unknown, or a value that is
/// none of its.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Search {
    /// `bbox` or `intersects`.
    pub place: Option<Geometry>,
    pub datetime: Option<Interval>,
    pub ids: Option<Vec<String>>,
    pub collections: Option<Vec<String>>,
    /// Parts of ids, of which one is enough; in lower case.
    pub q: Option<Vec<String>>,
    /// `filter` and `query`.
    pub filters: Vec<Cql2>,
    /// Empty: in no order.
    pub sortby: Vec<SortKey>,
    pub fields: Option<Fields>,
    pub limit: Option<usize>,
}

impl FromStr for Search {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        let parameters: Map<String, Value> =
            serde_json::from_str(text).map_err(|e| SearchError::NotAnObject(e.to_string()))?;
        Self::try_from(parameters)
    }
}

impl TryFrom<Map<String, Value>> for Search {
    type Error = SearchError;

    fn try_from(parameters: Map<String, Value>) -> Result<Self, SearchError> {
        if let Some(name) = parameters.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
            return Err(SearchError::Unknown(name.clone()));
        }
        let given = |name: &'static str| parameters.get(name).filter(|value| !value.is_null());
        // Reads a parameter, if it is given.
        fn read<T>(
            name: &'static str,
            value: Option<&Value>,
            read: impl FnOnce(&Value) -> Result<T, String>,
        ) -> Result<Option<T>, SearchError> {
            value.map(|value| read(value).map_err(|reason| SearchError::new(name, reason))).transpose()
        }
        if given("bbox").is_some() && given("intersects").is_some() {
            return Err(SearchError::new("intersects", "bbox is given as well; give one of the two"));
        }
        let of_box = read("bbox", given("bbox"), bbox)?;
        let filter_lang = read("filter-lang", given("filter-lang"), language)?;
        read("filter-crs", given("filter-crs"), crs)?;
        let mut filters: Vec<Cql2> = vec![];
        filters.extend(read("filter", given("filter"), |value| filter(value, filter_lang))?);
        filters.extend(read("query", given("query"), query_extension::parse)?.into_iter().flatten());
        let operators: usize = filters.iter().map(Cql2::operators).sum();
        if operators > MOST_OPERATORS {
            let reason =
                format!("it has {operators} operators, and up to {MOST_OPERATORS} can be planned; write name IN (…)");
            return Err(SearchError::new("filter", reason));
        }
        Ok(Self {
            place: of_box.or(read("intersects", given("intersects"), intersects)?),
            datetime: read("datetime", given("datetime"), |value| text(value)?.parse())?,
            ids: read("ids", given("ids"), texts)?,
            collections: read("collections", given("collections"), texts)?,
            q: read("q", given("q"), parts)?,
            filters,
            sortby: read("sortby", given("sortby"), SortKey::parse)?.unwrap_or_default(),
            fields: read("fields", given("fields"), Fields::parse)?,
            limit: read("limit", given("limit"), limit)?,
        })
    }
}

fn bbox(value: &Value) -> Result<Geometry, String> {
    let number = |value: &Value| value.as_f64().ok_or_else(|| format!("{value} is not a number"));
    let sides: Vec<f64> = match value {
        Value::Array(sides) => sides.iter().map(number).collect::<Result<_, _>>()?,
        Value::String(sides) => {
            let number = |side: &str| side.trim().parse().map_err(|_| format!("{side:?} is not a number"));
            sides.split(',').map(number).collect::<Result<_, _>>()?
        }
        other => return Err(format!("{other} is not a list of four or six numbers")),
    };
    box_of(&sides).map_err(|_| {
        format!("{value} is not a box; give [west, south, east, north] in degrees, or six numbers with heights")
    })
}

fn intersects(value: &Value) -> Result<Geometry, String> {
    if !value.is_object() {
        return Err("it is not a GeoJSON geometry".to_owned());
    }
    let geometry = parse_geojson(&value.to_string())?.ok_or("the Feature has no geometry")?;
    match Frame::of(&geometry) {
        Some(_) => Ok(geometry),
        None => Err("the geometry is empty".to_owned()),
    }
}

fn parts(value: &Value) -> Result<Vec<String>, String> {
    let parts: Vec<_> = texts(value)?.iter().map(|part| part.to_lowercase()).collect();
    match parts.len() {
        _ if parts.iter().any(String::is_empty) => Err("a text is empty, which each id has".to_owned()),
        many if many > MOST_PARTS => Err(format!("it has {many} texts, and up to {MOST_PARTS} can be looked for")),
        _ => Ok(parts),
    }
}

/// In what a filter is written.
#[derive(Debug, Clone, Copy)]
enum Language {
    Text,
    Json,
}

fn language(value: &Value) -> Result<Language, String> {
    match text(value)? {
        "cql2-text" => Ok(Language::Text),
        "cql2-json" => Ok(Language::Json),
        other => Err(format!("{other:?} is unknown; there are cql2-text and cql2-json")),
    }
}

fn filter(value: &Value, language: Option<Language>) -> Result<Cql2, String> {
    match (value, language) {
        (Value::String(text), None | Some(Language::Text)) => Cql2::from_text(text),
        (Value::Object(_) | Value::Bool(_), None | Some(Language::Json)) => Cql2::from_json(value),
        (Value::String(_), Some(Language::Json)) => Err("it is a text, and filter-lang is cql2-json".to_owned()),
        (_, Some(Language::Text)) => Err("it is not a text, and filter-lang is cql2-text".to_owned()),
        _ => Err("it is neither a text nor an object of CQL2".to_owned()),
    }
}

fn crs(value: &Value) -> Result<(), String> {
    match text(value)? {
        CRS84 => Ok(()),
        other => Err(format!("{other:?} is not supported; coordinates are in {CRS84}")),
    }
}

fn limit(value: &Value) -> Result<usize, String> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    // A plan has it as a signed number.
    let number = number.filter(|number| *number > 0 && i64::try_from(*number).is_ok());
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| format!("{value} is not a whole number from 1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_search_is_read_from_json() {
        let search: Search = json!({
            "bbox": [170, -20, -170, -10],
            "datetime": "2020-01-01T00:00:00Z/..",
            "ids": "a, b",
            "collections": ["c"],
            "q": "S2A,t33",
            "filter": "eo:cloud_cover < 10",
            "query": {"platform": {"eq": "S1"}, "gsd": {"gt": 1, "lte": 2}},
            "sortby": "-datetime,id",
            "fields": {"include": ["id"]},
            "limit": 10,
            "intersects": null,
        })
        .to_string()
        .parse()
        .unwrap();
        assert!(matches!(search.place, Some(Geometry::MultiPolygon(_))));
        assert_eq!(search.ids, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(search.q, Some(vec!["s2a".to_owned(), "t33".to_owned()]));
        assert_eq!((search.filters.len(), search.sortby.len(), search.limit), (4, 2, Some(10)));
        let by_serde: Search = serde_json::from_value(json!({"limit": 1})).unwrap();
        assert_eq!(by_serde, Search { limit: Some(1), ..Search::default() });
    }

    #[test]
    fn errors_name_the_parameter() {
        for (parameters, message) in [
            (json!({"box": []}), "box: there is no such parameter; there are bbox, intersects, "),
            (json!({"bbox": [1, 2, 3]}), "bbox: [1,2,3] is not a box; give [west, south, east, north]"),
            (json!({"bbox": [0, 10, 1, 5]}), "bbox: [0,10,1,5] is not a box"),
            (json!({"bbox": ["a"]}), "bbox: \"a\" is not a number"),
            (json!({"bbox": {}}), "bbox: {} is not a list"),
            (json!({"bbox": [1, 2, 3, 4], "intersects": {}}), "intersects: bbox is given as well"),
            (json!({"intersects": {"type": "Circle"}}), "intersects: \"Circle\" is no type of geometry"),
            (json!({"intersects": "POINT(1 2)"}), "intersects: it is not a GeoJSON geometry"),
            (json!({"datetime": "2020"}), "datetime: \"2020\" is not a time"),
            (json!({"datetime": 2020}), "datetime: 2020 is not a text"),
            (json!({"ids": [1]}), "ids: 1 is not a text"),
            (json!({"collections": 7}), "collections: 7 is not a list of texts"),
            (json!({"q": ["S2A", ""]}), "q: a text is empty"),
            (json!({"q": vec!["a"; 101]}), "q: it has 101 texts"),
            (json!({"filter": "a <"}), "filter: a property, a value or a function was expected, at its end"),
            (json!({"filter": {"op": "near", "args": []}}), "filter: there is no operator near"),
            (
                json!({"filter": "a = 1", "filter-lang": "cql2-json"}),
                "filter: it is a text, and filter-lang is cql2-json",
            ),
            (json!({"filter": "a = 1", "filter-lang": "sql"}), "filter-lang: \"sql\" is unknown"),
            (json!({"filter-lang": "sql"}), "filter-lang: \"sql\" is unknown"),
            (json!({"filter": 7}), "filter: it is neither a text nor an object"),
            (json!({"filter-crs": "EPSG:3857"}), "filter-crs: \"EPSG:3857\" is not supported"),
            (json!({"query": {"a": {"near": 1}}}), "query: a: there is no operator near"),
            (json!({"sortby": [{"field": "a", "direction": "up"}]}), "sortby: \"up\" is neither asc nor desc"),
            (json!({"fields": [1]}), "fields: 1 is not a text"),
            (json!({"limit": 0}), "limit: 0 is not a whole number from 1"),
            (json!({"limit": u64::MAX}), "limit: 18446744073709551615 is not a whole number"),
            (json!({"limit": "ten"}), "limit: \"ten\" is not a whole number"),
        ] {
            let error = parameters.to_string().parse::<Search>().unwrap_err().to_string();
            assert!(error.starts_with(message), "{parameters}: {error}");
        }
        let error = "[1]".parse::<Search>().unwrap_err().to_string();
        assert!(error.starts_with("the parameters are not a JSON object"), "{error}");
    }
}
