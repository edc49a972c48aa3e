//! [`WarehouseTableFactory`]: `CREATE EXTERNAL TABLE items (…) STORED AS ICEBERG LOCATION … OPTIONS (…)`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{DataFusionError, Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::CreateExternalTable;

use super::declared_columns::declared_columns;
use super::table::WarehouseTable;
use crate::model::items::ItemSchema;
use crate::runtime::{RunOptions, location_if_any};
use crate::table::{Warehouse, WarehouseError};

/// H3 resolution of a new table for which none is given.
const DEFAULT_RESOLUTION: u8 = 1;

/// Opens or creates the table of a warehouse.
///
/// | option | meaning |
/// |---|---|
/// | `catalog` | path of the SQLite catalog; required |
/// | `h3_resolution` | 0 to 15; of an existing table, its own |
/// | `columns` | the promoted properties, as in a column list, in whose place it is |
///
/// The column list declares the promoted properties. With columns or a resolution, the table is created if it is
/// absent, and otherwise must agree with them; under `IF NOT EXISTS`, the column list is for a new table alone. With
/// neither, an existing table is opened as it is. An existing table
/// knows its location: the statement's may be empty, and otherwise must be that one. Under `earthcatalog.dry_run` nothing
/// is created; the table is then empty.
#[derive(Debug, Default)]
pub struct WarehouseTableFactory;

#[async_trait]
impl TableProviderFactory for WarehouseTableFactory {
    async fn create(&self, session: &dyn Session, statement: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        refuse_clauses(statement)?;
        let options = Options::parse(statement)?;
        let declared = statement.schema.as_arrow();
        if let Some(required) = declared.fields().iter().find(|field| !field.is_nullable()) {
            return plan_err!("column {} cannot be NOT NULL: an Item may lack any property", required.name());
        }
        let promoted = match &options.columns {
            Some(columns) => columns.clone(),
            None => ItemSchema::from_declared(declared).map_err(|e| DataFusionError::Plan(e.to_string()))?,
        };
        // What is asked of a table that exists.
        let columns_are_wanted = options.columns.is_some() || !declared.fields().is_empty() && !statement.if_not_exists;
        let (catalog, location) = (&options.catalog, location_if_any(statement)?);

        let says_what_to_create =
            options.h3_resolution.is_some() || options.columns.is_some() || !declared.fields().is_empty();
        let existing = match Warehouse::open(catalog).await {
            Err(WarehouseError::NoCatalog { .. } | WarehouseError::NoTable { .. }) if says_what_to_create => None,
            opened => Some(opened?),
        };
        let warehouse = match existing {
            // An existing table's own columns are meant.
            Some(existing) if !columns_are_wanted => {
                existing.check_location(location)?;
                existing.check_resolution(options.h3_resolution.unwrap_or(existing.h3_resolution()))?;
                existing
            }
            existing => {
                let its_own = existing.as_ref().map(Warehouse::h3_resolution);
                let resolution = options.h3_resolution.or(its_own).unwrap_or(DEFAULT_RESOLUTION);
                let its_own = existing.map(|table| table.url().to_string());
                let Some(location) = location.map(str::to_owned).or(its_own) else {
                    return Err(WarehouseError::NoLocation { catalog: catalog.clone() }.into());
                };
                match RunOptions::of(session.config_options()).dry_run {
                    true => Warehouse::open_or_plan(catalog, &location, &promoted, resolution).await?,
                    false => Warehouse::open_or_create(catalog, &location, &promoted, resolution).await?,
                }
            }
        };
        Ok(Arc::new(WarehouseTable::new(warehouse)))
    }
}

struct Options {
    catalog: String,
    h3_resolution: Option<u8>,
    columns: Option<ItemSchema>,
}

impl Options {
    fn parse(statement: &CreateExternalTable) -> Result<Self> {
        let (mut catalog, mut h3_resolution, mut columns) = (None, None, None);
        for (key, value) in &statement.options {
            // DataFusion's parser puts `format.` before options without a dot.
            match key.strip_prefix("format.").unwrap_or(key) {
                "catalog" => catalog = Some(value.clone()),
                "columns" => columns = Some(declared_columns(value)?),
                "h3_resolution" => {
                    let resolution = value.parse().ok().filter(|resolution| *resolution <= 15);
                    let invalid = || plan_datafusion_err!("h3_resolution is {value:?}, not a number from 0 to 15");
                    h3_resolution = Some(resolution.ok_or_else(invalid)?);
                }
                unknown => {
                    return plan_err!(
                        "STORED AS ICEBERG has no option {unknown:?}; it has catalog, columns and h3_resolution"
                    );
                }
            }
        }
        let missing = || plan_datafusion_err!("STORED AS ICEBERG needs OPTIONS ('catalog' 'path of catalog.db')");
        Ok(Self { catalog: catalog.ok_or_else(missing)?, h3_resolution, columns })
    }
}

fn refuse_clauses(statement: &CreateExternalTable) -> Result<()> {
    let refuse = |clause: &str, instead: &str| plan_err!("{} has {clause}, but {instead}", statement.name);
    if !statement.table_partition_cols.is_empty() {
        return refuse("PARTITIONED BY", "a warehouse is always partitioned by grid_partition and year");
    }
    if !statement.order_exprs.is_empty() {
        return refuse("WITH ORDER", "a warehouse has an order of its own: platform, datetime");
    }
    if statement.unbounded {
        return refuse("UNBOUNDED", "a warehouse ends");
    }
    if !statement.constraints.is_empty() || !statement.column_defaults.is_empty() {
        return refuse("constraints or defaults", "promoted columns hold what the Items hold");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(sql: &str) -> Result<()> {
        let context = crate::session::session(1)?;
        context.sql(sql).await?.collect().await?;
        context.sql("SELECT count(*) FROM items").await?.collect().await.map(drop)
    }

    #[tokio::test]
    async fn a_statement_creates_the_table_and_another_opens_it_with_or_without_columns() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path().display();
        let create = |columns: &str, options: &str| {
            format!(
                "CREATE EXTERNAL TABLE items {columns} STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db' {options})"
            )
        };
        let columns = r#"(platform VARCHAR, "proj:code" VARCHAR, date_dt DOUBLE)"#;
        let nowhere = |sql: String| sql.replace(&format!("{f}/wh"), "");
        let error = run(&nowhere(create(columns, ""))).await.unwrap_err().to_string();
        assert!(error.contains("c.db has no table yet") && error.contains("--warehouse"), "{error}");
        let absent = run(&create("", "")).await.unwrap_err().to_string();
        assert!(absent.contains("there is no catalog at"), "{absent}");

        run(&create(columns, ", 'h3_resolution' '2'")).await.unwrap();
        let opened = Warehouse::open(&format!("{f}/c.db")).await.unwrap();
        assert_eq!((opened.h3_resolution(), opened.items().promoted().len()), (2, 3));
        for same in [create("", ""), create("", ", 'h3_resolution' '2'"), create(columns, "")] {
            run(&nowhere(same.clone())).await.unwrap();
            run(&same).await.unwrap();
        }
        // A list under IF NOT EXISTS is for a new table; the option is for any.
        let if_absent = |columns: &str, options: &str| {
            create(columns, options).replace("EXTERNAL TABLE", "EXTERNAL TABLE IF NOT EXISTS")
        };
        run(&if_absent("(platform INT, other VARCHAR)", "")).await.unwrap();
        run(&create("", ", 'columns' 'date_dt DOUBLE, platform VARCHAR, proj:code VARCHAR'")).await.unwrap();
        for (other, words) in [
            (if_absent("", ", 'columns' 'platform VARCHAR'"), "the columns"),
            (if_absent("(platform VARCHAR)", ", 'h3_resolution' '3'"), "H3 resolution 2, not 3"),
            (create("", ", 'columns' 'platform'"), "write them as in"),
            (create(columns, ", 'h3_resolution' '3'"), "H3 resolution 2, not 3"),
            (create("", ", 'h3_resolution' '3'"), "H3 resolution 2, not 3"),
            (create("(platform INT)", ""), "\"platform\" Int32"),
            (create("", "").replace("/wh", "/other"), "/other"),
        ] {
            let error = run(&other).await.unwrap_err().to_string();
            assert!(error.contains(words), "{other}: {error}");
        }
    }

    #[tokio::test]
    async fn a_statement_that_cannot_be_meant_is_refused_before_anything_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path().display();
        for (columns, clause, options, words) in [
            ("", "", "'h3_resolution' '1'", "needs OPTIONS ('catalog'"),
            ("", "", "'catalog' '$/c.db', 'h3_resolution' '16'", "\"16\", not a number from 0 to 15"),
            ("", "", "'catalog' '$/c.db', 'resolution' '1'", "no option \"resolution\""),
            ("(id VARCHAR)", "", "'catalog' '$/c.db'", "column id is declared twice"),
            ("(p DATE)", "", "'catalog' '$/c.db'", "has type Date32"),
            ("(p INT NOT NULL)", "", "'catalog' '$/c.db'", "cannot be NOT NULL"),
            ("(p INT)", "WITH ORDER (p)", "'catalog' '$/c.db'", "WITH ORDER"),
            ("(p VARCHAR)", "PARTITIONED BY (p)", "'catalog' '$/c.db'", "PARTITIONED BY"),
        ] {
            let options = options.replace('$', &f.to_string());
            let sql = format!(
                "CREATE EXTERNAL TABLE items {columns} STORED AS ICEBERG {clause} LOCATION '{f}/wh' OPTIONS ({options})"
            );
            let error = run(&sql).await.unwrap_err().to_string();
            assert!(error.contains(words), "{sql}: {error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{sql}");
        }
    }
}
