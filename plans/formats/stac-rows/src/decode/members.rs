//! Members of an object that are kept as raw text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use super::value::{Span, Text};

/// Members by their place in the source text. Of members with the same name the last one stays.
#[derive(Debug, Default)]
pub(super) struct Members {
    list: Vec<(Text, Span)>,
    /// Index by name, once the list is too long to look through.
    index: HashMap<String, usize>,
}

/// Up to here comparing with every name is cheaper than hashing one.
const SHORT: usize = 32;

impl Members {
    pub fn clear(&mut self) {
        self.list.clear();
        self.index.clear();
    }

    pub fn put(&mut self, text: &str, name: Text, value: Span) {
        let earlier = if self.list.len() <= SHORT {
            self.list.iter().position(|(other, _)| key(text, *other) == key(text, name))
        } else {
            if self.index.is_empty() {
                self.index
                    .extend(self.list.iter().enumerate().map(|(i, (other, _))| (key(text, *other).into_owned(), i)));
            }
            let i = *self.index.entry(key(text, name).into_owned()).or_insert(self.list.len());
            (i < self.list.len()).then_some(i)
        };
        match earlier {
            Some(i) => self.list[i] = (name, value),
            None => self.list.push((name, value)),
        }
    }

    pub fn contains(&self, text: &str, name: &str) -> bool {
        self.list.iter().any(|(other, _)| key(text, *other) == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Text, Span)> {
        self.list.iter()
    }
}

/// Names that are half a surrogate pair are refused before they come here.
fn key(text: &str, name: Text) -> Cow<'_, str> {
    name.decode(text).unwrap_or_else(|| name.raw(text).into())
}

/// The text of an object, member by member.
#[derive(Debug, Default)]
pub(super) struct ObjectText {
    text: String,
}

impl ObjectText {
    pub fn clear(&mut self) {
        self.text.clear();
    }

    /// `name` with its quotes.
    pub fn put(&mut self, name: &str, value: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push_str(name);
        self.text.push(':');
        self.text.push_str(value);
    }

    /// A member with a list of names that need no escapes.
    pub fn put_names(&mut self, name: &str, names: &[&str]) {
        // Writing to a `String` cannot fail, and debug text of such names is JSON.
        let separator = if self.text.is_empty() { '{' } else { ',' };
        let _ = write!(self.text, "{separator}{name:?}:{names:?}");
    }

    /// `None` if nothing was put.
    pub fn finish(&mut self) -> Option<&str> {
        if self.text.is_empty() {
            return None;
        }
        self.text.push('}');
        Some(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::scan::Cursor;

    /// What is left of the members of `object`, as object text.
    fn kept(object: &str) -> String {
        let mut cursor = Cursor::new(object).unwrap();
        let mut members = Members::default();
        let mut another = cursor.open_object().unwrap();
        while another {
            let name = cursor.member_name().unwrap();
            let value = cursor.value().unwrap().span;
            members.put(object, name, value);
            another = cursor.next_member().unwrap();
        }
        let mut out = ObjectText::default();
        members.iter().for_each(|(name, value)| out.put(&name.quoted(object), value.of(object)));
        out.finish().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_last_of_equal_names_stays_however_it_is_written() {
        assert_eq!(
            kept(r#"{"a":1, "b": [ 2 ],"\u0061":3,"\u00b0\/\u0007\"":4}"#),
            r#"{"a":3,"b":[ 2 ],"°/\u0007\"":4}"#
        );
    }

    #[test]
    fn many_members_are_kept_apart_as_few_are() {
        let members: Vec<String> = (0..200).map(|i| format!("\"m{}\":{i}", i % 100)).collect();
        let last: Vec<String> = (100..200).map(|i| format!("\"m{}\":{i}", i % 100)).collect();
        assert_eq!(kept(&format!("{{{}}}", members.join(","))), format!("{{{}}}", last.join(",")));
    }
}
