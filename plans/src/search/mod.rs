//! STAC search over tables of Items: the parameters of STAC API's Item Search, as a plan.
//!
//! - [`Search`]: the parameters, read from JSON; [`SearchError`] names the one that is wrong.
//! - [`cql2`]: filters as text and JSON, read into a tree.
//! - `condition`: what filters mean, as expressions over the columns.
//! - [`Page`]: a part of the answer, from a [`Position`] on.
//! - [`search_plan`]: the plan over a table; [`StacSearch`]: table function `stac_search`.

mod condition;
pub mod cql2;
mod error;
mod fields;
mod function;
mod interval;
mod names;
mod page;
mod parameters;
mod plan;
mod query_extension;
mod sort;
#[cfg(test)]
mod tests;
mod texts;

pub use error::{PARAMETERS, SearchError};
pub use fields::Fields;
pub use function::StacSearch;
pub use interval::Interval;
pub use page::{Page, Position};
pub use parameters::Search;
pub use plan::search_plan;
pub use sort::SortKey;
