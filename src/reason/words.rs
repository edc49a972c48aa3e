//! [`in_our_words`]: what DataFusion says of a question that it cannot plan, as who wrote it needs it.
//!
//! DataFusion has no types for these errors, but sentences. One that is not known, or changes, stays as it is: a test has
//! each of them from a question.

/// Functions of other databases, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("approx_count_distinct", "approx_distinct(x)"),
    ("arbitrary", "first_value(x)"),
    ("arg_max", "first_value(x ORDER BY y DESC)"),
    ("arg_min", "first_value(x ORDER BY y)"),
    ("collect_list", "array_agg(x)"),
    ("date_diff", "date_part('day', b - a)"),
    ("datediff", "date_part('day', b - a)"),
    ("day", "date_part('day', time)"),
    ("dayofweek", "date_part('dow', time)"),
    ("dayofyear", "date_part('doy', time)"),
    ("epoch", "date_part('epoch', time)"),
    ("first", "first_value(x)"),
    ("get_json_object", "json_get(json, key)"),
    ("group_concat", "string_agg(text, ',')"),
    ("h3_cell_to_boundary_wkt", "ST_AsText(h3_cell_to_boundary(cell))"),
    ("h3_latlng_to_cell_string", "h3_latlng_to_cell(lat, lng, resolution)"),
    ("h3_polygon_wkt_to_cells", "h3_cells(ST_GeomFromText(wkt), resolution)"),
    ("hour", "date_part('hour', time)"),
    ("json_extract", "json_get(json, key)"),
    ("json_extract_string", "json_get_text(json, key)"),
    ("last", "last_value(x)"),
    ("len", "length(text)"),
    ("list", "array_agg(x)"),
    ("listagg", "string_agg(text, ',')"),
    ("max_by", "first_value(x ORDER BY y DESC)"),
    ("min_by", "first_value(x ORDER BY y)"),
    ("minute", "date_part('minute', time)"),
    ("month", "date_part('month', time)"),
    ("quantile", "approx_percentile_cont(x, 0.9)"),
    ("quarter", "date_part('quarter', time)"),
    ("regexp_extract", "regexp_match(text, '([0-9]+)')[1]"),
    ("second", "date_part('second', time)"),
    ("strftime", "to_char(time, '%Y-%m')"),
    ("time_bucket", "date_bin(INTERVAL '1 day', time)"),
    ("week", "date_part('week', time)"),
    ("year", "date_part('year', time)"),
];

/// The message in other words, if it is one of those that need them.
pub(super) fn in_our_words(message: &str) -> Option<String> {
    let words: [fn(&str) -> Option<String>; 9] = [
        no_function,
        no_signature,
        no_member,
        no_group,
        no_comparison,
        no_condition,
        no_place_for_a_subquery,
        no_list_of_patterns,
        two_columns,
    ];
    words.into_iter().find_map(|say| say(message))
}

/// What lies between `before` and `after`, the first of each.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

fn no_function(message: &str) -> Option<String> {
    let (wanted, nearest) = message.strip_prefix("Invalid function '")?.split_once("'.\nDid you mean '")?;
    let lower = wanted.to_lowercase();
    Some(match ELSEWHERE.iter().find(|(name, _)| *name == lower) {
        Some((_, here)) => format!("there is no function {wanted}; write {here}"),
        None => format!("there is no function {wanted}; did you mean {}?", nearest.strip_suffix("'?")?),
    })
}

/// Arguments that a function does not take. Where the function itself says why, that is enough.
fn no_signature(message: &str) -> Option<String> {
    let call = between(message, "No function matches the given name and argument types '", "'. You might need")?;
    if let Some((_, own)) = message.split_once("' user-defined coercion failed with: ") {
        let own = own.split(". No function matches").next().unwrap_or(own);
        return Some(
            ["Execution error: ", "Error during planning: "]
                .iter()
                .fold(own, |own, layer| own.trim_start_matches(layer))
                .to_owned(),
        );
    }
    if call.starts_with("array_element(Struct(") {
        return Some("members of a struct have names and no numbers: bbox['xmin'], or column xmin".to_owned());
    }
    let candidates: Vec<_> =
        message.lines().skip_while(|line| !line.contains("Candidate functions")).skip(1).map(str::trim).collect();
    Some(format!(
        "{call} is no function; there is {}, and CAST(x AS DOUBLE) or another type makes values fit",
        candidates.join(", ").replace("(1)", "")
    ))
}

fn no_member(message: &str) -> Option<String> {
    let kind = between(message, "Cannot access field at argument 1: type ", " is not Struct")?;
    Some(match kind {
        "Utf8View" | "Utf8" | "LargeUtf8" => "a text has no members to name by [] or a dot; properties, assets and links are JSON text: write properties ->> 'name', or assets -> 'data' ->> 'href'".to_owned(),
        kind => format!("a value of type {kind} has no members"),
    })
}

fn no_group(message: &str) -> Option<String> {
    let column = between(message, "column \"", "\" must appear in the GROUP BY clause")?;
    Some(format!("{column} is neither in GROUP BY nor within an aggregate, such as min({column}) or count(*)"))
}

fn no_comparison(message: &str) -> Option<String> {
    let compared = message.strip_prefix("Cannot infer common argument type for comparison operation ");
    let computed = message
        .strip_prefix("Cannot coerce arithmetic expression ")
        .and_then(|rest| rest.strip_suffix(" to valid types"));
    let of = compared.or(computed)?;
    Some(format!("{of} has no meaning between these types; CAST(x AS DOUBLE), or another type, makes one fit"))
}

fn no_condition(message: &str) -> Option<String> {
    let predicate = message.strip_prefix("Cannot create filter with non-boolean predicate '")?;
    let (predicate, kind) = predicate.split_once("' returning ")?;
    Some(format!(
        "WHERE takes a condition, and {predicate} is {kind}; compare it with something, or ask for IS NOT NULL"
    ))
}

fn no_place_for_a_subquery(message: &str) -> Option<String> {
    let expression = message.strip_prefix("Physical plan does not support logical expression ")?;
    ["ScalarSubquery", "Exists", "InSubquery"].iter().any(|kind| expression.starts_with(kind)).then(|| {
        "a subquery that compares with the outer query by anything but = is no join that can be planned; join the two tables, and aggregate with GROUP BY".to_owned()
    })
}

fn no_list_of_patterns(message: &str) -> Option<String> {
    (message == "ANY in LIKE expression")
        .then(|| "LIKE ANY (…) is not known; write a LIKE 'x%' OR a LIKE 'y%', or regexp_like(a, '^(x|y)')".to_owned())
}

fn two_columns(message: &str) -> Option<String> {
    let name = message.strip_prefix("Projections require unique expression names but the expression \"")?;
    let name = name.split_once("\" at position")?.0;
    Some(format!(
        "two columns are called {name}; give one of them another name with AS, or leave it out of * with EXCEPT"
    ))
}

#[cfg(test)]
mod tests {
    use earthcatalog_plans::session::session;

    use super::super::reason;
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_planned_is_said_in_our_words() {
        let session = session(1).unwrap();
        let table = "CREATE TABLE t AS SELECT 'x' AS id, '{}' AS properties, 1.5 AS n, TIMESTAMP '2020-01-01' AS at, {xmin: 1.0} AS bbox";
        session.sql(table).await.unwrap().collect().await.unwrap();
        let mut wrong = vec![];
        for (question, expected) in [
            ("SELECT year(at) FROM t", "there is no function year; write date_part('year', time)"),
            ("SELECT coutn(id) FROM t", "there is no function coutn; did you mean c"),
            ("SELECT abs(id) FROM t", "abs(Utf8) is no function; there is abs(Numeric), and CAST"),
            ("SELECT sum(id) FROM t", "sum(Utf8) is no function; there is sum(Decimal), sum(UInt64), sum(Int64),"),
            ("SELECT date_part(at, 'year') FROM t", "is no function; there is date_part(String, Timestamp)"),
            ("SELECT to_char(at) FROM t", "to_char takes a time and a format, not 1 arguments"),
            ("SELECT h3_cells(id) FROM t", "h3_cells takes a geometry and a resolution, as in h3_cells(geometry, 1)"),
            ("SELECT properties['a'] FROM t", "a text has no members to name by [] or a dot;"),
            ("SELECT properties.a FROM t", "write properties ->> 'name'"),
            ("SELECT n['a'] FROM t", "a value of type Float64 has no members"),
            ("SELECT bbox[1] FROM t", "members of a struct have names and no numbers: bbox['xmin']"),
            ("SELECT id, count(*) FROM t", "t.id is neither in GROUP BY nor within an aggregate, such as min(t.id)"),
            ("SELECT id FROM t WHERE at > 5", "> Int64 has no meaning between these types; CAST"),
            ("SELECT id + 1 FROM t", "+ Int64 has no meaning between these types; CAST"),
            ("SELECT 1 FROM t WHERE id", "WHERE takes a condition, and t.id is "),
            (
                "SELECT (SELECT count(*) FROM t b WHERE b.at > a.at) FROM t a",
                "a subquery that compares with the outer query by anything but =",
            ),
            ("SELECT id FROM t WHERE id LIKE ANY ('a', 'b')", "LIKE ANY (…) is not known; write a LIKE 'x%'"),
            ("SELECT id, * FROM t", "two columns are called t.id; give one of them another name with AS"),
        ] {
            let answer = async { session.sql(question).await?.collect().await };
            let said = reason(&answer.await.map(drop).unwrap_err());
            if !said.contains(expected) || said.contains("bug in DataFusion") {
                wrong.push(format!("{question}: {said}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn functions_of_others_are_not_ours_and_what_is_written_for_them_is() {
        let state = session(1).unwrap().state();
        let is_known = |name: &str| {
            let name = name.to_lowercase();
            state.scalar_functions().contains_key(&name)
                || state.aggregate_functions().contains_key(&name)
                || state.window_functions().contains_key(&name)
        };
        let wrong = |(theirs, ours): &(&str, &str)| is_known(theirs) || !is_known(ours.split('(').next().unwrap());
        let wrong: Vec<_> = ELSEWHERE.iter().copied().filter(wrong).collect();
        assert_eq!(wrong, []);
        assert!(ELSEWHERE.is_sorted_by_key(|(name, _)| *name));
    }
}
