//! The entries of a manifest, with or without the statistics of their columns, which are nearly all of it.

use std::borrow::Cow;

use serde::Deserialize;

use super::avro::{Container, Reader, Type, Value};
use super::column_bounds::Recorded;

/// Values of `status`.
pub const EXISTING: i64 = 0;
pub const ADDED: i64 = 1;
pub const DELETED: i64 = 2;

/// A manifest, opened.
pub struct Manifest<'a> {
    container: Container<'a>,
}

/// Whether statistics of columns are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    Read,
    Skipped,
}

/// A manifest entry (Iceberg spec, "Manifests"), as far as it is read. `None`: the manifest does not say.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Entry<'a> {
    pub status: Option<i64>,
    /// Id of the snapshot that added or deleted the file.
    pub snapshot: Option<i64>,
    pub sequence: Inherited,
    pub file_sequence: Inherited,
    pub path: Option<&'a str>,
    pub rows: Option<i64>,
    pub bytes: Option<i64>,
    /// The first field of the partition.
    pub cell: Option<&'a str>,
    /// The second: years since 1970.
    pub years: Option<i32>,
    /// Empty unless it was asked for.
    pub recorded: Recorded<'a>,
    /// The bytes of `data_file`.
    pub data_file: &'a [u8],
}

/// A number that an added file has from its manifest, where it has none of its own.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Inherited {
    /// The manifest has no such field, as in format version 1.
    #[default]
    NoField,
    Null,
    Own(i64),
}

/// What is read of an Iceberg schema.
#[derive(Deserialize)]
struct Schema<'a> {
    #[serde(borrow)]
    fields: Vec<Field<'a>>,
}

#[derive(Deserialize)]
struct Field<'a> {
    id: i32,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl<'a> Manifest<'a> {
    /// `None`: the bytes are malformed, or were written in a way that is left to Iceberg's reader.
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { container: Container::open(bytes)? })
    }

    /// The type of an entry, as the writer had it.
    pub fn entry_type(&self) -> &Type {
        &self.container.record
    }

    /// Names and field ids of the columns at the top of the table's schema, as the writer had it.
    pub fn field_ids(&self) -> Option<Vec<(String, i32)>> {
        let schema: Schema = serde_json::from_slice(self.container.metadata.get("schema")?).ok()?;
        Some(schema.fields.into_iter().map(|field| (field.name.into_owned(), field.id)).collect())
    }

    /// Hands over each entry, in order. `None`: one is malformed, or was refused with `None`.
    pub fn each_entry(&self, columns: Columns, mut take: impl FnMut(Entry<'a>) -> Option<()>) -> Option<()> {
        let Type::Record(fields) = &self.container.record else { return None };
        for (entries, bytes) in &self.container.blocks {
            let mut reader = Reader { rest: bytes };
            for _ in 0..*entries {
                take(Entry::read(fields, &mut reader, columns)?)?;
            }
            if !reader.rest.is_empty() {
                return None;
            }
        }
        Some(())
    }
}

impl<'a> Entry<'a> {
    fn read(fields: &[(String, Type)], reader: &mut Reader<'a>, columns: Columns) -> Option<Self> {
        let mut entry = Self::default();
        for (name, of) in fields {
            match (name.as_str(), of) {
                ("data_file", Type::Record(fields)) => {
                    let from_here = reader.rest;
                    entry.read_data_file(fields, reader, columns)?;
                    entry.data_file = &from_here[..from_here.len() - reader.rest.len()];
                }
                ("snapshot_id", _) => entry.snapshot = long(reader.value(of)?),
                ("status", _) => entry.status = long(reader.value(of)?),
                ("sequence_number", _) => entry.sequence = Inherited::from_value(reader.value(of)?),
                ("file_sequence_number", _) => entry.file_sequence = Inherited::from_value(reader.value(of)?),
                _ => _ = reader.value(of)?,
            }
        }
        Some(entry)
    }

    fn read_data_file(&mut self, fields: &[(String, Type)], reader: &mut Reader<'a>, columns: Columns) -> Option<()> {
        let Recorded { lower, upper, nulls } = &mut self.recorded;
        for (name, of) in fields {
            match (name.as_str(), of) {
                ("partition", Type::Record(fields)) => {
                    for (i, (_, of)) in fields.iter().enumerate() {
                        match (i, reader.value(of)?) {
                            (0, Value::Text(cell)) => self.cell = Some(cell),
                            (1, Value::Int(years)) => self.years = Some(years),
                            _ => {}
                        }
                    }
                }
                ("file_path", _) => self.path = text(reader.value(of)?),
                ("record_count", _) => self.rows = long(reader.value(of)?),
                ("file_size_in_bytes", _) => self.bytes = long(reader.value(of)?),
                ("lower_bounds", _) if columns == Columns::Read => {
                    reader.entries(of, |id, value| lower.extend(bytes(value).map(|bound| (id, bound))))?;
                }
                ("upper_bounds", _) if columns == Columns::Read => {
                    reader.entries(of, |id, value| upper.extend(bytes(value).map(|bound| (id, bound))))?;
                }
                ("null_value_counts", _) if columns == Columns::Read => {
                    reader.entries(of, |id, value| nulls.extend(long(value).map(|count| (id, count))))?;
                }
                _ => _ = reader.value(of)?,
            }
        }
        Some(())
    }
}

impl Inherited {
    fn from_value(value: Value) -> Self {
        long(value).map_or(Self::Null, Self::Own)
    }

    /// The number, or else `inherited`; `None` where the manifest has no such field.
    pub fn or(self, inherited: Option<i64>) -> Option<Option<i64>> {
        match self {
            Self::NoField => None,
            Self::Null => Some(inherited),
            Self::Own(number) => Some(Some(number)),
        }
    }
}

fn long(value: Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number.into()),
        Value::Long(number) => Some(number),
        _ => None,
    }
}

fn bytes(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
