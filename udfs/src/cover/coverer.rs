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

/// Why a footprint has no cover.
#[derive(Debug, Error, PartialEq)]
pub enum CoverError {
    #[error(
        "the footprint touches more than {MAX_CELLS} cells of H3 resolution {resolution}; use a coarser resolution"
    )]
    TooManyCells { resolution: Resolution },
}

/// Finds the cells that footprints touch, at one resolution; remembers the shapes of cells from one to the next.
#[derive(Debug)]
pub struct Coverer {
    resolution: Resolution,
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
    pub fn new(resolution: Resolution) -> Self {
        let edge = resolution.edge_length_rads();
        Self {
            resolution,
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
        let mut cells = Vec::with_capacity(4);
        cells.extend(footprint.points.iter().map(|at| self.cell_at(*at)));
        for line in &footprint.lines {
            self.outlines += 1;
            self.follow(line, false, &mut cells)?;
        }
        for polygon in &footprint.polygons {
            self.cover_polygon(polygon, &mut cells)?;
        }
        cells.sort_unstable();
        cells.dedup();
        self.check(cells.len())?;
        Ok(cells)
    }

    fn cover_polygon(&mut self, polygon: &[Ring], cells: &mut Vec<CellIndex>) -> Result<(), CoverError> {
        let exterior = &polygon[0];
        let (min, max) = exterior.bounds();
        let diameter = reach(&Place::new(min), &Place::new(max));
        let is_small = diameter < self.edge;
        if is_small && let Some(cell) = self.cell_around(min, max, diameter / 2.0) {
            cells.push(cell);
            return Ok(());
        }
        // Cells differ in size by less than two: what is out of reach fails at once, the rest when it gets there.
        let area = polygon.iter().map(Ring::area).reduce(|exterior, hole| exterior - hole).unwrap_or_default();
        let average = 4.0 * PI / self.resolution.cell_count() as f64;
        if area / average > 2.0 * MAX_CELLS as f64 {
            return Err(CoverError::TooManyCells { resolution: self.resolution });
        }
        let outline_from = cells.len();
        self.outlines += 1;
        for ring in polygon {
            self.follow(ring.path(), true, cells)?;
        }
        // No cell has room in a small polygon.
        if is_small { Ok(()) } else { self.fill(polygon, outline_from, cells) }
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
                done += 1.0;
                let share = done / pieces;
                let between = || Coord { x: from.at.x + east * share, y: from.at.y + north * share };
                let to = if done < pieces { Place::new(between()) } else { next };
                here = self.follow_piece(&Curve::new(at, to), here, drawn, cells);
                at = to;
                self.check(cells.len())?;
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

    /// Adds the cells within the polygon, of which `cells` from `outline_from` on has those that its rings touch.
    fn fill(&self, polygon: &[Ring], outline_from: usize, cells: &mut Vec<CellIndex>) -> Result<(), CoverError> {
        // By the even-odd rule a "hole" that lies outside is one more polygon, as some Items mean it.
        let contains = |at: Coord| polygon.iter().filter(|ring| ring.contains(at)).count() % 2 == 1;
        let mut seen: HashSet<CellIndex> = cells[outline_from..].iter().copied().collect();
        // Cells that no ring touches are inside or outside as a whole, and so are the untouched cells next to them.
        let mut open = vec![];
        for touched in &cells[outline_from..] {
            for cell in neighbours(*touched) {
                if !seen.contains(&cell) && contains(centre(cell)) {
                    seen.insert(cell);
                    open.push(cell);
                }
            }
        }
        while let Some(cell) = open.pop() {
            cells.push(cell);
            self.check(cells.len())?;
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

    fn check(&self, cells: usize) -> Result<(), CoverError> {
        if cells > MAX_CELLS {
            return Err(CoverError::TooManyCells { resolution: self.resolution });
        }
        Ok(())
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
