//! Tells the program of which commit it is, and which versions of its engines it was built with; and the tests whether the
//! shared data and Chromium are there.

use std::path::Path;
use std::process::Command;

/// Variables for the program, and the package of `Cargo.lock` whose version each has.
const PACKAGES: [(&str, &str); 3] =
    [("DATAFUSION_VERSION", "datafusion"), ("BALLISTA_VERSION", "ballista"), ("ICEBERG_VERSION", "iceberg")];

fn main() {
    find_shared_data();
    find_chromium();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    // HEAD changes with the branch, its log with each commit.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rustc-env=EARTHCATALOG_GIT_HASH={}", commit().as_deref().unwrap_or("unknown"));
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    for (variable, package) in PACKAGES {
        println!("cargo::rustc-env={variable}={}", locked_version(&lock, package).unwrap_or("unknown"));
    }
}

/// Tells tests that need the shared data (`EARTHCATALOG_DATA`, or `../shared/data` beside the checkout) whether it is there.
fn find_shared_data() {
    println!("cargo::rerun-if-env-changed=EARTHCATALOG_DATA");
    println!("cargo::rustc-check-cfg=cfg(shared_data)");
    let folder = std::env::var("EARTHCATALOG_DATA").unwrap_or("../shared/data".to_owned());
    if Path::new(&folder).is_dir() {
        println!("cargo::rustc-cfg=shared_data");
    }
}

/// Tells the test of the page whether Chromium is there, under one of the names by which `tests/interop/browser.py` looks for
/// it, too.
fn find_chromium() {
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rustc-check-cfg=cfg(chromium)");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    if std::env::split_paths(&path).any(|folder| names.iter().any(|name| folder.join(name).is_file())) {
        println!("cargo::rustc-cfg=chromium");
    }
}

/// The commit of this checkout; `None` for a copy of the sources, even one within a repository of something else.
fn commit() -> Option<String> {
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    git(&["rev-parse", "--short", "HEAD"])
}

/// What git answers; `None` where there is no git, or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

/// The version of a package in the text of a `Cargo.lock`; the first, where there are several.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}
