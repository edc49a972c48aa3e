//! Runs, compactions and clean-ups in any order: what the table names, and what an unfinished run wrote, is always there.

use proptest::prelude::*;

use super::*;
use crate::table::testing::warehouse;

#[derive(Debug, Clone, Copy)]
enum Step {
    BeginRun,
    WriteFile,
    CommitRun,
    /// The run fails, and leaves its files behind.
    AbandonRun,
    Compact,
    Merge,
    Expire,
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        2 => Just(BeginRun), 4 => Just(WriteFile), 3 => Just(CommitRun), 1 => Just(AbandonRun),
        1 => Just(Compact), 1 => Just(Merge), 2 => Just(Expire), 2 => Just(Sweep),
    ]
}

struct Run {
    lease: RunLease,
    files: Vec<PartFile>,
}

struct Model {
    folder: TempDir,
    warehouse: Warehouse,
    runs: Vec<Run>,
    live: Vec<PartFile>,
    files: u128,
}

impl Model {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        Self { folder, warehouse, runs: vec![], live: vec![], files: 0 }
    }

    fn write(&mut self) -> PartFile {
        self.files += 1;
        part(&self.warehouse, ["81a", "81b"][(self.files % 2) as usize], self.files)
    }

    /// Does a step, with run `n` of those that are unfinished.
    async fn step(&mut self, step: Step, n: usize) {
        let run = n.checked_rem(self.runs.len());
        match (step, run) {
            (Step::BeginRun, _) => {
                let lease = RunLease::begin(&self.warehouse, "r").await.unwrap();
                self.runs.push(Run { lease, files: vec![] });
            }
            (Step::WriteFile, Some(run)) => {
                let file = self.write();
                self.runs[run].files.push(file);
            }
            (Step::CommitRun, Some(run)) => {
                let mut run = self.runs.remove(run);
                run.lease.begin_commit().await.unwrap();
                if !run.files.is_empty() {
                    append(&self.warehouse, run.files.iter().cloned()).await;
                    self.live.extend(run.files);
                }
                run.lease.release().await.unwrap();
            }
            (Step::AbandonRun, Some(run)) => drop(self.runs.remove(run)),
            (Step::Compact, _) if self.live.len() > 1 => {
                let lease = RunLease::begin(&self.warehouse, "compact").await.unwrap();
                let merged = self.write();
                // Some of the live files, so that manifests are written again with what stays of them.
                let kept = self.live.split_off(self.live.len().div_ceil(2));
                replace(&self.warehouse, &self.live, merged.clone()).await;
                self.live = kept;
                self.live.push(merged);
                lease.release().await.unwrap();
            }
            (Step::Merge, _) => drop(merge_manifests(&self.warehouse, &AT_ONCE).await.unwrap()),
            (Step::Expire, _) => drop(expire_snapshots(&self.warehouse, &AT_ONCE).await.unwrap()),
            (Step::Sweep, _) => drop(sweep_orphans(&self.warehouse, &AT_ONCE).await.unwrap()),
            _ => {}
        }
    }

    async fn check(&self) {
        let there = files(&self.folder);
        let named = named_files(&self.warehouse).await;
        assert!(named.is_subset(&there), "named, and gone: {:?}", named.difference(&there));
        let name = |part: &PartFile| file(part).file_name().unwrap().to_str().unwrap().to_owned();
        assert!(self.live.iter().all(|part| named.contains(&name(part))), "live, and not named");
        let written = self.runs.iter().flat_map(|run| &run.files);
        assert!(written.into_iter().all(|part| there.contains(&name(part))), "of an unfinished run, and gone");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_needed_goes_and_in_the_end_everything_else_does(
        steps in prop::collection::vec((step(), 0..4usize), 10..30)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for (step, run) in steps {
                model.step(step, run).await;
                model.check().await;
            }
            model.runs.clear();
            clean(&model.warehouse, &AT_ONCE).await.unwrap();
            model.check().await;
            assert_eq!(files(&model.folder), named_files(&model.warehouse).await);
            assert!(snapshots(&model.warehouse).await <= 1);
        });
    }
}
