//! Manifests, written entry by entry: Iceberg's own writer makes what stands before the entries, and the entries follow
//! as the schema of that header says.

use super::avro::{Container, SYNC, Type, Writer};
use super::seal::seal;

/// How the manifests of a table are written.
pub struct Form {
    /// All that stands before the entries; ends with the marker that ends each block.
    header: Vec<u8>,
    entry: Type,
}

impl Form {
    /// `manifest` is one as Iceberg writes it, of which only the header is taken. `None`: it is none that this crate
    /// reads.
    pub fn from_manifest(manifest: &[u8]) -> Option<Self> {
        let container = Container::open(manifest)?;
        Some(Self { header: manifest.get(..container.header)?.to_vec(), entry: container.record })
    }

    /// The type of an entry.
    pub fn entry_type(&self) -> &Type {
        &self.entry
    }
}

/// Status of an entry, and what a manifest list or a snapshot numbers.
#[derive(Debug, Clone, Copy)]
pub struct EntryNumbers {
    pub status: i64,
    /// Id of the snapshot that added or deleted the file.
    pub snapshot: i64,
    /// `None`: inherited.
    pub sequence: Option<i64>,
    pub file_sequence: Option<i64>,
}

/// Iceberg's `data_file`.
#[derive(Debug, Clone)]
pub struct DataFile<'a, C> {
    pub location: &'a str,
    /// The first field of the partition.
    pub cell: Option<&'a str>,
    /// The second: years since 1970.
    pub years: Option<i32>,
    pub rows: u64,
    pub bytes: u64,
    pub sort_order: Option<i64>,
    /// What is recorded of the columns, by ascending field id; `None` where nothing is.
    pub columns: Option<C>,
}

/// What is recorded of a column of a file.
#[derive(Debug, Clone, Copy)]
pub struct ColumnMetrics<'a> {
    pub field_id: i32,
    /// Nulls included.
    pub values: i64,
    pub nulls: i64,
    /// Single values (Iceberg spec, appendix D).
    pub lower: Option<&'a [u8]>,
    pub upper: Option<&'a [u8]>,
}

/// Writes the entries of one manifest. After `None` it is of no use any more.
pub struct ManifestWriter<'a> {
    form: &'a Form,
    entries: Writer,
    count: i64,
}

impl<'a> ManifestWriter<'a> {
    pub fn new(form: &'a Form) -> Self {
        Self { form, entries: Writer::default(), count: 0 }
    }

    /// An entry of a file. `None`: the form has no place for what is known of it.
    pub fn add<'c, C: Iterator<Item = ColumnMetrics<'c>> + Clone>(
        &mut self,
        numbers: EntryNumbers,
        file: &DataFile<'_, C>,
    ) -> Option<()> {
        self.entry(numbers, |writer, of| file.write(writer, of))
    }

    /// An entry whose `data_file` is copied from a manifest of the same form. `None`: as of [`Self::add`].
    pub fn copy(&mut self, numbers: EntryNumbers, data_file: &[u8]) -> Option<()> {
        self.entry(numbers, |writer, _| {
            writer.bytes.extend_from_slice(data_file);
            Some(())
        })
    }

    fn entry(&mut self, numbers: EntryNumbers, data_file: impl Fn(&mut Writer, &Type) -> Option<()>) -> Option<()> {
        let EntryNumbers { status, snapshot, sequence, file_sequence } = numbers;
        let writer = &mut self.entries;
        let Type::Record(fields) = &self.form.entry else { return None };
        for (name, of) in fields {
            match name.as_str() {
                "status" => writer.number(of, Some(status))?,
                "snapshot_id" => writer.number(of, Some(snapshot))?,
                "sequence_number" => writer.number(of, sequence)?,
                "file_sequence_number" => writer.number(of, file_sequence)?,
                "data_file" => data_file(writer, of)?,
                _ => writer.null(of)?,
            }
        }
        self.count += 1;
        Some(())
    }

    /// The bytes of the manifest, sealed. `None`: the form has no header.
    pub fn finish(self) -> Option<Vec<u8>> {
        let header = &self.form.header;
        let sync = &header[header.len().saturating_sub(SYNC)..];
        let mut manifest = Writer { bytes: header.clone() };
        if self.count > 0 {
            manifest.long(self.count);
            manifest.sized(&self.entries.bytes);
            manifest.bytes.extend_from_slice(sync);
        }
        seal(manifest.bytes)
    }
}

impl<'c, C: Iterator<Item = ColumnMetrics<'c>> + Clone> DataFile<'_, C> {
    /// `None`: it has no place in a value of type `of`.
    fn write(&self, writer: &mut Writer, of: &Type) -> Option<()> {
        let Type::Record(fields) = of else { return None };
        for (name, of) in fields {
            match (name.as_str(), self.columns.clone()) {
                ("content", _) => writer.number(of, Some(0))?,
                ("file_path", _) => writer.text(of, Some(self.location))?,
                ("file_format", _) => writer.text(of, Some("PARQUET"))?,
                ("partition", _) => {
                    let Type::Record(fields) = of else { return None };
                    let [(_, cell), (_, years)] = &fields[..] else { return None };
                    writer.text(cell, self.cell)?;
                    writer.number(years, self.years.map(i64::from))?;
                }
                ("record_count", _) => writer.number(of, Some(self.rows.try_into().ok()?))?,
                ("file_size_in_bytes", _) => writer.number(of, Some(self.bytes.try_into().ok()?))?,
                ("value_counts", Some(columns)) => {
                    writer.entries(of, columns.map(|c| (c.field_id, c.values)), Writer::long)?;
                }
                ("null_value_counts", Some(columns)) => {
                    writer.entries(of, columns.map(|c| (c.field_id, c.nulls)), Writer::long)?;
                }
                ("lower_bounds", Some(columns)) => {
                    writer.entries(of, columns.filter_map(|c| Some((c.field_id, c.lower?))), Writer::sized)?;
                }
                ("upper_bounds", Some(columns)) => {
                    writer.entries(of, columns.filter_map(|c| Some((c.field_id, c.upper?))), Writer::sized)?;
                }
                ("sort_order_id", _) => writer.number(of, self.sort_order)?,
                _ => writer.null(of)?,
            }
        }
        Some(())
    }
}
