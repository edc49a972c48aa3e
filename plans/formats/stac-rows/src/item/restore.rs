//! [`restore`]: properties whose columns are gone.

use arrow::array::{Array, ArrayRef, StringViewArray, StringViewBuilder};

use super::{ItemColumns, ItemError, Role};

/// Column `properties` with the values of columns of their own, each with its property, that an Item has no longer.
///
/// As in a rebuilt Item, what is in `properties` already wins. Rows without such a value stay as they are written.
///
/// Errors: a row has a value, and in `properties` text that is no JSON object.
pub fn restore(properties: &StringViewArray, columns: &[(String, ArrayRef)]) -> Result<StringViewArray, ItemError> {
    let mut of_items = ItemColumns { properties: Some(properties.clone()), ..ItemColumns::default() };
    for (property, column) in columns {
        of_items.add(Role::Property(property.clone()), column)?;
    }
    let mut restored = StringViewBuilder::with_capacity(properties.len());
    let mut text = vec![];
    for (row, json) in properties.iter().enumerate() {
        if columns.iter().all(|(_, column)| column.is_null(row)) {
            restored.append_option(json);
            continue;
        }
        text.clear();
        of_items.write_properties(row, &mut text)?;
        restored.append_value(std::str::from_utf8(&text)?);
    }
    Ok(restored.finish())
}
