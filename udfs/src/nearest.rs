//! The nearest positions of two geometries on the globe.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use geo::{Coord, Line};

use crate::globe::Figure;

/// No edge is bent more than on a sphere of this radius, in metres.
const BENT: f64 = 6_500_000.0;

/// How much farther apart than the nearest positions those may be that are found: metres, and of the distance.
const TOLERANCE: (f64, f64) = (1e-3, 1e-7);

/// The positions of two sets of edges that are nearest to each other on the straight way through the Earth; `None` if a set is
/// empty.
///
/// Edges are straight in longitude and latitude. The best of the pairs of edges comes first, and is cut in halves, until
/// the curve of an edge makes no difference.
pub(crate) fn nearest(figure: Figure, a: &[Line], b: &[Line]) -> Option<(Coord, Coord)> {
    let [a, b] = [a, b].map(|lines| Tree::new(lines.iter().map(|line| Edge::new(figure, *line)).collect()));
    let (a, b) = (a?, b?);
    let mut search = Search { figure, best: None, open: BinaryHeap::new() };
    search.add(Part::Tree(&a), Part::Tree(&b));
    while let Some(Pair { least, parts: (a, b) }) = search.open.pop() {
        if least > search.enough() {
            break;
        }
        match a.extent() >= b.extent() {
            true => a.halves(figure).into_iter().flatten().for_each(|half| search.add(half, b)),
            false => b.halves(figure).into_iter().flatten().for_each(|half| search.add(a, half)),
        }
    }
    search.best.map(|(_, nearest)| nearest)
}

struct Search<'a> {
    figure: Figure,
    best: Option<(f64, (Coord, Coord))>,
    open: BinaryHeap<Pair<'a>>,
}

impl<'a> Search<'a> {
    /// What is at least so far apart is not looked into.
    fn enough(&self) -> f64 {
        self.best.map_or(f64::INFINITY, |(best, _)| best - TOLERANCE.0 - TOLERANCE.1 * best)
    }

    fn add(&mut self, a: Part<'a>, b: Part<'a>) {
        let least = match (a, b) {
            (Part::Edge(a), Part::Edge(b)) => {
                let (s, t) = nearest_of_chords(&a, &b);
                let places = (a.at(s), b.at(t));
                let [from, to] = [places.0, places.1].map(|place| self.figure.in_space(place));
                let distance = norm(minus(from, to));
                if self.best.is_none_or(|(best, _)| distance < best) {
                    self.best = Some((distance, places));
                }
                let chords = norm(minus(along(a.from, a.to, s), along(b.from, b.to, t)));
                chords - a.bulge - b.bulge
            }
            (a, b) => a.bounds().distance(&b.bounds()),
        };
        if least <= self.enough() {
            self.open.push(Pair { least, parts: (a, b) });
        }
    }
}

/// Two parts that are at least so far apart.
struct Pair<'a> {
    least: f64,
    parts: (Part<'a>, Part<'a>),
}

impl Ord for Pair<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.least.total_cmp(&self.least)
    }
}

impl PartialOrd for Pair<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pair<'_> {}

/// Edges that lie near each other, or one of them, or a piece of one.
#[derive(Clone, Copy)]
enum Part<'a> {
    Tree(&'a Tree),
    Edge(Edge),
}

impl<'a> Part<'a> {
    fn bounds(&self) -> Bounds {
        match self {
            Self::Tree(tree) => tree.bounds,
            Self::Edge(edge) => edge.bounds(),
        }
    }

    /// How much there is to gain from a look into it: nothing of a point, most of what is not known to hold one.
    fn extent(&self) -> f64 {
        match self {
            Self::Tree(Tree { content: Content::Edge(_), .. }) => f64::INFINITY,
            Self::Tree(tree) => BENT + norm(minus(tree.bounds.high, tree.bounds.low)),
            Self::Edge(edge) => edge.bulge,
        }
    }

    fn halves(self, figure: Figure) -> [Option<Part<'a>>; 2] {
        match self {
            Self::Tree(Tree { content: Content::Halves(halves), .. }) => {
                [Some(Part::Tree(&halves.0)), Some(Part::Tree(&halves.1))]
            }
            Self::Tree(Tree { content: Content::Edge(edge), .. }) => [Some(Part::Edge(*edge)), None],
            Self::Edge(edge) if edge.bulge == 0.0 => [None, None],
            Self::Edge(edge) => edge.halves(figure).map(|half| Some(Part::Edge(half))),
        }
    }
}

/// A box in space.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    low: [f64; 3],
    high: [f64; 3],
}

impl Bounds {
    fn with(self, other: Self) -> Self {
        let each = |f: fn(f64, f64) -> f64, a: [f64; 3], b: [f64; 3]| [0, 1, 2].map(|i| f(a[i], b[i]));
        Self { low: each(f64::min, self.low, other.low), high: each(f64::max, self.high, other.high) }
    }

    fn distance(&self, other: &Self) -> f64 {
        norm([0, 1, 2].map(|i| (self.low[i] - other.high[i]).max(other.low[i] - self.high[i]).max(0.0)))
    }
}

/// An edge, or a piece of one, in degrees and in space.
#[derive(Debug, Clone, Copy)]
struct Edge {
    line: Line,
    from: [f64; 3],
    to: [f64; 3],
    /// How far it is from the straight way at most, in metres.
    bulge: f64,
}

impl Edge {
    fn new(figure: Figure, line: Line) -> Self {
        let turn = (line.dx().abs() + line.dy().abs()).to_radians();
        let [from, to] = [line.start, line.end].map(|end| figure.in_space(end));
        Self { line, from, to, bulge: BENT * turn * turn / 8.0 }
    }

    fn bounds(&self) -> Bounds {
        let [from, to] = [self.from, self.to].map(|end| Bounds { low: end, high: end });
        let Bounds { low, high } = from.with(to);
        Bounds { low: low.map(|x| x - self.bulge), high: high.map(|x| x + self.bulge) }
    }

    fn at(&self, share: f64) -> Coord {
        match share {
            0.0 => self.line.start,
            1.0 => self.line.end,
            _ => self.line.start + self.line.delta() * share,
        }
    }

    fn halves(&self, figure: Figure) -> [Self; 2] {
        let middle = self.at(0.5);
        [Line::new(self.line.start, middle), Line::new(middle, self.line.end)].map(|line| Self::new(figure, line))
    }
}

/// Edges that are halved by where they lie until each is alone.
#[derive(Debug)]
struct Tree {
    bounds: Bounds,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Edge(Edge),
    Halves(Box<(Tree, Tree)>),
}

impl Tree {
    fn new(mut edges: Vec<Edge>) -> Option<Self> {
        let bounds = edges.iter().map(Edge::bounds).reduce(Bounds::with)?;
        if let [edge] = edges[..] {
            return Some(Self { bounds, content: Content::Edge(edge) });
        }
        let width = |axis: &usize| bounds.high[*axis] - bounds.low[*axis];
        let axis = [0, 1, 2].into_iter().max_by(|a, b| width(a).total_cmp(&width(b)))?;
        let middle = edges.len() / 2;
        edges
            .select_nth_unstable_by(middle, |a, b| (a.from[axis] + a.to[axis]).total_cmp(&(b.from[axis] + b.to[axis])));
        let second = edges.split_off(middle);
        let halves = Box::new((Self::new(edges)?, Self::new(second)?));
        Some(Self { bounds, content: Content::Halves(halves) })
    }
}

/// Where two straight ways through the Earth are nearest to each other, from 0 to 1.
///
/// After C. Ericson, Real-Time Collision Detection, 5.1.9.
fn nearest_of_chords(a: &Edge, b: &Edge) -> (f64, f64) {
    let (u, v, w) = (minus(a.to, a.from), minus(b.to, b.from), minus(a.from, b.from));
    let (uu, vv, uv, uw, vw) = (dot(u, u), dot(v, v), dot(u, v), dot(u, w), dot(v, w));
    let share = |part: f64, whole: f64| if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 };
    if uu <= 0.0 {
        return (0.0, share(vw, vv));
    }
    if vv <= 0.0 {
        return (share(-uw, uu), 0.0);
    }
    let s = share(uv * vw - uw * vv, uu * vv - uv * uv);
    let t = (uv * s + vw) / vv;
    match t {
        _ if t < 0.0 => (share(-uw, uu), 0.0),
        _ if t > 1.0 => (share(uv - uw, uu), 1.0),
        _ => (s, t),
    }
}

fn along(from: [f64; 3], to: [f64; 3], share: f64) -> [f64; 3] {
    [0, 1, 2].map(|i| from[i] + share * (to[i] - from[i]))
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| a[i] - b[i])
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|i| a[i] * b[i]).sum()
}

fn norm(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain() -> impl Strategy<Value = Vec<Line>> {
        let start = (-180.0..180.0_f64, -85.0..85.0_f64);
        let steps = prop::collection::vec((-3.0..3.0_f64, -2.0..2.0_f64), 1..4);
        (start, steps).prop_map(|((x, y), steps)| {
            let mut at = Coord { x, y };
            let mut step = |(dx, dy): (f64, f64)| {
                let to = Coord { x: at.x + dx, y: (at.y + dy).clamp(-90.0, 90.0) };
                let line = Line::new(at, to);
                at = to;
                line
            };
            steps.into_iter().map(&mut step).collect()
        })
    }

    fn distance(figure: Figure, a: Coord, b: Coord) -> f64 {
        norm(minus(figure.in_space(a), figure.in_space(b)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// No two of many positions on the edges are nearer than those that are found.
        #[test]
        fn nothing_is_nearer(a in chain(), b in chain(), spheroid in any::<bool>()) {
            let figure = if spheroid { Figure::Spheroid } else { Figure::Sphere };
            let (p, q) = nearest(figure, &a, &b).unwrap();
            let found = distance(figure, p, q);
            let positions = |lines: &[Line]| -> Vec<Coord> {
                let along = |line: &Line| (0..=100).map(|i| line.start + line.delta() * (f64::from(i) / 100.0)).collect::<Vec<_>>();
                lines.iter().flat_map(along).collect()
            };
            for at in positions(&a) {
                for other in positions(&b) {
                    let apart = distance(figure, at, other);
                    prop_assert!(found <= apart * (1.0 + TOLERANCE.1) + TOLERANCE.0, "{at:?} {other:?}: {apart} < {found}");
                }
            }
        }
    }

    #[test]
    fn no_edges_have_no_nearest_positions() {
        let line = Line::new((0.0, 0.0), (1.0, 1.0));
        assert_eq!(nearest(Figure::Sphere, &[], &[line]), None);
        let point = Line::new((0.0, 0.0), (0.0, 0.0));
        assert_eq!(nearest(Figure::Sphere, &[point], &[line]), Some((point.start, line.start)));
    }
}
