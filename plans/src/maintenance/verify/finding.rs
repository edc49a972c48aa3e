//! [`Finding`]: one thing that is not as it should be, with the way out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::item_key::ItemKey;
use crate::table::LiveFile;

/// The way out of a data file that is gone, or cannot be read.
const LOST_FILE: &str = "put the file back from a backup, go back to a state before it with `earthcatalog rollback`, or take it out of the table with `earthcatalog verify --repair`";

/// The way out of a file of deletions that is gone, or cannot be read: without it, rows would come back.
pub(super) const LOST_DELETES: &str =
    "put the file back from a backup, or go back to a state before it with `earthcatalog rollback`";

/// The way out of what only older snapshots name.
pub(super) const ONLY_OLDER: &str =
    "only older snapshots name it: put it back from a backup, or remove them with `earthcatalog expire --retain 0s`";

/// Findings that are kept; the others are counted.
const MOST: usize = 10_000;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is lost, or answers are wrong.
    Damage,
    /// Nothing is lost, and no answer is wrong.
    Notice,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A file that the table names is there.
    Exists,
    /// It has as many bytes as what names it says.
    Size,
    /// A manifest, a list of manifests, or a document beside the table is what was written.
    Readable,
    /// A manifest has the rows and the cells that its list says.
    Listed,
    /// The totals in the summary of a snapshot are those of its manifests.
    Totals,
    /// As [`Self::Totals`], of a snapshot of another engine, which may count in another way.
    ForeignTotals,
    /// A part file lies in the folder of the bucket that its manifest says.
    Folder,
    /// A snapshot names a data file once.
    NamedOnce,
    /// A document in the table's properties is a Collection.
    Collection,
    /// The footer of a Parquet file can be read.
    Footer,
    /// It has the rows that what names it says.
    Rows,
    /// Its pages are those that were written.
    Pages,
    /// The rows of a part file can be read.
    Content,
    /// The bounds and counts of nulls that a manifest says hold for the rows of a file.
    Bounds,
    /// Those of the file's own row groups do.
    Statistics,
    /// Each row belongs to the bucket of its file.
    Bucket,
    /// The cell of each row is one that its geometry touches.
    Cell,
    /// The columns of a row's bounds hold its geometry.
    Box,
    /// The newest version of an Item has a row in each cell that its geometry touches.
    Cover,
    /// As [`Self::Cover`], of an Item that another engine wrote.
    ForeignCover,
    /// Each Item is among the known ids.
    KnownIds,
    /// Each Item with several versions is listed as such.
    Repeated,
    /// The Items that the ingest record names are in the table, or were deleted.
    Record,
    /// The index by id has the bucket of each row.
    Index,
    /// A file that nothing names, and no run that is at work may have written.
    Orphan,
    /// What a killed process had begun to write.
    HalfWritten,
    /// A checkpoint that no run can use.
    Checkpoint,
    /// What could not be looked at.
    Unchecked,
}

impl Check {
    pub fn severity(self) -> Severity {
        match self {
            Self::ForeignTotals
            | Self::ForeignCover
            | Self::Record
            | Self::Orphan
            | Self::HalfWritten
            | Self::Checkpoint
            | Self::Unchecked => Severity::Notice,
            _ => Severity::Damage,
        }
    }

    fn way_out(self) -> &'static str {
        match self {
            Self::Exists | Self::Size | Self::Readable => {
                "put the file back from a backup, or go back to a state before it with `earthcatalog rollback`"
            }
            Self::Listed | Self::NamedOnce => "go back to an earlier state with `earthcatalog rollback`",
            Self::Totals | Self::ForeignTotals => "only counts are wrong: the rows themselves are checked one by one",
            Self::Folder | Self::Bucket => {
                "bring the file back from a backup, or delete its Items and ingest them again"
            }
            Self::Collection => "give the document again with `earthcatalog collection add`",
            Self::Footer | Self::Rows | Self::Pages | Self::Content | Self::Bounds | Self::Statistics => {
                "bring the file back from a backup, or delete its Items and ingest them again"
            }
            Self::Cell | Self::Box | Self::Cover | Self::ForeignCover => {
                "delete the Item and ingest it again: questions about a place may miss it"
            }
            Self::KnownIds => {
                "delete the document that the newest snapshot names in earthcatalog.known-items: questions are right without it, and slower until the whole table is compacted"
            }
            Self::Repeated => "`earthcatalog compact --threshold 1` leaves one version of each Item",
            Self::Record => {
                "if the Item should be there, ingest its object again: `incremental` takes it for one that is"
            }
            Self::Index => "delete the file, and build the index again with `earthcatalog index`",
            Self::Orphan | Self::HalfWritten | Self::Checkpoint => "`earthcatalog expire` removes it",
            Self::Unchecked => "put the other findings right, and verify again",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    pub severity: Severity,
    pub check: Check,
    /// What it is about: the location of a file, `snapshot ID`, the key of a property, or `COLLECTION/ID` of an Item.
    pub object: String,
    pub expected: String,
    pub found: String,
    /// What to do about it.
    pub way_out: &'static str,
}

impl Finding {
    pub fn new(check: Check, object: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self {
            severity: check.severity(),
            check,
            object: object.into(),
            expected: expected.to_string(),
            found: found.to_string(),
            way_out: check.way_out(),
        }
    }

    /// The same with another way out than the one of its check.
    pub fn with_way_out(self, way_out: &'static str) -> Self {
        Self { way_out, ..self }
    }
}

/// What of the newest snapshot is damaged, and can be put right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damaged {
    /// Data files that are gone, or cannot be read, by location, as their manifests have them.
    pub data_files: BTreeMap<String, LiveFile>,
    /// Properties of the snapshot of which what they name is gone, or cannot be read.
    pub documents: BTreeSet<&'static str>,
    /// Paths of files of the ingest record that are gone, or cannot be read.
    pub record_files: BTreeSet<String>,
    /// Items that have no row in one of their cells.
    pub items: BTreeSet<ItemKey>,
}

impl Damaged {
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// The findings of a verification: the first ones, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub damaged: Damaged,
    pub kept: Vec<Finding>,
    pub damage: u64,
    pub notices: u64,
    pub orphans: u64,
}

impl Findings {
    pub fn push(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Damage => self.damage += 1,
            Severity::Notice => self.notices += 1,
        }
        self.orphans += u64::from(finding.check == Check::Orphan);
        if self.kept.len() < MOST {
            self.kept.push(finding);
        }
    }

    /// Of a data file of the newest snapshot that is gone, or cannot be read.
    pub fn push_data_file(&mut self, file: &LiveFile, finding: Finding) {
        self.damaged.data_files.insert(file.location.clone(), file.clone());
        self.push(finding.with_way_out(LOST_FILE));
    }

    pub fn add(&mut self, check: Check, object: impl Into<String>, expected: impl ToString, found: impl ToString) {
        self.push(Finding::new(check, object, expected, found));
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}
