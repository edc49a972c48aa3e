//! Comparisons.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, Operator, binary_expr, ident, lit, when};

use super::scalar::own_kind;
use super::{Conditions, Read, shown};
use crate::search::cql2::{Cql2, Function, instant};
use crate::search::names::{Kind, NamedColumn};

impl Conditions<'_> {
    /// `left` and `right` are compared as what the one of them is that is not a property, else as what its column
    /// holds. Two properties without columns are compared as numbers where both are, else as texts.
    pub(super) fn compare(&self, function: Function, left: &Cql2, right: &Cql2) -> Read {
        let (left, right) = (self.at_time(left, right)?, self.at_time(right, left)?);
        let operator = operator(function);
        let kind = own_kind(&left).or(own_kind(&right)).or(self.kind(&left)).or(self.kind(&right));
        let both = |kind| Ok::<_, String>((self.value(&left, kind)?, self.value(&right, kind)?));
        let Some(kind) = kind else {
            if let Some(other) = [&left, &right].into_iter().find(|side| !is_value(side)) {
                return Err(format!("{} cannot be compared", shown(other)));
            }
            let ((a, b), (c, d)) = (both(Kind::Number)?, both(Kind::Text)?);
            let are_numbers = a.clone().is_not_null().and(b.clone().is_not_null());
            let compared = when(are_numbers, binary_expr(a, operator, b)).otherwise(binary_expr(c, operator, d));
            return compared.map_err(|e| e.to_string());
        };
        match (&left, &right) {
            (Cql2::Property(name), Cql2::Number(number)) => self.with_number(name, operator, *number),
            (Cql2::Number(number), Cql2::Property(name)) => {
                self.with_number(name, operator.swap().unwrap_or(operator), *number)
            }
            _ => {
                let (a, b) = both(kind)?;
                Ok(binary_expr(a, operator, b))
            }
        }
    }

    /// Whether a value is one of a list, as SQL's IN has it.
    pub(super) fn is_in(&self, value: &Cql2, list: &[Cql2]) -> Read {
        let list = list.iter().map(|element| self.at_time(element, value)).collect::<Result<Vec<_>, _>>()?;
        let Some(kind) = list.iter().find_map(own_kind).or_else(|| self.kind(value)) else {
            // Of nothing but nulls and properties.
            let equal = list.iter().map(|element| self.compare(Function::Eq, value, element));
            return Ok(equal
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .reduce(Expr::or)
                .unwrap_or_else(|| lit(false)));
        };
        if list.is_empty() {
            return Ok(lit(false));
        }
        let is_of_kind = |element: &&Cql2| own_kind(element).is_none_or(|own| own == kind);
        let (same, other): (Vec<&Cql2>, Vec<&Cql2>) = list.iter().partition(is_of_kind);
        let mut elements = same.iter().map(|element| self.value(element, kind)).collect::<Result<Vec<_>, _>>()?;
        if elements.contains(&lit(0.0)) {
            elements.push(lit(-0.0));
        }
        let mut found = self.value(value, kind)?.in_list(elements, false);
        for element in other {
            found = found.or(self.compare(Function::Eq, value, element)?);
        }
        Ok(found)
    }

    /// A text that is compared with a column of times, as the time that it is.
    fn at_time(&self, side: &Cql2, other: &Cql2) -> Result<Cql2, String> {
        let (Cql2::Text(text), Cql2::Property(name)) = (side, other) else { return Ok(side.clone()) };
        if self.kind(other) != Some(Kind::Time) {
            return Ok(side.clone());
        }
        let time = instant(text).map(Cql2::Timestamp).or_else(|| text.parse().ok().map(Cql2::Date));
        time.ok_or_else(|| format!("{name} is compared with {text:?}, which is neither a time nor a date"))
    }

    /// A property compared with a number, in terms of its column, by whose bounds files are chosen.
    fn with_number(&self, name: &str, operator: Operator, number: f64) -> Read {
        let compared = |value| compare_number(value, operator, number);
        match self.names.column(name) {
            Some(NamedColumn { name: column, data_type: DataType::Int32 | DataType::Int64, .. }) => {
                // What is not a whole number is in the JSON text.
                let (column, other) = (ident(column), self.names.value_in_text(name, Kind::Number));
                let whole = compare_integer(column.clone(), operator, number);
                let is_whole = column.clone().is_not_null().and(whole);
                Ok(is_whole.or(column.is_null().and(compared(other))))
            }
            _ => Ok(compared(self.names.value(name, Kind::Number))),
        }
    }
}

/// Compares doubles; the two zeros are the same number, while Arrow orders -0 before 0.
fn compare_number(value: Expr, operator: Operator, number: f64) -> Expr {
    if number != 0.0 {
        return binary_expr(value, operator, lit(number));
    }
    match operator {
        Operator::Eq => value.clone().gt_eq(lit(-0.0)).and(value.lt_eq(lit(0.0))),
        Operator::NotEq => value.clone().lt(lit(-0.0)).or(value.gt(lit(0.0))),
        Operator::Lt | Operator::GtEq => binary_expr(value, operator, lit(-0.0)),
        _ => binary_expr(value, operator, lit(0.0)),
    }
}

/// Compares whole numbers, as such where the other number is whole.
fn compare_integer(value: Expr, operator: Operator, number: f64) -> Expr {
    /// Beyond, doubles leave out whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return binary_expr(value, operator, lit(number as i64));
    }
    binary_expr(datafusion::logical_expr::cast(value, DataType::Float64), operator, lit(number))
}

fn operator(function: Function) -> Operator {
    match function {
        Function::NotEq => Operator::NotEq,
        Function::Lt => Operator::Lt,
        Function::LtEq => Operator::LtEq,
        Function::Gt => Operator::Gt,
        Function::GtEq => Operator::GtEq,
        _ => Operator::Eq,
    }
}

/// Whether an expression can be one value.
fn is_value(expression: &Cql2) -> bool {
    own_kind(expression).is_some() || matches!(expression, Cql2::Property(_) | Cql2::Null)
}
