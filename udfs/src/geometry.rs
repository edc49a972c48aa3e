//! Geometry arguments of the ST_ functions.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use earthcatalog_stac_rows::{geometry_from_wkb, wkb_from_geometry};
use geo::{BoundingRect, Coord, Geometry, HasDimensions, Polygon, Rect};
use geo_traits::{CoordTrait, RectTrait};
use geoarrow_array::array::{RectArray, from_arrow_array};
use geoarrow_array::cast::{AsGeoArrowArray, to_wkb_view};
use geoarrow_array::{GeoArrowArray, GeoArrowArrayAccessor};
use geoarrow_schema::{CoordType, Dimension, GeoArrowType, PointType, WkbType};
use wkt::ToWkt;

/// A column of geometries, or one geometry for all rows.
pub(crate) struct Geometries {
    function: &'static str,
    wkb: BinaryViewArray,
}

impl Geometries {
    /// Reads WKB (Binary, LargeBinary, BinaryView), or any GeoArrow type.
    pub(crate) fn try_new(function: &'static str, array: &ArrayRef, field: &Field) -> Result<Self> {
        if is_wkb(array.data_type()) {
            return Ok(Self { function, wkb: cast(array, &DataType::BinaryView)?.as_binary_view().clone() });
        }
        let unreadable = |e| exec_datafusion_err!("{function}: {}: {e}", field.name());
        let native = from_arrow_array(array, &marked(field)).map_err(unreadable)?;
        if let Some(boxes) = native.as_rect_opt() {
            return Ok(Self { function, wkb: boxes_as_polygons(function, boxes)? });
        }
        let geometries = to_wkb_view(&native).map_err(unreadable)?;
        Ok(Self { function, wkb: geometries.to_array_ref().as_binary_view().clone() })
    }

    pub(crate) fn len(&self) -> usize {
        self.wkb.len()
    }

    /// The WKB of each row.
    pub(crate) fn wkb(&self) -> &BinaryViewArray {
        &self.wkb
    }

    /// The geometry of a row; `None` where it is null.
    pub(crate) fn get(&self, row: usize) -> Result<Option<Geometry>> {
        if self.wkb.is_null(row) {
            return Ok(None);
        }
        let geometry = geometry_from_wkb(self.wkb.value(row));
        geometry.map(Some).map_err(|e| exec_datafusion_err!("{}: geometry is not readable as WKB: {e}", self.function))
    }
}

/// Boxes as `Box2D` makes them; the `wkb` crate writes them as polygons without the number of their corners.
fn boxes_as_polygons(function: &str, boxes: &RectArray) -> Result<BinaryViewArray> {
    let mut wkb = BinaryViewBuilder::with_capacity(boxes.len());
    for each in boxes.iter() {
        let Some(each) = each else {
            wkb.append_null();
            continue;
        };
        let each = each.map_err(|e| exec_datafusion_err!("{function}: {e}"))?;
        let [low, high] = [each.min(), each.max()].map(|corner| Coord { x: corner.x(), y: corner.y() });
        // That of an empty geometry begins behind its end.
        let polygon = if low.x <= high.x { Rect::new(low, high).to_polygon() } else { Polygon::empty() };
        wkb.append_value(to_wkb(function, &polygon.into())?);
    }
    Ok(wkb.finish())
}

/// The geometry that a constant holds; `None` if it is null.
///
/// Errors: no geometry.
pub fn geometry_of(value: &ScalarValue, field: &Field) -> Result<Option<Geometry>> {
    Geometries::try_new("geometry", &value.to_array()?, field)?.get(0)
}

/// Geometries of any kind (WKB, or a GeoArrow type, which its field tells) as WKB.
///
/// Errors: no geometries.
pub fn wkb_of(array: &ArrayRef, field: &Field) -> Result<BinaryViewArray> {
    check_geometry("geometry", field)?;
    Ok(Geometries::try_new("geometry", array, field)?.wkb)
}

/// Whether a column holds geometries: it is marked as such, or it is called `geometry` and holds bytes.
pub fn is_geometry(field: &Field) -> bool {
    let is_marked = field.extension_type_name().is_some_and(|name| name.starts_with("geoarrow."));
    let holds_bytes = is_wkb(field.data_type()) && field.data_type() != &DataType::Null;
    is_marked || field.name() == "geometry" && holds_bytes
}

/// Geometries of any kind as WKT; what is not WKB stays as hexadecimal digits.
///
/// Errors: a column of something else.
pub fn wkt_of(array: &ArrayRef, field: &Field) -> Result<StringArray> {
    let wkb = wkb_of(array, field)?;
    let text = |wkb: &[u8]| match geometry_from_wkb(wkb) {
        Ok(geometry) => geometry.wkt_string(),
        Err(_) => wkb.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Ok(wkb.iter().map(|wkb| wkb.map(text)).collect())
}

/// The bounds of the coordinates of a geometry (WKB): xmin, ymin, xmax, ymax; `None` if it has none.
///
/// Errors: bytes that are not WKB.
pub fn bounds_of(wkb: &[u8]) -> Result<Option<[f64; 4]>> {
    let geometry = geometry_from_wkb(wkb);
    let geometry = geometry.map_err(|e| exec_datafusion_err!("a geometry is not readable as WKB: {e}"))?;
    Ok(earthcatalog_stac_rows::footprint::bounds(&geometry))
}

/// A geometry that `function` has made, as WKB.
pub(crate) fn to_wkb(function: &str, geometry: &Geometry) -> Result<Vec<u8>> {
    wkb_from_geometry(geometry).map_err(|e| exec_datafusion_err!("{function}: {e}"))
}

/// Whether an argument of this type is a geometry; a plan error if it is none.
pub(crate) fn check_geometry(function: &str, field: &Field) -> Result<()> {
    if is_wkb(field.data_type()) || GeoArrowType::try_from(marked(field).as_ref()).is_ok() {
        return Ok(());
    }
    plan_err!(
        "{function}: {} is {}, which is no geometry; give WKB or the result of an ST_ function",
        field.name(),
        field.data_type()
    )
}

/// The field, marked as one of points if it holds what `ST_Point` makes: constants on their way to a cluster, and the branches
/// of a CASE, lose their marks.
fn marked(field: &Field) -> Cow<'_, Field> {
    let points = PointType::new(Dimension::XY, Default::default()).with_coord_type(CoordType::Separated);
    match field.extension_type_name().is_none() && field.data_type() == &points.data_type() {
        true => Cow::Owned(points.to_field(field.name(), field.is_nullable())),
        false => Cow::Borrowed(field),
    }
}

fn is_wkb(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null)
}

/// The field of a function that makes geometries: WKB, marked as such.
pub(crate) fn wkb_field(name: &str) -> FieldRef {
    Field::new(name, DataType::BinaryView, true).with_extension_type(WkbType::new(Default::default())).into()
}

/// The bounds of a geometry's coordinates; `None` if it has none.
pub(crate) fn bounds(geometry: &Geometry) -> Option<Rect> {
    if geometry.is_empty() { None } else { geometry.bounding_rect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_no_geometry_is_named() {
        let error = check_geometry("st_area", &Field::new("id", DataType::Int32, true)).unwrap_err().to_string();
        assert!(error.contains("st_area: id is Int32, which is no geometry"), "{error}");
        check_geometry("st_area", &wkb_field("g")).unwrap();
    }
}
