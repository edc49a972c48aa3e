//! `ST_Distance(a, b)` and `ST_DWithin(a, b, distance)`: how far apart two geometries are.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use geo::{Distance, Euclidean, Geometry};

use crate::geometry::{bounds, check_geometry};
use crate::operand::Operand;
use crate::rows::Rows;

/// `ST_Distance(a, b) -> Float64`: the least distance between positions of two geometries, in degrees of a plane.
///
/// Arguments are WKB or any GeoArrow type. Null if one is null or empty.
pub fn st_distance_udf() -> ScalarUDF {
    ScalarUDF::from(StDistance { measure: Measure::Distance, signature: Signature::any(2, Volatility::Immutable) })
}

/// `ST_DWithin(a, b, distance) -> Boolean`: whether two geometries are at most so far apart, in degrees of a plane.
///
/// Null if an argument is null; false if a geometry is empty.
pub fn st_dwithin_udf() -> ScalarUDF {
    ScalarUDF::from(StDistance { measure: Measure::Within, signature: Signature::any(3, Volatility::Immutable) })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Measure {
    Distance,
    Within,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StDistance {
    measure: Measure,
    signature: Signature,
}

impl StDistance {
    fn function(&self) -> &'static str {
        match self.measure {
            Measure::Distance => "st_distance",
            Measure::Within => "st_dwithin",
        }
    }
}

impl ScalarUDFImpl for StDistance {
    fn name(&self) -> &str {
        self.function()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.measure {
            Measure::Distance => DataType::Float64,
            Measure::Within => DataType::Boolean,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        args.arg_fields[..2].iter().try_for_each(|field| check_geometry(self.name(), field))?;
        Ok(Arc::new(Field::new(self.name(), self.return_type(&[])?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() != self.arity() {
            return exec_err!("{} takes {} arguments, not {}", self.name(), self.arity(), args.args.len());
        }
        let answered = Rows::of(&args.args, args.number_rows);
        let rows = answered.count;
        let [a, b] = [0, 1].map(|i| Operand::try_new(self.function(), &args.args[i], &args.arg_fields[i], rows));
        let (a, b) = (a?, b?);
        let distance = |row| -> Result<Option<Option<f64>>> {
            Ok(a.get(row)?.as_ref().zip(b.get(row)?.as_ref()).map(|(a, b)| distance(a, b)))
        };
        let answers: ArrayRef = match self.measure {
            Measure::Distance => {
                Arc::new((0..rows).map(|row| Ok(distance(row)?.flatten())).collect::<Result<Float64Array>>()?)
            }
            Measure::Within => {
                let limits = args.args[2].cast_to(&DataType::Float64, None)?.to_array(rows)?;
                let limits = limits.as_primitive::<Float64Type>();
                let within = |(row, limit): (usize, Option<f64>)| {
                    Ok(distance(row)?.zip(limit).map(|(distance, limit)| distance.is_some_and(|d| d <= limit)))
                };
                Arc::new(limits.iter().enumerate().map(within).collect::<Result<BooleanArray>>()?)
            }
        };
        answered.answer(answers)
    }
}

impl StDistance {
    fn arity(&self) -> usize {
        match self.measure {
            Measure::Distance => 2,
            Measure::Within => 3,
        }
    }
}

/// `None` if one of them is empty.
fn distance(a: &Geometry, b: &Geometry) -> Option<f64> {
    bounds(a)?;
    bounds(b)?;
    Some(Euclidean.distance(a, b))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::testing;

    async fn answer(sql: &str) -> Result<String> {
        let session = SessionContext::new();
        geodatafusion::register(&session);
        session.register_udf(st_distance_udf());
        session.register_udf(st_dwithin_udf());
        let points = "SELECT ST_Point(x, 0) AS p FROM (VALUES (3.0)) AS t(x)";
        testing::answer(&session, &format!("SELECT {sql} AS answer FROM ({points})")).await
    }

    #[tokio::test]
    async fn distances_are_planar_and_symmetric() {
        for (sql, expected) in [
            ("ST_Distance(p, ST_Point(0, 4))", "5.0"),
            ("ST_Distance(ST_Point(0, 4), p)", "5.0"),
            ("ST_Distance(p, p)", "0.0"),
            ("ST_Distance(p, ST_GeomFromText('POLYGON((0 -1, 1 -1, 1 1, 0 1, 0 -1))'))", "2.0"),
            ("ST_DWithin(p, ST_Point(0, 4), 5)", "true"),
            ("ST_DWithin(ST_Point(0, 4), p, 4.99)", "false"),
            ("ST_DWithin(ST_Point(0, 0), ST_Point(0, 1), 1)", "true"),
        ] {
            assert_eq!(answer(sql).await.unwrap(), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn null_and_empty_geometries_have_no_distance() {
        for (sql, expected) in [
            ("ST_Distance(p, NULL)", ""),
            ("ST_Distance(p, ST_GeomFromText('POINT EMPTY'))", ""),
            ("ST_DWithin(p, NULL, 1)", ""),
            ("ST_DWithin(p, p, NULL)", ""),
            ("ST_DWithin(p, ST_GeomFromText('POINT EMPTY'), 1)", "false"),
        ] {
            assert_eq!(answer(sql).await.unwrap(), expected, "{sql}");
        }
    }
}
