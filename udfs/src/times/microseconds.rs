//! [`Microseconds`]: constants and casts of SQL are microseconds.

use std::sync::Arc;

use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::Utc;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Cast, DmlStatement, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, RecursiveQuery, TryCast, cast,
    lit,
};
use datafusion::optimizer::AnalyzerRule;
use earthcatalog_stac_rows::time::parse_period;

use super::micros;
use super::spans::spans_to_micros;

/// Makes microseconds of what DataFusion takes for nanoseconds; it must come before the coercion of types.
///
/// | SQL | becomes |
/// |---|---|
/// | `datetime < '9999-12-31'`, also with a date, and in `BETWEEN`, `IN`, `CASE`, `nullif` and their like | a comparison of microseconds |
/// | `TIMESTAMP '…'`, `CAST(… AS TIMESTAMP)`, `… AT TIME ZONE '…'` | microseconds, of whatever precision they were to be |
/// | `end - start > INTERVAL '1 year'` | a comparison of microseconds, of which a day has 24 hours and a month 30 days |
/// | a text as the time of `date_part`, `date_trunc`, `date_bin`, `to_timestamp…`, `to_unixtime` | a time in microseconds |
///
/// A text that stands for a time may also be a year (`'2020'`) or a month (`'2020-05'`), and is its first moment then, as
/// a date is.
///
/// Columns in nanoseconds stay what they are, and what is compared with them becomes nanoseconds.
#[derive(Debug, Default)]
pub struct Microseconds;

impl AnalyzerRule for Microseconds {
    fn name(&self) -> &str {
        "microseconds"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        of_plan(plan)
    }
}

fn of_plan(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Dml(dml) => {
            // The types of the table that rows go to are what they are.
            let wanted = Arc::clone(dml.input.schema());
            let input = as_before(of_plan(Arc::unwrap_or_clone(dml.input))?, &wanted)?;
            Ok(LogicalPlan::Dml(DmlStatement { input: Arc::new(input), ..dml }))
        }
        LogicalPlan::Analyze(mut analyze) => {
            analyze.input = Arc::new(of_plan(Arc::unwrap_or_clone(analyze.input))?);
            Ok(LogicalPlan::Analyze(analyze))
        }
        other => other.transform_up_with_subqueries(of_node).map(|plan| plan.data),
    }
}

/// The rows of `plan` in the types of `wanted`.
fn as_before(plan: LogicalPlan, wanted: &DFSchema) -> Result<LogicalPlan> {
    let types = |schema: &DFSchema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    if types(plan.schema()) == types(wanted) {
        return Ok(plan);
    }
    let columns = plan.schema().columns().into_iter().zip(wanted.fields());
    let columns: Vec<_> = columns
        .map(|(column, wanted)| cast(Expr::Column(column), wanted.data_type().clone()).alias(wanted.name()))
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn of_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = DFSchema::empty();
    for input in plan.inputs() {
        schema.merge(input.schema());
    }
    let names = NamePreserver::new(&plan);
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| of_expr(expr, &schema))?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    let transformed = rewritten.transformed;
    rewritten.map_data(|plan| match plan {
        LogicalPlan::Values(values) if transformed => LogicalPlanBuilder::values(values.values)?.build(),
        LogicalPlan::RecursiveQuery(query) => recursive(query),
        // Also where only the types of its input have changed.
        other => other.recompute_schema(),
    })
}

/// What is found by recursion is of the types that its own table was planned with.
fn recursive(query: RecursiveQuery) -> Result<LogicalPlan> {
    let as_planned = |term: Arc<LogicalPlan>| as_before(Arc::unwrap_or_clone(term), &query.schema).map(Arc::new);
    let static_term = as_planned(query.static_term)?;
    let recursive_term = as_planned(query.recursive_term)?;
    Ok(LogicalPlan::RecursiveQuery(RecursiveQuery { static_term, recursive_term, ..query }))
}

fn of_expr(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let changed = match &mut expr {
        Expr::BinaryExpr(binary) if is_comparison(binary.op) => {
            compared(vec![&mut binary.left, &mut binary.right], schema)?
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Minus => {
            let sides = vec![binary.left.as_mut(), binary.right.as_mut()];
            let is_text = |side: &Expr| side.get_type(schema).is_ok_and(|data_type| data_type.is_string());
            if sides.iter().any(|side| is_text(side)) { false } else { unify(sides, schema)? }
        }
        Expr::Between(between) => compared(vec![&mut between.expr, &mut between.low, &mut between.high], schema)?,
        Expr::InList(list) => compared(std::iter::once(list.expr.as_mut()).chain(&mut list.list).collect(), schema)?,
        Expr::Case(case) => {
            let (mut when, mut then): (Vec<_>, Vec<_>) =
                case.when_then_expr.iter_mut().map(|(when, then)| (when.as_mut(), then.as_mut())).unzip();
            then.extend(case.else_expr.as_deref_mut());
            let compared = case.expr.as_deref_mut().map(|expr| when.insert(0, expr)).is_some();
            (compared && unify(when, schema)?) | unify(then, schema)?
        }
        Expr::ScalarFunction(call) if UNIFYING.contains(&call.func.name()) => {
            unify(call.args.iter_mut().collect(), schema)?
        }
        Expr::ScalarFunction(call) => {
            let (function, times) = (&call.func, times_of(call.func.name(), call.args.len()));
            // The zone of the session, for those functions that know it.
            let zone = match function.name().starts_with("to_timestamp").then(|| function.return_type(&[])) {
                Some(Ok(DataType::Timestamp(_, zone))) => zone,
                _ => None,
            };
            let mut changed = false;
            for time in call.args.iter_mut().skip(times.start).take(times.len()) {
                changed |= to_micros(time, &zone, schema)?;
            }
            changed
        }
        Expr::Cast(of) => match cast_to_micros(of.expr.as_mut(), of.field.data_type())? {
            Some(data_type) => {
                let field = Arc::new(of.field.as_ref().clone().with_data_type(data_type));
                let inner = std::mem::take(of.expr.as_mut());
                let is_there = inner.get_type(schema).is_ok_and(|data_type| data_type == *field.data_type());
                expr = if is_there { inner } else { Expr::Cast(Cast::new_from_field(Box::new(inner), field)) };
                true
            }
            None => false,
        },
        Expr::TryCast(of) => match of.field.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                let field = Arc::new(of.field.as_ref().clone().with_data_type(micros(zone.clone())));
                expr = Expr::TryCast(TryCast::new_from_field(Box::new(std::mem::take(of.expr.as_mut())), field));
                true
            }
            _ => false,
        },
        _ => false,
    };
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

/// Functions whose arguments become one type.
const UNIFYING: [&str; 5] = ["coalesce", "nullif", "nvl", "greatest", "least"];

/// Which arguments of a function are times, be they written as text. With formats, it reads them itself.
fn times_of(function: &str, arguments: usize) -> std::ops::Range<usize> {
    match (function, arguments) {
        ("date_part" | "date_trunc", _) => 1..2,
        ("date_bin", _) => 1..3,
        (
            "to_timestamp" | "to_timestamp_seconds" | "to_timestamp_millis" | "to_timestamp_micros" | "to_unixtime",
            1,
        ) => 0..1,
        _ => 0..0,
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::*;
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Makes what is compared comparable: times, or spans of time.
fn compared(mut exprs: Vec<&mut Expr>, schema: &DFSchema) -> Result<bool> {
    Ok(spans_to_micros(&mut exprs, schema)? || unify(exprs, schema)?)
}

/// Makes texts and dates times, where one of the others is a time.
fn unify(exprs: Vec<&mut Expr>, schema: &DFSchema) -> Result<bool> {
    let time = exprs.iter().find_map(|expr| match expr.get_type(schema) {
        Ok(DataType::Timestamp(unit, zone)) => Some((unit, zone)),
        _ => None,
    });
    let Some((unit, zone)) = time else { return Ok(false) };
    let mut changed = false;
    for expr in exprs {
        if unit != TimeUnit::Nanosecond || matches!(expr, Expr::Literal(..)) {
            changed |= to_micros(expr, &zone, schema)?;
        }
    }
    Ok(changed)
}

/// Makes a text or a date a time in microseconds. A date has no zone of its own: it is one of UTC.
fn to_micros(expr: &mut Expr, zone: &Option<Arc<str>>, schema: &DFSchema) -> Result<bool> {
    if let Some(time) = constant(expr, zone)? {
        *expr = time;
        return Ok(true);
    }
    let data_type = expr.get_type(schema).ok().filter(|data_type| match data_type {
        DataType::Date32 | DataType::Date64 => is_utc(zone),
        other => other.is_string(),
    });
    if data_type.is_some() {
        *expr = cast(std::mem::take(expr), micros(zone.clone()));
    }
    Ok(data_type.is_some())
}

/// The type of a cast to `data_type`, where that is a time and something changes.
fn cast_to_micros(expr: &mut Expr, data_type: &DataType) -> Result<Option<DataType>> {
    let DataType::Timestamp(unit, zone) = data_type else { return Ok(None) };
    let constant = constant(expr, zone)?;
    if constant.is_none() && *unit != TimeUnit::Nanosecond {
        return Ok(None);
    }
    if let Some(time) = constant {
        *expr = time;
    }
    let is_nanos = *unit == TimeUnit::Nanosecond;
    Ok(Some(if is_nanos { micros(zone.clone()) } else { data_type.clone() }))
}

/// The time that a literal text stands for; `None` for what is no literal text, and in zones other than UTC.
///
/// Errors: it stands for none.
fn constant(expr: &Expr, zone: &Option<Arc<str>>) -> Result<Option<Expr>> {
    let text = match expr {
        Expr::Literal(value, _) if is_utc(zone) => value.try_as_str().flatten(),
        _ => None,
    };
    let Some(text) = text else { return Ok(None) };
    // Zones by name are Arrow's.
    let named = || string_to_datetime(&Utc, text).ok().map(|time| time.timestamp_micros());
    let time = parse_period(text).map(|period| *period.start()).or_else(named).ok_or_else(|| {
        plan_datafusion_err!(
            "'{text}' is not a time; write a time ('2025-01-31T12:00:00Z'), a date ('2025-01-31'), a month ('2025-01') or a year ('2025')"
        )
    })?;
    Ok(Some(lit(ScalarValue::TimestampMicrosecond(Some(time), zone.clone()))))
}

fn is_utc(zone: &Option<Arc<str>>) -> bool {
    zone.as_deref().is_none_or(|zone| ["UTC", "Z", "+00:00", "+0000", "+00"].contains(&zone))
}
