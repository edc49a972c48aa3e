//! The `geo` key of a part file: GeoParquet 1.1 metadata of what is in it.
//!
//! Source: <https://geoparquet.org/releases/v1.1.0/>. `crs` is left out, which means OGC:CRS84.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::common::{DataFusionError, Result, exec_err, plan_datafusion_err};
use earthcatalog_udfs::is_geometry;
use serde::Serialize;

use crate::model::items::BOUNDS_COLUMNS;

/// Name of the geometry column.
pub const GEOMETRY: &str = "geometry";

/// Name of the column with the bounds of a row, by which readers find rows near a place.
const BBOX: &str = "bbox";

/// Name of the column that has them where `bbox` is something else.
pub const COVERING: &str = "geometry_bbox";

/// Where the columns that make up the `geo` key are.
#[derive(Debug, Clone)]
pub struct GeoColumns {
    /// Of the column of geometries.
    name: String,
    geometry: usize,
    /// `None` where rows have no bounds: then the file says none of its own.
    bounds: Option<[usize; 4]>,
    /// The column of `xmin`, `ymin`, `xmax`, `ymax`, if there is one.
    covering: Option<&'static str>,
}

impl GeoColumns {
    pub fn try_new(schema: &Schema) -> Result<Self> {
        let index =
            |name: &str| schema.index_of(name).map_err(|_| plan_datafusion_err!("rows to write have no column {name}"));
        let [xmin, ymin, xmax, ymax] = BOUNDS_COLUMNS.map(index);
        Ok(Self {
            name: GEOMETRY.to_owned(),
            geometry: index(GEOMETRY)?,
            bounds: Some([xmin?, ymin?, xmax?, ymax?]),
            covering: Some(BBOX),
        })
    }

    /// Those of all columns of geometries that rows have, `geometry` first; none where there is no such column.
    pub fn all(schema: &Schema) -> Vec<Self> {
        let mut found: Vec<_> = (0..schema.fields().len()).filter(|i| is_geometry(schema.field(*i))).collect();
        found.sort_by_key(|i| schema.field(*i).name() != GEOMETRY);
        let columns = |geometry: usize| match schema.field(geometry).name().as_str() {
            GEOMETRY => Self::with_bounds(schema, geometry),
            other => Self { name: other.to_owned(), geometry, bounds: None, covering: None },
        };
        found.into_iter().map(columns).collect()
    }

    /// Column `geometry`, and perhaps its bounds.
    fn with_bounds(schema: &Schema, geometry: usize) -> Self {
        let is_bound = |field: &Field| field.data_type() == &DataType::Float64;
        let bound = |name: &str| schema.index_of(name).ok().filter(|i| is_bound(schema.field(*i)));
        let bounds = match BOUNDS_COLUMNS.map(bound) {
            [Some(xmin), Some(ymin), Some(xmax), Some(ymax)] => Some([xmin, ymin, xmax, ymax]),
            _ => None,
        };
        let is_box = |name: &&str| {
            schema.field_with_name(name).is_ok_and(|bbox| match bbox.data_type() {
                DataType::Struct(sides) => BOUNDS_COLUMNS.iter().all(|name| {
                    let side = sides.iter().find(|side| side.name() == name);
                    side.is_some_and(|side| matches!(side.data_type(), DataType::Float64 | DataType::Float32))
                }),
                _ => false,
            })
        };
        let covering = [COVERING, BBOX].into_iter().find(is_box);
        Self { name: GEOMETRY.to_owned(), geometry, bounds, covering }
    }

    /// Where the geometries are.
    pub fn geometry(&self) -> usize {
        self.geometry
    }

    /// Of the column of geometries.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Geometry types and bounds of the rows of one file.
#[derive(Debug, Default, PartialEq)]
pub struct GeoSummary {
    types: BTreeSet<String>,
    /// xmin, ymin, xmax, ymax.
    bounds: Option<[f64; 4]>,
    /// zmin, zmax.
    z: Option<[f64; 2]>,
}

impl GeoSummary {
    /// Adds the rows of `batch`; an error if a geometry is not ISO WKB in two dimensions or with Z.
    pub fn add(&mut self, batch: &RecordBatch, columns: &GeoColumns) -> Result<()> {
        let geometries = batch.column(columns.geometry).as_binary_view();
        let mut last = None;
        for geometry in geometries.iter().flatten() {
            let code = Reader::new(geometry).header().map(|(code, _)| code);
            // Files mostly hold one type of geometry: the name is looked up when it changes.
            if code.is_none() || code != last {
                let Some(name) = code.and_then(type_name) else {
                    return exec_err!(
                        "a geometry is not WKB of a Point to GeometryCollection, in two dimensions or with Z (ISO)"
                    );
                };
                self.types.insert(name);
                last = code;
            }
            if code.is_some_and(|code| code >= 1000) {
                let Some(z) = z_range(geometry) else {
                    return exec_err!("a geometry with Z is not well-formed WKB");
                };
                widen(&mut self.z, z);
            }
        }
        let Some(bounds) = columns.bounds else { return Ok(()) };
        let [xmin, ymin, xmax, ymax] = bounds.map(|i| batch.column(i).as_primitive::<Float64Type>());
        if let (Some(x0), Some(y0), Some(x1), Some(y1)) = (min(xmin), min(ymin), max(xmax), max(ymax))
            && [x0, y0, x1, y1].iter().all(|bound| bound.is_finite())
        {
            let [a, b, c, d] = self.bounds.unwrap_or([x0, y0, x1, y1]);
            self.bounds = Some([a.min(x0), b.min(y0), c.max(x1), d.max(y1)]);
        }
        Ok(())
    }

    /// The value of the `geo` key.
    pub fn to_json(&self, columns: &GeoColumns) -> Result<String> {
        metadata(&columns.name, [(columns, self)])
    }

    fn column<'a>(&'a self, columns: &GeoColumns) -> Column<'a> {
        let bbox = self.bounds.map(|[x0, y0, x1, y1]| match self.z {
            Some([z0, z1]) => vec![x0, y0, z0, x1, y1, z1],
            None => vec![x0, y0, x1, y1],
        });
        let covering = columns.covering.map(|column| {
            let [xmin, ymin, xmax, ymax] = BOUNDS_COLUMNS.map(|side| [column, side]);
            Covering { bbox: BoxCovering { xmin, ymin, xmax, ymax } }
        });
        Column { encoding: "WKB", geometry_types: &self.types, edges: "planar", bbox, covering }
    }
}

/// The value of the `geo` key of a file with several columns of geometries, of which `primary` is the first to be shown.
pub fn metadata<'a>(
    primary: &'a str,
    columns: impl IntoIterator<Item = (&'a GeoColumns, &'a GeoSummary)>,
) -> Result<String> {
    let columns = columns.into_iter().map(|(columns, summary)| (columns.name.as_str(), summary.column(columns)));
    let metadata = Metadata { version: "1.1.0", primary_column: primary, columns: columns.collect() };
    serde_json::to_string(&metadata).map_err(|e| DataFusionError::External(Box::new(e)))
}

// Own types, because the `geoparquet` crate keeps geometry types in a HashSet: the same rows would give other bytes.
#[derive(Serialize)]
struct Metadata<'a> {
    version: &'a str,
    primary_column: &'a str,
    columns: BTreeMap<&'a str, Column<'a>>,
}

#[derive(Serialize)]
struct Column<'a> {
    encoding: &'a str,
    geometry_types: &'a BTreeSet<String>,
    edges: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bbox: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    covering: Option<Covering<'a>>,
}

#[derive(Serialize)]
struct Covering<'a> {
    bbox: BoxCovering<'a>,
}

#[derive(Serialize)]
struct BoxCovering<'a> {
    xmin: [&'a str; 2],
    ymin: [&'a str; 2],
    xmax: [&'a str; 2],
    ymax: [&'a str; 2],
}

fn type_name(code: u32) -> Option<String> {
    let name = match code % 1000 {
        1 => "Point",
        2 => "LineString",
        3 => "Polygon",
        4 => "MultiPoint",
        5 => "MultiLineString",
        6 => "MultiPolygon",
        7 => "GeometryCollection",
        _ => return None,
    };
    match code / 1000 {
        0 => Some(name.to_owned()),
        1 => Some(format!("{name} Z")),
        _ => None,
    }
}

fn widen(range: &mut Option<[f64; 2]>, [low, high]: [f64; 2]) {
    if low <= high {
        let [a, b] = range.unwrap_or([low, high]);
        *range = Some([a.min(low), b.max(high)]);
    }
}

/// Range of Z of a geometry with Z, empty (`low > high`) where it has no position; `None` if it is malformed.
fn z_range(wkb: &[u8]) -> Option<[f64; 2]> {
    let mut z = [f64::INFINITY, f64::NEG_INFINITY];
    let mut reader = Reader::new(wkb);
    // Members of collections carry headers of their own, so the geometry is read as a flat list of headers.
    let mut pending = 1_u64;
    while pending > 0 {
        pending -= 1;
        let (code, little) = reader.header()?;
        match code {
            1001 => reader.positions(1, little, &mut z)?,
            1002 => {
                let n = reader.count(little)?;
                reader.positions(n, little, &mut z)?;
            }
            1003 => {
                for _ in 0..reader.count(little)? {
                    let n = reader.count(little)?;
                    reader.positions(n, little, &mut z)?;
                }
            }
            1004..=1007 => pending += u64::from(reader.count(little)?),
            _ => return None,
        }
    }
    Some(z)
}

/// Reads WKB from the front.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(wkb: &'a [u8]) -> Self {
        Self { rest: wkb }
    }

    /// Geometry type, and whether numbers are little-endian.
    fn header(&mut self) -> Option<(u32, bool)> {
        let little = match self.rest.split_off_first()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some((self.count(little)?, little))
    }

    fn count(&mut self, little: bool) -> Option<u32> {
        let bytes = self.rest.split_off(..4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn positions(&mut self, n: u32, little: bool, z: &mut [f64; 2]) -> Option<()> {
        for _ in 0..n {
            let bytes = self.rest.split_off(..24)?[16..].try_into().ok()?;
            let value = if little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) };
            // NaN, which stands for an empty Point, is left out by min and max.
            *z = [z[0].min(value), z[1].max(value)];
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryViewArray, Float64Array};
    use serde_json::{Value, json};

    use super::*;

    fn point(code: u32, coordinates: &[f64]) -> Vec<u8> {
        let mut wkb = vec![1];
        wkb.extend(code.to_le_bytes());
        wkb.extend(coordinates.iter().flat_map(|c| c.to_le_bytes()));
        wkb
    }

    /// WKB and bounds.
    type Row = (Option<Vec<u8>>, Option<[f64; 4]>);

    fn summary(rows: &[Row]) -> Result<GeoSummary> {
        let geometry: BinaryViewArray = rows.iter().map(|(wkb, _)| wkb.as_deref()).collect();
        let mut columns = vec![(GEOMETRY, Arc::new(geometry) as ArrayRef)];
        for (i, name) in BOUNDS_COLUMNS.into_iter().enumerate() {
            let bound: Float64Array = rows.iter().map(|(_, bounds)| bounds.map(|b| b[i])).collect();
            columns.push((name, Arc::new(bound)));
        }
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut summary = GeoSummary::default();
        summary.add(&batch, &GeoColumns::try_new(&batch.schema())?)?;
        Ok(summary)
    }

    fn all_columns() -> GeoColumns {
        GeoColumns { name: GEOMETRY.to_owned(), geometry: 0, bounds: Some([1, 2, 3, 4]), covering: Some(BBOX) }
    }

    fn geometry_column(summary: &GeoSummary) -> Value {
        serde_json::from_str::<Value>(&summary.to_json(&all_columns()).unwrap()).unwrap()["columns"]["geometry"].take()
    }

    #[test]
    fn types_and_bounds_are_those_of_the_rows() {
        let rows = [
            (Some(point(1, &[5.0, 6.5])), Some([5.0, 6.5, 5.0, 6.5])),
            (None, None),
            (Some(point(1, &[-1.0, 7.0])), Some([-1.0, 7.0, -1.0, 7.0])),
        ];
        let column = geometry_column(&summary(&rows).unwrap());
        assert_eq!(column["geometry_types"], json!(["Point"]));
        assert_eq!(column["bbox"], json!([-1.0, 6.5, 5.0, 7.0]));
        assert_eq!(column["covering"]["bbox"]["ymax"], json!(["bbox", "ymax"]));
        assert_eq!(column.get("crs"), None);
    }

    #[test]
    fn a_geometry_with_z_has_its_own_type_and_six_bounds() {
        let line = {
            let mut wkb = vec![1];
            wkb.extend(1002_u32.to_le_bytes());
            wkb.extend(2_u32.to_le_bytes());
            wkb.extend([0.0, 0.0, -3.0, 1.0, 1.0, 9.0_f64].iter().flat_map(|c| c.to_le_bytes()));
            wkb
        };
        let mut collection = vec![0];
        collection.extend(1007_u32.to_be_bytes());
        collection.extend(2_u32.to_be_bytes());
        collection.extend(line);
        collection.extend(point(1001, &[0.5, 0.5, 20.0]));
        let rows =
            [(Some(collection), Some([0.0, 0.0, 1.0, 1.0])), (Some(point(1, &[0.0, 0.0])), Some([0.0, 0.0, 0.0, 0.0]))];
        let column = geometry_column(&summary(&rows).unwrap());
        assert_eq!(column["geometry_types"], json!(["GeometryCollection Z", "Point"]));
        assert_eq!(column["bbox"], json!([0.0, 0.0, -3.0, 1.0, 1.0, 20.0]));
    }

    #[test]
    fn a_file_without_geometries_has_no_bounds() {
        let column = geometry_column(&summary(&[(None, None)]).unwrap());
        assert_eq!(column["geometry_types"], json!([]));
        assert_eq!(column.get("bbox"), None);
    }

    #[test]
    fn the_crate_geoparquet_reads_the_key() {
        let rows = [(Some(point(1001, &[5.0, 6.5, 1.0])), Some([5.0, 6.5, 5.0, 6.5]))];
        let json = summary(&rows).unwrap().to_json(&all_columns()).unwrap();
        let metadata: geoparquet::metadata::GeoParquetMetadata = serde_json::from_str(&json).unwrap();
        assert_eq!(metadata.primary_column, GEOMETRY);
        assert_eq!(metadata.columns[GEOMETRY].geometry_types.len(), 1);
    }

    #[test]
    fn what_is_no_wkb_is_an_error() {
        for wkb in [vec![], vec![1, 1], point(3001, &[]), point(9, &[]), point(1001, &[1.0, 2.0])] {
            assert!(summary(&[(Some(wkb.clone()), None)]).is_err(), "{wkb:?}");
        }
    }
}
