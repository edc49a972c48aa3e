//! What nobody needs and a clean-up removes: orphans, half-written files, checkpoints that are astray.

use std::future::ready;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::finding::{Check, Finding, Findings};
use super::named::count;
use super::stored::Unnamed;
use crate::checkpoint::{Checkpoint, Checkpoints, RunFolder};
use crate::maintenance::expire::hash;
use crate::maintenance::leftovers::Leftovers;
use crate::maintenance::orphans::{before_unfinished_runs, name, old_files, spare_checkpointed};
use crate::model::layout;
use crate::stores::below;
use crate::table::Warehouse;
use crate::table::leases::error::Result;
use crate::table::leases::run_lease::runs_at_work;

/// What runs need that are not finished: found out before the table is read, as [`sweep_orphans`](super::super::sweep_orphans) does.
#[derive(Debug)]
pub(super) struct Needed {
    /// What was written later may be of a run that is at work.
    before: DateTime<Utc>,
    /// Why nobody knows what they need, if so.
    unknown: Option<String>,
}

impl Needed {
    /// Takes from the files that nothing names those that the checkpoints of unfinished runs name.
    pub async fn find(warehouse: &Warehouse, unnamed: &mut Unnamed) -> Result<Self> {
        let before = before_unfinished_runs(warehouse, true).await?;
        let spared = spare_checkpointed(warehouse, &mut unnamed.0, true).await;
        Ok(Self { before, unknown: spared.err().map(|e| e.to_string()) })
    }

    /// Looks for the orphans among the files that nothing has named. `all_named`: everything that names files was read.
    pub async fn orphans(
        &self,
        warehouse: &Warehouse,
        unnamed: &Unnamed,
        all_named: bool,
        findings: &mut Findings,
    ) -> Result<()> {
        let reason = match (&self.unknown, all_named) {
            (Some(reason), _) => reason,
            (None, false) => "metadata cannot be read",
            (None, true) if unnamed.0.is_empty() => return Ok(()),
            (None, true) => {
                let found = old_files(warehouse, self.before)?;
                let is_unnamed = |path: &str| unnamed.0.contains(&hash(name(path)));
                let mut found = found.try_filter(|file| ready(is_unnamed(file.location.as_ref())));
                while let Some(file) = found.try_next().await? {
                    let location = format!("{}{}", origin(warehouse), file.location);
                    findings.add(Check::Orphan, location, "no file", count(file.size, "byte"));
                }
                return Ok(());
            }
        };
        findings.add(Check::Unchecked, "orphans", "all that names files", reason);
        Ok(())
    }
}

/// The store of a warehouse, as the beginning of a location.
fn origin(warehouse: &Warehouse) -> String {
    let url = warehouse.url();
    format!("{}://{}/", url.scheme(), url.authority())
}

/// Looks for half-written files, and for checkpoints that no run can use.
pub(super) async fn leftovers(warehouse: &Warehouse, findings: &mut Findings) -> Result<()> {
    let at_work = runs_at_work(warehouse).await?;
    if at_work.is_empty() {
        for file in Leftovers::find(warehouse).await?.half_written() {
            findings.add(Check::HalfWritten, file.display().to_string(), "no file", "a half-written one");
        }
    }
    let runs = match RunFolder::runs(warehouse.url()).await {
        Ok(runs) => runs,
        Err(e) => {
            let folder = below(warehouse.url(), &format!("{}/", layout::CHECKPOINTS))?;
            let finding = Finding::new(Check::Checkpoint, folder, "records of runs", e);
            findings.push(finding.with_way_out("delete the folder of that run: it begins from the start"));
            return Ok(());
        }
    };
    for run in runs {
        let folder = RunFolder::new(warehouse.url(), &run.run)?;
        let tasks = folder.done().await?;
        if run.finished.is_some() {
            if !tasks.is_empty() {
                let found = count(tasks.len() as u64, "checkpoint");
                findings.add(Check::Checkpoint, folder.url().as_str(), "none, because the run has ended", found);
            }
            continue;
        }
        let checkpoints = Checkpoints { folder: folder.url().clone(), staged: false, of_job: false };
        for task in tasks {
            let object = checkpoints.of(&task)?;
            if let Err(e) = Checkpoint::read(&object).await {
                let finding = Finding::new(Check::Checkpoint, object.location(), "what a task wrote", e);
                findings.push(finding.with_way_out("delete it: its part of the run is done again"));
            }
        }
    }
    for (run, folder) in RunFolder::of_jobs(warehouse.url()).await? {
        if !at_work.contains(&run) {
            findings.add(Check::Checkpoint, folder.url().as_str(), "a run at work", "none");
        }
    }
    Ok(())
}
