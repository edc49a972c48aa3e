//! Other readers of a warehouse: PyIceberg, DuckDB, geopandas, h3-py.

use crate::demo::TOUR;
use crate::python;

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
