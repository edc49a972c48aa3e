//! Avro object container files, as far as reading a few fields of many records needs it.
//!
//! Source: Apache Avro 1.11 specification. Iceberg's reader makes an object of every value, which takes a hundred times
//! as long as stepping over it. Here nothing is kept but what is asked for; files with compressed blocks, or a schema
//! that refers to named types, are left to that reader.

use std::collections::HashMap;

use serde_json::Value as Json;

/// Length of the marker between blocks.
pub(crate) const SYNC: usize = 16;

/// Type of a value, as its writer had it.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum,
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    /// Names and types of the fields, in order.
    Record(Vec<(String, Type)>),
}

/// A value that was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Null,
    Int(i32),
    Long(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Of another type, and stepped over.
    Other,
}

/// The records of a file.
pub struct Container<'a> {
    /// What the writer noted of the file.
    pub metadata: HashMap<&'a str, &'a [u8]>,
    pub record: Type,
    /// Bytes in front of the first block.
    pub header: usize,
    /// Number of records, and their bytes.
    pub blocks: Vec<(usize, &'a [u8])>,
}

impl<'a> Container<'a> {
    /// `None` if the file is malformed, or beyond this reader.
    pub fn open(file: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { rest: file.strip_prefix(b"Obj\x01")? };
        let mut metadata = HashMap::new();
        reader.each_element(|reader| {
            metadata.insert(reader.text()?, reader.bytes()?);
            Some(())
        })?;
        let record = Type::parse(&serde_json::from_slice(metadata.get("avro.schema")?).ok()?)?;
        if metadata.get("avro.codec").is_some_and(|codec| *codec != b"null") {
            return None;
        }
        let sync = reader.take(SYNC)?;
        let header = file.len() - reader.rest.len();
        let mut blocks = vec![];
        while !reader.rest.is_empty() {
            let records = usize::try_from(reader.long()?).ok()?;
            let bytes = reader.bytes()?;
            // A record takes a byte at least, or a damaged number would keep its readers busy for ever.
            if records > bytes.len() || record.is_empty() || reader.take(SYNC)? != sync {
                return None;
            }
            blocks.push((records, bytes));
        }
        Some(Self { metadata, record, header, blocks })
    }
}

impl Type {
    fn parse(schema: &Json) -> Option<Self> {
        Some(match schema {
            Json::String(name) => match name.as_str() {
                "null" => Self::Null,
                "boolean" => Self::Boolean,
                "int" => Self::Int,
                "long" => Self::Long,
                "float" => Self::Float,
                "double" => Self::Double,
                "bytes" => Self::Bytes,
                "string" => Self::Text,
                _ => return None,
            },
            Json::Array(branches) => Self::Union(branches.iter().map(Self::parse).collect::<Option<_>>()?),
            Json::Object(of) => match of.get("type")? {
                Json::String(name) => match name.as_str() {
                    "record" => {
                        let field = |field: &Json| {
                            Some((field.get("name")?.as_str()?.to_owned(), Self::parse(field.get("type")?)?))
                        };
                        Self::Record(of.get("fields")?.as_array()?.iter().map(field).collect::<Option<_>>()?)
                    }
                    "array" => Self::Array(Self::parse(of.get("items")?).filter(|items| !items.is_empty())?.into()),
                    "map" => Self::Map(Self::parse(of.get("values")?)?.into()),
                    "fixed" => Self::Fixed(of.get("size")?.as_u64()?.try_into().ok()?),
                    "enum" => Self::Enum,
                    // A logical type is stored as what it stands on.
                    _ => Self::parse(of.get("type")?)?,
                },
                nested => Self::parse(nested)?,
            },
            _ => return None,
        })
    }
}

impl Type {
    /// Whether values of this type take no bytes, so that any number of them could be.
    fn is_empty(&self) -> bool {
        match self {
            Self::Null | Self::Fixed(0) => true,
            Self::Record(fields) => fields.iter().all(|(_, field)| field.is_empty()),
            _ => false,
        }
    }
}

/// Reads values one behind the other. `None`: they are malformed.
pub struct Reader<'a> {
    pub rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a value of this type.
    pub fn value(&mut self, of: &Type) -> Option<Value<'a>> {
        Some(match of {
            Type::Null => Value::Null,
            Type::Int => Value::Int(self.long()?.try_into().ok()?),
            Type::Long => Value::Long(self.long()?),
            Type::Text => Value::Text(self.text()?),
            Type::Bytes => Value::Bytes(self.bytes()?),
            Type::Union(branches) => {
                let of = self.branch(branches)?;
                self.value(of)?
            }
            other => {
                self.skip(other)?;
                Value::Other
            }
        })
    }

    /// Reads a map with numbers for keys, as Iceberg has it: an array of records of a key and a value. A null has no
    /// entries.
    pub fn entries(&mut self, of: &Type, mut entry: impl FnMut(i32, Value<'a>)) -> Option<()> {
        match of {
            Type::Union(branches) => {
                let of = self.branch(branches)?;
                self.entries(of, entry)
            }
            Type::Null => Some(()),
            Type::Array(element) => {
                let Type::Record(fields) = &**element else { return None };
                let [(_, Type::Int), (_, of)] = &fields[..] else { return None };
                self.each_element(|reader| {
                    entry(reader.long()?.try_into().ok()?, reader.value(of)?);
                    Some(())
                })
            }
            _ => None,
        }
    }

    fn branch<'t>(&mut self, branches: &'t [Type]) -> Option<&'t Type> {
        branches.get(usize::try_from(self.long()?).ok()?)
    }

    /// Steps over a value of this type.
    fn skip(&mut self, of: &Type) -> Option<()> {
        match of {
            Type::Null => {}
            Type::Boolean => _ = self.take(1)?,
            Type::Int | Type::Long | Type::Enum => _ = self.long()?,
            Type::Float => _ = self.take(4)?,
            Type::Double => _ = self.take(8)?,
            Type::Bytes | Type::Text => _ = self.bytes()?,
            Type::Fixed(length) => _ = self.take(*length)?,
            Type::Array(element) => self.each_element(|reader| reader.skip(element))?,
            Type::Map(value) => self.each_element(|reader| {
                reader.bytes()?;
                reader.skip(value)
            })?,
            Type::Union(_) => _ = self.value(of)?,
            Type::Record(fields) => fields.iter().try_for_each(|(_, field)| self.skip(field))?,
        }
        Some(())
    }

    /// The elements of an array, or the entries of a map: in blocks, each with their number in front.
    pub(crate) fn each_element(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        loop {
            let n = self.long()?;
            if n == 0 {
                return Some(());
            }
            // The length of the block in bytes follows a number below nought.
            let length = if n < 0 { Some(usize::try_from(self.long()?).ok()?) } else { None };
            // An element takes a byte at least, or a damaged number would keep this loop busy for ever.
            if n.unsigned_abs() > length.unwrap_or(self.rest.len()).min(self.rest.len()) as u64 {
                return None;
            }
            let before = self.rest.len();
            (0..n.unsigned_abs()).try_for_each(|_| element(self))?;
            if length.is_some_and(|length| length != before - self.rest.len()) {
                return None;
            }
        }
    }

    /// Zigzag, in groups of 7 bits.
    pub(crate) fn long(&mut self) -> Option<i64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // The tenth byte has room for one bit.
                return (shift < 63 || *byte < 2).then_some((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        None
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.long()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Writes values one behind the other. `None`: the type has no such value.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    /// Zigzag, in groups of 7 bits.
    pub fn long(&mut self, number: i64) {
        let mut rest = (number << 1 ^ number >> 63) as u64;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    /// Bytes behind their number.
    pub fn sized(&mut self, bytes: &[u8]) {
        self.long(bytes.len() as i64);
        self.bytes.extend_from_slice(bytes);
    }

    pub fn number(&mut self, of: &Type, number: Option<i64>) -> Option<()> {
        let Some(number) = number else { return self.null(of) };
        matches!(self.branch(of)?, Type::Int | Type::Long).then(|| self.long(number))
    }

    pub fn text(&mut self, of: &Type, text: Option<&str>) -> Option<()> {
        let Some(text) = text else { return self.null(of) };
        matches!(self.branch(of)?, Type::Text).then(|| self.sized(text.as_bytes()))
    }

    pub fn null(&mut self, of: &Type) -> Option<()> {
        match of {
            Type::Null => Some(()),
            Type::Union(branches) => {
                let null = branches.iter().position(|branch| *branch == Type::Null)?;
                self.long(null as i64);
                Some(())
            }
            _ => None,
        }
    }

    /// Writes a map with numbers for keys, as [`Reader::entries`] reads it.
    pub fn entries<V>(
        &mut self,
        of: &Type,
        entries: impl Iterator<Item = (i32, V)> + Clone,
        value: impl Fn(&mut Self, V),
    ) -> Option<()> {
        let Type::Array(element) = self.branch(of)? else { return None };
        let Type::Record(fields) = &**element else { return None };
        let [(_, Type::Int), (_, Type::Long | Type::Bytes)] = &fields[..] else { return None };
        let count = entries.clone().count();
        if count > 0 {
            self.long(count as i64);
        }
        for (key, of_key) in entries {
            self.long(key.into());
            value(self, of_key);
        }
        self.long(0);
        Some(())
    }

    /// Chooses the branch of a union that is not null.
    fn branch<'t>(&mut self, of: &'t Type) -> Option<&'t Type> {
        let Type::Union(branches) = of else { return Some(of) };
        let value = branches.iter().position(|branch| *branch != Type::Null)?;
        self.long(value as i64);
        branches.get(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_those_of_the_schema_and_logical_ones_what_they_stand_on() {
        let schema = json!({"type": "record", "name": "r", "fields": [
            {"name": "a", "type": ["null", {"type": "int", "logicalType": "date"}]},
            {"name": "b", "type": {"type": "array", "items": {"type": "fixed", "name": "f", "size": 3}}},
            {"name": "c", "type": {"type": "map", "values": "double"}},
        ]});
        let field = |name: &str, of| (name.to_owned(), of);
        let expected = Type::Record(vec![
            field("a", Type::Union(vec![Type::Null, Type::Int])),
            field("b", Type::Array(Type::Fixed(3).into())),
            field("c", Type::Map(Type::Double.into())),
        ]);
        assert_eq!(Type::parse(&schema), Some(expected));
        assert_eq!(Type::parse(&json!({"type": "array", "items": "r"})), None);
    }

    #[test]
    fn values_without_bytes_cannot_be_counted() {
        for items in [
            json!("null"),
            json!({"type": "fixed", "name": "f", "size": 0}),
            json!({"type": "record", "name": "r", "fields": []}),
        ] {
            assert_eq!(Type::parse(&json!({"type": "array", "items": items})), None, "{items}");
        }
        // A block of 2^40 records of nothing, which once kept the reader busy for ever.
        let mut file = Writer { bytes: b"Obj\x01".to_vec() };
        file.long(1);
        file.sized(b"avro.schema");
        file.sized(br#"{"type":"record","name":"r","fields":[]}"#);
        file.long(0);
        file.bytes.extend([7; SYNC]);
        assert!(Container::open(&file.bytes).is_some());
        file.long(1 << 40);
        file.sized(b"");
        file.bytes.extend([7; SYNC]);
        assert!(Container::open(&file.bytes).is_none());
    }

    #[test]
    fn what_is_not_asked_for_is_stepped_over() {
        // Two blocks of an array, the second with its length; a map; a union; numbers at their ends.
        let bytes = b"\x04\x02\x04\x01\x02\x06\x00\x02\x02a\0\0\0\0\0\0\0\0\x00\x02\x04hi\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01";
        let mut reader = Reader { rest: bytes };
        assert_eq!(reader.value(&Type::Array(Type::Int.into())), Some(Value::Other));
        assert_eq!(reader.value(&Type::Map(Type::Double.into())), Some(Value::Other));
        assert_eq!(reader.value(&Type::Union(vec![Type::Null, Type::Text])), Some(Value::Text("hi")));
        assert_eq!(reader.value(&Type::Long), Some(Value::Long(i64::MIN)));
        assert_eq!(reader.value(&Type::Int), Some(Value::Int(-1)));
        assert_eq!((reader.rest, reader.value(&Type::Int)), (&b""[..], None));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let optional = |of| Type::Union(vec![Type::Null, of]);
        let map = |of| {
            let entry = vec![("key".to_owned(), Type::Int), ("value".to_owned(), of)];
            optional(Type::Array(Type::Record(entry).into()))
        };
        let (number, text, counts, bounds) = (optional(Type::Long), Type::Text, map(Type::Long), map(Type::Bytes));
        let mut writer = Writer::default();
        for n in [0, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            writer.number(&number, Some(n)).unwrap();
        }
        writer.number(&number, None).unwrap();
        writer.text(&text, Some("é")).unwrap();
        writer.entries(&counts, [(1, 7), (300, -7)].into_iter(), Writer::long).unwrap();
        writer.entries(&bounds, [(1, &b"ab"[..])].into_iter(), Writer::sized).unwrap();
        writer.entries(&bounds, std::iter::empty::<(i32, &[u8])>(), Writer::sized).unwrap();
        writer.null(&bounds).unwrap();

        let mut reader = Reader { rest: &writer.bytes };
        for n in [0, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            assert_eq!(reader.value(&number), Some(Value::Long(n)));
        }
        assert_eq!(reader.value(&number), Some(Value::Null));
        assert_eq!(reader.value(&text), Some(Value::Text("é")));
        let mut found = vec![];
        for of in [&counts, &bounds, &bounds, &bounds] {
            reader.entries(of, |key, value| found.push((key, value))).unwrap();
        }
        assert_eq!(found, [(1, Value::Long(7)), (300, Value::Long(-7)), (1, Value::Bytes(b"ab"))]);
        assert_eq!(reader.rest, b"");

        let mut writer = Writer::default();
        assert_eq!(writer.null(&text), None);
        assert_eq!(writer.text(&number, Some("7")), None);
        assert_eq!(writer.entries(&number, [(1, 7)].into_iter(), Writer::long), None);
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for (bytes, of) in [
            (&b"\x06ab"[..], Type::Text),
            (b"\x01", Type::Bytes),
            (b"\x02\xff", Type::Text),
            (b"\x04\x02", Type::Union(vec![Type::Null])),
            // A number of elements beyond the bytes; a block that is shorter, or longer, than it says.
            (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", Type::Array(Type::Int.into())),
            (b"\x01\x04\x02\x00", Type::Array(Type::Int.into())),
            (b"\x03\x02\x02\x02\x00", Type::Array(Type::Int.into())),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", Type::Array(Type::Int.into())),
            (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x03", Type::Long),
            (b"\x02\x02", Type::Array(Type::Int.into())),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Type::Long),
        ] {
            assert_eq!(Reader { rest: bytes }.value(&of), None, "{bytes:?}");
        }
    }
}
