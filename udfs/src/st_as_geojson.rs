//! `ST_AsGeoJSON(geometry)`: a geometry as GeoJSON.

use std::sync::Arc;

use arrow::array::StringViewBuilder;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use geo::{Coord, Geometry, LineString, Polygon};
use serde_json::{Value, json};

use crate::geometry::{Geometries, check_geometry};
use crate::rows::Rows;

/// `ST_AsGeoJSON(geometry) -> Utf8View`: the geometry as a GeoJSON geometry object (RFC 7946), in two dimensions and
/// with all digits. Null for null.
pub fn st_as_geojson_udf() -> ScalarUDF {
    ScalarUDF::from(StAsGeoJson { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StAsGeoJson {
    signature: Signature,
}

impl ScalarUDFImpl for StAsGeoJson {
    fn name(&self) -> &str {
        "st_asgeojson"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        check_geometry(self.name(), &args.arg_fields[0])?;
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8View, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = Rows::of(&args.args, args.number_rows);
        let geometries = Geometries::try_new("st_asgeojson", &args.args[0].to_array(rows.count)?, &args.arg_fields[0])?;
        let mut texts = StringViewBuilder::with_capacity(rows.count);
        for row in 0..rows.count {
            texts.append_option(geometries.get(row)?.map(|geometry| object(&geometry).to_string()));
        }
        rows.answer(Arc::new(texts.finish()))
    }
}

fn object(geometry: &Geometry) -> Value {
    let of = |kind: &str, coordinates: Value| json!({ "type": kind, "coordinates": coordinates });
    match geometry {
        Geometry::Point(point) => of("Point", position(&point.0)),
        Geometry::Line(edge) => of("LineString", [edge.start, edge.end].iter().map(position).collect()),
        Geometry::LineString(path) => of("LineString", line(path)),
        Geometry::Polygon(area) => of("Polygon", polygon(area)),
        Geometry::Rect(area) => of("Polygon", polygon(&area.to_polygon())),
        Geometry::Triangle(area) => of("Polygon", polygon(&area.to_polygon())),
        Geometry::MultiPoint(points) => of("MultiPoint", points.iter().map(|p| position(&p.0)).collect()),
        Geometry::MultiLineString(lines) => of("MultiLineString", lines.iter().map(line).collect()),
        Geometry::MultiPolygon(polygons) => of("MultiPolygon", polygons.iter().map(polygon).collect()),
        Geometry::GeometryCollection(members) => {
            json!({ "type": "GeometryCollection", "geometries": members.iter().map(object).collect::<Vec<_>>() })
        }
    }
}

fn position(at: &Coord) -> Value {
    json!([at.x, at.y])
}

fn line(path: &LineString) -> Value {
    path.coords().map(position).collect()
}

fn polygon(area: &Polygon) -> Value {
    std::iter::once(area.exterior()).chain(area.interiors()).filter(|ring| !ring.0.is_empty()).map(line).collect()
}
