//! Why a configuration file is not usable.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a configuration file is not usable. No message quotes the file: somebody may have written a secret into it.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read {}: {source}; name another file with --config, or leave the flag out", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{} and {} are both here; remove one, or name one with --config", .0.display(), .1.display())]
    Several(PathBuf, PathBuf),
    #[error("{}: a configuration file is TOML or YAML and ends in .toml, .yaml or .yml", .0.display())]
    Ending(PathBuf),
    #[error("{}{}: {message}", file.display(), at.map_or(String::new(), |(line, column)| format!(":{line}:{column}")))]
    Syntax { file: PathBuf, at: Option<(usize, usize)>, message: String },
    #[error("{}: there is no key {key}; the nearest is {nearest}, and `earthcatalog config` lists all", file.display())]
    UnknownKey { file: PathBuf, key: String, nearest: &'static str },
    #[error("{}: {key} must be {wanted}", file.display())]
    Type { file: PathBuf, key: String, wanted: &'static str },
    /// The value is not what the flag takes.
    #[error("{}: {key}: {reason}", file.display())]
    Value { file: PathBuf, key: &'static str, reason: String },
}
