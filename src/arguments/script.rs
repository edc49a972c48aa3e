//! [`ScriptArgs`]: a script and the values of its parameters.

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::session::session_within;

use super::{ArgumentError, ResourceArgs, values};
use crate::pipeline::Pipeline;
use crate::script::{Arguments, Script, Statement};

/// A script and the values of its parameters.
#[derive(Debug, Clone, Args)]
pub struct ScriptArgs {
    /// A script, or the name of a pipeline (see `earthcatalog pipelines`)
    #[arg(value_name = "FILE|NAME")]
    pub script: String,
    #[command(flatten)]
    pub parameters: ParameterArgs,
    /// Value of the parameter $catalog, if the script has it
    #[arg(long, value_name = "FILE", env = "EARTHCATALOG_CATALOG")]
    pub catalog: Option<String>,
    /// Value of the parameter $warehouse, if the script has it
    #[arg(long, value_name = "DIR|URL", env = "EARTHCATALOG_WAREHOUSE")]
    pub warehouse: Option<String>,
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// Values for the parameters of a script.
#[derive(Debug, Clone, Default, Args)]
pub struct ParameterArgs {
    /// Value of a parameter that the script declares
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::setting)]
    pub set: Vec<(String, String)>,
    /// Values from the configuration file for parameters that the script declares
    #[arg(long, hide = true, value_parser = values::setting)]
    pub configured: Vec<(String, String)>,
}

impl ParameterArgs {
    /// The arguments of `script`: the configuration's, then `catalog` and `warehouse`, where it has such parameters, then
    /// what `--set` says, which it must have.
    pub fn arguments(&self, script: &Script, catalog: Option<&str>, warehouse: Option<&str>) -> Arguments {
        let configured = self.configured.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())));
        let known = configured.chain([("catalog", catalog), ("warehouse", warehouse)]);
        let known = known.filter(|(name, _)| script.parameter(name).is_some());
        let arguments = known.fold(Arguments::new(), |all, (name, value)| all.with_option(name, value));
        self.set.iter().fold(arguments, |all, (name, value)| all.with(name, value))
    }
}

impl ScriptArgs {
    /// The script, and what its parameters are.
    pub fn script(&self) -> Result<(Script, Arguments), ArgumentError> {
        let script = script(&self.script)?;
        let arguments = self.parameters.arguments(&script, self.catalog.as_deref(), self.warehouse.as_deref());
        Ok((script, arguments))
    }

    /// The statements of the script, and a session to run them in.
    pub fn bind(&self) -> Result<(Vec<Statement>, SessionContext), ArgumentError> {
        let (script, arguments) = self.script()?;
        let session = match Pipeline::named(&self.script) {
            Some(_) => self.resources.pipeline_session(),
            None => session_within(self.resources.workers(), self.resources.memory),
        };
        Ok((script.bind(&arguments)?, session?))
    }
}

/// A script by the name of its pipeline, or by its path.
pub fn script(name: &str) -> Result<Script, ArgumentError> {
    if let Some(pipeline) = Pipeline::named(name) {
        return Ok(pipeline.script()?);
    }
    let text = std::fs::read_to_string(name).map_err(|source| ArgumentError::NoScript(name.to_owned(), source))?;
    Ok(Script::parse(name, &text)?)
}
