//! A partition as a task that is done once, however often it is attempted.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;
use url::Url;

use super::WriteTarget;
use super::attempt::{Attempt, Written};
use crate::checkpoint::{Checkpoint, Checkpoints, Recorded, TaskOf};
use crate::model::part_file::SinkRecord;
use crate::stores::ConditionalObject;

/// A partition whose first complete attempt counts.
pub struct Task {
    checkpoint: ConditionalObject,
    warehouse: Url,
    /// Folder of its part files, below the warehouse, where they are staged.
    staged: Option<String>,
}

impl Task {
    /// `partition` of `input`, which has this number in the whole plan; `task_of` names what it does, where it is no chunk.
    pub fn try_new(
        checkpoints: &Checkpoints,
        target: &WriteTarget,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        number: usize,
        task_of: TaskOf,
    ) -> Result<Self> {
        let task = checkpoints.task(input, partition, number, task_of)?;
        let folder = checkpoints.folder.as_str();
        let folder = folder.strip_prefix(target.warehouse.as_str()).unwrap_or(folder);
        Ok(Self {
            checkpoint: checkpoints.of(&task)?,
            warehouse: target.warehouse.clone(),
            staged: checkpoints.staged.then(|| format!("{folder}{task}")),
        })
    }

    pub fn staged(&self) -> Option<String> {
        self.staged.clone()
    }

    /// The records of the attempt that counts: an earlier one, or `attempt`, or one that ended meanwhile, in which case
    /// the files of `attempt` are removed.
    pub async fn once(
        &self,
        attempt: Attempt,
        write: impl AsyncFnOnce(Attempt) -> Result<Written>,
    ) -> Result<Vec<SinkRecord>> {
        if let Some(done) = Checkpoint::read(&self.checkpoint).await? {
            return Ok(self.resumed(done));
        }
        let (id, started) = (attempt.id().to_owned(), Instant::now());
        let written = write(attempt).await?;
        let checkpoint = Checkpoint::new(&id, written.records(), &self.warehouse, started.elapsed().as_secs_f64());
        // From here on the checkpoint may name the files, also if nobody waits for it any more, or its answer is lost.
        let (records, files) = written.keep();
        match checkpoint.record(&self.checkpoint).await? {
            Recorded::Ours => Ok(records),
            Recorded::Theirs(done) => {
                files.remove().await;
                Ok(self.resumed(*done))
            }
        }
    }

    fn resumed(&self, done: Checkpoint) -> Vec<SinkRecord> {
        let mut records = done.into_records(&self.warehouse);
        for record in &mut records {
            if let SinkRecord::Chunk(chunk) = record {
                chunk.resumed = true;
            }
        }
        records
    }
}
