//! [`RunFolder`]: the folder of a run with its checkpoints.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::{fs, io};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use futures::TryStreamExt;
use object_store::ObjectMeta;
use object_store::path::Path as StorePath;
use serde::{Deserialize, Serialize};
use url::Url;

use super::identity::Identity;
use super::run_report::RunReport;
use crate::model::layout;
use crate::model::run_id::RunId;
use crate::stores::{self, ConditionalObject, Version, below, stores};

/// The document `run.json`: what a run is, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    pub run: String,
    pub engine: String,
    pub inventory: String,
    pub options: BTreeMap<String, String>,
    pub chunks: u64,
    pub started: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Finished>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub at: DateTime<Utc>,
    pub report: RunReport,
}

impl Finished {
    /// The report of the run, which says that this start of it did nothing.
    pub fn into_report(self) -> RunReport {
        RunReport { ended_before: Some(self.at), ..self.report }
    }
}

impl RunRecord {
    pub fn new(identity: &Identity) -> Self {
        Self {
            run: identity.run(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            inventory: identity.inventory.clone(),
            options: identity.options.clone(),
            chunks: identity.chunks,
            started: Utc::now(),
            finished: None,
        }
    }

    fn parse(object: &ConditionalObject, found: &Version) -> Result<Self> {
        serde_json::from_slice(&found.bytes).map_err(|e| {
            let location = object.location();
            exec_datafusion_err!("{location} cannot be read: {e}; delete its folder to begin that run from the start")
        })
    }

    fn to_bytes(&self) -> Result<Bytes> {
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(bytes.into())
    }

    /// Id under which the run is committed: another one when it began from the start.
    pub fn commit(&self) -> String {
        format!("{}-{:x}", self.run, self.started.timestamp_millis())
    }

    /// The run that was committed under this id, and when it was begun; `None` of a run that leaves no record.
    pub fn of_commit(commit: &str) -> Option<(&str, DateTime<Utc>)> {
        let (run, started) = commit.rsplit_once('-')?;
        let (inventory, shape) = run.split_once('-')?;
        let is_hex = |text: &str, digits: usize| text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit());
        let millis = i64::from_str_radix(started, 16).ok().filter(|_| is_hex(inventory, 16) && is_hex(shape, 8))?;
        Some((run, DateTime::from_timestamp_millis(millis)?))
    }

    /// Whether `other` is of the same inventory, under other options.
    pub fn is_same_inventory(&self, other: &Self) -> bool {
        let inventory = |run: &str| run.split('-').next().map(str::to_owned);
        self.run != other.run && inventory(&self.run) == inventory(&other.run)
    }

    /// The options in which this differs from `other`, with the values of both.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names = self.options.keys().chain(other.options.keys()).collect::<BTreeSet<_>>();
        let value = |of: &Self, name: &str| of.options.get(name).cloned().unwrap_or_else(|| "none".to_owned());
        let differs = names.into_iter().filter(|name| self.options.get(*name) != other.options.get(*name));
        differs.map(|name| format!("{name} was {}, is {}", value(other, name), value(self, name))).collect()
    }
}

/// The folder of a run, below a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    url: Url,
    /// Of the rejects of the run.
    rejects: Url,
}

impl RunFolder {
    /// Errors where `run` is not a [`RunId`]: its folder would be another one.
    pub fn new(warehouse: &Url, run: &str) -> Result<Self> {
        let run: RunId = run.parse().map_err(|e| DataFusionError::External(Box::new(e)))?;
        let url = below(warehouse, &format!("{}/{run}/", layout::CHECKPOINTS))?;
        Ok(Self { url, rejects: below(warehouse, &format!("{}/{run}/", layout::REJECTS))? })
    }

    /// Ends in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The runs of a warehouse, oldest first.
    pub async fn runs(warehouse: &Url) -> Result<Vec<RunRecord>> {
        let (store, root) = stores().locate(&below(warehouse, &format!("{}/", layout::CHECKPOINTS))?)?;
        let folders = store.list_with_delimiter(Some(&root)).await?.common_prefixes;
        let mut runs = vec![];
        for name in folders.iter().filter_map(|folder| folder.filename()) {
            // A folder of another name is not one of ours.
            let Ok(folder) = Self::new(warehouse, name) else { continue };
            runs.extend(folder.read().await?);
        }
        runs.sort_by_key(|run: &RunRecord| run.started);
        Ok(runs)
    }

    /// Folders of no run that can be resumed, with their runs: what the tasks of jobs on a cluster tell each other.
    pub async fn of_jobs(warehouse: &Url) -> Result<Vec<(String, Self)>> {
        let (store, root) = stores().locate(&below(warehouse, &format!("{}/", layout::CHECKPOINTS))?)?;
        let folders = store.list_with_delimiter(Some(&root)).await?.common_prefixes;
        let mut of_jobs = vec![];
        for name in folders.iter().filter_map(|folder| folder.filename()) {
            let Ok(folder) = Self::new(warehouse, name) else { continue };
            if folder.read().await?.is_none() && files_below(&folder.url).await?.iter().any(is_of_job) {
                of_jobs.push((name.to_owned(), folder));
            }
        }
        Ok(of_jobs)
    }

    /// What the run is; `None` where it never began.
    pub async fn read(&self) -> Result<Option<RunRecord>> {
        let object = self.record()?;
        object.read().await?.map(|found| RunRecord::parse(&object, &found)).transpose()
    }

    /// Begins the run, or goes on with it; its record as it is now.
    pub async fn begin(&self, record: RunRecord) -> Result<RunRecord> {
        if self.record()?.create(record.to_bytes()?).await?.is_some() {
            return Ok(record);
        }
        // Of several that begin it at once, the first one's record stands.
        Ok(self.read().await?.unwrap_or(record))
    }

    /// Ends the run: from now on a start of it does nothing. Then removes its checkpoints and what is staged.
    pub async fn finish(&self, finished: Finished) -> Result<()> {
        let object = self.record()?;
        while let Some(found) = object.read().await? {
            let mut record = RunRecord::parse(&object, &found)?;
            if record.finished.is_some() {
                break;
            }
            record.finished = Some(finished.clone());
            if object.replace(&found, record.to_bytes()?).await?.is_some() {
                break;
            }
        }
        self.clean().await
    }

    /// Tasks that are done.
    pub async fn done(&self) -> Result<Vec<String>> {
        let files = files_below(&self.url).await?;
        let task = |file: &ObjectMeta| {
            let parts: Vec<_> = file.location.parts().collect();
            let [.., task, name] = parts.as_slice() else { return None };
            (name.as_ref() == layout::CHECKPOINT).then(|| task.as_ref().to_owned())
        };
        Ok(files.iter().filter_map(task).collect())
    }

    /// Removes everything but the record of the run.
    pub async fn clean(&self) -> Result<()> {
        self.remove(|name| name != layout::RUN_RECORD).await
    }

    /// Removes what is of a job, in a folder without a record.
    pub async fn clean_of_job(&self) -> Result<()> {
        self.remove(|name| name == layout::CHECKPOINT || layout::is_slices(name)).await
    }

    /// Removes everything, so that the run begins from the start; its rejects, too, unless the run has ended: then they
    /// belong to what it committed.
    pub async fn discard(&self) -> Result<()> {
        let has_ended = self.read().await?.is_some_and(|record| record.finished.is_some());
        self.remove(|_| true).await?;
        if has_ended { Ok(()) } else { self.keep_rejects(&HashSet::new()).await }
    }

    /// Removes the files with rejects that are not `named` by a checkpoint: those of attempts that do not count.
    pub async fn keep_rejects(&self, named: &HashSet<String>) -> Result<()> {
        let named: HashSet<&str> = named.iter().filter_map(|url| url.rsplit('/').next()).collect();
        let files = files_below(&self.rejects).await?.into_iter().map(|file| file.location);
        delete(&self.rejects, files.filter(|path| path.filename().is_some_and(|name| !named.contains(name))).collect())
            .await
    }

    async fn remove(&self, goes: impl Fn(&str) -> bool) -> Result<()> {
        let files = files_below(&self.url).await?.into_iter().map(|file| file.location);
        let files = files.filter(|path| path.filename().is_some_and(&goes));
        // Checkpoints first: none may name a file that is gone.
        let (checkpoints, others): (Vec<_>, Vec<_>) =
            files.partition(|path| path.filename() == Some(layout::CHECKPOINT));
        delete(&self.url, checkpoints).await?;
        delete(&self.url, others).await?;
        if self.url.scheme() == "file"
            && let Ok(folder) = self.url.to_file_path()
        {
            let removed = tokio::task::spawn_blocking(move || remove_task_folders(&folder)).await;
            // One that stays is one into which another process is writing.
            drop(removed);
        }
        Ok(())
    }

    fn record(&self) -> Result<ConditionalObject> {
        Ok(ConditionalObject::at(&below(&self.url, layout::RUN_RECORD)?)?)
    }
}

/// Whether a file has a name that only tasks of a job give, and what is sent to them.
fn is_of_job(file: &ObjectMeta) -> bool {
    let name = file.location.filename().unwrap_or_default();
    name == layout::CHECKPOINT || layout::is_slices(name)
}

async fn files_below(folder: &Url) -> Result<Vec<ObjectMeta>> {
    let (store, root) = stores().locate(folder)?;
    Ok(store.list(Some(&root)).try_collect().await?)
}

/// Deletes files of the store of `folder`. What another process removed first is gone, too.
async fn delete(folder: &Url, paths: Vec<StorePath>) -> Result<()> {
    let (store, _) = stores().locate(folder)?;
    stores::delete(&store, paths).await.failed.map_or(Ok(()), |e| Err(e.into()))
}

/// Removes the folders of tasks, whose files are gone, with what no listing shows: files that a killed process has half
/// written. Then `folder` itself, if nothing is left in it.
fn remove_task_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: &str, options: &[(&str, &str)]) -> RunRecord {
        RunRecord {
            run: run.to_owned(),
            engine: "1".to_owned(),
            inventory: "file:///i.csv".to_owned(),
            options: options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            chunks: 2,
            started: Utc::now(),
            finished: None,
        }
    }

    #[test]
    fn runs_of_one_inventory_are_told_apart_by_their_options() {
        let (one, two) =
            (record("a-1", &[("limit", "5"), ("x", "1")]), record("a-2", &[("since", "2025"), ("x", "1")]));
        assert!(
            one.is_same_inventory(&two) && !one.is_same_inventory(&one) && !one.is_same_inventory(&record("b-1", &[]))
        );
        assert_eq!(one.differences(&two), ["limit was none, is 5", "since was 2025, is none"]);
    }

    #[test]
    fn the_id_of_a_commit_tells_the_run_and_its_start() {
        let begun = record("0123456789abcdef-01234567", &[]);
        let (commit, millis) = (begun.commit(), begun.started.timestamp_millis());
        let of_commit = RunRecord::of_commit(&commit).map(|(run, started)| (run, started.timestamp_millis()));
        assert_eq!(of_commit, Some((begun.run.as_str(), millis)));
        for other in ["0199c0ff-ee01-79c0-8fee-0199c0ffee01", "nightly-2025-09-01", "r1", ""] {
            assert_eq!(RunRecord::of_commit(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_run_begins_once_and_after_its_end_only_its_record_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Url::from_directory_path(folder.path()).unwrap();
        let run = RunFolder::new(&warehouse, "a-1").unwrap();
        let first = run.begin(record("a-1", &[])).await.unwrap();
        // Of two that begin it, the first one's start counts, and with it the id of the commit.
        let second = run.begin(record("a-1", &[("late", "yes")])).await.unwrap();
        assert_eq!((&second, second.commit()), (&first, first.commit()));
        let task = folder.path().join("_checkpoints/a-1/chunk-00000");
        fs::create_dir(&task).unwrap();
        for file in ["ingest_stats.json", "x-00000.parquet", "half.parquet#1"] {
            fs::write(task.join(file), "{}").unwrap();
        }
        assert_eq!(run.done().await.unwrap(), ["chunk-00000"]);

        let finished = Finished { at: Utc::now(), report: RunReport::default() };
        run.finish(finished.clone()).await.unwrap();
        run.finish(Finished { at: Utc::now(), ..finished.clone() }).await.unwrap();

        assert_eq!(RunFolder::runs(&warehouse).await.unwrap()[0].finished, Some(finished));
        assert_eq!(fs::read_dir(folder.path().join("_checkpoints/a-1")).unwrap().count(), 1);
        run.discard().await.unwrap();
        assert!(!folder.path().join("_checkpoints/a-1").exists());
    }

    #[test]
    fn the_folder_of_a_run_is_never_another_one() {
        let warehouse = Url::parse("file:///data/wh/").unwrap();
        for wrong in ["", ".", "..", "../..", "a/b", "a#b", "a?b", "%2e%2e", "a\n"] {
            assert!(RunFolder::new(&warehouse, wrong).is_err(), "{wrong:?}");
        }
        assert!(below(&warehouse, "_checkpoints/../../x").is_err());
        let folder = RunFolder::new(&warehouse, "my run").unwrap();
        assert_eq!(folder.url().as_str(), "file:///data/wh/_checkpoints/my%20run/");
    }
}
