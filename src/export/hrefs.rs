//! [`HrefsWriter`]: the addresses of assets, one a line.

use std::io::Write;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use earthcatalog_plans::model::items::resolve_href;
use serde_json::{Map, Value};
use url::{ParseError, Url};

use crate::output::{OutputError, RowWriter};

/// Writes column `assets`, the first of each batch, as the `href` of each asset, or of the one called `asset`, in the
/// order in which the Item has them. An asset without one is left out. One that is relative is made whole by the Item's link
/// to itself, in column `links`, the second; without such a link it stays as it is.
pub struct HrefsWriter<'a> {
    pub asset: Option<&'a str>,
}

impl RowWriter for HrefsWriter<'_> {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let texts = |column| cast(batch.column(column), &DataType::Utf8View).map_err(DataFusionError::from);
        let (assets, links) = (texts(0)?, texts(1)?);
        for (text, links) in assets.as_string_view().iter().zip(links.as_string_view()) {
            let Some(text) = text else { continue };
            let assets: Map<String, Value> =
                serde_json::from_str(text).map_err(|e| exec_datafusion_err!("column assets is no JSON object: {e}"))?;
            let wanted = assets.iter().filter(|(name, _)| self.asset.is_none_or(|asset| asset == *name));
            let mut base = None;
            for href in wanted.filter_map(|(_, asset)| asset["href"].as_str()) {
                let whole = match is_relative(href) {
                    true => resolve_href(base.get_or_insert_with(|| own_address(links)), href),
                    false => None,
                };
                writeln!(out, "{}", whole.as_deref().unwrap_or(href))?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Write) -> Result<(), OutputError> {
        Ok(())
    }
}

fn is_relative(href: &str) -> bool {
    Url::parse(href) == Err(ParseError::RelativeUrlWithoutBase)
}

/// Where the Item says that it is, of the links of an Item; empty where it does not.
fn own_address(links: Option<&str>) -> String {
    let links: Vec<Value> = links.and_then(|links| serde_json::from_str(links).ok()).unwrap_or_default();
    let own = links.iter().find(|link| link["rel"] == "self").and_then(|link| link["href"].as_str());
    own.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringViewArray};

    use super::*;

    #[test]
    fn what_is_relative_is_made_whole_by_the_link_of_the_item_to_itself() {
        let text = |values: [Option<&str>; 4]| Arc::new(StringViewArray::from_iter(values)) as ArrayRef;
        let assets = r#"{"a": {"href": "./a.tif"}, "b": {"href": "https://other/b.tif"}, "c": {"title": "none"}}"#;
        let own = r#"[{"rel": "root", "href": "https://host/"}, {"rel": "self", "href": "https://host/x/item.json"}]"#;
        let relative = r#"[{"rel": "self", "href": "item.json"}]"#;
        let batch = RecordBatch::try_from_iter([
            ("assets", text([Some(assets), Some(assets), Some(assets), None])),
            ("links", text([Some(own), Some(relative), None, Some(own)])),
        ]);
        let mut out = vec![];
        HrefsWriter { asset: None }.write(&batch.unwrap(), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap().lines().collect::<Vec<_>>(),
            [
                "https://host/x/a.tif",
                "https://other/b.tif",
                "./a.tif",
                "https://other/b.tif",
                "./a.tif",
                "https://other/b.tif"
            ]
        );
    }
}
