//! The line editor around the prompt: history, completion, several lines.

use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Helper};

use super::Vocabulary;
use super::command::Command;
use crate::script::Script;

const PROMPT: &str = "earthcatalog> ";

/// Before the lines with which a statement goes on.
const CONTINUED: &str = "         ...> ";

/// Reads statements and commands from the terminal.
pub(super) struct Editor {
    editor: rustyline::Editor<Lines, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    pub(super) fn open(words: Vocabulary) -> Result<Self, ReadlineError> {
        let config = Config::builder().completion_type(CompletionType::List).build();
        let mut editor = rustyline::Editor::with_config(config)?;
        editor.set_helper(Some(Lines { words, before: String::new() }));
        let history = history_file();
        if let Some(file) = &history {
            // There is none at first.
            drop(editor.load_history(file));
        }
        Ok(Self { editor, history })
    }

    /// What the user typed up to the end of a statement; `None` at Ctrl-D.
    pub(super) fn read(&mut self) -> Result<Option<String>, ReadlineError> {
        let mut lines = String::new();
        loop {
            if let Some(helper) = self.editor.helper_mut() {
                helper.before.clone_from(&lines);
            }
            match self.editor.readline(if lines.is_empty() { PROMPT } else { CONTINUED }) {
                Ok(line) => {
                    lines.push_str(&line);
                    if is_whole(&lines) {
                        self.editor.add_history_entry(lines.as_str())?;
                        self.save();
                        return Ok(Some(lines));
                    }
                    lines.push('\n');
                }
                // What was typed is dropped.
                Err(ReadlineError::Interrupted) => lines.clear(),
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Completes these words from now on.
    pub(super) fn learn(&mut self, words: Vocabulary) {
        self.editor.set_helper(Some(Lines { words, before: String::new() }));
    }

    /// Keeps the history for the next time; without a place for it, this one has it all the same.
    fn save(&mut self) {
        if let Some(file) = &self.history {
            let saved = file.parent().map_or(Ok(()), std::fs::create_dir_all);
            drop(saved.map_err(ReadlineError::from).and_then(|()| self.editor.save_history(file)));
        }
    }
}

/// `earthcatalog/history` in the user's state folder.
fn history_file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("earthcatalog").join("history"))
}

/// What the editor asks of the lines.
struct Lines {
    words: Vocabulary,
    /// The lines of the statement that were read before.
    before: String,
}

impl Completer for Lines {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let text = format!("{}{}", self.before, &line[..pos]);
        let (start, words) = self.words.complete(&text, text.len());
        Ok((start.saturating_sub(self.before.len()), words))
    }
}

impl Validator for Lines {}

/// Whether the return key ends the input, and does not begin another line of it.
fn is_whole(lines: &str) -> bool {
    match (Command::statement(lines), Command::parse(lines)) {
        (Some(sql), _) => Script::is_ended(sql),
        (None, Some(_)) => true,
        (None, None) => Script::is_ended(lines),
    }
}

impl Hinter for Lines {
    type Hint = String;
}

impl Highlighter for Lines {}

impl Helper for Lines {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_go_on_to_a_semicolon_and_commands_to_the_end_of_the_line() {
        for whole in ["", "SELECT 1;", "\\d items", "quit", "\\o a.csv SELECT 1;", "\\output csv"] {
            assert!(is_whole(whole), "{whole}");
        }
        for open in ["SELECT 1", "SELECT ';", "\\o a.csv SELECT 1", "quit now"] {
            assert!(!is_whole(open), "{open}");
        }
    }
}
