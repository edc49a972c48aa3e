//! Values of the columns that hold one property each: how a JSON value becomes one, and when it says all of that value.

use arrow::datatypes::{DataType, TimeUnit};

use super::number::Decimal;
use super::value::{Text, Token, Value};
use crate::time;

/// The type of a column that holds a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellType {
    Text,
    Boolean,
    Int32,
    Int64,
    Float32,
    Float64,
    Time,
}

impl CellType {
    /// `None` for types that [`crate::schema::Promoted`] does not have.
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Self::Time,
            _ => return None,
        })
    }
}

/// One value of such a column.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Cell {
    #[default]
    Null,
    /// The string that a literal stands for; its escapes make valid text.
    Text(Text),
    /// A number or a boolean in a text column, as the source writes it.
    Literal(Value),
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Time(i64),
}

/// The cell for `value`, and whether the cell alone gives the value back: equal as a JSON value.
///
/// A value of another JSON type fills the column if it reads exactly as one of the column's type (`"85"` as an integer,
/// `7` as text), but does not come back from it.
pub(super) fn read(column: CellType, value: Value, text: &str) -> (Cell, bool) {
    match (column, value.token) {
        (_, Token::Null | Token::Object | Token::List) => (Cell::Null, false),
        (CellType::Text, Token::Text(literal)) => {
            if literal.decode(text).is_some() {
                (Cell::Text(literal), true)
            } else {
                (Cell::Null, false)
            }
        }
        (CellType::Text, _) => (Cell::Literal(value), false),
        (CellType::Time, Token::Text(literal)) => match literal.decode(text).and_then(|text| time::parse(&text)) {
            Some(time) => (Cell::Time(time.micros), time.canonical),
            None => (Cell::Null, false),
        },
        (CellType::Time, _) => (Cell::Null, false),
        (CellType::Boolean, Token::True) => (Cell::Boolean(true), true),
        (CellType::Boolean, Token::False) => (Cell::Boolean(false), true),
        (CellType::Boolean, Token::Text(literal)) => match literal.raw(text) {
            "true" => (Cell::Boolean(true), false),
            "false" => (Cell::Boolean(false), false),
            _ => (Cell::Null, false),
        },
        (CellType::Boolean, _) => (Cell::Null, false),
        (_, Token::Number) => number(column, value.span.of(text)),
        (_, Token::Text(literal)) => (number(column, literal.raw(text)).0, false),
        (_, Token::True | Token::False) => (Cell::Null, false),
    }
}

fn number(column: CellType, literal: &str) -> (Cell, bool) {
    let Some(number) = Decimal::parse(literal) else { return (Cell::Null, false) };
    let integer = || number.to_i64();
    match column {
        CellType::Int32 => integer().filter(|i| i32::try_from(*i).is_ok()).map(|i| (Cell::Integer(i), true)),
        CellType::Int64 => integer().map(|i| (Cell::Integer(i), true)),
        CellType::Float64 => {
            Some(number.to_f64()).filter(|v| v.is_finite()).map(|v| (Cell::Float(v), number.is_shortest_of(v)))
        }
        CellType::Float32 => {
            // Not by way of a double, which would round twice.
            let single: f32 = literal.parse().unwrap_or(f32::INFINITY);
            single.is_finite().then_some((Cell::Float(single.into()), number.to_exact_f32().is_some()))
        }
        CellType::Text | CellType::Boolean | CellType::Time => None,
    }
    .unwrap_or((Cell::Null, false))
}

#[cfg(test)]
mod tests {
    use super::super::scan::Cursor;
    use super::*;

    /// The cell for a JSON value: as text, and whether it alone gives the value back.
    fn cell(column: CellType, json: &str) -> (String, bool) {
        let (cell, faithful) = read(column, Cursor::new(json).unwrap().value().unwrap(), json);
        let text = match cell {
            Cell::Null => "NULL".to_owned(),
            Cell::Text(literal) => literal.decode(json).unwrap().into_owned(),
            Cell::Literal(value) => value.span.of(json).to_owned(),
            Cell::Boolean(value) => value.to_string(),
            Cell::Integer(value) | Cell::Time(value) => value.to_string(),
            Cell::Float(value) => value.to_string(),
        };
        (text, faithful)
    }

    #[test]
    fn a_value_of_the_columns_type_fills_it_and_comes_back_from_it() {
        for (column, json, text) in [
            (CellType::Text, r#""LC\u003008""#, "LC008"),
            (CellType::Boolean, "true", "true"),
            (CellType::Int32, "85.0", "85"),
            (CellType::Int64, "1e12", "1000000000000"),
            (CellType::Float32, "0.5", "0.5"),
            (CellType::Float64, "49", "49"),
            (CellType::Time, r#""1970-01-01T00:00:01Z""#, "1000000"),
        ] {
            assert_eq!(cell(column, json), (text.to_owned(), true), "{column:?} {json}");
        }
    }

    #[test]
    fn a_value_that_reads_as_the_columns_type_fills_it_but_does_not_come_back() {
        for (column, json, text) in [
            (CellType::Text, "219121", "219121"),
            (CellType::Text, "true", "true"),
            (CellType::Boolean, r#""false""#, "false"),
            (CellType::Int32, r#""85""#, "85"),
            (CellType::Float64, r#""-81.4991""#, "-81.4991"),
            (CellType::Float64, "0.10000000000000001", "0.1"),
            (CellType::Time, r#""1970-01-01""#, "0"),
        ] {
            assert_eq!(cell(column, json), (text.to_owned(), false), "{column:?} {json}");
        }
    }

    #[test]
    fn any_other_value_leaves_the_column_null() {
        for (column, json) in [
            (CellType::Text, "null"),
            (CellType::Text, "[]"),
            (CellType::Text, r#""\ud83e""#),
            (CellType::Boolean, "1"),
            (CellType::Int32, "85.5"),
            (CellType::Int32, "1000000000000"),
            (CellType::Int32, r#""n/a""#),
            (CellType::Int64, "true"),
            (CellType::Float32, "1e39"),
            (CellType::Float64, "1e999"),
            (CellType::Float64, r#""NaN""#),
            (CellType::Time, "0"),
            (CellType::Time, r#""NaT""#),
        ] {
            assert_eq!(cell(column, json), ("NULL".to_owned(), false), "{column:?} {json}");
        }
    }
}
