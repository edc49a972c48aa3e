//! Arguments that several commands share, the values that they take, and the checks that they pass before anything runs.

mod cluster;
mod error;
mod locations;
mod report_format;
mod resources;
mod script;
mod source;
mod texts;
mod time;
pub mod values;
mod warehouse;

pub use cluster::ClusterArgs;
pub use error::ArgumentError;
pub use locations::{check_existing, check_inventory, check_location, place, read_place};
pub use report_format::ReportFormat;
pub use resources::{ResourceArgs, ThreadArgs, cores};
pub use script::{ParameterArgs, ScriptArgs, script};
pub use source::SourceArgs;
pub use texts::{ids, list, text, text_or_file};
pub use time::TimeArgs;
pub use values::Since;
pub use warehouse::{AnyWarehouseArgs, ListArgs, TableInFolderArgs, WarehouseArgs};
