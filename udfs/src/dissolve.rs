//! Polygons as what they cover: without crossings and overlaps.

use std::collections::HashMap;

use geo::bool_ops::FillRule;
use geo::orient::Direction;
use geo::{BooleanOps, BoundingRect, Coord, CoordsIter, MapCoords, MultiPolygon, OpType, Orient, Polygon, unary_union};

use crate::st_is_valid::is_valid;

/// What polygons cover together. What is not valid is read by the even-odd rule.
pub(crate) fn dissolve(polygons: Vec<Polygon>) -> MultiPolygon {
    let mut valid = vec![];
    for polygon in polygons {
        match is_valid(&polygon.clone().into()) {
            true => valid.push(polygon),
            false => valid.extend(even_odd(&MultiPolygon(vec![polygon]))),
        }
    }
    if valid.len() < 2 {
        return MultiPolygon(valid);
    }
    let oriented: Vec<_> = valid.iter().map(|polygon| polygon.orient(Direction::Default)).collect();
    with_vertices_of(&unary_union(&oriented), &MultiPolygon(valid))
}

/// What lies within an odd number of rings.
pub(crate) fn even_odd(polygons: &MultiPolygon) -> MultiPolygon {
    let is_finite = |at: Coord| at.x.is_finite() && at.y.is_finite();
    if !polygons.coords_iter().all(is_finite) {
        return MultiPolygon(vec![]);
    }
    let nothing = MultiPolygon::<f64>(vec![]);
    let made = polygons.boolean_op_with_fill_rule(&nothing, OpType::Union, FillRule::EvenOdd);
    with_vertices_of(&made, polygons)
}

/// The same with the vertices that `given` has. Boolean operations round them to some 2^-30 of the extent of all.
fn with_vertices_of(made: &MultiPolygon, given: &MultiPolygon) -> MultiPolygon {
    let extent = given.bounding_rect().map_or(0.0, |all| all.width().max(all.height()));
    let step = 4.0 * extent * f64::from(2.0_f32.powi(-29));
    if step == 0.0 {
        return made.clone();
    }
    let square = |at: Coord| [(at.x / step).floor() as i64, (at.y / step).floor() as i64];
    let mut near: HashMap<[i64; 2], Vec<Coord>> = HashMap::new();
    for at in given.coords_iter() {
        let vertices = near.entry(square(at)).or_default();
        if !vertices.contains(&at) {
            vertices.push(at);
        }
    }
    let distance = |a: Coord, b: Coord| (a.x - b.x).hypot(a.y - b.y);
    made.map_coords(|at| {
        let [x, y] = square(at);
        let squares = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| [x + dx, y + dy]));
        let vertices = squares.filter_map(|square| near.get(&square)).flatten();
        let nearest = vertices.copied().min_by(|a, b| distance(at, *a).total_cmp(&distance(at, *b)));
        nearest.filter(|vertex| distance(at, *vertex) < step / 2.0).unwrap_or(at)
    })
}

#[cfg(test)]
mod tests {
    use geo::{Area, Rect, Validation};
    use proptest::prelude::*;

    use super::*;

    fn boxes() -> impl Strategy<Value = Vec<[i32; 4]>> {
        prop::collection::vec((-20..20, -20..20, 1..9, 1..9).prop_map(|(x, y, w, h)| [x, y, x + w, y + h]), 1..12)
    }

    fn polygon([w, s, e, n]: [i32; 4], scale: f64) -> Polygon {
        let at = |x: i32, y: i32| Coord { x: f64::from(x) * scale, y: f64::from(y) * scale };
        Rect::new(at(w, s), at(e, n)).to_polygon()
    }

    proptest! {
        /// The area is that of the squares that a box covers, the answer is valid, and its vertices are vertices of boxes, or lie
        /// where their sides cross.
        #[test]
        fn boxes_are_dissolved(boxes in boxes(), scale in 0.1..1.0_f64) {
            let covers = |x: i32, y: i32| boxes.iter().any(|[w, s, e, n]| (*w..*e).contains(&x) && (*s..*n).contains(&y));
            let squares = (-20..30).flat_map(|x| (-20..30).map(move |y| (x, y))).filter(|(x, y)| covers(*x, *y)).count();
            let made = dissolve(boxes.iter().map(|corners| polygon(*corners, scale)).collect());
            let expected = squares as f64 * scale * scale;
            prop_assert!((made.unsigned_area() - expected).abs() < 1e-6 * expected, "{}", made.unsigned_area());
            prop_assert!(made.is_valid());
            for at in made.coords_iter() {
                let is_side = |value: f64| boxes.iter().flatten().any(|side| (f64::from(*side) * scale - value).abs() < 1e-6);
                prop_assert!(is_side(at.x) && is_side(at.y));
            }
            // Dissolving again changes nothing but where rings begin.
            let again = dissolve(made.0.clone());
            prop_assert!((again.unsigned_area() - made.unsigned_area()).abs() < 1e-9);
        }
    }

    #[test]
    fn vertices_stay_as_they_are() {
        let one = polygon([0, 0, 3, 3], 0.123_456_789_012_345);
        let far = polygon([-170, -80, -160, 80], 1.000_000_000_000_1);
        let made = dissolve(vec![one.clone(), far.clone(), one.clone()]);
        let given: Vec<_> = one.coords_iter().chain(far.coords_iter()).collect();
        assert_eq!(made.0.len(), 2);
        assert!(made.coords_iter().all(|at| given.contains(&at)), "{made:?}");
    }
}
