//! Values: constants, properties, arithmetic, CASEI and ACCENTI.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use datafusion::functions::core::expr_fn::nullif;
use datafusion::functions::math::expr_fn::{power, trunc};
use datafusion::logical_expr::{Expr, lit};
use earthcatalog_udfs::{accenti_udf, casei_udf};

use super::{Conditions, Read, shown};
use crate::search::cql2::{Cql2, Function};
use crate::search::interval::literal;
use crate::search::names::Kind;

impl Conditions<'_> {
    /// As what an expression is compared. `None`: a property without a column, null, or what is no single value.
    pub(super) fn kind(&self, expression: &Cql2) -> Option<Kind> {
        match expression {
            Cql2::Property(name) => self.names.column(name).map(|column| column.kind),
            other => own_kind(other),
        }
    }

    /// The value of an expression as `kind`. What is divided by zero is null, as is what has no number.
    ///
    /// Errors: a constant of another kind, an array, an interval, a geometry.
    pub(super) fn value(&self, expression: &Cql2, kind: Kind) -> Read {
        match expression {
            Cql2::Property(name) => return Ok(self.names.value(name, kind)),
            Cql2::Null => return Ok(kind.null()),
            other if own_kind(other) != Some(kind) => {
                let expected = match kind {
                    Kind::Text => "a text",
                    Kind::Number => "a number",
                    Kind::Boolean => "a boolean",
                    Kind::Time => "a time",
                };
                return Err(format!("{} stands where {expected} belongs", shown(other)));
            }
            Cql2::Number(number) => return Ok(lit(*number)),
            Cql2::Text(text) => return Ok(lit(text.as_str())),
            Cql2::Timestamp(time) => return Ok(literal(*time)),
            Cql2::Date(date) => return Ok(literal(midnight(*date))),
            Cql2::Call(function, operands) if kind == Kind::Number => {
                let operands = operands.iter().map(|operand| self.value(operand, kind));
                let operands = operands.collect::<Result<Vec<_>, _>>()?.into_iter();
                let join = |left, right| arithmetic(*function, left, right);
                return Ok(operands.reduce(join).unwrap_or_else(|| kind.null()));
            }
            Cql2::Call(function @ (Function::Casei | Function::Accenti), operands) => {
                let udf = if *function == Function::Casei { casei_udf() } else { accenti_udf() };
                let operands = operands.iter().map(|operand| self.value(operand, kind));
                return Ok(udf.call(operands.collect::<Result<_, _>>()?));
            }
            _ => {}
        }
        self.condition(expression)
    }
}

/// The kind of an expression that is not a property.
pub(super) fn own_kind(expression: &Cql2) -> Option<Kind> {
    use Function::*;
    match expression {
        Cql2::Number(_) => Some(Kind::Number),
        Cql2::Text(_) => Some(Kind::Text),
        Cql2::Boolean(_) => Some(Kind::Boolean),
        Cql2::Timestamp(_) | Cql2::Date(_) => Some(Kind::Time),
        Cql2::Call(Plus | Minus | Times | Divide | Modulo | Power | IntegerDivide, _) => Some(Kind::Number),
        Cql2::Call(Casei | Accenti, _) => Some(Kind::Text),
        Cql2::Call(..) => Some(Kind::Boolean),
        _ => None,
    }
}

fn arithmetic(function: Function, left: Expr, right: Expr) -> Expr {
    let divisor = || nullif(right.clone() + lit(0.0), lit(0.0));
    match function {
        Function::Plus => left + right,
        Function::Minus => left - right,
        Function::Times => left * right,
        Function::Divide => left / divisor(),
        Function::Modulo => left % divisor(),
        Function::IntegerDivide => trunc(vec![left / divisor()]),
        // A root of a negative number is none.
        _ => nullif(power(left, right), lit(f64::NAN)),
    }
}

/// The first instant of a day.
pub(super) fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}
