//! `earthcatalog config`: what is set, and where it was set.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use url::Url;

use super::CommandError;
use crate::arguments::ReportFormat;
use crate::config::Key;

/// Flags of `config`; those of the settings come from the other commands.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// Format of the settings
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
    /// The configuration file, if there is one.
    #[arg(skip)]
    pub(crate) file: Option<PathBuf>,
    #[arg(skip)]
    pub(crate) settings: Vec<Setting>,
}

/// What a key is set to, and by what: a flag, a variable, a file, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub key: &'static Key,
    pub value: Option<String>,
    pub from: String,
}

/// Variables by which object stores and REST catalogs are opened.
const STORE_VARIABLES: [&str; 4] = ["AWS_", "GOOGLE_", "AZURE_", "EARTHCATALOG_CATALOG_"];

/// Prints the settings; of the variables with credentials, only that they are set.
pub fn run(args: &ConfigArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut variables: Vec<_> =
        names.filter(|name| STORE_VARIABLES.iter().any(|prefix| name.starts_with(prefix))).collect();
    variables.sort();
    let file = args.file.as_ref().map(|file| file.display().to_string());
    if args.output == ReportFormat::Json {
        let settings = args.settings.iter().map(|Setting { key, value, from }| {
            (key.name.to_owned(), json!({ "value": value.as_deref().map(shown), "from": from }))
        });
        let settings: serde_json::Map<String, Value> = settings.collect();
        let config = json!({ "file": file, "settings": settings, "store_variables": variables });
        return Ok(writeln!(out, "{config}")?);
    }
    writeln!(out, "{:<27}{}", "file", file.as_deref().unwrap_or("none"))?;
    for Setting { key, value, from } in &args.settings {
        let value = value.as_deref().map_or("-".to_owned(), shown);
        writeln!(out, "{:<27}{value:<27} {from}", key.name)?;
    }
    let variables = if variables.is_empty() { "none".to_owned() } else { variables.join(" ") };
    Ok(writeln!(out, "{:<27}{variables}", "variables of stores")?)
}

/// `value` without a password or signature that a URL may carry.
fn shown(value: &str) -> String {
    let Some(mut url) = Url::parse(value).ok().filter(|_| value.contains("://")) else { return value.to_owned() };
    let is_secret = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    if !is_secret {
        return value.to_owned();
    }
    // A URL that cannot have a name has none to hide.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    format!("{url} (with parts that are not shown)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_only_its_owner_knows() {
        assert_eq!(shown("s3://bucket/wh"), "s3://bucket/wh");
        assert_eq!(shown("https://me:secret@host/wh?sig=secret"), "https://host/wh (with parts that are not shown)");
        assert_eq!(shown("C:\\data"), "C:\\data");
    }
}
