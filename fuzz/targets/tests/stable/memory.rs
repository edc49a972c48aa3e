//! Counts the bytes that a thread has in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static IN_USE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with a count.
pub struct Counting;

fn add(bytes: isize) {
    // A thread that ends has nothing to count with any more.
    let _ = IN_USE.try_with(|in_use| {
        in_use.set(in_use.get() + bytes);
        if !earthcatalog_fuzz_targets::is_unmeasured() {
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(in_use.get())));
        }
    });
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: as of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: as of the caller.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: as of the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        // SAFETY: as of the caller.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Bytes in use now; the peak starts from here.
pub fn start() -> isize {
    PEAK.set(IN_USE.get());
    IN_USE.get()
}

/// The most bytes in use since [`start`].
pub fn peak() -> isize {
    PEAK.get()
}
