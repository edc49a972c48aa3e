//! End-to-end tests, in one binary: the program as its users run it, on real files.

mod backfill;
mod cli;
mod compact;
mod data;
mod demo;
mod expire;
mod incremental;
mod interop;
mod plans;
mod program;
mod python;
mod real_data;
mod server;
