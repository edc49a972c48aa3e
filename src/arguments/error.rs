//! Why the arguments of a command cannot be used.

use std::io;
use std::path::PathBuf;

use datafusion::common::DataFusionError;
use earthcatalog_plans::search::SearchError;
use earthcatalog_plans::stores::StoreError;
use earthcatalog_plans::table::WarehouseError;
use thiserror::Error;

use crate::reason::reason;
use crate::script::ScriptError;

/// Why the arguments of a command cannot be used.
#[derive(Debug, Error)]
pub enum ArgumentError {
    #[error("--{flag} {location}: there is no such file or folder")]
    NotThere { flag: &'static str, location: String },
    #[error("--catalog {0}: its folder {1} does not exist; make it, or name another place")]
    NoCatalogFolder(String, PathBuf),
    #[error("--catalog: {0}")]
    Catalog(Box<WarehouseError>),
    #[error("--{flag} {source}")]
    Location { flag: &'static str, source: Box<StoreError> },
    #[error("--{0}")]
    Search(#[from] SearchError),
    #[error("--{flag}: cannot read {from}: {source}")]
    Unreadable { flag: &'static str, from: String, source: io::Error },
    #[error("--{0}: there is nothing in the list")]
    EmptyList(&'static str),
    #[error(
        "--out {0}: a map is a page (.html) or a drawing (.svg), as the name's ending says; - is a page on standard output"
    )]
    MapEnding(String),
    #[error("--geometry {text}: {reason}")]
    Place { text: String, reason: String },
    #[error("--end {1} comes before --start {0}; no Item lies between")]
    EndBeforeStart(String, String),
    #[error("only `earthcatalog incremental` and `delta` take --since last; give a date or a time")]
    SinceLast,
    #[error("--scheduler ballista needs the address of a cluster: --cluster df://HOST:PORT")]
    NoCluster,
    #[error(
        "--scheduler {0} runs in this process, and --cluster names a cluster; leave one of them out, or use --scheduler ballista"
    )]
    NotOnCluster(&'static str),
    #[error(
        "{0} is not the name of a pipeline, and not a script that can be read ({1}); `earthcatalog pipelines` lists the pipelines"
    )]
    NoScript(String, io::Error),
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("{}", reason(.0))]
    Session(#[from] DataFusionError),
}

impl ArgumentError {
    /// Whether the command was typed wrongly; otherwise what it names does not work.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::NoScript(..) | Self::Script(_) | Self::Session(_))
    }
}
