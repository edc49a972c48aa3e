//! The engine, as Python sees it: module `earthcatalog._earthcatalog`, over which `python/earthcatalog` is written.
//!
//! - [`warehouse`]: a warehouse that answers questions and runs commands; [`commands`]: the commands, by name and
//!   [`options`].
//! - [`rows`]: the rows of a question, batch by batch, handed over through Arrow's C interface.
//! - [`runtime`]: the threads of the engine, and forks; [`signals`]: Ctrl-C while a library in C waits.
//! - [`errors`]: what its errors are in Python.

pub mod commands;
pub mod errors;
pub mod options;
pub mod rows;
pub mod runtime;
pub mod signals;
pub mod warehouse;

use std::ffi::OsString;

use earthcatalog::{cli, version};
use earthcatalog_plans::wire;
use pyo3::prelude::*;

/// As in the command: there are 10^6 small allocations per chunk.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the command `earthcatalog` with these words, its name first; its exit code.
#[pyfunction]
fn main(py: Python<'_>, words: Vec<OsString>) -> u8 {
    py.detach(|| cli::main(words))
}

/// The engine of package earthcatalog.
#[pymodule]
fn _earthcatalog(module: &Bound<'_, PyModule>) -> PyResult<()> {
    wire::set_commit(version::COMMIT);
    signals::set_thread(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<warehouse::Warehouse>()?;
    module.add_class::<rows::Rows>()?;
    module.add_class::<rows::Batch>()?;
    module.add_function(wrap_pyfunction!(warehouse::search_parameters, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    Ok(())
}
