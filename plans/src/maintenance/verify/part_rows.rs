//! The rows of part files: whether each is where it belongs, and whether what is recorded of its file holds for it.
//!
//! One query for the files of a manifest:
//!
//! ```text
//! rows of the files, with the number of each file ⋈ what the manifest says of the files
//!   → a fault of each kind, by row → counts by file, with the least id, and the extremes of each recorded column
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::common::{DataFusionError, JoinType, Result, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::{Expr, ExprFunctionExt, ident, lit};
use datafusion::physical_plan::collect;
use datafusion::prelude::{DataFrame, SessionContext};

use super::finding::{Check, Finding};
use super::functions::box_holds;
use super::named;
use super::part_file::{FILE, PartFile, table};
use super::recorded::{Range, Recorded};
use crate::model::items::NO_CELL;
use crate::table::Warehouse;

const OF_FILE: [&str; 5] = ["verify:number", "verify:cell", "verify:year", "verify:bucketed", "verify:ours"];

/// Faults of rows: the check, a column with whether a row has it, and what is expected.
const FAULTS: [(Check, &str, &str); 4] = [
    (Check::Bucket, "verify:elsewhere", "rows of its own cell and year"),
    (Check::Cell, "verify:outside", "the cell of each row among those that its geometry touches"),
    (Check::Box, "verify:unbounded", "bounds of each row that hold its geometry"),
    (Check::Content, "verify:nameless", "an id in each row"),
];

/// What is wrong with the rows of files of one manifest.
///
/// Errors: the session cannot run the query. Of files that cannot be read, it is a finding.
pub(super) async fn check(
    session: &SessionContext,
    warehouse: &Warehouse,
    files: &[PartFile],
    recorded: &Recorded<'_>,
) -> Result<Vec<Finding>> {
    if files.is_empty() {
        return Ok(vec![]);
    }
    if let Ok(found) = faults(session, warehouse, files, recorded).await? {
        return Ok(found);
    }
    // Which of them it is, each tells by itself.
    let mut found = vec![];
    for file in files {
        match faults(session, warehouse, std::slice::from_ref(file), recorded).await? {
            Ok(of_file) => found.extend(of_file),
            Err(e) => {
                found.push(Finding::new(Check::Content, &file.live.location, "rows of Items", e.strip_backtrace()))
            }
        }
    }
    Ok(found)
}

/// What is wrong with the rows of files, or why they cannot be read.
///
/// Errors: the query cannot be planned, or takes more memory than the session has.
async fn faults(
    session: &SessionContext,
    warehouse: &Warehouse,
    files: &[PartFile],
    recorded: &Recorded<'_>,
) -> Result<Result<Vec<Finding>>> {
    let columns = recorded.columns();
    let plan = query(session, warehouse, files, &columns).await?.create_physical_plan().await?;
    let by_file = match collect(plan, session.task_ctx()).await {
        Ok(by_file) => by_file,
        Err(e) if matches!(e.find_root(), DataFusionError::ResourcesExhausted(_)) => return Err(e),
        Err(e) => return Ok(Err(e)),
    };
    let mut found = vec![];
    for batch in by_file.iter().filter(|batch| batch.num_rows() > 0) {
        for row in 0..batch.num_rows() {
            let number = batch.column(0).as_primitive::<Int64Type>().value(row);
            let Some(file) = files.iter().find(|file| file.number as i64 == number) else { continue };
            found.extend(faults_of(file, batch, row, &columns, recorded)?);
        }
    }
    Ok(Ok(found))
}

/// The query.
async fn query(
    session: &SessionContext,
    warehouse: &Warehouse,
    files: &[PartFile],
    columns: &[String],
) -> Result<DataFrame> {
    let table = table(warehouse, files, |file| file.number as i64)?;
    let rows = session.read_table(table)?.join(
        session.read_batch(of_files(files)?)?,
        JoinType::Inner,
        &[FILE],
        &[OF_FILE[0]],
        None,
    )?;
    let cells = format!("CASE WHEN \"{}\" THEN h3_cells(geometry, {}) END", OF_FILE[4], warehouse.h3_resolution());
    let cells = rows.parse_sql_expr(&cells)?;
    let elsewhere = rows.parse_sql_expr(&format!(
        "\"{}\" AND ((grid_partition IS DISTINCT FROM \"{}\") OR (CAST(date_part('year', datetime) AS INT) IS DISTINCT FROM \"{}\"))",
        OF_FILE[3], OF_FILE[1], OF_FILE[2]
    ))?;
    let unbounded = ident(OF_FILE[4]).and(!box_holds());
    let kept = |name: &String| ident(name.as_str());
    let mut selected = vec![
        ident(FILE),
        ident(OF_FILE[4]),
        ident("grid_partition"),
        cells.alias("verify:cells"),
        elsewhere.alias(FAULTS[0].1),
        unbounded.alias(FAULTS[2].1),
        ident("id").is_null().alias(FAULTS[3].1),
    ];
    selected.extend(["id".to_owned()].iter().chain(columns).filter(|name| *name != "grid_partition").map(kept));
    let mut seen = HashSet::new();
    selected.retain(|expr| seen.insert(expr.schema_name().to_string()));
    let rows = rows.select(selected)?;
    // Without a footprint, an Item has the one cell that is none.
    let outside = rows.parse_sql_expr(&format!(
        "\"{}\" AND CASE WHEN \"verify:cells\" IS NULL THEN grid_partition <> '{}' ELSE NOT array_has(\"verify:cells\", grid_partition) END",
        OF_FILE[4],
        NO_CELL
    ))?;
    let rows = rows.with_column(FAULTS[1].1, outside)?;
    let mut sums: Vec<Expr> = vec![count(lit(1)).alias("verify:rows")];
    for (_, fault, _) in FAULTS {
        sums.push(count(lit(1)).filter(ident(fault)).build()?.alias(format!("{fault}:count")));
        sums.push(min(ident("id")).filter(ident(fault)).build()?.alias(format!("{fault}:id")));
    }
    for column in columns {
        for sum in [min(ident(column.as_str())), max(ident(column.as_str())), count(ident(column.as_str()))] {
            sums.push(sum.alias(format!("verify:{}", sums.len())));
        }
    }
    rows.aggregate(vec![ident(FILE)], sums)
}

/// What manifests say of the files, as a table.
fn of_files(files: &[PartFile]) -> Result<RecordBatch> {
    let column = |name: &str, data_type, nullable| Field::new(name, data_type, nullable);
    let schema = Schema::new(vec![
        column(OF_FILE[0], DataType::Int64, false),
        column(OF_FILE[1], DataType::Utf8View, true),
        column(OF_FILE[2], DataType::Int32, true),
        column(OF_FILE[3], DataType::Boolean, false),
        column(OF_FILE[4], DataType::Boolean, false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(files.iter().map(|file| file.number as i64).collect::<Int64Array>()),
        Arc::new(files.iter().map(|file| file.live.cell.as_deref()).collect::<StringViewArray>()),
        Arc::new(files.iter().map(|file| file.live.year).collect::<Int32Array>()),
        Arc::new(files.iter().map(|file| Some(file.live.cell.is_some())).collect::<BooleanArray>()),
        Arc::new(files.iter().map(|file| Some(file.is_ours)).collect::<BooleanArray>()),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// What a row of the query says of a file.
fn faults_of(
    file: &PartFile,
    batch: &RecordBatch,
    row: usize,
    columns: &[String],
    recorded: &Recorded<'_>,
) -> Result<Vec<Finding>> {
    let location = &file.live.location;
    let number = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
    let rows = number(1);
    let mut found = vec![];
    if rows.unsigned_abs() != file.live.rows {
        let [expected, read] = [file.live.rows, rows.unsigned_abs()].map(|rows| named::count(rows, "row"));
        found.push(Finding::new(Check::Rows, location, expected, read));
    }
    let first = 2;
    for (n, (check, _, expected)) in FAULTS.into_iter().enumerate() {
        let (count, id) = (number(first + 2 * n), batch.column(first + 2 * n + 1));
        if count > 0 {
            let example = match ScalarValue::try_from_array(id, row)? {
                id if id.is_null() => String::new(),
                id => format!(", such as that of Item {id}"),
            };
            let rows = named::count(count.unsigned_abs(), "row");
            found.push(Finding::new(check, location, expected, format!("{rows} otherwise{example}")));
        }
    }
    let first = first + 2 * FAULTS.len();
    for (n, column) in columns.iter().enumerate() {
        let [least, greatest] = [0, 1].map(|side| ScalarValue::try_from_array(batch.column(first + 3 * n + side), row));
        let nulls = (rows - number(first + 3 * n + 2)).unsigned_abs();
        let range = Range { least: least?, greatest: greatest?, nulls };
        found.extend(recorded.faults(file, column, &range)?);
    }
    Ok(found)
}
