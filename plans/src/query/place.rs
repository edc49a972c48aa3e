//! Places as people write them: a box, WKT, or GeoJSON.

use earthcatalog_stac_rows::footprint::{drawn_box, drawn_place};
use earthcatalog_stac_rows::wkb_from_geometry;
use earthcatalog_udfs::{parse_geojson, read_wkt};
use geo::Geometry;
use thiserror::Error;

use crate::model::items::write_geometry;

/// What some programs put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a text is no place.
#[derive(Debug, Error, PartialEq)]
pub enum PlaceError {
    #[error("{0}; give WEST,SOUTH,EAST,NORTH in degrees, WKT or GeoJSON")]
    Unreadable(String),
    #[error("the geometry is empty")]
    Empty,
    #[error("no feature in it has a geometry")]
    NoGeometry,
}

/// Reads `west,south,east,north` in degrees (with `west` > `east`, over the antimeridian), WKT, or a GeoJSON geometry,
/// Feature or FeatureCollection, of which all geometries are the place: as RFC 7946 draws it.
pub fn parse_place(text: &str) -> Result<Geometry, PlaceError> {
    let text = text.trim_start_matches(BYTE_ORDER_MARK).trim();
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|side| side.trim().parse()).collect();
    let geometry = match numbers {
        Ok(sides) => box_of(&sides)?,
        Err(_) if text.starts_with('{') => {
            parse_geojson(text).map_err(PlaceError::Unreadable)?.ok_or(PlaceError::NoGeometry)?
        }
        Err(_) => drawn_place(read_wkt(text).map_err(|e| PlaceError::Unreadable(format!("it is not WKT: {e}")))?),
    };
    if super::Frame::of(&geometry).is_none() { Err(PlaceError::Empty) } else { Ok(geometry) }
}

/// A place as WKB.
pub(crate) fn place_wkb(place: &Geometry) -> Result<Vec<u8>, PlaceError> {
    wkb_from_geometry(place).map_err(|e| PlaceError::Unreadable(e.to_string()))
}

/// A place as GeoJSON.
pub fn place_geojson(place: &Geometry) -> Result<String, PlaceError> {
    let mut json = vec![];
    write_geometry(&mut json, &place_wkb(place)?).map_err(|e| PlaceError::Unreadable(e.to_string()))?;
    String::from_utf8(json).map_err(|e| PlaceError::Unreadable(e.to_string()))
}

/// A place as an expression of SQL.
pub fn place_sql(place: &Geometry) -> Result<String, PlaceError> {
    let wkb = place_wkb(place)?;
    let digits: String = wkb.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("ST_GeomFromWKB(X'{digits}')"))
}

/// The box of `west, south, east, north` in degrees, or of six numbers, of which the third and the last are heights and
/// say nothing; over the antimeridian with `west` > `east`. A box without width or height is a line or a point.
pub fn box_of(sides: &[f64]) -> Result<Geometry, PlaceError> {
    let no_box = || {
        let sides: Vec<String> = sides.iter().map(f64::to_string).collect();
        PlaceError::Unreadable(format!("{:?} is no box", sides.join(",")))
    };
    let ([west, south, east, north] | [west, south, _, east, north, _]) = *sides else { return Err(no_box()) };
    if sides.iter().any(|side| !side.is_finite()) || south > north || south < -90.0 || north > 90.0 {
        return Err(no_box());
    }
    Ok(drawn_box([west, south, east, north]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_box_wkt_or_geojson() {
        let france = parse_place("-2, 43, 7, 49").unwrap();
        assert_eq!(super::super::Frame::of(&france).unwrap().ymax, 49.0);
        assert!(matches!(parse_place("POINT(1 2)").unwrap(), Geometry::Point(_)));
        assert!(matches!(parse_place(r#"{"type": "Point", "coordinates": [1, 2]}"#).unwrap(), Geometry::Point(_)));
        let collection = r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": null}, {"type": "Feature",
            "geometry": {"type": "Point", "coordinates": [1, 2]}}]}"#;
        assert!(matches!(parse_place(&format!("\u{feff}{collection}")).unwrap(), Geometry::Point(_)));
        assert!(matches!(parse_place("170,-20,-170,-10").unwrap(), Geometry::MultiPolygon(_)));
        assert_eq!(parse_place(&place_geojson(&france).unwrap()).unwrap(), france);
        assert_eq!(parse_place("-2,43,0,7,49,100").unwrap(), france);
        assert!(matches!(parse_place("1,2,1,2").unwrap(), Geometry::Point(_)));
        assert!(matches!(parse_place("1,2,1,3").unwrap(), Geometry::LineString(_)));
        assert!(matches!(parse_place("170,-20,-170,-20").unwrap(), Geometry::MultiLineString(_)));
    }

    #[test]
    fn what_is_no_place_is_explained() {
        for (text, words) in [
            ("1,2,3", "is no box; give WEST,SOUTH,EAST,NORTH"),
            ("0,10,5,-10", "is no box"),
            ("0,10,5,91", "is no box"),
            ("Paris", "it is not WKT: \"Paris\" (character 1) is not a type of geometry"),
            ("POLYGON((0 0,1 0,1 1))", "it is not WKT: a ring must end where it begins"),
            (r#"{"type": "FeatureCollection", "features": []}"#, "no feature in it has a geometry"),
            ("{}", "it has no type"),
            ("POLYGON EMPTY", "the geometry is empty"),
        ] {
            let error = parse_place(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
