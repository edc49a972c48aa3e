//! The footprints of real Items, against brute force.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use earthcatalog_stac_rows::footprint::drawn;
use geo::{
    Coord, CoordsIter as _, Geometry, GeometryCollection, LineString, MultiPolygon, Point, Polygon, Validation as _,
};
use h3o::{CellIndex, LatLng, Resolution};
use serde_json::Value;

use super::brute_force::{Truth, cover};

/// The folder with real Items; `None`, with a word, if it is not there.
fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("EARTHCATALOG_DATA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing; set EARTHCATALOG_DATA", folder.display());
    println!("skipped: {} is missing", folder.display());
    None
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| ["json", "ndjson", "geojson"].iter().any(|known| e == *known)) {
            found.push(path);
        }
    }
    found.sort();
}

fn items(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = match serde_json::from_str(&text) {
        Ok(document) => vec![document],
        Err(_) => text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
    };
    let features = |document: Value| match document {
        Value::Array(list) => list,
        Value::Object(mut object) if object.contains_key("features") => {
            object.remove("features").and_then(|f| f.as_array().cloned()).unwrap_or_default()
        }
        other => vec![other],
    };
    documents.into_iter().flat_map(features).collect()
}

fn position(value: &Value) -> Option<Coord> {
    Some(Coord { x: value.get(0)?.as_f64()?, y: value.get(1)?.as_f64()? })
}

fn line(value: &Value) -> Option<LineString> {
    value.as_array()?.iter().map(position).collect::<Option<Vec<_>>>().map(LineString)
}

fn polygon(value: &Value) -> Option<Polygon> {
    let mut rings = value.as_array()?.iter().map(line).collect::<Option<Vec<_>>>()?.into_iter();
    Some(Polygon::new(rings.next()?, rings.collect()))
}

fn geometry(value: &Value) -> Option<Geometry> {
    let coordinates = &value["coordinates"];
    Some(match value["type"].as_str()? {
        "Point" => Geometry::Point(Point(position(coordinates)?)),
        "LineString" => Geometry::LineString(line(coordinates)?),
        "Polygon" => Geometry::Polygon(polygon(coordinates)?),
        "MultiPolygon" => {
            let parts = coordinates.as_array()?.iter().map(polygon).collect::<Option<Vec<_>>>()?;
            Geometry::MultiPolygon(MultiPolygon::new(parts))
        }
        "GeometryCollection" => {
            let members = value["geometries"].as_array()?.iter().map(geometry).collect::<Option<Vec<_>>>()?;
            Geometry::GeometryCollection(GeometryCollection::from(members))
        }
        _ => return None,
    })
}

/// The polygons of a geometry, unless they cross themselves.
fn planar(geometry: &Geometry) -> Option<MultiPolygon> {
    let polygons = match geometry {
        Geometry::Polygon(polygon) => MultiPolygon::new(vec![polygon.clone()]),
        Geometry::MultiPolygon(polygons) => polygons.clone(),
        _ => return None,
    };
    let is_odd = polygons.iter().any(|p| !p.interiors().is_empty() && !p.is_valid());
    (!is_odd).then_some(polygons)
}

/// As RFC 7946 draws them.
fn footprints() -> Vec<(String, Geometry)> {
    let Some(data) = data() else { return vec![] };
    let mut paths = vec![];
    files(&data, &mut paths);
    let mut known = HashSet::new();
    let mut found = vec![];
    for path in paths {
        for item in items(&path) {
            let Some(geometry) = item.get("geometry").and_then(geometry) else { continue };
            let bbox: Option<Vec<f64>> =
                item["bbox"].as_array().and_then(|sides| sides.iter().map(Value::as_f64).collect());
            let bbox = bbox.and_then(|sides| sides.try_into().ok());
            let geometry = match drawn(&geometry, bbox) {
                Ok(drawn) => drawn.map_or(geometry, |drawn| drawn.geometry),
                // No Item of the table has it.
                Err(_) => continue,
            };
            if known.insert(format!("{geometry:?}")) {
                found.push((format!("{} {}", path.display(), item["id"]), geometry));
            }
        }
    }
    found
}

#[test]
fn real_footprints_are_covered_exactly() {
    let footprints = footprints();
    let mut checked = 0;
    for (i, (about, geometry)) in footprints.iter().enumerate() {
        // Brute force looks at all 5,882 cells of resolution 2.
        let resolutions = if i % 10 == 0 { &[Resolution::One, Resolution::Two][..] } else { &[Resolution::One] };
        for resolution in resolutions {
            let cells = cover(geometry.clone(), *resolution);
            if let Some(planar) = planar(geometry) {
                Truth::new(&planar, *resolution).check(&cells, about);
                checked += 1;
            }
            for at in geometry.coords_iter() {
                let cell = LatLng::new(at.y.clamp(-90.0, 90.0), at.x).unwrap().to_cell(*resolution);
                assert!(cells.contains(&cell), "{about}: {at:?}");
            }
        }
    }
    println!("{} footprints, {checked} checks", footprints.len());
    assert!(footprints.is_empty() || footprints.len() > 1000);
}

/// The cover of the one real footprint whose id is given, at resolution 1, and the cells of its vertices.
fn cover_of(id: &str) -> Option<(Vec<CellIndex>, Vec<CellIndex>)> {
    let (_, geometry) = footprints().into_iter().find(|(about, _)| about.contains(id))?;
    let vertices = geometry.coords_iter().map(|c| LatLng::new(c.y, c.x).unwrap().to_cell(Resolution::One));
    let mut vertices: Vec<_> = vertices.collect();
    vertices.sort_unstable();
    vertices.dedup();
    Some((cover(geometry, Resolution::One), vertices))
}

#[test]
fn real_scenes_on_the_antimeridian_stay_small() {
    // A Landsat scene and the tiles of a UTM zone, all with rings that jump over ±180.
    for id in ["LC08_L2SR_084024_20160111", "60W-2023", "60U-2023", "60N-2023"] {
        if let Some((cells, vertices)) = cover_of(id) {
            assert!(cells.len() <= vertices.len() + 3, "{id}: {} cells, {} of vertices", cells.len(), vertices.len());
        }
    }
}

#[test]
fn real_orbits_over_the_poles_do_not_cover_the_globe() {
    for id in ["S3A_SL_2_LST_20160521T015552", "S5P_OFFL_L2__NP_BD3", "S5P_OFFL_L2__NP_BD6", "S5P_OFFL_L2__NP_BD7"] {
        if let Some((cells, vertices)) = cover_of(id) {
            assert!(cells.len() > vertices.len() && cells.len() < 421, "{id}: {} cells", cells.len());
        }
    }
}
