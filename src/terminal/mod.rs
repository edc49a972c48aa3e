//! The terminal: how large it is, whether it takes colours, and a pager for what is longer than it.
//!
//! This is the one place that decides so: what is written elsewhere is plain.

mod pager;
mod style;

use std::io;

use terminal_size::{Height, Width, terminal_size_of};

pub use pager::{Paged, Pager};
pub use style::{ERROR, HEADING, NULL, stderr_is_coloured, stdout_is_coloured, styled};

/// Columns and lines of the terminal that standard output is; `None` where it is none.
pub fn size() -> Option<(usize, usize)> {
    terminal_size_of(io::stdout()).map(|(Width(columns), Height(lines))| (columns.into(), lines.into()))
}

/// Columns of the terminal that standard output is; `None` where it is none.
pub fn width() -> Option<usize> {
    size().map(|(columns, _)| columns)
}
