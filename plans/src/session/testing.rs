//! Tables that SQL makes, and sessions over them.

use datafusion::prelude::SessionContext;
use serde_json::Value;
use tempfile::TempDir;

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

/// A warehouse of Items that a test writes as JSON, in a temporary folder.
pub(crate) struct Table {
    folder: TempDir,
    writing: SessionContext,
    ingested: usize,
}

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

    /// Writes from now on to the table with the columns that it has by now.
    pub async fn open_again(&mut self) {
        self.writing = crate::session::session(2).unwrap();
        let f = self.folder.path().display();
        let open = format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS items STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db', 'h3_resolution' '0')"
        );
        run(&self.writing, &open).await;
    }

    /// Where its catalog is.
    pub fn catalog(&self) -> String {
        self.folder.path().join("c.db").to_str().unwrap().to_owned()
    }

    /// The session that writes.
    pub fn writing(&self) -> &SessionContext {
        &self.writing
    }

    pub async fn compact(&self) {
        self.compact_from("buckets(items, 2)").await;
    }

    /// Compacts the buckets that a part of a query says.
    pub async fn compact_from(&self, buckets: &str) {
        let compact = format!(
            "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence, digest, age_rank) FROM (
                SELECT *, row_number() OVER (PARTITION BY grid_partition, year, collection, id
                    ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC, digest DESC) AS age_rank
                FROM (SELECT *, item_digest(*) AS digest FROM {buckets})) WHERE age_rank = 1"
        );
        run(&self.writing, &compact).await;
    }

    /// A session for questions.
    pub async fn reading(&self) -> SessionContext {
        let session = crate::session::session(2).unwrap();
        crate::query::register_views(&session, &self.catalog(), None).await.unwrap();
        session
    }
}

async fn run(session: &SessionContext, sql: &str) {
    session.sql(sql).await.unwrap().collect().await.unwrap();
}
