//! The fuzz targets on stable: each on its corpus, and for some seconds on changed inputs.
//!
//! - `EARTHCATALOG_FUZZ_SECONDS`: how long each target runs; 2 if not set.
//! - `EARTHCATALOG_FUZZ_SEED`: where the sequence of inputs starts; always the same if not set.

mod memory;
mod mutator;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use earthcatalog_fuzz_targets::{TARGETS, seeds};

use mutator::Mutator;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Bytes of an input, at most.
const MAX_BYTES: usize = 1 << 16;

/// Bytes that may be in use for an input beyond its own, and per byte of it. zstd makes 32 KiB of a byte, at most.
const FREE_BYTES: isize = 64 << 20;
const BYTES_PER_BYTE: isize = 40 << 10;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn corpus_folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target)
}

fn files_in(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            files_in(&path, extensions, found);
        } else if extensions.is_empty() || extensions.contains(&extension.as_str()) {
            found.push(path);
        }
    }
}

/// The corpus of a target, and what there is of real data of its kind beside the checkout.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut paths = vec![];
    files_in(&corpus_folder(target), &[], &mut paths);
    assert!(!paths.is_empty(), "{} has no corpus", target);
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/real");
    match target {
        "item" | "item_collection" => files_in(&real, &["json", "geojson"], &mut paths),
        "stac_geoparquet" => files_in(&real, &["parquet"], &mut paths),
        "script" => files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql"), &["sql"], &mut paths),
        _ => {}
    }
    let inputs = paths.iter().map(|path| std::fs::read(path).unwrap()).filter(|input| input.len() <= MAX_BYTES);
    inputs
        .map(|input| {
            if target == "item_collection" && input.first() == Some(&b'{') {
                [b"\x07", &input[..]].concat()
            } else {
                input
            }
        })
        .collect()
}

static REPORT: Mutex<()> = Mutex::new(());

/// Panics of the targets are told, those of the libraries that they ask are not.
static QUIET: Once = Once::new();

fn run(name: &str) {
    QUIET.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !earthcatalog_fuzz_targets::is_in_library() {
                tell(panic);
            }
        }));
    });
    let (_, target) = TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let run = |input: &[u8]| {
        earthcatalog_fuzz_targets::measure();
        let before = memory::start();
        let outcome = std::panic::catch_unwind(|| target(input));
        let peak = memory::peak() - before;
        let limit = FREE_BYTES + BYTES_PER_BYTE * input.len() as isize;
        if outcome.is_err() || peak > limit {
            let _only_one = REPORT.lock();
            let path = std::env::temp_dir().join(format!("earthcatalog-fuzz-{name}-{}", input.len()));
            std::fs::write(&path, input).unwrap();
            panic!("{name} fails with {peak} bytes in use; the input is in {}", path.display());
        }
    };
    let corpus = corpus(name);
    corpus.iter().for_each(|input| run(input));
    let mut mutator = Mutator::new(from_environment("EARTHCATALOG_FUZZ_SEED", 0x5eed) ^ name.len() as u64);
    let end = Instant::now() + Duration::from_secs(from_environment("EARTHCATALOG_FUZZ_SECONDS", 2));
    let mut runs = 0_u64;
    while Instant::now() < end {
        let input = mutator.changed(&corpus, MAX_BYTES);
        run(&input);
        runs += 1;
    }
    println!("{name}: {runs} inputs, made of {}", corpus.len());
}

#[test]
fn items() {
    run("item");
}

#[test]
fn item_collections() {
    run("item_collection");
}

#[test]
fn wkb() {
    run("wkb");
}

#[test]
fn stac_geoparquet_files() {
    run("stac_geoparquet");
}

#[test]
fn inventories_as_csv() {
    run("inventory_csv");
}

#[test]
fn manifests_of_inventories() {
    run("inventory_manifest");
}

#[test]
fn manifests_of_tables() {
    run("manifest");
}

#[test]
fn small_parquet_files() {
    run("small_parquet");
}

#[test]
fn scripts() {
    run("script");
}

#[test]
#[ignore = "writes healthy files of the binary formats into the corpus; for a change of a format"]
fn write_seeds() {
    for (target, _) in TARGETS {
        for (name, file) in seeds::seeds(target) {
            std::fs::write(corpus_folder(target).join(name), file).unwrap();
        }
    }
}
