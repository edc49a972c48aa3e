//! The H3 cells that a footprint touches.
//!
//! Footprint edges are straight in longitude and latitude (RFC 7946, section 3.1.1), however long; cell edges are
//! geodesics.
//! A cell belongs to the cover of a footprint if the two share at least a point: the footprint's edges are followed
//! from cell to neighbouring cell on the sphere, where neither the poles nor the antimeridian are special, and the
//! cells within are filled in from the edges.
//!
//! Most tools that cut polygons into cells draw the edges of a cell straight in longitude and latitude as well. For
//! polygons a cell therefore also belongs to the cover if its shape drawn that way touches the footprint, so that a
//! reader who asks with the cells of such a tool finds every Item. The two shapes differ by slivers along the edges.

mod cell;
mod count;
mod coverer;
mod curve;
mod footprint;
mod ring;

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod odd_footprints;
#[cfg(test)]
mod real_footprints;

pub use count::CellCount;
pub use coverer::{CoverError, Coverer, MAX_CELLS};
pub use footprint::{Footprint, FootprintError};
