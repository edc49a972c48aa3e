//! A small, seeded set of Items as ITS_LIVE has them: good, odd and bad ones, and the inventory that lists them.

mod objects;
mod projection;
mod scene;

pub use objects::{INVENTORY, write};
