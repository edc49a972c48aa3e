//! `earthcatalog completions`: what a shell needs to complete commands and flags.

use std::io::Write;

use clap::Args;
use clap_complete::{Shell, generate};

use super::CommandError;

/// Flags of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell to write a script for
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Writes the script for `program`, the whole command line.
pub fn run(args: &CompletionsArgs, mut program: clap::Command, out: &mut dyn Write) -> Result<(), CommandError> {
    let name = program.get_name().to_owned();
    // `generate` takes a failure to write for impossible, which it is for memory alone.
    let mut script = vec![];
    generate(args.shell, &mut program, name, &mut script);
    Ok(out.write_all(&script)?)
}
