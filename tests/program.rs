//! The binary, run as a user runs it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Ran {
    /// Standard output of a command that must have worked.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Standard error of a command that must have failed with `code`.
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// The binary, without the variables of whoever runs the tests.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_earthcatalog"));
    let prefixes = ["EARTHCATALOG_", "AWS_", "GOOGLE_", "AZURE_"];
    for (name, _) in std::env::vars_os() {
        if prefixes.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    // No test asks a cloud for credentials.
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    // Nor looks like the terminal of whoever runs it, or has their keys.
    for name in ["PAGER", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// Runs the binary to its end.
pub fn earthcatalog<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    run(command().args(arguments))
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

/// A catalog and a warehouse in a folder.
#[derive(Debug, Clone)]
pub struct Warehouse {
    pub catalog: PathBuf,
    pub files: PathBuf,
}

impl Warehouse {
    pub fn below(folder: &Path) -> Self {
        Self { catalog: folder.join("catalog.db"), files: folder.join("warehouse") }
    }

    pub fn ingest(&self, inventory: &Path, flags: &[&str]) -> Ran {
        let mut arguments: Vec<&OsStr> = vec!["ingest".as_ref(), "--inventory".as_ref(), inventory.as_ref()];
        arguments.extend(self.flags());
        arguments.extend(flags.iter().map(OsStr::new));
        earthcatalog(arguments)
    }

    /// The report of an ingest that must work.
    pub fn ingested(&self, inventory: &Path, flags: &[&str]) -> Value {
        let report = self.ingest(inventory, &[flags, &["--output", "json"]].concat()).ok();
        serde_json::from_str(&report).unwrap()
    }

    pub fn compact(&self, flags: &[&str]) -> Ran {
        let mut arguments: Vec<&OsStr> = vec!["compact".as_ref()];
        arguments.extend(self.flags());
        arguments.extend(flags.iter().map(OsStr::new));
        earthcatalog(arguments)
    }

    /// The summary of a compaction that must work.
    pub fn compacted(&self, flags: &[&str]) -> Value {
        serde_json::from_str(&self.compact(&[flags, &["--output", "json"]].concat()).ok()).unwrap()
    }

    /// Every file below the warehouse, with its size.
    pub fn listing(&self) -> BTreeMap<PathBuf, u64> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.files.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => _ = files.insert(entry.path(), entry.metadata().unwrap().len()),
                }
            }
        }
        files
    }

    /// Every file below a folder of the warehouse, while others write there.
    pub fn listing_of(&self, folder: &str) -> Vec<PathBuf> {
        let (mut files, mut folders) = (vec![], vec![self.files.join(folder)]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => files.push(entry.path()),
                }
            }
        }
        files
    }

    pub fn sql(&self, query: &str) -> Ran {
        let mut arguments: Vec<&OsStr> = vec!["sql".as_ref(), query.as_ref(), "--output".as_ref(), "ndjson".as_ref()];
        arguments.extend(self.flags());
        earthcatalog(arguments)
    }

    /// The rows of a query that must work.
    pub fn rows(&self, query: &str) -> Vec<Value> {
        self.sql(query).ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The only value of a query.
    pub fn value(&self, query: &str) -> Value {
        let rows = self.rows(query);
        assert_eq!(rows.len(), 1, "{query}");
        rows[0].as_object().unwrap().values().next().unwrap().clone()
    }

    pub fn flags(&self) -> [&OsStr; 4] {
        ["--catalog".as_ref(), self.catalog.as_ref(), "--warehouse".as_ref(), self.files.as_ref()]
    }
}

/// `listed` and the sum of what became of it: equal in every report.
pub fn accounted(report: &Value) -> (u64, u64) {
    let number = |name: &str| report[name].as_u64().unwrap();
    let parts = |name: &str| report[name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    (number("listed"), number("items") + number("superseded") + parts("rejected") + parts("skipped"))
}
