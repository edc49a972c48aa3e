//! [`ReportFormat`]: how a command says what it did.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// How a report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// Aligned lines
    #[default]
    Text,
    /// One JSON object
    Json,
}

impl ReportFormat {
    /// Writes what a command did.
    pub fn write(self, report: &(impl Display + Serialize), out: &mut dyn Write) -> io::Result<()> {
        self.write_with(report, |out| writeln!(out, "{report}"), out)
    }

    /// As [`Self::write`], for text that ends its last line itself.
    pub fn write_lines(self, report: &(impl Display + Serialize), out: &mut dyn Write) -> io::Result<()> {
        self.write_with(report, |out| write!(out, "{report}"), out)
    }

    /// As [`Self::write`], for text that `write` writes, its last line included.
    pub fn write_with(
        self,
        report: &impl Serialize,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self {
            Self::Text => write(out),
            Self::Json => writeln!(out, "{}", serde_json::to_string(report)?),
        }
    }
}
