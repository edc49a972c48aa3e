use arrow::util::pretty::pretty_format_batches;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;

use super::sql;

async fn text(context: &SessionContext, statement: &str) -> Result<String> {
    let rows = sql(context, statement).await?.collect().await?;
    Ok(pretty_format_batches(&rows)?.to_string())
}

/// A session with a table of two snapshots, under its own name and as a view.
async fn session(folder: &tempfile::TempDir) -> SessionContext {
    let context = crate::session::session(2).unwrap();
    let f = folder.path().display();
    for statement in [
        &format!(
            "CREATE EXTERNAL TABLE items (platform VARCHAR) STORED AS ICEBERG LOCATION '{f}/wh'
             OPTIONS ('catalog' '{f}/catalog.db')"
        ),
        "INSERT INTO items (id, grid_partition) VALUES ('a', '__none__')",
        "INSERT INTO items (id, grid_partition) VALUES ('b', '__none__')",
        "CREATE VIEW some AS SELECT id FROM items WHERE id > 'a'",
        "CREATE TABLE other AS SELECT 1 AS one",
    ] {
        text(&context, statement).await.unwrap();
    }
    context
}

#[tokio::test]
async fn a_procedure_runs_when_it_is_called_and_not_when_it_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let context = session(&folder).await;
    let snapshots = async || text(&context, "SELECT count(*) AS n FROM \"items$snapshots\"").await.unwrap();

    let plan = text(&context, "EXPLAIN FORMAT INDENT CALL expire_snapshots(items, '0s')").await.unwrap();
    assert!(plan.contains("Call: expire_snapshots, table=earthcatalog.items, retain=0s, dry_run=false"), "{plan}");
    assert!(plan.contains("CallExec: expire_snapshots"), "{plan}");
    let dry = text(&context, "CALL expire_snapshots(items, retain => INTERVAL '0 hours', dry_run => true)").await;
    assert!(dry.unwrap().contains("| 1                 | 0                  |"));
    assert!(snapshots().await.contains("| 2 |"));

    let done = text(&context, "CALL expire_snapshots(some, '0' || 's')").await.unwrap();
    assert!(done.contains("| 1                 | 0                  |"), "{done}");
    assert!(snapshots().await.contains("| 1 |"));
    // The lists that only the snapshot named went with it.
    let orphans = text(&context, "CALL remove_orphan_files(items, '0s')").await.unwrap();
    assert!(orphans.contains("| 0               |"), "{orphans}");
    for (call, column) in [
        ("CALL expire_snapshots(items)", "snapshots_removed"),
        ("CALL remove_orphan_files('items', '0s')", "orphans_removed"),
        ("CALL rewrite_manifests(datafusion.public.items)", "manifests_merged"),
    ] {
        let nothing = text(&context, call).await.unwrap();
        assert!(nothing.contains(column) && nothing.contains("| 0 "), "{nothing}");
    }
    assert!(text(&context, "SELECT count(*) AS n FROM items").await.unwrap().contains("| 2 |"));
}

#[tokio::test]
async fn a_session_that_writes_nothing_counts_only() {
    let folder = tempfile::tempdir().unwrap();
    let context = session(&folder).await;
    text(&context, "SET earthcatalog.dry_run = true").await.unwrap();
    let counted = text(&context, "CALL expire_snapshots(items, '0s')").await.unwrap();
    assert!(counted.contains("| 1                 | 0                  |"), "{counted}");
    assert!(text(&context, "SELECT count(*) AS n FROM \"items$snapshots\"").await.unwrap().contains("| 2 |"));
}

#[tokio::test]
async fn a_call_that_cannot_be_meant_is_refused_with_how_to_call_it() {
    let folder = tempfile::tempdir().unwrap();
    let context = session(&folder).await;
    let signature = "call it as expire_snapshots(items, retain => '1h', dry_run => false)";
    for (call, words) in [
        ("expire(items)", "there is no procedure expire; there are rewrite_manifests(items, dry_run => false), "),
        ("expire_snapshots", signature),
        ("expire_snapshots()", "needs a table; call it as"),
        ("expire_snapshots(nothing)", "there is no table nothing"),
        ("expire_snapshots(other)", "table other is no warehouse"),
        ("expire_snapshots(7)", "7 is no table"),
        ("expire_snapshots(*)", "* is no argument"),
        ("expire_snapshots(items, 'soon')", "retain is 'soon', no duration such as '30m'"),
        ("expire_snapshots(items, 3)", "retain is 3, no duration"),
        ("expire_snapshots(items, INTERVAL '1 month')", "no duration"),
        ("expire_snapshots(items, '1h', 'yes')", "dry_run is 'yes', neither true nor false"),
        ("expire_snapshots(items, '1h', true, 4)", "takes fewer arguments"),
        ("expire_snapshots(items, keep => '1h')", "has no parameter keep"),
        ("expire_snapshots(items, '1h', retain => '2h')", "retain is given twice"),
        ("expire_snapshots(items) FILTER (WHERE true)", "is no call; call it as"),
        (
            "remove_objects(items)",
            "remove_objects needs a table of objects; call it as remove_objects(items, gone, max_removed => '1%', files => files_of_items)",
        ),
        ("remove_objects(nothing, other)", "there is no table nothing"),
        ("remove_objects(other, other)", "table other is no warehouse"),
        ("remove_objects(items, nothing)", "there is no table nothing with objects"),
        ("remove_objects(items, other)", "other has no column object, which names objects as ingested(items) does"),
        ("remove_objects(items, other, files => other)", "other has no column object"),
        ("remove_objects(items, items, 'some')", "max_removed is 'some', neither a number nor a share"),
        ("remove_objects(items, other) FILTER (WHERE true)", "is no call; call it as"),
    ] {
        let error = text(&context, &format!("CALL {call}")).await.unwrap_err().to_string();
        assert!(error.contains(words), "{call}: {error}");
    }
}
