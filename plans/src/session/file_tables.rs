//! [`FileTables`]: files and folders that are named in place of a table, as in `SELECT * FROM 'scenes.parquet'`.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::{TableProvider, UrlTableFactory};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::dynamic_file::DynamicListTableFactory;
use datafusion::prelude::SessionContext;

/// Endings of the formats that tables of files have, and of what they are compressed with.
const FORMATS: [&str; 4] = ["parquet", "csv", "json", "arrow"];
const COMPRESSIONS: [&str; 4] = [".gz", ".bz2", ".xz", ".zst"];

/// Tables of files, as `CREATE EXTERNAL TABLE` makes them of a location, in the format of the first file.
pub(super) struct FileTables(DynamicListTableFactory);

impl FileTables {
    pub fn new(session: &SessionContext) -> Self {
        let factory = DynamicListTableFactory::new(Default::default());
        factory.session_store().with_state(session.state_weak_ref());
        Self(factory)
    }

    /// The table of a file, of a folder (`…/`), or of those that a pattern stands for; `None` where the name is none of a file.
    ///
    /// Errors: there is no such file, or it cannot be read.
    pub async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !is_of_files(name) {
            return Ok(None);
        }
        let read = self.0.try_new(name).await;
        match read.map_err(|e| e.context(format!("cannot read {name} as a table")))? {
            Some(table) => Ok(Some(table)),
            None => plan_err!(
                "there is no table {name}, nor a file of that name; tables of files are .parquet, .csv, .json and .arrow"
            ),
        }
    }
}

impl fmt::Debug for FileTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTables").finish_non_exhaustive()
    }
}

fn is_of_files(name: &str) -> bool {
    let plain = COMPRESSIONS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let ending = plain.rsplit_once('.').map(|(_, ending)| ending);
    name.ends_with('/') || ending.is_some_and(|ending| FORMATS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use crate::session::session;

    /// The cells of an answer.
    async fn ask(sql: &str) -> Result<String, String> {
        let context = session(2).unwrap();
        let said = |e: datafusion::error::DataFusionError| e.strip_backtrace();
        let rows = context.sql(sql).await.map_err(said)?.collect().await.map_err(said)?;
        let table = pretty_format_batches(&rows).unwrap().to_string();
        Ok(table.lines().skip(3).filter(|line| line.starts_with('|')).map(|line| line.replace(' ', "")).collect())
    }

    #[tokio::test]
    async fn a_file_or_those_of_a_pattern_are_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for (name, n) in
            [("a.parquet", 1), ("b.parquet", 2), ("a.csv", 3), ("a.json", 4), ("a.arrow", 5), ("c.csv.gz", 6)]
        {
            let stored = if name.ends_with("gz") { " STORED AS CSV OPTIONS ('format.compression' 'gzip')" } else { "" };
            ask(&format!("COPY (SELECT {n} AS n) TO '{}'{stored}", at(name))).await.unwrap();
        }
        for (name, rows) in [
            ("a.parquet", "|1|"),
            ("*.parquet", "|1||2|"),
            ("a.csv", "|3|"),
            ("a.json", "|4|"),
            ("a.arrow", "|5|"),
            ("c.csv.gz", "|6|"),
        ] {
            assert_eq!(ask(&format!("SELECT n FROM '{}' ORDER BY n", at(name))).await.as_deref(), Ok(rows), "{name}");
        }
        std::fs::create_dir(at("parts")).unwrap();
        for name in ["a.parquet", "b.parquet"] {
            std::fs::copy(at(name), at("parts/") + name).unwrap();
        }
        assert_eq!(ask(&format!("SELECT sum(n) FROM '{}'", at("parts/"))).await.as_deref(), Ok("|3|"), "a folder");
        let url = url::Url::from_file_path(at("a.parquet")).unwrap();
        assert_eq!(
            ask(&format!("SELECT l.n FROM '{url}' AS l JOIN \"{}\" AS r ON l.n + 1 = r.n", at("b.parquet")))
                .await
                .unwrap(),
            "|1|"
        );
    }

    #[tokio::test]
    async fn what_is_no_such_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken.parquet");
        std::fs::write(&broken, "PAR1 no").unwrap();
        let gone = folder.path().join("gone.parquet");
        let error = ask(&format!("SELECT * FROM '{}'", gone.display())).await.unwrap_err();
        assert!(error.contains("gone.parquet, nor a file of that name"), "{error}");
        let error = ask(&format!("SELECT * FROM '{}'", broken.display())).await.unwrap_err();
        assert!(error.contains("broken.parquet"), "{error}");
        // A word is no file, though there were a folder of that name.
        assert!(ask("SELECT * FROM src").await.unwrap_err().contains("table 'datafusion.public.src' not found"));
    }
}
