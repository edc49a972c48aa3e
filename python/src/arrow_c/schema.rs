//! [`CSchema`]: a type or field, as C has it.

use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit, UnionMode};
use arrow::error::ArrowError;

const DICTIONARY_ORDERED: i64 = 1;
const NULLABLE: i64 = 2;
const MAP_KEYS_SORTED: i64 = 4;

/// `struct ArrowSchema`.
#[repr(C)]
pub struct CSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut CSchema,
    dictionary: *mut CSchema,
    release: Option<unsafe extern "C" fn(*mut CSchema)>,
    private_data: *mut c_void,
}

/// What the pointers of a [`CSchema`] point at.
struct Owned {
    _format: CString,
    _name: CString,
    _metadata: Vec<u8>,
    /// From `Box::into_raw`.
    children: Box<[*mut CSchema]>,
    /// The same, or null.
    dictionary: *mut CSchema,
}

// SAFETY: whoever has it owns all that it points at, and nothing there belongs to a thread.
unsafe impl Send for CSchema {}

impl CSchema {
    /// Of rows: a struct with a child for each column.
    ///
    /// # Errors
    /// A type that the interface does not have, and a name with a zero byte.
    pub fn from_schema(schema: &Schema) -> Result<Self, ArrowError> {
        Self::new("", &DataType::Struct(schema.fields().clone()), 0, schema.metadata())
    }

    fn from_field(field: &Field) -> Result<Self, ArrowError> {
        let nullable = if field.is_nullable() { NULLABLE } else { 0 };
        let ordered = if field.dict_is_ordered() == Some(true) { DICTIONARY_ORDERED } else { 0 };
        Self::new(field.name(), field.data_type(), nullable | ordered, field.metadata())
    }

    fn new<'a>(
        name: &str,
        data_type: &DataType,
        flags: i64,
        metadata: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self, ArrowError> {
        let sorted = if let DataType::Map(_, true) = data_type { MAP_KEYS_SORTED } else { 0 };
        let (format, name) = (text(&format(data_type)?)?, text(name)?);
        let metadata = encode(metadata)?;
        // All that can fail comes before the first raw pointer.
        let children = children(data_type).into_iter().map(Self::from_field).collect::<Result<Vec<_>, _>>()?;
        let dictionary = match data_type {
            DataType::Dictionary(_, values) => Some(Self::new("", values, NULLABLE, [])?),
            _ => None,
        };
        let mut owned = Box::new(Owned {
            children: children.into_iter().map(|child| Box::into_raw(Box::new(child))).collect(),
            dictionary: dictionary.map_or(null_mut(), |dictionary| Box::into_raw(Box::new(dictionary))),
            _format: format,
            _name: name,
            _metadata: metadata,
        });
        Ok(Self {
            format: owned._format.as_ptr(),
            name: owned._name.as_ptr(),
            metadata: if owned._metadata.is_empty() { null() } else { owned._metadata.as_ptr().cast() },
            flags: flags | sorted,
            n_children: owned.children.len() as i64,
            children: owned.children.as_mut_ptr(),
            dictionary: owned.dictionary,
            release: Some(release),
            private_data: Box::into_raw(owned).cast(),
        })
    }
}

impl Drop for CSchema {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it has not been released; whoever takes it sets `release` to null where it was.
            unsafe { release(self) }
        }
    }
}

/// # Safety
/// `schema` is one of ours, and has not been released.
unsafe extern "C" fn release(schema: *mut CSchema) {
    // SAFETY: `private_data` is the box of `new`, and so are the children's; a schema is released once.
    unsafe {
        let schema = &mut *schema;
        let owned = Box::from_raw(schema.private_data.cast::<Owned>());
        for child in &owned.children {
            drop(Box::from_raw(*child));
        }
        if !owned.dictionary.is_null() {
            drop(Box::from_raw(owned.dictionary));
        }
        schema.release = None;
    }
}

fn text(text: &str) -> Result<CString, ArrowError> {
    CString::new(text).map_err(|_| ArrowError::CDataInterface(format!("{text:?} has a zero byte, which C cannot take")))
}

fn children(data_type: &DataType) -> Vec<&Field> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => vec![item],
        DataType::Struct(fields) => fields.iter().map(AsRef::as_ref).collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field.as_ref()).collect(),
        DataType::RunEndEncoded(ends, values) => vec![ends, values],
        _ => vec![],
    }
}

/// Metadata: the number of pairs, and of each the lengths and bytes of key and value; nothing where there are none. In the
/// order of the keys, so that it is the same every time.
fn encode<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Result<Vec<u8>, ArrowError> {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    if pairs.is_empty() {
        return Ok(vec![]);
    }
    pairs.sort_unstable();
    let length = |length: usize| {
        let length = i32::try_from(length).map(i32::to_ne_bytes);
        length.map_err(|_| ArrowError::CDataInterface("metadata of a column is longer than 2 GB".to_owned()))
    };
    let mut bytes = length(pairs.len())?.to_vec();
    for text in pairs.into_iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend(length(text.len())?);
        bytes.extend(text.as_bytes());
    }
    Ok(bytes)
}

/// The interface's name of a type.
fn format(data_type: &DataType) -> Result<String, ArrowError> {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 's',
        TimeUnit::Millisecond => 'm',
        TimeUnit::Microsecond => 'u',
        TimeUnit::Nanosecond => 'n',
    };
    let plain = match data_type {
        DataType::Null => "n",
        DataType::Boolean => "b",
        DataType::Int8 => "c",
        DataType::UInt8 => "C",
        DataType::Int16 => "s",
        DataType::UInt16 => "S",
        DataType::Int32 => "i",
        DataType::UInt32 => "I",
        DataType::Int64 => "l",
        DataType::UInt64 => "L",
        DataType::Float16 => "e",
        DataType::Float32 => "f",
        DataType::Float64 => "g",
        DataType::Binary => "z",
        DataType::LargeBinary => "Z",
        DataType::BinaryView => "vz",
        DataType::Utf8 => "u",
        DataType::LargeUtf8 => "U",
        DataType::Utf8View => "vu",
        DataType::Date32 => "tdD",
        DataType::Date64 => "tdm",
        DataType::Interval(IntervalUnit::YearMonth) => "tiM",
        DataType::Interval(IntervalUnit::DayTime) => "tiD",
        DataType::Interval(IntervalUnit::MonthDayNano) => "tin",
        DataType::List(_) => "+l",
        DataType::LargeList(_) => "+L",
        DataType::ListView(_) => "+vl",
        DataType::LargeListView(_) => "+vL",
        DataType::Struct(_) => "+s",
        DataType::Map(..) => "+m",
        DataType::RunEndEncoded(..) => "+r",
        DataType::Dictionary(keys, _) => return format(keys),
        DataType::Time32(of) | DataType::Time64(of) => return Ok(format!("tt{}", unit(of))),
        DataType::Duration(of) => return Ok(format!("tD{}", unit(of))),
        DataType::Timestamp(of, zone) => return Ok(format!("ts{}:{}", unit(of), zone.as_deref().unwrap_or_default())),
        DataType::Decimal32(precision, scale) => return Ok(format!("d:{precision},{scale},32")),
        DataType::Decimal64(precision, scale) => return Ok(format!("d:{precision},{scale},64")),
        DataType::Decimal128(precision, scale) => return Ok(format!("d:{precision},{scale}")),
        DataType::Decimal256(precision, scale) => return Ok(format!("d:{precision},{scale},256")),
        DataType::FixedSizeBinary(bytes) => return Ok(format!("w:{bytes}")),
        DataType::FixedSizeList(_, items) => return Ok(format!("+w:{items}")),
        DataType::Union(fields, mode) => {
            let ids: Vec<_> = fields.iter().map(|(id, _)| id.to_string()).collect();
            let mode = if *mode == UnionMode::Dense { 'd' } else { 's' };
            return Ok(format!("+u{mode}:{}", ids.join(",")));
        }
        #[allow(unreachable_patterns)] // Arrow may get types that the interface does not have.
        other => return Err(ArrowError::CDataInterface(format!("{other} is not a type of the C data interface"))),
    };
    Ok(plain.to_owned())
}
