//! [`Address`]: which table of which REST catalog a URL names.

use std::fmt;

use url::Url;

use crate::table::catalog::{NAMESPACE, TABLE};
use crate::table::rest_error::RestError;

/// How the path of a URL of HTTP ends that is a file: a catalog in SQLite, on a web server.
const FILES: [&str; 3] = [".db", ".sqlite", ".sqlite3"];

/// What a URL of HTTP begins with that is a REST catalog, whatever its path.
const EXPLICIT: &str = "rest+";

/// A table of a REST catalog, displayed as the URL that names both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    shown: String,
    base: String,
    warehouse: Option<String>,
    namespace: Vec<String>,
    table: String,
}

impl Address {
    /// Reads `https://HOST/PATH`, `http://HOST/PATH` or either behind `rest+`, each with the parameters `warehouse` and
    /// `table`, where one is given. `None` of any other text, and of a URL of HTTP, without `rest+`, that ends as files do.
    ///
    /// Errors: other parameters; a user or password; a table without a namespace. No message has more of such a URL than
    /// its host and path.
    pub fn parse(location: &str) -> Result<Option<Self>, RestError> {
        let plain = location.strip_prefix(EXPLICIT);
        let text = plain.unwrap_or(location);
        let is_http = ["http://", "https://"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        if !is_http {
            return Ok(None);
        }
        let invalid =
            |shown: &str, reason: &str| RestError::Address { url: shown.to_owned(), reason: reason.to_owned() };
        let url = Url::parse(text).map_err(|e| invalid("a URL of HTTP", &e.to_string()))?;
        if plain.is_none() && FILES.iter().any(|end| url.path().to_ascii_lowercase().ends_with(end)) {
            return Ok(None);
        }
        let mut base = url.clone();
        base.set_query(None);
        base.set_fragment(None);
        // Nothing can be wrong with a URL that has a host.
        let has_user = !url.username().is_empty() || url.password().is_some();
        let _ = base.set_username("").and_then(|()| base.set_password(None));
        let shown = base.as_str().trim_end_matches('/').to_owned();
        if has_user {
            let reason = "a user or password in it would be seen by everybody; credentials come from EARTHCATALOG_CATALOG_TOKEN or EARTHCATALOG_CATALOG_CREDENTIAL";
            return Err(invalid(&shown, reason));
        }
        let (mut warehouse, mut table) = (None, None);
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "warehouse" => warehouse = Some(value.into_owned()),
                "table" => table = Some(value.into_owned()),
                other => {
                    let reason = format!(
                        "it has a parameter {other:?}; a REST catalog has warehouse=NAME and table=NAMESPACE.TABLE, and credentials come from EARTHCATALOG_CATALOG_TOKEN or EARTHCATALOG_CATALOG_CREDENTIAL"
                    );
                    return Err(invalid(&shown, &reason));
                }
            }
        }
        let (namespace, table) = match table.as_deref() {
            None => (vec![NAMESPACE.to_owned()], TABLE.to_owned()),
            Some(name) => {
                let mut levels: Vec<String> = name.split('.').map(str::to_owned).collect();
                let table = levels.pop().filter(|table| !table.is_empty());
                match table.filter(|_| !levels.is_empty() && levels.iter().all(|level| !level.is_empty())) {
                    Some(table) => (levels, table),
                    None => return Err(invalid(&shown, "its parameter table is not NAMESPACE.TABLE")),
                }
            }
        };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let scheme = if plain.is_some() { EXPLICIT } else { "" };
        Ok(Some(Self { shown: format!("{scheme}{shown}{query}"), base: shown, warehouse, namespace, table }))
    }

    /// The URL to which `/v1/config` is appended.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn warehouse(&self) -> Option<&str> {
        self.warehouse.as_deref()
    }

    /// The levels of the namespace.
    pub fn namespace(&self) -> &[String] {
        &self.namespace
    }

    pub fn table(&self) -> &str {
        &self.table
    }

    /// `NAMESPACE.TABLE`.
    pub fn table_name(&self) -> String {
        format!("{}.{}", self.namespace.join("."), self.table)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_http_is_a_rest_catalog_unless_it_ends_as_a_file() {
        for file in
            ["https://h/catalog.db", "http://h/a/b.SQLite?x=1", "https://h/c.sqlite3", "s3://b/c", "/data/c", "c"]
        {
            assert_eq!(Address::parse(file).unwrap(), None, "{file}");
        }
        for (text, base) in [
            ("https://h/catalog/", "https://h/catalog"),
            ("HTTP://h:8181", "http://h:8181"),
            ("rest+https://h/catalog.db", "https://h/catalog.db"),
        ] {
            let address = Address::parse(text).unwrap().unwrap();
            assert_eq!((address.base(), address.table_name().as_str()), (base, "earthcatalog.items"), "{text}");
        }
    }

    #[test]
    fn warehouse_and_table_are_parameters() {
        let text = "rest+http://h/api?warehouse=s3%3A%2F%2Fb%2Fwh&table=lab.ice.velocity";
        let address = Address::parse(text).unwrap().unwrap();
        assert_eq!(address.warehouse(), Some("s3://b/wh"));
        assert_eq!((address.namespace().join("/").as_str(), address.table()), ("lab/ice", "velocity"));
        assert_eq!(address.to_string(), text);
    }

    #[test]
    fn what_is_not_understood_is_named_and_no_secret_is() {
        for (text, words) in [
            ("https://me:hunter2@h/c", "a user or password"),
            ("https://h/c?token=hunter2", "a parameter \"token\""),
            ("https://h/c?table=items", "NAMESPACE.TABLE"),
            ("https://h/c?table=.items", "NAMESPACE.TABLE"),
            ("https://", "empty host"),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
