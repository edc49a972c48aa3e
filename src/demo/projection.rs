//! The map projections on which image pairs are gridded, on a sphere: shapes are right to some per mille, and there and
//! back again is exact.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

/// Mean radius of the Earth in metres.
const RADIUS: f64 = 6_371_008.8;

/// A map projection, metres on both axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Projection {
    /// EPSG:3413, the Arctic: polar stereographic, 45° W downwards.
    North,
    /// EPSG:3031, the Antarctic: polar stereographic, Greenwich upwards.
    South,
    /// A zone of UTM, 1 to 60; transverse Mercator around its central meridian.
    Utm { zone: u8, south: bool },
}

impl Projection {
    /// The zone of UTM around a place.
    pub(super) fn utm(longitude: f64, latitude: f64) -> Self {
        let zone = (((longitude + 180.0) / 6.0).floor() as i64).rem_euclid(60) as u8 + 1;
        Self::Utm { zone, south: latitude < 0.0 }
    }

    /// `proj:code` of a grid in this projection.
    pub(super) fn code(self) -> String {
        match self {
            Self::North => "EPSG:3413".to_owned(),
            Self::South => "EPSG:3031".to_owned(),
            Self::Utm { zone, south } => format!("EPSG:32{}{zone:02}", if south { 7 } else { 6 }),
        }
    }

    /// Degrees to metres.
    pub(super) fn forward(self, longitude: f64, latitude: f64) -> (f64, f64) {
        let phi = latitude.to_radians();
        let lambda = (longitude - self.meridian()).to_radians();
        match self {
            Self::North | Self::South => {
                let pole = if self == Self::North { 1.0 } else { -1.0 };
                let r = 2.0 * RADIUS * (FRAC_PI_4 - pole * phi / 2.0).tan();
                (r * lambda.sin(), -pole * r * lambda.cos())
            }
            Self::Utm { .. } => {
                let x = RADIUS * (phi.cos() * lambda.sin()).atanh();
                (x, RADIUS * phi.tan().atan2(lambda.cos()))
            }
        }
    }

    /// Metres to degrees; longitudes are from -180 to 180, so that a shape over the antimeridian jumps.
    pub(super) fn inverse(self, x: f64, y: f64) -> (f64, f64) {
        let (lambda, phi) = match self {
            Self::North | Self::South => {
                let pole = if self == Self::North { 1.0 } else { -1.0 };
                let angle = 2.0 * (x.hypot(y) / (2.0 * RADIUS)).atan();
                (x.atan2(-pole * y), pole * (FRAC_PI_2 - angle))
            }
            Self::Utm { .. } => {
                let (x, y) = (x / RADIUS, y / RADIUS);
                (x.sinh().atan2(y.cos()), (y.sin() / x.cosh()).asin())
            }
        };
        let longitude = (lambda.to_degrees() + self.meridian() + 180.0).rem_euclid(360.0) - 180.0;
        (longitude, phi.to_degrees())
    }

    fn meridian(self) -> f64 {
        match self {
            Self::North => -45.0,
            Self::South => 0.0,
            Self::Utm { zone, .. } => f64::from(zone) * 6.0 - 183.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_again() {
        for (longitude, latitude) in [(-49.8, 69.2), (179.9, 71.0), (-100.0, 82.0), (0.0, 60.0)] {
            for (projection, latitude) in [
                (Projection::North, latitude),
                (Projection::South, -latitude),
                (Projection::utm(longitude, latitude), latitude),
            ] {
                let (x, y) = projection.forward(longitude, latitude);
                let (lon, lat) = projection.inverse(x, y);
                assert!((lon - longitude).abs() < 1e-9 && (lat - latitude).abs() < 1e-9, "{projection:?}: {lon} {lat}");
            }
        }
    }

    #[test]
    fn zones_and_codes_are_epsgs() {
        assert_eq!(Projection::utm(75.0, 35.0).code(), "EPSG:32643");
        assert_eq!(Projection::utm(-73.0, -49.0).code(), "EPSG:32718");
        assert_eq!(Projection::North.code(), "EPSG:3413");
    }

    #[test]
    fn a_degree_of_latitude_is_111_kilometres() {
        let (_, south) = Projection::utm(75.0, 35.0).forward(75.0, 35.0);
        let (_, north) = Projection::utm(75.0, 35.0).forward(75.0, 36.0);
        assert!((north - south - 111_195.0).abs() < 100.0, "{}", north - south);
    }
}
