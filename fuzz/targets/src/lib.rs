//! What the fuzz targets do with their input, one file per kind of input.
//!
//! Each is a plain function of bytes that panics where something is wrong: not only that nothing crashes, but that what
//! is read is what another reader reads, and that what is written is read again. libFuzzer calls them from
//! `fuzz/fuzz_targets`, and `tests/stable.rs` with a mutator of its own.

use std::cell::Cell;

mod inventory;
mod item;
mod item_collection;
mod manifest;
mod script;
mod search;
mod small_parquet;
mod stac_geoparquet;
mod wkb;

pub mod seeds;

pub use inventory::{fuzz_inventory_csv, fuzz_inventory_manifest};
pub use item::fuzz_item;
pub use item_collection::fuzz_item_collection;
pub use manifest::fuzz_manifest;
pub use script::fuzz_script;
pub use search::fuzz_search;
pub use small_parquet::fuzz_small_parquet;
pub use stac_geoparquet::fuzz_stac_geoparquet;
pub use wkb::fuzz_wkb;

/// A target, and its name, which is that of its folder in the corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 10] = [
    ("item", fuzz_item),
    ("item_collection", fuzz_item_collection),
    ("wkb", fuzz_wkb),
    ("stac_geoparquet", fuzz_stac_geoparquet),
    ("inventory_csv", fuzz_inventory_csv),
    ("inventory_manifest", fuzz_inventory_manifest),
    ("manifest", fuzz_manifest),
    ("small_parquet", fuzz_small_parquet),
    ("script", fuzz_script),
    ("search", fuzz_search),
];

thread_local! {
    static UNMEASURED: Cell<bool> = const { Cell::new(false) };
    static IN_LIBRARY: Cell<bool> = const { Cell::new(false) };
}

/// From here to the next input, what is in use is not ours, but that of the library that we are compared with.
fn not_ours_from_here() {
    UNMEASURED.set(true);
}

/// Whether what is in use belongs to a library that we are compared with.
pub fn is_unmeasured() -> bool {
    UNMEASURED.try_with(Cell::get).unwrap_or_default()
}

/// Whether a library is at work whose panics are not told.
pub fn is_in_library() -> bool {
    IN_LIBRARY.get()
}

/// Another input begins.
pub fn measure() {
    UNMEASURED.set(false);
}

/// What a library makes of bytes; `None` if it refuses them, or panics, which is its own matter.
fn caught<T>(library: impl FnOnce() -> Option<T>) -> Option<T> {
    IN_LIBRARY.set(true);
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(library)).ok().flatten();
    IN_LIBRARY.set(false);
    made
}
