//! Places as people write them: a box, WKT, or GeoJSON.

use earthcatalog_udfs::parse_geojson;
use geo::{Coord, Geometry, MultiPolygon, Rect};
use thiserror::Error;
use wkt::TryFromWkt;

/// Why a text is no place.
#[derive(Debug, Error, PartialEq)]
pub enum PlaceError {
    #[error("{0}; give WEST,SOUTH,EAST,NORTH in degrees, WKT or GeoJSON")]
    Unreadable(String),
    #[error("the geometry is empty")]
    Empty,
}

/// Reads `west,south,east,north` in degrees (with `west` > `east`, over the antimeridian), WKT, or a GeoJSON geometry
/// or Feature.
pub fn parse_place(text: &str) -> Result<Geometry, PlaceError> {
    let text = text.trim();
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|side| side.trim().parse()).collect();
    let geometry = match numbers {
        Ok(sides) => bounding_box(&sides).ok_or_else(|| PlaceError::Unreadable(format!("{text:?} is no box")))?,
        Err(_) if text.starts_with('{') => {
            parse_geojson(text).map_err(PlaceError::Unreadable)?.ok_or(PlaceError::Empty)?
        }
        Err(_) => Geometry::try_from_wkt_str(text).map_err(|e| PlaceError::Unreadable(format!("it is no WKT: {e}")))?,
    };
    if super::Frame::of(&geometry).is_none() { Err(PlaceError::Empty) } else { Ok(geometry) }
}

/// A place as an expression of SQL.
pub fn place_sql(place: &Geometry) -> Result<String, PlaceError> {
    let mut wkb = vec![];
    wkb::writer::write_geometry(&mut wkb, place, &wkb::writer::WriteOptions::default())
        .map_err(|e| PlaceError::Unreadable(e.to_string()))?;
    let digits: String = wkb.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("ST_GeomFromWKB(X'{digits}')"))
}

fn bounding_box(sides: &[f64]) -> Option<Geometry> {
    let [west, south, east, north] = *sides else { return None };
    let area = |west, east| Rect::new(Coord { x: west, y: south }, Coord { x: east, y: north }).to_polygon();
    let is_box = sides.iter().all(|side| side.is_finite()) && south <= north;
    is_box.then(|| match west <= east {
        true => area(west, east).into(),
        false => MultiPolygon(vec![area(west, 180.0), area(-180.0, east)]).into(),
    })
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
        assert!(matches!(parse_place("170,-20,-170,-10").unwrap(), Geometry::MultiPolygon(_)));
    }

    #[test]
    fn what_is_no_place_is_explained() {
        for (text, words) in [
            ("1,2,3", "is no box; give WEST,SOUTH,EAST,NORTH"),
            ("0,10,5,-10", "is no box"),
            ("Paris", "it is no WKT"),
            ("{}", "it has no type"),
            ("POLYGON EMPTY", "the geometry is empty"),
        ] {
            let error = parse_place(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
