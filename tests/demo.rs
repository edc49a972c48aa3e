//! The tour: every command in it works, and its numbers add up.

use std::path::Path;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::program::{Warehouse, earthcatalog};

/// A tour that has been given: its text, and the folder that it left. Other tests read its warehouse.
pub struct Tour {
    folder: TempDir,
    pub text: String,
}

/// Objects in the tour's inventory.
const OBJECTS: &str = "700";

pub static TOUR: LazyLock<Tour> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let text = earthcatalog(["demo", "--items", OBJECTS, "--dir", folder.path().to_str().unwrap()]).ok();
    Tour { folder, text }
});

impl Tour {
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn warehouse(&self) -> Warehouse {
        Warehouse::below(self.folder())
    }
}

#[test]
fn each_step_is_a_command_followed_by_its_output() {
    let commands: Vec<_> = TOUR.text.lines().filter(|line| line.starts_with("$ ")).collect();
    assert!(commands.iter().any(|line| line.starts_with("$ earthcatalog ingest --inventory ")), "{}", TOUR.text);
    assert!(commands.iter().filter(|line| line.starts_with("$ earthcatalog sql ")).count() >= 4, "{}", TOUR.text);
    for expected in ["committed of 700 listed", "malformed_json", "missing", "superseded", "skipped", "LC08"] {
        assert!(TOUR.text.contains(expected), "{expected} is missing in:\n{}", TOUR.text);
    }
}

#[test]
fn the_tables_agree_with_the_report() {
    let warehouse = TOUR.warehouse();
    let number = |query: &str| warehouse.value(query).as_u64().unwrap();
    // 700 objects: every seventh is odd, by fourteen turns; two of these are duplicates.
    let (duplicates, siblings, old, bad) = (15, 8, 7, 6 * 7);
    assert_eq!(number("SELECT count(*) FROM rejects"), bad);
    assert_eq!(number("SELECT count(DISTINCT id) FROM item_cells"), 700 - siblings - old - bad - duplicates);
    assert_eq!(number("SELECT count(*) FROM items"), number("SELECT count(DISTINCT id) FROM item_cells"));
}

#[test]
fn items_shows_the_newest_version() {
    let newest = TOUR.warehouse().value("SELECT count(*) FROM items WHERE updated = TIMESTAMP '2025-09-01T00:00:00Z'");
    let versions = "SELECT count(DISTINCT id) FROM item_cells WHERE updated = TIMESTAMP '2025-09-01T00:00:00Z'";
    assert_eq!(newest, TOUR.warehouse().value(versions));
    assert_ne!(newest, 0);
}

#[test]
fn a_folder_that_is_not_empty_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "").unwrap();
    let error = earthcatalog(["demo", "--dir", folder.path().to_str().unwrap()]).fails(1);
    assert!(error.contains("is not empty; name a new or empty folder"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
