//! All functions and rules of this crate, for the one place that builds sessions.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::ScalarUDF;
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::SessionContext;

use crate::array_relation::array_relation_udfs;
use crate::folded_text::{accenti_udf, casei_udf};
use crate::h3_cell_to_boundary::h3_cell_to_boundary_udf;
use crate::h3_cell_to_latlng::h3_cell_to_latlng_udf;
use crate::h3_cell_to_parent::h3_cell_to_parent_udf;
use crate::h3_cells::h3_cells_udf;
use crate::h3_fanout::H3Fanout;
use crate::h3_grid_disk::h3_grid_disk_udf;
use crate::h3_latlng_to_cell::h3_latlng_to_cell_udf;
use crate::item_digest::item_digest_udf;
use crate::item_wildcard::ItemWildcard;
use crate::json_get::{JsonOperators, json_get_scalar_udf, json_get_text_udf, json_get_udf};
use crate::json_set::{json_set_text_udf, json_set_udf};
use crate::member_column::member_column_udf;
use crate::st_as_geojson::st_as_geojson_udf;
use crate::st_coordinate::st_coordinate_udfs;
use crate::st_distance::{st_distance_udf, st_dwithin_udf};
use crate::st_geom_from_geojson::st_geom_from_geojson_udf;
use crate::st_geom_from_text::st_geom_from_text_udf;
use crate::st_make_envelope::st_make_envelope_udf;
use crate::st_relation::st_relation_udfs;
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
        st_as_geojson_udf(),
        st_distance_udf(),
        st_dwithin_udf(),
        st_geom_from_geojson_udf(),
        st_geom_from_text_udf(),
        st_make_envelope_udf(),
    ];
    let relations = st_relation_udfs().into_iter().chain(array_relation_udfs());
    functions.into_iter().chain(st_coordinate_udfs()).chain(relations).chain(time_functions()).collect()
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
    async fn errors_name_the_function_and_the_way_out() {
        let errors = [
            ("h3_cell_to_parent('851fb467fffffff', 6)", "has resolution 5; its parents have 0 to 5, not 6"),
            ("h3_cell_to_latlng('nowhere')", "'nowhere' is no H3 cell"),
            ("h3_grid_disk('851fb467fffffff', -1)", "h3_grid_disk: -1 steps; give a number from 0 to 1000"),
            ("h3_latlng_to_cell(0, 0, 99)", "there is no H3 resolution 99"),
        ];
        for (sql, expected) in errors {
            let error = answer(sql).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{sql}: {error}");
        }
    }
}
