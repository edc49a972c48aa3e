//! The same plans on a Ballista cluster.
//!
//! ```text
//! head      plans, submits a job, commits               Cluster, attach, JobExec
//! scheduler cuts the plan into stages, hands out tasks  run_scheduler
//! executors read, transform and write; each task is a   run_executor
//!           chunk, a group of buckets, or a part of a query
//! ```
//!
//! Data goes between object stores and executors. Through head and scheduler go plans, the records of files, and what a
//! query answers. [`attach`] makes a session of the head submit; everything else about it stays as it is.
//!
//! Ballista is used as it is, with pull scheduling. Ours are: the heartbeat of an executor, which Ballista's own loop
//! does not send while its slots are full; the watch over a job, which would wait for ever without executors; and the
//! last stage, which gathers the records in one place, so that those of a lost executor are asked for again.

mod address;
mod client;
mod codec;
mod engine;
mod error;
mod executor;
mod executor_service;
mod job;
mod local;
mod rule;
mod scheduler;
mod settings;
mod watched;

pub use address::{ClusterAddress, PORT};
pub use client::{Cluster, ExecutorState};
pub use error::ClusterError;
pub use executor::{ExecutorOptions, run_executor};
pub use job::{JobExec, JobProgress, cancellations};
pub use local::{LocalCluster, LocalOptions, asked_to_end};
pub use rule::attach;
pub use scheduler::{SchedulerOptions, run_scheduler};
