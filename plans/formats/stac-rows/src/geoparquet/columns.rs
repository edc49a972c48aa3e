//! What the columns of a file of Items are for, and which of them JSON cannot hold.

use arrow::datatypes::{DataType, Field, Fields, Schema};

use crate::schema::NO_CELL;

/// Members at the top of an Item; any other column is a property.
const TOP: [&str; 9] =
    ["type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection"];

/// A column, or a member of one, with geometries, by its name.
const GEOMETRIES: [&str; 2] = ["geometry", "proj:geometry"];

/// Column of the Python reference: the JSON text of the whole Item.
const RAW_ITEM: &str = "raw_stac";

/// Key of the field metadata with the name of an Arrow extension type.
const EXTENSION_NAME: &str = "ARROW:extension:name";

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Top,
    Property,
    /// Text of the whole Item, where there is some.
    RawItem,
    /// The cell of a row, where it is the name of one.
    Cell,
    Ignored,
}

impl Role {
    pub fn of(field: &Field) -> Self {
        let is_text = is_text(field.data_type());
        match field.name().as_str() {
            name if TOP.contains(&name) => Self::Top,
            RAW_ITEM if is_text => Self::RawItem,
            crate::schema::GRID_PARTITION if is_text => Self::Cell,
            name if is_index(name) => Self::Ignored,
            _ => Self::Property,
        }
    }
}

/// Whether a column is the index of a data frame, which pandas writes beside its columns.
fn is_index(name: &str) -> bool {
    let number = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether text is what column `grid_partition` has: an H3 cell, or that there is none.
pub(super) fn is_cell(text: &str) -> bool {
    text == NO_CELL || text.len() == 15 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether a column has geometries, by its name or its Arrow extension type.
pub(super) fn is_geometry(field: &Field) -> bool {
    let of_geoarrow = field.metadata().get(EXTENSION_NAME).is_some_and(|name| name.starts_with("geoarrow."));
    of_geoarrow || GEOMETRIES.contains(&field.name().as_str())
}

/// Whether a member of a column has geometries, by its name.
pub(super) fn is_geometry_name(name: &str) -> bool {
    GEOMETRIES.contains(&name)
}

/// Why no row of a file with this schema can be written, all columns named; `None` if they can.
///
/// Columns of geometries carry an Arrow extension type of GeoArrow, or are called `geometry` or `proj:geometry`.
pub fn unwritable_columns(schema: &Schema) -> Option<String> {
    let mut found = vec![];
    for field in schema.fields() {
        if !is_geometry(field) && Role::of(field) != Role::Ignored {
            unwritable(field.name(), field, &mut found);
        }
    }
    (!found.is_empty()).then(|| {
        format!("JSON has no form for {}; leave such columns out of the file, or write them as text", found.join(", "))
    })
}

fn unwritable(path: &str, field: &Field, found: &mut Vec<String>) {
    let within = |fields: &Fields, found: &mut Vec<String>| {
        fields.iter().for_each(|field| unwritable(&format!("{path}.{}", field.name()), field, found));
    };
    match field.data_type() {
        DataType::Struct(fields) => within(fields, found),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _)
        | DataType::ListView(element)
        | DataType::LargeListView(element) => {
            unwritable(path, &element.as_ref().clone().with_name(field.name()), found);
        }
        DataType::Map(entries, _) => {
            if let DataType::Struct(fields) = entries.data_type() {
                within(&fields.iter().skip(1).cloned().collect(), found);
            }
        }
        DataType::Dictionary(_, of) => {
            unwritable(path, &field.clone().with_data_type(of.as_ref().clone()), found);
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView if is_geometry_name(field.name()) => {}
        other @ (DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::Interval(_)
        | DataType::Union(..)
        | DataType::RunEndEncoded(..)) => found.push(format!("column {path} ({other})")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_json_has_no_form_for_is_named_wherever_it_stands() {
        let binary = |name: &str| Field::new(name, DataType::Binary, true);
        let within = DataType::Struct(vec![binary("hash"), binary("proj:geometry")].into());
        let geometry = HashMap::from([(EXTENSION_NAME.to_owned(), "geoarrow.wkb".to_owned())]);
        let schema = |fields| unwritable_columns(&Schema::new(Vec::<Field>::from_iter(fields)));
        assert_eq!(
            schema(vec![
                binary("geometry"),
                binary("proj:geometry"),
                binary("centroid").with_metadata(geometry),
                binary("__index_level_0__"),
                Field::new("id", DataType::Utf8, true),
            ]),
            None
        );
        let list = DataType::List(Arc::new(Field::new("element", within, true)));
        let error = schema(vec![binary("thumbnail"), Field::new("assets", list, true)]).unwrap();
        assert!(
            error.starts_with("JSON has no form for column thumbnail (Binary), column assets.hash (Binary); leave"),
            "{error}"
        );
    }

    #[test]
    fn columns_that_say_nothing_of_the_item_are_known() {
        let role = |name: &str| Role::of(&Field::new(name, DataType::Utf8, true));
        assert_eq!(
            ["id", "gsd", "raw_stac", "grid_partition", "__index_level_0__", "__index_level_x__"].map(role),
            [Role::Top, Role::Property, Role::RawItem, Role::Cell, Role::Ignored, Role::Property]
        );
        assert!(is_cell("8107bffffffffff") && is_cell("__none__") && !is_cell("10TGK"));
    }
}
