//! `earthcatalog explain`: shows the plans of a SQL script, or of a pipeline by name.

use std::io::Write;

use clap::Args;
use earthcatalog_plans::session;

use super::CommandError;
use crate::arguments::ScriptArgs;
use crate::output::shorter;
use crate::signals::interrupt;
use crate::verbosity;

/// Flags of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub script: ScriptArgs,
}

pub async fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let (statements, session) = args.script.bind()?;
    session::dry_run(&session);
    let explain = async {
        for statement in statements {
            if let Some(explained) = statement.explain(&session).await? {
                let text = explained.to_string();
                match verbosity::is_verbose() {
                    true => writeln!(out, "{text}")?,
                    false => text.lines().try_for_each(|line| writeln!(out, "{}", shorter(line)))?,
                }
            }
        }
        Ok(())
    };
    tokio::select! {
        done = explain => done,
        () = interrupt() => Err(CommandError::Interrupted),
    }
}
