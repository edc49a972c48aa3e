//! Aggregates that make one geometry of many.

use std::hash::{Hash, Hasher};
use std::mem::size_of_val;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use earthcatalog_stac_rows::geometry_from_wkb;
use geo::Geometry;

use crate::geometry::{Geometries, check_geometry, to_wkb, wkb_field};

/// Bytes of geometries that are kept before one is made of them.
const KEPT: usize = 4 << 20;

/// What an aggregate makes of geometries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aggregate {
    pub name: &'static str,
    /// What others call it.
    pub alias: Option<&'static str>,
    /// Makes a geometry of one or more, none of them null, in the order of their WKB, so that the answer does not depend on
    /// that of the rows; `None` for null.
    pub make: fn(Vec<Geometry>) -> Option<Geometry>,
    /// Whether a geometry counts once, and what is made of some may stand for them.
    pub absorbs: bool,
}

/// An aggregate of geometries (WKB or any GeoArrow type). Nulls are left out; null of no rows.
pub(crate) fn geometry_aggregate(aggregate: Aggregate) -> AggregateUDF {
    let aliases = aggregate.alias.into_iter().map(str::to_owned).collect();
    AggregateUDF::from(GeometryAggregate { aggregate, aliases, signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug)]
struct GeometryAggregate {
    aggregate: Aggregate,
    aliases: Vec<String>,
    signature: Signature,
}

impl PartialEq for GeometryAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.aggregate.name == other.aggregate.name
    }
}

impl Eq for GeometryAggregate {}

impl Hash for GeometryAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.aggregate.name.hash(state);
    }
}

impl AggregateUDFImpl for GeometryAggregate {
    fn name(&self) -> &str {
        self.aggregate.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        check_geometry(self.name(), &arg_fields[0])?;
        Ok(wkb_field(self.name()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let wkb = Field::new_list_field(DataType::BinaryView, true);
        Ok(vec![Field::new_list(format_state_name(args.name, "geometries"), wkb, true).into()])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let (aggregate, field) = (self.aggregate, args.expr_fields[0].clone());
        let once = aggregate.absorbs || args.is_distinct;
        Ok(Box::new(GeometryAccumulator { aggregate, field, once, wkb: vec![], bytes: 0, kept: KEPT }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct GeometryAccumulator {
    aggregate: Aggregate,
    field: FieldRef,
    once: bool,
    wkb: Vec<Box<[u8]>>,
    /// Of `wkb`.
    bytes: usize,
    /// Bytes from which on one geometry is made of them.
    kept: usize,
}

impl GeometryAccumulator {
    fn add(&mut self, wkb: &[u8]) -> Result<()> {
        self.bytes += wkb.len() + size_of::<Box<[u8]>>();
        self.wkb.push(wkb.into());
        if self.bytes > self.kept && self.aggregate.absorbs {
            let made = self.make()?;
            (self.wkb, self.bytes) = (vec![], 0);
            // Until there is as much again, so that what is there is not gone through with each row.
            self.kept = usize::MAX;
            made.map_or(Ok(()), |made| self.add(&made))?;
            self.kept = KEPT.max(2 * self.bytes);
        }
        Ok(())
    }

    /// What is made of the geometries so far.
    fn make(&mut self) -> Result<Option<Vec<u8>>> {
        let name = self.aggregate.name;
        self.wkb.sort_unstable();
        if self.once {
            self.wkb.dedup();
        }
        let read = |wkb: &[u8]| geometry_from_wkb(wkb).map_err(|e| exec_datafusion_err!("{name}: {e}"));
        let geometries = self.wkb.iter().map(|wkb| read(wkb)).collect::<Result<Vec<_>>>()?;
        let made = if geometries.is_empty() { None } else { (self.aggregate.make)(geometries) };
        made.map(|geometry| to_wkb(name, &geometry)).transpose()
    }
}

impl Accumulator for GeometryAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let geometries = Geometries::try_new(self.aggregate.name, &values[0], &self.field)?;
        geometries.wkb().iter().flatten().try_for_each(|wkb| self.add(wkb))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            list.as_binary_view().iter().flatten().try_for_each(|wkb| self.add(wkb))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let wkb: Vec<_> = self.wkb.iter().map(|wkb| ScalarValue::BinaryView(Some(wkb.to_vec()))).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&wkb, &DataType::BinaryView))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::BinaryView(self.make()?))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};
    use wkt::TryFromWkt;

    use super::*;
    use crate::testing;

    /// A session in which rows come in many batches, and are put together from several partitions.
    fn session() -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(4).with_batch_size(3);
        let session = SessionContext::new_with_config(config);
        geodatafusion::register(&session);
        crate::register(&session).unwrap();
        session
    }

    #[tokio::test]
    async fn groups_filters_and_distinct_rows_are_heeded_in_several_partitions() {
        let squares = "SELECT i % 2 AS kind, ST_MakeEnvelope(i % 10, 0, i % 10 + 1, 1) AS g FROM (SELECT CAST(value AS DOUBLE) AS i
            FROM generate_series(0, 99))";
        for (sql, expected) in [
            ("ST_Area(ST_Union(g))", "10.0"),
            ("ST_AsText(ST_Union(g))", "POLYGON((0 1,0 0,10 0,10 1,0 1))"),
            ("ST_Area(ST_Union(g) FILTER (WHERE kind = 1))", "5.0"),
            ("ST_Area(ST_Union(DISTINCT g))", "10.0"),
            ("ST_Area(ST_Union_Agg(g))", "10.0"),
            ("ST_Area(ST_Collect(g))", "100.0"),
            ("ST_Area(ST_Collect(DISTINCT g))", "10.0"),
            ("ST_Area(ST_Collect(g) FILTER (WHERE kind = 0))", "50.0"),
            ("ST_GeometryType(ST_Collect(g))", "ST_MultiPolygon"),
            ("ST_AsText(ST_Extent(g))", "POLYGON((10 0,10 1,0 1,0 0,10 0))"),
            ("ST_XMax(ST_Extent(g) FILTER (WHERE kind = 0))", "9.0"),
            ("ST_AsText(ST_Union(g) FILTER (WHERE kind = 7))", ""),
            ("ST_AsText(ST_Collect(g) FILTER (WHERE kind = 7))", ""),
            ("ST_AsText(ST_Extent(g) FILTER (WHERE kind = 7))", ""),
            ("ST_AsText(ST_Union(CASE WHEN kind = 0 THEN NULL ELSE ST_Point(1, 2) END))", "POINT(1 2)"),
            ("ST_AsText(ST_Union(ST_GeomFromText(CASE WHEN kind = 0 THEN NULL ELSE 'POINT(1 2)' END)))", "POINT(1 2)"),
        ] {
            let answer = testing::answer(&session(), &format!("SELECT {sql} FROM ({squares})")).await;
            assert_eq!(answer.unwrap(), expected, "{sql}");
        }
        let by_kind =
            format!("SELECT sum(a) FROM (SELECT kind, ST_Area(ST_Union(g)) AS a FROM ({squares}) GROUP BY kind)");
        assert_eq!(testing::answer(&session(), &by_kind).await.unwrap(), "10.0");
    }

    #[tokio::test]
    async fn an_argument_that_is_no_geometry_is_named() {
        let error = testing::answer(&session(), "SELECT ST_Union(7)").await.unwrap_err().to_string();
        assert!(error.contains("st_union: Int64(7) is Int64, which is no geometry"), "{error}");
    }

    #[test]
    fn memory_is_reported_and_bounded_where_geometries_absorb_each_other() {
        for (aggregate, bounded) in [(crate::st_union::UNION, true), (crate::st_collect::COLLECT, false)] {
            let function = geometry_aggregate(aggregate);
            let field = wkb_field("g");
            let args = AccumulatorArgs {
                return_field: wkb_field("u"),
                schema: &arrow::datatypes::Schema::empty(),
                expr_fields: &[field],
                ignore_nulls: false,
                order_bys: &[],
                name: "u",
                is_distinct: false,
                is_reversed: false,
                exprs: &[],
            };
            let mut accumulator = function.accumulator(args).unwrap();
            let empty = accumulator.size();
            let square = Geometry::try_from_wkt_str("POLYGON((0 0,1 0,1 1,0 1,0 0))").unwrap();
            let wkb = to_wkb("f", &square).unwrap();
            let rows: ArrayRef =
                std::sync::Arc::new(arrow::array::BinaryViewArray::from_iter_values(vec![wkb; 10_000]));
            let mut most = 0;
            for _ in 0..20 {
                accumulator.update_batch(&[std::sync::Arc::clone(&rows)]).unwrap();
                most = most.max(accumulator.size());
            }
            assert!(most > empty + 500_000, "{most}");
            assert_eq!(most < 2 * KEPT, bounded, "{most}");
            let ScalarValue::BinaryView(Some(made)) = accumulator.evaluate().unwrap() else { panic!("null") };
            assert_eq!(made.len() < 200, bounded);
        }
    }
}
