//! Areas in degrees, as GeoJSON has them.

use geo::{BoundingRect, Contains, Coord, LineString, MultiPolygon, Polygon, Rect};
use serde::Deserialize;

use crate::site::Asset;

/// GeoJSON of an area.
#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum GeoJson {
    Polygon(Rings),
    MultiPolygon(Vec<Rings>),
}

type Rings = Vec<Vec<[f64; 2]>>;

/// An area, with the box around each of its parts.
pub(super) struct Area(Vec<(Rect, Polygon)>);

impl Area {
    /// The area that GeoJSON draws.
    pub fn parse(geojson: &str) -> serde_json::Result<Self> {
        let parts = match serde_json::from_str(geojson)? {
            GeoJson::Polygon(rings) => vec![rings],
            GeoJson::MultiPolygon(parts) => parts,
        };
        let ring = |ring: Vec<[f64; 2]>| LineString::new(ring.into_iter().map(|[x, y]| Coord { x, y }).collect());
        let polygon = |rings: Rings| {
            let mut rings = rings.into_iter().map(ring);
            let polygon = Polygon::new(rings.next()?, rings.collect());
            Some((polygon.bounding_rect()?, polygon))
        };
        Ok(Self(parts.into_iter().filter_map(polygon).collect()))
    }

    /// The land of the earth.
    pub fn land() -> std::io::Result<Self> {
        let land = Asset::named("land.json").ok_or(std::io::ErrorKind::NotFound)?;
        Ok(Self::parse(&land.text()?)?)
    }

    pub fn boxes(&self) -> impl Iterator<Item = &Rect> {
        self.0.iter().map(|(around, _)| around)
    }

    pub fn contains(&self, place: Coord) -> bool {
        self.0.iter().any(|(around, polygon)| around.contains(&place) && polygon.contains(&place))
    }

    pub fn polygons(&self) -> MultiPolygon {
        self.0.iter().map(|(_, polygon)| polygon.clone()).collect()
    }
}
