//! `earthcatalog man`: manual pages, for packagers.

use std::path::PathBuf;

use clap::Args;

use super::CommandError;

/// Flags of `man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Folder for the pages, which is made where it is not there yet
    pub dir: PathBuf,
}

/// Writes a page for `program` and one for each of its commands.
pub fn run(args: &ManArgs, program: clap::Command) -> Result<(), CommandError> {
    let written = std::fs::create_dir_all(&args.dir).and_then(|()| clap_mangen::generate_to(program, &args.dir));
    written.map_err(|source| CommandError::Pages { folder: args.dir.clone(), source })
}
