//! A session over a table that SQL makes.

use datafusion::prelude::SessionContext;

/// A session with an empty table `items` of cells of resolution 1, in `wh` and `catalog.db` below `folder`, in which these
/// statements have been run.
pub(crate) async fn over_new_table(folder: &tempfile::TempDir, statements: &[impl AsRef<str>]) -> SessionContext {
    let context = super::session(2).unwrap();
    let f = folder.path().display();
    let table = format!(
        "CREATE EXTERNAL TABLE items (platform VARCHAR) STORED AS ICEBERG LOCATION '{f}/wh'
         OPTIONS ('catalog' '{f}/catalog.db', 'h3_resolution' '1')"
    );
    for sql in [table.as_str()].into_iter().chain(statements.iter().map(AsRef::as_ref)) {
        context.sql(sql).await.unwrap().collect().await.unwrap();
    }
    context
}
