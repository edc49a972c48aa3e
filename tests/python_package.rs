//! The Python package: its own tests, run by pytest on what this build made of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::demo::TOUR;
use crate::program;
use crate::python;
use crate::real_data::REAL_DATA;
use crate::service::{COLLECTION, SERVED};

/// A folder with the package as a wheel has it: the Python sources, and beside them the engine.
static PACKAGE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("earthcatalog");
    copy(&checkout().join("python/earthcatalog"), &package);
    // Cargo has built it, because these tests depend on it; they are beside it.
    let built = std::env::current_exe().unwrap();
    let name = format!("{}_earthcatalog{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = built.with_file_name(name);
    assert!(library.is_file(), "{} was not built", library.display());
    std::os::unix::fs::symlink(library, package.join("_earthcatalog.abi3.so")).unwrap();
    folder
});

/// The crate of the package.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// Copies Python sources, and the folders in which they are.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.extension().and_then(|ending| ending.to_str()) {
            None if path.is_dir() && !path.ends_with("__pycache__") => copy(&path, &target),
            Some("py" | "pyi" | "typed") => _ = fs::copy(&path, target).unwrap(),
            _ => {}
        }
    }
}

/// Runs tests of the package, chosen by flags of pytest, all of which must pass.
fn pytest(flags: &[&str], set: impl FnOnce(&mut Command)) {
    let mut pytest = python::interpreter();
    for (name, value) in program::command().get_envs() {
        match value {
            Some(value) => pytest.env(name, value),
            None => pytest.env_remove(name),
        };
    }
    set(pytest
        .args(["-m", "pytest", "-q", "--color=no", "-rs"])
        .args(flags)
        .current_dir(checkout())
        .env("PYTHONPATH", PACKAGE.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("EARTHCATALOG_TEST_COMMAND", env!("CARGO_BIN_EXE_earthcatalog")));
    let ran = program::run(&mut pytest);
    println!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let summary = ran.stdout.lines().last().unwrap_or_default();
    assert!(summary.contains(" passed") && !summary.contains("skipped"), "{summary}");
}

#[test]
fn the_package_does_what_the_command_does_and_is_a_good_part_of_a_python_process() {
    pytest(&["-m", "not real_data"], |command| {
        command.env("EARTHCATALOG_TEST_DEMO", TOUR.folder());
        command.env("EARTHCATALOG_TEST_SERVED", &SERVED.warehouse.catalog);
        command.env("EARTHCATALOG_TEST_URL", &SERVED.service.url);
        command.env("EARTHCATALOG_TEST_COLLECTION", COLLECTION);
    });
}

#[test]
#[cfg_attr(not(shared_data), ignore = "the shared data is not here; EARTHCATALOG_DATA names its folder")]
fn the_package_gives_the_real_items_as_the_command_does() {
    pytest(&["-m", "real_data"], |command| {
        command.env("EARTHCATALOG_TEST_REAL", &REAL_DATA.warehouse.catalog);
    });
}
