//! The one place that turns what went wrong into a message and an exit code.

use std::io;

use thiserror::Error;

use crate::commands::CommandError;
use crate::config::ConfigError;
use crate::terminal::{ERROR, stderr_is_coloured, styled};

/// Why the program did not do what it was asked to.
#[derive(Debug, Error)]
pub enum CliError {
    /// What was typed is not a command; or help was asked for.
    #[error("{0}")]
    Usage(#[from] clap::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot start the worker threads: {0}; try fewer with --workers")]
    Threads(io::Error),
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl CliError {
    /// Writes the message to standard error, or the help that was asked for to standard output, and returns the exit
    /// code: 1 failed, 2 asked for wrongly, 3 damage found, 4 another writer in the way, 130 interrupted.
    pub fn report(&self) -> u8 {
        if let Self::Usage(error) = self {
            // Nobody is left to tell where the message cannot be written.
            drop(error.print());
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
        // Whoever closed the pipe (`| head`) has seen enough.
        if let Self::Command(error) = self
            && error.write().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        {
            return 0;
        }
        eprintln!("{} {self}", styled("error:", ERROR, stderr_is_coloured()));
        match self {
            Self::Command(error) if error.is_interrupt() => 130,
            Self::Command(error) if error.is_usage() => 2,
            Self::Command(error) if error.is_damage() => 3,
            Self::Command(error) if error.is_conflict() => 4,
            Self::Config(_) | Self::Usage(_) => 2,
            Self::Command(_) | Self::Threads(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use earthcatalog_plans::table::WarehouseError;

    use super::*;

    #[test]
    fn the_exit_code_tells_a_conflict_and_damage_from_other_failures() {
        let code = |error: CommandError| CliError::from(error).report();
        let of_warehouse = |error: WarehouseError| code(error.into());
        assert_eq!(of_warehouse(WarehouseError::Conflict { missing: vec!["a".to_owned()] }), 4);
        assert_eq!(of_warehouse(WarehouseError::Contention { attempts: 3 }), 4);
        assert_eq!(of_warehouse(WarehouseError::Expired { location: "a".to_owned() }), 4);
        assert_eq!(of_warehouse(WarehouseError::NothingToCommit), 1);
        assert_eq!((code(CommandError::Damage(1)), code(CommandError::Interrupted)), (3, 130));
    }
}
