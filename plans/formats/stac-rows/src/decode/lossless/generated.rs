//! Generated ITS_LIVE Items with every defect and oddity that the generator knows, against its `truth.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use super::{assert_lossless, data};
use crate::defect::RejectKind::{self, InvalidDatetime, InvalidGeometry, InvalidId, MalformedJson, NotAFeature};

/// The bad objects that are no Items. All others are kept: they are Features with an id, and nothing of them is lost.
const REJECTED: [(&str, RejectKind); 20] = [
    ("truncated-json", MalformedJson),
    ("xml-error-body", MalformedJson),
    ("empty-object", MalformedJson),
    ("nan-literal", MalformedJson),
    ("invalid-utf8", MalformedJson),
    ("trailing-garbage", MalformedJson),
    ("json-array", NotAFeature),
    ("json-string", NotAFeature),
    ("type-collection", NotAFeature),
    ("missing-id", InvalidId),
    ("null-id", InvalidId),
    ("empty-id", InvalidId),
    ("int-id", InvalidId),
    ("string-coordinates", InvalidGeometry),
    ("null-coordinate", InvalidGeometry),
    ("unknown-geometry-type", InvalidGeometry),
    ("geometry-string", InvalidGeometry),
    ("lat-out-of-range", InvalidGeometry),
    ("bad-datetime-text", InvalidDatetime),
    ("datetime-number", InvalidDatetime),
];

#[test]
fn each_kind_of_generated_object_is_kept_whole_or_rejected_for_its_reason() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new("python3")
        .arg(data.join("gen_itslive.py"))
        .args(["--n", "2000", "--seed", "11", "--bad-fraction", "0.4", "--odd-fraction", "0.4"])
        .args(["--legacy-fraction", "0.05", "--dup-fraction", "0.05", "--no-inventory", "--inventory-dir"])
        .args([folder.path(), "--out-dir".as_ref(), folder.path()])
        .output();
    let run = match run {
        Ok(run) => run,
        Err(e) if std::env::var_os("CI").is_none() => return println!("skipped: python3 does not start: {e}"),
        Err(e) => panic!("python3 does not start: {e}"),
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    let mut rejected: BTreeMap<_, _> = REJECTED.into_iter().collect();
    rejected.insert("datetime-impossible-date", InvalidDatetime);
    let mut seen = BTreeSet::new();
    let mut truth = csv::Reader::from_path(folder.path().join("truth.csv")).unwrap();
    let columns = truth.headers().unwrap().clone();
    let column = |name| columns.iter().position(|c| c == name).unwrap();
    let (kind, detail, key) = (column("kind"), column("detail"), column("key"));
    for record in truth.records() {
        let record = record.unwrap();
        let (kind, detail) = (record[kind].to_owned(), record[detail].to_owned());
        if detail == "missing-object" {
            continue;
        }
        let object = fs::read(folder.path().join(&record[key])).unwrap();
        let outcome = assert_lossless(&object, &format!("{kind} {detail} {}", &record[key])).map_err(|defect| {
            assert!(defect.message.len() > 10, "{defect:?}");
            if seen.insert(detail.clone()) {
                println!("{detail}: {} ({defect})", defect.kind.name());
            }
            defect.kind
        });
        let expected = rejected.get(detail.as_str()).filter(|_| kind == "bad").map_or(Ok(()), |kind| Err(*kind));
        assert_eq!(outcome, expected, "{kind} {detail}");
        if outcome.is_ok() && kind == "bad" && seen.insert(detail.clone()) {
            println!("{detail}: kept");
        }
    }
    assert!(rejected.keys().all(|detail| seen.contains(*detail)), "the generator made only {seen:?}");
}
