//! Values of flags that may be long: given in place, in a file, or on standard input.

use std::io::{self, Read};

use super::ArgumentError;
use crate::home::with_home;

/// The value of `--flag`: `value` itself, the content of `@FILE`, or with `-` what `input` has.
pub fn text(flag: &'static str, value: &str, input: &mut dyn Read) -> Result<String, ArgumentError> {
    match value.strip_prefix('@') {
        _ if value == "-" => from_input(flag, input),
        Some(file) => from_file(flag, file),
        None => Ok(value.to_owned()),
    }
}

/// As [`text`]; the value may also be the path of a file as it is.
pub fn text_or_file(flag: &'static str, value: &str, input: &mut dyn Read) -> Result<String, ArgumentError> {
    match std::path::Path::new(value).is_file() {
        true => from_file(flag, value),
        false => text(flag, value, input),
    }
}

/// Ids: in place with commas between them, or one on each line of a file or of standard input, as it is.
pub fn ids(value: &str, input: &mut dyn Read) -> Result<Vec<String>, ArgumentError> {
    let read = text("ids", value, input)?;
    if value != "-" && !value.starts_with('@') {
        return Ok(list(&read));
    }
    let lines = read.trim_start_matches('\u{feff}').split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The values of a list with commas, or with one on each line.
pub fn list(text: &str) -> Vec<String> {
    text.split([',', '\n']).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

fn from_file(flag: &'static str, file: &str) -> Result<String, ArgumentError> {
    let unreadable = |source| ArgumentError::Unreadable { flag, from: file.to_owned(), source };
    std::fs::read_to_string(with_home(file)).map_err(unreadable)
}

fn from_input(flag: &'static str, input: &mut dyn Read) -> Result<String, ArgumentError> {
    let unreadable = |source: io::Error| ArgumentError::Unreadable { flag, from: "standard input".to_owned(), source };
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_in_place_in_a_file_or_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ids.txt");
        std::fs::write(&file, "a\n b,c\n\n").unwrap();
        let path = file.to_str().unwrap();
        let read = |value: &str| text("ids", value, &mut "from input".as_bytes()).map_err(|e| e.to_string());
        assert_eq!(list(&read(&format!("@{path}")).unwrap()), ["a", "b", "c"]);
        assert_eq!([read("a,b"), read("-"), read(path)].map(Result::unwrap), ["a,b", "from input", path]);
        assert!(read("@no/such").unwrap_err().starts_with("--ids: cannot read no/such: "));
        assert_eq!(text_or_file("intersects", path, &mut io::empty()).unwrap(), "a\n b,c\n\n");
    }

    #[test]
    fn an_id_of_a_file_is_a_line_as_it_is() {
        let lines = "\u{feff}a,b\r\n c d \n\n\"e\"";
        assert_eq!(ids("-", &mut lines.as_bytes()).unwrap(), ["a,b", " c d ", "\"e\""]);
        assert_eq!(ids("a, b,,c", &mut io::empty()).unwrap(), ["a", "b", "c"]);
    }
}
