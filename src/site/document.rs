//! [`document`]: the overview as the page reads it.

use earthcatalog_plans::overview::Overview;
use serde::Serialize;

/// An overview under a title.
#[derive(Serialize)]
struct Titled<'a> {
    title: &'a str,
    #[serde(flatten)]
    overview: &'a Overview,
}

/// An overview under a title, as JSON.
pub fn document(title: &str, overview: &Overview) -> serde_json::Result<String> {
    serde_json::to_string(&Titled { title, overview })
}
