//! `earthcatalog init`: writes a configuration file with a comment for each setting.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::CommandError;
use super::config::Setting;
use crate::config::FILE_NAMES;

/// Flags of `init`; those of the settings come from the other commands.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The configuration file that there is already, if there is one.
    #[arg(skip)]
    pub(crate) file: Option<PathBuf>,
    #[arg(skip)]
    pub(crate) settings: Vec<Setting>,
}

/// Writes `earthcatalog.toml` in the working directory: what is set by a flag or a variable, and as comments all else.
///
/// Errors: there is a configuration file already; the file cannot be written.
pub fn run(args: &InitArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    if let Some(file) = &args.file {
        return Err(CommandError::HasConfig(file.clone()));
    }
    let [name, ..] = FILE_NAMES;
    let path = Path::new(name);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => CommandError::HasConfig(path.to_owned()),
        _ => CommandError::ConfigFile { path: path.to_owned(), source },
    };
    let mut file = File::create_new(path).map_err(failed)?;
    file.write_all(document(&args.settings).as_bytes()).map_err(failed)?;
    Ok(writeln!(out, "{:<12}{name}; `earthcatalog config` shows what holds", "written")?)
}

/// The text of the file.
fn document(settings: &[Setting]) -> String {
    let mut text =
        "# Settings of earthcatalog for the commands in this folder. Flags and variables win over them.\n".to_owned();
    let mut last_section = "";
    for Setting { key, value, from } in settings {
        let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if section != last_section {
            text.push_str(&format!("\n[{section}]\n"));
            last_section = section;
        }
        let of = if key.commands.is_empty() { String::new() } else { format!(" ({})", key.commands.join(", ")) };
        text.push_str(&format!("# {}{of}\n", key.help));
        let is_set = from != "default";
        let mark = if is_set { "" } else { "# " };
        let value = value.as_deref().map_or("…".to_owned(), literal);
        text.push_str(&format!("{mark}{name} = {value}\n"));
    }
    text
}

/// A value as TOML writes it.
fn literal(value: &str) -> String {
    match value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok() {
        true => value.to_owned(),
        // A text of JSON is one of TOML.
        false => serde_json::Value::from(value).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, KEYS};

    #[test]
    fn what_is_set_is_written_and_each_comment_is_a_setting() {
        let settings = KEYS.iter().map(|key| {
            let (value, from) = match key.name {
                "catalog.db_path" => (Some("a \"b\".db"), "--catalog"),
                "ingest.chunk_size" => (Some("500"), "EARTHCATALOG_CHUNK"),
                "grid.type" => (Some("h3"), "default"),
                "ingest.max_rejects" => (None, "default"),
                _ => (Some("7"), "default"),
            };
            Setting { key, value: value.map(str::to_owned), from: from.to_owned() }
        });
        let text = document(&settings.collect::<Vec<_>>());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("earthcatalog.toml");
        let set = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let config = Config::load(Some(&file)).unwrap();
            KEYS.iter().filter_map(|key| Some((key.name, config.value(key)?.to_owned()))).collect::<Vec<_>>()
        };
        let chosen = [("catalog.db_path", "a \"b\".db".to_owned()), ("ingest.chunk_size", "500".to_owned())];
        assert_eq!(set(&text), chosen, "{text}");
        // Without its mark, each comment with a value is a setting.
        let is_setting = |line: &str| line.starts_with("# ") && line.contains(" = ") && !line.ends_with('…');
        let lines = text.lines().map(|line| if is_setting(line) { &line[2..] } else { line });
        assert_eq!(set(&lines.collect::<Vec<_>>().join("\n")).len(), KEYS.len() - 1, "{text}");
    }
}
