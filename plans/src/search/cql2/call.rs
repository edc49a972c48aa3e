//! [`Function`]: the operators and functions of CQL2, and what they take.

use chrono::{DateTime, NaiveDate, Utc};
use geo::Geometry;

use super::Cql2;
use crate::query::box_of;

/// How deep expressions nest at most: what reads them calls itself.
pub const MOST_NESTED: usize = 64;

macro_rules! functions {
    ($($variant:ident $name:literal $least:tt $most:tt,)*) => {
        /// An operator or a function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Function { $($variant,)* }

        impl Function {
            const ALL: &[(Self, &str, usize, usize)] = &[$((Self::$variant, $name, $least, $most),)*];
        }
    };
}

const ANY: usize = usize::MAX;

functions! {
    And "and" 1 ANY,
    Or "or" 1 ANY,
    Not "not" 1 1,
    Eq "=" 2 2,
    NotEq "<>" 2 2,
    Lt "<" 2 2,
    LtEq "<=" 2 2,
    Gt ">" 2 2,
    GtEq ">=" 2 2,
    Like "like" 2 2,
    Between "between" 3 3,
    In "in" 2 2,
    IsNull "isNull" 1 1,
    Casei "casei" 1 1,
    Accenti "accenti" 1 1,
    Plus "+" 2 ANY,
    Minus "-" 2 ANY,
    Times "*" 2 ANY,
    Divide "/" 2 ANY,
    Modulo "%" 2 ANY,
    Power "^" 2 2,
    IntegerDivide "div" 2 2,
    SEquals "s_equals" 2 2,
    SIntersects "s_intersects" 2 2,
    SDisjoint "s_disjoint" 2 2,
    STouches "s_touches" 2 2,
    SWithin "s_within" 2 2,
    SOverlaps "s_overlaps" 2 2,
    SCrosses "s_crosses" 2 2,
    SContains "s_contains" 2 2,
    TAfter "t_after" 2 2,
    TBefore "t_before" 2 2,
    TContains "t_contains" 2 2,
    TDisjoint "t_disjoint" 2 2,
    TDuring "t_during" 2 2,
    TEquals "t_equals" 2 2,
    TFinishedBy "t_finishedBy" 2 2,
    TFinishes "t_finishes" 2 2,
    TIntersects "t_intersects" 2 2,
    TMeets "t_meets" 2 2,
    TMetBy "t_metBy" 2 2,
    TOverlappedBy "t_overlappedBy" 2 2,
    TOverlaps "t_overlaps" 2 2,
    TStartedBy "t_startedBy" 2 2,
    TStarts "t_starts" 2 2,
    AEquals "a_equals" 2 2,
    AContains "a_contains" 2 2,
    AContainedBy "a_containedBy" 2 2,
    AOverlaps "a_overlaps" 2 2,
}

impl Function {
    /// The name in `cql2-json`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(function, ..)| *function == self).map_or("", |(_, name, ..)| name)
    }

    pub fn is_of_arrays(self) -> bool {
        matches!(self, Self::AEquals | Self::AContains | Self::AContainedBy | Self::AOverlaps)
    }

    /// The function of that name, in upper or lower case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = if name == "!=" { "<>" } else { name };
        Self::ALL.iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(name)).map(|(function, ..)| *function)
    }

    /// The call with `arguments`.
    ///
    /// Errors: too many of them, or too few.
    pub(super) fn call(self, arguments: Vec<Cql2>) -> Result<Cql2, String> {
        let (_, name, least, most) = Self::ALL.iter().find(|(function, ..)| *function == self).unwrap_or(&Self::ALL[0]);
        if (*least..=*most).contains(&arguments.len()) {
            return Ok(Cql2::Call(self, arguments));
        }
        let number = if least == most { least.to_string() } else { format!("{least} or more") };
        Err(format!("{name} takes {number} arguments, and has {}", arguments.len()))
    }
}

/// What a call of any name means: a function, or a constant of time or space.
///
/// Errors: CQL2 has no function of that name, or it takes other arguments.
pub(super) fn call(name: &str, arguments: Vec<Cql2>) -> Result<Cql2, String> {
    if let Some(function) = Function::named(name) {
        return function.call(arguments);
    }
    match (name.to_ascii_lowercase().as_str(), arguments.as_slice()) {
        ("timestamp", [Cql2::Text(text)]) => timestamp(text),
        ("date", [Cql2::Text(text)]) => date(text),
        ("interval", [start, end]) => interval(start.clone(), end.clone()),
        ("bbox", sides) => bbox(sides),
        ("timestamp" | "date", _) => Err(format!("{name} takes one text")),
        ("interval", _) => Err(format!("{name} takes a start and an end")),
        _ => Err(format!("there is no function {name}")),
    }
}

pub(super) fn timestamp(text: &str) -> Result<Cql2, String> {
    let time = instant(text).ok_or_else(|| format!("{text:?} is not a time; give one as in 2025-01-31T12:00:00Z"))?;
    Ok(Cql2::Timestamp(time))
}

pub(super) fn date(text: &str) -> Result<Cql2, String> {
    let date = text.parse::<NaiveDate>().ok().filter(|_| text.len() == 10);
    date.map(Cql2::Date).ok_or_else(|| format!("{text:?} is not a date; give one as in 2025-01-31"))
}

/// Of an interval whose ends are properties, times, or texts: `..` is open, a date or a time is what it says.
pub(super) fn interval(start: Cql2, end: Cql2) -> Result<Cql2, String> {
    let bound = |bound| match bound {
        Cql2::Text(open) if open == ".." => Ok(None),
        Cql2::Text(text) => date(&text).or_else(|_| timestamp(&text)).map(|time| Some(Box::new(time))),
        time @ (Cql2::Property(_) | Cql2::Timestamp(_) | Cql2::Date(_)) => Ok(Some(Box::new(time))),
        _ => Err("an interval ends at times, at properties, or at '..'".to_owned()),
    };
    Ok(Cql2::Interval(bound(start)?, bound(end)?))
}

pub(super) fn bbox(sides: &[Cql2]) -> Result<Cql2, String> {
    let number = |side: &Cql2| match side {
        Cql2::Number(number) => Ok(*number),
        _ => Err("the sides of a bbox are numbers".to_owned()),
    };
    let sides: Vec<f64> = sides.iter().map(number).collect::<Result<_, _>>()?;
    box_of(&sides).map(Cql2::Geometry).map_err(|e| e.to_string())
}

/// The geometry, unless it is empty.
pub(super) fn geometry(geometry: Geometry) -> Result<Cql2, String> {
    match crate::query::Frame::of(&geometry) {
        Some(_) => Ok(Cql2::Geometry(geometry)),
        None => Err("the geometry is empty".to_owned()),
    }
}

/// A time as RFC 3339 has it.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().filter(|_| text.as_bytes().get(10) != Some(&b' ')).map(|time| time.to_utc())
}
