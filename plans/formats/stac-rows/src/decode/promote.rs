//! [`promote`]: properties that get columns of their own after their rows were written.

use arrow::array::{Array, ArrayRef, StringViewArray, StringViewBuilder};

use super::cell::Cell;
use super::columns::CellBuilder;
use super::members::ObjectText;
use super::properties::Properties;
use super::scan::Cursor;
use crate::schema::Promoted;

/// The columns of `promoted`, and column `properties` without what they hold, from a column `properties` that has it all:
/// as the decoder would have made them of the same Items.
///
/// A row whose text is no JSON object is left as it is, and has none of the properties.
pub fn promote(properties: &StringViewArray, promoted: &[Promoted]) -> (Vec<ArrayRef>, StringViewArray) {
    let mut members = Properties::without_times(promoted);
    let mut columns: Vec<_> = members.column_types().map(CellBuilder::new).collect();
    let mut rest = StringViewBuilder::with_capacity(properties.len());
    let mut object = ObjectText::default();
    // What columns count, nobody asks for here.
    let mut bytes = 0;
    for json in properties {
        let text = json.unwrap_or_default();
        let is_read = Cursor::new(text).is_some_and(|mut cursor| {
            cursor.whitespace();
            members.read(&mut cursor).and_then(|()| cursor.end()).is_ok()
        });
        for (column, cell) in columns.iter_mut().zip(members.cells()) {
            column.append(if is_read { cell } else { Cell::Null }, text, &mut bytes);
        }
        if is_read {
            object.clear();
            members.put_rest(text, &mut object);
            rest.append_option(object.finish());
        } else {
            rest.append_option(json);
        }
    }
    (columns.iter_mut().map(CellBuilder::finish).collect(), rest.finish())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::DataType;

    use super::*;
    use crate::decode::ItemDecoder;
    use crate::item::restore;
    use crate::schema::{ItemSchema, timestamp};

    /// One Item for each of `properties`.
    fn decoded(schema: &ItemSchema, properties: &[&str]) -> RecordBatch {
        let mut decoder = ItemDecoder::new(schema);
        for (i, properties) in properties.iter().enumerate() {
            let item = format!(r#"{{"type": "Feature", "id": "{i}", "geometry": null, "properties": {properties}}}"#);
            decoder.append(item.as_bytes()).unwrap();
        }
        decoder.finish().unwrap()
    }

    fn promoted() -> Vec<Promoted> {
        let types = [
            ("eo:cloud_cover", DataType::Float64),
            ("platform", DataType::Utf8View),
            ("n", DataType::Int32),
            ("is", DataType::Boolean),
            ("processed", timestamp()),
        ];
        types.map(|(property, data_type)| Promoted::new(property, &data_type).unwrap()).to_vec()
    }

    const PROPERTIES: [&str; 9] = [
        r#"{"eo:cloud_cover": 12.5, "platform": "LC08", "n": 85.0, "is": true, "processed": "2020-01-01T00:00:00Z"}"#,
        r#"{"title": "t", "platform": 8, "n": "85", "eo:cloud_cover": "12.5", "is": "false", "processed": "2020-01-01"}"#,
        r#"{"eo:cloud_cover": 0.10000000000000001, "platform": null, "n": 1e12, "is": 1, "processed": 0}"#,
        r#"{"platform": "a \u00e9 \"b\"", "pl\u0061tform": "c", "x": {"platform": "d"}, "x": [1, 2]}"#,
        r#"{"platform": "\ud83e", "eo:cloud_cover": 1e999}"#,
        r#"{"a": 1, "datetime": "2020-01-01"}"#,
        r#"{"datetime": "2020-01-01T00:00:00Z", "n": -1}"#,
        r#"{"n": 7}"#,
        "{}",
    ];

    #[test]
    fn what_is_promoted_later_is_as_if_it_had_been_there_and_goes_back_as_it_was() {
        let (before, after) = (ItemSchema::try_new(vec![]).unwrap(), ItemSchema::try_new(promoted()).unwrap());
        let (old, new) = (decoded(&before, &PROPERTIES), decoded(&after, &PROPERTIES));
        let properties = |of: &RecordBatch| of.column_by_name("properties").unwrap().as_string_view().clone();
        let (columns, rest) = promote(&properties(&old), &promoted());
        for (column, promoted) in columns.iter().zip(promoted()) {
            assert_eq!(column, new.column_by_name(&promoted.column).unwrap(), "{}", promoted.property);
        }
        assert_eq!(rest, properties(&new));
        assert!(columns.iter().all(|column| column.null_count() < column.len()));

        let named = promoted().into_iter().map(|promoted| promoted.property).zip(columns).collect::<Vec<_>>();
        let back = restore(&rest, &named).unwrap();
        // A column of integers says 85 for 85.0.
        let json = |text: Option<&str>| {
            text.map(|text| serde_json::from_str::<serde_json::Value>(&text.replace("85.0", "85")).unwrap())
        };
        for (i, (back, old)) in back.iter().zip(&properties(&old)).enumerate() {
            // Half a surrogate pair is no text for this parser; it is not touched.
            match PROPERTIES[i].contains("ud83e") {
                true => assert_eq!(back.map(str::len), old.map(|old| old.replace(": ", ":").replace(", ", ",").len())),
                false => assert_eq!(json(back), json(old), "{}", PROPERTIES[i]),
            }
        }
    }

    #[test]
    fn text_of_others_that_is_no_object_stays() {
        let texts =
            StringViewArray::from(vec![Some("[1]"), None, Some("{"), Some(r#"{"n": 1} x"#), Some(r#" {"n": 1} "#)]);
        let n = [Promoted::new("n", &DataType::Int64).unwrap()];
        let (columns, rest) = promote(&texts, &n);
        assert_eq!(
            columns[0].as_primitive::<arrow::datatypes::Int64Type>().iter().collect::<Vec<_>>(),
            [None, None, None, None, Some(1)]
        );
        assert_eq!(rest.iter().collect::<Vec<_>>(), [Some("[1]"), None, Some("{"), Some(r#"{"n": 1} x"#), None]);
    }
}
