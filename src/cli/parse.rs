//! From words to a command: flags beat the environment, which beats the configuration file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, FromArgMatches};

use super::{Cli, CliError, Command, command};
use crate::commands::config::Setting;
use crate::config::{Config, ConfigError, KEYS, Key};
use crate::pipeline::Pipeline;

/// Reads a command line, the program's name first.
///
/// The values of the configuration file become the defaults of the flags that they stand for, so that the rest of the
/// program sees flags only.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, CliError> {
    let words: Vec<_> = words.into_iter().collect();
    let command = command();
    // What is required may be in the file, and which file that is, is in the words.
    let lenient = command.clone().mut_subcommands(|command| command.mut_args(|arg| arg.required(false)));
    let file = match lenient.try_get_matches_from(&words) {
        Ok(matches) => matches.get_one::<PathBuf>("config").cloned(),
        // The command line as it is says it better, help above all.
        Err(error) => return Err(command.clone().try_get_matches_from(&words).err().unwrap_or(error).into()),
    };
    let config = Config::load(file.as_deref())?;
    let matches = configured(command, &config)?.try_get_matches_from(&words).map_err(usage)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(usage)?;
    if let Some((_, matches)) = matches.subcommand() {
        let file = config.file().map(PathBuf::from);
        let settings = || KEYS.iter().map(|key| setting(key, matches, &config)).collect();
        match &mut cli.command {
            Command::Config(args) => (args.file, args.settings) = (file, settings()),
            Command::Init(args) => (args.file, args.settings) = (file, settings()),
            _ => {}
        }
    }
    Ok(cli)
}

/// `command` with the values of the file as the defaults of its flags.
fn configured(mut command: clap::Command, config: &Config) -> Result<clap::Command, ConfigError> {
    let names: Vec<_> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for (key, value) in KEYS.iter().filter_map(|key| Some((key, config.value(key)?))) {
        let Some(flag) = key.flag else { continue };
        // A default lives as long as the command, which is as long as the program.
        let text: &'static str = value.to_owned().leak();
        let parameter: &'static str = format!("{flag}={value}").leak();
        let mut is_checked = false;
        for name in &names {
            let Some(subcommand) = command.find_subcommand(name) else { continue };
            let has = |flag: &str| subcommand.get_arguments().any(|arg| arg.get_id() == flag);
            let (is_flag, is_script) = (has(flag) && key.applies_to(name), has("configured"));
            if let Some(arg) = subcommand.get_arguments().find(|arg| is_flag && !is_checked && arg.get_id() == flag) {
                check(arg, value).map_err(|reason| ConfigError::Value {
                    file: config.file().map(PathBuf::from).unwrap_or_default(),
                    key: key.name,
                    reason,
                })?;
                is_checked = true;
            }
            command = command.mut_subcommand(name, |mut command| {
                if is_flag {
                    command = command.mut_arg(flag, |arg| arg.required(false).default_value(text));
                }
                if is_script {
                    command = command.mut_arg("configured", |arg| {
                        let others: Vec<_> = arg.get_default_values().to_vec();
                        arg.default_values(others.into_iter().chain([parameter.into()]).collect::<Vec<_>>())
                    });
                }
                command
            });
        }
    }
    Ok(command)
}

/// Why a flag does not take a value.
fn check(arg: &Arg, value: &str) -> Result<(), String> {
    let flag = arg.get_long().unwrap_or_default();
    let alone = clap::Command::new("").no_binary_name(true).arg(arg.clone().required(false));
    let Err(error) = alone.try_get_matches_from([format!("--{flag}={value}")]) else { return Ok(()) };
    let text = error.to_string();
    Err(text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

/// What a key is set to, and by what.
fn setting(key: &'static Key, matches: &ArgMatches, config: &Config) -> Setting {
    let file = || config.file().map(|file| file.display().to_string()).unwrap_or_default();
    let from_file = config.value(key).map(|value| (Some(value.to_owned()), file()));
    let Some(flag) = key.flag else {
        let (value, from) = from_file.unwrap_or((Some(key.help.to_owned()), "default".to_owned()));
        return Setting { key, value, from };
    };
    let given = matches.get_raw(flag).and_then(|mut values| values.next());
    let given = given.map(|value| value.to_string_lossy().into_owned());
    let (value, from) = match matches.value_source(flag) {
        Some(ValueSource::CommandLine) => (given, format!("--{}", key.long().unwrap_or_default())),
        Some(ValueSource::EnvVariable) => (given, variable(flag).unwrap_or_default()),
        _ => match (from_file, KEYS.iter().find(|other| other.flag == key.flag && other.name != key.name)) {
            (Some(from_file), _) => from_file,
            (None, Some(other)) => match config.value(other).filter(|_| key.commands.len() > other.commands.len()) {
                Some(value) => (Some(value.to_owned()), format!("{}: {}", file(), other.name)),
                None => (None, "default".to_owned()),
            },
            (None, None) => (given.or_else(|| default(flag)), "default".to_owned()),
        },
    };
    Setting { key, value, from }
}

/// The variable of a flag.
fn variable(flag: &str) -> Option<String> {
    let command = command();
    let arg = command.get_subcommands().flat_map(clap::Command::get_arguments).find(|arg| arg.get_id() == flag)?;
    Some(arg.get_env()?.to_string_lossy().into_owned())
}

/// The default of the first pipeline that has a parameter of this name.
fn default(flag: &str) -> Option<String> {
    let mut scripts = ["ingest", "compact"].into_iter().filter_map(|name| Pipeline::named(name)?.script().ok());
    let text = scripts.find_map(|script| script.parameter(flag)?.default_text())?;
    Some(text).filter(|text| text != "NULL" && !text.is_empty())
}

/// What is missing can be given in three ways, of which clap knows one or two.
fn usage(mut error: clap::Error) -> CliError {
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return error.into() };
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return error.into();
    }
    let ways = missing.iter().filter_map(|flag| {
        let id = flag.split(' ').next()?.trim_start_matches("--").replace('-', "_");
        let key = KEYS.iter().find(|key| key.flag == Some(&id))?;
        let variable = variable(&id).map_or(String::new(), |variable| format!("variable {variable}, or "));
        Some(format!("give --{}, {variable}{} in earthcatalog.toml", id.replace('_', "-"), key.name))
    });
    let ways: Vec<_> = ways.map(|way| way.into()).collect();
    if !ways.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(ways));
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::ScriptArgs;

    fn parsed(file: &str, words: &[&str]) -> Result<Cli, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, file).unwrap();
        let config = ["--config".as_ref(), path.as_os_str()];
        let words = ["earthcatalog"].iter().chain(words).map(|word| OsString::from(*word));
        parse(words.chain(config.map(OsString::from)))
            .map_err(|e| e.to_string().replace(path.to_str().unwrap(), "c.toml"))
    }

    const FILE: &str = "
        [catalog]
        db_path = 'of-file.db'
        warehouse = 'of-file'
        [grid]
        resolution = 3
        [resources]
        workers = 2
        memory = '1GB'
        [ingest]
        max_workers = 7
        chunk_size = 5
        [compact]
        retain = '5m'
    ";

    #[test]
    fn the_file_fills_in_what_flags_leave_out() {
        let Command::Ingest(args) = parsed(FILE, &["ingest", "--inventory", "i", "--catalog", "c.db"]).unwrap().command
        else {
            panic!()
        };
        assert_eq!((args.source.at.catalog.as_str(), args.source.at.warehouse.as_deref()), ("c.db", Some("of-file")));
        assert_eq!((args.source.h3_resolution, args.source.chunk_size), (Some(3), Some(5)));
        assert_eq!(args.threads.workers(), 7);
        let Command::Compact(args) = parsed(FILE, &["compact"]).unwrap().command else { panic!() };
        assert_eq!((args.resources.workers(), args.resources.memory), (2, Some(1_000_000_000)));
        assert_eq!(args.retain.unwrap().as_secs(), 300);
    }

    #[test]
    fn a_script_is_told_what_the_file_says_of_its_parameters() {
        let Command::Run(args) = parsed(FILE, &["run", "ingest", "--set", "inventory=i.csv"]).unwrap().command else {
            panic!()
        };
        let script = crate::pipeline::INGEST.script().unwrap();
        let ScriptArgs { parameters, catalog, warehouse, .. } = args.script;
        let arguments = parameters.arguments(&script, catalog.as_deref(), warehouse.as_deref());
        let bound = script.bind(&arguments).unwrap();
        let text = bound.iter().map(|s| s.ast().to_string()).collect::<Vec<_>>().join("\n");
        assert!(text.contains("LOCATION 'of-file'"), "{text}");
        // The text leaves out the options.
        let all = format!("{:?}", bound.iter().map(|s| s.ast()).collect::<Vec<_>>());
        assert!(all.contains("h3_resolution\", Number(\"3\""), "{all}");
    }

    #[test]
    fn a_value_that_the_flag_would_not_take_is_named_with_file_and_key() {
        let error = parsed("[grid]\nresolution = 16", &["config"]).unwrap_err();
        assert!(error.starts_with("c.toml: grid.resolution: invalid value '16' for '--h3-resolution"), "{error}");
        let error = parsed("[resources]\nmemory = 'much'", &["config"]).unwrap_err();
        assert!(error.contains("resources.memory: invalid value 'much'") && error.contains("512MB"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named_with_the_three_ways_to_give_it() {
        let error = parsed("", &["info"]).unwrap_err();
        for way in ["--catalog", "EARTHCATALOG_CATALOG", "catalog.db_path in earthcatalog.toml"] {
            assert!(error.contains(way), "{way}: {error}");
        }
    }

    #[test]
    fn every_key_has_a_flag_that_some_command_has() {
        let command = command();
        for key in KEYS {
            let Some(flag) = key.flag else { continue };
            let mut commands = command.get_subcommands().filter(|c| c.get_arguments().any(|a| a.get_id() == flag));
            assert!(commands.any(|c| c.get_name() != "config" && key.applies_to(c.get_name())), "{}", key.name);
        }
    }
}
