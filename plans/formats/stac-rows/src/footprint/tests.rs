use geo::{Contains, Intersects, Rect, Validation};
use proptest::prelude::*;

use super::*;

fn ring(positions: &[(f64, f64)]) -> Polygon {
    Polygon::new(LineString::from(positions.to_vec()), vec![])
}

fn area(west: f64, south: f64, east: f64, north: f64) -> Polygon {
    Rect::new(Coord { x: west, y: south }, Coord { x: east, y: north }).to_polygon()
}

/// The geometry as it is drawn, and whether that was guessed.
fn draw(geometry: impl Into<Geometry>, bbox: Option<Corners>) -> (Geometry, bool) {
    let geometry = geometry.into();
    match drawn(&geometry, bbox).unwrap() {
        Some(drawn) => (drawn.geometry, drawn.guessed),
        None => (geometry, false),
    }
}

fn holds(geometry: &Geometry, lon: f64, lat: f64) -> bool {
    geometry.intersects(&Point::new(lon, lat))
}

#[test]
fn a_scene_over_the_antimeridian_is_cut_there() {
    let expected = Geometry::from(MultiPolygon(vec![area(178.0, 60.0, 180.0, 62.0), area(-180.0, 60.0, -178.0, 62.0)]));
    for (west, east) in [(178.0, -178.0), (178.0, 182.0), (-182.0, -178.0)] {
        let (drawn, _) = draw(ring(&[(west, 60.0), (east, 60.0), (east, 62.0), (west, 62.0)]), None);
        assert!(drawn.is_valid());
        assert!(geo::Relate::relate(&drawn, &expected).is_equal_topo(), "{west} to {east}: {drawn:?}");
        assert!(holds(&drawn, 180.0, 61.0) && holds(&drawn, -180.0, 61.0) && !holds(&drawn, 0.0, 61.0));
    }
}

#[test]
fn the_bbox_decides() {
    let wide = [(150.0, -30.0), (-150.0, -30.0), (-150.0, 30.0), (150.0, 30.0)];
    let (drawn, guessed) = draw(ring(&wide), Some([150.0, -30.0, -150.0, 30.0]));
    assert!(holds(&drawn, 179.0, 0.0) && holds(&drawn, -179.0, 0.0) && !holds(&drawn, 0.0, 0.0) && !guessed);
    let most = [(-170.0, -20.0), (170.0, -20.0), (170.0, 20.0), (-170.0, 20.0)];
    let (drawn, guessed) = draw(ring(&most), Some([-170.0, -20.0, 170.0, 20.0]));
    assert!(holds(&drawn, 0.0, 0.0) && !holds(&drawn, 175.0, 0.0) && !guessed);
    // Round a pole, also with heights left out by whoever made it.
    let cap: Vec<_> = (-6..6).map(|i| (f64::from(i) * 30.0, 10.0)).collect();
    for (bbox, pole) in [([-180.0, -90.0, 180.0, 10.0], -90.0), ([-180.0, 10.0, 180.0, 90.0], 90.0)] {
        let (drawn, guessed) = draw(ring(&cap), Some(bbox));
        assert!(holds(&drawn, 17.0, pole) && !holds(&drawn, 17.0, -pole) && !guessed);
    }
}

/// A day of a satellite: its swath, there and back, with many positions.
#[test]
fn orbits_round_the_globe_are_drawn() {
    let track = |side: f64| {
        (0..3600).map(move |step| {
            let turned = f64::from(step) / 3600.0 * 14.5 * std::f64::consts::TAU;
            let lon = -f64::from(step) / 10.0 + turned.to_degrees() + side;
            (((lon + 180.0).rem_euclid(360.0)) - 180.0, 80.0 * turned.sin())
        })
    };
    let outline: Vec<_> = track(0.0).chain(track(5.0).collect::<Vec<_>>().into_iter().rev()).collect();
    let (drawn, _) = draw(ring(&outline), None);
    assert!(bounds(&drawn).is_some_and(is_drawn) || matches!(&drawn, Geometry::MultiPolygon(m) if m.0.len() > 1));
    let [west, south, east, north] = bounds(&drawn).unwrap();
    assert!(west >= -180.0 && east <= 180.0 && south < -75.0 && north > 75.0, "{west} {south} {east} {north}");
}

/// Random numbers are no outline: to draw one of thousands took minutes, and gave a position for each of its crossings.
#[test]
fn a_tangle_over_the_globe_is_refused_at_once() {
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut tangle = |positions: usize| -> Vec<(f64, f64)> {
        (0..positions).map(|_| (random() * 360.0 - 180.0, random() * 180.0 - 90.0)).collect()
    };
    for positions in [1_000, 30_000] {
        let tangle = Geometry::from(ring(&tangle(positions)));
        assert_eq!(drawn(&tangle, None), Err(NotDrawn::Tangled));
        let among_others = Geometry::GeometryCollection(vec![Point::new(1.0, 2.0).into(), tangle].into());
        assert_eq!(drawn(&among_others, None), Err(NotDrawn::Tangled));
    }
    let a_few = Geometry::from(ring(&tangle(60)));
    assert!(drawn(&a_few, None).is_ok_and(|drawn| drawn.is_some()));
}

#[test]
fn three_vertices_round_a_pole_are_a_cap_and_a_box_with_one_between_is_a_box() {
    let cap = [(-120.0, 82.0), (0.0, 80.0), (120.0, 84.0)];
    for bbox in [None, Some([-120.0, 80.0, 120.0, 84.0])] {
        assert!(holds(&draw(ring(&cap), bbox).0, 10.0, 90.0));
    }
    let wide = [(-170.0, 58.0), (0.0, 57.0), (170.0, 58.0), (170.0, 62.0), (-170.0, 62.0)];
    let (drawn, _) = draw(ring(&wide), Some([-170.0, 57.0, 170.0, 62.0]));
    assert!(holds(&drawn, 10.0, 60.0) && !holds(&drawn, 10.0, 90.0) && !holds(&drawn, 180.0, 60.0));
}

#[test]
fn what_nothing_decides_is_said() {
    let scene = [(178.5, -78.0), (-178.5, -78.0), (-178.5, -77.0), (178.5, -77.0)];
    let as_written = Some([-178.5, -78.0, 178.5, -77.0]);
    // As RFC 7946 wants an exterior the short way.
    for bbox in [None, as_written, Some([178.5, -78.0, -178.5, -77.0])] {
        assert!(!draw(ring(&scene), bbox).1, "{bbox:?}");
    }
    // Corners that go the other way.
    let mut clockwise = scene;
    clockwise.reverse();
    let (drawn, guessed) = draw(ring(&clockwise), as_written);
    assert!(holds(&drawn, 179.0, -77.5) && !holds(&drawn, 0.0, -77.5) && guessed);
    // A pole that no bbox has.
    let cap: Vec<_> = (-6..6).map(|i| (f64::from(i) * 30.0, 80.0)).collect();
    assert!(draw(ring(&cap), Some([-180.0, 80.0, 150.0, 80.0])).1);
}

#[test]
fn a_cap_is_closed_along_the_pole_with_its_positions_as_they_were() {
    let vertices: Vec<_> = (-6..6).map(|i| (f64::from(i) * 30.0 + 7.1, 87.0)).collect();
    let (drawn, _) = draw(ring(&vertices), None);
    let Geometry::Polygon(cap) = &drawn else { panic!("{drawn:?}") };
    assert!(cap.is_valid());
    for (lon, lat) in &vertices {
        let at = (if *lon > 180.0 { lon - 360.0 } else { *lon }, *lat);
        assert!(cap.exterior().coords().any(|c| (c.x - at.0).abs() < 1e-12 && c.y == at.1), "{at:?}");
    }
    assert!([-180.0, 0.0, 180.0].iter().all(|lon| holds(&drawn, *lon, 90.0) && holds(&drawn, *lon, 88.0)));
}

#[test]
fn a_hole_over_the_antimeridian_is_cut_out_of_both_sides() {
    let exterior = area(160.0, 60.0, 200.0, 80.0).exterior().clone();
    let hole = LineString::from(vec![(175.0, 65.0), (175.0, 75.0), (-175.0, 75.0), (-175.0, 65.0)]);
    let inside = LineString::from(vec![(165.0, 65.0), (165.0, 70.0), (170.0, 70.0)]);
    let (drawn, _) = draw(Polygon::new(exterior, vec![hole, inside]), Some([160.0, 60.0, -160.0, 80.0]));
    assert!(drawn.is_valid());
    assert!(!holds(&drawn, 179.0, 70.0) && !holds(&drawn, -179.0, 70.0) && !holds(&drawn, 166.0, 69.0));
    assert!(holds(&drawn, 172.0, 70.0) && holds(&drawn, -170.0, 70.0) && holds(&drawn, 180.0, 62.0));
}

#[test]
fn lines_and_points_are_brought_to_the_map() {
    let (line, _) = draw(LineString::from(vec![(170.0, 0.0), (-170.0, 20.0)]), None);
    let cut = MultiLineString(vec![
        LineString::from(vec![(170.0, 0.0), (180.0, 10.0)]),
        LineString::from(vec![(-180.0, 10.0), (-170.0, 20.0)]),
    ]);
    assert_eq!(line, cut.into());
    assert_eq!(draw(Point::new(190.0, 5.0), None).0, Point::new(-170.0, 5.0).into());
    assert_eq!(draw(LineString::from(vec![(180.0, 0.0), (190.0, 0.0)]), None).0, {
        LineString::from(vec![(-180.0, 0.0), (-170.0, 0.0)]).into()
    });
    let twice = draw(LineString::from(vec![(-200.0, 0.0), (200.0, 40.0)]), Some([-200.0, 0.0, 200.0, 40.0])).0;
    assert!(twice.coords_iter().all(|c| c.x.abs() <= 180.0), "{twice:?}");
    let parallel = LineString::from(vec![(-180.0, 10.0), (180.0, 10.0)]);
    assert_eq!(drawn(&parallel.into(), None).unwrap(), None);
}

#[test]
fn what_is_drawn_stays_as_it_is() {
    for plain in [area(-180.0, -90.0, 180.0, 90.0), area(-170.0, -60.0, 170.0, 60.0), area(0.0, 0.0, 10.0, 10.0)] {
        assert_eq!(drawn(&plain.into(), None).unwrap(), None);
    }
    let ring = ring(&[(-180.0, -90.0), (180.0, -90.0), (180.0, -86.0), (0.0, -84.0), (-180.0, -86.0)]);
    assert_eq!(drawn(&ring.into(), None).unwrap(), None);
}

#[test]
fn positions_that_are_no_degrees_are_named() {
    let metres = ring(&[(500_000.0, 4_649_776.0), (509_000.0, 4_649_776.0), (500_000.0, 4_659_776.0)]);
    let error = drawn(&metres.clone().into(), None).unwrap_err().to_string();
    assert_eq!(error, "its position [500000, 4649776] is not in degrees of longitude and latitude");
    let error = drawn(&Geometry::Point(Point::new(-1e200, 5e-324)), None).unwrap_err().to_string();
    assert_eq!(error, "its position [-1e200, 5e-324] is not in degrees of longitude and latitude");
    assert_eq!(drawn_place(metres.clone().into()), metres.into());
    // The corner of a pixel beyond the pole.
    let (pole, _) = draw(area(0.0, 89.0, 10.0, 90.125), None);
    assert_eq!(pole, area(0.0, 89.0, 10.0, 90.0).into());
}

#[test]
fn a_box_says_by_its_sides_what_is_meant() {
    assert_eq!(drawn_box([-170.0, -5.0, 170.0, 5.0]), area(-170.0, -5.0, 170.0, 5.0).into());
    assert!(holds(&drawn_box([170.0, -5.0, -170.0, 5.0]), -175.0, 0.0));
    assert!(!holds(&drawn_box([170.0, -5.0, -170.0, 5.0]), 0.0, 0.0));
    assert!(holds(&drawn_box([170.0, -5.0, 190.0, 5.0]), -175.0, 0.0));
    assert!(holds(&drawn_box([0.0, -5.0, 360.0, 5.0]), -175.0, 0.0));
    assert_eq!(drawn_box([1.0, 2.0, 1.0, 2.0]), Point::new(1.0, 2.0).into());
    assert_eq!(drawn_box([1.0, 2.0, 1.0, 3.0]), LineString::from(vec![(1.0, 2.0), (1.0, 3.0)]).into());
    assert!(matches!(drawn_box([170.0, 2.0, -170.0, 2.0]), Geometry::MultiLineString(_)));
    let metres = Geometry::from(area(0.0, 0.0, 1000.0, 5.0));
    assert_eq!(drawn_box([0.0, 0.0, 1000.0, 5.0]), metres);
}

/// Whether a position is inside of a ring on the sphere of which all edges go the short way: by how often the meridian to
/// the north of it meets the ring.
fn is_inside(ring: &[(f64, f64)], pole: Option<f64>, lon: f64, lat: f64) -> bool {
    let closed = ring.iter().chain(ring.first()).collect::<Vec<_>>();
    let crossings = closed.windows(2).filter(|edge| {
        let (a, b) = (edge[0], edge[1]);
        let to_b = (b.0 - a.0 + 540.0).rem_euclid(360.0) - 180.0;
        let at = (lon - a.0 + 540.0).rem_euclid(360.0) - 180.0;
        let meets = (at >= 0.0) != (at >= to_b);
        meets && a.1 + (b.1 - a.1) * (at / to_b) > lat
    });
    (crossings.count() % 2 == 1) != (pole == Some(90.0))
}

prop_compose! {
    /// Positions around a centre, as an instrument sees them: some distance (degrees) away in each direction.
    fn scene()(
        lon in prop_oneof![-180.0..180.0f64, 170.0..180.0f64, -180.0..-170.0f64],
        lat in prop_oneof![-89.0..89.0f64, 75.0..89.9f64, -89.9..-75.0f64],
        size in 0.1..20.0f64,
        shares in prop::collection::vec(0.3..1.0f64, 9..17),
    ) -> Vec<(f64, f64)> {
        let place = |(i, share): (usize, &f64)| {
            let bearing = i as f64 / shares.len() as f64 * std::f64::consts::TAU;
            let (d, lat, lon) = ((share * size).to_radians(), lat.to_radians(), lon.to_radians());
            let y = (lat.sin() * d.cos() + lat.cos() * d.sin() * bearing.cos()).clamp(-1.0, 1.0).asin();
            let x = lon + (bearing.sin() * d.sin() * lat.cos()).atan2(d.cos() - lat.sin() * y.sin());
            ((x.to_degrees() + 540.0).rem_euclid(360.0) - 180.0, y.to_degrees())
        };
        shares.iter().enumerate().map(place).collect()
    }
}

/// Rings that cross themselves and the antimeridian as they like.
fn tangle() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let step = prop_oneof![-170.0..170.0f64, 100.0..170.0f64, -170.0..-100.0f64, -20.0..20.0f64];
    let steps = prop::collection::vec((step, -85.0..85.0f64), 9..14);
    (-180.0..180.0f64, steps).prop_map(|(start, steps)| {
        let mut lon = start;
        let step = |(east, lat): (f64, f64)| {
            lon = (lon + east + 540.0).rem_euclid(360.0) - 180.0;
            (lon, lat)
        };
        steps.into_iter().map(step).collect()
    })
}

fn check(vertices: &[(f64, f64)], places: &[(f64, f64)]) -> std::result::Result<(), TestCaseError> {
    let ring = Reader::new(None, [0.0; 4]).ring(&LineString::from(vertices.to_vec()).0, false).unwrap();
    // What a ring wider than the globe means where it lies over itself is another question.
    let (west, east) = reading::range(&ring.path);
    prop_assume!(ring.turns != 0 || east - west < 360.0);
    let pole = (ring.turns % 2 != 0).then_some(ring.pole);
    let (drawn, _) = draw(Polygon::new(LineString::from(vertices.to_vec()), vec![]), None);
    for at in drawn.coords_iter() {
        prop_assert!(at.x.abs() <= 180.0 && at.y.abs() <= 90.0, "{at:?}");
    }
    let parts: Vec<Polygon> = match &drawn {
        Geometry::Polygon(polygon) => vec![polygon.clone()],
        Geometry::MultiPolygon(polygons) => polygons.0.clone(),
        other => panic!("{other:?}"),
    };
    for &(lon, lat) in places {
        let inside = is_inside(vertices, pole, lon, lat);
        // By the even-odd rule, which `geo` does not follow for rings that cross themselves.
        let found = parts.iter().filter(|part| even_odd(part, lon, lat)).count();
        // Too near an edge to tell, as the overlay has it.
        let shifted = [(0.0, 1e-5), (0.0, -1e-5)].map(|(x, y)| is_inside(vertices, pole, lon + x, lat + y));
        if shifted == [inside; 2] {
            prop_assert_eq!(found % 2 == 1, inside, "({}, {}) of {:?}: {:?}", lon, lat, vertices, drawn);
        }
    }
    Ok(())
}

fn even_odd(polygon: &Polygon, lon: f64, lat: f64) -> bool {
    let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
    let crossings = rings.flat_map(LineString::lines).filter(|edge| {
        let (a, b) = (edge.start, edge.end);
        (a.x <= lon) != (b.x <= lon) && a.y + (b.y - a.y) * ((lon - a.x) / (b.x - a.x)) > lat
    });
    crossings.count() % 2 == 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_scene_is_where_it_is_on_the_sphere(
        ring in scene(), places in prop::collection::vec((-180.0..180.0f64, -90.0..90.0f64), 10),
    ) {
        let near = ring.iter().flat_map(|(lon, lat)| {
            [(-1.0, 0.1), (0.7, -0.2)].map(|(x, y)| ((lon + x + 540.0).rem_euclid(360.0) - 180.0, (lat + y).clamp(-89.99, 89.99)))
        });
        let places: Vec<_> = near.chain(places.iter().copied()).collect();
        check(&ring, &places)?;
    }

    #[test]
    fn a_tangle_is_where_it_is_on_the_sphere(
        ring in tangle(), places in prop::collection::vec((-180.0..180.0f64, -90.0..90.0f64), 20),
    ) {
        check(&ring, &places)?;
    }

    #[test]
    fn what_was_drawn_is_drawn(ring in prop_oneof![scene(), tangle()]) {
        let (first, _) = draw(Polygon::new(LineString::from(ring), vec![]), None);
        prop_assert_eq!(draw(first.clone(), None).0, first);
    }

    #[test]
    fn any_numbers_are_taken(ring in prop::collection::vec((-600.0..600.0f64, -100.0..100.0f64), 0..12)) {
        let _ = drawn(&Polygon::new(LineString::from(ring.clone()), vec![]).into(), None);
        let _ = drawn(&LineString::from(ring).into(), None);
    }

    #[test]
    fn rings_of_round_numbers_are_taken(
        rings in prop::collection::vec(prop::collection::vec((-12i8..13, -4i8..5), 1..10), 1..3),
        places in prop::collection::vec((-180.0..180.0f64, -90.0..90.0f64), 3),
    ) {
        let ring = |ring: &Vec<(i8, i8)>| {
            LineString(ring.iter().map(|(x, y)| Coord { x: f64::from(*x) * 45.0, y: f64::from(*y) * 22.5 }).collect())
        };
        let polygon = Polygon::new(ring(&rings[0]), rings[1..].iter().map(ring).collect());
        let (drawn, _) = draw(polygon, None);
        prop_assert!(drawn.coords_iter().all(|c| c.x.abs() <= 180.0 && c.y.abs() <= 90.0), "{:?}", drawn);
        for (lon, lat) in places {
            let _ = drawn.contains(&Point::new(lon, lat));
        }
    }
}
