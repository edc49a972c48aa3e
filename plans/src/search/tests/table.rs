//! A warehouse of Items that a test writes as JSON.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use serde_json::Value;
use tempfile::TempDir;

/// A warehouse in a temporary folder.
pub(super) struct Table {
    folder: TempDir,
    writing: SessionContext,
    ingested: usize,
}

const COMPACT: &str = "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence, digest, age_rank) FROM (
    SELECT *, row_number() OVER (PARTITION BY grid_partition, year, collection, id
        ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC, digest DESC) AS age_rank
    FROM (SELECT *, item_digest(*) AS digest FROM buckets(items, 2))) WHERE age_rank = 1";

impl Table {
    /// An empty one, which promotes these columns.
    pub async fn new(promoted: &str) -> Self {
        let (folder, writing) = (tempfile::tempdir().unwrap(), crate::session::session(2).unwrap());
        let f = folder.path().display();
        let create = format!(
            "CREATE EXTERNAL TABLE items ({promoted}) STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db', 'h3_resolution' '0')"
        );
        run(&writing, &create).await;
        Self { folder, writing, ingested: 0 }
    }

    pub async fn ingest(&mut self, items: &[Value]) {
        self.ingested += 1;
        let source = format!("source_{}", self.ingested);
        let file = self.folder.path().join(format!("{source}.ndjson"));
        let lines: Vec<String> = items.iter().map(Value::to_string).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let create = format!(
            "CREATE EXTERNAL TABLE {source} STORED AS STAC LOCATION '{}' OPTIONS ('like' 'items')",
            file.display()
        );
        run(&self.writing, &create).await;
        run(&self.writing, &format!("INSERT INTO items SELECT * FROM h3_fanout({source}, 0)")).await;
    }

    pub async fn compact(&self) {
        run(&self.writing, COMPACT).await;
    }

    /// A session for questions.
    pub async fn reading(&self) -> SessionContext {
        let session = crate::session::session(2).unwrap();
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        crate::query::register_views(&session, &path("c.db"), &path("wh")).await.unwrap();
        session
    }
}

async fn run(session: &SessionContext, sql: &str) {
    session.sql(sql).await.unwrap().collect().await.unwrap();
}

/// The call of `stac_search` in SQL.
pub(super) fn call(search: &Value) -> String {
    format!("stac_search(items, '{}')", search.to_string().replace('\'', "''"))
}

/// The ids of the Items that a search finds, in the order in which they come.
pub(super) async fn found(session: &SessionContext, search: &Value) -> Result<Vec<String>> {
    let batches = session.sql(&format!("SELECT id FROM {}", call(search))).await?.collect().await?;
    let mut ids = vec![];
    for batch in batches {
        let texts = cast(batch.column(0), &DataType::Utf8View)?;
        ids.extend(texts.as_string_view().iter().flatten().map(str::to_owned));
    }
    Ok(ids)
}

/// The same, in order.
pub(super) async fn ids(session: &SessionContext, search: &Value) -> Vec<String> {
    let mut ids = found(session, search).await.unwrap_or_else(|e| panic!("{search}: {e}"));
    ids.sort();
    ids
}
