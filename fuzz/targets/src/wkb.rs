//! WKB: both writers of GeoJSON agree on it, and an Item with the geometry comes back.

use earthcatalog_stac_rows::{geoparquet, item};
use serde_json::Value;

pub fn fuzz_wkb(data: &[u8]) {
    let mut of_file = vec![];
    let of_file = geoparquet::write_geometry(data, &mut of_file).ok().map(|()| of_file);
    let mut of_row = vec![];
    let of_row = item::write_geometry(&mut of_row, data).ok().map(|()| of_row);
    let parse = |json: &Vec<u8>| -> Value {
        serde_json::from_slice(json).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(json)))
    };
    let (of_file, of_row) = (of_file.as_ref().map(parse), of_row.as_ref().map(parse));
    for geometry in [&of_file, &of_row].into_iter().flatten() {
        let item = serde_json::json!({
            "type": "Feature", "id": "a", "geometry": geometry, "properties": {"datetime": null}
        });
        super::item::decode(item.to_string().as_bytes());
    }
    // A footprint is measured or refused.
    let _ = earthcatalog_udfs::cover::Footprint::from_wkb(data);
}
