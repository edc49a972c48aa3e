//! JSON text of Items straight to the Arrow columns of [`ItemSchema::item_schema`], in one pass.
//!
//! Columns hold what they can reproduce exactly; the rest stays as the source's text, so that the Item can be rebuilt,
//! equal as a JSON value (numbers as numbers, members in any order, the last of members with one name):
//!
//! - `assets`, `links`: the text of the member, if it is an object or a list.
//! - `properties`: the members without a column, and those that their column does not give back: times in another form
//!   than the canonical one, values of another type, explicit nulls. They win over the columns.
//! - `extra`: members that STAC does not know, and those that their columns do not give back, such as a geometry with
//!   foreign members or a bbox that is not the geometry's. They win over the columns. Its member
//!   `earthcatalog:absent` lists what the Item has not, though the columns would give it.
//!
//! A number survives a column if the shortest decimal form of the column's value is the same decimal.

mod cell;
mod columns;
mod envelope;
mod geometry;
mod json;
#[cfg(test)]
mod lossless;
mod members;
mod number;
mod properties;
mod time;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use thiserror::Error;

use self::columns::Columns;
use self::envelope::Envelope;
use self::properties::Properties;
use crate::chunk::RejectKind;
use crate::items::ItemSchema;

/// Why a text is no Item.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Defect {
    pub kind: RejectKind,
    /// One sentence without a full stop: what is wrong, with the value or the byte offset.
    pub message: String,
}

impl Defect {
    fn new(kind: RejectKind, message: String) -> Self {
        Self { kind, message }
    }
}

/// Collects Items as rows of [`ItemSchema::item_schema`].
#[derive(Debug)]
pub struct ItemDecoder {
    envelope: Envelope,
    columns: Columns,
}

impl ItemDecoder {
    pub fn new(schema: &ItemSchema) -> Self {
        let properties = Properties::new(schema.promoted());
        let columns = Columns::new(schema, properties.column_types());
        Self { envelope: Envelope::new(properties), columns }
    }

    /// Appends the Item that is the whole of `json`: UTF-8, with or without a byte order mark.
    ///
    /// On error nothing was appended. Of several defects the first of this list is told: malformed JSON, not a
    /// Feature, invalid id, geometry, `datetime`, member.
    pub fn append(&mut self, json: &[u8]) -> Result<(), Defect> {
        let text = utf8(json)?;
        self.envelope.read(text)?;
        self.columns.append(&self.envelope, text);
        Ok(())
    }

    /// Items appended since the last [`Self::finish`].
    pub fn len(&self) -> usize {
        self.columns.rows()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the Items appended since the last [`Self::finish`], by which a caller can cut batches.
    pub fn memory_size(&self) -> usize {
        self.columns.bytes()
    }

    /// The appended Items as a batch; the decoder is empty afterwards.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.columns.finish()
    }
}

fn utf8(json: &[u8]) -> Result<&str, Defect> {
    let malformed = |message: String| Err(Defect::new(RejectKind::MalformedJson, message));
    let body = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    match body.first() {
        Some(b'{') => {}
        None => return malformed("it is empty".to_owned()),
        Some(b'<') => return malformed("it is XML or HTML, no JSON".to_owned()),
        Some(0x1f) if body.get(1) == Some(&0x8b) => return malformed("it is gzip-compressed, no JSON".to_owned()),
        Some(0xff | 0xfe) if matches!(&body[..body.len().min(2)], b"\xff\xfe" | b"\xfe\xff") => {
            return malformed("it is UTF-16; JSON is UTF-8".to_owned());
        }
        Some(_) => {}
    }
    std::str::from_utf8(body).or_else(|e| malformed(format!("it is not UTF-8 at byte {}", e.valid_up_to())))
}
