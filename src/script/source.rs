//! The text of a script, and where in it things are.

use std::sync::Arc;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::error::{Place, ScriptError};

/// A script's name and text.
#[derive(Debug, Clone)]
pub(super) struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

/// Lines of a statement that an error quotes at most.
const QUOTED_LINES: usize = 12;

/// Characters of a line that an error quotes, at most.
const QUOTED_CHARACTERS: usize = 160;

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn place(&self, at: Location) -> Place {
        Place::new(&self.name, at)
    }

    pub(super) fn tokens(&self) -> Result<Vec<TokenWithSpan>, ScriptError> {
        Tokenizer::new(&GenericDialect {}, &self.text).tokenize_with_location().map_err(|e| ScriptError::Parse {
            place: self.place(e.location),
            message: e.message,
            quote: self.quote(e.location.line, e.location.line),
        })
    }

    /// The rest of the line from a place on.
    pub(super) fn line_from(&self, at: Location) -> String {
        let line = (1u64..).zip(self.text.lines()).find_map(|(n, line)| (n == at.line).then_some(line));
        let skip = usize::try_from(at.column.saturating_sub(1)).unwrap_or_default();
        line.unwrap_or_default().chars().skip(skip).collect::<String>().trim_end().to_owned()
    }

    /// Lines `first` to `last` (one-based), numbered; the middle is left out where they are many.
    pub(super) fn quote(&self, first: u64, last: u64) -> String {
        let lines: Vec<_> = (1u64..).zip(self.text.lines()).filter(|(n, _)| (first..=last).contains(n)).collect();
        let show = |lines: &[(u64, &str)]| {
            lines.iter().map(|(n, line)| format!("\n{n:>6} | {}", cut(line))).collect::<Vec<_>>().concat()
        };
        if lines.len() <= QUOTED_LINES {
            return show(&lines);
        }
        let half = QUOTED_LINES / 2;
        format!("{}\n       …{}", show(&lines[..half]), show(&lines[lines.len() - half..]))
    }
}

/// The beginning of a line that is long.
fn cut(line: &str) -> String {
    match line.char_indices().nth(QUOTED_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Whether a token is more than space and comments.
pub(super) fn significant(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_) | Token::EOF)
}
