//! Spans of time that are compared.

use arrow::datatypes::{DataType, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, lit};

const DAY: i64 = 86_400_000_000;

/// Makes durations in microseconds of constant intervals that are compared with a duration, such as `end - start`, or with
/// each other. DataFusion compares months first, then days, then nanoseconds: 500 days were less than one month.
///
/// As in PostgreSQL, a day has 24 hours and a month 30 days. True where something was changed.
///
/// Errors: an interval that is not a constant.
pub(super) fn spans_to_micros(exprs: &mut [&mut Expr], schema: &DFSchema) -> Result<bool> {
    let is_interval = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Interval(_)));
    let is_span = |expr: &Expr| is_interval(expr) || matches!(expr.get_type(schema), Ok(DataType::Duration(_)));
    let spans = exprs.iter().filter(|expr| is_span(expr)).count();
    let mut changed = false;
    for expr in exprs.iter_mut().filter(|expr| spans > 1 && is_interval(expr)) {
        let Some(span) = micros_of(expr) else {
            return plan_err!(
                "an interval that is not a constant has no right comparison yet: compare times, as in start + interval < end, or seconds, as in extract(epoch FROM …)"
            );
        };
        **expr = lit(ScalarValue::DurationMicrosecond(span));
        changed = true;
    }
    Ok(changed)
}

/// The microseconds of a constant interval, which may be null; `None` for what is not one, or longer than there are any.
fn micros_of(expr: &Expr) -> Option<Option<i64>> {
    let sum = |months: i32, days: i32, micros: i64| {
        let days = i64::from(months).checked_mul(30)?.checked_add(days.into())?;
        days.checked_mul(DAY)?.checked_add(micros)
    };
    match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(span), _) => match span {
            Some(span) => {
                let (months, days, nanos) = IntervalMonthDayNanoType::to_parts(*span);
                Some(Some(sum(months, days, nanos.div_euclid(1_000))?))
            }
            None => Some(None),
        },
        Expr::Literal(ScalarValue::IntervalDayTime(span), _) => match span {
            Some(span) => {
                let (days, millis) = IntervalDayTimeType::to_parts(*span);
                Some(Some(sum(0, days, i64::from(millis) * 1_000)?))
            }
            None => Some(None),
        },
        Expr::Literal(ScalarValue::IntervalYearMonth(span), _) => match span {
            Some(span) => Some(Some(sum(IntervalYearMonthType::to_months(*span), 0, 0)?)),
            None => Some(None),
        },
        Expr::Negative(of) => match micros_of(of)? {
            Some(span) => Some(Some(span.checked_neg()?)),
            None => Some(None),
        },
        Expr::BinaryExpr(of) if matches!(of.op, Operator::Plus | Operator::Minus) => {
            let (Some(a), Some(b)) = (micros_of(&of.left)?, micros_of(&of.right)?) else { return Some(None) };
            Some(Some(if of.op == Operator::Plus { a.checked_add(b) } else { a.checked_sub(b) }?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::common::Result;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::optimizer::{Analyzer, AnalyzerRule};
    use datafusion::prelude::SessionContext;

    use super::super::Microseconds;
    use crate::testing;

    async fn answer(sql: &str) -> Result<String> {
        let ours: Arc<dyn AnalyzerRule + Send + Sync> = Arc::new(Microseconds);
        let rules = std::iter::once(ours).chain(Analyzer::new().rules).collect();
        let state = SessionStateBuilder::new().with_default_features().with_analyzer_rules(rules).build();
        testing::answer(&SessionContext::new_with_state(state), sql).await
    }

    #[tokio::test]
    async fn spans_are_compared_by_their_lengths() {
        let span = "TIMESTAMP '2021-06-01' - TIMESTAMP '2020-01-01'"; // 517 days
        for (condition, expected) in [
            (format!("{span} > INTERVAL '365 days'"), "true"),
            (format!("{span} > INTERVAL '1 year 5 months'"), "true"),
            (format!("{span} > INTERVAL '1 year 6 months'"), "false"),
            (format!("{span} BETWEEN INTERVAL '516 days' AND INTERVAL '517 days'"), "true"),
            (format!("{span} IN (INTERVAL '517 days')"), "true"),
            (format!("{span} > -INTERVAL '1 day'"), "true"),
            (format!("{span} > (INTERVAL '517 days') - (INTERVAL '1 second')"), "true"),
            ("TIMESTAMP '9999-12-31' - TIMESTAMP '0001-01-01' > INTERVAL '9000 years'".to_owned(), "true"),
            ("INTERVAL '25 hours' > INTERVAL '1 day'".to_owned(), "true"),
            ("INTERVAL '24 hours' = INTERVAL '1 day'".to_owned(), "true"),
            ("INTERVAL '31 days' > INTERVAL '1 month'".to_owned(), "true"),
        ] {
            assert_eq!(answer(&format!("SELECT {condition}")).await.unwrap(), expected, "{condition}");
        }
        let error = answer("SELECT i > INTERVAL '1 day' FROM (VALUES (INTERVAL '2 hours')) AS v(i)").await;
        assert!(error.unwrap_err().to_string().contains("compare times"));
    }

    #[tokio::test]
    async fn times_are_found_by_recursion() {
        let months = "WITH RECURSIVE m AS (SELECT TIMESTAMP '2024-01-31' AS t UNION ALL
            SELECT t + INTERVAL '1 month' FROM m WHERE t < TIMESTAMP '2024-03-01') SELECT CAST(max(t) AS VARCHAR) FROM m";
        assert_eq!(answer(months).await.unwrap(), "2024-03-29T00:00:00");
    }
}
