//! WKB as a GeoJSON geometry.

use crate::canonical::write_float;
use crate::wkb_form::{UnreadableWkb, read_wkb};
use geo_traits::{
    CoordTrait, Dimensions, GeometryCollectionTrait, GeometryTrait, GeometryType, LineStringTrait,
    MultiLineStringTrait, MultiPointTrait, MultiPolygonTrait, PointTrait, PolygonTrait,
};

/// Writes a geometry (WKB) as a GeoJSON object, with the shortest numbers that read as the same; a third ordinate is Z, an
/// M is left out.
pub fn write_geometry(out: &mut Vec<u8>, wkb: &[u8]) -> Result<(), UnreadableWkb> {
    write(out, &read_wkb(wkb)?);
    Ok(())
}

fn write(out: &mut Vec<u8>, geometry: &impl GeometryTrait<T = f64>) {
    let mut shape = |name: &str, coordinates: &dyn Fn(&mut Vec<u8>)| {
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\",\"coordinates\":");
        coordinates(out);
        out.push(b'}');
    };
    match geometry.as_type() {
        GeometryType::Point(point) => shape("Point", &|out| write_point(out, point)),
        GeometryType::LineString(line) => shape("LineString", &|out| write_line(out, line)),
        GeometryType::Polygon(polygon) => shape("Polygon", &|out| write_polygon(out, polygon)),
        GeometryType::MultiPoint(points) => {
            shape("MultiPoint", &|out| write_list(out, points.points(), |out, p| write_point(out, &p)));
        }
        GeometryType::MultiLineString(lines) => {
            shape("MultiLineString", &|out| write_list(out, lines.line_strings(), |out, l| write_line(out, &l)));
        }
        GeometryType::MultiPolygon(polygons) => {
            shape("MultiPolygon", &|out| write_list(out, polygons.polygons(), |out, p| write_polygon(out, &p)));
        }
        GeometryType::GeometryCollection(members) => {
            out.extend_from_slice(b"{\"type\":\"GeometryCollection\",\"geometries\":");
            write_list(out, members.geometries(), |out, g| write(out, &g));
            out.push(b'}');
        }
        // WKB has none of these.
        GeometryType::Rect(_) | GeometryType::Triangle(_) | GeometryType::Line(_) => out.extend_from_slice(b"null"),
    }
}

fn write_list<T>(out: &mut Vec<u8>, members: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (i, member) in members.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, member);
    }
    out.push(b']');
}

fn write_polygon(out: &mut Vec<u8>, polygon: &impl PolygonTrait<T = f64>) {
    write_list(out, polygon.exterior().into_iter().chain(polygon.interiors()), |out, ring| write_line(out, &ring));
}

fn write_line(out: &mut Vec<u8>, line: &impl LineStringTrait<T = f64>) {
    write_list(out, line.coords(), |out, c| write_position(out, &c));
}

fn write_point(out: &mut Vec<u8>, point: &impl PointTrait<T = f64>) {
    match point.coord() {
        Some(coord) => write_position(out, &coord),
        None => out.extend_from_slice(b"[]"),
    }
}

fn write_position(out: &mut Vec<u8>, position: &impl CoordTrait<T = f64>) {
    let ordinates = match position.dim() {
        Dimensions::Xyz | Dimensions::Xyzm | Dimensions::Unknown(3..) => 3,
        _ => 2,
    };
    write_list(out, (0..ordinates).map(|i| position.nth_or_panic(i)), write_float);
}

#[cfg(test)]
mod tests {
    use geo::{Geometry, GeometryCollection, MultiPoint, MultiPolygon, line_string, point, polygon};
    use wkb::writer::{WriteOptions, write_geometry as write_wkb};

    use super::*;

    fn geojson(geometry: impl Into<Geometry>) -> String {
        let (mut bytes, mut out) = (vec![], vec![]);
        write_wkb(&mut bytes, &geometry.into(), &WriteOptions::default()).unwrap();
        write_geometry(&mut out, &bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn all_types_are_written_as_rfc_7946_wants_them() {
        assert_eq!(geojson(point!(x: -45.0, y: 68.1)), r#"{"type":"Point","coordinates":[-45.0,68.1]}"#);
        assert_eq!(
            geojson(MultiPoint::from(vec![(1.0, 2.0), (3.0, 4.0)])),
            r#"{"type":"MultiPoint","coordinates":[[1.0,2.0],[3.0,4.0]]}"#
        );
        assert_eq!(
            geojson(polygon!(
                exterior: [(x: 0., y: 0.), (x: 4., y: 0.), (x: 4., y: 4.)],
                interiors: [[(x: 1., y: 1.), (x: 2., y: 1.), (x: 2., y: 2.)]],
            )),
            r#"{"type":"Polygon","coordinates":[[[0.0,0.0],[4.0,0.0],[4.0,4.0],[0.0,0.0]],[[1.0,1.0],[2.0,1.0],[2.0,2.0],[1.0,1.0]]]}"#
        );
        assert_eq!(
            geojson(Geometry::GeometryCollection(GeometryCollection::from(vec![
                Geometry::from(point!(x: 1.0, y: 2.0)),
                Geometry::from(line_string![(x: 1.0, y: 2.0), (x: 3.0, y: 4.0)]),
            ]))),
            r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1.0,2.0]},{"type":"LineString","coordinates":[[1.0,2.0],[3.0,4.0]]}]}"#
        );
        assert_eq!(geojson(MultiPolygon::new(vec![])), r#"{"type":"MultiPolygon","coordinates":[]}"#);
    }

    #[test]
    fn heights_are_kept() {
        let ordinates = [-45.0f64, 68.0, 1234.5].map(f64::to_le_bytes).concat();
        let mut out = vec![];
        write_geometry(&mut out, &[&[1, 0xe9, 3, 0, 0][..], &ordinates].concat()).unwrap();
        assert_eq!(out, br#"{"type":"Point","coordinates":[-45.0,68.0,1234.5]}"#);
    }
}
