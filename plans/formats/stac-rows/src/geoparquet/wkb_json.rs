//! WKB to GeoJSON text, coordinate by coordinate.
//!
//! Sources: OGC 06-103r4, clause 8.2 (WKB; ISO codes for Z and M), PostGIS's EWKB flags, RFC 7946.

use thiserror::Error;

/// Why bytes are no geometry that GeoJSON can write.
#[derive(Debug, Error, PartialEq)]
pub enum WkbError {
    #[error("the WKB ends early")]
    EndsEarly,
    #[error("{0} bytes follow the WKB")]
    Rest(usize),
    #[error("WKB byte order {0} is neither 0 nor 1")]
    ByteOrder(u8),
    #[error("WKB type {0} has no GeoJSON form")]
    Type(u32),
    #[error("the WKB is nested too deep")]
    TooDeep,
    #[error("a part of a WKB geometry is of another kind than the whole, or has another byte order or dimension")]
    Part,
}

/// Depth of collections within collections.
const MAX_DEPTH: usize = 32;

/// Writes one geometry as GeoJSON. M values have no GeoJSON form and are left out; an empty point is `[]`.
pub fn write_geometry(wkb: &[u8], out: &mut Vec<u8>) -> Result<(), WkbError> {
    let mut reader = Reader { bytes: wkb, big_endian: false };
    reader.geometry(out, MAX_DEPTH)?;
    if reader.bytes.is_empty() { Ok(()) } else { Err(WkbError::Rest(reader.bytes.len())) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

/// Coordinates per position in the WKB, and how many of them are written.
#[derive(Clone, Copy)]
struct Dimensions {
    read: usize,
    written: usize,
}

impl Reader<'_> {
    fn geometry(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), WkbError> {
        let depth = depth.checked_sub(1).ok_or(WkbError::TooDeep)?;
        let (kind, dimensions) = self.header()?;
        let name = match kind {
            1 => "Point",
            2 => "LineString",
            3 => "Polygon",
            4 => "MultiPoint",
            5 => "MultiLineString",
            6 => "MultiPolygon",
            7 => "GeometryCollection",
            other => return Err(WkbError::Type(other)),
        };
        let member = if kind == 7 { "geometries" } else { "coordinates" };
        out.extend_from_slice(format!(r#"{{"type":"{name}","{member}":"#).as_bytes());
        if kind == 7 {
            self.list(out, |reader, out| reader.geometry(out, depth))?;
        } else {
            self.coordinates(kind, dimensions, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn coordinates(&mut self, kind: u32, dimensions: Dimensions, out: &mut Vec<u8>) -> Result<(), WkbError> {
        match kind {
            1 => self.position(dimensions, out),
            2 => self.list(out, |reader, out| reader.position(dimensions, out)),
            3 => self.list(out, |reader, out| reader.coordinates(2, dimensions, out)),
            // The parts of a Multi geometry are whole geometries of the kind three below.
            _ => self.list(out, |reader, out| match reader.header()? {
                (part, dimensions) if part + 3 == kind => reader.coordinates(part, dimensions, out),
                (part, _) => Err(WkbError::Type(part)),
            }),
        }
    }

    fn header(&mut self) -> Result<(u32, Dimensions), WkbError> {
        self.big_endian = match self.take::<1>()?[0] {
            0 => true,
            1 => false,
            other => return Err(WkbError::ByteOrder(other)),
        };
        let code = self.u32()?;
        let (z, m) = (code & 0x8000_0000 != 0, code & 0x4000_0000 != 0);
        if code & 0x2000_0000 != 0 {
            self.u32()?; // EWKB's SRID
        }
        let code = code & 0x0fff_ffff;
        let (z, m) = (z || matches!(code / 1000, 1 | 3), m || matches!(code / 1000, 2 | 3));
        let dimensions = Dimensions { read: 2 + usize::from(z) + usize::from(m), written: 2 + usize::from(z) };
        if code / 1000 > 3 { Err(WkbError::Type(code)) } else { Ok((code % 1000, dimensions)) }
    }

    fn list(
        &mut self,
        out: &mut Vec<u8>,
        mut element: impl FnMut(&mut Self, &mut Vec<u8>) -> Result<(), WkbError>,
    ) -> Result<(), WkbError> {
        out.push(b'[');
        for i in 0..self.u32()? {
            if i > 0 {
                out.push(b',');
            }
            element(self, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn position(&mut self, dimensions: Dimensions, out: &mut Vec<u8>) -> Result<(), WkbError> {
        let mut ordinates = [0.0; 4];
        for ordinate in ordinates.iter_mut().take(dimensions.read) {
            *ordinate = self.f64()?;
        }
        let ordinates = &ordinates[..dimensions.written];
        out.push(b'[');
        // All NaN is how WKB writes an empty point.
        if !ordinates.iter().all(|ordinate| ordinate.is_nan()) {
            for (i, ordinate) in ordinates.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                // A number into memory: nothing can fail. What is not finite becomes null, which the decoder refuses.
                let _ = serde_json::to_writer(&mut *out, ordinate);
            }
        }
        out.push(b']');
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], WkbError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(WkbError::EndsEarly)?;
        self.bytes = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, WkbError> {
        let bytes = self.take()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn f64(&mut self) -> Result<f64, WkbError> {
        let bytes = self.take()?;
        Ok(if self.big_endian { f64::from_be_bytes(bytes) } else { f64::from_le_bytes(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A geometry in WKB: numbers below 256 are counts and codes as u32, the rest is explicit.
    fn wkb(code: u32, parts: &[&[u8]]) -> Vec<u8> {
        [&[1][..], &code.to_le_bytes(), &parts.concat()].concat()
    }

    fn n(count: u32) -> [u8; 4] {
        count.to_le_bytes()
    }

    fn xy(values: &[f64]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn written(wkb: &[u8]) -> Result<String, WkbError> {
        let mut out = vec![];
        write_geometry(wkb, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_type_has_its_geojson() {
        let point = wkb(1, &[&xy(&[1.5, -2.0])]);
        let line = wkb(2, &[&n(2), &xy(&[0., 0., 1., 1.])]);
        let polygon = wkb(3, &[&n(1), &n(4), &xy(&[0., 0., 1., 0., 1., 1., 0., 0.])]);
        let cases = [
            (point.clone(), r#"{"type":"Point","coordinates":[1.5,-2.0]}"#),
            (line.clone(), r#"{"type":"LineString","coordinates":[[0.0,0.0],[1.0,1.0]]}"#),
            (polygon.clone(), r#"{"type":"Polygon","coordinates":[[[0.0,0.0],[1.0,0.0],[1.0,1.0],[0.0,0.0]]]}"#),
            (wkb(4, &[&n(1), &point]), r#"{"type":"MultiPoint","coordinates":[[1.5,-2.0]]}"#),
            (wkb(5, &[&n(1), &line]), r#"{"type":"MultiLineString","coordinates":[[[0.0,0.0],[1.0,1.0]]]}"#),
            (wkb(6, &[&n(0)]), r#"{"type":"MultiPolygon","coordinates":[]}"#),
            (
                wkb(7, &[&n(2), &point, &wkb(7, &[&n(0)])]),
                r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1.5,-2.0]},{"type":"GeometryCollection","geometries":[]}]}"#,
            ),
            (wkb(1, &[&xy(&[f64::NAN, f64::NAN])]), r#"{"type":"Point","coordinates":[]}"#),
            (wkb(1, &[&xy(&[f64::NAN, 2.0])]), r#"{"type":"Point","coordinates":[null,2.0]}"#),
        ];
        for (wkb, expected) in cases {
            assert_eq!(written(&wkb).unwrap(), expected);
        }
    }

    #[test]
    fn height_is_kept_and_measure_is_not() {
        let expected = r#"{"type":"Point","coordinates":[1.0,2.0,3.0]}"#;
        assert_eq!(written(&wkb(1001, &[&xy(&[1., 2., 3.])])).unwrap(), expected);
        assert_eq!(written(&wkb(0x8000_0001, &[&xy(&[1., 2., 3.])])).unwrap(), expected);
        assert_eq!(written(&wkb(3001, &[&xy(&[1., 2., 3., 4.])])).unwrap(), expected);
        let with_srid = wkb(0xa000_0001, &[&n(4326), &xy(&[1., 2., 3.])]);
        assert_eq!(written(&with_srid).unwrap(), expected);
        let big_endian = [&[0, 0, 0, 0, 1][..], &1f64.to_be_bytes(), &2f64.to_be_bytes()].concat();
        assert_eq!(written(&big_endian).unwrap(), r#"{"type":"Point","coordinates":[1.0,2.0]}"#);
    }

    #[test]
    fn what_is_no_wkb_is_an_error_and_never_a_panic() {
        let point = wkb(1, &[&xy(&[1., 2.])]);
        for end in 0..point.len() {
            assert_eq!(written(&point[..end]), Err(WkbError::EndsEarly));
        }
        assert_eq!(written(&[&point[..], &[0]].concat()), Err(WkbError::Rest(1)));
        assert_eq!(written(&[2, 1, 0, 0, 0]), Err(WkbError::ByteOrder(2)));
        assert_eq!(written(&wkb(17, &[])), Err(WkbError::Type(17)));
        assert_eq!(written(&wkb(4, &[&n(1), &wkb(3, &[&n(0)])])), Err(WkbError::Type(3)));
        let nested = (0..40).fold(wkb(7, &[&n(0)]), |inner, _| wkb(7, &[&n(1), &inner]));
        assert_eq!(written(&nested), Err(WkbError::TooDeep));
        // A count far beyond the bytes that follow
        assert_eq!(written(&wkb(2, &[&n(u32::MAX)])), Err(WkbError::EndsEarly));
    }
}
