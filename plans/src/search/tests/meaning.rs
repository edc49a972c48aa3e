//! What each parameter finds, in which order, and what is refused.

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use super::table::{Table, call, found, ids};

fn item(id: &str, collection: Option<&str>, geometry: Value, properties: Value) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "geometry": geometry,
        "properties": properties, "links": [], "assets": {},
    })
}

fn point(x: f64, y: f64) -> Value {
    json!({"type": "Point", "coordinates": [x, y]})
}

/// The same Items in two tables: what has columns in the one has none in the other.
async fn sessions(items: &[Value]) -> Vec<(Table, SessionContext)> {
    let mut sessions = vec![];
    for promoted in
        ["gsd DOUBLE", "level INT, share FLOAT, \"a:b\" BIGINT, word VARCHAR, flag BOOLEAN, expires TIMESTAMP"]
    {
        let mut table = Table::new(promoted).await;
        table.ingest(items).await;
        let session = table.reading().await;
        sessions.push((table, session));
    }
    sessions
}

async fn check(items: &[Value], questions: &[(Value, &str)]) {
    let mut wrong = vec![];
    for (_table, session) in sessions(items).await {
        for (search, expected) in questions {
            let found = ids(&session, search).await.concat();
            if found != *expected {
                wrong.push(format!("{search}: {found}, and not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn items_are_found_by_place_time_and_name() {
    let day = |day: &str| json!({"datetime": format!("2020-01-{day}T00:00:00Z")});
    let span = |start: &str, end: &str| json!({"datetime": null, "start_datetime": format!("2020-01-{start}T00:00:00Z"), "end_datetime": format!("2020-01-{end}T00:00:00Z")});
    let items = [
        item("a", Some("x"), point(179.0, 10.0), day("01")),
        item("b", Some("x"), point(-179.0, 10.0), day("02")),
        item("c", Some("y"), point(0.0, 0.0), span("03", "05")),
        item("d", None, Value::Null, json!({"datetime": null})),
    ];
    let between = |text: &str| json!({"datetime": text});
    let area = json!({"type": "Polygon", "coordinates": [[[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]]});
    check(
        &items,
        &[
            (json!({}), "abcd"),
            (json!({"bbox": [170, 0, -170, 20]}), "ab"),
            (json!({"bbox": [-170, 0, 170, 20]}), "c"),
            (json!({"bbox": [-1, -1, -100, 1, 1, 100]}), "c"),
            (json!({"bbox": [0, 0, 0, 0]}), "c"),
            (json!({"bbox": [0, -1, 0, 1]}), "c"),
            (json!({"bbox": "-180,-90,180,90"}), "abc"),
            (json!({"intersects": area}), "c"),
            (json!({"intersects": {"type": "Feature", "geometry": area, "properties": {}}}), "c"),
            (json!({"intersects": {"type": "GeometryCollection", "geometries": [point(179.0, 10.0), area]}}), "ac"),
            (between("2020-01-01T00:00:00Z"), "a"),
            (between("2020-01-04T00:00:00Z"), "c"),
            (between("2020-01-02T00:00:00Z/2020-01-03T00:00:00Z"), "bc"),
            (between("2020-01-02T00:00:00Z/.."), "bc"),
            (between("2020-01-05T00:00:00.000001Z/.."), ""),
            (between("../2020-01-03T00:00:00Z"), "abc"),
            (between("../2020-01-02T23:59:59.999999Z"), "ab"),
            (json!({"ids": ["a", "d", "nobody"]}), "ad"),
            (json!({"ids": []}), ""),
            (json!({"collections": ["x", "z"]}), "ab"),
            (json!({"collections": []}), ""),
            (json!({"ids": "a,c", "collections": "y"}), "c"),
            (json!({"filter": "t_intersects(datetime, INTERVAL('2020-01-02', '2020-01-03'))"}), "bc"),
            (json!({"filter": "t_intersects(datetime, DATE('2020-01-02'))"}), "b"),
            (json!({"filter": "t_intersects(INTERVAL('..', '..'), datetime)"}), "abc"),
            (json!({"filter": "t_disjoint(datetime, INTERVAL('2020-01-02', '2020-01-03'))"}), "a"),
            (json!({"filter": "t_before(datetime, DATE('2020-01-03'))"}), "ab"),
            (json!({"filter": "t_during(datetime, INTERVAL('..', '2020-01-05'))"}), "abc"),
            (json!({"filter": "t_meets(datetime, TIMESTAMP('2020-01-05T00:00:00Z'))"}), "c"),
            (json!({"filter": "t_equals(datetime, INTERVAL('2020-01-03T00:00:00Z', '2020-01-05T00:00:00Z'))"}), "c"),
            (json!({"filter": "datetime = '2020-01-02'"}), "b"),
            (json!({"filter": "datetime >= TIMESTAMP('2020-01-01T01:00:00+01:00')"}), "ab"),
            (json!({"filter": "properties.datetime IN ('2020-01-01T00:00:00Z', '2020-01-02')"}), "ab"),
            (json!({"filter": "datetime IS NULL"}), "cd"),
            (json!({"filter": "collection IS NULL"}), "d"),
            (json!({"filter": "NOT collection = 'x'"}), "c"),
            (json!({"filter": "id IN ('a', 'b') AND collection = 'x'"}), "ab"),
            (json!({"filter": "s_within(geometry, BBOX(-180, 5, 180, 15))"}), "ab"),
            (json!({"filter": "s_disjoint(geometry, BBOX(170, 0, -170, 20))"}), "c"),
            (json!({"filter": "s_contains(POLYGON((-1 -1, 1 -1, 1 1, -1 1, -1 -1)), geometry)"}), "c"),
            (
                json!({"filter": "s_equals(geometry, POINT(0 0)) OR s_touches(geometry, LINESTRING(179 10, 179 20))"}),
                "ac",
            ),
            (json!({"filter": "s_crosses(geometry, LINESTRING(0 -1, 0 1)) OR s_overlaps(geometry, POINT(0 0))"}), ""),
            (json!({"filter": true}), "abcd"),
            (json!({"filter": "FALSE"}), ""),
        ],
    )
    .await;
}

#[tokio::test]
async fn values_are_read_as_what_they_are_compared_with_whether_they_have_columns_or_not() {
    let of = |id: &str, mut properties: Value| {
        properties["datetime"] = json!("2020-01-01T00:00:00Z");
        item(id, Some("x"), point(0.0, 0.0), properties)
    };
    let items = [
        of(
            "a",
            json!({"level": 5, "share": 0.1, "a:b": 9007199254740993_i64, "word": "été", "flag": true, "gsd": 0.5}),
        ),
        of("b", json!({"level": 5.5, "share": 0.10000000001, "a:b": "7", "word": 7, "flag": "false", "gsd": "0.5"})),
        of("c", json!({"level": "6", "share": -0.0, "a:b": 1e300, "word": ["x"], "flag": 1, "gsd": -0.0})),
        of(
            "d",
            json!({"level": "high", "share": "NaN", "a:b": {"c": 1}, "word": "a%b_c", "flag": null, "gsd": null, "expires": "2020-02-30T00:00:00Z"}),
        ),
        of("e", json!({"expires": "2021-01-01T00:00:00.5+01:00"})),
    ];
    let filter = |text: &str| json!({"filter": text});
    check(
        &items,
        &[
            (filter("level = 5"), "a"),
            (filter("level > 5"), "bc"),
            (filter("level >= 5.5"), "bc"),
            (filter("5.5 <= level"), "bc"),
            (filter("NOT level > 5"), "a"),
            (filter("level <> 5"), "bc"),
            (filter("level BETWEEN 5 AND 5.5"), "ab"),
            (filter("level IN (5, 5.5)"), "ab"),
            (filter("level IN (5, 'high')"), "ad"),
            (filter("level = 'high'"), "d"),
            (filter("level IS NULL"), "e"),
            (filter("level + 1 = 6.5"), "b"),
            (filter("level / 0 > 1 OR level % 0 = 0"), ""),
            (filter("-level < -5"), "bc"),
            (filter("level ^ 2 = 25 AND level div 2 = 2"), "a"),
            (filter("(0 - level) ^ 0.5 > 0"), ""),
            (filter("share = 0.1"), "a"),
            (filter("share = 0"), "c"),
            (filter("share > 0.1"), "b"),
            (
                filter(
                    "gsd = 0 AND gsd <= 0 AND gsd >= 0 AND gsd IN (0) AND NOT gsd < 0 AND NOT gsd > 0 AND NOT gsd <> 0",
                ),
                "c",
            ),
            (filter("gsd = 0.5"), "ab"),
            (filter("properties.a:b = 7"), "b"),
            (filter("\"a:b\" > 1e200"), "c"),
            (filter("a:b < 10"), "b"),
            (filter("word = 'été'"), "a"),
            (filter("word = '7'"), "b"),
            (filter("word = 7"), "b"),
            (filter("CASEI(word) = CASEI('ÉTÉ')"), "a"),
            (filter("CASEI(ACCENTI(word)) = 'ete'"), "a"),
            (filter("word LIKE '_t_'"), "a"),
            (filter(r"word LIKE 'a\%b\_c'"), "d"),
            (filter(r"word LIKE 'a\%\_%'"), ""),
            (json!({"query": {"word": {"contains": "%b_"}}}), "d"),
            (json!({"query": {"word": {"startsWith": "a_"}}}), ""),
            (json!({"query": {"level": {"gte": 5, "lt": 6}, "gsd": {"eq": 0.5}}}), "ab"),
            (json!({"query": {"level": {"eq": null}}}), "e"),
            (filter("word IS NOT NULL"), "abcd"),
            (filter("flag = TRUE"), "a"),
            (filter("flag"), "a"),
            (filter("NOT flag"), "b"),
            (filter("flag = FALSE OR flag IS NULL"), "bde"),
            (filter("level = gsd * 10"), "a"),
            (filter("gsd < level"), "abc"),
            (filter("level < 'x'"), "abcd"),
            (filter("a_contains(word, ('x'))"), "c"),
            (filter("a_overlaps(word, ('x', 1))"), "c"),
            (filter("NOT a_equals(word, ('y'))"), "c"),
            (filter("expires > TIMESTAMP('2020-12-31T23:00:00Z')"), "e"),
            (filter("expires = TIMESTAMP('2020-12-31T23:00:00.5Z')"), "e"),
            (filter("t_after(expires, DATE('2020-12-30'))"), "e"),
            (filter("nothing = 1 OR NOT nothing = 1 OR nothing LIKE '%'"), ""),
            (filter("nothing IS NULL"), "abcde"),
            (filter("level = NULL"), ""),
            (filter("level IN (5, NULL)"), "a"),
            (filter("NOT level IN (5, NULL)"), ""),
            (filter("1 = 1 AND 'a' < 'b'"), "abcde"),
        ],
    )
    .await;
}

#[tokio::test]
async fn items_come_in_the_order_that_is_asked_for() {
    let of = |id: &str, collection: Option<&str>, properties: Value| item(id, collection, point(0.0, 0.0), properties);
    let items = [
        of("a", Some("y"), json!({"datetime": "2020-01-01T00:00:00Z", "level": 2})),
        of("b", Some("x"), json!({"datetime": "2020-01-01T00:00:00Z", "level": "ten"})),
        of("c", Some("x"), json!({"datetime": "2020-01-03T00:00:00Z", "level": 10})),
        of("d", None, json!({"datetime": "2020-01-01T00:00:00Z"})),
        of("e", Some("x"), json!({"datetime": null, "level": 1.5})),
    ];
    for (_table, session) in sessions(&items).await {
        for (search, expected) in [
            (json!({"sortby": "datetime"}), "badce"),
            (json!({"sortby": "-datetime"}), "cbade"),
            (json!({"sortby": "-properties.datetime,-id"}), "cdbae"),
            (json!({"sortby": "collection,-id"}), "ecbad"),
            (json!({"sortby": [{"field": "id", "direction": "desc"}], "limit": 2}), "ed"),
            (json!({"sortby": "nothing"}), "bcead"),
        ] {
            assert_eq!(found(&session, &search).await.unwrap().concat(), expected, "{search}");
        }
    }
    // Numbers before texts, where no column says what there is.
    let (_table, session) = &sessions(&items).await[0];
    assert_eq!(found(session, &json!({"sortby": "level"})).await.unwrap().concat(), "eacbd");
    assert_eq!(found(session, &json!({"limit": 3})).await.unwrap().len(), 3);
}

#[tokio::test]
async fn fields_leave_out_columns() {
    let items = [item("a", Some("x"), point(1.0, 2.0), json!({"datetime": "2020-01-01T00:00:00Z", "word": "w"}))];
    let (_table, session) = &sessions(&items).await[1];
    let columns = async |fields: Value| {
        let frame = session.sql(&format!("SELECT * FROM {}", call(&json!({"fields": fields})))).await.unwrap();
        frame.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(columns(json!("id,properties.word")).await, ["id", "word", "properties"]);
    assert_eq!(columns(json!("id,bbox")).await, ["id", "bbox", "xmin", "ymin", "xmax", "ymax"]);
    let without = columns(json!("-assets,-links,-geometry,-properties,-bbox")).await;
    assert_eq!(without, ["id", "collection", "stac_version", "stac_extensions", "extra"]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_parameter() {
    let (_table, session) = &sessions(&[]).await[1];
    for (sql, words) in [
        ("stac_search(items, '{\"bbox\": [1]}')", "stac_search: bbox: [1] is not a box"),
        ("stac_search(items, '{\"box\": [1]}')", "stac_search: box: there is no such parameter; there are bbox"),
        ("stac_search(items, '[]')", "the parameters are not a JSON object"),
        ("stac_search(nothing, '{}')", "stac_search: there is no table nothing"),
        ("stac_search(items)", "stac_search takes a table and a text with the parameters as JSON"),
        ("stac_search(items, 7)", "stac_search takes a table and a text"),
        ("stac_search(items, '{\"filter\": \"1\"}')", "filter: 1 is not a condition"),
        ("stac_search(items, '{\"filter\": \"a + 1\"}')", "filter: + is not a condition"),
        ("stac_search(items, '{\"filter\": \"a AND 1\"}')", "filter: 1 is not a condition"),
        ("stac_search(items, '{\"filter\": \"''a'' = 1\"}')", "filter: 1 stands where a text belongs"),
        ("stac_search(items, '{\"filter\": \"a + ''b'' = 1\"}')", "filter: 'b' stands where a number belongs"),
        ("stac_search(items, '{\"filter\": \"a LIKE 7\"}')", "filter: 7 stands where a text belongs"),
        (
            "stac_search(items, '{\"filter\": \"datetime > ''soon''\"}')",
            "datetime is compared with \"soon\", which is neither",
        ),
        (
            "stac_search(items, '{\"filter\": \"s_within(area, POINT(1 2))\"}')",
            "s_within takes geometries, and property area is none",
        ),
        (
            "stac_search(items, '{\"filter\": \"t_after(datetime, 7)\"}')",
            "t_after takes times and intervals, and 7 is none",
        ),
        (
            "stac_search(items, '{\"filter\": \"a_overlaps(a, datetime + 1)\"}')",
            "a_overlaps takes arrays, and + is none",
        ),
        ("stac_search(items, '{\"filter\": \"a = (1, 2)\"}')", "an array cannot be compared"),
        ("stac_search(items, '{\"filter\": \"a = POINT(1 2)\"}')", "a geometry cannot be compared"),
    ] {
        let error = session.sql(&format!("SELECT * FROM {sql}")).await.unwrap_err().to_string();
        assert!(error.contains(words), "{sql}: {error}");
    }
}

#[tokio::test]
async fn many_values_are_found_and_too_many_operators_are_refused() {
    let (_table, session) =
        &sessions(&[item("a", None, point(0.0, 0.0), json!({"datetime": null, "level": 7}))]).await[0];
    let list: Vec<String> = (0..5_000).map(|i| i.to_string()).collect();
    assert_eq!(ids(session, &json!({"filter": format!("level IN ({})", list.join(","))})).await, ["a"]);
    let error = found(session, &json!({"filter": vec!["level = 1"; 1_000].join(" OR ")})).await.unwrap_err();
    assert!(error.to_string().contains("filter: it has 1001 operators, and up to 1000 can be planned"), "{error}");
}

#[tokio::test]
async fn a_search_can_be_copied_joined_and_asked_of_another_state() {
    let (_table, session) = &sessions(&[item("a", Some("x"), point(0.0, 0.0), json!({"datetime": null}))]).await[0];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.parquet");
    let search = call(&json!({"bbox": [-1, -1, 1, 1]}));
    for sql in [
        format!("COPY (SELECT * FROM {search}) TO '{}'", file.display()),
        "CREATE VIEW now AS SELECT * FROM items_at('2999-01-01')".to_owned(),
        format!("SELECT a.id FROM {search} a JOIN stac_search('now', '{{}}') b ON a.id = b.id"),
    ] {
        let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        assert!(sql.starts_with("CREATE") || text.contains("| 1 ") || text.contains("| a "), "{sql}: {text}");
    }
    assert!(file.exists());
}
