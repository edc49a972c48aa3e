//! The configuration file: settings that flags and environment need not repeat.
//!
//! TOML or YAML, by its ending: what `--config` or `EARTHCATALOG_CONFIG` names, else `earthcatalog.toml`, `.yaml` or
//! `.yml` in the working directory, if there is one. [`KEYS`] are the keys that it may have; paths in it are relative to
//! the working directory, as those of flags are.

mod error;
mod file;
mod key;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use error::ConfigError;
pub use key::{KEYS, Key};

/// Files that are looked for in the working directory.
pub const FILE_NAMES: [&str; 3] = ["earthcatalog.toml", "earthcatalog.yaml", "earthcatalog.yml"];

/// What a configuration file says; nothing, without a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    file: Option<PathBuf>,
    /// By the names of keys.
    values: BTreeMap<&'static str, String>,
}

impl Config {
    /// Reads `file`, or the one in the working directory, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read, two in the working directory, and keys that there are not.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        match file {
            Some(file) => Self::read(file),
            None => Self::find(Path::new("")),
        }
    }

    fn find(folder: &Path) -> Result<Self, ConfigError> {
        let found: Vec<_> = FILE_NAMES.map(|name| folder.join(name)).into_iter().filter(|file| file.exists()).collect();
        match &found[..] {
            [] => Ok(Self::default()),
            [file] => Self::read(file),
            [one, other, ..] => Err(ConfigError::Several(one.clone(), other.clone())),
        }
    }

    fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        Ok(Self { file: Some(file.to_owned()), values: file::values(file, &text)? })
    }

    /// The file that was read.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The value of a key, as text.
    pub fn value(&self, key: &Key) -> Option<&str> {
        self.values.get(key.name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_folder_is_found_and_two_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Config::find(folder.path()).unwrap(), Config::default());
        std::fs::write(folder.path().join("earthcatalog.yml"), "catalog: {db_path: c.db}\n").unwrap();
        let found = Config::find(folder.path()).unwrap();
        assert_eq!(found.value(&KEYS[0]), Some("c.db"));
        assert_eq!(found.file().unwrap().file_name().unwrap(), "earthcatalog.yml");
        std::fs::write(folder.path().join("earthcatalog.toml"), "").unwrap();
        let error = Config::find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("earthcatalog.toml") && error.contains("earthcatalog.yml"), "{error}");
        assert!(error.contains("name one with --config"), "{error}");
    }

    #[test]
    fn a_file_that_is_named_and_not_there_is_an_error() {
        let error = Config::load(Some(Path::new("no/such.toml"))).unwrap_err().to_string();
        assert!(error.starts_with("cannot read no/such.toml"), "{error}");
    }
}
