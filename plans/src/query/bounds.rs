//! What a predicate on `geometry` or `bbox` implies for the columns `xmin … ymax`.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};
use geo::Geometry;

use super::cells::may_share_cell;
use super::constant::{constant_geometry, constant_number};
use super::frame::Frame;
use crate::model::items::BOUNDS_COLUMNS;

/// Functions of two geometries that are false where the two share no position.
const MEETINGS: [&str; 9] = [
    "st_intersects",
    "st_within",
    "st_contains",
    "st_covers",
    "st_coveredby",
    "st_equals",
    "st_touches",
    "st_crosses",
    "st_overlaps",
];

/// Whether the bounds of a footprint share a position with a box: `xmin <= … AND ymax >= …`, for the columns beside
/// `geometry`.
pub fn intersects_frame(geometry: &Column, frame: &Frame) -> Expr {
    let column = |name: &str| Expr::Column(Column::new(geometry.relation.clone(), name));
    // Arrow orders -0 before 0, while both are the same place.
    let at_most = |side: f64| lit(if side == 0.0 { 0.0 } else { side });
    let at_least = |side: f64| lit(if side == 0.0 { -0.0 } else { side });
    column("xmin")
        .lt_eq(at_most(frame.xmax))
        .and(column("xmax").gt_eq(at_least(frame.xmin)))
        .and(column("ymin").lt_eq(at_most(frame.ymax)))
        .and(column("ymax").gt_eq(at_least(frame.ymin)))
}

/// A predicate on `xmin … ymax` that is true wherever `predicate`, of a row of a warehouse, is; `None` if none follows.
pub(super) fn implied(predicate: &Expr) -> Option<Expr> {
    combined(predicate, &implied_by_part, &Expr::and, &Expr::or, &Expr::clone)
}

/// A predicate on `grid_partition` that is true of at least one row of each Item for which all `predicates` are true; `None`
/// if none follows. `resolution` is that of the cells.
///
/// Of several places that an Item meets, the cells of one: no row need be in those of all.
pub(super) fn implied_cells(predicates: &[Expr], resolution: u8) -> Option<Expr> {
    let of_part = |part: &Expr| {
        let place = column_and_constant(meeting(part)?)?.1;
        Some(Cells { predicate: may_share_cell(&place, resolution)?, area: Frame::of(&place)?.area() })
    };
    let fewer = |a: Cells, b: Cells| if b.area < a.area { b } else { a };
    let either = |a: Cells, b: Cells| Cells { predicate: a.predicate.or(b.predicate), area: a.area + b.area };
    // Of all rows of an Item or of none.
    let as_it_is = |predicate: &Expr| Cells { predicate: predicate.clone(), area: 0.0 };
    let of_one = |predicate: &Expr| combined(predicate, &of_part, &fewer, &either, &as_it_is);
    predicates.iter().filter_map(of_one).reduce(fewer).map(|cells| cells.predicate)
}

/// A predicate on cells, and the area in square degrees of the places of which they are.
struct Cells {
    predicate: Expr,
    area: f64,
}

/// What `predicate` implies, where `of_part` knows it of what is neither AND nor OR; `and` and `or` put two of those together,
/// and what is cheap implies itself, as `as_it_is` makes it.
fn combined<T>(
    predicate: &Expr,
    of_part: &dyn Fn(&Expr) -> Option<T>,
    and: &dyn Fn(T, T) -> T,
    or: &dyn Fn(T, T) -> T,
    as_it_is: &dyn Fn(&Expr) -> T,
) -> Option<T> {
    let implied = |predicate: &Expr| combined(predicate, of_part, and, or, as_it_is);
    match predicate {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => match (implied(left), implied(right)) {
            (Some(left), Some(right)) => Some(and(left, right)),
            (left, right) => left.or(right),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (of_left, of_right) = (implied(left), implied(right));
            if of_left.is_none() && of_right.is_none() {
                return None;
            }
            let itself = |side: &Expr| is_cheap(side).then(|| as_it_is(side));
            Some(or(of_left.or_else(|| itself(left))?, of_right.or_else(|| itself(right))?))
        }
        Expr::IsTrue(inner) => implied(inner),
        other => of_part(other),
    }
}

/// The function that is true only where two geometries share a position.
fn meeting(predicate: &Expr) -> Option<&ScalarFunction> {
    match predicate {
        Expr::Not(inner) => match inner.as_ref() {
            Expr::ScalarFunction(function) if function.name() == "st_disjoint" => Some(function),
            _ => None,
        },
        Expr::ScalarFunction(function) if MEETINGS.contains(&function.name()) => Some(function),
        _ => None,
    }
}

fn implied_by_part(predicate: &Expr) -> Option<Expr> {
    if let Some(function) = meeting(predicate) {
        return meets(function);
    }
    match predicate {
        Expr::ScalarFunction(function) if function.name() == "st_dwithin" => {
            near(function, constant_number(function.args.get(2)?)?)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let near = match (left.as_ref(), op, right.as_ref()) {
                (Expr::ScalarFunction(distance), Operator::Lt | Operator::LtEq, limit)
                | (limit, Operator::Gt | Operator::GtEq, Expr::ScalarFunction(distance))
                    if distance.name() == "st_distance" =>
                {
                    near(distance, constant_number(limit)?)
                }
                _ => None,
            };
            near.or_else(|| of_bbox(predicate))
        }
        Expr::Between(_) => of_bbox(predicate),
        _ => None,
    }
}

/// Of `ST_X(geometry, constant)` or `ST_X(constant, geometry)`: the column, and the constant.
fn column_and_constant(function: &ScalarFunction) -> Option<(&Column, Geometry)> {
    let (a, b) = (function.args.first()?, function.args.get(1)?);
    let (column, constant) = match (geometry_column(a), geometry_column(b)) {
        (Some(column), None) => (column, b),
        (None, Some(column)) => (column, a),
        _ => return None,
    };
    Some((column, constant_geometry(constant)?))
}

fn meets(function: &ScalarFunction) -> Option<Expr> {
    let (geometry, constant) = column_and_constant(function)?;
    Some(intersects_frame(geometry, &Frame::of(&constant)?))
}

fn near(function: &ScalarFunction, distance: f64) -> Option<Expr> {
    let (geometry, constant) = column_and_constant(function)?;
    Some(intersects_frame(geometry, &Frame::of(&constant)?.within(distance)?))
}

fn geometry_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) if column.name == "geometry" => Some(column),
        Expr::Cast(cast) => geometry_column(&cast.expr),
        Expr::ScalarFunction(function) if function.name() == "st_geomfromwkb" => {
            geometry_column(function.args.first()?)
        }
        _ => None,
    }
}

/// A comparison of `bbox['xmin']` as the same of `xmin`: nothing is known of fields within a column. Where there is no
/// `bbox`, its fields are whatever DataFusion makes of them, and the comparison itself decides.
fn of_bbox(predicate: &Expr) -> Option<Expr> {
    let twin = predicate.clone().transform_up(|expr| {
        Ok(match twin_column(&expr) {
            Some(column) => Transformed::yes(Expr::Column(column)),
            None => Transformed::no(expr),
        })
    });
    let twin = twin.ok().filter(|twin| twin.transformed)?.data;
    let of_bounds = |column: &&Column| BOUNDS_COLUMNS.contains(&column.name.as_str());
    let columns = twin.column_refs();
    if twin.is_volatile() || !columns.iter().all(of_bounds) {
        return None;
    }
    let absent = Expr::Column((*columns.iter().next()?).clone()).is_null();
    Some(absent.or(twin.clone()))
}

fn twin_column(expr: &Expr) -> Option<Column> {
    let Expr::ScalarFunction(function) = expr else { return None };
    match (function.name(), function.args.as_slice()) {
        ("get_field", [Expr::Column(bbox), Expr::Literal(ScalarValue::Utf8(Some(field)), _)])
            if bbox.name == "bbox" && BOUNDS_COLUMNS.contains(&field.as_str()) =>
        {
            Some(Column::new(bbox.relation.clone(), field))
        }
        _ => None,
    }
}

/// Whether it costs little to ask twice.
fn is_cheap(expr: &Expr) -> bool {
    let costs = |e: &Expr| {
        Ok(matches!(
            e,
            Expr::ScalarFunction(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::OuterReferenceColumn(..)
        ))
    };
    !expr.exists(costs).unwrap_or(true)
}
