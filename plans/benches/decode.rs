//! How fast Items become Arrow columns: ITS_LIVE-like Items, indented as the bucket's objects and compact as NDJSON; and
//! Items that are little else than a footprint, which becomes WKB and its bounds.

use std::fmt::Write;
use std::hint::black_box;

use arrow::datatypes::{DataType, Field, Schema};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use earthcatalog_plans::model::items::ItemSchema;
use earthcatalog_plans::source::decode::ItemDecoder;
use sonic_rs::LazyValue;

const ITEMS: usize = 2_000;

/// The columns that the ingest script promotes.
fn schema() -> ItemSchema {
    let columns = [
        ("percent_valid_pixels", DataType::Int32),
        ("date_dt", DataType::Float64),
        ("latitude", DataType::Float64),
        ("longitude", DataType::Float64),
        ("platform", DataType::Utf8),
        ("version", DataType::Utf8),
        ("proj:code", DataType::Utf8),
        ("sat:orbit_state", DataType::Utf8),
        ("scene_1_id", DataType::Utf8),
        ("scene_2_id", DataType::Utf8),
        ("scene_1_frame", DataType::Utf8),
        ("scene_2_frame", DataType::Utf8),
    ];
    let fields: Vec<_> = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    ItemSchema::from_declared(&Schema::new(fields)).unwrap()
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn degrees(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.below(1_000_000) as f64 / 1e6
    }
}

/// An Item as the metadata generator of ITS_LIVE writes it: 17 vertices, three assets, 18 properties.
fn item(random: &mut Seeded) -> serde_json::Value {
    let (lon, lat) = (random.degrees(-170.0, 170.0), random.degrees(-80.0, 80.0));
    let round = |degrees: f64| (degrees * 1e4).round() / 1e4;
    let mut ring: Vec<[f64; 2]> = (0..16)
        .map(|i| {
            let (side, step) = (i / 4, f64::from(i % 4) * 0.35);
            let (x, y) = [(step, 0.0), (1.4, step), (1.4 - step, 1.4), (0.0, 1.4 - step)][side as usize];
            [round(lon + x + random.degrees(0.0, 0.01)), round(lat + y + random.degrees(0.0, 0.01))]
        })
        .collect();
    ring.push(ring[0]);
    let bound = |pick: fn(f64, f64) -> f64, axis: usize| ring.iter().map(|p| p[axis]).reduce(pick).unwrap();
    let bbox = [bound(f64::min, 0), bound(f64::min, 1), bound(f64::max, 0), bound(f64::max, 1)];
    let mut time = |fraction: bool| {
        let mut text = format!("{}-{:02}-{:02}T", 1984 + random.below(40), 1 + random.below(12), 1 + random.below(28));
        write!(text, "{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60)).unwrap();
        if fraction {
            write!(text, ".{:06}", 1 + random.below(999_999)).unwrap();
        }
        text + "Z"
    };
    let (mid, start, end, created) = (time(true), time(true), time(true), time(false));
    let mut scene = || {
        let (path, row, day) = (1 + random.below(233), 1 + random.below(248), 1 + random.below(28));
        format!("LC08_L1TP_{path:03}{row:03}_201905{day:02}_20200828_02_T1")
    };
    let (first, second, percent) = (scene(), scene(), random.below(101));
    let id = format!("{first}_X_{second}_G0120V02_P{percent:03}");
    let path = format!("velocity_image_pair/landsatOLI/v02/N60W030/{id}");
    let href = |suffix: &str| format!("https://its-live-data.s3.amazonaws.com/{path}{suffix}");
    let frame = first[10..16].to_owned();
    serde_json::json!({
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/alternate-assets/v1.2.0/schema.json",
            "https://stac-extensions.github.io/version/v1.2.0/schema.json",
            "https://stac-extensions.github.io/sat/v1.1.0/schema.json",
        ],
        "id": id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": bbox,
        "properties": {
            "mid_datetime": mid,
            "created": created,
            "updated": created,
            "latitude": round(lat),
            "longitude": round(lon),
            "date_dt": 49.0,
            "platform": "LC08",
            "scene_1_id": first,
            "scene_2_id": second,
            "scene_1_frame": frame,
            "scene_2_frame": frame,
            "sat:orbit_state": "N/A",
            "start_datetime": start,
            "end_datetime": end,
            "percent_valid_pixels": percent,
            "proj:code": "EPSG:3413",
            "version": "002",
            "datetime": mid,
        },
        "links": [],
        "assets": {
            "data": {
                "href": href(".nc"),
                "type": "application/netcdf",
                "alternate": {"s3": {"href": format!("s3://its-live-data/{path}.nc"), "alternate:name": "S3"}},
                "roles": ["data"],
            },
            "overview": {"href": href(".png"), "type": "image/png", "roles": ["overview"]},
            "thumbnail": {"href": href("_thumb.png"), "type": "image/png", "roles": ["thumbnail"]},
        },
        "collection": "itslive-granules",
    })
}

fn decode(c: &mut Criterion) {
    let mut random = Seeded(7);
    let items: Vec<_> = (0..ITEMS).map(|_| item(&mut random)).collect();
    type Write = fn(&serde_json::Value) -> serde_json::Result<Vec<u8>>;
    let shapes: [(&str, Write); 2] = [("indented", serde_json::to_vec_pretty), ("compact", serde_json::to_vec)];
    let mut group = c.benchmark_group("decode");
    for (name, write) in shapes {
        let texts: Vec<Vec<u8>> = items.iter().map(|item| write(item).unwrap()).collect();
        measure(&mut group, name, &texts);
        // The limit: every byte looked at once, and nothing kept.
        group.bench_function(format!("{name}/bytes, scanned by sonic-rs"), |b| {
            b.iter(|| texts.iter().for_each(|text| _ = black_box(sonic_rs::from_slice::<LazyValue>(text).unwrap())));
        });
    }
    group.finish();
}

fn footprints(c: &mut Criterion) {
    let mut random = Seeded(7);
    let mut group = c.benchmark_group("footprint");
    for positions in [5, 17, 1_000] {
        let mut ring = || {
            let (x, y) = (random.degrees(-150.0, 150.0), random.degrees(-70.0, 70.0));
            let at = |i: i32| f64::from(i) / f64::from(positions - 1) * std::f64::consts::TAU;
            let mut ring: Vec<_> = (1..positions).map(|i| [x + at(i).cos(), y + at(i).sin()]).collect();
            ring.push(ring[0]);
            serde_json::json!({"type": "Feature", "id": "x", "geometry": {"type": "Polygon", "coordinates": [ring]}})
        };
        let texts: Vec<Vec<u8>> = (0..ITEMS / 10).map(|_| ring().to_string().into_bytes()).collect();
        measure(&mut group, &format!("{positions} positions"), &texts);
    }
    group.finish();
}

/// Measures the decoding of Items, by number and by bytes.
fn measure(group: &mut BenchmarkGroup<WallTime>, name: &str, texts: &[Vec<u8>]) {
    let bytes = texts.iter().map(|text| text.len() as u64).sum();
    for (unit, throughput) in [("items", Throughput::Elements(texts.len() as u64)), ("bytes", Throughput::Bytes(bytes))]
    {
        group.throughput(throughput);
        group.bench_function(format!("{name}/{unit}"), |b| {
            b.iter_batched_ref(
                || ItemDecoder::new(&schema()),
                |decoder| {
                    for text in texts {
                        decoder.append(black_box(text)).unwrap();
                    }
                    decoder.finish().unwrap()
                },
                BatchSize::LargeInput,
            );
        });
    }
}

criterion_group!(benches, decode, footprints);
criterion_main!(benches);
