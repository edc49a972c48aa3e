//! [`Frame`]: the bounds of a geometry in degrees of a plane.

use geo::{BoundingRect, Geometry, HasDimensions};

/// A box in degrees of a plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    pub xmin: f64,
    pub ymin: f64,
    pub xmax: f64,
    pub ymax: f64,
}

impl Frame {
    /// The bounds of a geometry's coordinates; `None` if it is empty, or one is not finite.
    pub fn of(geometry: &Geometry) -> Option<Self> {
        if geometry.is_empty() {
            return None;
        }
        let bounds = geometry.bounding_rect()?;
        let (min, max) = (bounds.min(), bounds.max());
        let frame = Self { xmin: min.x, ymin: min.y, xmax: max.x, ymax: max.y };
        frame.is_finite().then_some(frame)
    }

    /// In square degrees.
    pub(super) fn area(&self) -> f64 {
        (self.xmax - self.xmin) * (self.ymax - self.ymin)
    }

    fn is_finite(&self) -> bool {
        [self.xmin, self.ymin, self.xmax, self.ymax].iter().all(|side| side.is_finite())
    }

    /// The box with a margin that no rounding of a distance exceeds.
    pub(super) fn within(self, distance: f64) -> Option<Self> {
        let margin = distance + 1e-9 * (1.0 + distance);
        let frame = Self {
            xmin: self.xmin - margin,
            ymin: self.ymin - margin,
            xmax: self.xmax + margin,
            ymax: self.ymax + margin,
        };
        (distance >= 0.0 && frame.is_finite()).then_some(frame)
    }
}
