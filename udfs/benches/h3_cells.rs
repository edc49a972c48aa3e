//! Time to find the cells of a footprint, as `h3_cells` does it: WKB in, cells out.

use std::f64::consts::TAU;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use earthcatalog_udfs::cover::{Coverer, Footprint};
use geo::{Coord, LineString, Polygon};
use h3o::Resolution;
use wkb::writer::{WriteOptions, write_polygon};

/// Places of the golden angle's spiral: even over the globe, and never the same twice.
fn places(count: usize) -> impl Iterator<Item = Coord> {
    (0..count).map(move |i| {
        let lat = (2.0 * (i as f64 + 0.5) / count as f64 - 1.0).asin().to_degrees();
        Coord { x: (i as f64 * 137.507_764) % 360.0 - 180.0, y: lat }
    })
}

/// A ring of 17 vertices, as ITS_LIVE writes them, of this radius in degrees of latitude.
fn scene(centre: Coord, radius: f64) -> Vec<u8> {
    let vertex = |i: usize| {
        let bearing = (i % 16) as f64 / 16.0 * TAU;
        let x = centre.x + radius * bearing.sin() / centre.y.to_radians().cos().max(0.02);
        Coord { x: (x + 540.0) % 360.0 - 180.0, y: (centre.y + radius * bearing.cos()).clamp(-90.0, 90.0) }
    };
    let mut wkb = vec![];
    let polygon = Polygon::new(LineString((0..17).map(vertex).collect()), vec![]);
    write_polygon(&mut wkb, &polygon, &WriteOptions::default()).expect("memory takes all");
    wkb
}

fn covers(c: &mut Criterion) {
    let mut group = c.benchmark_group("h3_cells");
    for (size, radius, count) in
        [("small, 30 km", 0.27, 4096), ("scene, 100 km", 0.9, 4096), ("orbit, 1300 km", 12.0, 64)]
    {
        let footprints: Vec<_> = places(count).map(|at| scene(at, radius)).collect();
        group.throughput(Throughput::Elements(count as u64));
        for resolution in [Resolution::One, Resolution::Three, Resolution::Five] {
            group.bench_with_input(BenchmarkId::new(size, resolution), &footprints, |b, footprints| {
                b.iter(|| {
                    // As for each batch of rows.
                    let mut coverer = Coverer::new(resolution);
                    for wkb in footprints {
                        let footprint = Footprint::from_wkb(wkb).expect("it was written just so");
                        black_box(coverer.cover(&footprint).expect("few cells"));
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().sample_size(10); targets = covers }
criterion_main!(benches);
