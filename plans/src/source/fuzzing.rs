//! What the fuzz targets reach of this module: plain functions of bytes.

use std::ops::Range;

use bytes::Bytes;
use url::Url;

use super::inventory::{manifest, records};
use super::read::features::FeatureScanner;

/// A part of a document that should be an Item.
#[derive(Debug, PartialEq)]
pub struct Feature {
    /// Index in `features`; `None` for the document as a whole.
    pub index: Option<u64>,
    pub range: Range<u64>,
    pub text: Option<Bytes>,
}

/// The features of a document that comes in pieces.
pub fn features(pieces: &[&[u8]]) -> (Vec<Feature>, Result<(), &'static str>) {
    let (mut scanner, mut found) = (FeatureScanner::new(u64::MAX), vec![]);
    pieces.iter().for_each(|piece| scanner.push(piece, &mut found));
    let finished = scanner.finish(&mut found);
    let feature =
        |found: super::read::features::Found| Feature { index: found.index, range: found.range, text: found.text };
    (found.into_iter().map(feature).collect(), finished)
}

/// The rows of a CSV file that comes in pieces.
pub fn csv_rows(pieces: &[&[u8]]) -> Vec<Vec<String>> {
    records::rows_of_pieces(pieces, Some(b','))
}

/// Where the data files of an inventory could be, whose `manifest.json` lies in bucket `inventories`; `None` if it is
/// refused.
pub fn manifest_files(json: &[u8]) -> Option<Vec<Url>> {
    let location = Url::parse("s3://inventories/source/daily/2026-01-01T00-00Z/manifest.json").ok()?;
    manifest::candidates(&location, json)
}
