//! The words that the prompt completes.

use std::collections::BTreeSet;

use datafusion::common::TableReference;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

use super::command;

/// Words of SQL that people write in questions.
const KEYWORDS: [&str; 72] = [
    "ALL",
    "ANALYZE",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "CURRENT_DATE",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTERNAL",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OPTIONS",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "QUALIFY",
    "REPLACE",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "THEN",
    "TIMESTAMP",
    "TO",
    "TRUE",
    "UNION",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// Words after which a table follows.
const BEFORE_TABLES: [&str; 5] = ["from", "join", "table", "describe", "\\d"];

/// Keywords, and the names of tables, columns and functions, each sorted.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    tables: BTreeSet<String>,
    table_functions: BTreeSet<String>,
    columns: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Vocabulary {
    /// What a session knows.
    pub async fn known_to(session: &SessionContext) -> Self {
        let state = session.state();
        let mut words = Self {
            functions: state.udfs().into_iter().chain(state.udafs()).chain(state.udwfs()).collect(),
            table_functions: state.table_functions().keys().cloned().collect(),
            ..Self::default()
        };
        let options = &state.config_options().catalog;
        let schema = session.catalog(&options.default_catalog).and_then(|c| c.schema(&options.default_schema));
        for name in schema.map(|schema| schema.table_names()).unwrap_or_default() {
            if let Ok(provider) = session.table_provider(TableReference::bare(name.as_str())).await {
                words.columns.extend(provider.schema().fields().iter().map(|field| quoted(field.name())));
                words.tables.insert(quoted(&name));
            }
        }
        words
    }

    /// Where the word before `end` begins, and the words that it may become.
    pub fn complete(&self, line: &str, end: usize) -> (usize, Vec<String>) {
        let line = &line[..end];
        let in_word = |c: char| c.is_alphanumeric() || "_$\"\\?".contains(c);
        let start = line.rfind(|c| !in_word(c)).map_or(0, |i| i + line[i..].chars().next().map_or(1, char::len_utf8));
        let word = &line[start..];
        if word.starts_with('\\') {
            return (start, command::WORDS.iter().filter(|c| c.starts_with(word)).map(|c| (*c).to_owned()).collect());
        }
        let before = line[..start].split_whitespace().next_back().unwrap_or_default().to_lowercase();
        let tables = self.tables.iter().chain(&self.table_functions);
        let mut found: Vec<String> = match BEFORE_TABLES.contains(&before.as_str()) {
            true => tables.filter(|name| begins(name, word)).cloned().collect(),
            false => {
                let names = self.columns.iter().chain(&self.functions).chain(tables).filter(|name| begins(name, word));
                let is_lower = word.chars().next().is_some_and(char::is_lowercase);
                let keyword = |k: &&str| if is_lower { k.to_lowercase() } else { (**k).to_owned() };
                // Without a beginning, everything fits.
                let keywords = KEYWORDS.iter().filter(|k| !word.is_empty() && begins(k, word)).map(keyword);
                names.cloned().chain(keywords).collect()
            }
        };
        found.dedup();
        (start, found)
    }
}

fn begins(name: &str, word: &str) -> bool {
    let plain = |text: &str| text.trim_start_matches('"').to_lowercase();
    plain(name).starts_with(&plain(word))
}

/// The name as SQL takes it.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn words() -> Vocabulary {
        let session = earthcatalog_plans::session::session(2).unwrap();
        for sql in [
            "CREATE TABLE items AS SELECT 1 AS platform, 2 AS \"eo:cloud\"",
            "CREATE TABLE \"items$x\" AS SELECT 1 AS n",
        ] {
            session.sql(sql).await.unwrap().collect().await.unwrap();
        }
        Vocabulary::known_to(&session).await
    }

    #[tokio::test]
    async fn tables_come_after_from_and_other_words_elsewhere() {
        let words = words().await;
        let completed = |line: &str| words.complete(line, line.len());
        assert_eq!(completed("SELECT plat"), (7, vec!["platform".into()]));
        assert_eq!(completed("SELECT eo"), (7, vec!["\"eo:cloud\"".into()]));
        assert_eq!(completed("SELECT n FROM it"), (14, vec!["\"items$x\"".into(), "items".into()]));
        assert_eq!(completed("SELECT count(h3_cells"), (13, vec!["h3_cells".into()]));
        assert_eq!(completed("sel"), (0, vec!["select".into()]));
        assert_eq!(completed("SEL"), (0, vec!["SELECT".into()]));
        assert_eq!(completed("\\ti"), (0, vec!["\\timing".into()]));
        assert_eq!(completed("\\d items").0, 3);
        assert_eq!(completed("SELECT 'é"), (8, vec![]));
        assert_eq!(completed("SELECT 'é' plat"), (12, vec!["platform".into()]));
    }
}
