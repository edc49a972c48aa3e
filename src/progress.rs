//! A progress bar over a running plan, or over the files of a verification, on a terminal only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use earthcatalog_plans::maintenance::VerifyProgress;
use earthcatalog_plans::run::CommitExec;
use earthcatalog_plans::scan::buckets::BucketScanExec;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::cluster::JobExec;
use crate::report::count;

/// How often the bar is drawn.
const INTERVAL: Duration = Duration::from_millis(200);

/// A bar on standard error that follows the chunks of a run, or the groups of buckets that it reads, and the rows which
/// its leaves have read; gone when dropped.
///
/// Nothing is drawn unless standard error is a terminal.
pub struct Progress {
    bar: ProgressBar,
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
        let bar = bar_of(unit);
        let timer = tokio::spawn({
            let (bar, plan) = (bar.clone(), Arc::clone(plan));
            async move {
                let mut ticks = tokio::time::interval(INTERVAL);
                while let Some(job) = job.as_ref().filter(|_| !bar.is_hidden()) {
                    ticks.tick().await;
                    let left = advance(&bar, job.tasks_done.load(Ordering::Relaxed), job.tasks.load(Ordering::Relaxed));
                    bar.set_message(left);
                }
                let Some(run) = CommitExec::find(&plan).map(CommitExec::progress) else { return };
                while !bar.is_hidden() {
                    ticks.tick().await;
                    let items = rows_read(&plan);
                    let rate = items as f64 / bar.elapsed().as_secs_f64().max(f64::EPSILON);
                    let rejected = run.rejected.load(Ordering::Relaxed);
                    let files = run.files.load(Ordering::Relaxed);
                    let (done, all) = (&run.partitions_done, &run.partitions);
                    let left = advance(&bar, done.load(Ordering::Relaxed), all.load(Ordering::Relaxed));
                    bar.set_message(format!(
                        ", {} Items ({}/s), {} rejected, {} files{left}",
                        count(items),
                        count(rate as u64),
                        count(rejected),
                        count(files)
                    ));
                }
            }
        });
        Self { bar, timer }
    }

    /// A bar that follows the files of a verification. Must be called within a tokio runtime.
    pub fn of_files(progress: &Arc<VerifyProgress>) -> Self {
        let bar = bar_of("files");
        let timer = tokio::spawn({
            let (bar, progress) = (bar.clone(), Arc::clone(progress));
            async move {
                let mut ticks = tokio::time::interval(INTERVAL);
                while !bar.is_hidden() {
                    ticks.tick().await;
                    let number = |of: &AtomicU64| of.load(Ordering::Relaxed);
                    let left = advance(&bar, number(&progress.files_done), number(&progress.files));
                    bar.set_message(format!(", {} rows{left}", count(number(&progress.rows_done))));
                }
            }
        });
        Self { bar, timer }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.timer.abort();
        self.bar.finish_and_clear();
    }
}

/// A bar of so many of something, with a message behind them.
fn bar_of(unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is checked when it is parsed; it is one of a few constants.
    let style = ProgressStyle::with_template(&format!("{{elapsed}} [{{wide_bar}}] {{pos}}/{{len}} {unit}{{msg}}"));
    bar.set_style(style.unwrap_or(ProgressStyle::default_bar()));
    bar
}

/// Draws so much of the bar; how long the rest takes, as text behind a comma.
fn advance(bar: &ProgressBar, done: u64, all: u64) -> String {
    // Of nothing, nothing would be all.
    if all > 0 {
        bar.set_length(all);
        bar.set_position(done);
    }
    time_left(bar.elapsed(), done, all).map_or(String::new(), |left| format!(", {left} left"))
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
}
