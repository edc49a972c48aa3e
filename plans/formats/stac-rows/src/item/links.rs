//! The links of an Item, as a server of Items has them.

use sonic_rs::{JsonValueTrait, LazyValue, to_array_iter, to_object_iter};

use super::{ItemError, Object};

/// Appends `item`, a JSON object, with other links: of its own, those whose `rel` is one of `replaced` are left out, and
/// `links`, JSON objects with commas between them, come behind the others. All other members stay as they are written.
///
/// Errors: the text is no JSON object, or its links are no JSON.
pub fn write_with_links(item: &str, replaced: &[&str], links: &str, out: &mut Vec<u8>) -> Result<(), ItemError> {
    let mut written = Object::open(out);
    let mut has_links = false;
    for member in to_object_iter(item) {
        let (name, value) = member.map_err(|source| ItemError::Json { column: "item", source })?;
        let out = written.member(&name);
        if name == "links" {
            has_links = true;
            write_links(&value, replaced, links, out)?;
        } else {
            out.extend_from_slice(value.as_raw_str().as_bytes());
        }
    }
    if !has_links {
        written.member("links").extend_from_slice(format!("[{links}]").as_bytes());
    }
    written.close();
    Ok(())
}

fn write_links(own: &LazyValue, replaced: &[&str], links: &str, out: &mut Vec<u8>) -> Result<(), ItemError> {
    let start = out.len();
    let mut write = |link: &str| {
        out.push(if out.len() == start { b'[' } else { b',' });
        out.extend_from_slice(link.as_bytes());
    };
    // What is no list has no links.
    let list = if own.is_array() { own.as_raw_str() } else { "[]" };
    for link in to_array_iter(list) {
        let link = link.map_err(|source| ItemError::Json { column: "links", source })?;
        let is_replaced = link.get("rel").is_some_and(|rel| rel.as_str().is_some_and(|rel| replaced.contains(&rel)));
        if !is_replaced {
            write(link.as_raw_str());
        }
    }
    if !links.is_empty() {
        write(links);
    }
    if out.len() == start {
        out.push(b'[');
    }
    out.push(b']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(item: &str, links: &str) -> String {
        let mut out = vec![];
        write_with_links(item, &["self", "root"], links, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn some_links_are_replaced_and_the_rest_is_as_it_was_written() {
        let item = r#"{"id":"a","links":[{"rel":"self","href":"x"}, {"href": 1.0, "rel":"via"},{"rel":"root"},7,{}],"n":1.50}"#;
        assert_eq!(
            linked(item, r#"{"rel":"root","href":"/"}"#),
            r#"{"id":"a","links":[{"href": 1.0, "rel":"via"},7,{},{"rel":"root","href":"/"}],"n":1.50}"#
        );
        assert_eq!(linked(r#"{"links":[{"rel":"self"}]}"#, ""), r#"{"links":[]}"#);
        assert_eq!(linked(r#"{"links":[],"a\"b":1}"#, "{}"), r#"{"links":[{}],"a\"b":1}"#);
        assert_eq!(linked(r#"{"links":null}"#, "{}"), r#"{"links":[{}]}"#);
        assert_eq!(linked("{}", "{}"), r#"{"links":[{}]}"#);
        assert!(write_with_links("[]", &[], "", &mut vec![]).is_err());
    }
}
