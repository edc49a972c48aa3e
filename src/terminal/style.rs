//! Colours, as clap has them for its own messages: where a terminal takes them, and `NO_COLOR`, `CLICOLOR` and
//! `CLICOLOR_FORCE` do not say otherwise. Of bold, faint and red, all can be read on light and on dark.

use std::fmt;
use std::io;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// The names of columns and values.
pub const HEADING: Style = Style::new().bold();

/// A value that is null, which a text of the same letters is not.
pub const NULL: Style = Style::new().dimmed();

/// What stands before a message.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();

pub fn stdout_is_coloured() -> bool {
    is_coloured(&io::stdout())
}

pub fn stderr_is_coloured() -> bool {
    is_coloured(&io::stderr())
}

fn is_coloured<S: RawStream>(stream: &S) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// `text` in a style, or as it is where there are no colours.
pub fn styled<T: fmt::Display>(text: T, style: Style, is_coloured: bool) -> Styled<T> {
    Styled { text, style: is_coloured.then_some(style) }
}

/// What [`styled`] gives.
pub struct Styled<T> {
    text: T,
    style: Option<Style>,
}

impl<T: fmt::Display> fmt::Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style {
            Some(style) => write!(f, "{style}{}{style:#}", self.text),
            None => self.text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_is_around_the_text_or_absent() {
        assert_eq!(styled("n", HEADING, true).to_string(), "\u{1b}[1mn\u{1b}[0m");
        assert_eq!(styled("n", HEADING, false).to_string(), "n");
    }
}
