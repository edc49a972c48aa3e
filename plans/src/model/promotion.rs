//! [`Promotion`]: what a file says of properties in another way than its table, which promotes others than it did when the
//! file was written.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{DataFusionError, Result};
use earthcatalog_stac_rows::decode::promote;
use earthcatalog_stac_rows::item::restore;
use earthcatalog_stac_rows::{PROPERTY_KEY, Promoted, dropped};

use super::field_ids::{field_id, position};

/// Column with the properties that have none of their own.
pub const PROPERTIES: &str = "properties";

/// How the columns of properties of a table come of those of a file: the values of a column that the file lacks are in its
/// `properties`, and those of a column that the table has no longer go back there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Promotion {
    /// Columns that the file lacks: property, column and type.
    missing: Vec<(String, String, DataType)>,
    /// Columns of the file that the table lacks: where they are in the file, and their properties.
    dropped: Vec<(usize, String)>,
    /// Where `properties` is in the file.
    properties: Option<usize>,
}

impl Promotion {
    /// `None` where the columns are the same. What a file without field ids has, names tell; which of it was dropped, nothing.
    pub fn between(table: &Fields, file: &Fields) -> Option<Self> {
        let (_, of_table) = table.find(PROPERTIES)?;
        let missing = table.iter().filter_map(|field| {
            let property = field.metadata().get(PROPERTY_KEY)?;
            let is_missing = position(field, file).is_none();
            is_missing.then(|| (property.clone(), field.name().clone(), field.data_type().clone()))
        });
        let known = dropped(of_table);
        let dropped = file.iter().enumerate().filter_map(|(i, field)| Some((i, known.get(&field_id(field)?)?.clone())));
        let (missing, dropped): (Vec<_>, Vec<_>) = (missing.collect(), dropped.collect());
        let is_same = missing.is_empty() && dropped.is_empty();
        (!is_same).then(|| Self { missing, dropped, properties: position(of_table, file) })
    }

    /// Whether a column of the table is not as it is in the file.
    pub fn makes(&self, column: &str) -> bool {
        column == PROPERTIES || self.missing.iter().any(|(_, missing, _)| missing == column)
    }

    /// Where the columns of the file are of which [`Self::makes`] are made: [`Self::column`] takes these.
    pub fn inputs(&self) -> impl Iterator<Item = usize> + '_ {
        self.properties.into_iter().chain(self.dropped.iter().map(|(i, _)| *i))
    }

    /// A column of the table, which [`Self::makes`], of `rows` rows.
    pub fn column(&self, column: &Field, inputs: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let mut inputs = inputs.iter();
        let properties = match self.properties.and_then(|_| inputs.next()) {
            Some(properties) => cast(properties, &DataType::Utf8View)?,
            None => new_null_array(&DataType::Utf8View, rows),
        };
        let dropped =
            self.dropped.iter().zip(inputs).map(|((_, property), column)| (property.clone(), Arc::clone(column)));
        let restored = restore(properties.as_string_view(), &dropped.collect::<Vec<_>>());
        let restored: StringViewArray = restored.map_err(|e| DataFusionError::External(Box::new(e)))?;
        let promoted = |(property, name, data_type): &(String, String, DataType)| {
            Promoted::in_column(name, property, data_type).map_err(|e| DataFusionError::External(Box::new(e)))
        };
        // A column by itself needs no other one.
        let wanted = self.missing.iter().filter(|(_, name, _)| column.name() == PROPERTIES || name == column.name());
        let (mut columns, rest) = promote(&restored, &wanted.map(promoted).collect::<Result<Vec<_>>>()?);
        Ok(match column.name().as_str() {
            PROPERTIES => Arc::new(rest),
            _ => match columns.pop() {
                Some(values) => cast(&values, column.data_type())?,
                None => new_null_array(column.data_type(), rows),
            },
        })
    }
}
