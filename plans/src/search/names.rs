//! [`Names`]: where a table has what STAC calls by a name.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, cast, ident, lit, when};
use earthcatalog_udfs::{json_get_scalar_udf, json_get_text_udf, json_get_udf, try_number_udf, try_timestamp_udf};

use crate::model::items::{PROPERTY_KEY, TIME_COLUMNS, timestamp};

/// Prefix of properties.
const PROPERTIES: &str = "properties";

/// Members of an Item that are texts and have a column of the same name.
const MEMBERS: [&str; 3] = ["id", "collection", "stac_version"];

/// As what values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Of doubles.
    Number,
    Boolean,
    Time,
}

impl Kind {
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Time => timestamp(),
        }
    }

    /// Null of this kind.
    pub fn null(self) -> Expr {
        lit(ScalarValue::try_from(self.data_type()).unwrap_or(ScalarValue::Null))
    }

    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(..) => Self::Time,
            number if number.is_numeric() => Self::Number,
            _ => return None,
        })
    }
}

/// A column with one member or property of Items.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedColumn<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub data_type: &'a DataType,
}

/// The names that STAC has for what a table holds.
///
/// `id`, `collection` and `stac_version` are those of the Item; any other name is that of a property, with
/// `properties.` before it or without. A property that has a column is taken from there. What does not fit its column
/// (`85.5` in an INT), and what has no column, is in the JSON text `properties`, and is read as what it is compared
/// with:
///
/// - text: strings; numbers and booleans as they are written
/// - number: numbers as doubles, and strings that are a number of JSON
/// - boolean: booleans, and the strings `true` and `false`
/// - time: strings that are a time
///
/// Whatever cannot be read so is null. So the answer does not depend on which properties have columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub schema: &'a Schema,
}

impl<'a> Names<'a> {
    /// The column of a name, if it has one.
    pub fn column(&self, name: &str) -> Option<NamedColumn<'a>> {
        let field = match property(name) {
            None if MEMBERS.contains(&name) => self.schema.field_with_name(name).ok(),
            bare => {
                let property = bare.unwrap_or(name);
                let is_promoted = |of: Option<&String>| of.is_some_and(|of| of == property);
                let promoted = || self.schema.fields().iter().find(|f| is_promoted(f.metadata().get(PROPERTY_KEY)));
                match TIME_COLUMNS.contains(&property) {
                    true => self.schema.field_with_name(property).ok(),
                    false => promoted().map(AsRef::as_ref),
                }
            }
        }?;
        let kind = Kind::of(field.data_type())?;
        Some(NamedColumn { name: field.name(), kind, data_type: field.data_type() })
    }

    /// The value of a name, read as `kind`.
    pub fn value(&self, name: &str, kind: Kind) -> Expr {
        let Some(column) = self.column(name) else { return self.value_in_text(name, kind) };
        let value = ident(column.name);
        match (column.data_type, kind) {
            (DataType::Int32 | DataType::Int64, Kind::Number) => {
                coalesce(vec![cast(value, DataType::Float64), self.value_in_text(name, kind)])
            }
            // As it was written: 0.1 is another double than its single.
            (DataType::Float32, Kind::Number) => read(self.text(name, value), kind),
            _ if column.kind == kind => value,
            _ => read(self.text(name, value), kind),
        }
    }

    /// Whether the Item has no such member, or it is null.
    pub fn is_null(&self, name: &str) -> Expr {
        let absent = json_get_text_udf().call(vec![self.properties(), lit(property(name).unwrap_or(name))]).is_null();
        match self.column(name) {
            Some(column) if MEMBERS.contains(&column.name) => ident(column.name).is_null(),
            Some(column) => ident(column.name).is_null().and(absent),
            None => absent,
        }
    }

    /// The JSON of a property that has no column, as of lists.
    pub fn json(&self, name: &str) -> Expr {
        json_get_udf().call(vec![self.properties(), lit(property(name).unwrap_or(name))])
    }

    /// What the JSON text has of a property; null for lists and objects.
    fn scalar(&self, name: &str) -> Expr {
        json_get_scalar_udf().call(vec![self.properties(), lit(property(name).unwrap_or(name))])
    }

    /// The value of a property in the JSON text alone.
    pub fn value_in_text(&self, name: &str, kind: Kind) -> Expr {
        read(self.scalar(name), kind)
    }

    /// The value of a column as text, as it was written, where that is known.
    fn text(&self, name: &str, column: Expr) -> Expr {
        coalesce(vec![self.scalar(name), cast(column, DataType::Utf8View)])
    }

    fn properties(&self) -> Expr {
        match self.schema.field_with_name(PROPERTIES) {
            Ok(_) => ident(PROPERTIES),
            Err(_) => Kind::Text.null(),
        }
    }
}

/// The name of a property without its prefix, if it has one.
fn property(name: &str) -> Option<&str> {
    name.strip_prefix(PROPERTIES)?.strip_prefix('.')
}

/// A text, read as `kind`.
fn read(text: Expr, kind: Kind) -> Expr {
    match kind {
        Kind::Text => text,
        Kind::Number => try_number_udf().call(vec![text]),
        Kind::Time => try_timestamp_udf().call(vec![text]),
        Kind::Boolean => {
            let word = |word: &str| text.clone().eq(lit(word));
            // Neither fails: there is at least one condition.
            let read = when(word("true"), lit(true)).when(word("false"), lit(false)).end();
            read.unwrap_or_else(|_| kind.null())
        }
    }
}
