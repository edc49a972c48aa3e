//! Temporal predicates: how two intervals lie to each other.

use chrono::{DateTime, TimeDelta, Utc};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, ident, not};

use super::scalar::midnight;
use super::{Conditions, Read, shown};
use crate::search::Interval;
use crate::search::cql2::{Bound, Cql2, Function};
use crate::search::interval::literal;
use crate::search::names::Kind;

/// The property that stands for the time of the whole Item.
const DATETIME: [&str; 2] = ["datetime", "properties.datetime"];

/// First and last instant.
struct Span {
    start: Expr,
    end: Expr,
}

impl Conditions<'_> {
    /// A temporal predicate of CQL2. A time is an interval of one instant, a date one of a day; an open end is before
    /// or behind all times. Where `datetime` is null, it is the interval from `start_datetime` to
    /// `end_datetime`.
    ///
    /// Errors: an operand that is neither a property, nor a time, nor an interval.
    pub(super) fn of_times(&self, function: Function, left: &Cql2, right: &Cql2) -> Read {
        use Function::*;
        if function == TIntersects {
            let constant = match (left, right) {
                (Cql2::Property(name), other) | (other, Cql2::Property(name)) if DATETIME.contains(&name.as_str()) => {
                    constant(other)
                }
                _ => None,
            };
            if let Some(interval) = constant {
                return Ok(meets(&interval));
            }
        }
        let (a, b) = (self.span(function, left)?, self.span(function, right)?);
        Ok(match function {
            TBefore => a.end.lt(b.start),
            TAfter => a.start.gt(b.end),
            TMeets => a.end.eq(b.start),
            TMetBy => a.start.eq(b.end),
            TOverlaps => a.start.lt(b.start.clone()).and(b.start.lt(a.end.clone())).and(a.end.lt(b.end)),
            TOverlappedBy => b.start.lt(a.start.clone()).and(a.start.lt(b.end.clone())).and(b.end.lt(a.end)),
            TStarts => a.start.eq(b.start).and(a.end.lt(b.end)),
            TStartedBy => a.start.eq(b.start).and(a.end.gt(b.end)),
            TDuring => a.start.gt(b.start).and(a.end.lt(b.end)),
            TContains => a.start.lt(b.start).and(a.end.gt(b.end)),
            TFinishes => a.start.gt(b.start).and(a.end.eq(b.end)),
            TFinishedBy => a.start.lt(b.start).and(a.end.eq(b.end)),
            TEquals => a.start.eq(b.start).and(a.end.eq(b.end)),
            TDisjoint => not(a.start.lt_eq(b.end).and(a.end.gt_eq(b.start))),
            _ => a.start.lt_eq(b.end).and(a.end.gt_eq(b.start)),
        })
    }

    fn span(&self, function: Function, operand: &Cql2) -> Result<Span, String> {
        let value = |operand: &Cql2| self.value(operand, Kind::Time);
        Ok(match operand {
            Cql2::Property(name) if DATETIME.contains(&name.as_str()) => {
                let or = |other: &str| coalesce(vec![ident("datetime"), ident(other)]);
                Span { start: or("start_datetime"), end: or("end_datetime") }
            }
            Cql2::Property(_) | Cql2::Null | Cql2::Timestamp(_) => {
                Span { start: value(operand)?, end: value(operand)? }
            }
            Cql2::Date(date) => Span { start: literal(midnight(*date)), end: literal(last(midnight(*date))) },
            Cql2::Interval(start, end) => Span {
                start: match start {
                    Some(start) => value(start)?,
                    None => literal(DateTime::UNIX_EPOCH - ALL_YEARS),
                },
                end: match end.as_deref() {
                    Some(Cql2::Date(date)) => literal(last(midnight(*date))),
                    Some(end) => value(end)?,
                    None => literal(DateTime::UNIX_EPOCH + ALL_YEARS),
                },
            },
            other => {
                return Err(format!("{} takes times and intervals, and {} is none", function.name(), shown(other)));
            }
        })
    }
}

/// Whether `datetime` shares a moment with a constant interval, in terms of columns, by whose bounds files are chosen.
fn meets(interval: &Interval) -> Expr {
    let (from, until) = (interval.start.map(literal), interval.end.map(literal));
    let within = |first: &str, last: &str| {
        let from = from.clone().map(|from| ident(last).gt_eq(from));
        let until = until.clone().map(|until| ident(first).lt_eq(until));
        from.into_iter().chain(until).reduce(Expr::and).unwrap_or_else(|| ident(first).is_not_null())
    };
    let by_interval = ident("datetime").is_null().and(within("start_datetime", "end_datetime"));
    within("datetime", "datetime").or(by_interval)
}

/// More than from 1970 to any time that RFC 3339 can write.
const ALL_YEARS: TimeDelta = TimeDelta::days(366 * 10_000);

/// The last instant of the day that begins at `midnight`.
fn last(midnight: DateTime<Utc>) -> DateTime<Utc> {
    midnight + TimeDelta::days(1) - TimeDelta::microseconds(1)
}

/// The interval that an expression is in every row.
fn constant(expression: &Cql2) -> Option<Interval> {
    let start = |bound: &Bound| match bound.as_deref() {
        None => Some(None),
        Some(Cql2::Timestamp(time)) => Some(Some(*time)),
        Some(Cql2::Date(date)) => Some(Some(midnight(*date))),
        _ => None,
    };
    let end = |bound: &Bound| match bound.as_deref() {
        Some(Cql2::Date(date)) => Some(Some(last(midnight(*date)))),
        _ => start(bound),
    };
    match expression {
        Cql2::Timestamp(time) => Some(Interval { start: Some(*time), end: Some(*time) }),
        Cql2::Date(date) => Some(Interval { start: Some(midnight(*date)), end: Some(last(midnight(*date))) }),
        Cql2::Interval(from, until) => Some(Interval { start: start(from)?, end: end(until)? }),
        _ => None,
    }
}
