//! Other readers of a warehouse: PyIceberg, DuckDB, geopandas, h3-py, pystac-client.

use std::fs;

use crate::demo::TOUR;
use crate::python;
use crate::real_data::REAL_DATA;
use crate::service::{COLLECTION, SERVED};

fn rows() -> String {
    TOUR.warehouse().value("SELECT count(*) FROM item_cells").to_string()
}

#[test]
fn pyiceberg_opens_the_catalog_counts_the_rows_and_prunes_by_cell_and_time() {
    let warehouse = TOUR.warehouse();
    let (catalog, files) = (warehouse.catalog.into_os_string(), warehouse.files.into_os_string());
    python::run("warehouse_pyiceberg.py", [catalog, files, rows().into()]);
}

#[test]
fn duckdb_reads_the_hive_layout() {
    python::run("warehouse_duckdb.py", [TOUR.warehouse().files.into_os_string(), rows().into()]);
}

#[test]
fn geopandas_reads_a_file_with_its_coordinate_system_and_geometry_types() {
    python::run("warehouse_geopandas.py", [TOUR.warehouse().files]);
}

#[test]
fn pystac_client_searches_a_service_and_pages_through_it() {
    let count =
        |condition: &str| SERVED.warehouse.value(&format!("SELECT count(*) FROM items WHERE {condition}")).to_string();
    let (all, placed, filtered) = (
        count("true"),
        count("ST_Intersects(geometry, ST_MakeEnvelope(12, 77, 16, 80))"),
        count("platform LIKE 'S%' AND percent_valid_pixels >= 50"),
    );
    let arguments = [SERVED.service.url.clone(), COLLECTION.to_owned(), all, placed, filtered];
    python::run("stac_api.py", arguments);
}

#[test]
#[cfg_attr(not(shared_data), ignore = "the shared data is not here; EARTHCATALOG_DATA names its folder")]
fn h3_py_agrees_with_the_cells_of_the_real_footprints() {
    let folder = tempfile::tempdir().unwrap();
    // As stored, and on a finer grid for those that are not half the globe.
    let stored = "SELECT 1 AS resolution, geometry AS wkb_hex, array_agg(DISTINCT grid_partition) AS cells \
                  FROM item_cells WHERE grid_partition <> '__none__' GROUP BY geometry";
    let finer = "SELECT 3 AS resolution, geometry AS wkb_hex, h3_cells(geometry, 3) AS cells \
                 FROM items WHERE xmax - xmin < 20 AND ymax - ymin < 20";
    for (name, query) in [("stored", stored), ("finer", finer)] {
        let covers = folder.path().join(name);
        fs::write(&covers, REAL_DATA.warehouse.sql(query).ok()).unwrap();
        python::run("h3_cover.py", [covers]);
    }
}
