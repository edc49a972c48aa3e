//! All functions and rules of this crate, for the one place that builds sessions.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::SessionContext;

use crate::array_relation::array_relation_udfs;
use crate::folded_text::{accenti_udf, casei_udf};
use crate::h3_cell_area::h3_cell_area_udf;
use crate::h3_cell_to_boundary::h3_cell_to_boundary_udf;
use crate::h3_cell_to_children::h3_cell_to_children_udf;
use crate::h3_cell_to_latlng::h3_cell_to_latlng_udf;
use crate::h3_cell_to_parent::h3_cell_to_parent_udf;
use crate::h3_cells::h3_cells_udf;
use crate::h3_compact_cells::h3_compact_cells_udf;
use crate::h3_fanout::H3Fanout;
use crate::h3_get_resolution::h3_get_resolution_udf;
use crate::h3_grid_disk::h3_grid_disk_udf;
use crate::h3_grid_distance::h3_grid_distance_udf;
use crate::h3_is_valid_cell::h3_is_valid_cell_udf;
use crate::h3_latlng_to_cell::h3_latlng_to_cell_udf;
use crate::h3_uncompact_cells::h3_uncompact_cells_udf;
use crate::item_digest::item_digest_udf;
use crate::item_wildcard::ItemWildcard;
use crate::json_get::{JsonOperators, json_get_scalar_udf, json_get_text_udf, json_get_udf};
use crate::json_set::{json_set_text_udf, json_set_udf};
use crate::member_column::member_column_udf;
use crate::resolve_href::resolve_href_udf;
use crate::st_as_geojson::st_as_geojson_udf;
use crate::st_centroid::st_centroid_udf;
use crate::st_collect::st_collect_udaf;
use crate::st_convex_hull::st_convex_hull_udfs;
use crate::st_coordinate::st_coordinate_udfs;
use crate::st_distance::{st_distance_udf, st_dwithin_udf};
use crate::st_distance_globe::st_distance_globe_udfs;
use crate::st_envelope::st_envelope_udf;
use crate::st_extent::st_extent_udaf;
use crate::st_extreme::st_extreme_udfs;
use crate::st_geom_from_geojson::st_geom_from_geojson_udf;
use crate::st_geom_from_text::st_geom_from_text_udf;
use crate::st_is_valid::st_is_valid_udf;
use crate::st_line_end::st_line_end_udfs;
use crate::st_make_envelope::st_make_envelope_udf;
use crate::st_make_valid::st_make_valid_udf;
use crate::st_measure::st_measure_udfs;
use crate::st_relation::st_relation_udfs;
use crate::st_union::st_union_udaf;
use crate::stac_item::stac_item_udf;
use crate::times::time_functions;
use crate::try_number::try_number_udf;
use crate::try_timestamp::try_timestamp_udf;

/// The scalar functions: what an executor of a cluster needs.
pub fn scalar_functions() -> Vec<ScalarUDF> {
    let functions = vec![
        h3_cells_udf(),
        h3_latlng_to_cell_udf(),
        h3_cell_to_latlng_udf(),
        h3_cell_to_boundary_udf(),
        h3_cell_to_parent_udf(),
        h3_grid_disk_udf(),
        h3_grid_distance_udf(),
        h3_cell_to_children_udf(),
        h3_get_resolution_udf(),
        h3_is_valid_cell_udf(),
        h3_cell_area_udf(),
        h3_compact_cells_udf(),
        h3_uncompact_cells_udf(),
        stac_item_udf(),
        item_digest_udf(),
        json_get_udf(),
        json_get_text_udf(),
        json_get_scalar_udf(),
        json_set_udf(),
        json_set_text_udf(),
        member_column_udf(),
        try_number_udf(),
        try_timestamp_udf(),
        casei_udf(),
        accenti_udf(),
        resolve_href_udf(),
        st_as_geojson_udf(),
        st_distance_udf(),
        st_dwithin_udf(),
        st_geom_from_geojson_udf(),
        st_geom_from_text_udf(),
        st_make_envelope_udf(),
        st_centroid_udf(),
        st_envelope_udf(),
        st_is_valid_udf(),
        st_make_valid_udf(),
    ];
    let measures = st_measure_udfs().into_iter().chain(st_distance_globe_udfs()).chain(st_extreme_udfs());
    let shapes = st_convex_hull_udfs().into_iter().chain(st_line_end_udfs());
    let relations = st_relation_udfs().into_iter().chain(array_relation_udfs());
    functions
        .into_iter()
        .chain(st_coordinate_udfs())
        .chain(measures)
        .chain(shapes)
        .chain(relations)
        .chain(time_functions())
        .collect()
}

/// The aggregates: what an executor needs beside [`scalar_functions`].
pub fn aggregate_functions() -> Vec<AggregateUDF> {
    vec![st_union_udaf(), st_collect_udaf(), st_extent_udaf()]
}

/// The analyzer rules that the functions need in SQL.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    vec![Arc::new(ItemWildcard)]
}

/// Registers functions, table functions and rules with a session.
pub fn register(session: &SessionContext) -> Result<()> {
    let state = session.state_ref();
    let mut state_lock = state.write();
    for function in scalar_functions() {
        state_lock.register_udf(Arc::new(function))?;
    }
    for function in aggregate_functions() {
        state_lock.register_udaf(Arc::new(function))?;
    }
    state_lock.register_expr_planner(Arc::new(JsonOperators))?;
    for rule in analyzer_rules() {
        state_lock.add_analyzer_rule(rule);
    }
    drop(state_lock);
    session.register_udtf(H3Fanout::NAME, Arc::new(H3Fanout::new(session)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use super::*;
    use crate::testing;

    async fn answer(sql: &str) -> Result<String> {
        let session = SessionContext::new();
        register(&session)?;
        testing::answer(&session, &format!("SELECT {sql} AS answer")).await
    }

    #[tokio::test]
    async fn the_h3_functions_answer_as_h3_does() {
        let answers = [
            ("h3_latlng_to_cell(48.85, 2.35, 5)", "851fb467fffffff"),
            ("h3_latlng_to_cell(NULL, 2.35, 5)", ""),
            ("h3_cell_to_parent('851fb467fffffff', 1)", "811fbffffffffff"),
            ("round(h3_cell_to_latlng('851fb467fffffff')['lat'], 1)", "48.8"),
            ("round(h3_cell_to_latlng('851fb467fffffff')['lng'], 1)", "2.4"),
            ("array_length(h3_grid_disk('851fb467fffffff', 2))", "19"),
            ("h3_grid_disk('851fb467fffffff', 0)", "[851fb467fffffff]"),
            ("h3_grid_disk(NULL, 1)", ""),
            ("array_length(h3_cell_to_children('851fb467fffffff', 7))", "49"),
            ("array_length(h3_cell_to_children('8009fffffffffff', 1))", "6"),
            ("h3_cell_to_children('851fb467fffffff', 5)", "[851fb467fffffff]"),
            ("h3_cell_to_children(NULL, 5)", ""),
            ("h3_get_resolution('851fb467fffffff')", "5"),
            ("h3_get_resolution(NULL)", ""),
            ("h3_is_valid_cell('851fb467fffffff')", "true"),
            ("h3_is_valid_cell('851fb467ffffff0')", "false"),
            ("h3_is_valid_cell('Paris')", "false"),
            ("h3_is_valid_cell('__none__')", "false"),
            ("h3_is_valid_cell(NULL)", ""),
            ("round(h3_cell_area('851fb467fffffff'), 3)", "225.338"),
            ("round(h3_cell_area('851fb467fffffff', 'm^2') / h3_cell_area('851fb467fffffff', 'km^2'))", "1000000.0"),
            ("h3_cell_area('851fb467fffffff', NULL)", ""),
            ("h3_grid_distance('851fb467fffffff', '851fb467fffffff')", "0"),
            ("h3_grid_distance('851fb467fffffff', '841fb47ffffffff')", ""),
            ("h3_grid_distance('851fb467fffffff', NULL)", ""),
            ("h3_compact_cells(h3_cell_to_children('851fb467fffffff', 8))", "[851fb467fffffff]"),
            (
                "h3_compact_cells(make_array('851fb467fffffff', NULL, '__none__', '851fb467fffffff'))",
                "[851fb467fffffff]",
            ),
            ("h3_compact_cells(NULL)", ""),
            ("array_length(h3_uncompact_cells(make_array('851fb467fffffff', '841fb47ffffffff'), 6))", "49"),
            ("h3_uncompact_cells(NULL, 6)", ""),
        ];
        for (sql, expected) in answers {
            assert_eq!(answer(sql).await.unwrap(), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn the_st_functions_of_the_reference_work_on_constants() {
        let session = SessionContext::new();
        geodatafusion::register(&session);
        register(&session).unwrap();
        let square = "ST_MakeEnvelope(0, 0, 2, 1)";
        for (sql, expected) in [
            (format!("ST_AsText({square})"), "POLYGON((2 0,2 1,0 1,0 0,2 0))"),
            ("ST_AsText(ST_MakeEnvelope(0, 0, 2, 1, 4326))".to_owned(), "POLYGON((2 0,2 1,0 1,0 0,2 0))"),
            (format!("ST_Area({square})"), "2.0"),
            (format!("ST_AsText(ST_Centroid({square}))"), "POINT(1 0.5)"),
            ("ST_X(ST_Point(1, 2))".to_owned(), "1.0"),
            ("ST_Y(ST_Centroid(ST_GeomFromText(NULL)))".to_owned(), ""),
            (format!("ST_XMin({square})"), "0.0"),
            (format!("ST_YMin({square})"), "0.0"),
            (format!("ST_XMax({square})"), "2.0"),
            (format!("ST_YMax({square})"), "1.0"),
            ("ST_AsGeoJSON(ST_Point(1, 2))".to_owned(), r#"{"type":"Point","coordinates":[1.0,2.0]}"#),
            (
                r#"ST_AsText(ST_GeomFromGeoJSON('{"type": "LineString", "coordinates": [[0, 0], [1.5, 2]]}'))"#
                    .to_owned(),
                "LINESTRING(0 0,1.5 2)",
            ),
            (
                "ST_AsGeoJSON(ST_GeomFromText('MULTIPOINT((1 2), (3 4))'))".to_owned(),
                r#"{"type":"MultiPoint","coordinates":[[1.0,2.0],[3.0,4.0]]}"#,
            ),
            (format!("ST_AsText(ST_Envelope({square}))"), "POLYGON((2 0,2 1,0 1,0 0,2 0))"),
            ("ST_AsText(ST_Envelope(ST_Point(1, 2)))".to_owned(), "POINT(1 2)"),
            ("ST_AsText(ST_Envelope(NULL))".to_owned(), ""),
            ("ST_AsText(ST_Envelope(ST_GeomFromText('POLYGON EMPTY')))".to_owned(), "POLYGON EMPTY"),
            ("ST_AsText(ST_ConvexHull(ST_Point(1, 2)))".to_owned(), "POINT(1 2)"),
            ("ST_IsEmpty(ST_ConvexHull(ST_GeomFromText('POINT EMPTY')))".to_owned(), "true"),
            ("ST_IsValid(ST_GeomFromText('POLYGON((0 0,2 2,2 0,0 2,0 0))'))".to_owned(), "false"),
            ("ST_IsValid(ST_MakeValid(ST_GeomFromText('POLYGON((0 0,2 2,2 0,0 2,0 0))')))".to_owned(), "true"),
            ("ST_Area(ST_MakeValid(ST_GeomFromText('POLYGON((0 0,2 2,2 0,0 2,0 0))')))".to_owned(), "2.0"),
            ("ST_AsText(ST_EndPoint(ST_GeomFromText('LINESTRING(0 0,1 1)')))".to_owned(), "POINT(1 1)"),
            ("ST_EndPoint(ST_GeomFromText('LINESTRING EMPTY')) IS NULL".to_owned(), "true"),
            ("ST_StartPoint(ST_Point(1, 2)) IS NULL".to_owned(), "true"),
            (
                "ST_AsText(ST_Envelope(Box2D(ST_GeomFromText('LINESTRING(0 0,1 2)'))))".to_owned(),
                "POLYGON((1 0,1 2,0 2,0 0,1 0))",
            ),
            ("ST_IsEmpty(ST_Envelope(Box2D(ST_GeomFromText('POINT EMPTY'))))".to_owned(), "true"),
            ("ST_X(ST_GeomFromText('POINT(1 2)'))".to_owned(), "1.0"),
            ("ST_Y(ST_EndPoint(ST_GeomFromText('LINESTRING(0 0,1 2)')))".to_owned(), "2.0"),
            ("ST_X(ST_GeomFromText('POINT EMPTY'))".to_owned(), ""),
            ("ST_Y(ST_MakeEnvelope(0, 0, 1, 1))".to_owned(), ""),
            ("ST_Centroid(ST_GeomFromText('POINT EMPTY')) IS NULL".to_owned(), "true"),
            ("ST_IsValid(ST_GeomFromText('POINT EMPTY'))".to_owned(), "true"),
            ("ST_IsValid(NULL)".to_owned(), ""),
            ("ST_IsEmpty(ST_GeomFromText('POINT EMPTY'))".to_owned(), "true"),
            ("ST_GeometryType(ST_GeomFromText('POINT EMPTY'))".to_owned(), "ST_Point"),
            ("ST_NumPoints(ST_GeomFromText('POINT EMPTY'))".to_owned(), "0"),
            ("ST_NumPoints(ST_GeomFromText(NULL))".to_owned(), ""),
            ("ST_XMin(ST_GeomFromText('POINT EMPTY'))".to_owned(), ""),
            ("ST_YMax(NULL)".to_owned(), ""),
            ("round(ST_DistanceSphere(ST_Point(0, 0), ST_Point(0, 1)), 3)".to_owned(), "111195.08"),
            ("round(ST_Distance_Spheroid(ST_Point(0, 0), ST_Point(0, 1)), 3)".to_owned(), "110574.389"),
            ("ST_DistanceSphere(ST_Point(0, 0), NULL)".to_owned(), ""),
            (r#"ST_GeomFromGeoJSON('{"type": "Feature", "geometry": null}') IS NULL"#.to_owned(), "true"),
        ] {
            let batches = session.sql(&format!("SELECT {sql} AS answer")).await.unwrap().collect().await.unwrap();
            let table = pretty_format_batches(&batches).unwrap().to_string();
            assert_eq!(table.lines().nth(3).unwrap().trim_matches(['|', ' ']), expected, "{sql}");
        }
        for (sql, words) in [
            (r#"ST_GeomFromGeoJSON('{"type": "Circle"}')"#, r#""Circle" is no type of geometry"#),
            (
                r#"ST_GeomFromGeoJSON('{"type": "Point", "coordinates": ["a", 1]}')"#,
                "is no position; give longitude and latitude",
            ),
            ("ST_GeomFromGeoJSON('POINT(1 2)')", "the text is no JSON"),
        ] {
            let error = session.sql(&format!("SELECT {sql}")).await.unwrap().collect().await.unwrap_err().to_string();
            assert!(error.contains(words), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn a_cell_is_in_the_cover_of_its_outline() {
        for cell in ["851fb467fffffff", "8001fffffffffff", "80f3fffffffffff", "810e3ffffffffff"] {
            let sql = format!("array_has(h3_cells(h3_cell_to_boundary('{cell}'), {}), '{cell}')", &cell[1..2]);
            assert_eq!(answer(&sql).await.unwrap(), "true", "{cell}");
        }
    }

    #[tokio::test]
    async fn rows_without_a_geometry_have_no_cell_and_so_null() {
        for call in [
            "h3_cell_to_latlng('__none__')",
            "h3_cell_to_boundary('__none__')",
            "h3_cell_to_parent('__none__', 1)",
            "h3_cell_to_children('__none__', 1)",
            "h3_grid_disk('__none__', 1)",
            "h3_get_resolution('__none__')",
            "h3_cell_area('__none__')",
            "h3_grid_distance('__none__', '851fb467fffffff')",
        ] {
            assert_eq!(answer(&format!("{call} IS NULL")).await.unwrap(), "true", "{call}");
        }
    }

    #[tokio::test]
    async fn errors_name_the_function_and_the_way_out() {
        let errors = [
            ("h3_cell_to_parent('851fb467fffffff', 6)", "has resolution 5; its parents have 0 to 5, not 6"),
            ("h3_cell_to_latlng('nowhere')", "'nowhere' is no H3 cell"),
            ("h3_cell_to_children('851fb467fffffff', 4)", "has resolution 5; its children have 5 to 15, not 4"),
            (
                "h3_cell_to_children('851fb467fffffff', 13)",
                "h3_cell_to_children: there are 5764801 cells, more than 1000000",
            ),
            ("h3_uncompact_cells(make_array('851fb467fffffff'), 13)", "there are 5764801 cells, more than 1000000"),
            ("h3_uncompact_cells(make_array('851fb467fffffff'), 4)", "has resolution 5, which is finer than 4"),
            ("h3_compact_cells('851fb467fffffff')", "h3_compact_cells takes a list of cells"),
            ("h3_compact_cells(make_array('nowhere'))", "h3_compact_cells: 'nowhere' is no H3 cell"),
            ("h3_get_resolution('nowhere')", "h3_get_resolution: 'nowhere' is no H3 cell"),
            ("h3_cell_area('851fb467fffffff', 'acres')", "'acres' is no unit; give 'km^2', 'm^2' or 'rads^2'"),
            ("h3_grid_disk('851fb467fffffff', -1)", "h3_grid_disk: -1 steps; give a number from 0 to 1000"),
            ("h3_latlng_to_cell(0, 0, 99)", "there is no H3 resolution 99"),
        ];
        for (sql, expected) in errors {
            let error = answer(sql).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{sql}: {error}");
        }
    }
}
