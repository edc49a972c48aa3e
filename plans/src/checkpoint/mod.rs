//! Checkpoints: what the tasks of a long run have done, so that the run can be killed and started again.
//!
//! ```text
//! <warehouse>/_checkpoints/<run>/run.json                        what the run is, and how it ended
//! <warehouse>/_checkpoints/<run>/chunk-00012/ingest_stats.json   a chunk that is done, and beside it its part files
//! <warehouse>/_checkpoints/<run>/buckets-<id>/ingest_stats.json  a group of buckets that is merged; its files are where
//!                                                                the table will have them
//! ```
//!
//! - [`RunFolder`]: the folder of a run, and [`RunRecord`], its `run.json`; [`Identity`] names it by what it does.
//! - [`Checkpoint`]: what one task wrote. The sink writes it last, and whoever is first wins.
//! - [`CheckpointedRun`]: how far a run is.
//! - [`RunReport`]: what a run did.

mod folder;
mod identity;
mod record;
mod run_report;
mod state;

pub use folder::{Finished, RunFolder, RunRecord};
pub use identity::Identity;
pub use record::{Checkpoint, Checkpoints, Recorded, TaskOf};
pub(crate) use run_report::RunRecords;
pub use run_report::{Replaced, RunProgress, RunReport, Totals};
pub use state::{CheckpointedRun, RunState};
