//! What the scanner finds in a JSON text: values by their place, and what a string literal stands for.

use std::borrow::Cow;

use crate::canonical::write_text;

/// A byte range of the text. Texts are shorter than 4 GiB; [`Cursor::new`] refuses longer ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        // `Cursor::new` has checked that every offset fits.
        Self { start: start as u32, end: end as u32 }
    }

    pub fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    pub fn start(self) -> usize {
        self.start as usize
    }
}

/// A string literal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Text {
    /// What is between the quotes.
    pub inner: Span,
    pub escaped: bool,
}

impl Text {
    /// The literal between its quotes, escapes as they are.
    pub fn raw(self, text: &str) -> &str {
        self.inner.of(text)
    }

    /// The literal with its quotes, in one of its spellings: of escapes it has those that JSON needs, so that the same name is the
    /// same text.
    pub fn quoted(self, text: &str) -> Cow<'_, str> {
        match self.decode(text).filter(|_| self.escaped) {
            Some(decoded) => {
                let mut quoted = vec![];
                write_text(&mut quoted, &decoded);
                Cow::Owned(String::from_utf8_lossy(&quoted).into_owned())
            }
            None => Cow::Borrowed(&text[self.inner.start as usize - 1..self.inner.end as usize + 1]),
        }
    }

    /// The string that the literal stands for; `None` if an escape is half of a surrogate pair, which no UTF-8 text holds.
    #[inline]
    pub fn decode(self, text: &str) -> Option<Cow<'_, str>> {
        if self.escaped { unescape(self.raw(text)).map(Cow::Owned) } else { Some(Cow::Borrowed(self.raw(text))) }
    }
}

/// What kind of value a [`Value`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Object,
    List,
    Text(Text),
    Number,
    True,
    False,
    Null,
}

impl Token {
    /// For messages: "`id` is {name}".
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::List => "a list",
            Self::Text(_) => "text",
            Self::Number => "a number",
            Self::True | Self::False => "a boolean",
            Self::Null => "null",
        }
    }
}

/// A value that the scanner has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub span: Span,
    pub token: Token,
}

/// `raw` is the inside of a literal that the scanner has passed, so its escapes are well-formed.
#[cold]
fn unescape(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (character, length) = match rest.as_bytes().get(at + 1)? {
            b'u' => match code_unit(rest, at)? {
                high @ 0xD800..0xDC00 => {
                    let low = code_unit(rest, at + 6).filter(|low| (0xDC00..0xE000).contains(low))?;
                    (char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))?, 12)
                }
                unit => (char::from_u32(unit)?, 6),
            },
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            &same => (char::from(same), 2),
        };
        out.push(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(out)
}

/// The UTF-16 code unit of the escape `\uXXXX` at `at`.
fn code_unit(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(inner: &str) -> Option<String> {
        let text = Text { inner: Span::new(0, inner.len()), escaped: inner.contains('\\') };
        text.decode(inner).map(Cow::into_owned)
    }

    #[test]
    fn escapes_become_characters() {
        assert_eq!(decode("plain é").unwrap(), "plain é");
        assert_eq!(decode(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83e\uDDCAz"#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\té\u{1F9CA}z");
    }

    #[test]
    fn half_a_surrogate_pair_stands_for_no_string() {
        for half in [r"\ud83e", r"\ud83ex", r"\ud83e\n", r"\udDCA", r"\ud83e\ud83e"] {
            assert_eq!(decode(half), None, "{half}");
        }
    }
}
