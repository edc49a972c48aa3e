//! Image pairs as ITS_LIVE publishes them: two scenes of one mission over a glacier, and the Item of the pair.
//!
//! The `index`-th pair depends on nothing but the seed and `index`.

use chrono::{DateTime, Duration, NaiveDate, SecondsFormat, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::projection::Projection;

/// Where there is ice: name, west, south, east, north in degrees (east beyond 180 crosses the antimeridian).
const REGIONS: [(f64, f64, f64, f64); 12] = [
    (-54.0, 61.0, -42.0, 80.0),    // west Greenland
    (-38.0, 66.0, -22.0, 81.0),    // east Greenland
    (12.0, 77.0, 28.0, 80.5),      // Svalbard
    (-152.0, 59.0, -136.0, 63.0),  // Alaska
    (176.0, 67.0, 184.0, 71.5),    // Chukchi Sea
    (-69.0, -74.0, -59.0, -65.0),  // Antarctic Peninsula
    (-114.0, -77.0, -96.0, -74.0), // Amundsen Sea
    (160.0, -84.0, 200.0, -78.0),  // Ross Ice Shelf
    (40.0, -72.0, 120.0, -67.0),   // East Antarctica
    (73.0, 34.5, 78.0, 36.8),      // Karakoram
    (-74.5, -50.5, -72.5, -47.0),  // Patagonia
    (168.5, -44.2, 171.5, -43.0),  // Southern Alps
];

/// Kind of satellite.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mission {
    Landsat,
    Sentinel1,
    Sentinel2,
}

/// Platforms: code, first and last year, share in percent.
const PLATFORMS: [(Mission, &str, i32, i32, u32); 8] = [
    (Mission::Landsat, "LT05", 1984, 2011, 8),
    (Mission::Landsat, "LE07", 1999, 2021, 14),
    (Mission::Landsat, "LC08", 2013, 2023, 34),
    (Mission::Landsat, "LC09", 2022, 2023, 8),
    (Mission::Sentinel2, "S2A", 2016, 2023, 12),
    (Mission::Sentinel2, "S2B", 2017, 2023, 10),
    (Mission::Sentinel1, "S1A", 2015, 2023, 9),
    (Mission::Sentinel1, "S1B", 2016, 2021, 5),
];

/// Edge of a pixel of the velocity grid in metres.
const PIXEL: f64 = 120.0;

/// A pair's Item and the key of its object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) item: Value,
}

/// The `index`-th pair of a seed.
pub(super) fn pair(seed: u64, index: u64) -> Pair {
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index);
    let (mission, platform, first, last) = platform(&mut random);
    let (west, south, east, north) = REGIONS[random.random_range(0..REGIONS.len())];
    let (longitude, latitude) = (random.random_range(west..east), random.random_range(south..north));
    let longitude = if longitude >= 180.0 { longitude - 360.0 } else { longitude };
    let projection = match latitude {
        60.0.. => Projection::North,
        ..=-60.0 => Projection::South,
        _ => Projection::utm(longitude, latitude),
    };
    let start = acquisition(&mut random, first, last);
    let days = match mission {
        Mission::Landsat => 16 * random.random_range(1..=20),
        Mission::Sentinel2 => 5 * random.random_range(1..=60),
        Mission::Sentinel1 => 6 * random.random_range(1..=4),
    };
    let end = start + Duration::days(days) + Duration::milliseconds(random.random_range(-4_000..4_000));
    let frame = frame(&mut random, mission);
    let orbit = match mission {
        Mission::Sentinel1 => ["ascending", "descending"][random.random_range(0..2)],
        _ => "N/A",
    };
    let scenes = [start, end].map(|time| scene(&mut random, mission, platform, &frame, time));
    let valid: f64 = random.random_range(0.0..100.0);
    let id = format!("{}_X_{}_G0120V02_P{:03}", scenes[0], scenes[1], valid as u32);
    let folder = format!("{}/v02/{}", mission.folder(), square(longitude, latitude));
    let stem = format!("velocity_image_pair/{folder}/{id}");
    let ring = footprint(&mut random, mission, projection, longitude, latitude);
    let middle = start + (end - start) / 2;
    let created = end + Duration::days(random.random_range(30..200));
    let item = json!({
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
        "bbox": bounds(&ring),
        "properties": {
            "mid_datetime": time(middle),
            "created": time(created),
            "updated": time(created),
            "latitude": round4(latitude),
            "longitude": round4(longitude),
            "date_dt": days as f64,
            "platform": platform,
            "scene_1_id": scenes[0],
            "scene_2_id": scenes[1],
            "scene_1_frame": frame,
            "scene_2_frame": frame,
            "sat:orbit_state": orbit,
            "start_datetime": time(start),
            "end_datetime": time(end),
            "percent_valid_pixels": valid.round() as u32,
            "proj:code": projection.code(),
            "version": "002",
            "datetime": time(middle),
        },
        "links": [],
        "assets": assets(&stem),
        "collection": "itslive-granules",
    });
    Pair { key: format!("{stem}.stac.json"), item }
}

impl Mission {
    fn folder(self) -> &'static str {
        match self {
            Self::Landsat => "landsatOLI",
            Self::Sentinel1 => "sentinel1",
            Self::Sentinel2 => "sentinel2",
        }
    }

    /// Edges of a scene in kilometres, least and most.
    fn edges(self) -> (f64, f64) {
        match self {
            Self::Landsat => (150.0, 230.0),
            Self::Sentinel1 => (180.0, 260.0),
            Self::Sentinel2 => (100.0, 112.0),
        }
    }
}

fn platform(random: &mut StdRng) -> (Mission, &'static str, i32, i32) {
    let mut ticket = random.random_range(0..PLATFORMS.iter().map(|p| p.4).sum());
    let mut chosen = PLATFORMS[0];
    for platform in PLATFORMS {
        chosen = platform;
        if ticket < platform.4 {
            break;
        }
        ticket -= platform.4;
    }
    (chosen.0, chosen.1, chosen.2, chosen.3)
}

fn acquisition(random: &mut StdRng, first: i32, last: i32) -> DateTime<Utc> {
    let day = NaiveDate::from_yo_opt(random.random_range(first..=last), random.random_range(1..=365));
    // Every year has a day 365.
    let midnight = day.unwrap_or_default().and_time(chrono::NaiveTime::MIN).and_utc();
    midnight + Duration::microseconds(random.random_range(0..86_400_000_000))
}

/// Path and row, or tile; radar pairs have none.
fn frame(random: &mut StdRng, mission: Mission) -> String {
    match mission {
        Mission::Landsat => format!("{:03}{:03}", random.random_range(1..=233), random.random_range(1..=122)),
        Mission::Sentinel1 => "N/A".to_owned(),
        Mission::Sentinel2 => {
            let letter =
                |random: &mut StdRng, letters: &[u8]| char::from(letters[random.random_range(0..letters.len())]);
            let band = letter(random, b"CDEFGHJKLMNPQRSTUVWX");
            let (column, row) = (letter(random, b"ABCDEFGHJKLMNPQRSTUVWXYZ"), letter(random, b"ABCDEFGHJKLMNPQRSTUV"));
            format!("{:02}{band}{column}{row}", random.random_range(1..=60))
        }
    }
}

fn scene(random: &mut StdRng, mission: Mission, platform: &str, frame: &str, time: DateTime<Utc>) -> String {
    let day = time.format("%Y%m%d");
    let second = time.format("%Y%m%dT%H%M%S");
    match mission {
        Mission::Landsat => {
            let processed = (time + Duration::days(random.random_range(10..300))).format("%Y%m%d");
            format!("{platform}_L1TP_{frame}_{day}_{processed}_02_T{}", random.random_range(1..=2))
        }
        Mission::Sentinel1 => {
            let stop = (time + Duration::seconds(27)).format("%Y%m%dT%H%M%S");
            let (orbit, take) = (random.random_range(1_000..60_000), random.random_range(0..0x7_0000));
            format!("{platform}_IW_SLC__1SSH_{second}_{stop}_{orbit:06}_{take:06X}_{:04X}", random.random::<u16>())
        }
        Mission::Sentinel2 => {
            format!("{platform}_MSIL1C_{second}_N0500_R{:03}_T{frame}_{second}", random.random_range(1..=143))
        }
    }
}

/// A rectangle on the velocity grid around a place, four vertices to a side, as longitudes and latitudes.
fn footprint(random: &mut StdRng, mission: Mission, projection: Projection, lon: f64, lat: f64) -> Vec<[f64; 2]> {
    let (least, most) = mission.edges();
    let (x, y) = projection.forward(lon, lat);
    let snap = |metres: f64| (metres / PIXEL).round() * PIXEL;
    let mut half = || random.random_range(least..most) * 500.0;
    let (dx, dy) = (half(), half());
    let (west, east, south, north) = (snap(x - dx), snap(x + dx), snap(y - dy), snap(y + dy));
    let corners = [(west, north), (east, north), (east, south), (west, south), (west, north)];
    let mut ring = Vec::with_capacity(17);
    for side in corners.windows(2) {
        for step in 0..4 {
            let part = f64::from(step) / 4.0;
            let along = |from: f64, to: f64| from + (to - from) * part;
            let (lon, lat) = projection.inverse(along(side[0].0, side[1].0), along(side[0].1, side[1].1));
            ring.push([round4(lon), round4(lat)]);
        }
    }
    ring.push(ring[0]);
    ring
}

fn bounds(ring: &[[f64; 2]]) -> [f64; 4] {
    let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    ring.iter().fold(start, |[w, s, e, n], [x, y]| [w.min(*x), s.min(*y), e.max(*x), n.max(*y)])
}

/// The ten-degree square of a key, named by its corner towards zero: `N60W030`.
fn square(longitude: f64, latitude: f64) -> String {
    let tens = |degrees: f64, most: i64| ((degrees.abs() / 10.0) as i64 * 10).min(most);
    let (ns, ew) = (if latitude < 0.0 { 'S' } else { 'N' }, if longitude < 0.0 { 'W' } else { 'E' });
    format!("{ns}{:02}{ew}{:03}", tens(latitude, 80), tens(longitude, 170))
}

fn assets(stem: &str) -> Value {
    let url = |ending: &str| format!("https://its-live-data.s3.amazonaws.com/{stem}{ending}");
    json!({
        "data": {
            "href": url(".nc"),
            "type": "application/netcdf",
            "alternate": {"s3": {"href": format!("s3://its-live-data/{stem}.nc"), "alternate:name": "S3"}},
            "roles": ["data"],
        },
        "overview": {"href": url(".png"), "type": "image/png", "roles": ["overview"]},
        "thumbnail": {"href": url("_thumb.png"), "type": "image/png", "roles": ["thumbnail"]},
    })
}

fn time(time: DateTime<Utc>) -> String {
    let whole = time.timestamp_subsec_micros() == 0;
    time.to_rfc3339_opts(if whole { SecondsFormat::Secs } else { SecondsFormat::Micros }, true)
}

fn round4(degrees: f64) -> f64 {
    (degrees * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_depends_on_seed_and_index_alone() {
        assert_eq!(pair(1, 7), pair(1, 7));
        assert_ne!(pair(1, 7), pair(1, 8));
        assert_ne!(pair(1, 7), pair(2, 7));
    }

    #[test]
    fn a_footprint_is_a_closed_ring_of_seventeen_vertices_around_its_centre() {
        let mut jumps = 0;
        for index in 0..300 {
            let item = pair(1, index).item;
            let ring = item["geometry"]["coordinates"][0].as_array().unwrap();
            assert_eq!((ring.len(), &ring[0]), (17, &ring[16]));
            let bbox: Vec<_> = item["bbox"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
            let latitude = item["properties"]["latitude"].as_f64().unwrap();
            assert!(bbox[1] < latitude && latitude < bbox[3], "{item}");
            jumps += usize::from(bbox[2] - bbox[0] > 180.0);
        }
        assert!(jumps > 0, "some footprints cross the antimeridian");
    }

    #[test]
    fn keys_are_laid_out_as_in_the_bucket() {
        let Pair { key, item } = pair(1, 3);
        let id = item["id"].as_str().unwrap();
        let parts: Vec<_> = key.split('/').collect();
        assert_eq!((parts.len(), parts[0], parts[2]), (5, "velocity_image_pair", "v02"));
        assert_eq!(parts[4], format!("{id}.stac.json"));
        assert_eq!(square(-28.5, 66.0), "N60W020");
        assert_eq!(square(-180.0, -90.0), "S80W170");
    }
}
