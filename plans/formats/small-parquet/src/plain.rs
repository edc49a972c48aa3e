//! The body of a Parquet data page: levels and PLAIN values of one leaf column, with its null count and bounds.
//!
//! Source: Apache Parquet's `Encodings.md` (PLAIN, RLE / bit-packing hybrid) and Dremel levels of one optional column,
//! of a required child of an optional struct, and of an optional list of optional elements.

use arrow::array::{Array, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    BinaryViewType, ByteViewType, DataType, Float32Type, Float64Type, Int32Type, Int64Type, StringViewType, TimeUnit,
    TimestampMicrosecondType, ToByteSlice,
};
use arrow::error::ArrowError;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::error::{Error, Result};
use super::thrift::put_varint;

/// Where a leaf column's values are in a batch of rows, and whether they can be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafPath {
    /// A column. Two levels if `optional`, else none.
    Column { column: usize, optional: bool },
    /// A required child of an optional struct: two levels.
    Child { column: usize, child: usize },
    /// The optional elements of an optional list.
    Element { column: usize },
}

/// Text bounds of more bytes are cut, as parquet's own writer does.
const BOUND_BYTES: usize = 64;

/// The body of a page, in the making. Its buffers are used again for the next one.
#[derive(Debug, Default)]
pub struct PlainPage {
    /// Levels and values.
    pub bytes: Vec<u8>,
    /// Nulls included; more or fewer than rows in a list.
    pub values: usize,
    pub nulls: usize,
    levels: Vec<u8>,
}

impl PlainPage {
    /// Encodes the values of a leaf in `rows`. The statistics have a least and a greatest value if `bounded`.
    pub fn encode(&mut self, leaf: LeafPath, rows: &[RecordBatch], bounded: bool) -> Result<Statistics> {
        self.bytes.clear();
        self.levels.clear();
        match leaf {
            LeafPath::Column { column, optional } => {
                let arrays: Vec<_> = rows.iter().map(|rows| (rows.column(column).as_ref(), None)).collect();
                self.encode_flat(&arrays, optional, bounded)
            }
            LeafPath::Child { column, child } => {
                let structs = rows.iter().map(|rows| rows.column(column).as_struct());
                let arrays: Vec<_> = structs.map(|s| (s.column(child).as_ref(), s.nulls())).collect();
                self.encode_flat(&arrays, true, bounded)
            }
            LeafPath::Element { column } => self.encode_list(column, rows),
        }
    }

    /// Each array comes with the nulls of its parent.
    fn encode_flat(
        &mut self,
        arrays: &[(&dyn Array, Option<&NullBuffer>)],
        optional: bool,
        bounded: bool,
    ) -> Result<Statistics> {
        self.values = arrays.iter().map(|(array, _)| array.len()).sum();
        let nulls: Vec<_> = arrays.iter().map(|(array, parent)| NullBuffer::union(array.nulls(), *parent)).collect();
        self.nulls = nulls.iter().flatten().map(NullBuffer::null_count).sum();
        if optional {
            match self.nulls {
                0 => self.put_uniform_levels(1),
                nulls if nulls == self.values => self.put_uniform_levels(0),
                _ => {
                    for ((array, _), nulls) in arrays.iter().zip(&nulls) {
                        match nulls {
                            Some(nulls) => self.levels.extend(nulls.iter().map(u8::from)),
                            None => self.levels.extend(std::iter::repeat_n(1, array.len())),
                        }
                    }
                    self.put_levels(1);
                }
            }
        } else if self.nulls > 0 {
            return Err(Error::Nulls(self.nulls));
        }
        let values = arrays.iter().zip(&nulls).map(|((array, _), nulls)| (*array, nulls.as_ref()));
        self.put_values(values, bounded)
    }

    fn encode_list(&mut self, column: usize, rows: &[RecordBatch]) -> Result<Statistics> {
        let lists: Vec<_> = rows.iter().map(|rows| rows.column(column).as_list::<i32>()).collect();
        let mut definition = vec![];
        let mut elements = vec![];
        for list in &lists {
            for row in 0..list.len() {
                let element = list.values();
                let range = list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
                // 0: null, 1: empty, 2: a null element, 3: an element.
                if list.is_null(row) || range.is_empty() {
                    self.levels.push(0);
                    definition.push(u8::from(list.is_valid(row)));
                    continue;
                }
                for i in range.clone() {
                    self.levels.push(u8::from(i > range.start));
                    definition.push(2 + u8::from(element.is_valid(i)));
                }
                elements.push(element.slice(range.start, range.len()));
            }
        }
        self.values = definition.len();
        self.nulls = definition.iter().filter(|level| **level < 3).count();
        self.put_levels(1);
        self.levels = definition;
        self.put_levels(2);
        self.put_values(elements.iter().map(|array| (array.as_ref(), array.nulls())), false)
    }

    /// `self.levels` as an RLE / bit-packing hybrid with its length in front, as in data page version 1.
    fn put_levels(&mut self, bit_width: u32) {
        if let Some(first) = self.levels.first().copied()
            && self.levels.iter().all(|level| *level == first)
        {
            return self.put_uniform_levels(first);
        }
        let groups = self.levels.len().div_ceil(8);
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        put_varint(&mut self.bytes, (groups as u64) << 1 | 1);
        for group in self.levels.chunks(8) {
            let packed = group.iter().rev().fold(0_u64, |packed, level| packed << bit_width | u64::from(*level));
            // A group of 8 values takes `bit_width` bytes; a short last one is padded with zeros.
            self.bytes.extend(&packed.to_le_bytes()[..bit_width as usize]);
        }
        let length = (self.bytes.len() - start - 4) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// As many levels as there are values, all of them `level`: one run.
    fn put_uniform_levels(&mut self, level: u8) {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        put_varint(&mut self.bytes, (self.values as u64) << 1);
        // Values of up to 8 bits take a byte.
        self.bytes.push(level);
        let length = (self.bytes.len() - start - 4) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn put_values<'a>(
        &mut self,
        arrays: impl Iterator<Item = (&'a dyn Array, Option<&'a NullBuffer>)>,
        bounded: bool,
    ) -> Result<Statistics> {
        let nulls = Some(self.nulls as u64);
        let mut arrays = arrays.peekable();
        let Some((first, _)) = arrays.peek() else {
            return Ok(Statistics::byte_array(None, None, None, nulls, false));
        };
        Ok(match first.data_type() {
            DataType::Boolean => {
                let (min, max) = self.put_booleans(arrays).unzip();
                Statistics::boolean(min, max, None, nulls, false)
            }
            DataType::Int32 => {
                let (min, max) = self.put_primitives::<Int32Type>(arrays).unzip();
                Statistics::int32(min, max, None, nulls, false)
            }
            DataType::Int64 => {
                let (min, max) = self.put_primitives::<Int64Type>(arrays).unzip();
                Statistics::int64(min, max, None, nulls, false)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let (min, max) = self.put_primitives::<TimestampMicrosecondType>(arrays).unzip();
                Statistics::int64(min, max, None, nulls, false)
            }
            // Both zeros compare as equal, so the bounds are made to hold both (parquet.thrift, ColumnOrder).
            DataType::Float32 => {
                let (min, max) = self.put_primitives::<Float32Type>(arrays).unzip();
                Statistics::float(
                    min.map(|v| if v == 0.0 { -0.0 } else { v }),
                    max.map(|v| v + 0.0),
                    None,
                    nulls,
                    false,
                )
            }
            DataType::Float64 => {
                let (min, max) = self.put_primitives::<Float64Type>(arrays).unzip();
                Statistics::double(
                    min.map(|v| if v == 0.0 { -0.0 } else { v }),
                    max.map(|v| v + 0.0),
                    None,
                    nulls,
                    false,
                )
            }
            DataType::Utf8View => {
                let range = self.put_bytes::<StringViewType>(arrays, bounded);
                Statistics::ByteArray(text_statistics(range, nulls))
            }
            DataType::BinaryView => {
                self.put_bytes::<BinaryViewType>(arrays, false);
                Statistics::byte_array(None, None, None, nulls, false)
            }
            other => {
                return Err(ArrowError::NotYetImplemented(format!("small files have no column of type {other}")).into());
            }
        })
    }

    fn put_primitives<'a, T: ArrowPrimitiveType>(
        &mut self,
        arrays: impl Iterator<Item = (&'a dyn Array, Option<&'a NullBuffer>)>,
    ) -> Option<(T::Native, T::Native)> {
        let mut range = None;
        for (array, nulls) in arrays {
            let values: &[T::Native] = array.as_primitive::<T>().values();
            match nulls {
                None => {
                    self.bytes.extend_from_slice(values.to_byte_slice());
                    values.iter().for_each(|value| widen(&mut range, *value));
                }
                Some(nulls) => {
                    for i in nulls.valid_indices() {
                        self.bytes.extend_from_slice(values[i].to_byte_slice());
                        widen(&mut range, values[i]);
                    }
                }
            }
        }
        range
    }

    fn put_booleans<'a>(
        &mut self,
        arrays: impl Iterator<Item = (&'a dyn Array, Option<&'a NullBuffer>)>,
    ) -> Option<(bool, bool)> {
        let mut range = None;
        let mut bit = 0;
        for (array, nulls) in arrays {
            let values = array.as_boolean().values();
            for i in (0..values.len()).filter(|i| nulls.is_none_or(|nulls| nulls.is_valid(*i))) {
                if bit % 8 == 0 {
                    self.bytes.push(0);
                }
                if let Some(last) = self.bytes.last_mut() {
                    *last |= u8::from(values.value(i)) << (bit % 8);
                }
                bit += 1;
                widen(&mut range, values.value(i));
            }
        }
        range
    }

    fn put_bytes<'a, T: ByteViewType>(
        &mut self,
        arrays: impl Iterator<Item = (&'a dyn Array, Option<&'a NullBuffer>)>,
        bounded: bool,
    ) -> Option<(&'a [u8], &'a [u8])> {
        let mut range = None;
        for (array, nulls) in arrays {
            let values = array.as_byte_view::<T>();
            for i in (0..values.len()).filter(|i| nulls.is_none_or(|nulls| nulls.is_valid(*i))) {
                let value: &'a [u8] = values.value(i).as_ref();
                self.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
                self.bytes.extend_from_slice(value);
                if bounded {
                    widen(&mut range, value);
                }
            }
        }
        range
    }
}

/// Makes `range` hold `value`, unless that is a NaN.
fn widen<T: PartialOrd + Copy>(range: &mut Option<(T, T)>, value: T) {
    match range {
        Some((min, _)) if value < *min => *min = value,
        Some((_, max)) if value > *max => *max = value,
        None if value.partial_cmp(&value).is_some() => *range = Some((value, value)),
        _ => {}
    }
}

/// Bounds of text, cut to [`BOUND_BYTES`] where they are longer; they are then marked as not exact.
fn text_statistics(range: Option<(&[u8], &[u8])>, nulls: Option<u64>) -> ValueStatistics<ByteArray> {
    let Some((min, max)) = range else {
        return ValueStatistics::new(None, None, None, nulls, false);
    };
    let (lower, upper) = (prefix(min), prefix(max));
    let cut = (lower.len() < min.len(), upper.len() < max.len());
    let upper = if cut.1 { successor(upper) } else { Some(upper.to_vec()) };
    ValueStatistics::new(Some(lower.to_vec().into()), upper.map(Into::into), None, nulls, false)
        .with_min_is_exact(!cut.0)
        .with_max_is_exact(!cut.1)
}

/// The longest start of `text`, which is UTF-8, that is UTF-8 of at most [`BOUND_BYTES`] bytes.
fn prefix(text: &[u8]) -> &[u8] {
    if text.len() <= BOUND_BYTES {
        return text;
    }
    let continues = |i: &usize| text[*i] & 0xc0 == 0x80;
    let end = (0..=BOUND_BYTES).rev().find(|i| !continues(i)).unwrap_or_default();
    &text[..end]
}

/// UTF-8 that is greater than everything that starts with `prefix`; `None` if there is none of its length.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let prefix = std::str::from_utf8(prefix).ok()?;
    prefix.char_indices().rev().find_map(|(i, last)| {
        let next = char::from_u32(last as u32 + 1).filter(|next| next.len_utf8() == last.len_utf8())?;
        Some(format!("{}{next}", &prefix[..i]).into_bytes())
    })
}
