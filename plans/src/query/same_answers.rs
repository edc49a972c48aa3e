//! With pruning and without it, every question has the same answer.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryViewArray, Float64Array, RecordBatch, StringViewArray, StructArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, FieldRef};
use arrow::util::pretty::pretty_format_batches;
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::cover::{Coverer, Footprint};
use geo::Geometry;
use h3o::Resolution;
use proptest::prelude::*;

use super::bounds::implied_cells;
use super::frame::Frame;
use super::views::register_views;
use crate::model::items::{BOUNDS_COLUMNS, GRID_PARTITION, ItemSchema};
use crate::runtime::{find_operator, plan_part};
use crate::table::testing::{Row, write_part};
use crate::table::{Change, Committer, Warehouse};

/// A version of an Item.
#[derive(Debug, Clone)]
struct Version {
    id: String,
    geometry: Option<String>,
    day: Option<i64>,
    updated: Option<i64>,
}

const DAY: i64 = 86_400_000_000;

fn wkt(text: &str) -> Option<Geometry> {
    use datafusion::common::ScalarValue;
    use datafusion::prelude::{Expr, lit};
    let made: Expr = earthcatalog_udfs::st_geom_from_text_udf().call(vec![lit(ScalarValue::from(text))]);
    super::constant::constant_geometry(&made)
}

fn wkb(geometry: &Geometry) -> Vec<u8> {
    super::place::place_wkb(geometry).unwrap()
}

fn batch(items: &ItemSchema, versions: &[Version]) -> RecordBatch {
    let geometries: Vec<_> = versions.iter().map(|v| v.geometry.as_deref().and_then(wkt)).collect();
    let bounds: Vec<_> = geometries.iter().map(|g| g.as_ref().and_then(super::Frame::of)).collect();
    let side = |of: fn(&super::Frame) -> f64| -> ArrayRef {
        Arc::new(bounds.iter().map(|b| b.as_ref().map(of)).collect::<Float64Array>())
    };
    let sides = || [side(|b| b.xmin), side(|b| b.ymin), side(|b| b.xmax), side(|b| b.ymax)];
    let times = |of: fn(&Version) -> Option<i64>| -> ArrayRef {
        let micros = versions.iter().map(|v| of(v).map(|days| days * DAY));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let wkb = geometries.iter().map(|geometry| Some(wkb(geometry.as_ref()?)));
    let wkb: Vec<_> = wkb.collect();
    let column = |field: &FieldRef| -> ArrayRef {
        match (field.name().as_str(), field.data_type()) {
            ("id", _) => Arc::new(versions.iter().map(|v| Some(v.id.as_str())).collect::<StringViewArray>()),
            ("geometry", _) => Arc::new(wkb.iter().map(|g| g.as_deref()).collect::<BinaryViewArray>()),
            ("xmin", _) => sides()[0].clone(),
            ("ymin", _) => sides()[1].clone(),
            ("xmax", _) => sides()[2].clone(),
            ("ymax", _) => sides()[3].clone(),
            ("bbox", DataType::Struct(fields)) => {
                let filled = sides().map(|s| {
                    arrow::compute::kernels::zip::zip(
                        &arrow::compute::is_not_null(&s).unwrap(),
                        &s,
                        &arrow::array::Scalar::new(Float64Array::from(vec![0.0])),
                    )
                    .unwrap()
                });
                let nulls = bounds.iter().map(Option::is_some).collect::<Vec<_>>().into();
                Arc::new(StructArray::new(fields.clone(), filled.to_vec(), Some(nulls)))
            }
            ("datetime", _) => times(|v| v.day),
            ("updated", _) => times(|v| v.updated),
            (_, data_type) => new_null_array(data_type, versions.len()),
        }
    };
    let schema = items.item_schema();
    RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect()).unwrap()
}

/// A session over a warehouse of these deliveries, each of which is a commit of its own; compacted after some of them.
async fn reading(
    folder: &tempfile::TempDir,
    resolution: u8,
    deliveries: &[Vec<Version>],
    compact: bool,
) -> SessionContext {
    let f = folder.path().display();
    let writing = crate::session::session(2).unwrap();
    let run = async |sql: String| writing.sql(&sql).await.unwrap().collect().await.unwrap();
    run(format!(
        "CREATE EXTERNAL TABLE items (platform VARCHAR) STORED AS ICEBERG LOCATION '{f}/wh'
         OPTIONS ('catalog' '{f}/catalog.db', 'h3_resolution' '{resolution}')"
    ))
    .await;
    let opened = Warehouse::open(&format!("{f}/catalog.db")).await.unwrap();
    for (i, versions) in deliveries.iter().enumerate() {
        writing.register_batch(format!("source{i}"), batch(opened.items(), versions)).unwrap();
        run(format!("INSERT INTO items SELECT * FROM h3_fanout(source{i}, {resolution})")).await;
        if compact {
            run(COMPACT.to_owned()).await;
        }
    }
    let context = crate::session::session(2).unwrap();
    register_views(&context, &format!("{f}/catalog.db"), None).await.unwrap();
    context
}

const COMPACT: &str = "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence, digest, age_rank) FROM (
    SELECT *, row_number() OVER (PARTITION BY grid_partition, year, collection, id
        ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC, digest DESC) AS age_rank
    FROM (SELECT *, item_digest(*) AS digest FROM buckets(items, 2))) WHERE age_rank = 1";

/// A session that writes to the table.
async fn writing(folder: &tempfile::TempDir) -> SessionContext {
    let context = crate::session::session(2).unwrap();
    let f = folder.path().display();
    let table =
        format!("CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/catalog.db')");
    text(&context, &table).await;
    context
}

async fn text(context: &SessionContext, sql: &str) -> String {
    let batches = match context.sql(sql).await {
        Ok(frame) => frame.collect().await,
        Err(e) => Err(e),
    };
    pretty_format_batches(&batches.unwrap_or_else(|e| panic!("{sql}: {e}"))).unwrap().to_string()
}

async fn set_pruning(context: &SessionContext, on: bool) {
    text(context, &format!("SET earthcatalog.spatial_pruning = {on}")).await;
}

async fn plan(context: &SessionContext, sql: &str) -> String {
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    displayable(plan.as_ref()).indent(false).to_string()
}

fn version(id: &str, geometry: &str, day: i64, updated: Option<i64>) -> Version {
    Version { id: id.to_owned(), geometry: Some(geometry.to_owned()), day: Some(day), updated }
}

const PARIS: &str = "POLYGON((2 48, 3 48, 3 49, 2 49, 2 48))";
const TOKYO: &str = "POLYGON((139 35, 140 35, 140 36, 139 36, 139 35))";

/// Two Items in France and Japan; the first has moved there from Japan.
async fn moved(folder: &tempfile::TempDir) -> SessionContext {
    let first = vec![version("a", TOKYO, 18_000, Some(1)), version("b", TOKYO, 18_000, None)];
    reading(folder, 1, &[first, vec![version("a", PARIS, 18_000, Some(2))]], false).await
}

#[tokio::test]
async fn an_older_version_does_not_come_out_where_the_newest_is_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let context = moved(&folder).await;
    for (place, ids) in [("ST_Point(139.5, 35.5)", "| b  |"), ("ST_Point(2.5, 48.5)", "| a  |")] {
        let found = text(&context, &format!("SELECT id FROM items WHERE ST_Intersects(geometry, {place})")).await;
        assert!(found.contains(ids) && found.lines().count() == 5, "{found}");
    }
}

#[tokio::test]
async fn files_elsewhere_are_not_read_for_rows_or_for_candidates() {
    let folder = tempfile::tempdir().unwrap();
    let context = moved(&folder).await;
    for table in ["item_cells", "item_versions"] {
        let sql = format!("SELECT id FROM {table} WHERE ST_Intersects(geometry, ST_Point(2.5, 48.5))");
        let pruned = plan(&context, &sql).await;
        assert!(pruned.contains("files=1/3, pruned=2 by bounds"), "{pruned}");
    }
    let pruned = plan(&context, "SELECT id FROM items WHERE ST_Within(geometry, ST_MakeEnvelope(2, 48, 3, 49))").await;
    assert!(pruned.contains("files=1/3") && pruned.contains("files=3/3"), "{pruned}");
    set_pruning(&context, false).await;
    let all = plan(&context, "SELECT id FROM items WHERE ST_Within(geometry, ST_MakeEnvelope(2, 48, 3, 49))").await;
    assert!(!all.contains("files=1/3"), "{all}");
}

#[tokio::test]
async fn every_way_to_say_where_prunes() {
    let folder = tempfile::tempdir().unwrap();
    let context = moved(&folder).await;
    let envelope = "ST_MakeEnvelope(2.2, 48.2, 2.4, 48.4)";
    for predicate in [
        format!("ST_Intersects({envelope}, geometry)"),
        format!("ST_Contains(geometry, {envelope})"),
        format!("ST_Covers(geometry, {envelope}) AND id <> 'x'"),
        "ST_Intersects(geometry, ST_GeomFromText('POINT(2.5 48.5)'))".to_owned(),
        r#"ST_Intersects(geometry, ST_GeomFromGeoJSON('{"type": "Point", "coordinates": [2.5, 48.5]}'))"#.to_owned(),
        "ST_DWithin(geometry, ST_Point(1.5, 48.5), 0.6)".to_owned(),
        "ST_Distance(ST_Point(1.5, 48.5), geometry) < 0.6".to_owned(),
        "ST_Intersects(geometry, ST_Point(2.5, 48.5)) OR ST_Intersects(geometry, ST_Point(2.7, 48.5))".to_owned(),
        "NOT ST_Disjoint(geometry, ST_Point(2.5, 48.5))".to_owned(),
        "bbox['xmin'] < 10 AND bbox['ymax'] > 40".to_owned(),
        "xmin < 10".to_owned(),
        "bbox['xmin'] BETWEEN 0 AND 10".to_owned(),
    ] {
        let sql = format!("SELECT id FROM (SELECT geometry, bbox, id, xmin FROM item_cells) AS s WHERE {predicate}");
        let pruned = plan(&context, &sql).await;
        assert!(pruned.contains("files=1/3"), "{predicate}\n{pruned}");
        assert_eq!(text(&context, &sql).await.lines().count(), 5, "{predicate}");
    }
}

#[tokio::test]
async fn an_item_without_a_geometry_is_as_it_is_without_pruning() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Version { id: "n".to_owned(), geometry: None, day: None, updated: None };
    let context = reading(&folder, 0, &[vec![nowhere]], false).await;
    for predicate in ["bbox['xmin'] > -175", "NOT (bbox['xmin'] < -175)", "NOT ST_Disjoint(geometry, ST_Point(0, 0))"] {
        let sql = format!("SELECT id FROM items WHERE {predicate}");
        let pruned = text(&context, &sql).await;
        set_pruning(&context, false).await;
        assert_eq!(pruned, text(&context, &sql).await, "{predicate}");
        set_pruning(&context, true).await;
    }
}

#[tokio::test]
async fn the_logical_plan_shows_what_was_added() {
    let folder = tempfile::tempdir().unwrap();
    let context = moved(&folder).await;
    let optimized = async |sql: &str| {
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        plan.display_indent().to_string()
    };
    let rows = optimized("SELECT id FROM item_cells WHERE ST_Intersects(geometry, ST_Point(2.5, 48.5))").await;
    let filter = rows.lines().find(|line| line.contains("Filter:")).unwrap().trim();
    let added = ["xmin <= Float64(2.5)", "xmax >= Float64(2.5)", "ymin <= Float64(48.5)", "ymax >= Float64(48.5)"];
    assert!(added.iter().all(|added| filter.contains(&format!("item_cells.{added}"))), "{rows}");
    assert!(filter.contains("st_intersects(item_cells.geometry"), "{rows}");
}

#[tokio::test]
async fn an_item_with_one_version_is_read_from_the_cells_in_question_alone() {
    let folder = tempfile::tempdir().unwrap();
    // The first is in two cells, both near the place.
    let items = vec![version("wide", "POLYGON((-10 48, 10 48, 10 49, -10 49, -10 48))", 18_000, None)];
    let other = vec![version("a", PARIS, 18_000, Some(1)), version("b", TOKYO, 18_000, Some(1))];
    let context = reading(&folder, 1, &[items, other], false).await;
    let sql = "SELECT id FROM items WHERE ST_Intersects(geometry, ST_Point(2.5, 48.5))";
    let pruned = plan(&context, sql).await;
    assert!(pruned.contains("OncePerItemExec") && !pruned.contains("Window"), "{pruned}");
    assert!(pruned.contains("files=2/7") && pruned.contains("grid_partition@1 = 811fbffffffffff"), "{pruned}");
    let all = "SELECT id FROM items ORDER BY id";
    assert_eq!(text(&context, all).await.lines().count(), 7);
    assert_eq!(text(&context, &format!("{sql} ORDER BY id")).await.lines().count(), 6);
    let count = text(&context, "SELECT count(*) AS items FROM items").await;
    assert!(count.contains("| 3     |"), "{count}");
}

/// One Item, in cells of which none is near both places.
#[tokio::test]
async fn an_item_that_meets_two_places_is_found_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let wide = version("wide", "POLYGON((-10 48, 10 48, 10 49, -10 49, -10 48))", 18_000, None);
    let context = reading(&folder, 1, &[vec![wide]], false).await;
    let meets = |x: f64| format!("ST_Intersects(geometry, ST_Point({x}, 48.5))");
    let (west, east) = (meets(-9.5), meets(9.5));
    for sql in [
        format!("SELECT id FROM items WHERE {west} AND {east}"),
        format!("SELECT id FROM (SELECT * FROM items WHERE {west}) AS s WHERE {east}"),
        format!("SELECT a.id FROM items AS a JOIN items AS b USING (id) WHERE a.{west} AND b.{east}")
            .replace("a.ST_Intersects(", "ST_Intersects(a.")
            .replace("b.ST_Intersects(", "ST_Intersects(b."),
        format!("SELECT id FROM items WHERE {west} AND id IN (SELECT id FROM items WHERE {east})"),
        format!("SELECT id FROM items WHERE NOT (NOT {west} OR NOT {east})"),
    ] {
        assert!(text(&context, &sql).await.contains("| wide |"), "{sql}");
    }
}

#[tokio::test]
async fn a_version_that_comes_again_or_from_another_engine_is_looked_up_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let context = moved(&folder).await;
    let newest = plan(&context, "SELECT id FROM items WHERE updated > '1970-01-01'").await;
    assert!(newest.contains("OncePerItemExec") && newest.contains("BoundedWindowAggExec"), "{newest}");
    assert!(text(&context, "SELECT count(*) FROM items").await.contains("| 2        |"));

    let opened = Warehouse::open(&format!("{}/catalog.db", folder.path().display())).await.unwrap();
    let part = write_part(&opened, "81c", "foreign", &[Row::new("b", Some((2020, 1, 1)))]);
    let change = Change { add: vec![part], ..Change::default() };
    Committer::new(opened).commit(change).await.unwrap();
    let newest = plan(&context, "SELECT id FROM items WHERE updated > '1970-01-01'").await;
    assert!(!newest.contains("OncePerItemExec"), "{newest}");
    assert!(text(&context, "SELECT count(*) FROM items").await.contains("| 2        |"));

    // The next compaction looks at all Items, and lists them again: what the other engine and a move left behind is gone.
    let before = text(&context, "SELECT id, updated, xmin FROM items ORDER BY id").await;
    let writing = writing(&folder).await;
    text(&writing, COMPACT).await;
    assert_eq!(before, text(&context, "SELECT id, updated, xmin FROM items ORDER BY id").await);
    assert!(text(&context, "SELECT count(*) FROM item_cells WHERE id = 'a'").await.contains("| 1        |"));
    let once = plan(&context, "SELECT id FROM items WHERE updated > '1970-01-01'").await;
    assert!(once.contains("OncePerItemExec") && !once.contains("Window"), "{once}");
    // The list is as good as any: an Item that comes again is looked up.
    text(&writing, "INSERT INTO items (id, grid_partition) VALUES ('a', '811efffffffffff'), ('z', '811efffffffffff')")
        .await;
    let again = plan(&context, "SELECT id FROM items WHERE updated > '1970-01-01'").await;
    assert!(again.contains("OncePerItemExec") && again.contains("Window"), "{again}");
}

#[tokio::test]
async fn after_a_compaction_of_all_buckets_each_item_has_one_version_wherever_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let context = moved(&folder).await;
    let before = text(&context, "SELECT id, updated, xmin FROM items ORDER BY id").await;
    let writing = writing(&folder).await;
    // No bucket has two files, and one holds what an Item has left behind.
    let compaction = plan(&writing, COMPACT).await;
    assert!(compaction.contains("superseded_ids=2"), "{compaction}");
    text(&writing, COMPACT).await;
    assert!(text(&context, "SELECT count(*) FROM item_cells WHERE id = 'a'").await.contains("| 1        |"));
    assert_eq!(before, text(&context, "SELECT id, updated, xmin FROM items ORDER BY id").await);
    let once = plan(&context, "SELECT id FROM items WHERE updated > '1970-01-01'").await;
    assert!(once.contains("OncePerItemExec") && !once.contains("Window"), "{once}");
    let again = plan(&writing, COMPACT).await;
    assert!(again.contains("buckets=0/"), "{again}");
}

/// Table `items` plans a part of a question, and the rules for the whole question go over it again. A join whose sides already
/// tell each other what they hold cannot be turned any more: one plan in a thousand failed for that.
#[tokio::test]
async fn sides_of_a_join_in_a_part_of_a_plan_can_still_be_turned() {
    let folder = tempfile::tempdir().unwrap();
    let context = moved(&folder).await;
    let sql = "SELECT * FROM (SELECT id FROM item_cells WHERE xmin > 5) AS a JOIN item_versions AS b USING (id)";
    let plan = context.sql(sql).await.unwrap().into_unoptimized_plan();
    let is_tied = |plan: Arc<dyn ExecutionPlan>| {
        !find_operator::<HashJoinExec>(&plan).expect("a join").dynamic_expressions_produced().is_empty()
    };
    assert!(is_tied(context.state().create_physical_plan(&plan).await.unwrap()));
    assert!(!is_tied(plan_part(&context.state(), &plan).await.unwrap()));
}

/// Shapes that are ordinary, on the antimeridian split or not, round a pole, wide, or empty.
fn any_geometry() -> impl Strategy<Value = String> {
    let number =
        prop_oneof![Just(0.0), Just(-0.0), -180.0..180.0f64, -5.0..5.0f64].prop_map(|x| (x * 4.0).round() / 4.0);
    let latitude = prop_oneof![Just(0.0), -90.0..90.0f64, 60.0..70.0f64].prop_map(|y: f64| (y * 4.0).round() / 4.0);
    let size = prop_oneof![Just(0.25), Just(2.0), Just(20.0)];
    let rectangle = |x: f64, y: f64, w: f64, h: f64| {
        let (x2, y2) = (x + w, (y + h).min(90.0));
        format!("(({x} {y}, {x2} {y}, {x2} {y2}, {x} {y2}, {x} {y}))")
    };
    prop_oneof![
        (number.clone(), latitude.clone()).prop_map(|(x, y)| format!("POINT({x} {y})")),
        (number.clone(), latitude.clone(), size.clone(), 0.25..20.0f64).prop_map(move |(x, y, w, h)| format!(
            "POLYGON{}",
            rectangle(x.min(180.0 - w).max(-180.0), y, w.min(360.0), h)
        )),
        (number.clone(), latitude.clone(), number.clone(), latitude.clone())
            .prop_map(|(x, y, x2, y2)| format!("LINESTRING({x} {y}, {x2} {y2})")),
        (latitude.clone(), 1.0..10.0f64).prop_map(move |(y, w)| {
            format!("MULTIPOLYGON({}, {})", rectangle(180.0 - w, y, w, w), rectangle(-180.0, y, w, w))
        }),
        // Wide, and few of it: each has many cells.
        (latitude.clone(), prop_oneof![Just(170.0), Just(300.0)])
            .prop_map(move |(y, w)| format!("POLYGON{}", rectangle(-w / 2.0, y, w, 0.5))),
        // Over the antimeridian, as it must not be written.
        (latitude.clone(), 1.0..10.0f64).prop_map(|(y, w)| {
            let (east, west, north) = (180.0 - w, w - 180.0, (y + w).min(90.0));
            format!("POLYGON(({east} {y}, {west} {y}, {west} {north}, {east} {north}, {east} {y}))")
        }),
        (latitude.clone(), 1.0..10.0f64)
            .prop_map(move |(y, w)| format!("POLYGON{}", rectangle(180.0 - w, y, 2.0 * w, w))),
        (60.0..89.0f64).prop_map(|y| format!("POLYGON((-150 {y}, -50 {y}, 50 {y}, 150 {y}, -150 {y}))")),
        (number.clone(), latitude.clone(), number, latitude)
            .prop_map(|(x, y, x2, y2)| format!("GEOMETRYCOLLECTION(POINT({x} {y}), LINESTRING({x} {y}, {x2} {y2}))")),
        Just("POLYGON EMPTY".to_owned()),
    ]
}

/// Shapes of which many lie near and inside each other.
fn crowded_geometry() -> impl Strategy<Value = String> {
    let near = prop::sample::select(vec![-10.0, -9.0, -2.0, 0.0, 0.5, 8.0, 9.5, 10.0f64]);
    (near, 0.0..3.0f64, prop::sample::select(vec![0.0, 0.5, 4.0, 20.0, 60.0f64]), 0.0..2.0f64).prop_map(
        |(x, y, w, h)| {
            let (y, h) = (48.0 + (y * 4.0).round() / 4.0, 0.25 + (h * 4.0).round() / 4.0);
            match w {
                0.0 => format!("POINT({x} {y})"),
                w => {
                    let (x2, y2) = (x + w, y + h);
                    format!("POLYGON(({x} {y}, {x2} {y}, {x2} {y2}, {x} {y2}, {x} {y}))")
                }
            }
        },
    )
}

/// Two to four places in AND, OR and NOT, and what is not of a place.
fn crowded_predicate() -> impl Strategy<Value = String> {
    let meets = (prop::sample::select(vec!["ST_Intersects", "ST_Covers", "ST_Overlaps"]), crowded_geometry())
        .prop_map(|(relation, place)| format!("{relation}(geometry, ST_GeomFromText('{place}'))"));
    let misses = crowded_geometry().prop_map(|place| format!("ST_Disjoint(geometry, ST_GeomFromText('{place}'))"));
    let leaf = prop_oneof![6 => meets, 1 => misses, 1 => Just("xmin < 0".to_owned()), 1 => Just("id = 'a'".to_owned())];
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            4 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            1 => inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

/// For each of a footprint's rows, one per cell, whether `predicate` is true of it.
fn true_of_rows(context: &SessionContext, rows: &RecordBatch, predicate: Expr) -> Vec<bool> {
    let schema = DFSchema::try_from(rows.schema()).unwrap();
    let predicate = context.state().create_physical_expr(predicate, &schema).unwrap();
    let values = predicate.evaluate(rows).unwrap().into_array(rows.num_rows()).unwrap();
    values.as_boolean().iter().map(|value| value == Some(true)).collect()
}

fn any_version() -> impl Strategy<Value = Version> {
    (
        0u32..8,
        prop::option::weighted(0.9, any_geometry()),
        prop::option::weighted(0.9, 17_000i64..18_500),
        prop::option::of(0i64..3),
    )
        .prop_map(|(id, geometry, day, updated)| Version { id: format!("i{id}"), geometry, day, updated })
}

fn any_predicate() -> impl Strategy<Value = String> {
    let relation = prop::sample::select(vec![
        "ST_Intersects",
        "ST_Within",
        "ST_Contains",
        "ST_Covers",
        "ST_CoveredBy",
        "ST_Overlaps",
        "ST_Touches",
        "ST_Crosses",
        "ST_Equals",
        "NOT ST_Disjoint",
        "ST_Disjoint",
    ]);
    let leaf = prop_oneof![
        4 => (relation, any_geometry(), any::<bool>()).prop_map(|(relation, g, first)| {
            let constant = format!("ST_GeomFromText('{g}')");
            if first { format!("{relation}({constant}, geometry)") } else { format!("{relation}(geometry, {constant})") }
        }),
        1 => (any_geometry(), 0.0..5.0f64).prop_map(|(g, d)| format!("ST_DWithin(geometry, ST_GeomFromText('{g}'), {d})")),
        1 => (any_geometry(), 0.0..5.0f64).prop_map(|(g, d)| format!("ST_Distance(ST_GeomFromText('{g}'), geometry) <= {d}")),
        1 => (-180i32..180).prop_map(|x| format!("bbox['xmin'] < {x}")),
        1 => (-90i32..90).prop_map(|y| format!("ymax >= {y}")),
        1 => (17_000i64..18_500).prop_map(|day| format!("datetime < to_timestamp({})", day * 86_400)),
        1 => (0u32..8).prop_map(|id| format!("id = 'i{id}'")),
        1 => Just("updated IS NULL".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn a_pruned_question_has_the_answer_of_the_same_question_unpruned(
        deliveries in prop::collection::vec(prop::collection::vec(any_version(), 1..8), 1..3),
        resolution in 0u8..2,
        compact in any::<bool>(),
        predicates in prop::collection::vec(any_predicate(), 8),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let context = reading(&folder, resolution, &deliveries, compact).await;
            for predicate in predicates {
                for sql in [
                    format!("SELECT id, updated, xmin FROM items WHERE {predicate} ORDER BY 1, 2, 3"),
                    format!("SELECT id, grid_partition, updated, xmin FROM item_cells WHERE {predicate} ORDER BY 1, 2, 3, 4"),
                    format!("SELECT count(*) FROM (SELECT geometry, bbox, ymax, id, updated, datetime FROM items LIMIT 1000000) AS s WHERE {predicate}"),
                ] {
                    set_pruning(&context, true).await;
                    let pruned = text(&context, &sql).await;
                    set_pruning(&context, false).await;
                    assert_eq!(pruned, text(&context, &sql).await, "{sql}");
                }
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// The cells by which an Item is looked for are those of one of its rows at least, however many places are asked for.
    #[test]
    fn an_item_is_in_the_cells_of_every_question_that_is_true_of_it(
        footprint in crowded_geometry(),
        resolution in 0u8..3,
        predicates in prop::collection::vec(crowded_predicate(), 1..3),
    ) {
        thread_local!(static CONTEXT: SessionContext = crate::session::session(1).unwrap());
        CONTEXT.with(|context| {
            let geometry = wkt(&footprint).unwrap();
            let frame = Frame::of(&geometry).unwrap();
            let covered = Footprint::from_geometry(&geometry);
            let cells = Coverer::new(Resolution::try_from(resolution).unwrap()).cover(&covered).unwrap();
            let sides = [frame.xmin, frame.ymin, frame.xmax, frame.ymax];
            let wkb = wkb(&geometry);
            let mut columns = vec![
                ("id", Arc::new(StringViewArray::from_iter_values(cells.iter().map(|_| "a"))) as ArrayRef),
                ("geometry", Arc::new(BinaryViewArray::from_iter_values(cells.iter().map(|_| &wkb)))),
                (GRID_PARTITION, Arc::new(StringViewArray::from_iter_values(cells.iter().map(ToString::to_string)))),
            ];
            for (name, side) in BOUNDS_COLUMNS.into_iter().zip(sides) {
                columns.push((name, Arc::new(Float64Array::from_value(side, cells.len()))));
            }
            let rows = RecordBatch::try_from_iter(columns).unwrap();
            let schema = DFSchema::try_from(rows.schema()).unwrap();
            let parsed = |sql: &String| context.state().create_logical_expr(sql, &schema).unwrap();
            let predicates: Vec<Expr> = predicates.iter().map(parsed).collect();
            let is_true = predicates.iter().all(|p| true_of_rows(context, &rows, p.clone())[0]);
            if is_true && let Some(of_cells) = implied_cells(&predicates, resolution) {
                prop_assert!(true_of_rows(context, &rows, of_cells).contains(&true));
            }
            Ok(())
        })?;
    }
}
