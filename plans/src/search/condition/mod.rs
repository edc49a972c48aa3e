//! What filters mean: CQL2 as expressions over the columns of a table of Items.
//!
//! Logic is that of SQL: what is compared with null is unknown, NOT of unknown is unknown, and an Item is found where a
//! filter is true.

mod arrays;
mod compare;
mod scalar;
mod spatial;
mod temporal;

use datafusion::logical_expr::{Expr, lit, not};

pub(super) use self::spatial::intersects;
use super::cql2::{Cql2, Function};
use super::names::{Kind, Names};

/// Reads a filter for a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions<'a> {
    pub names: Names<'a>,
}

type Read = Result<Expr, String>;

impl Conditions<'_> {
    /// The filter as an expression that is true, false or null of a row.
    ///
    /// Errors: operands that the operator does not take.
    pub fn condition(&self, filter: &Cql2) -> Read {
        use Function::*;
        let Cql2::Call(function, operands) = filter else {
            return match filter {
                Cql2::Boolean(value) => Ok(lit(*value)),
                Cql2::Null => Ok(Kind::Boolean.null()),
                Cql2::Property(name) => Ok(self.names.value(name, Kind::Boolean)),
                other => Err(format!("{} is not a condition", shown(other))),
            };
        };
        let conditions = || operands.iter().map(|operand| self.condition(operand)).collect::<Result<Vec<_>, _>>();
        match (function, operands.as_slice()) {
            (And, _) => Ok(balanced(conditions()?, Expr::and)),
            (Or, _) => Ok(balanced(conditions()?, Expr::or)),
            (Not, [operand]) => Ok(not(self.condition(operand)?)),
            (IsNull, [operand]) => self.is_null(operand),
            (Eq | NotEq | Lt | LtEq | Gt | GtEq, [left, right]) => self.compare(*function, left, right),
            (Between, [value, low, high]) => Ok(self.compare(GtEq, value, low)?.and(self.compare(LtEq, value, high)?)),
            (In, [value, Cql2::Array(list)]) => self.is_in(value, list),
            (Like, [value, pattern]) => Ok(self.value(value, Kind::Text)?.like(self.value(pattern, Kind::Text)?)),
            (AEquals | AContains | AContainedBy | AOverlaps, [left, right]) => self.of_arrays(*function, left, right),
            (
                SEquals | SIntersects | SDisjoint | STouches | SWithin | SOverlaps | SCrosses | SContains,
                [left, right],
            ) => spatial::condition(*function, left, right),
            (
                TAfter | TBefore | TContains | TDisjoint | TDuring | TEquals | TFinishedBy | TFinishes | TIntersects
                | TMeets | TMetBy | TOverlappedBy | TOverlaps | TStartedBy | TStarts,
                [left, right],
            ) => self.of_times(*function, left, right),
            _ => Err(format!("{} is not a condition", shown(filter))),
        }
    }

    fn is_null(&self, operand: &Cql2) -> Read {
        match operand {
            Cql2::Property(name) if name == spatial::GEOMETRY => Ok(datafusion::logical_expr::ident(name).is_null()),
            Cql2::Property(name) => Ok(self.names.is_null(name)),
            other => match self.kind(other) {
                Some(kind) => Ok(self.value(other, kind)?.is_null()),
                None => Ok(lit(*other == Cql2::Null)),
            },
        }
    }
}

/// The conditions joined as a tree that is no deeper than it has to be.
fn balanced(mut conditions: Vec<Expr>, join: fn(Expr, Expr) -> Expr) -> Expr {
    if conditions.len() > 2 {
        let right = conditions.split_off(conditions.len() / 2);
        return join(balanced(conditions, join), balanced(right, join));
    }
    // An operation has an operand at least.
    conditions.into_iter().reduce(join).unwrap_or_else(|| lit(true))
}

/// An expression as messages have it.
fn shown(expression: &Cql2) -> String {
    match expression {
        Cql2::Property(name) => format!("property {name}"),
        Cql2::Number(number) => number.to_string(),
        Cql2::Text(text) => format!("'{text}'"),
        Cql2::Boolean(value) => value.to_string(),
        Cql2::Null => "null".to_owned(),
        Cql2::Timestamp(time) => time.to_rfc3339(),
        Cql2::Date(date) => date.to_string(),
        Cql2::Interval(..) => "an interval".to_owned(),
        Cql2::Geometry(_) => "a geometry".to_owned(),
        Cql2::Array(_) => "an array".to_owned(),
        Cql2::Call(function, _) => function.name().to_owned(),
    }
}
