//! A Python environment with the other readers of a warehouse, set up once and kept below the target folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const REQUIREMENTS: &str = include_str!("interop/requirements.txt");

/// The environment's interpreter.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(environment);

/// Runs a script of `tests/interop`, which must work; returns what it printed.
pub fn run<S: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = S>) -> String {
    succeed(command(script).args(arguments))
}

/// A script of `tests/interop`.
pub fn command(script: &str) -> Command {
    let mut command = interpreter();
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script));
    command
}

/// The environment's interpreter.
pub fn interpreter() -> Command {
    Command::new(&*PYTHON)
}

fn environment() -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(base).unwrap();
    // Two test runs on one target folder: one sets up, the other waits.
    let lock = File::create(base.join("interop.lock")).unwrap();
    lock.lock().unwrap();
    let folder = base.join("interop");
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) && python.exists() {
        return python;
    }
    let check = "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)";
    let usable = Command::new("python3").args(["-c", check]).output().is_ok_and(|output| output.status.success());
    assert!(
        usable,
        "the interop tests need python3, 3.10 or later, with venv (Debian, Ubuntu: apt-get install python3-venv)"
    );
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/requirements.txt");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    succeed(Command::new(&python).args(install).arg(requirements));
    fs::write(installed, REQUIREMENTS).unwrap();
    python
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
