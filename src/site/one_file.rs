//! [`one_file`]: the overview of a table as one HTML file.

use std::io;

use super::Asset;

const TEMPLATE: &str = include_str!("files/file.html");

/// The modules of the file, each behind those that it imports from.
const MODULES: [&str; 8] =
    ["dom.js", "drawing.js", "geography.js", "map.js", "overview.js", "timeline.js", "views.js", "file.js"];

/// The file, with an overview as JSON. It asks nobody for anything: all that it shows and runs is in it.
pub fn one_file(overview: &str) -> io::Result<String> {
    let mut file = String::new();
    let mut pieces = TEMPLATE.split("{{");
    file.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        file.push_str(&part(name, overview)?);
        file.push_str(rest);
    }
    Ok(file)
}

/// What stands in place of a name of the template.
fn part(name: &str, overview: &str) -> io::Result<String> {
    Ok(match name {
        "overview" => json(overview),
        "file.js" => script(&modules()?),
        _ => {
            let asset = Asset::named(name).ok_or_else(|| io::Error::other(format!("there is no {name}")))?;
            let text = asset.text()?;
            match name.rsplit_once('.') {
                Some((_, "json")) => json(&text),
                Some((_, "js" | "txt")) => script(&text),
                _ => text.into_owned(),
            }
        }
    })
}

/// The modules as one: without what they import from each other, as all is in one place.
fn modules() -> io::Result<String> {
    let mut joined = String::new();
    for name in MODULES {
        let asset = Asset::named(name).ok_or_else(|| io::Error::other(format!("there is no {name}")))?;
        for line in asset.text()?.lines().filter(|line| !line.starts_with("import ")) {
            joined.push_str(line.strip_prefix("export ").unwrap_or(line));
            joined.push('\n');
        }
    }
    Ok(joined)
}

/// JSON within an element: in texts only, `<` is the same as its escape, and ends no element.
fn json(text: &str) -> String {
    text.replace('<', "\\u003c")
}

/// A script within an element, which its own texts do not end.
fn script(text: &str) -> String {
    text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_in_the_file_and_nothing_in_it_ends_an_element() {
        let file = one_file(r#"{"title": "</script><script>alert(1)</script>"}"#).unwrap();
        assert!(!file.contains("{{") && !file.contains("alert(1)</script>"));
        // Two of data, MapLibre with its licence, and ours.
        assert_eq!((file.matches("<script").count(), file.matches("</script>").count()), (5, 5));
        assert!(file.contains(r#"{"title": "\u003c/script>\u003cscript>alert(1)\u003c/script>"}"#));
        for line in modules().unwrap().lines() {
            assert!(!line.starts_with("import") && !line.starts_with("export"), "{line}");
        }
    }
}
