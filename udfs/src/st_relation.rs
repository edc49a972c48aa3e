//! `ST_Intersects(a, b)` and its nine siblings: how two geometries lie to each other.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::or_kleene;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use geo::relate::IntersectionMatrix;
use geo::{BoundingRect, CoordsIter, Geometry, HasDimensions, Intersects, PreparedGeometry, Rect, Relate};

use crate::geometry::{Geometries, bounds, check_geometry};
use crate::rows::Rows;

/// A constant of more positions than this is indexed.
const INDEXED: usize = 32;

/// `ST_Intersects`, `ST_Disjoint`, `ST_Contains`, `ST_Within`, `ST_Covers`, `ST_CoveredBy`, `ST_Equals`, `ST_Touches`,
/// `ST_Crosses`, `ST_Overlaps`: `(a, b) -> Boolean`, as PostGIS defines them (OGC Simple Features, DE-9IM).
///
/// Arguments are WKB or any GeoArrow type. Coordinates lie in a plane, so that an edge over the antimeridian is one
/// round the globe. Null if one is null; an empty geometry is disjoint from all, and otherwise false.
pub fn st_relation_udfs() -> Vec<ScalarUDF> {
    RELATIONS.iter().map(|relation| ScalarUDF::from(StRelation::new(*relation))).collect()
}

#[derive(Debug, Clone, Copy)]
struct Relation {
    name: &'static str,
    holds: fn(&IntersectionMatrix) -> bool,
    /// The answer for geometries of which the bounds share no position.
    apart: bool,
}

const RELATIONS: [Relation; 10] = [
    Relation { name: "st_intersects", holds: |m| m.is_intersects(), apart: false },
    Relation { name: "st_disjoint", holds: |m| m.is_disjoint(), apart: true },
    Relation { name: "st_contains", holds: |m| m.is_contains(), apart: false },
    Relation { name: "st_within", holds: |m| m.is_within(), apart: false },
    Relation { name: "st_covers", holds: |m| m.is_covers(), apart: false },
    Relation { name: "st_coveredby", holds: |m| m.is_coveredby(), apart: false },
    Relation { name: "st_equals", holds: |m| m.is_equal_topo(), apart: false },
    Relation { name: "st_touches", holds: |m| m.is_touches(), apart: false },
    Relation { name: "st_crosses", holds: |m| m.is_crosses(), apart: false },
    Relation { name: "st_overlaps", holds: |m| m.is_overlaps(), apart: false },
];

impl PartialEq for Relation {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Relation {}

impl Hash for Relation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StRelation {
    relation: Relation,
    signature: Signature,
}

impl StRelation {
    fn new(relation: Relation) -> Self {
        Self { relation, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for StRelation {
    fn name(&self) -> &str {
        self.relation.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        args.arg_fields.iter().try_for_each(|field| check_geometry(self.name(), field))?;
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return exec_err!("{} takes two geometries, not {} arguments", self.name(), args.args.len());
        };
        let read = |value: &ColumnarValue, field: &Field| {
            let rows = if matches!(value, ColumnarValue::Scalar(_)) { 1 } else { args.number_rows };
            Geometries::try_new(self.relation.name, &value.to_array(rows)?, field)
        };
        let (a, b) = (read(left, &args.arg_fields[0])?, read(right, &args.arg_fields[1])?);
        let answers: BooleanArray = match (left, right) {
            (ColumnarValue::Array(_), ColumnarValue::Array(_)) => {
                let relate = |row| self.relation.of(a.get(row)?, b.get(row)?);
                (0..args.number_rows).map(relate).collect::<Result<_>>()?
            }
            (_, ColumnarValue::Scalar(_)) => self.relation.with_constant(&a, b.get(0)?, Side::Right)?,
            (ColumnarValue::Scalar(_), _) => self.relation.with_constant(&b, a.get(0)?, Side::Left)?,
        };
        Rows::of(&args.args, args.number_rows).answer(Arc::new(answers))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

impl Relation {
    fn of(&self, a: Option<Geometry>, b: Option<Geometry>) -> Result<Option<bool>> {
        let (Some(a), Some(b)) = (a, b) else { return Ok(None) };
        Ok(Some(match (bounds(&a), bounds(&b)) {
            (Some(of_a), Some(of_b)) if of_a.intersects(&of_b) => {
                if self.name == "st_intersects" {
                    a.intersects(&b)
                } else {
                    (self.holds)(&a.relate(&b))
                }
            }
            _ => self.apart,
        }))
    }

    /// The answers for each row and a constant, which is the argument on one `side`.
    fn with_constant(&self, rows: &Geometries, constant: Option<Geometry>, side: Side) -> Result<BooleanArray> {
        let Some(constant) = constant else { return Ok(std::iter::repeat_n(None, rows.len()).collect()) };
        let frame: Option<Rect> = if constant.is_empty() { None } else { constant.bounding_rect() };
        // What intersects a collection intersects a member of it; members may overlap, which is more than DE-9IM knows of.
        if let (Geometry::GeometryCollection(members), "st_intersects") = (&constant, self.name) {
            let answers = members.iter().map(|member| self.with_constant(rows, Some(member.clone()), side));
            let none = BooleanArray::from_iter((0..rows.len()).map(|row| (!rows.wkb().is_null(row)).then_some(false)));
            return answers.into_iter().try_fold(none, |any, answer| Ok(or_kleene(&any, &answer?)?));
        }
        let indexed = constant.coords_count() > INDEXED || self.name != "st_intersects";
        let prepared = (indexed && frame.is_some()).then(|| PreparedGeometry::from(constant.clone()));
        let answer = |row| {
            let Some(geometry) = rows.get(row)? else { return Ok(None) };
            let near = bounds(&geometry).zip(frame).is_some_and(|(a, b)| a.intersects(&b));
            Ok(Some(match &prepared {
                _ if !near => self.apart,
                None => geometry.intersects(&constant),
                Some(prepared) if side == Side::Left => (self.holds)(&prepared.relate(&geometry)),
                Some(prepared) => (self.holds)(&geometry.relate(prepared)),
            }))
        };
        (0..rows.len()).map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::testing;

    async fn answer(sql: &str) -> Result<String> {
        let session = SessionContext::new();
        geodatafusion::register(&session);
        st_relation_udfs().into_iter().for_each(|udf| session.register_udf(udf));
        let shapes = "WITH shapes AS (SELECT ST_GeomFromText(wkt) AS g FROM (VALUES ('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))')) AS t(wkt))";
        testing::answer(&session, &format!("{shapes} SELECT {sql} AS answer FROM shapes")).await
    }

    #[tokio::test]
    async fn the_order_of_the_arguments_counts_whichever_is_constant() {
        let small = "ST_GeomFromText('POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))')";
        let large = "ST_GeomFromText('POLYGON((-9 -9, 9 -9, 9 9, -9 9, -9 -9))')";
        for (sql, expected) in [
            (format!("ST_Contains(g, {small})"), "true"),
            (format!("ST_Contains({small}, g)"), "false"),
            (format!("ST_Within({small}, g)"), "true"),
            (format!("ST_Within(g, {small})"), "false"),
            (format!("ST_Contains({large}, g)"), "true"),
            (format!("ST_Within(g, {large})"), "true"),
            (format!("ST_CoveredBy({large}, g)"), "false"),
            (format!("ST_Covers({large}, {small})"), "true"),
            (format!("ST_Covers({small}, {large})"), "false"),
            ("ST_Equals(g, g)".to_owned(), "true"),
            ("ST_Touches(g, ST_Point(4, 2))".to_owned(), "true"),
            ("ST_Crosses(ST_GeomFromText('LINESTRING(-1 2, 9 2)'), g)".to_owned(), "true"),
            ("ST_Overlaps(g, ST_GeomFromText('POLYGON((3 3, 9 3, 9 9, 3 9, 3 3))'))".to_owned(), "true"),
            ("ST_Disjoint(g, ST_Point(5, 5))".to_owned(), "true"),
            ("ST_Intersects(ST_Point(4, 4), g)".to_owned(), "true"),
        ] {
            assert_eq!(answer(&sql).await.unwrap(), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn null_is_null_and_an_empty_geometry_touches_nothing() {
        for (sql, expected) in [
            ("ST_Intersects(g, NULL)", ""),
            ("ST_Contains(NULL, g)", ""),
            ("ST_Intersects(g, ST_GeomFromText('POINT EMPTY'))", "false"),
            ("ST_Within(ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'), g)", "false"),
            ("ST_Disjoint(ST_GeomFromText('POLYGON EMPTY'), g)", "true"),
        ] {
            assert_eq!(answer(sql).await.unwrap(), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_constant_of_many_positions_gives_the_same_answers() {
        let circle = |radius: f64| {
            let at = |i: u32| (f64::from(i % 100) * std::f64::consts::TAU / 100.0).sin_cos();
            let positions: Vec<_> = (0..=100).map(|i| format!("{} {}", radius * at(i).1, radius * at(i).0)).collect();
            format!("ST_GeomFromText('POLYGON(({}))')", positions.join(","))
        };
        assert_eq!(answer(&format!("ST_Intersects(g, {})", circle(1.0))).await.unwrap(), "true");
        assert_eq!(answer(&format!("ST_Within(g, {})", circle(6.0))).await.unwrap(), "true");
        assert_eq!(answer(&format!("ST_Within({}, g)", circle(6.0))).await.unwrap(), "false");
    }

    #[tokio::test]
    async fn an_argument_that_is_no_geometry_is_named() {
        let error = answer("ST_Intersects(g, 7)").await.unwrap_err().to_string();
        assert!(error.contains("st_intersects: Int64(7) is Int64, which is no geometry"), "{error}");
    }
}
