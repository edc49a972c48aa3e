//! [`CArray`]: an array, as C has it.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use arrow::array::{Array, ArrayData, StructArray, layout};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

/// `struct ArrowArray`.
#[repr(C)]
pub struct CArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut CArray,
    dictionary: *mut CArray,
    release: Option<unsafe extern "C" fn(*mut CArray)>,
    private_data: *mut c_void,
}

/// What the pointers of a [`CArray`] point at.
struct Owned {
    /// Keep the memory of `addresses`.
    _buffers: Vec<Option<Buffer>>,
    addresses: Box<[*const c_void]>,
    /// From `Box::into_raw`.
    children: Box<[*mut CArray]>,
    /// The same, or null.
    dictionary: *mut CArray,
}

// SAFETY: whoever has it owns all that it points at; buffers are shared between threads as they are.
unsafe impl Send for CArray {}

impl From<RecordBatch> for CArray {
    fn from(batch: RecordBatch) -> Self {
        Self::from_data(&StructArray::from(batch).into_data())
    }
}

impl CArray {
    fn from_data(data: &ArrayData) -> Self {
        let layout = layout(data.data_type());
        let mut buffers: Vec<Option<Buffer>> = vec![];
        if layout.can_contain_null_mask {
            buffers.push(data.nulls().map(|nulls| at_offset(nulls, data.offset())));
        }
        buffers.extend(data.buffers().iter().cloned().map(Some));
        if layout.variadic {
            // Of a view's buffers, how long they are is the last one.
            let lengths: Vec<i64> = data.buffers().iter().skip(1).map(|buffer| buffer.len() as i64).collect();
            buffers.push(Some(ScalarBuffer::from(lengths).into_inner()));
        }
        let own = |data: &ArrayData| Box::into_raw(Box::new(Self::from_data(data)));
        let (children, dictionary) = match data.data_type() {
            DataType::Dictionary(..) => (Box::default(), own(&data.child_data()[0])),
            _ => (data.child_data().iter().map(own).collect::<Box<_>>(), null_mut()),
        };
        let addresses = buffers.iter().map(|buffer| buffer.as_ref().map_or(null(), |buffer| buffer.as_ptr().cast()));
        let mut owned = Box::new(Owned { addresses: addresses.collect(), _buffers: buffers, children, dictionary });
        let null_count = if data.data_type().is_null() { data.len() } else { data.null_count() };
        Self {
            length: data.len() as i64,
            null_count: null_count as i64,
            offset: data.offset() as i64,
            n_buffers: owned.addresses.len() as i64,
            n_children: owned.children.len() as i64,
            buffers: owned.addresses.as_mut_ptr(),
            children: owned.children.as_mut_ptr(),
            dictionary: owned.dictionary,
            release: Some(release),
            private_data: Box::into_raw(owned).cast(),
        }
    }

    /// What comes behind the last array of a stream.
    pub fn released() -> Self {
        Self {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: null_mut(),
            children: null_mut(),
            dictionary: null_mut(),
            release: None,
            private_data: null_mut(),
        }
    }
}

impl Drop for CArray {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it has not been released; whoever takes it sets `release` to null where it was.
            unsafe { release(self) }
        }
    }
}

/// # Safety
/// `array` is one of ours, and has not been released.
unsafe extern "C" fn release(array: *mut CArray) {
    // SAFETY: `private_data` is the box of `from_data`, and so are the children's; an array is released once.
    unsafe {
        let array = &mut *array;
        let owned = Box::from_raw(array.private_data.cast::<Owned>());
        for child in &owned.children {
            drop(Box::from_raw(*child));
        }
        if !owned.dictionary.is_null() {
            drop(Box::from_raw(owned.dictionary));
        }
        array.release = None;
    }
}

/// The bits of `nulls` where an array that starts at `offset` has them: the interface has one offset for all buffers.
fn at_offset(nulls: &NullBuffer, offset: usize) -> Buffer {
    if nulls.offset() == offset {
        return nulls.buffer().clone();
    }
    let nulls = nulls.inner();
    if offset == 0 {
        return nulls.sliced();
    }
    let start = |i: usize| i >= offset && nulls.value(i - offset);
    BooleanBuffer::collect_bool(offset + nulls.len(), start).into_inner()
}
