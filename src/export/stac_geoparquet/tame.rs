//! Items that are read as rows, and that most JSON readers refuse.

use std::borrow::Cow;

/// Levels of lists and objects that are kept. Arrow's schemas, which Parquet files carry, end at about 30.
const MAX_DEPTH: usize = 24;

/// The same Item as others can read it: half of a surrogate pair becomes U+FFFD, and what is nested deeper than
/// [`MAX_DEPTH`] the text that it is. Borrowed where there is neither.
pub fn tame(item: &str) -> Cow<'_, str> {
    let bytes = item.as_bytes();
    let mut out = String::new();
    // Everything before it has been taken over.
    let mut taken = 0;
    let (mut at, mut depth, mut in_string) = (0, 0_usize, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                let length = escape(&item[at..]);
                if length.is_half {
                    out.push_str(&item[taken..at]);
                    out.push_str("\\ufffd");
                    taken = at + length.bytes;
                }
                at += length.bytes;
                continue;
            }
            b'{' | b'[' if !in_string && depth == MAX_DEPTH => {
                let end = at + value_length(&bytes[at..]);
                out.push_str(&item[taken..at]);
                out.push_str(&serde_json::Value::from(&item[at..end]).to_string());
                (taken, at) = (end, end);
                continue;
            }
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    if taken == 0 {
        return Cow::Borrowed(item);
    }
    out.push_str(&item[taken..]);
    Cow::Owned(out)
}

/// An escape sequence.
struct Escape {
    bytes: usize,
    /// It is half of a surrogate pair.
    is_half: bool,
}

/// The escape at the start of `text`.
fn escape(text: &str) -> Escape {
    match code_unit(text) {
        None => Escape { bytes: 2, is_half: false },
        Some(0xd800..0xdc00) if code_unit(&text[6..]).is_some_and(|low| (0xdc00..0xe000).contains(&low)) => {
            Escape { bytes: 12, is_half: false }
        }
        Some(unit) => Escape { bytes: 6, is_half: (0xd800..0xe000).contains(&unit) },
    }
}

/// The UTF-16 code unit of an escape `\uXXXX` at the start of `text`.
fn code_unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.get(..6)?.strip_prefix("\\u")?, 16).ok()
}

/// The length of the list or object at the start of `bytes`.
fn value_length(bytes: &[u8]) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_others_can_read_stays_as_it_is() {
        for item in [r#"{"a":"\ud83e\uddca \\ud83e \"[","b":[[{}]]}"#, "{}", r#"{"a":"\u00e9\n\\"}"#] {
            assert!(matches!(tame(item), Cow::Borrowed(same) if same == item), "{item}");
        }
    }

    #[test]
    fn halves_of_surrogate_pairs_become_the_replacement_character() {
        for (item, tamed) in [
            (r#"{"a":"x\ud83ey"}"#, r#"{"a":"x\ufffdy"}"#),
            (r#"{"\udDCA":["\ud83e\n","\ud83e\ud83e\uddca"]}"#, r#"{"\ufffd":["\ufffd\n","\ufffd\ud83e\uddca"]}"#),
        ] {
            assert_eq!(tame(item), tamed);
            serde_json::from_str::<Value>(&tame(item)).unwrap();
        }
    }

    #[test]
    fn what_is_nested_too_deep_becomes_text() {
        let nested = |depth: usize| format!("{}\"]\\\"\",1{}", "[".repeat(depth), "]".repeat(depth));
        let item = |depth: usize| format!(r#"{{"a":{},"b":{{"c":"\ud83e"}}}}"#, nested(depth));
        assert_eq!(tame(&item(MAX_DEPTH - 1)), item(MAX_DEPTH - 1).replace("\\ud83e", "\\ufffd"));
        let tamed: Value = serde_json::from_str(&tame(&item(500))).unwrap();
        let mut inner = &tamed["a"];
        while let Some(list) = inner.as_array() {
            inner = &list[0];
        }
        assert_eq!(inner.as_str().unwrap(), nested(500 - MAX_DEPTH + 1));
        assert_eq!(tamed["b"]["c"], "\u{fffd}");
    }
}
