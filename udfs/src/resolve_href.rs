//! `resolve_href(base, href)`: an address as it is meant where it stands.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use url::{ParseError, Url};

use crate::rows::Rows;

/// `resolve_href(base, href) -> Utf8View`: the `href` of a document at URL `base`, as a URL (RFC 3986, section 5).
///
/// One that is a URL itself stays as it is, and so does a path of GDAL's (`/vsis3/…`). Null where either is null, and where
/// `base` is no URL to which something can be relative.
pub fn resolve_href_udf() -> ScalarUDF {
    ResolveHref { signature: Signature::uniform(2, vec![DataType::Utf8View], Volatility::Immutable) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ResolveHref {
    signature: Signature,
}

impl ScalarUDFImpl for ResolveHref {
    fn name(&self) -> &str {
        "resolve_href"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = Rows::of(&args.args, args.number_rows);
        let [bases, hrefs] = [args.args[0].to_array(rows.count)?, args.args[1].to_array(rows.count)?];
        let pairs = bases.as_string_view().iter().zip(hrefs.as_string_view());
        let resolved: StringViewArray = pairs.map(|(base, href)| resolve(base?, href?)).collect();
        rows.answer(Arc::new(resolved))
    }
}

/// The `href` of a document at URL `base`, as function `resolve_href` gives it.
pub fn resolve(base: &str, href: &str) -> Option<String> {
    match Url::parse(href) {
        _ if href.starts_with("/vsi") => Some(href.to_owned()),
        Err(ParseError::RelativeUrlWithoutBase) => Some(Url::parse(base).ok()?.join(href).ok()?.into()),
        // It names a scheme, be the rest as it may.
        _ => Some(href.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_href_is_relative_to_the_document_that_has_it() {
        for (base, href, expected) in [
            ("s3://bucket/2024/item.json", "./B01.tif", Some("s3://bucket/2024/B01.tif")),
            ("s3://bucket/2024/item.json", "../other/B01.tif", Some("s3://bucket/other/B01.tif")),
            ("s3://bucket/2024/item.json", "/top.tif", Some("s3://bucket/top.tif")),
            ("https://host/a/b.json?key=1#part", "c d.tif?v=2", Some("https://host/a/c%20d.tif?v=2")),
            ("https://host/a/b.json", "//other/c.tif", Some("https://other/c.tif")),
            ("https://host/a/b.json", "", Some("https://host/a/b.json")),
            ("file:///data/item.json", "a/%C3%A9.tif", Some("file:///data/a/%C3%A9.tif")),
            // What is whole stays as it is, to the letter.
            ("s3://bucket/item.json", "HTTPS://Host/a b.tif", Some("HTTPS://Host/a b.tif")),
            ("s3://bucket/item.json", "s3://other/x/../y.tif", Some("s3://other/x/../y.tif")),
            ("no URL", "https://host/c.tif", Some("https://host/c.tif")),
            ("s3://bucket/item.json", "/vsis3/other/c.tif", Some("/vsis3/other/c.tif")),
            ("s3://bucket/item.json", "urn:isbn:0451450523", Some("urn:isbn:0451450523")),
            // There is nothing that it could be relative to.
            ("items/item.json", "B01.tif", None),
            ("mailto:somebody@example.org", "B01.tif", None),
        ] {
            assert_eq!(resolve(base, href).as_deref(), expected, "{href} in {base}");
        }
    }
}
