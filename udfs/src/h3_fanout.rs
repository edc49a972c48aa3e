//! `h3_fanout(table, resolution)`: one row per row of a table and cell that its footprint touches.

use std::sync::Arc;

use arrow::array::{ListArray, StringViewArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::{Column, Result, ScalarValue, TableReference, UnnestOptions, plan_err};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, lit};
use datafusion::prelude::SessionContext;

use crate::h3_cells::h3_cells_udf;
use crate::h3_resolution::resolution_literal;
use crate::session_tables::SessionTables;

/// Column with the cell of a row.
const GRID_PARTITION: &str = "grid_partition";

/// `grid_partition` of a row without a footprint.
const NO_CELL: &str = "__none__";

/// The H3 resolution of a table of cells; `None` of any other table.
pub type ResolutionOf = fn(&dyn TableProvider) -> Option<u8>;

/// `h3_fanout(table, resolution)`, a view over a table of Items: its columns, with `grid_partition` (Utf8View, never
/// null) as the second.
///
/// `table` is the name of a table or view, bare or as text (`'catalog.schema.table'`), with a column `geometry`; the
/// resolution is an integer literal from 0 to 15, or a table of cells, whose resolution is meant. A row appears once for each cell of `h3_cells(geometry,
/// resolution)`, and once with `grid_partition` = `__none__` if that is null. Plans show a projection and an unnest.
#[derive(Debug)]
pub struct H3Fanout {
    tables: SessionTables,
    h3_cells: Arc<ScalarUDF>,
    resolution_of: ResolutionOf,
}

impl H3Fanout {
    pub const NAME: &str = "h3_fanout";

    /// Finds tables where SQL in this session finds them.
    pub fn new(session: &SessionContext) -> Self {
        Self { tables: SessionTables::new(session), h3_cells: Arc::new(h3_cells_udf()), resolution_of: |_| None }
    }

    /// The same function, which takes the tables that `resolution_of` knows.
    pub fn with_tables(self, resolution_of: ResolutionOf) -> Self {
        Self { resolution_of, ..self }
    }

    /// The resolution that an argument gives, a number or a table.
    fn resolution(&self, of: &TableReference, argument: &Expr) -> Result<Expr> {
        if let Expr::Literal(value, _) = argument
            && !value.data_type().is_string()
        {
            resolution_literal(Self::NAME, Some(value))?;
            return Ok(argument.clone());
        }
        if !matches!(argument, Expr::Column(_) | Expr::Literal(..)) {
            return plan_err!(
                "h3_fanout: the resolution of {of} is {argument}; give a whole number from 0 to 15, or the table into which the rows go"
            );
        }
        let (name, table) = self.tables.argument(Self::NAME, argument)?;
        match (self.resolution_of)(table.as_ref()) {
            Some(resolution) => Ok(lit(i64::from(resolution))),
            None => plan_err!(
                "h3_fanout: {name} has no cells, whose resolution the rows could have; give a whole number from 0 to 15, or the table into which they go"
            ),
        }
    }
}

impl TableFunctionImpl for H3Fanout {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let [table, resolution] = args else {
            return plan_err!(
                "h3_fanout takes a table and a resolution, as in h3_fanout(source, 1), or a table of that resolution, as in h3_fanout(source, items); names with dots go in quotes: h3_fanout('catalog.schema.source', 1)"
            );
        };
        let (name, table) = self.tables.argument(Self::NAME, table)?;
        let resolution = self.resolution(&name, resolution)?;
        let plan = fanout(&name, table, resolution, &self.h3_cells)?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

fn fanout(
    name: &TableReference,
    table: Arc<dyn TableProvider>,
    resolution: Expr,
    h3_cells: &ScalarUDF,
) -> Result<LogicalPlan> {
    let scan = LogicalPlanBuilder::scan(name.clone(), provider_as_source(table), None)?;
    let input: Vec<Column> = scan.schema().columns();
    if input.iter().any(|c| c.name == GRID_PARTITION) {
        return plan_err!("h3_fanout: table {name} has a column {GRID_PARTITION} already; leave it out with a view");
    }
    let Some(geometry) = input.iter().find(|c| c.name == "geometry") else {
        return plan_err!(
            "h3_fanout: table {name} has no column geometry; rename the one with the footprint in a view"
        );
    };
    let cells = h3_cells.call(vec![Expr::Column(geometry.clone()), resolution]);
    let cells = coalesce(vec![cells, lit(no_cells())]).alias(GRID_PARTITION);
    let mut columns: Vec<Expr> = input.into_iter().map(Expr::Column).collect();
    columns.insert(1, cells);
    scan.project(columns)?
        .unnest_columns_with_options(vec![Column::from_name(GRID_PARTITION)], UnnestOptions::new())?
        .build()
}

fn no_cells() -> ScalarValue {
    let cells = Arc::new(StringViewArray::from(vec![NO_CELL]));
    let field = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    ScalarValue::List(Arc::new(ListArray::new(field, OffsetBuffer::from_lengths([1]), cells, None)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::array::{BinaryViewArray, RecordBatch};
    use arrow::datatypes::Schema;
    use arrow::util::pretty::pretty_format_batches;

    use super::*;
    use crate::register;
    use crate::stac_item::PROPERTY_KEY;

    fn wkb_point(lon: f64, lat: f64) -> Vec<u8> {
        [&[1, 1, 0, 0, 0][..], &lon.to_le_bytes(), &lat.to_le_bytes()].concat()
    }

    fn session() -> SessionContext {
        let session = SessionContext::new();
        register(&session).unwrap();
        let marked = HashMap::from([(PROPERTY_KEY.to_owned(), "sat:orbit_state".to_owned())]);
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8View, false),
            Field::new("geometry", DataType::BinaryView, true),
            Field::new("sat_orbit_state", DataType::Utf8View, true).with_metadata(marked),
        ]);
        let here = wkb_point(2.35, 48.85);
        let batch = RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(StringViewArray::from(vec!["paris", "nowhere"])),
                Arc::new(BinaryViewArray::from(vec![Some(here.as_slice()), None])),
                Arc::new(StringViewArray::from(vec![Some("ascending"), None])),
            ],
        )
        .unwrap();
        session.register_batch("source", batch).unwrap();
        session
    }

    async fn table(session: &SessionContext, sql: &str) -> String {
        let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    async fn error(sql: &str) -> String {
        session().sql(sql).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_row_appears_once_per_cell_and_once_where_there_is_none() {
        let rows = table(&session(), "SELECT id, grid_partition FROM h3_fanout(source, 5) ORDER BY id").await;
        let expected = "\
+---------+-----------------+
| id      | grid_partition  |
+---------+-----------------+
| nowhere | __none__        |
| paris   | 851fb467fffffff |
+---------+-----------------+";
        assert_eq!(rows, expected);
    }

    #[tokio::test]
    async fn the_cell_is_the_second_column_and_the_others_keep_their_metadata() {
        let frame = session().sql("SELECT * FROM h3_fanout('datafusion.public.source', 5)").await.unwrap();
        let schema = frame.schema().as_arrow().clone();
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["id", "grid_partition", "geometry", "sat_orbit_state"]);
        assert_eq!(schema.field(1).data_type(), &DataType::Utf8View);
        assert_eq!(schema.field(3).metadata()[PROPERTY_KEY], "sat:orbit_state");
        let batches = frame.collect().await.unwrap();
        assert_eq!(batches[0].schema().field(3).metadata()[PROPERTY_KEY], "sat:orbit_state");
    }

    #[tokio::test]
    async fn explain_shows_a_projection_and_an_unnest() {
        let plan = session().sql("SELECT * FROM h3_fanout(source, 1)").await.unwrap().into_optimized_plan().unwrap();
        let shape: Vec<_> =
            plan.display_indent().to_string().lines().map(|l| l.trim().split(':').next().unwrap().to_owned()).collect();
        assert_eq!(
            shape,
            ["SubqueryAlias", "Unnest", "Projection", "Projection", "TableScan"],
            "{}",
            plan.display_indent()
        );
    }

    #[tokio::test]
    async fn errors_name_the_table_and_the_way_out() {
        let missing = error("SELECT * FROM h3_fanout(nothing, 1)").await;
        assert!(missing.contains("there is no table nothing; create it first"), "{missing}");
        let fine = error("SELECT * FROM h3_fanout(source, 16)").await;
        assert!(fine.contains("there is no H3 resolution 16; give a whole number from 0 to 15"), "{fine}");
        let no_cells = error("SELECT * FROM h3_fanout(source, source)").await;
        assert!(no_cells.contains("source has no cells") && no_cells.contains("into which they go"), "{no_cells}");
        let computed = error("SELECT * FROM h3_fanout(source, random())").await;
        assert!(computed.contains("the resolution of source is"), "{computed}");
        let swapped = error("SELECT * FROM h3_fanout(1, source)").await;
        assert!(swapped.contains("is no table; give its name"), "{swapped}");
        let alone = error("SELECT * FROM h3_fanout(source)").await;
        assert!(alone.contains("h3_fanout takes a table and a resolution"), "{alone}");
    }
}
