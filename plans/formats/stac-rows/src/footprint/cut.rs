//! Polygons and lines cut at the antimeridian, each piece brought to longitudes from -180 to 180.
//!
//! Positions of the source stay as they are, but for whole turns, which is why the overlay of crate `geo` is not used
//! here: it moves them to a grid of integers, 4 cm wide.

use geo::{Contains, Coord, LineString, Polygon};

use super::reading::{on_meridian, range};

/// The parts of a line with continuous longitudes.
pub(super) fn line(path: Vec<Coord>) -> Vec<LineString> {
    let mut parts = vec![];
    let mut part: Vec<Coord> = vec![];
    let mut turn = turn_of(path[0], path.get(1).copied());
    for (at, &here) in path.iter().enumerate() {
        let next = path.get(at + 1).copied();
        part.push(Coord { x: here.x - 360.0 * turn, y: here.y });
        let Some(next) = next else { continue };
        let mut from = here;
        loop {
            let (west, east) = (360.0 * turn - 180.0, 360.0 * turn + 180.0);
            let meridian = if next.x > east { east } else { west };
            if next.x >= west && next.x <= east {
                break;
            }
            from = on_meridian(from, next, meridian);
            let side = if meridian == east { 1.0 } else { -1.0 };
            part.push(Coord { x: 180.0 * side, y: from.y });
            turn += side;
            push(&mut parts, std::mem::replace(&mut part, vec![Coord { x: -180.0 * side, y: from.y }]));
        }
    }
    push(&mut parts, part);
    parts
}

/// A part that only touches the antimeridian is no part, unless it is all there is.
fn push(parts: &mut Vec<LineString>, mut part: Vec<Coord>) {
    part.dedup();
    if part.len() > 1 || parts.is_empty() {
        let doubled = part.len() == 1;
        part.extend_from_within(..usize::from(doubled));
        parts.push(LineString(part));
    }
}

/// The turn of the globe in which the line starts: on its edge, the one where it goes on.
fn turn_of(first: Coord, next: Option<Coord>) -> f64 {
    let turn = ((first.x + 180.0) / 360.0).floor();
    let goes = next.map_or(0.0, |next| next.x - first.x);
    // Where it goes nowhere, 180 is 180.
    let ends_there = goes < 0.0 || goes == 0.0 && first.x == 180.0;
    if first.x == 360.0 * turn - 180.0 && ends_there { turn - 1.0 } else { turn }
}

/// The parts of a polygon with continuous longitudes, narrower than the globe. Rings are closed.
///
/// What is inside an odd number of rings is inside, so a hole beside the exterior is one more part.
pub(super) fn polygon(exterior: Vec<Coord>, holes: Vec<Vec<Coord>>) -> Vec<Polygon> {
    let (west, east) = range(&exterior);
    let beside = |mut hole: Vec<Coord>| {
        let (from, to) = range(&hole);
        // By whole turns to where its middle is nearest.
        let turn = 360.0 * ((f64::midpoint(west, east) - f64::midpoint(from, to)) / 360.0).round();
        hole.iter_mut().for_each(|c| c.x += turn);
        Piece { ring: hole, is_hole: true }
    };
    let mut pieces = vec![Piece { ring: exterior, is_hole: false }];
    pieces.extend(holes.into_iter().map(beside));
    let (west, east) = pieces.iter().map(|p| range(&p.ring)).fold((west, east), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    let first = if west == 180.0 && east == 180.0 { 0.0 } else { ((west + 180.0) / 360.0).floor() };
    let mut parts = vec![];
    let mut turn = first;
    loop {
        let meridian = 360.0 * turn + 180.0;
        let ends = east <= meridian;
        let (mut here, rest) = if ends { (pieces, vec![]) } else { split(pieces, meridian) };
        here.iter_mut().flat_map(|piece| &mut piece.ring).for_each(|c| c.x -= 360.0 * turn);
        parts.extend(assembled(here));
        if ends {
            return parts;
        }
        (pieces, turn) = (rest, turn + 1.0);
    }
}

#[derive(Debug)]
struct Piece {
    ring: Vec<Coord>,
    is_hole: bool,
}

/// West and east of the meridian.
fn split(pieces: Vec<Piece>, meridian: f64) -> (Vec<Piece>, Vec<Piece>) {
    (side(&pieces, meridian, |c| c.x < meridian), side(&pieces, meridian, |c| c.x > meridian))
}

/// What is left of the rings on one side of a meridian, closed along it.
fn side(pieces: &[Piece], meridian: f64, is_here: impl Fn(&Coord) -> bool) -> Vec<Piece> {
    let mut kept = vec![];
    let mut chains = vec![];
    for Piece { ring, is_hole } in pieces {
        if ring.iter().all(&is_here) {
            kept.push(Piece { ring: ring.clone(), is_hole: *is_hole });
        } else {
            add_chains(ring, meridian, &is_here, &mut chains);
        }
    }
    kept.extend(joined(&chains).into_iter().map(|ring| Piece { ring, is_hole: false }));
    kept
}

/// The parts of a ring that is not all here, each from the meridian to the meridian.
fn add_chains(ring: &[Coord], meridian: f64, is_here: impl Fn(&Coord) -> bool, chains: &mut Vec<Vec<Coord>>) {
    let vertices = &ring[..ring.len() - 1];
    let Some(start) = vertices.iter().position(|c| !is_here(c)) else { return };
    let mut chain: Vec<Coord> = vec![];
    let mut from = vertices[start];
    for &at in vertices[start + 1..].iter().chain(&vertices[..=start]) {
        match (is_here(&at), chain.is_empty()) {
            (true, true) => chain.extend([on_meridian(from, at, meridian), at]),
            (true, false) => chain.push(at),
            (false, true) => {}
            (false, false) => {
                chain.push(on_meridian(from, at, meridian));
                chains.push(std::mem::take(&mut chain));
            }
        }
        from = at;
    }
}

/// Chains joined to rings: along the meridian, inside is between the first end from the south and the second, the third and the
/// fourth, and so on.
fn joined(chains: &[Vec<Coord>]) -> Vec<Vec<Coord>> {
    // Ends by number: twice that of their chain, and one more for its last position.
    let at = |end: usize| {
        if end.is_multiple_of(2) { chains[end / 2][0] } else { chains[end / 2][chains[end / 2].len() - 1] }
    };
    let mut ends: Vec<usize> = (0..2 * chains.len()).collect();
    ends.sort_by(|a, b| at(*a).y.total_cmp(&at(*b).y));
    let mut partner = vec![0; ends.len()];
    for pair in ends.chunks_exact(2) {
        (partner[pair[0]], partner[pair[1]]) = (pair[1], pair[0]);
    }
    let mut done = vec![false; chains.len()];
    let mut rings = vec![];
    for first in 0..chains.len() {
        let mut ring: Vec<Coord> = vec![];
        let mut entry = 2 * first;
        while !std::mem::replace(&mut done[entry / 2], true) {
            let chain = chains[entry / 2].iter().copied();
            if entry.is_multiple_of(2) {
                ring.extend(chain)
            } else {
                ring.extend(chain.rev())
            }
            entry = partner[entry ^ 1];
        }
        if let Some(&start) = ring.first() {
            ring.push(start);
            ring.dedup();
            rings.push(ring);
        }
    }
    rings
}

/// Polygons of exteriors and the holes that lie in them.
fn assembled(pieces: Vec<Piece>) -> Vec<Polygon> {
    let (holes, exteriors): (Vec<_>, Vec<_>) = pieces.into_iter().partition(|piece| piece.is_hole);
    let mut polygons: Vec<Polygon> =
        exteriors.into_iter().map(|piece| Polygon::new(LineString(piece.ring), vec![])).collect();
    for Piece { ring: hole, .. } in holes {
        let is_of = |polygon: &Polygon| {
            let outline = Polygon::new(polygon.exterior().clone(), vec![]);
            hole.iter().any(|c| outline.contains(c))
        };
        let owner = if polygons.len() == 1 { Some(0) } else { polygons.iter().position(is_of) };
        match owner {
            Some(at) => polygons[at].interiors_push(LineString(hole)),
            None => polygons.push(Polygon::new(LineString(hole), vec![])),
        }
    }
    polygons
}
