//! How questions in space read fewer files: optimizer rules over the tables of a warehouse.
//!
//! - [`SpatialPruning`]: a predicate on `geometry` also says something of `xmin … ymax`, by which files, row groups and
//!   pages are chosen.
//! - [`ItemsTable`]: table `items`, each Item once; [`OncePerItemExec`] is how.
//! - [`BucketsFunction`], [`IngestedFunction`], [`ChangesFunction`]: the buckets of a table, the objects that it was made from,
//!   and what has become of its Items between two states.
//! - [`cells`]: the cells of a geometry, and as a predicate on `grid_partition`.
//! - [`parse_place`]: a place as people write it.
//! - [`in_time`]: the Items of a time.
//! - `wrong_answers`: questions that DataFusion answers wrongly, which are refused.
//! - [`register_views`]: the tables of a warehouse in SQL.

mod bounds;
mod buckets_function;
pub mod cells;
mod changes;
mod constant;
#[cfg(test)]
mod damaged_files;
mod frame;
mod in_time;
mod ingested_function;
mod items_table;
mod once_per_item;
mod place;
mod planned_view;
#[cfg(test)]
mod same_answers;
mod spatial_pruning;
mod stored;
mod views;
mod warehouse_of;
mod warehouse_scan;
mod wrong_answers;

use std::sync::Arc;

use datafusion::optimizer::{Optimizer, OptimizerRule};

pub use bounds::intersects_frame;
pub use buckets_function::BucketsFunction;
pub use changes::ChangesFunction;
pub use frame::Frame;
pub use geo::Geometry;
pub use in_time::{in_time, in_time_sql};
pub use ingested_function::IngestedFunction;
pub use items_table::ItemsTable;
pub(crate) use items_table::{after_sorting, for_sorting};
pub use once_per_item::OncePerItemExec;
pub(crate) use place::place_wkb;
pub use place::{PlaceError, box_of, parse_place, place_geojson, place_sql};
pub use spatial_pruning::SpatialPruning;
pub use views::{ITEMS, TABLES, register_views};
pub(crate) use warehouse_of::warehouse_of;
pub(crate) use wrong_answers::RefuseWrongAnswers;

/// DataFusion's rules, with [`SpatialPruning`] behind the one that moves filters towards the tables.
pub fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let pushed_down = rules.iter().position(|rule| rule.name() == "push_down_filter").map_or(rules.len(), |at| at + 1);
    rules.insert(pushed_down, Arc::new(SpatialPruning));
    rules
}
