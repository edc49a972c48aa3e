//! GeoJSON geometries (RFC 7946, section 3.1) straight to WKB, with the bounds of their positions.

use super::excerpt;
use super::number::Decimal;
use super::scan::{Cursor, Malformed};
use super::value::Token;
use crate::footprint::{Corners, bounds, drawn, is_drawn};
use crate::wkb_form::{geometry_from_wkb, wkb_from_geometry};

/// GeometryCollections may be nested this deep: readers of WKB recurse.
const MAX_NESTING: usize = 32;

/// Why a value is no geometry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub String);

/// One geometry as little-endian ISO WKB (OGC 06-103r4, section 8, with +1000 for Z), reused from Item to Item.
///
/// What WKB, or the readers of WKB, cannot take is put right: a ring that is not closed is closed, a ring of fewer than
/// four positions and a line of one repeat their last position (GEOS refuses a whole file for one of them), mixed
/// dimensions become two, positions are cut at Z. Then [`Self::faithful`] is false.
#[derive(Debug, Default)]
pub(super) struct Footprint {
    wkb: Vec<u8>,
    /// Where the type codes are that become those of Z geometries.
    codes: Vec<usize>,
    bounds: Option<[f64; 4]>,
    faithful: bool,
    two_readings: bool,
    /// Numbers in a position of the WKB: 2, or 3; unknown before the first position.
    stride: Option<usize>,
    /// An empty point has been written before that was known, as one of two numbers.
    guessed: bool,
    mode: Mode,
}

/// How the text must be read, as far as is known by now.
#[derive(Debug, Default, Clone, Copy)]
struct Mode {
    /// Numbers in each position: 2 where not every position has a Z, 3 where an empty point stands before the first Z.
    stride: Option<usize>,
    /// Members are repeated: coordinates wait until the last `type` and the last `coordinates` are known.
    deferred: bool,
}

enum Stop {
    Unreadable(String),
    Again(Mode),
}

impl From<Malformed> for Stop {
    /// Whether the text is not JSON at all or a value of another kind is told by whoever skips the geometry.
    fn from(malformed: Malformed) -> Self {
        Self::Unreadable(format!("{} is missing at byte {}", malformed.expected, malformed.at))
    }
}

type Result<T> = std::result::Result<T, Stop>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Point = 1,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    GeometryCollection,
}

impl Kind {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "Point" => Self::Point,
            "LineString" => Self::LineString,
            "Polygon" => Self::Polygon,
            "MultiPoint" => Self::MultiPoint,
            "MultiLineString" => Self::MultiLineString,
            "MultiPolygon" => Self::MultiPolygon,
            "GeometryCollection" => Self::GeometryCollection,
            _ => return None,
        })
    }
}

impl Footprint {
    /// The geometry of the last successful [`Self::read`].
    pub fn wkb(&self) -> &[u8] {
        &self.wkb
    }

    /// `xmin`, `ymin`, `xmax`, `ymax` of its positions; `None` if it has none.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        self.bounds
    }

    /// Whether the GeoJSON can be made from the WKB alone, equal as a JSON value.
    pub fn faithful(&self) -> bool {
        self.faithful
    }

    /// Whether the geometry could also have been read in another way, and nothing decided.
    pub fn has_two_readings(&self) -> bool {
        self.two_readings
    }

    /// Makes it what RFC 7946 draws; `bbox` reads what the Item says of its bounds, which few Items need.
    ///
    /// Errors: a position that is not in degrees.
    pub fn draw(&mut self, bbox: impl FnOnce() -> Option<Corners>) -> std::result::Result<(), Unreadable> {
        self.two_readings = false;
        if self.bounds.is_none_or(is_drawn) {
            return Ok(());
        }
        let unreadable = |why: &dyn std::fmt::Display| Unreadable(why.to_string());
        let geometry = geometry_from_wkb(&self.wkb).map_err(|e| unreadable(&e))?;
        let Some(drawn) = drawn(&geometry, bbox()).map_err(|e| unreadable(&e))? else { return Ok(()) };
        self.wkb = wkb_from_geometry(&drawn.geometry).map_err(|e| unreadable(&e))?;
        self.bounds = bounds(&drawn.geometry);
        (self.faithful, self.two_readings) = (false, drawn.guessed);
        Ok(())
    }

    /// Reads the geometry object at the cursor and passes it. On error the cursor stands anywhere within it.
    pub fn read(&mut self, cursor: &mut Cursor) -> std::result::Result<(), Unreadable> {
        let start = cursor.at();
        self.mode = Mode::default();
        loop {
            cursor.seek(start);
            self.wkb.clear();
            self.codes.clear();
            (self.bounds, self.faithful, self.guessed) = (None, self.mode.stride != Some(2), false);
            self.stride = self.mode.stride;
            match self.geometry(cursor, 0) {
                Ok(()) => break,
                Err(Stop::Unreadable(why)) => return Err(Unreadable(why)),
                // Each reason to start again occurs once: the mode rules it out for the next round.
                Err(Stop::Again(mode)) => self.mode = mode,
            }
        }
        if self.stride == Some(3) {
            for &at in &self.codes {
                let code = u32::from(self.wkb[at]) + 1000;
                self.wkb[at..at + 4].copy_from_slice(&code.to_le_bytes());
            }
        }
        Ok(())
    }

    fn geometry(&mut self, cursor: &mut Cursor, nesting: usize) -> Result<()> {
        if nesting > MAX_NESTING {
            return unreadable(format!("collections are nested more than {MAX_NESTING} deep"));
        }
        let text = cursor.text();
        let (mut kind, mut coordinates, mut geometries, mut written) = (None, None, None, false);
        let mut another = cursor.open_object()?;
        while another {
            let name = cursor.member_name()?;
            let here = cursor.at();
            let repeated = match name.decode(text).as_deref() {
                Some("type") => {
                    let Token::Text(name) = cursor.value()?.token else {
                        return unreadable("the type is not text".to_owned());
                    };
                    let name = name.decode(text).unwrap_or_default();
                    let known = Kind::from_name(&name);
                    let known = known.ok_or_else(|| Stop::Unreadable(format!("the type is {:?}", excerpt(&name))));
                    kind.replace(known?).is_some()
                }
                Some("coordinates") => {
                    match kind {
                        Some(kind) if kind != Kind::GeometryCollection && !self.mode.deferred => {
                            self.body(kind, cursor, nesting)?;
                            written = true;
                        }
                        _ => drop(cursor.value()?),
                    }
                    coordinates.replace(here).is_some()
                }
                Some("geometries") => {
                    cursor.value()?;
                    geometries.replace(here).is_some()
                }
                _ => {
                    cursor.value()?;
                    self.faithful = false;
                    false
                }
            };
            if repeated && !self.mode.deferred {
                return Err(Stop::Again(Mode { deferred: true, ..self.mode }));
            }
            another = cursor.next_member()?;
        }
        let Some(kind) = kind else { return unreadable("there is no type".to_owned()) };
        let collection = kind == Kind::GeometryCollection;
        let (body, foreign) = if collection { (geometries, coordinates) } else { (coordinates, geometries) };
        self.faithful &= foreign.is_none();
        let Some(body) = body else {
            return unreadable(format!("a {kind:?} without {}", if collection { "geometries" } else { "coordinates" }));
        };
        if !written {
            let mut behind = cursor.clone();
            behind.seek(body);
            self.body(kind, &mut behind, nesting)?;
        }
        Ok(())
    }

    fn body(&mut self, kind: Kind, cursor: &mut Cursor, nesting: usize) -> Result<()> {
        self.header(kind);
        let written = match kind {
            Kind::Point => self.point(cursor, true),
            Kind::LineString => self.line(cursor, 2, false),
            Kind::Polygon => self.polygon(cursor),
            Kind::MultiPoint => self.parts(cursor, |this, cursor| {
                this.header(Kind::Point);
                this.point(cursor, false)
            }),
            Kind::MultiLineString => self.parts(cursor, |this, cursor| {
                this.header(Kind::LineString);
                this.line(cursor, 2, false)
            }),
            Kind::MultiPolygon => self.parts(cursor, |this, cursor| {
                this.header(Kind::Polygon);
                this.polygon(cursor)
            }),
            Kind::GeometryCollection => self.parts(cursor, |this, cursor| this.geometry(cursor, nesting + 1)),
        };
        written.map_err(|stop| match stop {
            Stop::Unreadable(why) => Stop::Unreadable(format!("{kind:?}: {why}")),
            again => again,
        })
    }

    fn header(&mut self, kind: Kind) {
        self.wkb.push(1);
        self.codes.push(self.wkb.len());
        self.wkb.extend_from_slice(&(kind as u32).to_le_bytes());
    }

    /// A list of anything, as its count and its elements. An empty one is not faithful: rings and parts without
    /// positions come back differently from different readers of WKB.
    fn parts(&mut self, cursor: &mut Cursor, part: impl Fn(&mut Self, &mut Cursor) -> Result<()>) -> Result<()> {
        let (at, mut count) = (self.wkb.len(), 0u32);
        self.wkb.extend_from_slice(&[0; 4]);
        let mut another = cursor.open_list()?;
        while another {
            part(self, cursor)?;
            count += 1;
            another = cursor.next_element()?;
        }
        self.faithful &= count > 0;
        self.wkb[at..at + 4].copy_from_slice(&count.to_le_bytes());
        Ok(())
    }

    fn polygon(&mut self, cursor: &mut Cursor) -> Result<()> {
        self.parts(cursor, |this, cursor| this.line(cursor, 4, true))
    }

    /// A line, or a ring if `closed`, of no or at least `least` positions.
    fn line(&mut self, cursor: &mut Cursor, least: u32, closed: bool) -> Result<()> {
        let count_at = self.wkb.len();
        let first = count_at + 4;
        self.parts(cursor, |this, cursor| match this.position(cursor)? {
            true => Ok(()),
            false => unreadable("a position is empty".to_owned()),
        })?;
        if self.wkb.len() == first {
            return Ok(());
        }
        let size = 8 * self.stride.unwrap_or(2);
        let mut count = (self.wkb.len() - first) / size;
        let mut repeat = |this: &mut Self, from: usize| {
            this.wkb.extend_from_within(from..from + size);
            this.faithful = false;
            count += 1;
        };
        let last = self.wkb.len() - size;
        if closed && (self.double(first) != self.double(last) || self.double(first + 8) != self.double(last + 8)) {
            repeat(self, first);
        }
        while self.wkb.len() < first + size * least as usize {
            repeat(self, self.wkb.len() - size);
        }
        // Positions took at least four bytes of text each, so the count fits like the text's offsets.
        self.wkb[count_at..first].copy_from_slice(&(count as u32).to_le_bytes());
        Ok(())
    }

    fn double(&self, at: usize) -> f64 {
        self.wkb[at..].first_chunk().map_or(f64::NAN, |bytes| f64::from_le_bytes(*bytes))
    }

    /// An empty point is written as NaN, as GeoParquet has it.
    fn point(&mut self, cursor: &mut Cursor, may_be_empty: bool) -> Result<()> {
        if self.position(cursor)? {
            return Ok(());
        }
        if !may_be_empty {
            return unreadable("a position is empty".to_owned());
        }
        self.faithful = false;
        self.guessed |= self.stride.is_none();
        for _ in 0..self.stride.unwrap_or(2) {
            self.wkb.extend_from_slice(&f64::NAN.to_le_bytes());
        }
        Ok(())
    }

    /// A position; false if its list is empty.
    #[inline]
    fn position(&mut self, cursor: &mut Cursor) -> Result<bool> {
        if !cursor.open_list()? {
            return Ok(false);
        }
        let x = self.number(cursor)?;
        if !cursor.next_element()? {
            return unreadable("a position has only one number".to_owned());
        }
        let y = self.number(cursor)?;
        let mut z = None;
        while cursor.next_element()? {
            let number = self.number(cursor)?;
            // A fourth number has no meaning in GeoJSON, and no place here.
            self.faithful &= z.is_none();
            z = z.or(Some(number));
        }

        self.wkb.extend_from_slice(&x.to_le_bytes());
        self.wkb.extend_from_slice(&y.to_le_bytes());
        let stride = 2 + usize::from(z.is_some());
        let known = *self.stride.get_or_insert(stride);
        if known != stride && self.mode.stride != Some(2) {
            return Err(Stop::Again(Mode { stride: Some(2), ..self.mode }));
        }
        if let (3, Some(z)) = (known, z) {
            if self.guessed {
                return Err(Stop::Again(Mode { stride: Some(3), ..self.mode }));
            }
            self.wkb.extend_from_slice(&z.to_le_bytes());
        }
        let [xmin, ymin, xmax, ymax] = self.bounds.unwrap_or([x, y, x, y]);
        self.bounds = Some([xmin.min(x), ymin.min(y), xmax.max(x), ymax.max(y)]);
        Ok(true)
    }

    #[inline]
    fn number(&mut self, cursor: &mut Cursor) -> Result<f64> {
        let Some((number, end)) = Decimal::read(cursor.text(), cursor.at()) else {
            return unreadable(format!("a number is missing at byte {}", cursor.at()));
        };
        cursor.seek(end);
        let value = number.to_f64();
        if !value.is_finite() {
            return unreadable("a coordinate is beyond the range of doubles".to_owned());
        }
        if !number.is_shortest_of(value) {
            self.faithful = false;
        }
        Ok(value)
    }
}

#[cold]
fn unreadable<T>(why: String) -> Result<T> {
    Err(Stop::Unreadable(why))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::decode::lossless::rebuild::geojson;

    /// The geometry as its WKB has it, its bounds, and whether the WKB tells all.
    fn read(text: &str) -> std::result::Result<(Value, Option<[f64; 4]>, bool), String> {
        let mut footprint = Footprint::default();
        let mut cursor = Cursor::new(text).unwrap();
        footprint.read(&mut cursor).map_err(|e| e.0)?;
        cursor.end().unwrap();
        let mut wkb = footprint.wkb();
        let geometry = geojson(&mut wkb);
        assert_eq!(wkb, b"", "nothing behind the geometry");
        Ok((geometry, footprint.bounds(), footprint.faithful()))
    }

    fn polygon(rings: Value) -> Value {
        json!({"type": "Polygon", "coordinates": rings})
    }

    #[test]
    fn a_point_is_21_bytes_of_little_endian_wkb() {
        let mut footprint = Footprint::default();
        footprint.read(&mut Cursor::new(r#"{"type":"Point","coordinates":[1,-2.5]}"#).unwrap()).unwrap();
        let expected = [&[1, 1, 0, 0, 0][..], &1f64.to_le_bytes(), &(-2.5f64).to_le_bytes()].concat();
        assert_eq!(footprint.wkb(), expected);
        footprint.read(&mut Cursor::new(r#"{"type":"Point","coordinates":[1,-2.5,3]}"#).unwrap()).unwrap();
        assert_eq!(footprint.wkb()[..5], [1, 0xe9, 3, 0, 0], "1001 is a Point with Z");
    }

    #[test]
    fn every_type_comes_back_with_the_bounds_of_all_its_positions() {
        let ring = json!([[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 0.0]]);
        let shapes = [
            json!({"type": "LineString", "coordinates": [[0.0, 3.0], [4.0, 0.0]]}),
            polygon(json!([ring, ring])),
            json!({"type": "MultiPoint", "coordinates": [[0.0, 0.0], [4.0, 3.0]]}),
            json!({"type": "MultiLineString", "coordinates": [[[0.0, 3.0], [4.0, 0.0]], [[1.0, 1.0], [2.0, 2.0]]]}),
            json!({"type": "MultiPolygon", "coordinates": [[ring], [ring, ring]]}),
            json!({"type": "GeometryCollection", "geometries": [polygon(json!([ring])), polygon(json!([ring]))]}),
            json!({"coordinates": [ring], "type": "Polygon"}),
        ];
        for shape in shapes {
            assert_eq!(read(&shape.to_string()), Ok((shape, Some([0.0, 0.0, 4.0, 3.0]), true)));
        }
    }

    #[test]
    fn what_readers_of_wkb_refuse_is_put_right_and_not_called_faithful() {
        let (a, b, c) = (json!([0.0, 0.0]), json!([4.0, 0.0]), json!([4.0, 3.0]));
        for (source, put_right) in [
            (polygon(json!([[a, b, c]])), polygon(json!([[a, b, c, a]]))),
            (polygon(json!([[a, b, a]])), polygon(json!([[a, b, a, a]]))),
            (polygon(json!([[a]])), polygon(json!([[a, a, a, a]]))),
            (json!({"type": "LineString", "coordinates": [a]}), json!({"type": "LineString", "coordinates": [a, a]})),
            (
                json!({"type": "MultiPoint", "coordinates": [[0, 0, 9], [4, 0]]}),
                json!({"type": "MultiPoint", "coordinates": [a, b]}),
            ),
            (
                json!({"type": "Point", "coordinates": [1.0, 2.0, 3.0, 4.0]}),
                json!({"type": "Point", "coordinates": [1.0, 2.0, 3.0]}),
            ),
        ] {
            let (geometry, _, faithful) = read(&source.to_string()).unwrap();
            assert_eq!((geometry, faithful), (put_right, false), "{source}");
        }
    }

    #[test]
    fn what_wkb_cannot_say_is_not_called_faithful() {
        for source in [
            r#"{"type":"Point","coordinates":[1,2],"bbox":[1,2,1,2]}"#,
            r#"{"type":"Point","coordinates":[1,2],"geometries":[]}"#,
            r#"{"type":"Point","coordinates":[0.10000000000000001,2]}"#,
            r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2],"crs":null}]}"#,
        ] {
            assert!(!read(source).unwrap().2, "{source}");
        }
    }

    #[test]
    fn empty_shapes_have_no_bounds_and_an_empty_point_is_nan() {
        for source in [
            r#"{"type":"Polygon","coordinates":[]}"#,
            r#"{"type":"Polygon","coordinates":[[]]}"#,
            r#"{"type":"MultiPolygon","coordinates":[]}"#,
            r#"{"type":"LineString","coordinates":[]}"#,
            r#"{"type":"GeometryCollection","geometries":[]}"#,
        ] {
            let (geometry, bounds, faithful) = read(source).unwrap();
            assert_eq!((geometry, bounds, faithful), (serde_json::from_str(source).unwrap(), None, false));
        }
        let mut footprint = Footprint::default();
        footprint.read(&mut Cursor::new(r#"{"type":"Point","coordinates":[]}"#).unwrap()).unwrap();
        assert_eq!(footprint.wkb()[5..], [f64::NAN.to_le_bytes(), f64::NAN.to_le_bytes()].concat());
    }

    #[test]
    fn an_empty_point_has_as_many_numbers_as_the_positions_around_it() {
        let collection = |parts: &str| format!(r#"{{"type":"GeometryCollection","geometries":[{parts}]}}"#);
        let point = |position: &str| format!(r#"{{"type":"Point","coordinates":{position}}}"#);
        for (positions, numbers) in [
            (["[]", "[1,2,3]", "[]"], 3),
            (["[1,2,3]", "[]", "[]"], 3),
            (["[]", "[1,2]", "[4,5]"], 2),
            (["[]", "[1,2]", "[1,2,3]"], 2),
            (["[]", "[1,2,3]", "[1,2]"], 2),
            (["[]", "[]", "[]"], 2),
        ] {
            let mut footprint = Footprint::default();
            let text = collection(&positions.map(point).join(","));
            footprint.read(&mut Cursor::new(&text).unwrap()).unwrap();
            let mut wkb = footprint.wkb();
            assert_eq!(wkb.len(), 9 + 3 * (5 + 8 * numbers), "{text}");
            geojson(&mut wkb);
            assert_eq!((wkb, footprint.faithful()), (&b""[..], false), "{text}");
        }
    }

    #[test]
    fn of_repeated_members_the_last_one_counts() {
        let line = json!({"type": "LineString", "coordinates": [[0.0, 0.0], [4.0, 3.0]]});
        for source in [
            r#"{"type":"Point","coordinates":[9,9],"type":"LineString","coordinates":[[0,0],[4,3]]}"#,
            r#"{"coordinates":[9,9],"type":"LineString","coordinates":[[0,0],[4,3]]}"#,
        ] {
            assert_eq!(read(source), Ok((line.clone(), Some([0.0, 0.0, 4.0, 3.0]), true)));
        }
    }

    #[test]
    fn what_is_no_geojson_is_unreadable_for_a_reason() {
        let deep = r#"{"type":"GeometryCollection","geometries":["#.repeat(40) + &"]}".repeat(40);
        for (source, reason) in [
            ("{}", "no type"),
            (r#"{"type":"Hexagon","coordinates":[]}"#, "Hexagon"),
            (r#"{"type":7}"#, "not text"),
            (r#"{"type":"Point"}"#, "a Point without coordinates"),
            (r#"{"type":"GeometryCollection","coordinates":[]}"#, "without geometries"),
            (r#"{"type":"Point","coordinates":[1]}"#, "only one number"),
            (r#"{"type":"Point","coordinates":["1","2"]}"#, "Point: a number is missing at byte 31"),
            (r#"{"type":"Point","coordinates":[1e999,2]}"#, "range of doubles"),
            (r#"{"type":"LineString","coordinates":[[1,2],[]]}"#, "empty"),
            (r#"{"type":"MultiPoint","coordinates":[[]]}"#, "empty"),
            (r#"{"type":"Polygon","coordinates":[[1,2],[3,4]]}"#, "Polygon: a list is missing"),
            (r#"{"type":"GeometryCollection","geometries":[null]}"#, "an object is missing"),
            (&deep, "nested"),
        ] {
            let why = read(source).unwrap_err();
            assert!(why.contains(reason), "{source}: {why}");
        }
    }
}
