//! [`verify`]: whether a warehouse is whole.
//!
//! ```text
//! listing ─ leases ─ checkpoints ─ table ─ lists of manifests ─ manifests ──► data files: there, size, folder
//!                                    │                              │           with `deep`: footer, pages, rows
//!                                    └── known ids, record, index ──┴──► what nothing names
//! ```
//!
//! - [`Finding`]: what is not as it should be; `stored`: one listing of what there is.
//! - `snapshots`, `data_files`, `documents`: what the table names; `unneeded`: what nobody does.
//! - `parquet_file`: a file as bytes; `part_rows`, `recorded`: its rows; `items`: the Items as a whole.

mod data_files;
mod documents;
mod finding;
mod functions;
mod items;
mod named;
mod parquet_file;
mod part_file;
mod part_rows;
mod recorded;
mod snapshots;
mod stored;
mod unneeded;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use datafusion::prelude::SessionContext;
use serde::Serialize;

use self::data_files::{Checked, DataFiles};
use self::finding::Findings;
pub use self::finding::{Check, Damaged, Finding, Severity};
use self::items::Items;
use self::parquet_file::Depth;
use self::snapshots::{Contents, Manifests};
use self::stored::Stored;
use self::unneeded::Needed;
use crate::table::Warehouse;
use crate::table::leases::error::Result;

/// Times that a warehouse is looked at, where others change it meanwhile and something seems to be lost.
const ATTEMPTS: usize = 5;

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Every file of the newest snapshot is read: its pages, and its rows.
    pub deep: bool,
    /// How far it is.
    pub progress: Arc<VerifyProgress>,
}

/// How far a verification is, in data files of the newest snapshot.
#[derive(Debug, Default)]
pub struct VerifyProgress {
    /// 0 as long as nobody knows.
    pub files: AtomicU64,
    pub files_done: AtomicU64,
    pub rows_done: AtomicU64,
}

impl VerifyProgress {
    fn add(&self, done: &Contents) {
        self.files_done.fetch_add(done.files, Ordering::Relaxed);
        self.rows_done.fetch_add(done.rows, Ordering::Relaxed);
    }

    fn start(&self, files: u64) {
        self.files.store(files, Ordering::Relaxed);
        self.files_done.store(0, Ordering::Relaxed);
        self.rows_done.store(0, Ordering::Relaxed);
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    /// The newest; `None` of an empty table.
    pub snapshot: Option<i64>,
    /// Those that the table retains, of which every file was looked for.
    pub snapshots: u64,
    /// Data files of the newest snapshot, their rows and bytes, as its manifests say.
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    pub deep: bool,
    /// Findings that are damage.
    pub damage: u64,
    /// Findings that are not.
    pub notices: u64,
    /// Notices of files that nothing names.
    pub orphans: u64,
    /// The first 10,000 that were found, damage first.
    pub findings: Vec<Finding>,
    /// What of it [`repair`](super::repair) can put right.
    #[serde(skip)]
    pub damaged: Damaged,
    pub seconds: f64,
}

/// Looks at every invariant of a warehouse that can be checked, and changes nothing.
///
/// Without `deep`, metadata and one listing are read: files that the table names are there with the bytes that it says, lie in
/// the folders of their buckets, and add up; manifests are what was written; what lies beside the table can be read. With it, all
/// files of the newest snapshot are read, each page and each row. Files that nobody needs are notices: a clean-up removes
/// them. `session` is one of earthcatalog's; it says how much memory sorts and groups may take.
///
/// Memory: 24 bytes for each file of the warehouse; with `deep`, some 300 for each of the newest snapshot and a column of a
/// row group for each of four files.
///
/// Errors: the table cannot be opened, or a store or the session does not do its part. What is wrong with a warehouse is a
/// finding and not an error.
pub async fn verify(session: &SessionContext, warehouse: &Warehouse, options: &VerifyOptions) -> Result<Verified> {
    let start = Instant::now();
    let mut attempt = 1;
    loop {
        let before = warehouse.load().await?;
        let looked = look_at(session, warehouse, options).await;
        // What was named then may be gone by now because nobody names it any more.
        let is_fine = looked.as_ref().is_ok_and(|verified| verified.damage == 0);
        if is_fine || attempt == ATTEMPTS || warehouse.is_still(&before).await? {
            return looked.map(|verified| Verified { seconds: start.elapsed().as_secs_f64(), ..verified });
        }
        attempt += 1;
    }
}

async fn look_at(session: &SessionContext, warehouse: &Warehouse, options: &VerifyOptions) -> Result<Verified> {
    let depth = if options.deep { Depth::Pages } else { Depth::Footer };
    let mut findings = Findings::default();
    // In the order that makes it safe to call a file an orphan: see `sweep_orphans`.
    let (stored, mut unnamed) = Stored::list(warehouse).await?;
    let stored = Arc::new(stored);
    unneeded::leftovers(warehouse, &mut findings).await?;
    let needed = Needed::find(warehouse, &mut unnamed).await?;
    let state = warehouse.load().await?;
    warehouse.requirements().check_table(&state.metadata, warehouse.catalog())?;

    unnamed.is_named(&state.metadata_location);
    state.metadata.metadata_log().iter().for_each(|log| unnamed.is_named(&log.metadata_file));
    let mut manifests = Manifests::read(warehouse, &state, &stored, &mut unnamed, &mut findings).await?;
    options.progress.start(manifests.files_of_current());
    let damage_before = findings.damage;
    documents::check(warehouse, &state, depth, &stored, &mut unnamed, &mut findings).await?;
    let documents_are_whole = findings.damage == damage_before;

    let damage_before = findings.damage;
    let data_files = DataFiles { session, warehouse, depth, progress: &options.progress };
    let Checked { whole, of_older } = data_files.check(&mut manifests, &stored, &mut unnamed, &mut findings).await?;
    manifests.check_totals(&mut findings);
    let is_whole = findings.damage == damage_before && manifests.are_complete;
    findings.extend(of_older);
    if options.deep {
        let items = Items { session, warehouse, state: &state, files: &whole };
        check_items(&items, is_whole, manifests.have_deletes(), &mut findings).await?;
    }
    let all_named = manifests.are_complete && manifests.contents.iter().all(Option::is_some) && documents_are_whole;
    needed.orphans(warehouse, &unnamed, all_named, &mut findings).await?;

    let Contents { files, rows, bytes } = manifests.current();
    let Findings { damaged, mut kept, damage, notices, orphans } = findings;
    kept.sort();
    Ok(Verified {
        snapshot: state.metadata.current_snapshot_id(),
        snapshots: state.metadata.snapshots().len() as u64,
        files,
        rows,
        bytes,
        deep: options.deep,
        damage,
        notices,
        orphans,
        findings: kept,
        damaged,
        seconds: 0.0,
    })
}

/// What can be said of the Items only where all of their rows are there.
async fn check_items(items: &Items<'_>, is_whole: bool, have_deletes: bool, findings: &mut Findings) -> Result<()> {
    let unchecked = match (is_whole, have_deletes) {
        (false, _) => Some("files of the table are damaged"),
        (true, true) => Some("the table has delete files, so that not all rows count"),
        (true, false) => None,
    };
    if let Some(reason) = unchecked {
        findings.add(Check::Unchecked, "the cells of Items, and what is known of their ids", "all rows", reason);
        return Ok(());
    }
    if items.files.is_empty() {
        return Ok(());
    }
    if !findings.damaged.documents.is_empty() || !findings.damaged.record_files.is_empty() {
        findings.add(Check::Unchecked, "what is known of ids", "all documents", "one of them is damaged");
        return Ok(());
    }
    items.versions(findings).await?;
    items.ids(findings).await?;
    items.index(findings).await?;
    Ok(())
}
