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
/// An object with a list `features` is an ItemCollection, unless its `type` is Feature; so is a bare list, as some tools
/// write it. Anything else is one Item, valid or not: the decoder says so. A byte order mark at the start is passed over.
///
/// Where `features` stands before `type`, what is found waits for the type, until the document is too long for an Item.
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
    /// What comes next at the top of a document that is an object.
    expected: Expected,
    name: String,
    /// Whether the document says that it is a Feature; `None` before it says what it is.
    is_feature: Option<bool>,
    /// What was found before the document says what it is.
    waiting: Vec<Found>,
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
    /// What is wrong with the collection; what follows is not read.
    fault: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Name,
    Colon,
    Value,
    Comma,
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
            expected: Expected::Name,
            name: String::new(),
            is_feature: None,
            waiting: vec![],
            features: Features::NotSeen,
            list_depth: 2,
            begun: false,
            count: 0,
            feature: None,
            too_long: false,
            fault: None,
        }
    }

    pub fn push(&mut self, piece: &[u8], found: &mut Vec<Found>) {
        self.buffer.extend_from_slice(piece);
        while self.next < self.buffer.len() && self.fault.is_none() {
            if self.in_string {
                self.string();
                continue;
            }
            let byte = self.buffer[self.next];
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                0xef | 0xbb | 0xbf if self.position() < 3 && !self.begun => {}
                b':' => self.colon(),
                b',' => self.comma(),
                b'{' | b'[' => self.open(byte),
                b'}' | b']' => self.close(byte),
                _ => {
                    self.value_start(byte);
                    self.in_string = byte == b'"';
                    self.string_start = self.position();
                }
            }
            self.next += 1;
        }
        if self.fault.is_some() {
            self.next = self.buffer.len();
        }
        if !self.waits() || self.position() > self.max_bytes {
            found.append(&mut self.waiting);
        }
        self.forget();
    }

    /// What is left at the document's end: an Item, or the unfinished feature of a collection.
    /// The error tells what is wrong with a collection.
    pub fn finish(mut self, found: &mut Vec<Found>) -> Result<(), &'static str> {
        found.append(&mut self.waiting);
        let end = self.position();
        let text = |from: u64| (!self.too_long).then(|| Bytes::copy_from_slice(&self.buffer[self.index(from)..]));
        match (self.features, self.feature) {
            (Features::NotSeen, _) => found.push(Found { index: None, range: 0..end, text: text(0) }),
            (_, Some(start)) => found.push(Found { index: Some(self.count), range: start..end, text: text(start) }),
            (Features::Open, None) if self.fault.is_none() => {
                return Err("the ItemCollection ends within its list of features");
            }
            (Features::Closed, None) if self.depth > 0 && self.fault.is_none() => {
                return Err("the ItemCollection ends early");
            }
            (_, None) if self.is_feature == Some(true) => {
                return Err("it has features, its type is Feature, and it is too long for an Item");
            }
            (_, None) => {}
        }
        self.fault.map_or(Ok(()), Err)
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
        if !self.in_string && self.depth == 1 && self.list_depth != 1 {
            self.top_string();
        }
        self.next += 1;
    }

    /// A string at the top of the document has ended: a name, or the value of a member.
    fn top_string(&mut self) {
        let literal = match self.string_start >= self.base {
            true => &self.buffer[self.index(self.string_start)..=self.next],
            false => b"\"\"",
        };
        // Also `featu\u0072es`; what is no text has no name that matters.
        let text: String = serde_json::from_slice(literal).unwrap_or_default();
        if self.expected == Expected::Colon {
            if text == "features" && self.features == Features::Closed {
                self.fault = Some("the ItemCollection has more than one member features");
            }
            self.name = text;
        } else if self.name == "type" {
            self.is_feature = Some(text == "Feature");
            if self.is_feature == Some(true) && self.keeps_all() {
                // All of it is one Item, whatever its member is called.
                self.waiting.clear();
                self.features = Features::NotSeen;
            }
        }
    }

    /// Whether what is found has to wait for the document's type.
    fn waits(&self) -> bool {
        self.is_feature.is_none() && self.list_depth == 2
    }

    /// Whether the buffer has the document from its start on.
    fn keeps_all(&self) -> bool {
        self.base == 0 && !self.too_long
    }

    /// What stands at the top of an object must follow the grammar, or parts of it would be taken for nothing.
    fn expect(&mut self, next: Expected, then: Expected) {
        let is_told = self.depth == 1 && self.list_depth != 1 && self.features != Features::NotSeen;
        if is_told && self.expected != next {
            self.fault = Some("something stands beside the members of the ItemCollection");
        }
        self.expected = then;
    }

    fn colon(&mut self) {
        if self.depth == 1 {
            self.expect(Expected::Colon, Expected::Value);
        }
    }

    fn comma(&mut self) {
        if self.in_features() {
            self.feature_end();
        } else if self.depth == 1 {
            self.expect(Expected::Comma, Expected::Name);
        } else if self.depth == 0 {
            self.rest();
        }
    }

    fn open(&mut self, bracket: u8) {
        let is_bare_list = !self.begun;
        let is_member = self.depth == 1 && self.expected == Expected::Value && self.name == "features";
        self.value_start(bracket);
        let is_collection = is_bare_list || is_member && self.is_feature != Some(true);
        if bracket == b'[' && is_collection && self.features == Features::NotSeen {
            self.features = Features::Open;
            self.list_depth = self.depth + 1;
            self.too_long = false;
        }
        if self.depth == 0 && bracket == b'{' {
            self.expected = Expected::Name;
        }
        self.depth += 1;
    }

    fn close(&mut self, bracket: u8) {
        if self.in_features() {
            self.feature_end();
            if bracket == b'}' {
                self.fault = Some("the list of features is closed by }");
            }
            self.features = Features::Closed;
        } else if self.depth == 1 && bracket == b']' && self.list_depth == 2 && self.features == Features::Closed {
            self.fault = Some("the ItemCollection is closed by ]");
        } else if self.depth == 0 {
            self.rest();
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// Something but white space behind the collection.
    fn rest(&mut self) {
        if self.features == Features::Closed {
            self.fault = Some("something follows the ItemCollection");
        }
    }

    fn value_start(&mut self, byte: u8) {
        self.begun = true;
        if self.in_features() && self.feature.is_none() {
            self.feature = Some(self.position());
        }
        match (self.depth, self.expected) {
            (0, _) => self.rest(),
            (1, Expected::Name) if byte == b'"' => self.expect(Expected::Name, Expected::Colon),
            // The letters and digits behind the first of a number or a word.
            (1, Expected::Comma) if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {}
            (1, _) => self.expect(Expected::Value, Expected::Comma),
            _ => {}
        }
    }

    fn feature_end(&mut self) {
        let Some(start) = self.feature.take() else { return };
        let text = self.buffer[self.index(start)..self.next].trim_ascii_end();
        let range = start..self.position() - (self.next - self.index(start) - text.len()) as u64;
        let fits = !std::mem::take(&mut self.too_long) && text.len() as u64 <= self.max_bytes;
        self.waiting.push(Found { index: Some(self.count), range, text: fits.then(|| Bytes::copy_from_slice(text)) });
        self.count += 1;
    }

    /// Drops what is not needed any more, and what is too long to be of use.
    fn forget(&mut self) {
        let may_be_item = self.waits() && self.position() <= self.max_bytes;
        let needed = match (self.features, self.feature) {
            (Features::NotSeen, _) => self.base,
            _ if may_be_item => self.base,
            (_, Some(start)) => start.max(self.base),
            // A name, or a type, of which more is to come.
            (_, None) if self.in_string && self.depth == 1 => self.string_start.max(self.base),
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
    fn features_before_the_type_of_an_item_are_a_member_of_it() {
        for item in [
            r#"{"features":[{"a":1},{"b":2}],"type":"Feature","id":"x"}"#,
            r#"{"features":[{"a":1}],"typ\u0065":"Feat\u0075re"}"#,
            "\u{feff}{\"features\":[],\"type\":\"Feature\"}",
        ] {
            assert_eq!(texts(item), [(None, item.to_owned())]);
        }
        // Too long for an Item.
        let long = br#"{"features":[{"a":1},{"b":2}],"type":"Feature","id":"x"}"#;
        let (found, end) = scan(long, 5, 20);
        assert_eq!(found.len(), 2);
        assert_eq!(end, Err("it has features, its type is Feature, and it is too long for an Item"));
    }

    #[test]
    fn names_may_be_escaped_and_a_byte_order_mark_may_come_first() {
        assert_eq!(texts(r#"{"featu\u0072es":[{"a":1}]}"#), [(Some(0), r#"{"a":1}"#.into())]);
        assert_eq!(texts("\u{feff}[{\"a\":1},2]"), [(Some(0), r#"{"a":1}"#.into()), (Some(1), "2".into())]);
    }

    #[test]
    fn what_is_no_collection_says_so_behind_what_was_read() {
        for (text, items, fault) in [
            (r#"{"features":[{"a":1}],"features":[{"b":1}]}"#, 1, "more than one member features"),
            (r#"{"features":[{"a":1}],"featur\u0065s":null}"#, 1, "more than one member features"),
            (r#"{"features":[{"a":1}}"#, 1, "closed by }"),
            (r#"{"features":[{"a":1}}, "x": 1}"#, 1, "closed by }"),
            (r#"{"features":[{"a":1}],{"b":1}]}"#, 1, "beside the members"),
            (r#"{"features":[{"a":1}],"x"}"#, 1, ""),
            (r#"{"features":[{"a":1}],garbage}"#, 1, "beside the members"),
            (r#"{"features":[{"a":1}]{"b":1}}"#, 1, "beside the members"),
            (r#"{"features":[{"a":1}]]"#, 1, "closed by ]"),
            (r#"[{"a":1}],garbage"#, 1, "something follows"),
            (r#"[{"a":1}],{"b":1}]"#, 1, "something follows"),
            (r#"[{"a":1}]{"b":1}"#, 1, "something follows"),
            (r#"{"features":[{"a":1}]}{"features":[{"b":1}]}"#, 1, "something follows"),
        ] {
            for piece in [1, 4, 100] {
                let (found, end) = scan(text.as_bytes(), piece, 1 << 20);
                assert_eq!(found.len(), items, "{text}");
                match fault {
                    "" => {}
                    fault => assert!(end.unwrap_err().contains(fault), "{text}: {end:?}"),
                }
            }
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

    /// Parts of documents, put together in good and in bad ways.
    fn framing() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            r#""features":"#,
            r#""featu\u0072es":"#,
            r#""type":"Feature""#,
            r#""type":"FeatureCollection""#,
            r#""links":[{}]"#,
            r#"{"a":1}"#,
            r#"{"b":[{}]}"#,
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            " ",
            "1",
            "null",
            r#""x""#,
            "\u{feff}",
            r#""x":"#,
        ]);
        let good = (prop::collection::vec(0..4u8, 0..4), any::<[bool; 4]>()).prop_map(
            |(features, [mark, first, bare, typed])| {
                let list = features.iter().map(|n| format!(r#"{{"n":{n}}}"#)).collect::<Vec<_>>().join(", ");
                let kind = if typed { r#""type":"FeatureCollection""# } else { r#""type":"Feature""# };
                let object = if first {
                    format!(r#"{{"features":[{list}],{kind}}}"#)
                } else {
                    format!(r#"{{{kind},"features":[{list}]}}"#)
                };
                format!("{}{}", if mark { "\u{feff}" } else { "" }, if bare { format!("[{list}]") } else { object })
            },
        );
        let bad = (good.clone(), prop::collection::vec(part, 0..4), any::<prop::sample::Index>()).prop_map(
            |(good, parts, at)| {
                let cuts: Vec<_> = good.char_indices().map(|(at, _)| at).chain([good.len()]).collect();
                let at = cuts[at.index(cuts.len())];
                format!("{}{}{}", &good[..at], parts.concat(), &good[at..])
            },
        );
        prop_oneof![good, bad]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        /// What serde_json reads is read so, and of what it refuses something is said.
        #[test]
        fn framings_are_read_as_serde_json_does_or_refused(text in framing(), piece in 1..60usize) {
            let (found, end) = scan(text.as_bytes(), piece, 1 << 20);
            let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let parsed = serde_json::from_str::<Value>(bare);
            let value = |found: &Found| {
                let text = found.text.as_ref().unwrap();
                serde_json::from_slice::<Value>(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)).ok()
            };
            let found_parts: Vec<_> = found.iter().map(value).collect();
            let is_refused = end.is_err() || found_parts.iter().any(Option::is_none);
            let is_doubled = |name: &str| text.matches(name).count() > 1;
            match parsed {
                // Which of two types counts is nowhere said.
                Ok(_) if is_doubled("type") => {}
                Ok(_) if is_refused => prop_assert!(is_doubled("featu"), "{}: {:?}", text, end),
                Ok(document) => {
                    let is_item = document.get("type").is_some_and(|kind| kind == "Feature");
                    let list = match &document {
                        Value::Array(list) => Some(list.clone()),
                        Value::Object(members) if !is_item => members.get("features").and_then(Value::as_array).cloned(),
                        _ => None,
                    };
                    let expected: Vec<_> = list.unwrap_or_else(|| vec![document.clone()]).into_iter().map(Some).collect();
                    prop_assert_eq!(found_parts, expected, "{}", text);
                }
                // Members beside the features may be out of order: nothing of them becomes an Item.
                Err(_) => prop_assert!(is_refused || found.iter().all(|f| f.index.is_some()), "{}: {:?}", text, found),
            }
        }
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
