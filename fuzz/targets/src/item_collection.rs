//! A JSON document with Items: its features are the same however it is cut into pieces, and each is a part of it.

use earthcatalog_plans::source::fuzzing::features;
use serde_json::Value;

/// The first byte says into pieces of how many bytes the rest is cut.
pub fn fuzz_item_collection(data: &[u8]) {
    let Some((cut, document)) = data.split_first() else { return };
    let pieces: Vec<&[u8]> = document.chunks(usize::from(*cut).max(1)).collect();
    let (found, finished) = features(&[document]);
    assert_eq!((&found, &finished), (&features(&pieces).0, &features(&pieces).1), "pieces of {cut} bytes");
    let mut end = 0;
    for feature in &found {
        assert!(feature.range.start >= end && feature.range.start <= feature.range.end);
        end = feature.range.end;
        assert!(end <= document.len() as u64);
        let text = &document[feature.range.start as usize..end as usize];
        assert_eq!(feature.text.as_deref(), Some(text));
        super::item::decode(text);
    }
    if let Ok(Value::Object(members)) = serde_json::from_slice(document)
        && let Some(Value::Array(features)) = members.get("features")
        && found.first().is_none_or(|feature| feature.index.is_some())
        && document.windows(10).filter(|window| window == b"\"features\"").count() == 1
    {
        assert_eq!(finished, Ok(()));
        assert_eq!(found.len(), features.len());
    }
}
