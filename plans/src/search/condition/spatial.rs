//! Spatial predicates: the ST_ functions, so that places choose files as in SQL.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, ident, lit};
use earthcatalog_udfs::st_relation_udfs;
use geo::Geometry;

use super::{Read, shown};
use crate::query::place_wkb;
use crate::search::cql2::{Cql2, Function};

/// The one property that is a geometry.
pub(super) const GEOMETRY: &str = "geometry";

/// A spatial predicate of two geometries, each being that of the Item or a constant.
///
/// Errors: an operand that is neither.
pub(super) fn condition(function: Function, left: &Cql2, right: &Cql2) -> Read {
    let operand = |operand: &Cql2| match operand {
        Cql2::Geometry(geometry) => constant(geometry),
        Cql2::Property(name) if name == GEOMETRY => Ok(ident(GEOMETRY)),
        other => Err(format!(
            "{} takes geometries, and {} is none; the geometry of an Item is property geometry",
            function.name(),
            shown(other)
        )),
    };
    relation(&function.name().replacen("s_", "st_", 1), operand(left)?, operand(right)?)
}

/// Whether the footprint of a row shares a position with `place`.
pub(in crate::search) fn intersects(place: &Geometry) -> Read {
    relation("st_intersects", ident(GEOMETRY), constant(place)?)
}

fn relation(name: &str, left: Expr, right: Expr) -> Read {
    let function = st_relation_udfs().into_iter().find(|function| function.name() == name);
    let function = function.ok_or_else(|| format!("there is no function {name}"))?;
    Ok(function.call(vec![left, right]))
}

fn constant(geometry: &Geometry) -> Read {
    let wkb = place_wkb(geometry).map_err(|e| e.to_string())?;
    Ok(lit(ScalarValue::BinaryView(Some(wkb))))
}
