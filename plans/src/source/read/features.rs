//! Finds the features of an ItemCollection in a JSON text that comes in pieces, without parsing them.

use std::ops::Range;

use bytes::Bytes;
use memchr::memchr2;

/// A part of a document that should be an Item.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Found {
    /// Index in `features`; `None` for the document as a whole.
    pub index: Option<u64>,
    /// Where in the document.
    pub range: Range<u64>,
    /// The text, or `None` if it is longer than the limit.
    pub text: Option<Bytes>,
}

/// Follows the structure of a JSON text: brackets, strings, and the members at its top.
///
/// An object with a list `features`, and no `"type": "Feature"` before it, is an ItemCollection; so is a bare list, as
/// some tools write it. Anything else is one Item, valid or not: the decoder says so.
pub(in super::super) struct FeatureScanner {
    max_bytes: u64,
    /// The text that may still be needed, and where it starts in the document.
    buffer: Vec<u8>,
    base: u64,
    /// The byte of the buffer that comes next.
    next: usize,
    depth: u32,
    in_string: bool,
    escaped: bool,
    string_start: u64,
    /// At the top of the document: a member's name comes next, else its value.
    expects_name: bool,
    name: Vec<u8>,
    is_feature: bool,
    features: Features,
    /// Depth within the list of features.
    list_depth: u32,
    /// A value has begun.
    begun: bool,
    /// Features found so far.
    count: u64,
    /// Where the feature under way starts.
    feature: Option<u64>,
    /// The text under way is longer than the limit, and its start is gone from the buffer.
    too_long: bool,
    /// Something but white space follows the collection.
    has_rest: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Features {
    NotSeen,
    Open,
    Closed,
}

impl FeatureScanner {
    /// A feature, or a document that is an Item, of more than `max_bytes` is found without its text.
    pub fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            buffer: vec![],
            base: 0,
            next: 0,
            depth: 0,
            in_string: false,
            escaped: false,
            string_start: 0,
            expects_name: false,
            name: vec![],
            is_feature: false,
            features: Features::NotSeen,
            list_depth: 2,
            begun: false,
            count: 0,
            feature: None,
            too_long: false,
            has_rest: false,
        }
    }

    pub fn push(&mut self, piece: &[u8], found: &mut Vec<Found>) {
        self.buffer.extend_from_slice(piece);
        while self.next < self.buffer.len() {
            if self.in_string {
                self.string();
                continue;
            }
            let byte = self.buffer[self.next];
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b':' => {}
                b',' => self.comma(found),
                b'{' | b'[' => self.open(byte),
                b'}' | b']' => self.close(found),
                _ => {
                    self.value_start();
                    self.in_string = byte == b'"';
                    self.string_start = self.position();
                }
            }
            if byte == b':' && self.depth == 1 {
                self.expects_name = false;
            }
            self.next += 1;
        }
        self.forget();
    }

    /// What is left at the document's end: an Item, or the unfinished feature of a collection.
    /// The error tells what is wrong with a collection behind its last feature.
    pub fn finish(self, found: &mut Vec<Found>) -> Result<(), &'static str> {
        let end = self.position();
        let text = |from: u64| (!self.too_long).then(|| Bytes::copy_from_slice(&self.buffer[self.index(from)..]));
        match (self.features, self.feature) {
            (Features::NotSeen, _) => found.push(Found { index: None, range: 0..end, text: text(0) }),
            (_, Some(start)) => found.push(Found { index: Some(self.count), range: start..end, text: text(start) }),
            (Features::Open, None) => return Err("the ItemCollection ends within its list of features"),
            (Features::Closed, None) if self.depth > 0 => return Err("the ItemCollection ends early"),
            (Features::Closed, None) if self.has_rest => return Err("something follows the ItemCollection"),
            (Features::Closed, None) => {}
        }
        Ok(())
    }

    /// Where in the document the next byte is.
    fn position(&self) -> u64 {
        self.base + self.next as u64
    }

    fn index(&self, position: u64) -> usize {
        position.saturating_sub(self.base) as usize
    }

    fn in_features(&self) -> bool {
        self.depth == self.list_depth && self.features == Features::Open
    }

    fn string(&mut self) {
        if std::mem::take(&mut self.escaped) {
            self.next += 1;
            return;
        }
        let Some(skip) = memchr2(b'"', b'\\', &self.buffer[self.next..]) else {
            self.next = self.buffer.len();
            return;
        };
        self.next += skip;
        self.escaped = self.buffer[self.next] == b'\\';
        self.in_string = self.escaped;
        if !self.in_string && self.depth == 1 && self.string_start >= self.base {
            let text = &self.buffer[self.index(self.string_start) + 1..self.next];
            if self.expects_name {
                self.name = text.to_vec();
            } else if self.name == b"type" {
                self.is_feature = text == b"Feature";
            }
        }
        self.next += 1;
    }

    fn comma(&mut self, found: &mut Vec<Found>) {
        if self.in_features() {
            self.feature_end(found);
        } else if self.depth == 1 {
            self.expects_name = true;
        }
    }

    fn open(&mut self, bracket: u8) {
        let is_bare_list = !self.begun;
        self.value_start();
        let is_member = self.depth == 1 && !self.expects_name && self.name == b"features" && !self.is_feature;
        if bracket == b'[' && (is_bare_list || is_member) && self.features == Features::NotSeen {
            self.features = Features::Open;
            self.list_depth = self.depth + 1;
            self.too_long = false;
        }
        self.expects_name = self.depth == 0 && bracket == b'{';
        self.depth += 1;
    }

    fn close(&mut self, found: &mut Vec<Found>) {
        if self.in_features() {
            self.feature_end(found);
            self.features = Features::Closed;
        }
        self.has_rest |= self.depth == 0;
        self.depth = self.depth.saturating_sub(1);
    }

    fn value_start(&mut self) {
        self.begun = true;
        if self.in_features() && self.feature.is_none() {
            self.feature = Some(self.position());
        }
        self.has_rest |= self.depth == 0 && self.features == Features::Closed;
    }

    fn feature_end(&mut self, found: &mut Vec<Found>) {
        let Some(start) = self.feature.take() else { return };
        let text = self.buffer[self.index(start)..self.next].trim_ascii_end();
        let range = start..self.position() - (self.next - self.index(start) - text.len()) as u64;
        let fits = !std::mem::take(&mut self.too_long) && text.len() as u64 <= self.max_bytes;
        found.push(Found { index: Some(self.count), range, text: fits.then(|| Bytes::copy_from_slice(text)) });
        self.count += 1;
    }

    /// Drops what is not needed any more, and what is too long to be of use.
    fn forget(&mut self) {
        let needed = match (self.features, self.feature) {
            (Features::NotSeen, _) => self.base,
            (_, Some(start)) => start.max(self.base),
            (_, None) => self.position(),
        };
        let mut drop = self.index(needed);
        if (self.buffer.len() - drop) as u64 > self.max_bytes {
            self.too_long = true;
        }
        if self.too_long {
            drop = self.next;
        }
        self.buffer.drain(..drop);
        self.base += drop as u64;
        self.next -= drop;
    }
}

/// The features of an ItemCollection that is at hand as a whole; `None` if it is none, or is not complete.
pub(in super::super) fn features(document: &Bytes) -> Option<Vec<Found>> {
    let mut scanner = FeatureScanner::new(u64::MAX);
    let mut found = vec![];
    scanner.push(document, &mut found);
    scanner.finish(&mut found).ok()?;
    found.iter().all(|f| f.index.is_some()).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn scan(text: &[u8], piece: usize, max_bytes: u64) -> (Vec<Found>, Result<(), &'static str>) {
        let mut scanner = FeatureScanner::new(max_bytes);
        let mut found = vec![];
        text.chunks(piece).for_each(|piece| scanner.push(piece, &mut found));
        let end = scanner.finish(&mut found);
        (found, end)
    }

    fn texts(text: &str) -> Vec<(Option<u64>, String)> {
        let (found, end) = scan(text.as_bytes(), 3, 1 << 20);
        end.unwrap();
        for Found { range, text: part, .. } in &found {
            assert_eq!(part.as_deref().unwrap(), &text.as_bytes()[range.start as usize..range.end as usize]);
        }
        found.into_iter().map(|f| (f.index, String::from_utf8(f.text.unwrap().to_vec()).unwrap())).collect()
    }

    #[test]
    fn features_are_found_wherever_they_stand() {
        let found = texts(
            r#" {"links":[{"features":[1]}], "features" : [ {"a":"]},\"{"} , {"b":[{}]}  ], "type":"FeatureCollection"} "#,
        );
        assert_eq!(found, [(Some(0), r#"{"a":"]},\"{"}"#.into()), (Some(1), r#"{"b":[{}]}"#.into())]);
        assert!(texts(r#"{"type":"FeatureCollection","features":[]}"#).is_empty());
    }

    #[test]
    fn elements_that_are_no_objects_are_found_too() {
        assert_eq!(
            texts(r#"{"features":[1, "x,]", null]}"#),
            [(Some(0), "1".into()), (Some(1), "\"x,]\"".into()), (Some(2), "null".into())]
        );
    }

    #[test]
    fn an_item_is_one_whole_even_with_a_member_named_features() {
        for item in
            [r#"{"type":"Feature","features":[{}]}"#, r#"{"properties":{"features":[1]}}"#, "x[{}]", "", "nonsense"]
        {
            assert_eq!(texts(item), [(None, item.to_owned())]);
        }
    }

    #[test]
    fn a_bare_list_is_a_collection() {
        assert_eq!(
            texts(r#" [{"a":[1,2]} , {"features":[{}]}]"#),
            [(Some(0), r#"{"a":[1,2]}"#.to_owned()), (Some(1), r#"{"features":[{}]}"#.to_owned())]
        );
        assert!(texts("[]").is_empty());
        assert_eq!(scan(br#"[{"a":1}] x"#, 4, 100).1, Err("something follows the ItemCollection"));
        assert_eq!(scan(br#"[{"a":1},"#, 4, 100).1, Err("the ItemCollection ends within its list of features"));
    }

    #[test]
    fn a_cut_off_collection_says_so() {
        let (found, end) = scan(br#"{"features":[{"a":1},{"b":"#, 4, 100);
        assert_eq!(end, Ok(()));
        assert_eq!(found[1].text.as_deref(), Some(&br#"{"b":"#[..]));
        assert_eq!(
            scan(br#"{"features":[{"a":1},"#, 4, 100).1,
            Err("the ItemCollection ends within its list of features")
        );
        assert_eq!(scan(br#"{"features":[{"a":1}]"#, 4, 100).1, Err("the ItemCollection ends early"));
        assert_eq!(scan(br#"{"features":[]} x"#, 4, 100).1, Err("something follows the ItemCollection"));
    }

    #[test]
    fn too_long_a_feature_has_no_text_and_the_next_one_has() {
        for piece in [1, 5, 1000] {
            let text = br#"{"features":[{"a":"0123456789"},{"b":1}]}"#;
            let (found, end) = scan(text, piece, 10);
            assert_eq!(end, Ok(()));
            assert_eq!((found[0].range.clone(), &found[0].text), (13..31, &None), "pieces of {piece}");
            assert_eq!(found[1].text.as_deref(), Some(&br#"{"b":1}"#[..]));
            let (found, _) = scan(br#"{"type":"Feature","id":1}"#, piece, 10);
            assert_eq!(found, [Found { index: None, range: 0..25, text: None }]);
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), ".{0,8}".prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("features|type|.{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_collection_gives_back_its_features(
            features in prop::collection::vec(json_value(), 0..6), other in json_value(), piece in 1..40usize, pretty: bool
        ) {
            let document = json!({ "other": other, "features": features, "type": "FeatureCollection" });
            let text = if pretty { format!("{document:#}") } else { document.to_string() };
            let (found, end) = scan(text.as_bytes(), piece, 1 << 20);
            prop_assert_eq!(end, Ok(()));
            let values = found.iter().map(|f| serde_json::from_slice::<Value>(f.text.as_ref().unwrap()).unwrap());
            prop_assert_eq!(values.collect::<Vec<_>>(), features);
        }
    }
}
