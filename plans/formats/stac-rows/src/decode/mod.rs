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
//! The `geometry` is the footprint as RFC 7946 draws it ([`crate::footprint`]); where the source writes it in another way, its
//! text is in `extra`.
//!
//! A number survives a column if the shortest decimal form of the column's value is the same decimal.

mod cell;
mod columns;
mod envelope;
mod geometry;
#[cfg(test)]
mod lossless;
mod members;
mod number;
mod promote;
mod properties;
mod scan;
mod value;

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use self::columns::Columns;
use self::envelope::Envelope;
pub use self::promote::promote;
use self::properties::Properties;
use self::value::{Token, Value};
pub use crate::defect::{Defect, RejectKind};
use crate::schema::ItemSchema;

/// The footprint of an Item that is about to become a row.
#[derive(Debug, Clone, Copy)]
pub struct DrawnFootprint<'a> {
    /// As in column `geometry`.
    pub wkb: &'a [u8],
    /// `xmin`, `ymin`, `xmax`, `ymax` of its positions.
    pub bounds: [f64; 4],
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
        self.append_if(json, |_| Ok(()))
    }

    /// As [`Self::append`], unless `check` finds a defect in the footprint; it is told after all others.
    pub fn append_if(
        &mut self,
        json: &[u8],
        check: impl FnOnce(Option<DrawnFootprint<'_>>) -> Result<(), Defect>,
    ) -> Result<(), Defect> {
        let text = utf8(json)?;
        self.envelope.read(text)?;
        check(self.footprint())?;
        self.columns.append(&self.envelope, text);
        Ok(())
    }

    fn footprint(&self) -> Option<DrawnFootprint<'_>> {
        let footprint = Some(&self.envelope.footprint).filter(|_| self.envelope.has_geometry())?;
        Some(DrawnFootprint { wkb: footprint.wkb(), bounds: footprint.bounds()? })
    }

    /// Whether the footprint of the Item that was appended last could be read in another way, and nothing decided.
    pub fn has_guessed(&self) -> bool {
        self.envelope.has_geometry() && self.envelope.footprint.has_two_readings()
    }

    /// `collection` and `id` of the Item that was appended last, of which `json` is the text; `None` if there is none.
    pub fn key(&self, json: &[u8]) -> Option<(Option<String>, String)> {
        let text = utf8(json).ok()?;
        let decoded = |value: Option<Value>| match value?.token {
            Token::Text(literal) => literal.decode(text).map(Cow::into_owned),
            _ => None,
        };
        Some((decoded(self.envelope.collection.value()), decoded(self.envelope.id())?))
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

/// Whether the shortest decimal form of the nearest 64-bit float is this very JSON number, so that the float holds it.
pub fn is_exact_float(number: &str) -> bool {
    number::Decimal::parse(number).is_some_and(|number| number.to_exact_f64().is_some())
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

/// At most 60 bytes of `source`, for a message.
fn excerpt(source: &str) -> String {
    if source.len() <= 60 { source.to_owned() } else { format!("{}…", &source[..source.floor_char_boundary(60)]) }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Float64Type;

    use super::*;

    const ITEM: &str = r#"{"type": "Feature", "id": "a", "stac_version": "1.1.0", "stac_extensions": ["x", "y"],
        "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "bbox": [1, 2, 3, 4],
        "properties": {"datetime": "2020-01-01T00:00:00Z", "title": "b"},
        "assets": {"data": { }}, "links": [ ], "collection": "c"}"#;

    fn decoder() -> ItemDecoder {
        ItemDecoder::new(&ItemSchema::try_new(vec![]).unwrap())
    }

    /// The text of column `name` in the first row, after decoding `json`.
    fn column(json: &str, name: &str) -> Option<String> {
        let mut decoder = decoder();
        decoder.append(json.as_bytes()).unwrap();
        let batch = decoder.finish().unwrap();
        let column = batch.column_by_name(name).unwrap().as_string_view().clone();
        column.is_valid(0).then(|| column.value(0).to_owned())
    }

    fn reject(json: &str) -> (RejectKind, String) {
        let defect = decoder().append(json.as_bytes()).unwrap_err();
        (defect.kind, defect.message)
    }

    #[test]
    fn an_item_that_fits_its_columns_leaves_nothing_for_extra() {
        assert_eq!(column(ITEM, "extra"), None);
        assert_eq!(column(ITEM, "properties").unwrap(), r#"{"title":"b"}"#);
        assert_eq!(column(ITEM, "assets").unwrap(), r#"{"data": { }}"#);
        assert_eq!(column(ITEM, "links").unwrap(), "[ ]");
    }

    #[test]
    fn what_the_columns_cannot_give_back_is_in_extra() {
        for (from, to, extra) in [
            (r#""bbox": [1, 2, 3, 4],"#, "", r#"{"earthcatalog:absent":["bbox"]}"#),
            ("[1, 2, 3, 4]", "[1, 2, 0, 3, 4, 0]", r#"{"bbox":[1, 2, 0, 3, 4, 0]}"#),
            ("[1, 2, 3, 4]", "null", r#"{"bbox":null}"#),
            (r#", "links": [ ]"#, r#", "links": null, "note": {"a":  1}"#, r#"{"links":null,"note":{"a":  1}}"#),
            (r#""collection": "c""#, r#""collection": 7"#, r#"{"collection":7}"#),
            (r#"["x", "y"]"#, r#"["x", 1]"#, r#"{"stac_extensions":["x", 1]}"#),
            (
                "[3, 4]]}",
                "[3, 4]], \"a\": 1}",
                r#"{"geometry":{"type": "LineString", "coordinates": [[1, 2], [3, 4]], "a": 1}}"#,
            ),
        ] {
            assert!(ITEM.contains(from));
            assert_eq!(column(&ITEM.replace(from, to), "extra").as_deref(), Some(extra));
        }
        let bare = r#"{"id": "a", "type": "Feature"}"#;
        assert_eq!(column(bare, "extra").unwrap(), r#"{"earthcatalog:absent":["geometry", "properties"]}"#);
    }

    #[test]
    fn bounds_are_the_geometrys_and_the_bbox_shares_them() {
        let mut decoder = decoder();
        decoder.append(ITEM.as_bytes()).unwrap();
        decoder.append(br#"{"id": "b", "type": "Feature", "bbox": [1, 2, 3, 4]}"#).unwrap();
        let batch = decoder.finish().unwrap();
        let bbox = batch.column_by_name("bbox").unwrap().as_struct();
        for (name, bound) in [("xmin", 1.0), ("ymin", 2.0), ("xmax", 3.0), ("ymax", 4.0)] {
            let twin = batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
            assert_eq!(twin.iter().collect::<Vec<_>>(), [Some(bound), None]);
            let child = bbox.column_by_name(name).unwrap().as_primitive::<Float64Type>();
            assert_eq!(child.values().as_ptr(), twin.values().as_ptr());
        }
        assert_eq!((bbox.is_valid(0), bbox.is_valid(1)), (true, false));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_other_encodings_are_named() {
        let mut decoder = decoder();
        decoder.append(format!("\u{feff}{ITEM}\r\n").as_bytes()).unwrap();
        for (bytes, reason) in [
            (b"\xff\xfe{\0".as_slice(), "UTF-16"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"<?xml?>", "XML"),
            (b"", "empty"),
            (b"{\"a\": \"\xff\"}", "not UTF-8 at byte 7"),
        ] {
            let defect = decoder.append(bytes).unwrap_err();
            assert_eq!(defect.kind, RejectKind::MalformedJson);
            assert!(defect.message.contains(reason), "{defect}");
        }
        assert_eq!(decoder.len(), 1);
    }

    #[test]
    fn of_several_defects_the_first_in_order_is_told() {
        let parts = [
            (r#""type": 1"#, r#""type": "Feature""#, RejectKind::NotAFeature),
            (r#""id": """#, r#""id": "\ud83e\uddca""#, RejectKind::InvalidId),
            (r#""geometry": []"#, r#""geometry": null"#, RejectKind::InvalidGeometry),
            (r#""properties": {"datetime": ""}"#, r#""properties": {"datetime": null}"#, RejectKind::InvalidDatetime),
            (r#""earthcatalog:absent": []"#, r#""a": 1"#, RejectKind::InvalidMember),
        ];
        for first in 0..parts.len() {
            // Members before `first` are good, and all stand in the opposite order.
            let members: Vec<_> = parts
                .iter()
                .enumerate()
                .map(|(i, (bad, good, _))| if i < first { *good } else { *bad })
                .rev()
                .collect();
            let item = format!("{{{}}}", members.join(","));
            assert_eq!(reject(&item).0, parts[first].2, "{item}");
            assert_eq!(reject(&(item + "}")).0, RejectKind::MalformedJson);
        }
    }

    #[test]
    fn messages_quote_the_value_in_short() {
        let item = ITEM.replace("2020-01-01T00:00:00Z", &"é".repeat(1000));
        let (kind, message) = reject(&item);
        assert_eq!(kind, RejectKind::InvalidDatetime);
        assert!(message.len() < 120 && message.contains("ééé…"), "{message}");
        assert_eq!(reject("[]"), (RejectKind::NotAFeature, "the top level is a list, no object".to_owned()));
    }

    #[test]
    fn the_last_of_members_with_one_name_wins_at_every_level() {
        let item = r#"{"type": 1, "id": "x", "geometry": "?", "properties": {"datetime": 1}, "note": 1,
            "type": "Feature", "id": "a", "geometry": null, "note": 2,
            "properties": {"datetime": 1, "title": 1, "dateti\u006de": "2020-01-01T00:00:00Z", "title": 2}}"#;
        assert_eq!(column(item, "id").unwrap(), "a");
        assert_eq!(column(item, "properties").unwrap(), r#"{"title":2}"#);
        assert_eq!(column(item, "extra").unwrap(), r#"{"note":2}"#);
    }

    #[test]
    fn memory_grows_with_the_text_and_ends_with_the_batch() {
        let mut decoder = decoder();
        assert!(decoder.is_empty() && decoder.memory_size() == 0);
        decoder.append(ITEM.as_bytes()).unwrap();
        let one = decoder.memory_size();
        decoder.append(ITEM.replace("{ }", &format!("\"{}\"", "z".repeat(5000))).as_bytes()).unwrap();
        assert_eq!(decoder.memory_size(), 2 * one + 5000 - 1);
        assert_eq!(decoder.finish().unwrap().num_rows(), 2);
        assert!(decoder.is_empty() && decoder.memory_size() == 0);
        assert_eq!(decoder.finish().unwrap().num_rows(), 0);
    }
}
