//! Footprints that are written in odd ways, each with the plain one that it means.

use geo::{
    Coord, Geometry, GeometryCollection, Intersects as _, LineString, MultiPolygon, Point, Polygon, Rect, polygon,
};
use h3o::{CellIndex, LatLng, Resolution};
use proptest::prelude::*;

use super::brute_force::{Truth, cover, footprint};
use super::{CoverError, Coverer, Footprint, MAX_CELLS};

fn ring(positions: &[(f64, f64)]) -> Polygon {
    Polygon::new(LineString::from(positions.to_vec()), vec![])
}

fn bounds(west: f64, south: f64, east: f64, north: f64) -> Polygon {
    Rect::new(Coord { x: west, y: south }, Coord { x: east, y: north }).to_polygon()
}

fn at(lat: f64, lon: f64, resolution: Resolution) -> CellIndex {
    LatLng::new(lat, lon).unwrap().to_cell(resolution)
}

/// Whether the footprint covers what the planar one does, at several resolutions.
fn means(odd: impl Into<Geometry>, plain: Polygon) {
    let odd = odd.into();
    for resolution in [Resolution::Zero, Resolution::One, Resolution::Two] {
        let cells = cover(odd.clone(), resolution);
        Truth::new(&MultiPolygon::new(vec![plain.clone()]), resolution).check(&cells, &format!("{odd:?}"));
    }
}

#[test]
fn a_ring_that_jumps_over_the_antimeridian_is_a_scene() {
    let scene = bounds(178.5, -78.0, 181.5, -77.0);
    means(ring(&[(178.5, -78.0), (-178.5, -78.0), (-178.5, -77.0), (178.5, -77.0), (178.5, -78.0)]), scene.clone());
    means(scene.clone(), scene.clone());
    means(bounds(-181.5, -78.0, -178.5, -77.0), scene.clone());
    means(MultiPolygon::new(vec![bounds(178.5, -78.0, 180.0, -77.0), bounds(-180.0, -78.0, -178.5, -77.0)]), scene);
}

#[test]
fn a_ring_with_vertices_on_both_sides_of_the_seam_is_a_scene() {
    let jumping = [
        (179.0, 70.0),
        (180.0, 70.0),
        (-180.0, 70.0),
        (-179.0, 70.0),
        (-179.0, 71.0),
        (-180.0, 71.0),
        (180.0, 71.0),
        (179.0, 71.0),
    ];
    means(ring(&jumping), bounds(179.0, 70.0, 181.0, 71.0));
}

#[test]
fn a_hole_is_found_on_the_other_side_of_the_antimeridian() {
    let hole = LineString::from(vec![(-172.0, 62.0), (-172.0, 78.0), (-168.0, 78.0), (-168.0, 62.0), (-172.0, 62.0)]);
    let jumping = Polygon::new(
        LineString::from(vec![(160.0, 60.0), (-160.0, 60.0), (-160.0, 80.0), (160.0, 80.0), (160.0, 60.0)]),
        vec![hole.clone()],
    );
    let plain = Polygon::new(
        bounds(160.0, 60.0, 200.0, 80.0).exterior().clone(),
        vec![hole.0.iter().map(|c| Coord { x: c.x + 360.0, y: c.y }).collect()],
    );
    means(jumping, plain);
}

#[test]
fn a_ring_round_a_pole_holds_the_pole() {
    let vertices = |lat: f64| (-6..6).map(move |i| (f64::from(i) * 30.0, lat)).collect::<Vec<_>>();
    means(ring(&vertices(87.0)), bounds(-180.0, 87.0, 180.0, 90.0));
    means(ring(&vertices(-86.5)), bounds(-180.0, -90.0, 180.0, -86.5));
    let mut westward = vertices(60.0);
    westward.reverse();
    means(ring(&westward), bounds(-180.0, 60.0, 180.0, 90.0));
    assert!(cover(ring(&vertices(-86.5)), Resolution::One).contains(&at(-90.0, 0.0, Resolution::One)));
}

#[test]
fn a_footprint_over_a_pole_may_have_three_vertices() {
    let planar = ring(&[(-120.0, 82.0), (0.0, 80.0), (120.0, 84.0), (240.0, 82.0), (240.0, 90.0), (-120.0, 90.0)]);
    means(ring(&[(-120.0, 82.0), (0.0, 80.0), (120.0, 84.0)]), planar);
}

#[test]
fn a_ring_round_a_pole_may_have_a_hole_round_it() {
    let circle = |lat: f64| LineString::from((-6..6).map(|i| (f64::from(i) * 30.0, lat)).collect::<Vec<_>>());
    means(Polygon::new(circle(60.0), vec![circle(80.0)]), bounds(-180.0, 60.0, 180.0, 80.0));
}

#[test]
fn a_ring_cut_open_at_the_pole_is_as_written() {
    let cut = [
        (-180.0, -90.0),
        (180.0, -90.0),
        (180.0, -86.0),
        (90.0, -85.0),
        (0.0, -84.0),
        (-90.0, -85.0),
        (-180.0, -86.0),
        (-180.0, -90.0),
    ];
    means(ring(&cut), ring(&cut));
}

#[test]
fn boxes_of_half_the_globe_and_more_are_as_wide_as_written() {
    let boxes = [
        (-180.0, -90.0, 180.0, 90.0),
        (-180.0, -90.0, 180.0, 85.0),
        (-180.0, 31.35, 180.0, 90.0),
        (-180.0, -19.75, 180.0, 19.75),
        (-90.0, -80.0, 90.0, 80.0),
        (-120.0, -60.0, 120.0, 60.0),
        (-170.0, -60.0, 170.0, 60.0),
        (0.0, -30.0, 360.0, 30.0),
        // Real ones: all of Antarctica's islands, and the United States with Alaska.
        (-178.97696981133217, -85.40054232550574, 180.0, -59.475639025638955),
        (-179.148909, 17.88328, 179.77847, 71.365162),
        // Real as well: the corner of a pixel off.
        (-180.00013888885002, -89.9999, 179.99985967115003, 83.99986041515),
    ];
    for (west, south, east, north) in boxes {
        let plain = bounds(west, south, east, north);
        means(plain.clone(), plain);
    }
    let with_a_vertex_between = [(-180.0, 40.0), (0.0, 40.0), (180.0, 40.0), (180.0, 60.0), (-180.0, 60.0)];
    means(ring(&with_a_vertex_between), bounds(-180.0, 40.0, 180.0, 60.0));
}

#[test]
fn the_whole_globe_is_all_cells() {
    for (resolution, cells) in [(Resolution::Zero, 122), (Resolution::One, 842), (Resolution::Three, 41_162)] {
        assert_eq!(cover(bounds(-180.0, -90.0, 180.0, 90.0), resolution).len(), cells);
    }
}

#[test]
fn a_point_is_in_one_cell() {
    for resolution in Resolution::range(Resolution::Zero, Resolution::Fifteen) {
        for (lon, lat) in [(2.35, 48.85), (180.0, 66.0), (-180.0, -90.0), (541.0, 90.0)] {
            assert_eq!(cover(Point::new(lon, lat), resolution), [at(lat, lon, resolution)]);
        }
    }
}

#[test]
fn lines_cross_the_antimeridian_the_short_way() {
    let (jumping, running) = ([(179.0, 68.0), (-179.0, 68.0)], [(179.0, 68.0), (181.0, 68.0)]);
    for resolution in [Resolution::One, Resolution::Five] {
        let line = |l: &[(f64, f64)]| cover(LineString::from(l.to_vec()), resolution);
        assert_eq!(line(&jumping), line(&running));
        assert!(line(&jumping).contains(&at(68.0, 180.0, resolution)));
        assert!(!line(&jumping).contains(&at(68.0, 0.0, resolution)));
    }
    let equator = cover(LineString::from(vec![(-180.0, 0.0), (180.0, 0.0)]), Resolution::One);
    assert!((-180..180).all(|lon| equator.contains(&at(0.0, f64::from(lon), Resolution::One))));
}

#[test]
fn slivers_and_areas_of_nothing_touch_what_they_lie_on() {
    let sliver = bounds(-45.0, 68.0, -30.0, 68.001);
    means(sliver.clone(), sliver);
    for resolution in [Resolution::One, Resolution::Four] {
        let flat = cover(ring(&[(-45.0, 68.0), (-44.0, 68.0), (-43.0, 68.0)]), resolution);
        for lon in [-45.0, -44.3, -43.0] {
            assert!(flat.contains(&at(68.0, lon, resolution)));
        }
        let dot = cover(ring(&[(-45.0, 68.0), (-45.0, 68.0), (-45.0, 68.0)]), resolution);
        assert!(dot.contains(&at(68.0, -45.0, resolution)) && dot.len() <= 3, "{dot:?}");
    }
}

#[test]
fn a_bow_tie_covers_both_wings() {
    let cells = cover(ring(&[(-45.0, 60.0), (-25.0, 75.0), (-25.0, 60.0), (-45.0, 75.0)]), Resolution::Three);
    for (lat, lon) in [(67.0, -43.0), (67.0, -27.0)] {
        assert!(cells.contains(&at(lat, lon, Resolution::Three)));
    }
    assert!(!cells.contains(&at(62.0, -35.0, Resolution::Three)));
}

#[test]
fn a_hole_that_lies_outside_is_one_more_polygon() {
    // Real: the two halves of a GOES-West disk as exterior and hole of one polygon.
    let (west, east) = (bounds(156.44, -66.56, 180.0, 66.56), bounds(-180.0, -66.56, -70.44, 66.56));
    let odd = Polygon::new(west.exterior().clone(), vec![east.exterior().clone()]);
    let plain = cover(MultiPolygon::new(vec![west, east]), Resolution::Two);
    assert_eq!(cover(odd, Resolution::Two), plain);
}

#[test]
fn holes_are_left_out_and_their_edges_are_not() {
    let square = polygon!(
        exterior: [(x: -45., y: 60.), (x: -25., y: 60.), (x: -25., y: 75.), (x: -45., y: 75.)],
        interiors: [[(x: -40., y: 63.), (x: -40., y: 72.), (x: -30., y: 72.), (x: -30., y: 63.)]],
    );
    means(square.clone(), square.clone());
    let cells = cover(square, Resolution::Three);
    assert!(!cells.contains(&at(67.0, -35.0, Resolution::Three)));
    assert!(cells.contains(&at(63.0, -35.0, Resolution::Three)));
}

#[test]
fn a_latitude_beyond_the_pole_is_the_pole() {
    means(bounds(-45.0, 89.0, -43.0, 91.0), bounds(-45.0, 89.0, -43.0, 90.0));
}

#[test]
fn collections_cover_what_their_members_cover() {
    let scene = bounds(-45.0, 68.0, -43.0, 69.0);
    let inner = GeometryCollection::from(vec![Geometry::Polygon(scene.clone())]);
    let nested = GeometryCollection::from(vec![
        Geometry::GeometryCollection(inner),
        Geometry::Point(Point::new(100.0, 0.0)),
        Geometry::Polygon(bounds(-44.0, 68.0, -42.0, 69.0)),
    ]);
    let cells = cover(Geometry::GeometryCollection(nested), Resolution::Four);
    let mut expected = cover(bounds(-45.0, 68.0, -42.0, 69.0), Resolution::Four);
    expected.push(at(0.0, 100.0, Resolution::Four));
    expected.sort_unstable();
    assert_eq!(cells, expected);
}

#[test]
fn overlapping_members_are_filled_each_on_its_own() {
    let (west, east) = (bounds(0.0, 0.0, 20.0, 20.0), bounds(10.0, 0.0, 30.0, 20.0));
    let both = cover(MultiPolygon::new(vec![west, east]), Resolution::Three);
    assert_eq!(both, cover(bounds(0.0, 0.0, 30.0, 20.0), Resolution::Three));
}

#[test]
fn empty_geometries_have_no_cells() {
    let empty = [
        Geometry::GeometryCollection(GeometryCollection::default()),
        Geometry::Polygon(ring(&[])),
        Geometry::MultiPolygon(MultiPolygon::new(vec![])),
        Geometry::LineString(LineString::new(vec![])),
        Geometry::Point(Point::new(f64::NAN, f64::NAN)),
    ];
    for geometry in empty {
        assert!(footprint(geometry.clone()).is_empty(), "{geometry:?}");
        assert!(cover(geometry, Resolution::One).is_empty());
    }
}

#[test]
fn extended_wkb_and_heights_are_read() {
    let numbers = |v: &[f64]| v.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let with_height = [&[1, 0xe9, 3, 0, 0][..], &numbers(&[2.0, 48.0, 100.0])].concat();
    let with_srid = [&[1, 1, 0, 0, 0x20, 0xe6, 0x10, 0, 0][..], &numbers(&[2.0, 48.0])].concat();
    let plain = footprint(Point::new(2.0, 48.0));
    assert_eq!(Footprint::from_wkb(&with_height).unwrap(), plain);
    assert_eq!(Footprint::from_wkb(&with_srid).unwrap(), plain);
    let error = Footprint::from_wkb(b"POINT(1 2)").unwrap_err().to_string();
    assert!(error.starts_with("geometry is not readable as WKB"), "{error}");
}

#[test]
fn a_footprint_of_too_many_cells_is_an_error() {
    let globe = footprint(bounds(-180.0, -90.0, 180.0, 90.0));
    let error = Coverer::new(Resolution::Eight).cover(&globe).unwrap_err();
    assert_eq!(error, CoverError::TooManyCells { resolution: Resolution::Eight, limit: MAX_CELLS });
}

#[test]
fn a_coverer_answers_the_same_whatever_it_was_asked_before() {
    let scenes: Vec<_> = (0..50).map(|i| bounds(f64::from(i), 60.0, f64::from(i) + 2.0, 61.0)).collect();
    let mut coverer = Coverer::new(Resolution::Two);
    let mut covers = |scenes: &mut dyn Iterator<Item = &Polygon>| {
        scenes.map(|s| coverer.cover(&footprint(s.clone())).unwrap()).collect::<Vec<_>>()
    };
    let forth = covers(&mut scenes.iter());
    let mut back = covers(&mut scenes.iter().rev());
    back.reverse();
    assert_eq!(forth, back);
    assert_eq!(forth, scenes.iter().map(|s| cover(s.clone(), Resolution::Two)).collect::<Vec<_>>());
}

/// Where a ring crosses itself, ST_Intersects takes what it winds round for inside; even and odd do not tell.
#[test]
fn what_a_ring_goes_round_twice_is_in_a_cell() {
    let star = ring(&[(55.0, 0.0), (10.0, 15.0), (38.0, -24.0), (38.0, 24.0), (10.0, -15.0)]);
    let square = [(0.0, -30.0), (60.0, -30.0), (60.0, 30.0), (0.0, 30.0)];
    for twice in [star, ring(&[square, square].concat())] {
        assert!(cover(twice, Resolution::One).contains(&at(0.0, 30.0, Resolution::One)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_in_a_ring_that_crosses_itself_is_in_one_of_its_cells(
        vertices in prop::collection::vec((-60.0..60.0_f64, -60.0..60.0_f64), 4..9),
        places in prop::collection::vec((-60.0..60.0_f64, -60.0..60.0_f64), 64),
    ) {
        let crossing = ring(&vertices);
        let cells = cover(crossing.clone(), Resolution::Two);
        for (x, y) in places.into_iter().filter(|(x, y)| crossing.intersects(&Point::new(*x, *y))) {
            prop_assert!(cells.contains(&at(y, x, Resolution::Two)), "{x} {y}");
        }
    }
}
