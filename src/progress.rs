//! How far a running plan is, or a verification: as a bar on a terminal, or told to the program that we are a part of,
//! see [`watched_by`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use earthcatalog_plans::maintenance::VerifyProgress;
use earthcatalog_plans::run::CommitExec;
use earthcatalog_plans::scan::bucket_files::BucketScanExec;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::JobExec;
use crate::report::count;
use crate::verbosity;

/// How often the bar is drawn.
const INTERVAL: Duration = Duration::from_millis(200);

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    pub done: u64,
    /// 0 where it is not known yet.
    pub all: u64,
    pub unit: &'static str,
    /// What else there is to say, behind a comma.
    pub note: String,
}

tokio::task_local! {
    /// The program that we are a part of, which draws the bar.
    static WATCHER: watch::Sender<Step>;
}

/// Runs `work`, whose steps are told to `watcher`; no bar is drawn.
pub async fn watched_by<T>(watcher: watch::Sender<Step>, work: impl Future<Output = T>) -> T {
    WATCHER.scope(watcher, work).await
}

/// A bar on standard error that follows the chunks of a run, or the groups of buckets that it reads, and the rows which
/// its leaves have read; gone when dropped.
///
/// Nothing is drawn unless standard error is a terminal, or within [`watched_by`].
pub struct Progress {
    bar: Bar,
    timer: JoinHandle<()>,
}

impl Progress {
    /// Must be called within a tokio runtime.
    pub fn follow(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let job = JobExec::find(plan).map(|job| Arc::clone(job.progress()));
        let unit = match (&job, BucketScanExec::find(plan)) {
            (Some(_), _) => "tasks",
            (None, Some(_)) => "groups",
            (None, None) => "chunks",
        };
        let bar = Bar::new(unit);
        let timer = tokio::spawn({
            let (bar, plan) = (bar.clone(), Arc::clone(plan));
            async move {
                let mut ticks = tokio::time::interval(INTERVAL);
                while let Some(job) = job.as_ref().filter(|_| bar.is_seen()) {
                    ticks.tick().await;
                    bar.show(job.tasks_done.load(Ordering::Relaxed), job.tasks.load(Ordering::Relaxed), String::new());
                }
                let Some(run) = CommitExec::find(&plan).map(CommitExec::progress) else { return };
                while bar.is_seen() {
                    ticks.tick().await;
                    let items = rows_read(&plan);
                    let rate = items as f64 / bar.drawn.elapsed().as_secs_f64().max(f64::EPSILON);
                    let rejected = run.rejected.load(Ordering::Relaxed);
                    let files = run.files.load(Ordering::Relaxed);
                    let (done, all) = (&run.partitions_done, &run.partitions);
                    let note = format!(
                        ", {} Items ({}/s), {} rejected, {} files",
                        count(items),
                        count(rate as u64),
                        count(rejected),
                        count(files)
                    );
                    bar.show(done.load(Ordering::Relaxed), all.load(Ordering::Relaxed), note);
                }
            }
        });
        Self { bar, timer }
    }

    /// A bar that follows the files of a verification. Must be called within a tokio runtime.
    pub fn of_files(progress: &Arc<VerifyProgress>) -> Self {
        let bar = Bar::new("files");
        let timer = tokio::spawn({
            let (bar, progress) = (bar.clone(), Arc::clone(progress));
            async move {
                let mut ticks = tokio::time::interval(INTERVAL);
                while bar.is_seen() {
                    ticks.tick().await;
                    let number = |of: &AtomicU64| of.load(Ordering::Relaxed);
                    let note = format!(", {} rows", count(number(&progress.rows_done)));
                    bar.show(number(&progress.files_done), number(&progress.files), note);
                }
            }
        });
        Self { bar, timer }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.timer.abort();
        self.bar.drawn.finish_and_clear();
    }
}

/// Where a run is shown: on a terminal, or by a watcher.
#[derive(Clone)]
struct Bar {
    unit: &'static str,
    drawn: ProgressBar,
    watcher: Option<watch::Sender<Step>>,
}

impl Bar {
    /// A bar of so many `unit`, with a message behind them.
    fn new(unit: &'static str) -> Self {
        let watcher = WATCHER.try_with(Clone::clone).ok();
        let is_drawn = watcher.is_none() && !verbosity::is_quiet();
        let target = if is_drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let drawn = ProgressBar::with_draw_target(None, target);
        // The template is checked when it is parsed; it is one of a few constants.
        let style = ProgressStyle::with_template(&format!("{{elapsed}} [{{wide_bar}}] {{pos}}/{{len}} {unit}{{msg}}"));
        drawn.set_style(style.unwrap_or(ProgressStyle::default_bar()));
        Self { unit, drawn, watcher }
    }

    /// Whether anybody sees it.
    fn is_seen(&self) -> bool {
        self.watcher.is_some() || !self.drawn.is_hidden()
    }

    /// Shows so much of it, with `note` behind.
    fn show(&self, done: u64, all: u64, note: String) {
        if let Some(watcher) = &self.watcher {
            watcher.send_replace(Step { done, all, unit: self.unit, note });
            return;
        }
        // Of nothing, nothing would be all.
        if all > 0 {
            self.drawn.set_length(all);
            self.drawn.set_position(done);
        }
        let left = time_left(self.drawn.elapsed(), done, all).map_or(String::new(), |left| format!(", {left} left"));
        self.drawn.set_message(format!("{note}{left}"));
    }
}

/// How long the rest takes, if it goes on as before; `None` before anything is done, and when all is.
fn time_left(elapsed: Duration, done: u64, all: u64) -> Option<String> {
    let rest = all.checked_sub(done).filter(|rest| *rest > 0 && done > 0)?;
    let seconds = elapsed.as_secs_f64() * rest as f64 / done as f64;
    Some(match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    })
}

/// Rows that the leaves of `plan` have produced so far.
fn rows_read(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    match plan.children().as_slice() {
        [] => plan.metrics().and_then(|m| m.output_rows()).unwrap_or_default() as u64,
        children => children.iter().map(|child| rows_read(child)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{CsvReadOptions, SessionContext};

    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_what_is_done() {
        let left = |seconds, done, all| time_left(Duration::from_secs(seconds), done, all);
        assert_eq!(left(10, 1, 4).unwrap(), "30 s");
        assert_eq!(left(600, 10, 20).unwrap(), "10 min");
        assert_eq!(left(3_600, 1, 4).unwrap(), "3.0 h");
        assert_eq!([left(10, 0, 4), left(10, 4, 4), left(10, 0, 0)], [None, None, None]);
    }

    #[tokio::test]
    async fn the_rows_of_the_leaves_are_counted_whatever_is_above_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("three.csv");
        std::fs::write(&file, "n\n1\n2\n3\n").unwrap();
        let session = SessionContext::new();
        session.register_csv("t", file.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
        let frame = session.sql("SELECT count(*) FROM t").await.unwrap();
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.unwrap();
        let progress = Progress::follow(&plan);
        collect(Arc::clone(&plan), context).await.unwrap();
        assert_eq!(rows_read(&plan), 3);
        drop(progress);
    }

    #[tokio::test]
    async fn a_watcher_is_told_in_place_of_a_bar() {
        let (watcher, steps) = watch::channel(Step::default());
        watched_by(watcher, async {
            let bar = Bar::new("chunks");
            assert!(bar.is_seen() && bar.drawn.is_hidden());
            bar.show(1, 4, ", 7 Items".to_owned());
        })
        .await;
        let told = Step { done: 1, all: 4, unit: "chunks", note: ", 7 Items".to_owned() };
        assert_eq!(*steps.borrow(), told);
    }
}
