//! What is typed at the prompt and is no SQL: lines that start with a backslash, and the words by which people leave.

use clap::ValueEnum;

use crate::home::with_home;
use crate::output::Format;

/// The commands, for people.
pub(super) const HELP: &str = "\
\\d [TABLE]          tables, or the columns of one
\\df [PART]          functions of earthcatalog, or all with PART in their names
\\i FILE             run the statements of a file
\\o FILE STATEMENT   write the rows of a statement to a file, in the format of its name
\\output FORMAT      write rows as table, expanded, json, ndjson, csv or geojson
\\x                  turn on or off a line for each value, with none cut
\\pager              turn on or off the pager for answers that are longer than the screen
\\timing             turn on or off how long statements take
\\stats              turn on or off what was read, and what pruned the rest
\\q                  leave the prompt; Ctrl-D does the same
A statement ends with a semicolon and may have several lines; Ctrl-C stops a running statement.";

/// The words of commands, for completion.
pub(super) const WORDS: [&str; 11] =
    ["\\?", "\\d", "\\df", "\\i", "\\o", "\\output", "\\pager", "\\q", "\\stats", "\\timing", "\\x"];

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Quit,
    Help,
    Tables,
    Columns(String),
    /// With the part of a name, which may be empty.
    Functions(String),
    File(String),
    Out {
        file: String,
        sql: String,
    },
    Output(Format),
    Expanded,
    Pager,
    Timing,
    Stats,
}

impl Command {
    /// The command that `lines` is; `None` if it is SQL.
    pub(super) fn parse(lines: &str) -> Option<Result<Self, String>> {
        let text = lines.trim();
        match text.trim_end_matches(';').trim().to_ascii_lowercase().as_str() {
            "quit" | "exit" => return Some(Ok(Self::Quit)),
            "help" => return Some(Ok(Self::Help)),
            _ => {}
        }
        let text = text.strip_prefix('\\')?;
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let name = rest.trim_end_matches(';').trim_matches('"');
        Some(match (word, rest.is_empty()) {
            ("q" | "quit", _) => Ok(Self::Quit),
            ("?" | "h" | "help", _) => Ok(Self::Help),
            ("d" | "dt", true) => Ok(Self::Tables),
            ("d" | "dt", false) => Ok(Self::Columns(name.to_owned())),
            ("df", _) => Ok(Self::Functions(name.to_owned())),
            ("x", _) => Ok(Self::Expanded),
            ("pager", _) => Ok(Self::Pager),
            ("timing", _) => Ok(Self::Timing),
            ("stats", _) => Ok(Self::Stats),
            ("i", false) => Ok(Self::File(with_home(name))),
            ("o", false) => match rest.split_once(char::is_whitespace) {
                Some((file, sql)) => Ok(Self::Out { file: with_home(file), sql: sql.trim().to_owned() }),
                None => Err("\\o takes a file and a statement".to_owned()),
            },
            ("output", false) => Format::from_str(name, true).map(Self::Output).map_err(|_| {
                let formats = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
                let names: Vec<_> = formats.map(|format| format.get_name().to_owned()).collect();
                format!("\\output takes one of {}", names.join(", "))
            }),
            ("i" | "o" | "output", true) => Err(format!("\\{word} needs an argument; \\? says which")),
            _ => Err(format!("there is no command \\{word}; \\? lists the commands")),
        })
    }

    /// Whether `lines` wait for the next one, because a command goes on with a statement.
    pub(super) fn statement(lines: &str) -> Option<&str> {
        let rest = lines.trim_start().strip_prefix("\\o")?.strip_prefix(char::is_whitespace)?.trim_start();
        Some(rest.split_once(char::is_whitespace).map_or("", |(_, sql)| sql))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_sql() {
        let parse = |line: &str| Command::parse(line).map(Result::unwrap);
        assert_eq!(parse("SELECT 1;"), None);
        assert_eq!(parse("exit;"), Some(Command::Quit));
        assert_eq!(parse(" \\d \"items$files\" "), Some(Command::Columns("items$files".into())));
        assert_eq!(parse("\\df"), Some(Command::Functions(String::new())));
        assert_eq!(parse("\\output NDJSON"), Some(Command::Output(Format::Ndjson)));
        let out = Command::Out { file: "a.csv".into(), sql: "SELECT 1;".into() };
        assert_eq!(parse("\\o a.csv SELECT 1;"), Some(out));
    }

    #[test]
    fn what_a_command_lacks_is_said() {
        let fails = |line: &str| Command::parse(line).unwrap().unwrap_err();
        assert_eq!(fails("\\y"), "there is no command \\y; \\? lists the commands");
        assert!(fails("\\output xml").starts_with("\\output takes one of table, expanded, json"));
        assert_eq!(fails("\\o a.csv"), "\\o takes a file and a statement");
        assert_eq!(fails("\\i"), "\\i needs an argument; \\? says which");
    }
}
