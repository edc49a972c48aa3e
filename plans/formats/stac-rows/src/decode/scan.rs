//! A scanner of JSON text (RFC 8259): it validates every byte that it passes, skipped values included, and tells
//! where values start and end.

use super::number::Decimal;
use super::value::{Span, Text, Token, Value};

/// Containers may be nested this deep below the value that is passed over; deeper text is refused.
///
/// The scanner itself does not recurse: the limit protects the readers of the raw text that the table keeps, sonic-rs
/// in `stac_item` among them.
pub(super) const MAX_DEPTH: usize = 512;

/// Text that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Byte offset of the first byte that does not fit.
    pub at: usize,
    /// What would have fitted there.
    pub expected: &'static str,
}

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

type Result<T> = std::result::Result<T, Malformed>;

impl<'a> Cursor<'a> {
    /// `None` if the text is too long for a [`Span`].
    pub fn new(text: &'a str) -> Option<Self> {
        u32::try_from(text.len()).ok().map(|_| Self { text, at: 0 })
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn seek(&mut self, at: usize) {
        self.at = at;
    }

    /// The rest of the text.
    #[inline(always)]
    pub fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The byte here; 0, which stands nowhere outside a JSON string, at the end.
    #[inline(always)]
    pub fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[cold]
    pub fn expected(&self, expected: &'static str) -> Malformed {
        Malformed { at: self.at, expected }
    }

    pub fn span_from(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    #[inline(always)]
    pub fn whitespace(&mut self) {
        if self.byte() <= b' ' {
            self.whitespace_run();
        }
    }

    fn whitespace_run(&mut self) {
        const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
        while let b'\n' | b' ' | b'\t' | b'\r' = self.byte() {
            self.at += 1;
            // Indentation is a long run of spaces.
            while let Some(chunk) = self.rest().first_chunk::<8>() {
                let others = u64::from_le_bytes(*chunk) ^ SPACES;
                self.at += others.trailing_zeros() as usize / 8;
                if others != 0 {
                    break;
                }
            }
        }
    }

    /// To the end of the text, over whitespace.
    pub fn end(&mut self) -> Result<()> {
        self.whitespace();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("nothing after the JSON value")) }
    }

    /// Into an object: true if the cursor is at a member's name now, false if the object was empty and is passed.
    #[inline]
    pub fn open_object(&mut self) -> Result<bool> {
        self.open(b'{', b'}', "an object")
    }

    /// Into a list: true if the cursor is at an element now, false if the list was empty and is passed.
    #[inline]
    pub fn open_list(&mut self) -> Result<bool> {
        self.open(b'[', b']', "a list")
    }

    #[inline(always)]
    fn open(&mut self, opening: u8, closing: u8, expected: &'static str) -> Result<bool> {
        if self.byte() != opening {
            return Err(self.expected(expected));
        }
        self.at += 1;
        self.whitespace();
        let empty = self.byte() == closing;
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// After a member's value: true if the cursor is at the next member's name now, false if the object is passed.
    #[inline]
    pub fn next_member(&mut self) -> Result<bool> {
        self.next(b'}', "',' or '}'")
    }

    /// After an element: true if the cursor is at the next element now, false if the list is passed.
    #[inline]
    pub fn next_element(&mut self) -> Result<bool> {
        self.next(b']', "',' or ']'")
    }

    #[inline(always)]
    fn next(&mut self, closing: u8, expected: &'static str) -> Result<bool> {
        self.whitespace();
        let byte = self.byte();
        if byte != b',' && byte != closing {
            return Err(self.expected(expected));
        }
        self.at += 1;
        if byte == b',' {
            self.whitespace();
        }
        Ok(byte == b',')
    }

    /// Past a member's name and its colon, to the value.
    #[inline]
    pub fn member_name(&mut self) -> Result<Text> {
        if self.byte() != b'"' {
            return Err(self.expected("the name of a member"));
        }
        let name = self.string()?;
        self.whitespace();
        if self.byte() != b':' {
            return Err(self.expected("':'"));
        }
        self.at += 1;
        self.whitespace();
        Ok(name)
    }

    /// As [`Self::member_name`], but refuses names that are no Unicode text: readers of the raw text do.
    #[inline]
    pub fn unicode_member_name(&mut self) -> Result<Text> {
        let at = self.at;
        let name = self.member_name()?;
        if name.escaped && name.decode(self.text).is_none() {
            return Err(Malformed { at, expected: "no half of a surrogate pair in the name of a member" });
        }
        Ok(name)
    }

    /// Past a value of any kind.
    #[inline]
    pub fn value(&mut self) -> Result<Value> {
        let start = self.at;
        let token = match self.byte() {
            b'"' => Token::Text(self.string()?),
            b'{' => {
                self.container()?;
                Token::Object
            }
            b'[' => {
                self.container()?;
                Token::List
            }
            _ => self.scalar()?,
        };
        Ok(Value { span: Span::new(start, self.at), token })
    }

    /// Past a string literal.
    #[inline]
    fn string(&mut self) -> Result<Text> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_length(self.rest());
            match self.byte() {
                b'"' => {
                    let inner = Span::new(start, self.at);
                    self.at += 1;
                    return Ok(Text { inner, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ if self.at == self.text.len() => return Err(self.expected("the rest of a string")),
                _ => return Err(self.expected("an escape instead of a control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        let length = match self.rest() {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [_, b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => 6,
            _ => return Err(self.expected("an escape that JSON knows")),
        };
        self.at += length;
        Ok(())
    }

    fn scalar(&mut self) -> Result<Token> {
        let (word, token): (&[u8], _) = match self.byte() {
            b'-' | b'0'..=b'9' => {
                let Some((_, end)) = Decimal::read(self.text, self.at) else { return Err(self.expected("a number")) };
                self.at = end;
                return Ok(Token::Number);
            }
            b't' => (b"true", Token::True),
            b'f' => (b"false", Token::False),
            b'n' => (b"null", Token::Null),
            _ => return Err(self.expected("a value")),
        };
        if !self.rest().starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(token)
    }

    /// Past an object or a list, without recursion.
    fn container(&mut self) -> Result<()> {
        // One bit for each open container: set if it is an object.
        let mut objects = [0u64; MAX_DEPTH / 64];
        let mut depth = 0;
        let mut in_object = false;
        loop {
            // Here is the first byte of a value.
            match self.byte() {
                b'"' => {
                    self.string()?;
                }
                opening @ (b'{' | b'[') => {
                    if depth == MAX_DEPTH {
                        return Err(self.expected("at most 512 levels of nesting"));
                    }
                    in_object = opening == b'{';
                    let bit = 1 << (depth % 64);
                    let word = &mut objects[depth / 64];
                    *word = if in_object { *word | bit } else { *word & !bit };
                    depth += 1;
                    self.at += 1;
                    self.whitespace();
                    if self.byte() != if in_object { b'}' } else { b']' } {
                        if in_object {
                            self.member_name()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            // Here is the end of a value, or of a container.
            loop {
                self.whitespace();
                match self.byte() {
                    b',' => {
                        self.at += 1;
                        self.whitespace();
                        if in_object {
                            self.member_name()?;
                        }
                        break;
                    }
                    closing @ (b'}' | b']') if (closing == b'}') == in_object => {
                        self.at += 1;
                        depth -= 1;
                        if depth == 0 {
                            return Ok(());
                        }
                        in_object = objects[(depth - 1) / 64] >> ((depth - 1) % 64) & 1 == 1;
                    }
                    _ => return Err(self.expected(if in_object { "',' or '}'" } else { "',' or ']'" })),
                }
            }
        }
    }
}

impl Value {
    /// The elements, if it is a list.
    pub fn elements(self, text: &str) -> impl Iterator<Item = Value> {
        let mut cursor = Cursor { text, at: self.span.start() };
        // The scanner has passed the list, so it is well-formed.
        let mut another = self.token == Token::List && cursor.open_list().unwrap_or(false);
        std::iter::from_fn(move || {
            let element = if another { cursor.value().ok() } else { None };
            another = element.is_some() && cursor.next_element().unwrap_or(false);
            element
        })
    }
}

/// How many bytes at the start of `bytes` are neither quote, backslash nor control character.
#[inline(always)]
fn plain_length(bytes: &[u8]) -> usize {
    const fn every(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    // Sets the high bit of each byte that is less than `limit`; exact up to and with the first such byte.
    const fn less(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(every(limit)) & !word & every(0x80)
    }
    let mut length = 0;
    while let Some(chunk) = bytes.get(length..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let stops = less(word, b' ') | less(word ^ every(b'"'), 1) | less(word ^ every(b'\\'), 1);
        if stops != 0 {
            return length + stops.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let tail = &bytes[length..];
    length + tail.iter().position(|b| matches!(b, b'"' | b'\\' | 0..b' ')).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pass(text: &str) -> Result<Value> {
        let mut cursor = Cursor::new(text).unwrap();
        cursor.whitespace();
        let value = cursor.value()?;
        cursor.end()?;
        Ok(value)
    }

    fn is_json(text: &str) -> bool {
        // `RawValue` because it neither recurses nor minds surrogates, as the scanner.
        serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
    }

    #[test]
    fn well_formed_and_malformed_texts_are_told_apart() {
        for text in r#"{}
            [ ]
            {"a":[1,{"b":[]},"]"],"c":{}}
            {"a" : 1 , "b":2 }
            [-0 , 0.5e-7 ,1E+2, true,false,null]
            "\u00e9\ud800\n\"\\"
            "é—𝄞"
            [[[[""]]]]"#
            .lines()
            .chain(["\t\r\n 1\n", "\"\u{7f}\""])
        {
            assert!(is_json(text), "{text}");
            pass(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        }
        for text in r#"{
            [
            ]
            }
            [1,]
            [1 2]
            [1}
            [1]]
            [1] 2
            {,}
            {"a":1,}
            {"a"}
            {"a":}
            {1:2}
            {"a":1]
            01
            -
            1.
            .5
            1e
            +1
            NaN
            Infinity
            -Infinity
            nul
            truee
            'a'
            "
            "\
            "\x"
            "\u12g4"
            "\u12"
            /**/1"#
            .lines()
            .chain(["", " ", "\"\n\"", "\u{0}", "\"\u{0}\"", "\u{a0}1"])
        {
            assert!(!is_json(text), "{text}");
            assert!(pass(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused_without_recursion() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(pass(&nested(MAX_DEPTH)).is_ok());
        assert!(pass(&nested(MAX_DEPTH + 1)).is_err());
        assert!(pass(&"[{\"a\":".repeat(1_000_000)).is_err());
    }

    #[test]
    fn a_message_points_at_the_first_byte_that_does_not_fit() {
        assert_eq!(pass(r#"{"a":NaN}"#), Err(Malformed { at: 5, expected: "a value" }));
        assert_eq!(pass("{}}"), Err(Malformed { at: 2, expected: "nothing after the JSON value" }));
    }

    #[test]
    fn a_string_ends_at_its_quote_wherever_it_stands_in_a_word() {
        for length in 0..40 {
            let literal = format!("\"{}\"", "é".repeat(length / 2) + &"x".repeat(length % 2));
            assert!(pass(&literal).is_ok());
            assert!(pass(&literal[..literal.len() - 1]).is_err());
            assert!(pass(&literal.replacen('"', "\"\u{1f}", 1)).is_err());
            assert!(pass(&literal.replacen('"', "\"\\\"", 1)).is_ok());
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_near_json(text in r#"([\[\]{},:"\\ \n0-9.eE+tfn-]|true|null|"a"|\\u00e9|é){0,24}"#) {
            prop_assert_eq!(pass(&text).is_ok(), is_json(&text));
        }
    }
}
