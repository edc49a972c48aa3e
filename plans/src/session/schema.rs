//! [`SessionSchema`]: the tables of a session, and the metadata tables of those that are warehouses.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::Result;
use futures::FutureExt;

use super::file_tables::FileTables;
use crate::query::{ITEMS, warehouse_of};
use crate::scan::records::{About, MetadataTable};

/// Tables in memory. With a table of a warehouse, or a view of one, there are those about it: `"items$snapshots"` and the
/// others of [`About`], of which those of `items` are listed. What is no table may be a file.
#[derive(Debug)]
pub struct SessionSchema {
    tables: MemorySchemaProvider,
    files: FileTables,
}

impl SessionSchema {
    pub fn new(files: FileTables) -> Self {
        Self { tables: MemorySchemaProvider::new(), files }
    }

    /// The metadata table of that name; `None` where the name is of no such table.
    fn about(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some((table, about)) = About::parse(name) else { return Ok(None) };
        // The tables are in memory, and so at once at hand.
        let table = self.tables.table(table).now_or_never().transpose()?.flatten();
        let Some(warehouse) = table.as_ref().and_then(warehouse_of) else { return Ok(None) };
        Ok(Some(Arc::new(MetadataTable::try_new(warehouse, about)?)))
    }
}

#[async_trait]
impl SchemaProvider for SessionSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.tables.table_names();
        names.extend(About::ALL.map(|about| about.table(ITEMS)).into_iter().filter(|name| self.table_exist(name)));
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.tables.table(name).await? {
            return Ok(Some(table));
        }
        match self.about(name)? {
            Some(table) => Ok(Some(table)),
            None => self.files.table(name).await,
        }
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        self.tables.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.tables.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.table_exist(name) || matches!(self.about(name), Ok(Some(_)))
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn metadata_tables_come_and_go_with_their_table() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path().display();
        let context = crate::session::session(1).unwrap();
        let run = async |sql: &str| context.sql(sql).await?.collect().await;
        let create = format!(
            "CREATE EXTERNAL TABLE items (p INT) STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db')"
        );
        run(&create).await.unwrap();
        run("CREATE VIEW \"my view\" AS SELECT id FROM items").await.unwrap();
        run("CREATE TABLE t AS SELECT 1").await.unwrap();
        for table in ["items$snapshots", "items$files", "items$partitions", "items$table", "my view$files"] {
            run(&format!("SELECT * FROM \"{table}\"")).await.unwrap();
        }
        for table in ["items$nothing", "t$files", "nothing$files"] {
            let error = run(&format!("SELECT * FROM \"{table}\"")).await.unwrap_err().to_string();
            assert!(error.contains("not found"), "{error}");
        }
        let listed = || {
            let mut names = context.catalog("datafusion").unwrap().schema("public").unwrap().table_names();
            names.sort();
            names
        };
        let about = ["collections", "files", "history", "partitions", "refs", "snapshots", "table"];
        let about = about.map(|about| format!("items${about}"));
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        assert_eq!(listed(), [&["items"][..], &about, &["my view", "t"]].concat());
        run("DROP TABLE items").await.unwrap();
        assert_eq!(listed(), ["my view", "t"]);
    }
}
