//! An enumeration of corruptions of files: each is found, and the finding names the file.

use std::collections::BTreeMap;
use std::fs;

use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::maintenance::{Finding, Severity};

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Corruption {
    Gone,
    Cut,
    Grown,
    /// Another file of its kind is in its place.
    Swapped,
    /// One bit of a page, or of metadata, is another one.
    Flipped,
    /// Another text is in its place, as long as it was.
    Overwritten,
}

use Corruption::*;

/// Which file is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    PartFile,
    Manifest,
    ManifestList,
    KnownIds,
    IdList,
    RecordList,
    Record,
    Index,
}

use Kind::*;

pub(super) fn kind(path: &Path) -> Option<Kind> {
    let (text, name) = (path.to_str().unwrap(), name(path));
    Some(match name.rsplit_once('.')? {
        (stem, "avro") if stem.starts_with("snap-") => ManifestList,
        (_, "avro") => Manifest,
        (stem, "json") if stem.starts_with("_ids-") => KnownIds,
        (stem, "json") if stem.starts_with("_ingested-") => RecordList,
        (stem, "parquet") if stem.starts_with("_ids-") => IdList,
        (stem, "parquet") if stem.starts_with("_item-index-") => Index,
        (_, "parquet") if text.contains("/_ingested/") => Record,
        (_, "parquet") => PartFile,
        _ => return None,
    })
}

/// A generator of numbers that is the same everywhere (SplitMix64).
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// The last byte of a column, which is one of a page's values.
fn byte_of_a_page(path: &Path, random: &mut Random) -> usize {
    let file = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let group = file.metadata().row_group(0);
    let (start, length) = group.column(random.below(group.num_columns())).byte_range();
    (start + length) as usize - 1
}

/// Corrupts a file; `None` where that is not possible.
pub(super) fn corrupt(path: &Path, how: Corruption, others: &[PathBuf], random: &mut Random) -> Option<()> {
    let whole = fs::read(path).unwrap();
    match how {
        Gone => fs::remove_file(path).unwrap(),
        Cut => fs::write(path, &whole[..random.below(whole.len())]).unwrap(),
        Grown => fs::write(path, [&whole[..], &whole[..1 + random.below(40)]].concat()).unwrap(),
        Swapped => {
            let differs = |other: &&PathBuf| fs::read(other).unwrap() != whole;
            let others: Vec<_> = others.iter().filter(differs).collect();
            let other = others.get(random.below(others.len().max(1)))?;
            fs::copy(other, path).unwrap();
        }
        Flipped => {
            let mut flipped = whole.clone();
            let at = match path.extension().unwrap() == "parquet" {
                true => byte_of_a_page(path, random),
                false => random.below(whole.len()),
            };
            flipped[at] ^= 1 << random.below(8);
            fs::write(path, &flipped).unwrap();
        }
        Overwritten => fs::write(path, vec![b'x'; whole.len()]).unwrap(),
    }
    Some(())
}

/// The corruptions of each kind of file, and whether every byte must be read to find them.
const CORRUPTIONS: [(Kind, &[(Corruption, bool)]); 8] = [
    (PartFile, &[(Gone, false), (Cut, false), (Grown, false), (Swapped, true), (Flipped, true), (Overwritten, true)]),
    (
        Manifest,
        &[(Gone, false), (Cut, false), (Grown, false), (Swapped, false), (Flipped, false), (Overwritten, false)],
    ),
    (ManifestList, &[(Gone, false), (Cut, false), (Flipped, false), (Overwritten, false)]),
    (KnownIds, &[(Gone, false), (Cut, false), (Overwritten, false)]),
    (IdList, &[(Gone, false), (Cut, false), (Grown, false), (Flipped, true), (Overwritten, false)]),
    (RecordList, &[(Gone, false), (Cut, false), (Overwritten, false)]),
    (Record, &[(Gone, false), (Cut, false), (Grown, false), (Flipped, true), (Overwritten, false)]),
    // Pages of the index have no checksums, and some bits of them say nothing.
    (Index, &[(Gone, false), (Cut, false), (Grown, false), (Overwritten, false)]),
];

/// So many times the table above, with other files and other bytes.
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn every_corruption_is_found_and_named() {
    let world = World::full().await;
    world.is_whole("before").await;
    // Of the part files, those of the newest snapshot: only these are read.
    let mut by_kind = BTreeMap::<Kind, Vec<PathBuf>>::new();
    for path in world.files() {
        if let Some(kind) = kind(&path) {
            by_kind.entry(kind).or_default().push(path);
        }
    }
    let mut random = Random(17);
    let (mut done, mut missed) = (0, vec![]);
    for _ in 0..ROUNDS {
        for (kind, corruptions) in CORRUPTIONS {
            let files = &by_kind[&kind];
            for (how, deep) in corruptions {
                let path = &files[random.below(files.len())];
                let whole = fs::read(path).unwrap();
                if corrupt(path, *how, files, &mut random).is_none() {
                    continue;
                }
                let verified = world.verify(*deep).await;
                let is_named =
                    |finding: &Finding| finding.severity == Severity::Damage && finding.object.ends_with(name(path));
                if !verified.findings.iter().any(is_named) {
                    missed.push(format!("{how:?} {kind:?} {}: {:#?}", path.display(), verified.findings));
                }
                // What is wrong is told with what is expected and the way out.
                let is_told = |f: &Finding| !f.expected.is_empty() && !f.found.is_empty() && !f.way_out.is_empty();
                assert!(verified.findings.iter().all(is_told), "{:#?}", verified.findings);
                fs::write(path, whole).unwrap();
                done += 1;
            }
        }
    }
    println!("{done} corruptions");
    assert!(missed.is_empty(), "{} of {done} were missed:\n{}", missed.len(), missed.join("\n"));
    assert!(done >= 100, "{done}");
    world.is_whole("after").await;
}

#[tokio::test]
async fn what_nobody_needs_is_a_notice() {
    let world = World::full().await;
    let part = world.files().into_iter().find(|path| kind(path) == Some(PartFile)).unwrap();
    let orphan = part.with_file_name(layout::part_file_name(&"a".repeat(32), 0, 0));
    fs::copy(&part, &orphan).unwrap();
    let half_written = PathBuf::from(format!("{}#1", part.display()));
    fs::write(&half_written, "PAR1").unwrap();
    fs::write(part.with_file_name("theirs.parquet"), "foreign").unwrap();
    let record =
        r#"{"run":"a-1","engine":"1","inventory":"i","options":{},"chunks":1,"started":"2025-01-01T00:00:00Z""#;
    let ended = format!(r#"{record},"finished":{{"at":"2025-01-01T00:00:00Z","report":{{}}}}}}"#);
    let report = serde_json::to_value(crate::checkpoint::RunReport::default()).unwrap();
    let ended = ended.replace(r#""report":{}"#, &format!(r#""report":{report}"#));
    let checkpoints = world.folder.path().join("wh/_checkpoints");
    for (run, document) in
        [("a-1", Some(ended)), ("b-2", Some(format!("{record}}}").replace("a-1", "b-2"))), ("c-3", None)]
    {
        let task = checkpoints.join(run).join("chunk-00000");
        fs::create_dir_all(&task).unwrap();
        fs::write(task.join("ingest_stats.json"), "{").unwrap();
        if let Some(document) = document {
            fs::write(checkpoints.join(run).join("run.json"), document).unwrap();
        }
    }
    let verified = world.verify(false).await;
    let found: Vec<String> = verified.findings.iter().map(|f| format!("{:?} {}", f.check, f.object)).collect();
    let is_found = |check: &str, end: &str| found.iter().any(|text| text.starts_with(check) && text.ends_with(end));
    assert!(is_found("HalfWritten", half_written.to_str().unwrap()), "{found:#?}");
    assert!(is_found("Checkpoint", "/a-1/"), "{found:#?}");
    assert!(is_found("Checkpoint", "b-2/chunk-00000/ingest_stats.json"), "{found:#?}");
    assert!(is_found("Checkpoint", "/c-3/"), "{found:#?}");
    // A checkpoint that cannot be read may name any file.
    assert!(is_found("Unchecked", "orphans"), "{found:#?}");
    assert_eq!((verified.damage, verified.orphans), (0, 0), "{found:#?}");

    fs::remove_dir_all(&checkpoints).unwrap();
    let verified = world.verify(false).await;
    let [orphaned, half] = &verified.findings[..] else { panic!("{:#?}", verified.findings) };
    assert_eq!((verified.damage, verified.notices, verified.orphans), (0, 2, 1));
    assert_eq!(orphaned.object, format!("file://{}", orphan.display()));
    assert_eq!(half.object, half_written.display().to_string());
    clean(&world.warehouse().await, &AT_ONCE).await.unwrap();
    world.is_whole("cleaned").await;
}
