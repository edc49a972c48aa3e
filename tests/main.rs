//! End-to-end tests, in one binary: the program as its users run it, on real files.

mod ask;
mod backfill;
mod book;
mod cli;
mod cluster;
mod cluster_processes;
mod collections;
mod compact;
mod data;
mod demo;
mod expire;
mod faults;
mod incremental;
mod interop;
mod object_store;
mod other_engines;
mod plans;
mod program;
mod python;
mod query;
mod real_data;
mod s3_server;
mod scripts;
mod search;
mod server;
mod slt;
