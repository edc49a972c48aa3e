//! Follows footprints from cell to cell.

use std::f64::consts::PI;

use datafusion::common::{HashMap, HashSet};
use geo::Coord;
use h3o::{CellIndex, LatLng, Resolution};
use thiserror::Error;

use super::cell::{CellShape, centre, neighbours};
use super::curve::{Curve, Place, Vec3, bend, reach};
use super::footprint::Footprint;
use super::ring::Ring;

/// Cells that one footprint may have: the whole globe at resolution 5, with room.
pub const MAX_CELLS: usize = 1 << 22;

/// Shapes that are kept from one footprint to the next: about 20 MB.
const MAX_SHAPES: usize = 1 << 15;

/// Visits of cells for one that a footprint may have: its parts may lie over each other, and its edges run to and fro.
const VISITS_PER_CELL: u64 = 100;

/// A footprint may have the visits of so many cells, however few it may have.
const FEW_CELLS: usize = 10_000;

/// Tests of an edge that take as long as a visit.
const EDGES_PER_VISIT: usize = 1 << 10;

/// Products of touched cells and edges from which on `fill` asks for one cell of many.
const MANY_TESTS: usize = 1 << 20;

/// Why a footprint has no cover.
#[derive(Debug, Error, PartialEq)]
pub enum CoverError {
    #[error("the footprint touches more than {limit} cells of H3 resolution {resolution}; use a coarser resolution")]
    TooManyCells { resolution: Resolution, limit: usize },
    #[error(
        "the footprint is {visits} times or more in the same cells of H3 resolution {resolution}: its parts lie over each other, or its edges run to and fro; use a coarser resolution, or join the parts"
    )]
    TooManyVisits { resolution: Resolution, visits: u64 },
}

/// Finds the cells that footprints touch, at one resolution; remembers the shapes of cells from one to the next.
#[derive(Debug)]
pub struct Coverer {
    resolution: Resolution,
    /// Cells that a footprint may have.
    limit: usize,
    /// Length from which on the list of cells is looked through for those that are in it twice.
    full: usize,
    /// What has been done for the footprint in progress, in visits of a cell.
    visits: u64,
    /// Average length of a cell edge in radians.
    edge: f64,
    /// Longest piece, in radians, in which a footprint's edge is followed.
    stride: f64,
    shapes: Vec<CellShape>,
    ids: HashMap<CellIndex, u32>,
    /// The neighbours of each shape, once looked up; a pentagon is its own sixth.
    links: Vec<Option<[u32; 6]>>,
    /// The latest outline that each shape was found to touch, and the latest piece that it was asked for.
    touched: Vec<u64>,
    asked: Vec<u64>,
    outlines: u64,
    pieces: u64,
    /// The cell of the latest footprint: the next one is often near.
    latest: Option<u32>,
}

impl Coverer {
    /// Of footprints of up to [`MAX_CELLS`] cells.
    pub fn new(resolution: Resolution) -> Self {
        Self::with_limit(resolution, MAX_CELLS)
    }

    /// Of footprints of up to `limit` cells, and no more than [`MAX_CELLS`]; a larger one takes no longer than one of
    /// that size.
    pub fn with_limit(resolution: Resolution, limit: usize) -> Self {
        let edge = resolution.edge_length_rads();
        let limit = limit.min(MAX_CELLS);
        Self {
            resolution,
            limit,
            full: limit,
            visits: 0,
            edge,
            // Few cells long, and straight within a twentieth of a cell.
            stride: (4.0 * edge).min((0.4 * edge).sqrt()),
            shapes: vec![],
            ids: HashMap::new(),
            links: vec![],
            touched: vec![],
            asked: vec![],
            outlines: 0,
            pieces: 0,
            latest: None,
        }
    }

    /// The cells that share at least a point with the footprint: ascending, each once; none if it is empty.
    pub fn cover(&mut self, footprint: &Footprint) -> Result<Vec<CellIndex>, CoverError> {
        if self.shapes.len() > MAX_SHAPES {
            self.forget();
        }
        self.full = self.limit;
        self.visits = 0;
        let mut cells = Vec::with_capacity(4);
        for at in &footprint.points {
            cells.push(self.cell_at(*at));
            self.check(&mut cells)?;
        }
        for (i, line) in footprint.lines.iter().enumerate() {
            // Copies of a part add nothing.
            if i == 0 || footprint.lines[i - 1] != *line {
                self.outlines += 1;
                self.follow(line, false, &mut cells)?;
            }
        }
        for (i, polygon) in footprint.polygons.iter().enumerate() {
            if i == 0 || footprint.polygons[i - 1] != *polygon {
                self.cover_polygon(polygon, &mut cells)?;
            }
        }
        cells.sort_unstable();
        cells.dedup();
        if cells.len() > self.limit { Err(self.too_many()) } else { Ok(cells) }
    }

    fn cover_polygon(&mut self, polygon: &[Ring], cells: &mut Vec<CellIndex>) -> Result<(), CoverError> {
        let exterior = &polygon[0];
        let (min, max) = exterior.bounds();
        let diameter = reach(&Place::new(min), &Place::new(max));
        let is_small = diameter < self.edge;
        if is_small && let Some(cell) = self.cell_around(min, max, diameter / 2.0) {
            cells.push(cell);
            return self.check(cells);
        }
        // Cells differ in size by less than two: what is out of reach fails at once, the rest when it gets there.
        let area = polygon.iter().map(Ring::area).reduce(|exterior, hole| exterior - hole).unwrap_or_default();
        let average = 4.0 * PI / self.resolution.cell_count() as f64;
        if area / average > 2.0 * self.limit as f64 {
            return Err(self.too_many());
        }
        // What the rings touch, apart from other parts: filling starts from it.
        let others = if cells.is_empty() { vec![] } else { std::mem::take(cells) };
        self.outlines += 1;
        for ring in polygon {
            self.follow(ring.path(), true, cells)?;
        }
        // No cell has room in a small polygon.
        if !is_small {
            self.fill(polygon, cells)?;
        }
        if !others.is_empty() {
            let part = std::mem::replace(cells, others);
            cells.extend(part);
        }
        self.check(cells)
    }

    /// The cell that holds a whole box, well away from its edges, if there is one.
    fn cell_around(&mut self, min: Coord, max: Coord, radius: f64) -> Option<CellIndex> {
        let middle = Coord { x: f64::midpoint(min.x, max.x), y: f64::midpoint(min.y, max.y) };
        let at = Place::new(middle).unit;
        let holds = |shapes: &[CellShape], id: u32| shapes[id as usize].holds(&at, radius, true);
        let id = match self.latest {
            Some(latest) if holds(&self.shapes, latest) => latest,
            _ => self.id(self.cell_at(middle)),
        };
        self.latest = Some(id);
        holds(&self.shapes, id).then(|| self.shapes[id as usize].cell)
    }

    /// Adds the cells that the path touches.
    fn follow(&mut self, path: &[Coord], drawn: bool, cells: &mut Vec<CellIndex>) -> Result<(), CoverError> {
        let Some(&first) = path.first() else { return Ok(()) };
        let mut at = Place::new(first);
        let mut here = self.id(self.cell_at(first));
        if path.len() == 1 {
            self.follow_piece(&Curve::new(at, at), here, drawn, cells);
        }
        for &next in &path[1..] {
            let (from, next) = (at, Place::new(next));
            let (north, east) = (next.at.y - from.at.y, next.at.x - from.at.x);
            // Also short in longitude, so that near a pole the drawn cells are met on the right turn.
            let pieces = (bend(&from, &next).sqrt() / self.stride).max(east.abs() / 30.0).ceil().max(1.0);
            let mut done = 0.0;
            while done < pieces {
                if done > 0.0 {
                    self.visit(1)?;
                }
                done += 1.0;
                let share = done / pieces;
                let between = || Coord { x: from.at.x + east * share, y: from.at.y + north * share };
                let to = if done < pieces { Place::new(between()) } else { next };
                here = self.follow_piece(&Curve::new(at, to), here, drawn, cells);
                at = to;
                self.check(cells)?;
                if self.shapes.len() > 4 * MAX_SHAPES {
                    let cell = self.shapes[here as usize].cell;
                    self.forget();
                    here = self.id(cell);
                }
            }
        }
        Ok(())
    }

    /// Adds the cells that the curve touches, of which `here` has its start; gives the one that has its end.
    fn follow_piece(&mut self, curve: &Curve, here: u32, drawn: bool, cells: &mut Vec<CellIndex>) -> u32 {
        let shape = &self.shapes[here as usize];
        let inside = |at: &Vec3| shape.holds(at, curve.sagitta, drawn);
        if inside(&curve.from.unit) && inside(&curve.to.unit) {
            self.touch(here, cells);
            return here;
        }
        // The cells that a curve touches hang together, so asking the neighbours of those found finds all.
        self.pieces += 1;
        self.asked[here as usize] = self.pieces;
        let mut open = vec![here];
        let mut last = (f64::NEG_INFINITY, here);
        while let Some(id) = open.pop() {
            self.touch(id, cells);
            let depth = self.shapes[id as usize].depth(&curve.to.unit);
            if depth > last.0 {
                last = (depth, id);
            }
            for neighbour in self.neighbours(id) {
                let asked = std::mem::replace(&mut self.asked[neighbour as usize], self.pieces);
                if asked != self.pieces && self.shapes[neighbour as usize].touches(curve, drawn) {
                    open.push(neighbour);
                }
            }
        }
        if last.0 >= 0.0 { last.1 } else { self.id(self.cell_at(curve.to.at)) }
    }

    /// Adds the cells within the polygon, of which `cells` has those that its rings touch.
    fn fill(&mut self, polygon: &[Ring], cells: &mut Vec<CellIndex>) -> Result<(), CoverError> {
        // By the even-odd rule a "hole" that lies outside is one more polygon, as some Items mean it. What a ring goes round twice
        // is inside for ST_Intersects and the like, and so must be in a cell.
        let contains = |at: Coord| {
            let (mut is_odd, mut is_wound) = (false, false);
            for (n, ring) in polygon.iter().enumerate() {
                let (inside, winds) = ring.encloses(at);
                is_odd ^= inside;
                is_wound = if n == 0 { winds } else { is_wound && !winds };
            }
            is_odd || is_wound
        };
        let mut seen: HashSet<CellIndex> = cells.iter().copied().collect();
        // Cells that no ring touches are inside or outside as a whole, and so are the untouched cells next to them.
        let mut open = vec![];
        let edges: usize = polygon.iter().map(|ring| ring.path().len()).sum();
        if cells.len().saturating_mul(edges) < MANY_TESTS {
            for touched in cells.iter() {
                for cell in neighbours(*touched) {
                    if !seen.contains(&cell) && contains(centre(cell)) {
                        seen.insert(cell);
                        open.push(cell);
                    }
                }
            }
        } else {
            // The cells along a ring hang together, so one test stands for many.
            let beside: HashSet<CellIndex> =
                cells.iter().flat_map(|cell| neighbours(*cell)).filter(|cell| !seen.contains(cell)).collect();
            let mut told = HashSet::with_capacity(beside.len());
            for cell in cells.iter().flat_map(|cell| neighbours(*cell)) {
                if !beside.contains(&cell) || !told.insert(cell) {
                    continue;
                }
                self.visit((1 + edges / EDGES_PER_VISIT) as u64)?;
                let is_inside = contains(centre(cell));
                let mut group = vec![cell];
                while let Some(cell) = group.pop() {
                    if is_inside {
                        seen.insert(cell);
                        open.push(cell);
                    }
                    group.extend(neighbours(cell).filter(|next| beside.contains(next) && told.insert(*next)));
                }
            }
        }
        while let Some(cell) = open.pop() {
            cells.push(cell);
            self.check(cells)?;
            open.extend(neighbours(cell).filter(|c| seen.insert(*c)));
        }
        Ok(())
    }

    fn touch(&mut self, id: u32, cells: &mut Vec<CellIndex>) {
        if std::mem::replace(&mut self.touched[id as usize], self.outlines) != self.outlines {
            cells.push(self.shapes[id as usize].cell);
        }
    }

    fn cell_at(&self, at: Coord) -> CellIndex {
        // Positions of a footprint are finite, and there is no other reason to refuse one.
        LatLng::new(at.y, at.x).unwrap_or_default().to_cell(self.resolution)
    }

    fn id(&mut self, cell: CellIndex) -> u32 {
        if let Some(id) = self.ids.get(&cell) {
            return *id;
        }
        let id = self.shapes.len() as u32;
        self.ids.insert(cell, id);
        self.shapes.push(CellShape::new(cell));
        self.links.push(None);
        self.touched.push(0);
        self.asked.push(0);
        id
    }

    fn neighbours(&mut self, id: u32) -> [u32; 6] {
        if let Some(known) = self.links[id as usize] {
            return known;
        }
        let mut ids = [id; 6];
        for (slot, cell) in ids.iter_mut().zip(neighbours(self.shapes[id as usize].cell)) {
            *slot = self.id(cell);
        }
        self.links[id as usize] = Some(ids);
        ids
    }

    /// An error if there are too many cells in the list, or too much was done to find them.
    fn check(&mut self, cells: &mut Vec<CellIndex>) -> Result<(), CoverError> {
        if cells.len() > self.full {
            self.compact(cells)?;
        }
        Ok(())
    }

    /// Leaves each cell of the list once; an error if they are still too many.
    #[cold]
    fn compact(&mut self, cells: &mut Vec<CellIndex>) -> Result<(), CoverError> {
        let found = cells.len();
        cells.sort_unstable();
        cells.dedup();
        if cells.len() > self.limit {
            return Err(self.too_many());
        }
        // As many new ones, before the list is looked through again.
        self.full = cells.len() + self.limit;
        self.visit((found - cells.len()) as u64)
    }

    /// An error if more is to be done for a footprint than for one of most cells.
    fn visit(&mut self, visits: u64) -> Result<(), CoverError> {
        self.visits += visits;
        let most = VISITS_PER_CELL * self.limit.max(FEW_CELLS) as u64;
        if self.visits > most {
            return Err(CoverError::TooManyVisits { resolution: self.resolution, visits: most });
        }
        Ok(())
    }

    fn too_many(&self) -> CoverError {
        CoverError::TooManyCells { resolution: self.resolution, limit: self.limit }
    }

    fn forget(&mut self) {
        self.shapes.clear();
        self.links.clear();
        self.touched.clear();
        self.asked.clear();
        self.ids.clear();
        self.latest = None;
    }
}

#[cfg(test)]
mod tests {
    use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, Rect};
    use proptest::prelude::*;

    use super::*;
    use crate::cover::brute_force::{cover, footprint};

    const LIMIT: usize = 500;

    fn bounds(west: f64, south: f64, east: f64, north: f64) -> Polygon {
        Rect::new(Coord { x: west, y: south }, Coord { x: east, y: north }).to_polygon()
    }

    fn line(positions: impl IntoIterator<Item = (f64, f64)>) -> LineString {
        positions.into_iter().map(Coord::from).collect()
    }

    /// A ring as a star: each edge crosses from one side to the other.
    fn star(points: usize) -> Polygon {
        let at = |i: usize| ((i * (points / 2)) % points) as f64 / points as f64 * 2.0 * PI;
        Polygon::new(line((0..=points).map(|i| (10.0 * at(i).cos(), 10.0 * at(i).sin()))), vec![])
    }

    #[test]
    fn a_footprint_of_too_many_cells_costs_no_more_than_one_of_as_many_as_may_be() {
        let globe = bounds(-180.0, -90.0, 180.0, 90.0);
        let strips: Vec<_> =
            (0..180).map(|i| bounds(-180.0, f64::from(i) - 90.0, 180.0, f64::from(i) - 89.5)).collect();
        let with_hole = Polygon::new(globe.exterior().clone(), vec![bounds(-1.0, -1.0, 1.0, 1.0).exterior().clone()]);
        let footprints: [(&str, Geometry); 8] = [
            ("the globe", globe.into()),
            ("the globe but for a hole", with_hole.into()),
            ("a line", line([(0.0, 0.0), (10.0, 0.0)]).into()),
            ("a line to and fro", line((0..1000).map(|i| (f64::from(i % 2) * 170.0, f64::from(i) / 20.0))).into()),
            ("points", MultiPoint::from_iter((0..100_000).map(|i| Point::new(f64::from(i) / 1000.0, 0.0))).into()),
            ("strips", MultiPolygon::new(strips).into()),
            (
                "lines",
                MultiLineString::new((0..90).map(|i| line([(-180.0, f64::from(i)), (180.0, f64::from(i))])).collect())
                    .into(),
            ),
            ("a star", star(501).into()),
        ];
        for (name, geometry) in footprints {
            for resolution in [Resolution::Eight, Resolution::Fifteen] {
                let mut coverer = Coverer::with_limit(resolution, LIMIT);
                let error = coverer.cover(&footprint(geometry.clone())).unwrap_err();
                assert!(matches!(error, CoverError::TooManyCells { limit: LIMIT, .. }), "{name}: {error}");
                // Those found, twice where parts lie over each other, and their neighbours.
                assert!(coverer.shapes.len() < 10 * LIMIT, "{name}: {} shapes", coverer.shapes.len());
            }
        }
    }

    #[test]
    fn a_cell_counts_once_however_many_parts_touch_it() {
        let part = bounds(0.0, 0.0, 5.0, 5.0);
        let alone = cover(part.clone(), Resolution::Four);
        let mut coverer = Coverer::with_limit(Resolution::Four, alone.len());
        let copies = MultiPolygon::new(vec![part.clone(); 2000]);
        assert_eq!(coverer.cover(&footprint(copies)).unwrap(), alone);
        // Not copies of each other, and of the same cells.
        let shrinking = (0..40).map(|i| bounds(0.0, 0.0, 5.0 - f64::from(i) / 1e6, 5.0));
        assert_eq!(coverer.cover(&footprint(MultiPolygon::from_iter(shrinking))).unwrap(), alone);
        let edge = line([(0.0, 0.0), (5.0, 0.0)]);
        let lines = MultiLineString::new(vec![edge; 2000]);
        assert!(coverer.cover(&footprint(lines)).unwrap().len() < alone.len());
    }

    #[test]
    fn a_footprint_that_is_in_the_same_cells_over_and_over_is_given_up() {
        let to_and_fro = line((0..200_000).map(|i| (f64::from(i % 2) * 5.0, f64::from(i) / 1e8)));
        let over_each_other = (0..200_000).map(|i| bounds(0.0, 0.0, 2.0, 1.0 + f64::from(i) / 1e8));
        let footprints: [Geometry; 2] = [to_and_fro.into(), MultiPolygon::from_iter(over_each_other).into()];
        for geometry in footprints {
            let mut coverer = Coverer::with_limit(Resolution::Five, LIMIT);
            let error = coverer.cover(&footprint(geometry)).unwrap_err();
            assert_eq!(error, CoverError::TooManyVisits { resolution: Resolution::Five, visits: 1_000_000 });
        }
    }

    #[test]
    fn a_ring_of_many_vertices_is_filled_as_the_same_ring_of_few() {
        let corners = [(0.0, 40.0), (9.0, 38.0), (10.0, 47.0), (5.0, 41.0), (1.0, 48.0), (0.0, 40.0)];
        let few = Polygon::new(line(corners), vec![bounds(3.0, 40.0, 5.0, 40.75).exterior().clone()]);
        let between = |a: (f64, f64), b: (f64, f64)| {
            let share = move |i: i32| f64::from(i) / 4096.0;
            (0..4096).map(move |i| (a.0 + (b.0 - a.0) * share(i), a.1 + (b.1 - a.1) * share(i)))
        };
        let dense = line(corners.windows(2).flat_map(|edge| between(edge[0], edge[1])));
        let many = Polygon::new(dense, few.interiors().to_vec());
        let cells = cover(few, Resolution::Five);
        assert!(cells.len() * many.exterior().0.len() > 4 * MANY_TESTS, "{}", cells.len());
        assert_eq!(cover(many, Resolution::Five), cells);
    }

    proptest! {
        #[test]
        fn the_limit_is_met_by_a_footprint_of_so_many_cells_and_by_no_larger_one(
            corners in prop::collection::vec((-60.0..60.0f64, -60.0..60.0f64, 0.1..20.0f64, 0.1..20.0f64), 1..5),
        ) {
            let parts = corners.into_iter().map(|(x, y, width, height)| bounds(x, y, x + width, y + height));
            let parts = footprint(MultiPolygon::from_iter(parts));
            let cells = Coverer::new(Resolution::Two).cover(&parts).unwrap();
            prop_assert_eq!(Coverer::with_limit(Resolution::Two, cells.len()).cover(&parts).unwrap(), cells.clone());
            let error = Coverer::with_limit(Resolution::Two, cells.len() - 1).cover(&parts).unwrap_err();
            prop_assert_eq!(error, CoverError::TooManyCells { resolution: Resolution::Two, limit: cells.len() - 1 });
        }
    }
}
