//! Reads the text of a configuration file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{ConfigError, Key};

/// The values of a file by the names of their keys.
pub(super) fn values(file: &Path, text: &str) -> Result<BTreeMap<&'static str, String>, ConfigError> {
    let root = match file.extension().and_then(|ending| ending.to_str()) {
        Some("toml") => toml(file, text)?,
        Some("yaml" | "yml") => yaml(file, text)?,
        _ => return Err(ConfigError::Ending(file.to_owned())),
    };
    let mut values = BTreeMap::new();
    flatten(file, "", &root, &mut values)?;
    if values.get("grid.type").is_some_and(|grid| grid != "h3") {
        return Err(ConfigError::Type { file: file.to_owned(), key: "grid.type".to_owned(), wanted: "h3" });
    }
    Ok(values)
}

fn toml(file: &Path, text: &str) -> Result<Map<String, Value>, ConfigError> {
    toml::from_str(text).map_err(|e| {
        let before = e.span().and_then(|span| text.get(..span.start));
        let at = before.map(|text| {
            let line = text.rsplit('\n').next().unwrap_or_default();
            (text.matches('\n').count() + 1, line.chars().count() + 1)
        });
        ConfigError::Syntax { file: file.to_owned(), at, message: e.message().to_owned() }
    })
}

fn yaml(file: &Path, text: &str) -> Result<Map<String, Value>, ConfigError> {
    // An empty document is null.
    let read: Result<Option<Map<String, Value>>, _> = serde_saphyr::from_str(text);
    read.map(Option::unwrap_or_default).map_err(|e| {
        let at = e.location().map(|at| (at.line() as usize, at.column() as usize));
        let message = e.without_snippet().to_string();
        ConfigError::Syntax { file: file.to_owned(), at, message }
    })
}

/// Takes sections apart, and checks the names of keys.
fn flatten(
    file: &Path,
    section: &str,
    members: &Map<String, Value>,
    values: &mut BTreeMap<&'static str, String>,
) -> Result<(), ConfigError> {
    for (name, value) in members {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        let text = match value {
            Value::Object(members) => {
                flatten(file, &key, members, values)?;
                continue;
            }
            Value::String(text) => text.clone(),
            // What is null has no value, as if it was not written.
            Value::Null => continue,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) => String::new(),
        };
        let Some(known) = Key::named(&key) else {
            let nearest = Key::nearest(&key);
            return Err(ConfigError::UnknownKey { file: file.to_owned(), key, nearest });
        };
        if value.is_array() {
            return Err(ConfigError::Type { file: file.to_owned(), key, wanted: "one value, not a list" });
        }
        values.insert(known.name, text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<(String, String)>, String> {
        let values = values(Path::new(name), text).map_err(|e| e.to_string())?;
        Ok(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    const EXPECTED: [(&str, &str); 5] = [
        ("catalog.db_path", "/data/catalog.db"),
        ("catalog.warehouse", "s3://bucket/wh"),
        ("grid.resolution", "2"),
        ("grid.type", "h3"),
        ("ingest.chunk_size", "5000"),
    ];

    #[test]
    fn toml_and_yaml_say_the_same() {
        let expected: Vec<_> = EXPECTED.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let toml = "[catalog]\ndb_path = '/data/catalog.db'\nwarehouse = 's3://bucket/wh'\n\
                    [grid]\ntype = 'h3'\nresolution = 2\n[ingest]\nchunk_size = 5_000\n";
        assert_eq!(read("c.toml", toml), Ok(expected.clone()));
        let yaml = "catalog:\n  db_path: /data/catalog.db\n  warehouse: s3://bucket/wh\n\
                    grid:\n  type: h3\n  resolution: 2\ningest:\n  chunk_size: 5000\n  max_workers:\n";
        assert_eq!(read("c.yaml", yaml), Ok(expected));
        assert_eq!(read("c.yml", "# nothing yet\n"), Ok(vec![]));
        assert_eq!(read("c.toml", ""), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file_and_never_quoted() {
        for (name, text, message) in [
            (
                "c.toml",
                "[catalog]\ndbpath = 'x'",
                "c.toml: there is no key catalog.dbpath; the nearest is catalog.db_path",
            ),
            ("c.yaml", "aws_secret: hunter2", "c.yaml: there is no key aws_secret; the nearest is"),
            ("c.toml", "[grid]\ntype = 's2'", "c.toml: grid.type must be h3"),
            ("c.yaml", "ingest: {suffix: [a, b]}", "c.yaml: ingest.suffix must be one value, not a list"),
            ("c.toml", "[catalog]\ndb_path = hunter2", "c.toml:2:11: "),
            ("c.yaml", "catalog: {db_path: 'hunter2", "c.yaml"),
            ("c.json", "{}", "c.json: a configuration file is TOML or YAML"),
        ] {
            let error = read(name, text).unwrap_err();
            assert!(error.starts_with(message) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
