//! [`CStream`]: batches one after the other, as C asks for them.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{CArray, CSchema};

/// The code of an error of input or output, on every Unix and on Windows.
const EIO: c_int = 5;

/// Where the batches of a [`CStream`] come from.
pub trait BatchSource: Send + 'static {
    fn schema(&self) -> SchemaRef;

    /// Waits for the next batch; `None` behind the last one. An error is what the reader is told.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, String>;
}

/// `struct ArrowArrayStream`.
#[repr(C)]
pub struct CStream {
    get_schema: Option<unsafe extern "C" fn(*mut CStream, *mut CSchema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut CStream, *mut CArray) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut CStream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut CStream)>,
    private_data: *mut c_void,
}

struct Owned {
    source: Box<dyn BatchSource>,
    last_error: Option<CString>,
}

// SAFETY: whoever has it owns the source, which may go to another thread.
unsafe impl Send for CStream {}

impl CStream {
    pub fn new(source: impl BatchSource) -> Self {
        let owned = Owned { source: Box::new(source), last_error: None };
        Self {
            get_schema: Some(get_schema),
            get_next: Some(get_next),
            get_last_error: Some(get_last_error),
            release: Some(release),
            private_data: Box::into_raw(Box::new(owned)).cast(),
        }
    }
}

impl Drop for CStream {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it has not been released; whoever takes it sets `release` to null where it was.
            unsafe { release(self) }
        }
    }
}

impl Owned {
    /// Has `what` fill `out`; the code of the interface for how that went. No panic goes up into C.
    ///
    /// # Safety
    /// `out` can be written to, and what it holds need not be freed.
    unsafe fn give<T>(&mut self, out: *mut T, what: impl FnOnce(&mut dyn BatchSource) -> Result<T, String>) -> c_int {
        let source = self.source.as_mut();
        let given = catch_unwind(AssertUnwindSafe(|| what(source)));
        match given.unwrap_or_else(|_| Err("the engine panicked; standard error has the message".to_owned())) {
            Ok(value) => {
                // SAFETY: the caller's.
                unsafe { out.write(value) };
                0
            }
            Err(error) => {
                self.last_error = CString::new(error.replace('\0', " ")).ok();
                EIO
            }
        }
    }
}

/// # Safety
/// `stream` is one of ours and has not been released; the same holds for the other functions.
unsafe fn owned<'a>(stream: *mut CStream) -> &'a mut Owned {
    // SAFETY: `private_data` is the box of `new`; the interface forbids two calls at a time.
    unsafe { &mut *(*stream).private_data.cast::<Owned>() }
}

unsafe extern "C" fn get_schema(stream: *mut CStream, out: *mut CSchema) -> c_int {
    let schema = |source: &mut dyn BatchSource| CSchema::from_schema(&source.schema()).map_err(|e| e.to_string());
    // SAFETY: `out` is the caller's, and not filled yet.
    unsafe { owned(stream).give(out, schema) }
}

unsafe extern "C" fn get_next(stream: *mut CStream, out: *mut CArray) -> c_int {
    let next = |source: &mut dyn BatchSource| Ok(source.next_batch()?.map_or_else(CArray::released, CArray::from));
    // SAFETY: `out` is the caller's, and not filled yet.
    unsafe { owned(stream).give(out, next) }
}

unsafe extern "C" fn get_last_error(stream: *mut CStream) -> *const c_char {
    // SAFETY: as above; the text stays until the next error.
    unsafe { owned(stream) }.last_error.as_ref().map_or(null(), |error| error.as_ptr())
}

unsafe extern "C" fn release(stream: *mut CStream) {
    // SAFETY: `private_data` is the box of `new`, and a stream is released once.
    unsafe {
        let stream = &mut *stream;
        drop(Box::from_raw(stream.private_data.cast::<Owned>()));
        stream.release = None;
    }
}
