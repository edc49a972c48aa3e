//! The cover by another path: every cell of the globe, its geodesic outline cut into short chords, against the
//! footprint in the plane of longitude and latitude.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use earthcatalog_stac_rows::footprint::drawn_place;
use geo::{
    Area as _, BoundingRect as _, Coord, CoordsIter as _, Distance as _, Euclidean, Intersects as _, LineString,
    MapCoords as _, MultiPolygon, Polygon, Rect, Translate as _, Validation as _,
};
use h3o::{CellIndex, LatLng, Resolution};
use proptest::prelude::*;

use super::{Coverer, Footprint};

/// What is closer to a cell's outline than this share of its size may be in or out: chords are no geodesics.
const DOUBT: f64 = 1e-4;

struct Outline {
    cell: CellIndex,
    geodesic: Polygon,
    /// The geodesic outline, a little smaller.
    core: Polygon,
    drawn: Polygon,
    bounds: Rect,
}

/// The cells that must be in a cover, and those that may be.
pub(super) struct Truth {
    pub(super) must: BTreeSet<CellIndex>,
    outlines: &'static [Outline],
    /// One turn to the west and to the east as well.
    turns: Vec<(MultiPolygon, Rect)>,
}

impl Truth {
    /// `footprint` is planar: no edge crosses anything on its way, poles are lines.
    pub(super) fn new(footprint: &MultiPolygon, resolution: Resolution) -> Self {
        let turned = |east: f64| {
            let turned = footprint.translate(east, 0.0);
            let bounds = turned.bounding_rect()?;
            Some((turned, bounds))
        };
        let turns = [-720.0, -360.0, 0.0, 360.0, 720.0].into_iter().filter_map(turned).collect();
        let mut truth = Self { must: BTreeSet::new(), outlines: outlines(resolution), turns };
        let must = truth.outlines.iter().filter(|o| truth.near(o).any(|turned| turned.intersects(&o.core)));
        truth.must = must.map(|o| o.cell).collect();
        truth
    }

    fn near<'a>(&'a self, outline: &'a Outline) -> impl Iterator<Item = &'a MultiPolygon> {
        self.turns.iter().filter(|(_, b)| b.intersects(&outline.bounds)).map(|(turned, _)| turned)
    }

    /// Whether the cell touches the footprint, also where its edges are drawn straight, or all but touches it.
    fn allows(&self, cell: CellIndex) -> bool {
        let Some(outline) = self.outlines.iter().find(|o| o.cell == cell) else { return false };
        self.turns.iter().any(|(turned, _)| {
            turned.intersects(&outline.drawn)
                || turned.iter().any(|p| Euclidean.distance(p, &outline.geodesic) < DOUBT * outline.bounds.height())
        })
    }

    /// Fails unless the cover is exact.
    pub(super) fn check(&self, cover: &[CellIndex], about: &str) {
        let found: BTreeSet<CellIndex> = cover.iter().copied().collect();
        let missing: Vec<_> = self.must.difference(&found).map(ToString::to_string).collect();
        assert!(missing.is_empty(), "missing {missing:?} of {} for {about}", self.must.len());
        let extra = found.difference(&self.must).filter(|c| !self.allows(**c));
        let extra: Vec<_> = extra.map(ToString::to_string).collect();
        assert!(extra.is_empty(), "extra {extra:?} beside {} for {about}", self.must.len());
        assert!(cover.is_sorted_by(|a, b| a < b), "not ascending: {about}");
    }
}

fn outlines(resolution: Resolution) -> &'static [Outline] {
    static KNOWN: [OnceLock<Vec<Outline>>; 4] = [const { OnceLock::new() }; 4];
    KNOWN[usize::from(resolution)].get_or_init(|| {
        let cells = CellIndex::base_cells().flat_map(|base| base.children(resolution));
        cells.map(outline).collect()
    })
}

fn outline(cell: CellIndex) -> Outline {
    let corners = cell.boundary();
    let mut ring = vec![];
    for (i, from) in corners.iter().enumerate() {
        let to = corners[(i + 1) % corners.len()];
        let tolerance = DOUBT / 4.0 * from.distance_rads(to).to_degrees();
        ring.push(Coord { x: from.lng(), y: from.lat() });
        chords(vector(*from), vector(to), tolerance, 3, &mut ring);
    }
    let geodesic = unwrapped(ring);
    let drawn = unwrapped(corners.iter().map(|c| Coord { x: c.lng(), y: c.lat() }).collect());
    let holds_pole = geodesic.exterior().coords().any(|c| c.y.abs() == 90.0);
    let middle = geodesic.bounding_rect().unwrap().center();
    let core = geodesic.map_coords(|c| {
        if holds_pole {
            Coord { x: c.x, y: c.y + (90f64.copysign(c.y) - c.y) * DOUBT }
        } else {
            Coord { x: c.x + (middle.x - c.x) * DOUBT, y: c.y + (middle.y - c.y) * DOUBT }
        }
    });
    let bounds = geodesic.bounding_rect().unwrap();
    Outline { cell, geodesic, core, drawn, bounds }
}

fn vector(at: LatLng) -> [f64; 3] {
    let (lat, lng) = (at.lat_radians(), at.lng_radians());
    [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()]
}

fn place([x, y, z]: [f64; 3]) -> Coord {
    Coord { x: y.atan2(x).to_degrees(), y: z.atan2(x.hypot(y)).to_degrees() }
}

/// Adds the positions between two on their great circle that a line through them needs to be this exact, in degrees.
///
/// Halves the line `at_least` so often: over the equator, its middle may be right and the rest of it wrong.
fn chords(a: [f64; 3], b: [f64; 3], tolerance: f64, at_least: u32, ring: &mut Vec<Coord>) {
    let middle = [0, 1, 2].map(|i| (a[i] + b[i]) / 2.0);
    let length = middle.iter().map(|v| v * v).sum::<f64>().sqrt();
    let middle = middle.map(|v| v / length);
    let (from, to, at) = (place(a), place(b), place(middle));
    let east = (to.x - from.x + 540.0).rem_euclid(360.0) - 180.0;
    let off = Coord { x: from.x + east / 2.0 - at.x, y: f64::midpoint(from.y, to.y) - at.y };
    let off = Coord { x: (off.x + 540.0).rem_euclid(360.0) - 180.0, y: off.y };
    // Longitudes count in full: near a pole the plane is all there is.
    if at_least > 0 || (off.x.hypot(off.y) > tolerance && a != middle && b != middle) {
        chords(a, middle, tolerance, at_least.saturating_sub(1), ring);
        ring.push(at);
        chords(middle, b, tolerance, at_least.saturating_sub(1), ring);
    }
}

/// The ring in the plane: jumps over the antimeridian undone, closed along the pole if it goes round it.
pub(super) fn unwrapped(mut ring: Vec<Coord>) -> Polygon {
    ring.push(ring[0]);
    for i in 1..ring.len() {
        while ring[i].x - ring[i - 1].x > 180.0 {
            ring[i].x -= 360.0;
        }
        while ring[i].x - ring[i - 1].x < -180.0 {
            ring[i].x += 360.0;
        }
    }
    let (first, last) = (ring[0], ring[ring.len() - 1]);
    if (last.x - first.x).abs() > 180.0 {
        let pole = 90f64.copysign(ring.iter().map(|c| c.y).sum());
        ring.extend([Coord { x: last.x, y: pole }, Coord { x: first.x, y: pole }]);
    }
    Polygon::new(LineString(ring), vec![])
}

/// The footprint of a geometry as a source writes it.
pub(super) fn footprint(geometry: impl Into<geo::Geometry>) -> Footprint {
    Footprint::from_geometry(&drawn_place(geometry.into()))
}

pub(super) fn cover(geometry: impl Into<geo::Geometry>, resolution: Resolution) -> Vec<CellIndex> {
    Coverer::new(resolution).cover(&footprint(geometry)).unwrap()
}

/// Positions around a centre, as an instrument sees them: some distance (degrees) away in each direction.
fn around(centre: Coord, distances: &[f64]) -> Vec<Coord> {
    let (lat, lon) = (centre.y.to_radians(), centre.x.to_radians());
    let place = |(i, distance): (usize, &f64)| {
        let bearing = i as f64 / distances.len() as f64 * std::f64::consts::TAU;
        let d = distance.to_radians();
        let y = (lat.sin() * d.cos() + lat.cos() * d.sin() * bearing.cos()).clamp(-1.0, 1.0).asin();
        let x = lon + (bearing.sin() * d.sin() * lat.cos()).atan2(d.cos() - lat.sin() * y.sin());
        Coord { x: (x.to_degrees() + 540.0).rem_euclid(360.0) - 180.0, y: y.to_degrees() }
    };
    distances.iter().enumerate().map(place).collect()
}

prop_compose! {
    fn scene(largest: f64)(
        lon in -180.0..180.0f64,
        lat in prop_oneof![-90.0..90.0f64, 80.0..90.0f64, -90.0..-80.0f64],
        size in (0.001f64.ln()..largest.ln()).prop_map(f64::exp),
        shares in prop::collection::vec(0.3..1.0f64, 9..17),
    ) -> Vec<Coord> {
        let distances: Vec<f64> = shares.into_iter().map(|s| s * size).collect();
        around(Coord { x: lon, y: lat }, &distances)
    }
}

fn check_scene(ring: Vec<Coord>, resolution: Resolution) -> Result<(), TestCaseError> {
    let planar = unwrapped(ring.clone());
    // Near a pole, straight edges in longitude and latitude may cross each other.
    prop_assume!(planar.is_valid() && planar.unsigned_area() > 0.0);
    let about = format!("{ring:?}");
    let cells = cover(Polygon::new(LineString(ring), vec![]), resolution);
    Truth::new(&MultiPolygon::new(vec![planar]), resolution).check(&cells, &about);
    Ok(())
}

proptest! {
    #[test]
    fn scenes_are_covered_exactly_at_resolution_0(ring in scene(40.0)) {
        check_scene(ring, Resolution::Zero)?;
    }

    #[test]
    fn scenes_are_covered_exactly_at_resolution_1(ring in scene(40.0)) {
        check_scene(ring, Resolution::One)?;
    }

    #[test]
    fn scenes_are_covered_exactly_at_resolution_2(ring in scene(20.0)) {
        check_scene(ring, Resolution::Two)?;
    }

    #[test]
    fn scenes_are_covered_exactly_at_resolution_3(ring in scene(5.0)) {
        check_scene(ring, Resolution::Three)?;
    }

    #[test]
    fn positions_on_a_line_are_in_its_cover(
        a in (-180.0..180.0f64, -90.0..90.0f64), east in -170.0..170.0f64, b_lat in -90.0..90.0f64,
        resolution in 0u8..6,
    ) {
        let resolution = Resolution::try_from(resolution).unwrap();
        let (from, to) = (Coord { x: a.0, y: a.1 }, Coord { x: a.0 + east, y: b_lat });
        let cells = cover(LineString(vec![from, to]), resolution);
        let samples = (0..=300).map(|step| {
            let share = f64::from(step) / 300.0;
            LatLng::new(from.y + (to.y - from.y) * share, from.x + (to.x - from.x) * share).unwrap()
        });
        for at in samples.clone() {
            prop_assert!(cells.contains(&at.to_cell(resolution)));
        }
        // And nothing beside it: some sample is nearer than a cell's size.
        let reach = 1.5 * resolution.edge_length_rads() + std::f64::consts::TAU / 300.0;
        for cell in cells.into_iter().step_by(7) {
            prop_assert!(samples.clone().any(|at| LatLng::from(cell).distance_rads(at) <= reach), "{cell}");
        }
    }

    #[test]
    fn boxes_as_wide_as_the_globe_are_covered_exactly(
        lats in (-90.0..90.0f64, -90.0..90.0f64), resolution in 0u8..3,
    ) {
        let resolution = Resolution::try_from(resolution).unwrap();
        let (south, north) = (lats.0.min(lats.1), lats.0.max(lats.1));
        let band = Rect::new(Coord { x: -180.0, y: south }, Coord { x: 180.0, y: north }).to_polygon();
        let cells = cover(band.clone(), resolution);
        Truth::new(&MultiPolygon::new(vec![band]), resolution).check(&cells, &format!("{south}..{north}"));
    }

    #[test]
    fn bytes_that_are_no_geometry_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(footprint) = Footprint::from_wkb(&bytes) {
            let _ = Coverer::new(Resolution::One).cover(&footprint);
        }
    }

    #[test]
    fn damaged_wkb_does_no_harm(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), length in any::<prop::sample::Index>(),
    ) {
        let polygon = Rect::new(Coord { x: 178.0, y: 60.0 }, Coord { x: 182.0, y: 61.0 }).to_polygon();
        let collection = geo::GeometryCollection::from(vec![
            geo::Geometry::MultiPolygon(vec![polygon.clone()].into()),
            geo::Geometry::MultiPoint(vec![(1.0, 2.0)].into()),
            geo::Geometry::Polygon(polygon),
        ]);
        let mut bytes = vec![];
        wkb::writer::write_geometry(&mut bytes, &geo::Geometry::GeometryCollection(collection), &Default::default()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(length.index(bytes.len()) + 1);
        if let Ok(footprint) = Footprint::from_wkb(&bytes) {
            let _ = Coverer::new(Resolution::One).cover(&footprint);
        }
    }

    #[test]
    fn any_numbers_are_taken(
        ring in prop::collection::vec((any::<f64>(), any::<f64>()), 0..12), resolution in 0u8..2,
    ) {
        let resolution = Resolution::try_from(resolution).unwrap();
        let polygon = Polygon::new(ring.iter().map(|(x, y)| Coord { x: *x, y: *y }).collect(), vec![]);
        let line: LineString = polygon.exterior().clone();
        let _ = Coverer::new(resolution).cover(&footprint(polygon));
        let _ = Coverer::new(resolution).cover(&footprint(line));
    }

    #[test]
    fn rings_of_round_numbers_are_taken(
        ring in prop::collection::vec((-8i8..9, -4i8..5), 0..12), resolution in 0u8..3,
    ) {
        let resolution = Resolution::try_from(resolution).unwrap();
        let ring = ring.iter().map(|(x, y)| Coord { x: f64::from(*x) * 45.0, y: f64::from(*y) * 22.5 });
        // As written, not as a reader of sources has it: a ring over itself has parts without an area.
        let polygon = geo::Geometry::from(Polygon::new(ring.collect(), vec![]));
        let cells = Coverer::new(resolution).cover(&Footprint::from_geometry(&polygon)).unwrap();
        for at in polygon.coords_iter() {
            prop_assert!(cells.contains(&LatLng::new(at.y, at.x).unwrap().to_cell(resolution)));
        }
    }
}
