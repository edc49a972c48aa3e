//! Reads what [`super::plain`] writes: the body of a page, into the columns of a batch that is being made.
//!
//! A page is read to its last byte: what is left over is as wrong as what is missing.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, GenericByteArray, ListBuilder, NullBufferBuilder, PrimitiveBuilder,
    StringViewBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, BinaryType, ByteArrayType, DataType, FieldRef, Fields, Float32Type, Float64Type, Int32Type,
    Int64Type, TimestampMicrosecondType, Utf8Type,
};

use super::error::{Error, Result};
use super::thrift::Reader;

/// Bytes of a buffer of texts in a list, which are short.
const LIST_BLOCK: u32 = 16 << 10;

/// A column of a batch that is being made.
#[derive(Debug)]
pub enum ColumnBuilder {
    Boolean(BooleanBuilder),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>),
    Text(ByteValues),
    Binary(ByteValues),
    /// A nullable struct of required doubles.
    Struct {
        fields: Fields,
        children: Vec<Vec<f64>>,
        valid: NullBufferBuilder,
        /// Of the page of the first child: which values are there.
        present: Vec<bool>,
    },
    /// A nullable list of nullable texts.
    List(ListBuilder<StringViewBuilder>),
}

impl ColumnBuilder {
    /// An error for a type that no column of table `items` has.
    pub fn try_new(field: &FieldRef) -> Result<Self> {
        Ok(match field.data_type() {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int32 => Self::Int32(PrimitiveBuilder::new()),
            DataType::Int64 => Self::Int64(PrimitiveBuilder::new()),
            DataType::Float32 => Self::Float32(PrimitiveBuilder::new()),
            DataType::Float64 => Self::Float64(PrimitiveBuilder::new()),
            time @ DataType::Timestamp(..) => Self::Timestamp(PrimitiveBuilder::new().with_data_type(time.clone())),
            DataType::Utf8 => Self::Text(ByteValues::default()),
            DataType::Binary => Self::Binary(ByteValues::default()),
            DataType::Struct(fields) if fields.iter().all(|f| f.data_type() == &DataType::Float64) => Self::Struct {
                fields: fields.clone(),
                children: vec![vec![]; fields.len()],
                valid: NullBufferBuilder::new(0),
                present: vec![],
            },
            DataType::List(element) if element.data_type() == &DataType::Utf8View => {
                let texts = StringViewBuilder::new().with_fixed_block_size(LIST_BLOCK);
                Self::List(ListBuilder::new(texts).with_field(Arc::clone(element)))
            }
            other => return Err(Error::UnsupportedType { column: field.name().clone(), data_type: other.clone() }),
        })
    }

    /// Appends the values of a page, which are so many rows. `optional` says whether it has definition levels; `child`
    /// is that of a struct. `None` if the page is malformed.
    pub fn append(&mut self, page: &[u8], values: usize, rows: usize, optional: bool, child: usize) -> Option<()> {
        if let Self::List(list) = self {
            let before = list.len();
            append_list(list, page, values)?;
            return (list.len() - before == rows).then_some(());
        }
        if values != rows {
            return None;
        }
        let mut rest = page;
        let levels = if optional { Levels::read(&mut rest, values, 1)? } else { Levels::Uniform(1) };
        let present = |i: usize| levels.at(i) == 1;
        match self {
            Self::Boolean(column) => {
                let mut n = 0;
                for i in 0..values {
                    if present(i) {
                        column.append_value(rest.get(n / 8)? >> (n % 8) & 1 == 1);
                        n += 1;
                    } else {
                        column.append_null();
                    }
                }
                rest = rest.get(n.div_ceil(8)..)?;
            }
            Self::Int32(column) => append_primitives(column, &mut rest, values, present, i32::from_le_bytes)?,
            Self::Int64(column) => append_primitives(column, &mut rest, values, present, i64::from_le_bytes)?,
            Self::Float32(column) => append_primitives(column, &mut rest, values, present, f32::from_le_bytes)?,
            Self::Float64(column) => append_primitives(column, &mut rest, values, present, f64::from_le_bytes)?,
            Self::Timestamp(column) => append_primitives(column, &mut rest, values, present, i64::from_le_bytes)?,
            Self::Text(column) | Self::Binary(column) => {
                for i in 0..values {
                    column.push(if present(i) { Some(read_bytes(&mut rest)?) } else { None })?;
                }
            }
            Self::Struct { children, valid, present: of_first, .. } => {
                let column = children.get_mut(child)?;
                if child == 0 {
                    of_first.clear();
                    of_first.extend((0..values).map(present));
                    of_first.iter().for_each(|present| valid.append(*present));
                } else if of_first.len() != values || (0..values).any(|i| of_first[i] != present(i)) {
                    // The struct is there, or it is not.
                    return None;
                }
                for i in 0..values {
                    column.push(if present(i) { read_value(&mut rest).map(f64::from_le_bytes)? } else { 0.0 });
                }
            }
            Self::List(_) => return None,
        }
        rest.is_empty().then_some(())
    }

    /// The column so far; the builder is empty again.
    pub fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Int32(column) => Arc::new(column.finish()),
            Self::Int64(column) => Arc::new(column.finish()),
            Self::Float32(column) => Arc::new(column.finish()),
            Self::Float64(column) => Arc::new(column.finish()),
            Self::Timestamp(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish::<Utf8Type>()?),
            Self::Binary(column) => Arc::new(column.finish::<BinaryType>()?),
            Self::Struct { fields, children, valid, .. } => {
                let column = |values: &mut Vec<f64>| -> ArrayRef {
                    Arc::new(arrow::array::Float64Array::from(std::mem::take(values)))
                };
                let columns = children.iter_mut().map(column).collect();
                Arc::new(StructArray::try_new(fields.clone(), columns, valid.finish())?)
            }
            Self::List(column) => Arc::new(column.finish()),
        })
    }
}

/// A column of texts or byte strings.
#[derive(Debug)]
pub struct ByteValues {
    offsets: Vec<i32>,
    values: Vec<u8>,
    valid: NullBufferBuilder,
}

impl Default for ByteValues {
    fn default() -> Self {
        Self { offsets: vec![0], values: vec![], valid: NullBufferBuilder::new(0) }
    }
}

impl ByteValues {
    /// `None` if there is no room for the value: offsets count to 2 GiB.
    fn push(&mut self, value: Option<&[u8]>) -> Option<()> {
        self.values.extend_from_slice(value.unwrap_or_default());
        self.offsets.push(i32::try_from(self.values.len()).ok()?);
        self.valid.append(value.is_some());
        Some(())
    }

    /// An error if a text is not UTF-8.
    fn finish<T: ByteArrayType<Offset = i32>>(&mut self) -> Result<GenericByteArray<T>> {
        let Self { offsets, mut values, mut valid } = std::mem::take(self);
        values.shrink_to_fit();
        Ok(GenericByteArray::try_new(OffsetBuffer::new(offsets.into()), values.into(), valid.finish())?)
    }
}

fn append_primitives<T: ArrowPrimitiveType, const N: usize>(
    column: &mut PrimitiveBuilder<T>,
    bytes: &mut &[u8],
    values: usize,
    present: impl Fn(usize) -> bool,
    value: fn([u8; N]) -> T::Native,
) -> Option<()> {
    for i in 0..values {
        match present(i) {
            true => column.append_value(value(read_value(bytes)?)),
            false => column.append_null(),
        }
    }
    Some(())
}

/// Levels of a list's elements: see [`super::plain`], which writes them.
fn append_list(list: &mut ListBuilder<StringViewBuilder>, mut page: &[u8], values: usize) -> Option<()> {
    let repetition = Levels::read(&mut page, values, 1)?;
    let definition = Levels::read(&mut page, values, 2)?;
    for i in 0..values {
        let continues = repetition.at(i) == 1;
        // What continues a list follows an element of it, at the start of a page as anywhere.
        if continues && (i == 0 || definition.at(i - 1) < 2) {
            return None;
        }
        if i > 0 && !continues {
            list.append(definition.at(i - 1) > 0);
        }
        match definition.at(i) {
            0 | 1 if !continues => {}
            2 => list.values().append_null(),
            3 => list.values().append_value(str::from_utf8(read_bytes(&mut page)?).ok()?),
            _ => return None,
        }
    }
    if values > 0 {
        list.append(definition.at(values - 1) > 0);
    }
    page.is_empty().then_some(())
}

/// Levels of the values of a page.
enum Levels {
    /// All the same.
    Uniform(u8),
    Each(Vec<u8>),
}

impl Levels {
    /// Takes the levels of so many values from the front of `page`: their length, and runs of an RLE / bit-packing
    /// hybrid.
    fn read(page: &mut &[u8], values: usize, bit_width: u32) -> Option<Self> {
        let (length, rest) = page.split_first_chunk::<4>()?;
        let (runs, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *page = rest;
        let mut reader = Reader::new(runs);
        let greatest = if bit_width == 1 { 1 } else { 3 };
        let mut levels: Vec<u8> = vec![];
        while levels.len() < values {
            let header = reader.varint()?;
            let n = usize::try_from(header >> 1).ok()?;
            if header & 1 == 0 {
                let level = runs.get(reader.at).copied().filter(|level| *level <= greatest)?;
                reader.at += 1;
                if levels.is_empty() && n >= values {
                    return (reader.at == runs.len()).then_some(Self::Uniform(level));
                }
                levels.extend(std::iter::repeat_n(level, n.min(values - levels.len())));
            } else {
                // Groups of 8 values of `bit_width` bits.
                let packed = runs.get(reader.at..)?.get(..n.checked_mul(bit_width as usize)?)?;
                reader.at += packed.len();
                let per_byte = 8 / bit_width as usize;
                let unpack =
                    |i: usize| packed[i / per_byte] >> (i % per_byte * bit_width as usize) & ((1 << bit_width) - 1);
                levels.extend((0..(n * 8).min(values - levels.len())).map(unpack));
            }
        }
        (reader.at == runs.len()).then_some(Self::Each(levels))
    }

    fn at(&self, i: usize) -> u8 {
        match self {
            Self::Uniform(level) => *level,
            Self::Each(levels) => levels[i],
        }
    }
}

fn read_value<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (value, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*value)
}

fn read_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(read_value(bytes)?) as usize;
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(value)
}
