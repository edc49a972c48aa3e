//! `earthcatalog pipelines`: lists the pipelines, or the parameters of one.

use std::io::Write;

use clap::Args;

use super::CommandError;
use crate::arguments::script;
use crate::pipeline::PIPELINES;

/// Flags of `pipelines`.
#[derive(Debug, Clone, Args)]
pub struct PipelinesArgs {
    /// Pipeline or script whose parameters are listed [default: list all pipelines]
    #[arg(value_name = "NAME|FILE")]
    pub name: Option<String>,
}

pub fn run(args: &PipelinesArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let Some(name) = &args.name else {
        for (name, pipeline) in PIPELINES {
            writeln!(out, "{name:<12}{}", pipeline.script()?.description())?;
        }
        return Ok(());
    };
    let script = script(name)?;
    writeln!(out, "{}\n", script.description())?;
    for parameter in script.parameters() {
        let default = parameter.default_text().map_or("required".to_owned(), |text| match text.is_empty() {
            true => "''".to_owned(),
            false => text,
        });
        writeln!(out, "${:<20}{:<9}{default:<10} {}", parameter.name, parameter.kind.to_string(), parameter.help)?;
    }
    Ok(())
}
