//! Plans as bytes: how they get from the head to a scheduler, and from there to executors.
//!
//! ```text
//! head: plans, cuts ──► Planned(physical plan) ──► scheduler: cuts stages ──► executor: decodes its stage, runs its partition
//!       slices ───────────────────── an object of the warehouse ─────────────► reads its slice of that
//! ```
//!
//! What travels is the physical plan, as the head has made it: who plans, reads the catalog, and that is the head alone.
//! So a table is pinned to the files of its snapshot, and there are no logical nodes or tables to encode but
//! [`Planned`]. Of ours there are [`WriteGeoParquetExec`](crate::sink::WriteGeoParquetExec),
//! [`StacExec`](crate::source::StacExec), [`BucketScanExec`](crate::scan::bucket_files::BucketScanExec) and
//! [`OncePerItemExec`](crate::query::OncePerItemExec); functions travel by name, and `is_repeated` with its ids, unless
//! there are too many ([`knows_too_much`]); everything else is DataFusion's, or the cluster's own codec's. Locations travel,
//! credentials do not: each process opens stores with its own environment.
//!
//! - [`PlanCodec`] and [`PlannedCodec`]: the codecs, over those of the cluster.
//! - `envelope`: what tells versions apart. A plan of another version is refused.
//! - [`Slices`](crate::runtime::Slices): what each partition of a leaf must know; [`sliced`] takes it out of a plan.

mod buckets;
mod envelope;
mod functions;
mod items;
mod physical;
mod planned;
mod slices;
mod stac;
#[cfg(test)]
mod tests;
mod write;

pub use envelope::{set_commit, version};
pub use functions::knows_too_much;
pub use physical::PlanCodec;
pub use planned::{Planned, PlannedCodec, PlannedPlanner};
pub use slices::sliced;
