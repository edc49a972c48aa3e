//! Predicates of arrays.

use datafusion::logical_expr::{Expr, lit};
use earthcatalog_udfs::array_relation_udfs;
use serde_json::Value;

use super::{Conditions, Read, shown};
use crate::model::items::write_time;
use crate::search::cql2::{Cql2, Function};

impl Conditions<'_> {
    /// A predicate of two arrays, each being a list of constants or a property; null where a property is no list.
    ///
    /// Errors: an operand that is neither.
    pub(super) fn of_arrays(&self, function: Function, left: &Cql2, right: &Cql2) -> Read {
        let name = function.name().to_ascii_lowercase();
        let relation = array_relation_udfs().into_iter().find(|relation| relation.name() == name);
        let relation = relation.ok_or_else(|| format!("there is no function {name}"))?;
        Ok(relation.call(vec![self.array(function, left)?, self.array(function, right)?]))
    }

    fn array(&self, function: Function, operand: &Cql2) -> Result<Expr, String> {
        match operand {
            Cql2::Property(name) => Ok(self.names.json(name)),
            Cql2::Array(elements) => {
                let elements = elements.iter().map(json).collect::<Result<Vec<_>, _>>()?;
                Ok(lit(Value::Array(elements).to_string()))
            }
            other => Err(format!("{} takes arrays, and {} is none", function.name(), shown(other))),
        }
    }
}

/// A constant as JSON.
fn json(element: &Cql2) -> Result<Value, String> {
    Ok(match element {
        Cql2::Null => Value::Null,
        Cql2::Boolean(value) => Value::Bool(*value),
        Cql2::Number(number) => Value::from(*number),
        Cql2::Text(text) => Value::from(text.as_str()),
        Cql2::Date(date) => Value::from(date.to_string()),
        Cql2::Timestamp(time) => {
            let mut text = vec![];
            write_time(&mut text, time.timestamp_micros());
            serde_json::from_slice(&text).unwrap_or_default()
        }
        Cql2::Array(elements) => Value::Array(elements.iter().map(json).collect::<Result<_, _>>()?),
        other => return Err(format!("{} cannot be in an array", shown(other))),
    })
}
