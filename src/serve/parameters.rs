//! [`Asked`]: the parameters of a search, from a query string or a body.

use std::collections::BTreeMap;

use earthcatalog_plans::search::{PARAMETERS, Search, SearchError};
use serde_json::{Map, Value};
use twox_hash::XxHash64;
use url::form_urlencoded;

use super::error::{ApiError, TOKEN};

/// Items of a page, where nobody says how many.
const DEFAULT_LIMIT: usize = 10;

/// Items of a page, at most.
pub(super) const MOST_ITEMS: usize = 10_000;

/// Parameters that a query string has as JSON.
const JSON: [&str; 2] = ["intersects", "query"];

/// The order of Items where none is asked for.
const NEWEST_FIRST: &str = "-datetime";

/// What was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub search: Search,
    pub token: Option<String>,
    /// Those that are not of a search.
    pub own: Map<String, Value>,
    /// As they were given, without the token.
    pub given: Given,
}

/// Parameters as they were given.
#[derive(Debug)]
pub(super) enum Given {
    Query(Vec<(String, String)>),
    Body(Map<String, Value>),
}

impl Asked {
    /// From a query string; `own` are parameters besides those of a search.
    pub fn from_query(query: Option<&str>, own: &[&str]) -> Result<Self, ApiError> {
        let (mut given, mut parameters, mut token) = (vec![], Map::new(), None);
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if parameters.contains_key(name.as_ref()) || name == TOKEN && token.is_some() {
                return Err(ApiError::parameter(&name, "it is given twice; a list has commas"));
            }
            if name == TOKEN {
                token = Some(value.into_owned());
                continue;
            }
            if !PARAMETERS.contains(&name.as_ref()) && !own.contains(&name.as_ref()) {
                return Err(ApiError::unknown_parameter(&name, own));
            }
            given.push((name.to_string(), value.to_string()));
            // No fields are some fields; else a parameter without a value is one that is not given.
            if !value.is_empty() || name == "fields" {
                parameters.insert(name.into_owned(), Value::String(value.into_owned()));
            }
        }
        let own = taken(&mut parameters, own);
        for name in JSON {
            parse_json(&mut parameters, name)?;
        }
        if parameters.get("filter-lang").is_some_and(|lang| lang == "cql2-json") {
            parse_json(&mut parameters, "filter")?;
        }
        // A plus that is not encoded is a space.
        if let Some(Value::String(datetime)) = parameters.get_mut("datetime") {
            *datetime = datetime.replace(' ', "+");
        }
        Ok(Self { search: Search::try_from(parameters)?, token, own, given: Given::Query(given) })
    }

    /// From the body of a POST; `own` are parameters besides those of a search.
    pub fn from_body(body: &[u8], own: &[&str]) -> Result<Self, ApiError> {
        let mut parameters: Map<String, Value> = match body.trim_ascii().is_empty() {
            true => Map::new(),
            false => serde_json::from_slice(body).map_err(|e| SearchError::NotAnObject(e.to_string()))?,
        };
        let token = match parameters.remove(TOKEN) {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token),
            Some(other) => return Err(ApiError::parameter(TOKEN, format!("{other} is not a text"))),
        };
        let is_known = |name: &String| PARAMETERS.contains(&name.as_str()) || own.contains(&name.as_str());
        if let Some(name) = parameters.keys().find(|name| !is_known(name)) {
            return Err(ApiError::unknown_parameter(name, own));
        }
        let own = taken(&mut parameters, own);
        // A body has no need of texts for these.
        if let Some(bbox) = parameters.get("bbox").filter(|bbox| bbox.is_string()) {
            return Err(ApiError::parameter("bbox", format!("{bbox} is not a list of numbers")));
        }
        if parameters.get("fields").is_some_and(Value::is_null) {
            return Err(ApiError::parameter("fields", "it is null; give an object, or leave it out"));
        }
        Ok(Self { search: Search::try_from(parameters.clone())?, token, own, given: Given::Body(parameters) })
    }

    /// The same of one collection, whichever others were asked for.
    pub fn within(mut self, collection: &str) -> Self {
        let asked = self.search.collections.take();
        let is_asked = asked.is_none_or(|asked| asked.iter().any(|id| id == collection));
        self.search.collections = Some(if is_asked { vec![collection.to_owned()] } else { vec![] });
        self
    }

    /// How many Items are on a page.
    pub fn limit(&self) -> usize {
        self.search.limit.unwrap_or(DEFAULT_LIMIT).min(MOST_ITEMS)
    }

    /// The search of a page, which has an order.
    pub fn sorted(&self) -> Result<Search, ApiError> {
        let mut search = self.search.clone();
        if search.sortby.is_empty() {
            let newest_first = Map::from_iter([("sortby".to_owned(), NEWEST_FIRST.into())]);
            search.sortby = Search::try_from(newest_first)?.sortby;
        }
        Ok(search)
    }

    /// What tells this search, below `path`, from others; how much is answered of it at once does not.
    pub fn fingerprint(&self, path: &str) -> u64 {
        let is_of_page = |name: &str| matches!(name, "limit" | "fields");
        let of_search: BTreeMap<&str, String> = match &self.given {
            Given::Query(pairs) => pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(),
            Given::Body(members) => members.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect(),
        };
        let of_search: Vec<_> = of_search.into_iter().filter(|(name, _)| !is_of_page(name)).collect();
        XxHash64::oneshot(0, format!("{path}{of_search:?}").as_bytes())
    }
}

/// Takes parameters out.
fn taken(parameters: &mut Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| parameters.remove_entry(*name)).collect()
}

fn parse_json(parameters: &mut Map<String, Value>, name: &'static str) -> Result<(), ApiError> {
    if let Some(value) = parameters.get_mut(name)
        && let Some(text) = value.as_str()
    {
        *value =
            serde_json::from_str(text).map_err(|e| ApiError::parameter(name, format!("the text is no JSON: {e}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, ApiError> {
        Asked::from_query(Some(query), &[])
    }

    #[test]
    fn a_query_string_and_a_body_ask_the_same() {
        let query = asked(
            "bbox=1,2,3,4&datetime=2020-01-01T00:00:00+01:00/..&ids=a,b&query=%7B%22gsd%22:%7B%22lt%22:1%7D%7D&\
             filter-lang=cql2-json&filter=%7B%22op%22:%22isNull%22,%22args%22:[%7B%22property%22:%22a%22%7D]%7D&limit=7&\
             sortby=+id&collections=",
        );
        let body = Asked::from_body(
            br#"{"bbox": [1, 2, 3, 4], "datetime": "2020-01-01T00:00:00+01:00/..", "ids": ["a", "b"],
                "query": {"gsd": {"lt": 1}}, "filter": {"op": "isNull", "args": [{"property": "a"}]}, "limit": 7,
                "sortby": [{"field": "id"}]}"#,
            &[],
        );
        assert_eq!(query.unwrap().search, body.unwrap().search);
    }

    #[test]
    fn a_page_has_ten_items_or_as_many_as_may_be() {
        let limit = |query: &str| asked(query).unwrap().limit();
        assert_eq!([limit(""), limit("limit=3"), limit("limit=1000000")], [10, 3, 10_000]);
    }

    #[test]
    fn the_same_search_has_the_same_fingerprint_whatever_of_it_is_wanted() {
        let fingerprint = |query: &str| asked(query).unwrap().fingerprint("/search");
        assert_eq!(fingerprint("ids=a&limit=3&sortby=id"), fingerprint("sortby=id&ids=a&fields=id"));
        assert_ne!(fingerprint("ids=a"), fingerprint("ids=b"));
        assert_ne!(asked("").unwrap().fingerprint("/search"), asked("").unwrap().fingerprint("/collections/a/items"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (query, words) in [
            ("box=1", "box: there is no such parameter; there are bbox, "),
            ("box=1", "fields, limit, token"),
            ("ids=a&ids=b", "ids: it is given twice"),
            ("intersects=POINT(1 2)", "intersects: the text is no JSON"),
            ("limit=0", "limit: \"0\" is not a whole number from 1"),
        ] {
            assert!(format!("{:?}", asked(query).unwrap_err()).contains(&words.replace('"', "\\\"")), "{query}");
        }
        for (body, words) in [
            (r#"[]"#, "the parameters are not a JSON object"),
            (r#"{"box": 7}"#, "fields, limit, token"),
            (r#"{"token": 7}"#, "token: 7 is not a text"),
            (r#"{"bbox": "1,2,3,4"}"#, "is not a list of numbers"),
            (r#"{"fields": null}"#, "fields: it is null"),
        ] {
            assert!(format!("{:?}", Asked::from_body(body.as_bytes(), &[]).unwrap_err()).contains(words), "{body}");
        }
    }
}
