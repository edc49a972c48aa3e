//! [`Candidates`]: Items of which all versions are to be looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, ident, lit};
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use crate::model::item_key::ItemKey;
use crate::runtime::plan_here;
use crate::table::item_index::MOST_IDS;
use crate::table::known_ids::{IdHash, Repeated, are_repeated};

/// Items of which all versions are to be looked at. Takes eight bytes of memory an Item.
#[derive(Debug)]
pub(crate) struct Candidates {
    keys: Arc<Repeated>,
    /// Their ids; `None` where they are too many to choose files by them.
    ids: Option<BTreeSet<String>>,
}

impl Candidates {
    /// The Items of these hashes.
    pub fn new(keys: Repeated) -> Self {
        Self { keys: Arc::new(keys), ids: None }
    }

    /// The Items that have one of these rows, which have the columns `collection` and `id`.
    pub async fn find(session: &dyn Session, rows: LogicalPlanBuilder) -> Result<Self> {
        let text = |name: &str| cast(ident(name), DataType::Utf8).alias(name);
        let plan = rows.project(ItemKey::COLUMNS.map(text))?.build()?;
        let (mut keys, mut ids) = (Repeated::new(), Some(BTreeSet::new()));
        let mut rows = execute_stream(plan_here(session, &plan).await?, session.task_ctx())?;
        while let Some(batch) = rows.try_next().await? {
            let [collections, of_batch] = [0, 1].map(|i| batch.column(i).as_string::<i32>());
            for (collection, id) in collections.iter().zip(of_batch) {
                let Some(id) = id else { continue };
                keys.insert(IdHash::new(collection, id));
                if let Some(ids) = &mut ids {
                    ids.insert(id.to_owned());
                }
            }
            if ids.as_ref().is_some_and(|ids| ids.len() > MOST_IDS) {
                ids = None;
            }
        }
        Ok(Self { keys: Arc::new(keys), ids })
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What is true of the rows of these Items, in a way by which files are chosen where the Items are few.
    pub fn are(&self) -> Expr {
        let are = are_repeated(Arc::clone(&self.keys));
        let named = |ids: &BTreeSet<String>| ident("id").in_list(ids.iter().map(lit).collect(), false);
        self.ids.iter().map(named).fold(are, Expr::and)
    }
}
