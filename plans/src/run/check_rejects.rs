//! The limit of rejects that a run may have.

use datafusion::common::{Result, exec_err};

use super::CommitTarget;
use crate::checkpoint::RunRecords;

/// Errors if a run has more rejects than it may.
pub(super) fn check_rejects(target: &CommitTarget, records: &RunRecords, complete: bool) -> Result<()> {
    let Some(most) = target.max_rejects else { return Ok(()) };
    let (rejected, listed) = (records.counts.rejected_total(), records.counts.listed);
    if !most.is_exceeded(rejected, listed, complete) {
        return Ok(());
    }
    let run = &target.run;
    exec_err!(
        "run {run} was stopped, and nothing of it committed: {rejected} of {listed} objects were rejected, and max_rejects is {most}; their reasons are in table rejects (run = '{run}'); raise max_rejects to go on without them"
    )
}
