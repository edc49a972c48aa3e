//! [`title`]: the name of a column, for people.

/// Types by which DataFusion writes constants into the name of an expression: `Int64(1)`.
const TYPES: [&str; 14] = [
    "Utf8View",
    "LargeUtf8",
    "Utf8",
    "Boolean",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
];

/// The name of a column on one line, as SQL writes what it is made of: constants without their types.
pub(super) fn title(name: &str) -> String {
    let (mut title, mut rest) = (String::with_capacity(name.len()), name);
    while !rest.is_empty() {
        let is_word_before = title.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        match constant(rest).filter(|_| !is_word_before) {
            Some((text, length)) => {
                title.push_str(&text);
                rest = &rest[length..];
            }
            None => {
                let mut chars = rest.chars();
                title.extend(chars.next());
                rest = chars.as_str();
            }
        }
    }
    title.replace(char::is_control, " ")
}

/// The constant at the start of a text, as SQL writes it, and how long it is there.
fn constant(text: &str) -> Option<(String, usize)> {
    let (kind, value) = TYPES.iter().find_map(|kind| Some((kind, text.strip_prefix(kind)?.strip_prefix('(')?)))?;
    let head = kind.len() + 1;
    match value.strip_prefix('"') {
        Some(quoted) => {
            let end = quoted.find("\")")?;
            Some((format!("'{}'", quoted[..end].replace('\'', "''")), head + 1 + end + 2))
        }
        None => {
            let end = value.find(')')?;
            let is_plain = value[..end].chars().all(|c| c.is_alphanumeric() || "+-.".contains(c));
            is_plain.then(|| (value[..end].to_owned(), head + end + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_no_types() {
        for (name, expected) in [
            ("json_get_text(items.assets,Utf8(\"data\"))", "json_get_text(items.assets,'data')"),
            ("items.n + Int64(1)", "items.n + 1"),
            ("round(Float64(-1.5e-7),Int64(NULL))", "round(-1.5e-7,NULL)"),
            ("Utf8View(\"it's (x)\")", "'it''s (x)'"),
            ("MyInt64(1)", "MyInt64(1)"),
            ("Int64(", "Int64("),
            ("größe", "größe"),
        ] {
            assert_eq!(title(name), expected);
        }
    }
}
