//! `ST_GeomFromGeoJSON(text)`: a geometry from GeoJSON.

use std::sync::Arc;

use arrow::array::{AsArray, BinaryViewBuilder};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use earthcatalog_stac_rows::footprint::drawn_place;
use geo::{Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
use serde_json::Value;

use crate::geometry::{to_wkb, wkb_field};

/// `ST_GeomFromGeoJSON(text) -> WKB`: the geometry of a GeoJSON geometry object (RFC 7946), as PostGIS has it.
///
/// A Feature is taken for its geometry, and a FeatureCollection for a GeometryCollection of those of its Features. Two
/// dimensions are read. A geometry in degrees is cut at the antimeridian and closed along the poles as RFC 7946 draws it,
/// as footprints are. Null for null, and where no Feature has a geometry.
///
/// Errors: text that is no such object.
pub fn st_geom_from_geojson_udf() -> ScalarUDF {
    let signature = Signature::uniform(1, vec![DataType::Utf8View], Volatility::Immutable);
    ScalarUDF::from(StGeomFromGeoJson { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StGeomFromGeoJson {
    signature: Signature,
}

impl ScalarUDFImpl for StGeomFromGeoJson {
    fn name(&self) -> &str {
        "st_geomfromgeojson"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("st_geomfromgeojson has a return field")
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(wkb_field(self.name()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let mut geometries = BinaryViewBuilder::with_capacity(args.number_rows);
        for text in texts.as_string_view() {
            let geometry = match text {
                Some(text) => parse(text).map_err(|reason| exec_datafusion_err!("st_geomfromgeojson: {reason}"))?,
                None => None,
            };
            let Some(geometry) = geometry else {
                geometries.append_null();
                continue;
            };
            geometries.append_value(to_wkb(self.name(), &geometry)?);
        }
        Ok(ColumnarValue::Array(Arc::new(geometries.finish())))
    }
}

/// The geometry of a GeoJSON text as RFC 7946 draws it: all those of a FeatureCollection together; `None` where no Feature
/// has one.
pub fn parse(text: &str) -> Result<Option<Geometry>, String> {
    let object: Value = serde_json::from_str(text).map_err(|e| format!("the text is no JSON: {e}"))?;
    let found = match object["type"].as_str() {
        Some("Feature") => of_feature(&object)?,
        Some("FeatureCollection") => {
            let missing = || "the FeatureCollection has no list of features".to_owned();
            let features = object["features"].as_array().ok_or_else(missing)?;
            let found: Vec<_> =
                features.iter().map(of_feature).filter_map(Result::transpose).collect::<Result<_, _>>()?;
            together(found)
        }
        _ => Some(geometry(&object)?),
    };
    Ok(found.map(drawn_place))
}

fn of_feature(feature: &Value) -> Result<Option<Geometry>, String> {
    match (feature["type"].as_str(), &feature["geometry"]) {
        (Some("Feature"), Value::Null) => Ok(None),
        (Some("Feature"), of_feature) => geometry(of_feature).map(Some),
        (kind, _) => Err(format!("a member of features is {}, not a Feature", kind.unwrap_or("without a type"))),
    }
}

/// One geometry of several: the only one, or a collection.
fn together(mut geometries: Vec<Geometry>) -> Option<Geometry> {
    match geometries.len() {
        0 | 1 => geometries.pop(),
        _ => Some(Geometry::GeometryCollection(GeometryCollection(geometries))),
    }
}

fn geometry(object: &Value) -> Result<Geometry, String> {
    let coordinates = &object["coordinates"];
    Ok(match object["type"].as_str() {
        Some("Point") => match coordinates.as_array() {
            Some(empty) if empty.is_empty() => Geometry::GeometryCollection(GeometryCollection::default()),
            _ => Point(position(coordinates)?).into(),
        },
        Some("LineString") => line(coordinates)?.into(),
        Some("Polygon") => polygon(coordinates)?.into(),
        Some("MultiPoint") => MultiPoint(list(coordinates, |c| position(c).map(Point))?).into(),
        Some("MultiLineString") => MultiLineString(list(coordinates, line)?).into(),
        Some("MultiPolygon") => MultiPolygon(list(coordinates, polygon)?).into(),
        Some("GeometryCollection") => {
            Geometry::GeometryCollection(GeometryCollection(list(&object["geometries"], geometry)?))
        }
        Some(other) => return Err(format!("{other:?} is no type of geometry")),
        None => return Err("the text is no GeoJSON geometry: it has no type".to_owned()),
    })
}

fn list<T>(value: &Value, of: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let members = value.as_array().ok_or_else(|| format!("{value} stands where a list belongs"))?;
    members.iter().map(of).collect()
}

fn position(value: &Value) -> Result<Coord, String> {
    let invalid = || format!("{value} is no position; give longitude and latitude, as in [12.5, 47.1]");
    let ordinate = |i: usize| value.get(i).and_then(Value::as_f64).ok_or_else(invalid);
    Ok(Coord { x: ordinate(0)?, y: ordinate(1)? })
}

fn line(value: &Value) -> Result<LineString, String> {
    list(value, position).map(LineString)
}

fn polygon(value: &Value) -> Result<Polygon, String> {
    let mut rings = list(value, line)?.into_iter();
    Ok(Polygon::new(rings.next().unwrap_or_else(|| LineString(vec![])), rings.collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_feature_collection_is_all_geometries_of_its_features() {
        let point = |x: f64| json!({"type": "Point", "coordinates": [x, 2.0]});
        let feature = |geometry: Value| json!({"type": "Feature", "properties": {}, "geometry": geometry});
        let read = |features: Value| parse(&json!({"type": "FeatureCollection", "features": features}).to_string());
        let one = Geometry::from(Point::new(1.0, 2.0));
        assert_eq!(read(json!([feature(Value::Null), feature(point(1.0))])), Ok(Some(one.clone())));
        let two = Geometry::GeometryCollection(GeometryCollection(vec![one, Point::new(3.0, 2.0).into()]));
        assert_eq!(read(json!([feature(point(1.0)), feature(point(3.0))])), Ok(Some(two)));
        assert_eq!(read(json!([])), Ok(None));
        assert_eq!(read(json!([feature(Value::Null)])), Ok(None));
        assert_eq!(read(json!(null)).unwrap_err(), "the FeatureCollection has no list of features");
        let error = read(json!([point(1.0)])).unwrap_err();
        assert_eq!(error, "a member of features is Point, not a Feature");
    }
}
