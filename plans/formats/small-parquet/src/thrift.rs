//! Thrift's compact protocol, as far as Parquet's page headers and footers need it.
//!
//! Source: Apache Thrift's `thrift-compact-protocol.md`. parquet's own writer is not public, and builds an object for
//! every struct.

use std::ops::Range;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
/// Of list elements.
pub const BOOL: u8 = 2;
const I16: u8 = 4;
pub const I32: u8 = 5;
pub const I64: u8 = 6;
pub const BINARY: u8 = 8;
pub const LIST: u8 = 9;
pub const STRUCT: u8 = 12;

/// Structs and lists within each other that are stepped over, at most. Those of Parquet are five deep.
const MAX_DEPTH: u32 = 32;

/// Writes structs, field by field in ascending order of their ids.
#[derive(Debug, Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    /// Id of the last field of the struct in progress.
    last: i16,
    /// The same, of the structs around it.
    outer: Vec<i16>,
}

impl Writer {
    /// Writes a struct behind `bytes`.
    pub fn appending(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Takes over the first fields of a struct; `last` is the id of the last of them.
    pub fn raw_fields(&mut self, bytes: &[u8], last: i16) {
        self.bytes.extend_from_slice(bytes);
        self.last = last;
    }

    pub fn bool(&mut self, id: i16, value: bool) {
        self.field(id, if value { TRUE } else { FALSE });
    }

    pub fn i16(&mut self, id: i16, value: i16) {
        self.field(id, I16);
        self.zigzag(value.into());
    }

    pub fn i32(&mut self, id: i16, value: i32) {
        self.field(id, I32);
        self.zigzag(value.into());
    }

    pub fn i64(&mut self, id: i16, value: i64) {
        self.field(id, I64);
        self.zigzag(value);
    }

    pub fn binary(&mut self, id: i16, value: &[u8]) {
        self.field(id, BINARY);
        self.binary_element(value);
    }

    /// A list; its elements follow.
    pub fn list(&mut self, id: i16, element: u8, length: usize) {
        self.field(id, LIST);
        match length {
            0..15 => self.bytes.push((length as u8) << 4 | element),
            _ => {
                self.bytes.push(0xf0 | element);
                put_varint(&mut self.bytes, length as u64);
            }
        }
    }

    pub fn bool_element(&mut self, value: bool) {
        self.bytes.push(if value { TRUE } else { FALSE });
    }

    pub fn i32_element(&mut self, value: i32) {
        self.zigzag(value.into());
    }

    pub fn i64_element(&mut self, value: i64) {
        self.zigzag(value);
    }

    pub fn binary_element(&mut self, value: &[u8]) {
        put_varint(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Begins a struct that is a field.
    pub fn begin(&mut self, id: i16) {
        self.field(id, STRUCT);
        self.begin_element();
    }

    /// Begins a struct that is the element of a list.
    pub fn begin_element(&mut self) {
        self.outer.push(std::mem::take(&mut self.last));
    }

    /// Ends a struct.
    pub fn end(&mut self) {
        self.bytes.push(0);
        self.last = self.outer.pop().unwrap_or_default();
    }

    fn field(&mut self, id: i16, kind: u8) {
        match id - self.last {
            delta @ 1..=15 => self.bytes.push((delta as u8) << 4 | kind),
            _ => {
                self.bytes.push(kind);
                self.zigzag(id.into());
            }
        }
        self.last = id;
    }

    fn zigzag(&mut self, value: i64) {
        put_varint(&mut self.bytes, ((value << 1) ^ (value >> 63)) as u64);
    }
}

/// An unsigned LEB128 number.
pub fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// The fields of the struct that `bytes` begins with: id, and where the field is, header included. `None` if it is
/// malformed.
pub fn fields(bytes: &[u8]) -> Option<Vec<(i16, Range<usize>)>> {
    let mut reader = Reader::new(bytes);
    let mut fields = vec![];
    let mut id = 0;
    loop {
        let start = reader.at;
        let Some(kind) = reader.field(&mut id)? else { return Some(fields) };
        reader.skip(kind, false)?;
        fields.push((id, start..reader.at));
    }
}

/// Reads structs, field by field. Whatever it returns, `None` means that the bytes are malformed.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Offset of what is read next.
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Takes `expected`, if it is what comes next.
    pub fn take(&mut self, expected: &[u8]) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(expected));
        self.at += if found { expected.len() } else { 0 };
        found
    }

    /// An integer of any width.
    pub fn integer(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// A size or offset.
    pub fn size(&mut self) -> Option<usize> {
        usize::try_from(self.integer()?).ok()
    }

    /// Number of the elements of a list, and their kind. Each takes a byte at least, and those are there.
    pub fn list(&mut self) -> Option<(usize, u8)> {
        let header = self.byte()?;
        let length = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        let length = usize::try_from(length).ok().filter(|length| *length <= self.bytes.len() - self.at)?;
        Some((length, header & 0xf))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    /// Steps over so many bytes, if they are there.
    fn pass(&mut self, bytes: usize) -> Option<()> {
        let at = self.at.checked_add(bytes).filter(|at| *at <= self.bytes.len())?;
        self.at = at;
        Some(())
    }

    pub fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Kind of the next field, whose id comes after `id`; `None` within at the end of the struct.
    pub fn field(&mut self, id: &mut i16) -> Option<Option<u8>> {
        let header = self.byte()?;
        if header == 0 {
            return Some(None);
        }
        *id = match header >> 4 {
            0 => i16::try_from(self.integer()?).ok()?,
            delta => id.checked_add(i16::from(delta))?,
        };
        Some(Some(header & 0xf))
    }

    /// Skips a field's value, or that of an element of a list.
    pub fn skip(&mut self, kind: u8, element: bool) -> Option<()> {
        self.skip_at(kind, element, 0)
    }

    fn skip_at(&mut self, kind: u8, element: bool, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            // A field's header holds its truth value, an element's byte does.
            TRUE | FALSE => self.pass(usize::from(element))?,
            3 => self.pass(1)?,
            I16 | I32 | I64 => drop(self.varint()?),
            7 => self.pass(8)?,
            BINARY => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.pass(length)?;
            }
            LIST | 10 => {
                let (length, kind) = self.list()?;
                for _ in 0..length {
                    self.skip_at(kind, true, depth + 1)?;
                }
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip_at(kind, false, depth + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_where_they_were_written() {
        let mut writer = Writer::default();
        writer.i32(1, -7);
        let one = writer.bytes.len();
        writer.list(2, STRUCT, 20);
        for i in 0..20 {
            writer.begin_element();
            writer.bool(1, i % 2 == 0);
            writer.i64(30, i64::MIN);
            writer.begin(31);
            writer.binary(1, b"text");
            writer.end();
            writer.end();
        }
        let two = writer.bytes.len();
        writer.i16(3, 5);
        let three = writer.bytes.len();
        writer.end();
        assert_eq!(fields(&writer.bytes).unwrap(), [(1, 0..one), (2, one..two), (3, two..three)]);
    }

    #[test]
    fn lengths_and_nesting_beyond_the_bytes_are_malformed() {
        let varint = |value: u64| {
            let mut bytes = vec![];
            put_varint(&mut bytes, value);
            bytes
        };
        // A text, a list of booleans and one of structs, of nearly 2^64 elements each.
        for header in [vec![0x18], vec![0x19, 0xf2], vec![0x19, 0xfc]] {
            assert_eq!(fields(&[header, varint(u64::MAX), vec![0; 9]].concat()), None);
        }
        // Structs within structs, lists within lists: once this overflowed the stack.
        assert_eq!(fields(&vec![0x1c; 1 << 20]), None);
        assert_eq!(fields(&[&[0x19][..], &vec![0x19; 1 << 20]].concat()), None);
        // An id beyond 16 bits.
        assert_eq!(fields(&[&[5][..], &varint(0xfffe), &[0, 0x15, 0, 0]].concat()), None);
    }

    #[test]
    fn a_struct_that_is_cut_off_is_malformed() {
        let mut writer = Writer::default();
        writer.binary(1, b"text");
        writer.end();
        assert_eq!(fields(&writer.bytes), Some(vec![(1, 0..6)]));
        for end in 0..writer.bytes.len() {
            assert_eq!(fields(&writer.bytes[..end]), None, "{end}");
        }
    }
}
