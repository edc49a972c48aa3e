//! `a_equals(a, b)` and its three siblings: how two lists lie to each other.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde_json::Value;

/// `a_equals`, `a_contains`, `a_containedby`, `a_overlaps`: `(a, b) -> Boolean`, as CQL2 defines them, of two JSON
/// texts that are lists: whether the elements of both are the same; all of b are in a; all of a are in b; some are in
/// both.
///
/// Lists are sets: order and repetition say nothing. Numbers are equal as doubles. Null if one is null, or is not a
/// list.
pub fn array_relation_udfs() -> Vec<ScalarUDF> {
    let signature = Signature::uniform(2, vec![DataType::Utf8View], Volatility::Immutable);
    let relations = [Relation::Equals, Relation::Contains, Relation::ContainedBy, Relation::Overlaps];
    relations.map(|relation| ArrayRelation { relation, signature: signature.clone() }.into()).into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Relation {
    Equals,
    Contains,
    ContainedBy,
    Overlaps,
}

impl Relation {
    fn holds(self, a: &[Value], b: &[Value]) -> bool {
        match self {
            Self::Equals => Self::Contains.holds(a, b) && Self::ContainedBy.holds(a, b),
            Self::Contains => b.iter().all(|element| is_in(element, a)),
            Self::ContainedBy => a.iter().all(|element| is_in(element, b)),
            Self::Overlaps => a.iter().any(|element| is_in(element, b)),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayRelation {
    relation: Relation,
    signature: Signature,
}

impl ScalarUDFImpl for ArrayRelation {
    fn name(&self) -> &str {
        match self.relation {
            Relation::Equals => "a_equals",
            Relation::Contains => "a_contains",
            Relation::ContainedBy => "a_containedby",
            Relation::Overlaps => "a_overlaps",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [a, b] = [args.args[0].to_array(args.number_rows)?, args.args[1].to_array(args.number_rows)?];
        let pairs = a.as_string_view().iter().zip(b.as_string_view());
        let answers: BooleanArray = pairs.map(|(a, b)| Some(self.relation.holds(&list(a?)?, &list(b?)?))).collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

fn list(text: &str) -> Option<Vec<Value>> {
    serde_json::from_str(text).ok()
}

fn is_in(element: &Value, list: &[Value]) -> bool {
    list.iter().any(|other| match (element, other) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sets_of_json_values() {
        let holds = |relation: Relation, a: &str, b: &str| Some(relation.holds(&list(a)?, &list(b)?));
        let relations = [Relation::Equals, Relation::Contains, Relation::ContainedBy, Relation::Overlaps];
        for (a, b, expected) in [
            ("[1, \"x\"]", "[\"x\", 1.0, 1e0]", [true, true, true, true]),
            ("[1, 2]", "[2]", [false, true, false, true]),
            ("[2]", "[1, 2]", [false, false, true, true]),
            ("[1]", "[\"1\"]", [false, false, false, false]),
            ("[]", "[]", [true, true, true, false]),
            ("[[1], null]", "[null, [1]]", [true, true, true, true]),
        ] {
            assert_eq!(relations.map(|relation| holds(relation, a, b)), expected.map(Some), "{a} {b}");
        }
        assert_eq!(relations.map(|relation| holds(relation, "{}", "[]")), [None; 4]);
    }
}
